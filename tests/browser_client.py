"""A browser for tests of pages: keeps cookies, reads the form on a page and submits it."""

import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

HIDDEN = re.compile(r"<input type=\"hidden\"[^>]*>")
BESIDE = re.compile(r"<form[^>]* data-passkey=.*?</form>", re.DOTALL)
ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")


class Page(Exception):
    """Raised with the page when a helper expected another one."""


def hidden_fields(html: str) -> dict[str, str]:
    """The hidden inputs of a page, by name; not those of a form that asks for a passkey."""
    found = {}
    for tag in HIDDEN.findall(BESIDE.sub("", html)):
        attributes = dict(ATTRIBUTE.findall(tag))
        found[attributes["name"]] = unescape(attributes.get("value", ""))
    return found


def submit(
    client: FlaskClient, page: TestResponse, action: str = "", **fields: Any
) -> TestResponse:
    """Post a page's form (its hidden fields and the given ones) to itself or to ``action``."""
    target = action or page.request.path
    return client.post(target, data=hidden_fields(page.text) | fields)


def shown(client: FlaskClient, answer: TestResponse) -> TestResponse:
    """The page that a form's answer leads to where it is shown once; any other answer as it is."""
    where = answer.headers.get("Location", "")
    return client.get(where) if where.startswith("/shown/") else answer


def open_login(client: FlaskClient, return_to: str = "/") -> TestResponse:
    """The first page of a sign-in."""
    return client.get("/login", query_string={"return_to": return_to}, follow_redirects=True)


def sign_in(
    client: FlaskClient,
    username: str,
    password: str,
    *,
    assignment: int | None = None,
    return_to: str = "/portal/profile",
) -> TestResponse:
    """Sign in; the response that sets the session cookie and redirects to ``return_to``."""
    answer = submit(client, open_login(client, return_to), username=username, password=password)
    if answer.status_code != 303:
        raise Page(answer.text)
    answer = following(client, answer)
    if assignment is not None:
        answer = submit(client, answer, assignment=str(assignment))
    return answer


def following(client: FlaskClient, answer: TestResponse) -> TestResponse:
    """The next page of a sign-in, where the answer to a form leads to one; else the answer: its end."""
    where = answer.headers.get("Location", "")
    return client.get(where) if where.startswith("/login/") else answer
