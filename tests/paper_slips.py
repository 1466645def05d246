"""What people do with a printed slip: open its address, answer its question, choose a password."""

import re
from typing import Any

from flask.testing import FlaskClient

from tests.browser_client import hidden_fields, submit

CODE = re.compile(r'id="activation-code">((?:\d{4} ){3}\d{4})<')


def link_on(page: str) -> str:
    """The address in the QR code of a slip that the console shows."""
    found = CODE.search(page)
    assert found, page
    return "/activate/" + found[1].replace(" ", "")


def opened(browser: FlaskClient, link: str, answer: str = "") -> Any:
    """Follow the QR code and press the button; the page that asks for a password, or what is said
    instead.
    """
    page = browser.get(link, follow_redirects=True)
    assert page.status_code == 200
    typed = re.search(r'name="code"[^>]* value="([^"]*)"', page.text)
    assert typed, page.text
    reply = submit(browser, page, "/activate", code=typed[1], answer=answer)
    return browser.get(reply.headers["Location"]) if reply.status_code == 303 else reply


def chosen(browser: FlaskClient, link: str, password: str, answer: str = "") -> Any:
    """Choose this password by the slip; what is answered."""
    page = opened(browser, link, answer)
    if page.status_code != 200:
        return page
    fields = {"password": password, "again": password}
    return browser.post(page.request.path, data=hidden_fields(page.text) | fields)
