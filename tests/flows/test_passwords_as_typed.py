"""Passwords as people and their keyboards bring them, through the pages."""

import re
import unicodedata
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from directory.base.audit import Actor
from idp.factors import passwords, slips
from idp.factors.passwords import PasswordCredential
from tests import factories
from tests.browser_client import open_login, sign_in, submit

PASSWORD = "bếp lửa reo thanh hòa 36"
LONG = "ế" * 1366
"""4098 bytes."""


@pytest.fixture
def make_person(services: Any) -> Any:
    def make(*, must_change: bool = False, phc: str | None = None) -> Any:
        with services.db.write() as session:
            user = factories.make_user(session)
            factories.make_assignment(session, user, factories.make_unit(session))
            passwords.store(
                session,
                user.id,
                phc or passwords.hashed(factories.QUICK, PASSWORD),
                must_change=must_change,
                now=services.clock(),
                actor=Actor.system(),
            )
            return user

    return make


def _hash(services: Any, user_id: int) -> str:
    with services.db.read() as session:
        where = PasswordCredential.user_id == user_id
        return str(session.scalars(select(PasswordCredential.hash).where(where)).one())


@pytest.mark.both_databases
def test_who_chose_one_spelling_signs_in_with_the_other(
    client: FlaskClient, make_person: Any
) -> None:
    person = make_person()
    for spelling in ("bếp lửa reo thanh hoà 36", PASSWORD):
        for form in ("NFC", "NFD"):
            another = client.application.test_client()
            sign_in(another, person.username, unicodedata.normalize(form, spelling))
            assert another.get("/session/status").status_code == 200


@pytest.mark.both_databases
def test_a_hash_of_the_release_before_is_made_anew_at_the_sign_in(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(phc=services.passwords.hash(PASSWORD))  # NFC, the tone as it was typed
    other = "bếp lửa reo thanh hoà 36"
    page = open_login(client)
    assert submit(client, page, username=person.username, password=other).status_code == 422
    before = _hash(services, person.id)
    sign_in(client, person.username, PASSWORD)
    assert _hash(services, person.id) != before
    after = _hash(services, person.id)
    sign_in(client.application.test_client(), person.username, other)
    assert _hash(services, person.id) == after


def test_blanks_at_the_ends_belong_to_a_password(client: FlaskClient, make_person: Any) -> None:
    person = make_person()
    page = open_login(client)
    answer = submit(client, page, username=person.username, password=f" {PASSWORD} ")
    assert answer.status_code == 422


def test_a_too_long_one_is_told_at_the_sign_in_and_counts_for_nothing(
    client: FlaskClient, make_person: Any
) -> None:
    person = make_person()
    shown = set()
    for username in (person.username, "khongcoai"):
        for _ in range(8):
            answer = submit(client, open_login(client), username=username, password=LONG)
            assert answer.status_code == 422
            shown.add("4096 byte" in answer.text)
    assert shown == {True}
    sign_in(client, person.username, PASSWORD)


def test_a_too_long_new_one_is_told_and_not_cut(
    client: FlaskClient, make_person: Any, services: Any, keyring: Any
) -> None:
    person = make_person(must_change=True)
    page = submit(client, open_login(client), username=person.username, password=PASSWORD)
    page = client.get(page.headers["Location"])
    for given in (LONG, "a b c ế " * 1000):
        answer = submit(client, page, password=given, again=given)
        assert (answer.status_code, "4096 byte" in answer.text) == (422, True)
    most = " ".join(f"ghềnh {n} thác" for n in range(228))  # below the bound
    assert 3900 < len(most.encode()) < 4096
    assert submit(client, page, password=most, again=most).status_code == 303
    with services.db.write() as session:
        token = slips.issue(
            session,
            keyring,
            person.id,
            now=services.clock(),
            lifetime=3600,
            actor=Actor.system(),
        )
    slip = client.get(f"/activate/{token}")
    answer = submit(client, slip, password=LONG, again=LONG)
    assert (answer.status_code, "4096 byte" in answer.text) == (422, True)
    sign_in(client, person.username, most)
    profile = client.get("/portal/profile")
    for fields in ({"current": LONG, "password": most}, {"current": most, "password": LONG}):
        answer = submit(
            client, profile, "/portal/profile/password", **fields, again=fields["password"]
        )
        assert (answer.status_code, "4096 byte" in answer.text) == (422, True)


def test_no_field_of_a_password_cuts_or_helps_with_spelling(
    client: FlaskClient, make_person: Any, services: Any, keyring: Any
) -> None:
    person = make_person()
    pages = [open_login(client)]
    with services.db.write() as session:
        token = slips.issue(
            session, keyring, person.id, now=services.clock(), lifetime=3600, actor=Actor.system()
        )
    pages.append(client.get(f"/activate/{token}"))
    with services.db.write() as session:
        session.execute(update(PasswordCredential).values(must_change=True))
    pages.append(
        client.get(
            submit(client, pages[0], username=person.username, password=PASSWORD).headers[
                "Location"
            ]
        )
    )
    with services.db.write() as session:
        session.execute(update(PasswordCredential).values(must_change=False))
    sign_in(client, person.username, PASSWORD)
    pages.append(client.get("/portal/profile"))
    fields = [
        f for page in pages for f in re.findall(r"<input[^>]*type=\"password\"[^>]*>", page.text)
    ]
    assert len(fields) == 8
    for field in fields:
        assert "maxlength" not in field
        assert 'autocapitalize="none"' in field
        assert 'spellcheck="false"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
