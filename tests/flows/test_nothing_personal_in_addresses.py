"""What is typed about a person (name, birth date, number, mail address) stands in no address.

Histories, proxies and logs keep addresses. Previews come back by reload and by the back button all
the same.
"""

import re
from typing import Any
from urllib.parse import unquote_plus

import pytest
from flask import Flask

from directory.changes import kind as kinds
from directory.changes.kind import About
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr, text_of

NAME, MAIL, PHONE, NUMBER = (
    "Lê Thị Lan Anh",
    "lan.anh@hatrung.example",
    "0987654321",
    "038190001234",
)
TYPED = {
    "rename": {"full_name": NAME, "birth_date": "04/02/1981"},
    "contact": {"email": MAIL, "phone": PHONE},
    "number": {"citizen_number": NUMBER},
}
ADDRESSES = re.compile(r'(?:href|action)="([^"]*)"')


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _addresses(page: Any) -> str:
    found = [*ADDRESSES.findall(page.text), page.request.url, page.headers.get("Location", "")]
    return unquote_plus(" ".join(found))


def _without(page: Any, typed: dict[str, str]) -> None:
    assert not [value for value in typed.values() if value in _addresses(page)]


@pytest.mark.parametrize("kind", sorted(TYPED))
def test_a_form_that_asks_for_ones_own_is_sent(hr: Hr, kind: str) -> None:
    officer, typed = hr.browser("officer"), TYPED[kind]
    where = f"/console/people/{hr.people['lan']}/{kind}"
    form = officer.get(where)
    assert f'method="post" action="{where}"' in form.text
    sent = officer.post(where, data=hidden_fields(form.text) | typed | {"step": "preview"})
    assert sent.status_code == 303
    _without(sent, typed)
    page = officer.get(sent.location)
    assert "Chưa có gì được ghi" in text_of(page.text)
    _without(page, typed)
    back = officer.post(
        where, data=hidden_fields(page.text) | {"decision": "deny"}, follow_redirects=True
    )
    assert all(f'value="{value}"' in back.text for value in typed.values())
    _without(back, typed)


def test_every_kind_of_change_that_has_people_type_something_is_one_of_them() -> None:
    asked_of_people = [one for one in kinds.requested() if one.about == About.PEOPLE]
    assert {one.code for one in asked_of_people if one.private} == set(TYPED)


def test_a_preview_may_be_reloaded_for_as_long_as_the_session_idles(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "contact", **TYPED["contact"])
    hr.clock.advance(seconds=hr.services.settings.admin_idle - 10)
    again = officer.get(page.request.path)
    assert again.status_code == 200
    assert again.text == page.text
    assert hr.confirm(officer, again).status_code == 303
    assert hr.user("lan").email == MAIL


def test_back_and_the_same_preview_once_more_shows_it_anew(hr: Hr) -> None:
    officer = hr.browser("officer")
    where = f"/console/people/{hr.people['lan']}/contact"
    data = hidden_fields(officer.get(where).text) | TYPED["contact"] | {"step": "preview"}
    first = officer.post(where, data=data)
    for _ in range(5):
        hr.clock.advance(seconds=hr.services.settings.admin_idle - 10)
        assert officer.get("/console/").status_code == 200
    second = officer.post(where, data=data)
    page = officer.get(second.location)
    assert page.status_code == 200
    assert "Chưa có gì được ghi" in text_of(page.text)
    assert first.status_code == second.status_code == 303


def test_what_was_typed_comes_back_after_a_new_sign_in_and_in_no_address(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "contact", **TYPED["contact"])
    hr.clock.advance(seconds=hr.services.settings.admin_idle + 60)
    answer = hr.confirm(officer, page)
    assert answer.status_code == 303
    _without(answer, TYPED["contact"])
    page = officer.get(answer.location, follow_redirects=True)
    data = hidden_fields(page.text) | {"username": hr.names["officer"], "password": PASSWORD}
    waiting = officer.post(page.request.path, data=data, follow_redirects=True)
    _without(waiting, TYPED["contact"])
    action = re.search(r'<form class="sheet" method="post" action="([^"]+)"', waiting.text)
    assert action
    form = officer.post(action[1], data=hidden_fields(waiting.text), follow_redirects=True)
    assert f'value="{MAIL}"' in form.text
    assert "Chưa có gì được ghi" in text_of(form.text)
    assert hr.user("lan").email != MAIL


# ---- looking for somebody ----------------------------------------------------------------------


def _search(officer: Any, words: str, **more: str) -> Any:
    form = hidden_fields(officer.get("/console/people").text)
    return officer.post("/console/people", data=form | {"q": words} | more)


def test_a_search_for_a_name_has_an_address(hr: Hr) -> None:
    officer = hr.browser("officer")
    found = _search(officer, "Lê Thị Lan", status="active")
    assert found.status_code == 303
    assert "q=" in found.location
    assert "Lê Thị Lan" in officer.get(found.location).text


@pytest.mark.parametrize(
    "words", [NUMBER, "038 190 001 234", "+84 912 345 678", "0912345678", MAIL]
)
def test_a_search_for_somebodys_number_or_mail_address_has_none(hr: Hr, words: str) -> None:
    officer = hr.browser("officer")
    if words == MAIL:
        hr.confirm(officer, hr.preview(officer, "lan", "contact", email=MAIL))
    found = _search(officer, words)
    assert found.status_code == 303
    assert found.location.startswith("/shown/")
    page = officer.get(found.location)
    assert ("Lê Thị Lan" in text_of(page.text)) is not words.startswith("038")
    assert words not in _addresses(page)
    assert f'value="{words}"' in page.text
    # Nor does a page that was asked for so nevertheless hand it on.
    asked = officer.get("/console/people", query_string={"q": words})
    links = [one for one in ADDRESSES.findall(asked.text) if not one.startswith("/lang/")]
    assert words not in unquote_plus(" ".join(links))


def test_a_search_left_alone_leads_back_to_the_list(hr: Hr) -> None:
    officer = hr.browser("officer")
    form = hidden_fields(officer.get("/console/people").text)
    hr.clock.advance(seconds=hr.services.settings.admin_idle + 60)
    answer = officer.post("/console/people", data=form | {"q": NUMBER})
    assert answer.status_code == 303
    page = officer.get(answer.location, follow_redirects=True)
    data = hidden_fields(page.text) | {"username": hr.names["officer"], "password": PASSWORD}
    listed = officer.post(page.request.path, data=data, follow_redirects=True)
    assert listed.request.path == "/console/people"
    assert "Chưa có gì được ghi" not in text_of(listed.text)
