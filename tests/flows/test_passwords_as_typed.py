"""Passwords as people and their keyboards bring them, through the pages."""

import re
import unicodedata
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from directory.base.audit import Actor
from directory.permissions import Role
from idp.factors import passwords, slips
from idp.factors.passwords import PasswordCredential
from idp.run import wiring
from tests import factories
from tests.browser_client import hidden_fields, open_login, sign_in, submit
from tests.command_line import Operator, operator
from tests.paper_slips import opened
from tests.telex_and_vni import telex

__all__ = ["operator"]

PASSWORD = "bếp lửa reo thanh hòa 36"
LONG = "ế" * 1366
"""4098 bytes."""


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marked = request.node.get_closest_marker("settings")
    return make_settings(**(marked.kwargs if marked else {}))


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
    client = client.application.test_client()
    with services.db.write() as session:
        token = slips.issue(
            session,
            keyring,
            person.id,
            now=services.clock(),
            lifetime=3600,
            actor=Actor.system(),
        )
    slip = opened(client, f"/activate/{token}")
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
    pages.append(opened(client, f"/activate/{token}"))
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


def _judged(client: FlaskClient, page: Any, where: str, password: str) -> Any:
    return client.post(
        where, data={"csrf_token": hidden_fields(page.text)["csrf_token"], "password": password}
    )


def _said(text: str) -> list[str]:
    """The sentences of a verdict on a page or a fragment."""
    found = re.search(
        r'<p class="judged.*?</p>(\s*<ul class="judged-reasons">.*?</ul>)?', text, re.DOTALL
    )
    return re.sub(r"<svg.*?</svg>|<[^>]+>", "\n", found[0]).split("\n") if found else []


@pytest.mark.both_databases
def test_what_is_said_while_typing_is_said_when_it_was_sent(
    client: FlaskClient, make_person: Any, services: Any, keyring: Any
) -> None:
    person = make_person(must_change=True)
    with services.db.write() as session:
        unit = factories.make_unit(session, "Văn phòng Tỉnh ủy Quỳ Hợp")
        factories.make_assignment(session, person, unit, kind="concurrent")
        token = slips.issue(
            session, keyring, person.id, now=services.clock(), lifetime=3600, actor=Actor.system()
        )
    first = submit(client, open_login(client), username=person.username, password=PASSWORD)
    where = first.headers["Location"]
    slip = opened(client, f"/activate/{token}")
    for page, judge in (
        (client.get(where), f"{where}/judged"),
        (slip, f"{slip.request.path}/judged"),
    ):
        assert f'data-judged="{judge}"' in page.text
        for weak in ("Thanhhoas@2025-2026", "van phong tinh uy quy hop", "matkhau123 matkhau456"):
            typed = _judged(client, page, judge, weak)
            assert typed.status_code == 200
            sent = submit(client, page, password=weak, again=weak)
            assert sent.status_code == 422
            assert _said(sent.text) == _said(typed.text)
            assert 'data-verdict="weak"' in typed.text
            assert weak not in sent.text + typed.text
        assert "tên đơn vị của bạn" in _judged(client, page, judge, "quy hop 1").text
        assert "Ký tự 1–9 là địa danh" in _judged(client, page, judge, "Thanhhoas@2025-2026").text
        strong = _judged(client, page, judge, "gạch bông rêu phơi thóc mới")
        assert 'data-verdict="strong"' in strong.text
        assert 'data-verdict="short"' in _judged(client, page, judge, "rêu 7").text
        assert "4096 byte" in _judged(client, page, judge, LONG).text


def test_a_signed_in_person_hears_it_in_her_language(client: FlaskClient, make_person: Any) -> None:
    person = make_person()
    sign_in(client, person.username, PASSWORD)
    client.set_cookie("lang", "en")
    page = client.get("/portal/profile")
    assert 'data-judged="/portal/profile/judged"' in page.text
    said = _judged(client, page, "/portal/profile/judged", "Thanhhoa@2025-2026").text
    assert "Characters 1–8 are the name of a place" in said
    assert "<html" not in said


