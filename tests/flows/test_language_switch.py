"""The switch between the languages leads back to the page it stands on, whatever page that is."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr

NEW = "/console/people/new"
SWITCH = re.compile(r'<form class="tongues" method="post" action="([^"]+)".*?</form>', re.DOTALL)
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
JOINER = {
    "person.full_name": "Trịnh Thị Hạnh",
    "person.birth_date": "12/03/1990",
    "person.citizen_number": "038190001234",
    "position": "CV",
    "number": "12/QĐ-UBND",
    "issued_on": "01/03/2026",
    "issuer": "UBND tỉnh",
    "step": "preview",
}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def switched(browser: Any, page: Any, code: str) -> Any:
    """Press the page's switch, as a browser does: whatever is in the form is sent."""
    form = SWITCH.search(page.text)
    assert form, page.text
    assert f'name="tongue" value="{code}"' in form[0]
    fields = [(unescape(n), unescape(v)) for n, v in FIELD.findall(form[0])]
    data: dict[str, list[str]] = {}
    for name, value in [*fields, ("tongue", code)]:
        data.setdefault(name, []).append(value)
    return browser.post(unescape(form[1]), data=data, follow_redirects=True)


def joining(hr: Hr, browser: Any, **fields: str) -> Any:
    form = hidden_fields(browser.get(NEW).text)
    data = form | JOINER | {"to_unit": str(hr.units["room"])} | fields
    return browser.post(NEW, data=data, follow_redirects=True)


def test_a_preview_that_stands_in_no_address_is_shown_in_the_other_language(hr: Hr) -> None:
    browser = hr.browser("officer")
    page = joining(hr, browser)
    assert '<html lang="vi">' in page.text
    english = switched(browser, page, "en")
    assert '<html lang="en">' in english.text
    assert "Trịnh Thị Hạnh" in english.text
    assert "hanhtt" in english.text
    back = switched(browser, english, "vi")
    assert "Chưa có gì được ghi" in back.text
    # What is confirmed then is what was asked for, and the language stays.
    switched(browser, back, "en")
    data = hidden_fields(page.text) | {"decision": "allow", "password": PASSWORD}
    done = browser.post(NEW, data=data, follow_redirects=True)
    assert done.status_code == 200
    assert '<html lang="en">' in done.text


def test_a_form_with_a_mistake_keeps_what_was_filled_in(hr: Hr) -> None:
    browser = hr.browser("officer")
    page = joining(hr, browser, **{"person.birth_date": "31/02/1990"})
    assert page.status_code == 422
    english = switched(browser, page, "en")
    assert english.status_code == 422
    assert '<html lang="en">' in english.text
    assert 'value="Trịnh Thị Hạnh"' in english.text
    assert 'value="31/02/1990"' in english.text


def test_a_wrong_password_is_not_sent_again_by_the_switch(hr: Hr) -> None:
    browser = hr.browser("officer")
    page = joining(hr, browser)
    data = hidden_fields(page.text) | {"decision": "allow", "password": "không phải"}
    refused = browser.post(NEW, data=data)
    assert refused.status_code == 422
    english = switched(browser, refused, "en")
    assert english.status_code == 200
    assert "không phải" not in english.text
    assert 'name="fingerprint"' in english.text


def test_what_is_shown_once_has_no_switch_that_would_lose_it(hr: Hr) -> None:
    browser = hr.browser("officer")
    where = f"/console/people/{next(iter(hr.people.values()))}"
    hr.agree("officer", next(iter(hr.people)))
    data = hidden_fields(browser.get(where).text) | {"password": PASSWORD}
    slip = browser.post(f"{where}/activation", data=data, follow_redirects=True)
    assert "activation-code" in slip.text
    assert 'class="tongues"' not in slip.text


@pytest.mark.parametrize("path", [NEW, "/console/work-items/done"])
def test_a_form_that_is_too_large_is_refused_as_such(hr: Hr, path: str) -> None:
    """What nobody has listened to is not looked at for a language either."""
    browser = hr.browser("officer")
    large = b"tongue=en&x=" + b"a" * (1024 * 1024)
    answer = browser.post(path, data=large, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert "frame-ancestors" in answer.headers["Content-Security-Policy"]


def test_another_site_does_not_switch_the_language(hr: Hr) -> None:
    browser = hr.browser("officer")
    for headers in ({"Origin": "https://xau.example"}, {}):
        answer = browser.post(NEW, data={"tongue": "en"}, headers=headers)
        assert answer.status_code in (400, 403)
        assert not [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("lang=")]