def test_nobody_is_told_without_a_live_page_and_its_token(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(must_change=True)
    page = open_login(client)
    other = client.application.test_client()
    assert (
        _judged(client, page, page.request.path + "/judged", "x").status_code == 404
    )  # not that step
    where = submit(client, page, username=person.username, password=PASSWORD).headers["Location"]
    page = client.get(where)
    assert client.post(f"{where}/judged", data={"password": "x"}).status_code == 400
    assert _judged(other, open_login(other), f"{where}/judged", "x").status_code == 404
    assert _judged(other, open_login(other), "/activate/at/khongco/judged", "x").status_code == 404
    assert _judged(other, open_login(other), "/portal/profile/judged", "x").status_code == 303
    assert _judged(client, page, f"{where}/judged", "x").status_code == 200
    services.clock.advance(seconds=services.settings.flow_lifetime)
    assert _judged(client, page, f"{where}/judged", "x").status_code == 404


def test_typing_is_judged_so_often_and_no_more(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person()
    sign_in(client, person.username, PASSWORD)
    page = client.get("/portal/profile")
    told = [
        _judged(client, page, "/portal/profile/judged", "rêu 7").status_code for _ in range(242)
    ]
    assert told == [200] * 240 + [429] * 2
    services.clock.advance(minutes=10, seconds=1)
    assert _judged(client, page, "/portal/profile/judged", "rêu 7").status_code in (200, 303)


def test_nothing_of_what_is_typed_is_kept_or_logged(
    client: FlaskClient, make_person: Any, services: Any, caplog: pytest.LogCaptureFixture
) -> None:
    person = make_person()
    sign_in(client, person.username, PASSWORD)
    page = client.get("/portal/profile")
    marked = "dauhieubimat"
    with caplog.at_level("DEBUG"):
        _judged(client, page, "/portal/profile/judged", f"{marked} 2025")
    assert marked not in caplog.text
    with services.db.read() as session:
        for table in wiring.metadata().sorted_tables:
            assert marked not in str(session.execute(select(table)).all())


NETWORKS = ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("administers", "least"),
    [
        pytest.param(administers, least, marks=pytest.mark.settings(**settings))
        for settings, administers, least in (
            ({"second_factor": "nobody"}, True, 14),
            ({"second_factor": "everybody", "inside_networks": NETWORKS}, False, 8),
            ({"second_factor": "administrators"}, False, 14),
            ({"second_factor": "administrators"}, True, 8),
            ({"second_factor": "outside", "inside_networks": NETWORKS}, False, 14),
            ({"second_factor": "outside", "inside_networks": NETWORKS}, True, 8),
            ({"second_factor": "outside"}, False, 8),  # nobody is inside
        )
    ],
)
def test_it_may_be_shorter_where_a_second_factor_is_asked_for_everywhere(
    services: Any, administers: bool, least: int
) -> None:
    with services.db.write() as session:
        user = factories.make_user(session)
        if administers:
            factories.make_role(session, user, Role.AUDITOR)
        asked = passwords.choosing(session, user, settings=services.settings, now=services.clock())
    assert asked.by.least == least


HINTS = {"vi": "bộ gõ tiếng Việt đang bật?", "en": "is a Vietnamese input method on?"}


@pytest.mark.parametrize("language", HINTS)
def test_marks_in_what_failed_bring_one_hint_for_everybody(
    client: FlaskClient, make_person: Any, language: str
) -> None:
    person = make_person()
    tried = (
        *((person.username, "stảt123", True), ("khongcoai", "stảt123", True)),
        *((person.username, "start123", False), ("khongcoai", "start123", False)),
        *(
            (telex.field("hoasnt"), "start123", True),
            (person.username, unicodedata.normalize("NFD", "bế"), True),
        ),
        *((person.username, PASSWORD + "x", True), ("khongcoai", PASSWORD, True)),
    )
    for username, password, hinted in tried:
        another = client.application.test_client()
        another.set_cookie("lang", language)
        answer = submit(another, open_login(another), username=username, password=password)
        assert answer.status_code == 422
        assert (HINTS[language] in answer.text) is hinted, (username, password)


def test_the_present_password_asked_again_brings_it_too(
    client: FlaskClient, make_person: Any
) -> None:
    person = make_person()
    sign_in(client, person.username, PASSWORD)
    profile = client.get("/portal/profile")
    for current, hinted in (("stảt", True), ("start", False)):
        answer = submit(
            client, profile, "/portal/profile/password", current=current, password="x", again="x"
        )
        assert (answer.status_code, HINTS["vi"] in answer.text) == (422, hinted)


# ---- an administrator's password grows old -------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.settings(admin_password_days=60)
def test_an_administrators_password_is_replaced_after_sixty_days_and_nobody_elses(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    ordinary, administrator, later = make_person(), make_person(), make_person()
    with services.db.write() as session:
        factories.make_role(session, administrator, Role.AUDITOR)
        factories.make_role(
            session, later, Role.AUDITOR, valid_from=date(2026, 6, 1)
        )  # not yet in force
    services.clock.advance(days=59, hours=23)
    sign_in(client.application.test_client(), administrator.username, PASSWORD)
    services.clock.advance(hours=1)
    for person in (ordinary, later):
        sign_in(client.application.test_client(), person.username, PASSWORD)
    page = submit(client, open_login(client), username=administrator.username, password=PASSWORD)
    page = client.get(page.headers["Location"])
    assert "phải đổi sau 60 ngày" in page.text
    assert client.get("/session/status").status_code == 401
    same = submit(client, page, password=PASSWORD, again=PASSWORD)
    assert same.status_code == 422
    new = "gạch bông rêu phơi thóc mới"
    assert submit(client, page, password=new, again=new).status_code == 303
    sign_in(client.application.test_client(), administrator.username, new)


@pytest.mark.settings(admin_password_days=60)
def test_a_new_hash_of_the_same_password_makes_it_no_younger(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(phc=services.passwords.hash(PASSWORD))  # of the form before
    with services.db.write() as session:
        factories.make_role(session, person, Role.AUDITOR)
    services.clock.advance(days=40)
    before = _hash(services, person.id)
    sign_in(client, person.username, PASSWORD)
    assert _hash(services, person.id) != before
    services.clock.advance(days=20)
    another = client.application.test_client()
    answer = submit(another, open_login(another), username=person.username, password=PASSWORD)
    assert "60 ngày" in another.get(answer.headers["Location"]).text


@pytest.mark.parametrize(
    ("days", "weaker"),
    [
        pytest.param(days, days != 60, marks=pytest.mark.settings(admin_password_days=days))
        for days in (0, 60, 90)
    ],
)
def test_check_says_where_they_may_grow_older(operator: Operator, days: int, weaker: bool) -> None:
    told = operator("check", admin_password_days=str(days)).out
    assert (f"admin_password_days = {days}" in told) is weaker
