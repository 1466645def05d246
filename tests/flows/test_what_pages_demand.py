"""What each page demands of a sign-in, where two factors are asked of everybody.

Every address that people open is asked for by somebody signed in with her password alone: none shows
itself but those that say so, and none acts. A page that is added without a word here is shut.
"""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from idp.assurance import Because, Demand, two_factors
from idp.portal import pages as portal
from idp.sessions import SsoSession
from tests import hr_world
from tests.browser_client import hidden_fields, open_login, submit
from tests.hr_world import PASSWORD, Hr
from tests.someone import Someone

AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
OPEN = {
    "/login": "the sign-in itself",
    "/signed-out": "what remains after signing out",
    "/session/status": "whether a cookie is good",
    "/activate": "a slip",
    "/portal/sessions/ended": 'what remains after "not me"',
    "/portal/ways": "what there is to be done",
    "/portal/ways/app": "enrols by what was just proven",
    "/portal/ways/passkey": "the same",
    "/portal/ways/certificate": "the same, and is not there where none are taken",
    "/portal/ways/certificate/shown": "the same",
}
"""Addresses that answer her with 200, or act."""


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def weak(hr: Hr) -> Someone:
    """An administrator signed in with a password, when the rule was another."""
    admin = Someone(hr, "admin")
    admin.password()
    hr.services.settings.second_factor = "everybody"
    return admin


def pages(app: Flask) -> list[tuple[str, str]]:
    """(method, path) of every address of ours for people."""
    found = []
    for rule in app.url_map.iter_rules():
        blueprint = rule.endpoint.partition(".")[0]
        if blueprint not in ("portal", "console", "unwritten", "login"):
            continue
        values = dict.fromkeys(rule.arguments, "1")
        path = rule.rule
        for name in rule.arguments:
            converter = next(part for part in path.split("<")[1:] if name in part).partition(">")[0]
            path = path.replace(f"<{converter}>", values[name])
        found += [(method, path) for method in sorted((rule.methods or set()) & {"GET", "POST"})]
    return sorted(found)


def test_no_page_shows_itself_to_a_password_alone(weak: Someone, hr: Hr) -> None:
    tried = 0
    for method, path in pages(hr.app):
        if method != "GET" or path in OPEN or path.startswith(("/login/", "/activate/", "/lang/")):
            continue
        answer = weak.client.get(path)
        tried += 1
        assert answer.status_code == 303, (path, answer.status_code)
        wanted = answer.headers["Location"].replace("%3A", ":")
        assert f"least={AAL2}" in wanted, (path, wanted)
    assert tried > 30


def test_no_form_acts_for_a_password_alone(weak: Someone, hr: Hr) -> None:
    token = hidden_fields(weak.client.get("/portal/ways").text)
    before = hr.dump()
    tried = 0
    for method, path in pages(hr.app):
        # Signing out is for everybody; of what stands under /login and /activate nothing is hers.
        if method != "POST" or path in ("/logout", "/activate") or path.startswith("/login/"):
            continue
        if path.startswith(("/portal/ways", "/activate/")):
            continue
        answer = weak.client.post(path, data=token | {"password": PASSWORD, "session": "others"})
        tried += 1
        assert answer.status_code in (303, 404), (path, answer.status_code)
    assert tried > 20
    after = hr.dump()
    assert {n for n in before if before[n] != after[n]} <= {"sso_session"}  # she was here
    assert weak.session().acr == AAL1


def test_she_steps_up_and_comes_to_where_she_wanted(weak: Someone) -> None:
    page = weak.client.get("/console/people", follow_redirects=True)
    names = {"username": weak.hr.names["admin"], "password": PASSWORD}
    page = weak.client.get(submit(weak.client, page, **names).headers["Location"])
    end = weak.onward(weak.enrol(page))
    assert end.headers["Location"] == "/console/people"
    assert weak.client.get("/console/people").status_code == 200


# ---- every path that ends in a session, or in what rests on one --------------------------------


def test_another_capacity_carries_the_assurance_that_there_was(hr: Hr) -> None:
    hr.also("lan", "b")
    lan = Someone(hr, "lan")
    page = open_login(lan.client, "/portal/profile")
    fields = {"username": hr.names["lan"], "password": PASSWORD}
    page = lan.client.get(submit(lan.client, page, **fields).headers["Location"])
    submit(lan.client, page, assignment=str(hr.posts["lan"]))
    lan.client.get(page.request.path)
    assert lan.session().acr == AAL1
    with hr.services.db.read() as session:
        held = portal.capacities(session, lan.id, now=hr.clock())
    other = next(one.id for one in held if one.id != hr.posts["lan"])
    page = lan.client.get("/portal/capacity")
    submit(lan.client, page, assignment=str(other))
    assert lan.session().assignment_id == other
    assert lan.session().acr == AAL1  # switched, not raised
    hr.services.settings.second_factor = "everybody"
    assert "least=" in lan.client.get("/portal/capacity").headers["Location"]


def test_a_device_is_let_in_by_nobody_who_is_too_weak(weak: Someone, hr: Hr) -> None:
    for path in ("/device", "/device?user_code=ABCD-EFGH"):
        answer = weak.client.get(path)
        assert answer.status_code == 303
        assert "least=" in answer.headers["Location"]


def test_a_session_that_was_strong_passes_everywhere(weak: Someone, hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(update(SsoSession).values(acr=AAL2))
    for path in ("/", "/portal/profile", "/console/", "/portal/ways", "/device"):
        assert weak.client.get(path).status_code == 200, path


# ---- the rule itself ---------------------------------------------------------------------------

RULE = [
    # rule, administers, inside → why two are asked
    ("nobody", False, False, None),
    ("nobody", False, True, None),
    ("nobody", True, False, None),
    ("nobody", True, True, None),
    ("administrators", False, False, None),
    ("administrators", False, True, None),
    ("administrators", True, False, Because.ADMINISTERS),
    ("administrators", True, True, Because.ADMINISTERS),
    ("outside", False, False, Because.OUTSIDE),
    ("outside", False, True, None),
    ("outside", True, False, Because.ADMINISTERS),
    ("outside", True, True, Because.ADMINISTERS),
    ("everybody", False, False, Because.EVERYBODY),
    ("everybody", False, True, Because.EVERYBODY),
    ("everybody", True, False, Because.ADMINISTERS),
    ("everybody", True, True, Because.ADMINISTERS),
]


@pytest.mark.parametrize(("rule", "administers", "inside", "why"), RULE)
def test_of_whom_two_factors_are_asked(
    rule: str, administers: bool, inside: bool, why: Because | None
) -> None:
    assert two_factors(rule, administers=administers, inside=inside) is why
    raised = Demand().raised(why)
    assert raised.met_by(AAL1) is (why is None)
    assert raised.met_by(AAL2)
    assert raised.raised(why) == raised


# ---- positions ---------------------------------------------------------------------------------


def test_a_position_asks_of_whoever_acts_in_it(hr: Hr) -> None:
    """Of others, and of her in another post, it asks nothing; the page says that the position does."""
    hr.also("lan", "b")
    lan, mai = Someone(hr, "lan"), Someone(hr, "officer")
    page = lan.password()
    submit(lan.client, page, assignment=str(hr.posts["lan"]))
    lan.client.get(page.request.path)
    assert lan.client.get("/portal/profile").status_code == 200
    mai.password("/console/")
    hr.services.settings.position_acr = {"CV": AAL2}
    assert mai.client.get("/console/").status_code == 200
    asked = lan.client.get("/portal/profile")
    assert f"least={AAL2}" in asked.headers["Location"].replace("%3A", ":")
    page = lan.client.get("/portal/profile", follow_redirects=True)
    assert "Chức vụ Chuyên viên của bạn đòi hai cách xác thực." in page.text


def test_nobody_changes_to_a_position_that_asks_for_more(hr: Hr) -> None:
    """She proves it first; until then she acts as before."""
    from sqlalchemy import select

    from directory.assignments import Assignment, Position

    hr.also("lan", "b")
    with hr.services.db.write() as session:
        mine = Assignment.user_id == hr.people["lan"]
        other = session.scalars(
            select(Assignment).where(mine).order_by(Assignment.id.desc())
        ).first()
        assert other is not None
        other.position_id = session.scalar(select(Position.id).where(Position.code == "KT"))
        there = other.id
    lan = Someone(hr, "lan")
    page = lan.password()
    submit(lan.client, page, assignment=str(hr.posts["lan"]))
    lan.client.get(page.request.path)
    hr.services.settings.position_acr = {"KT": AAL2}
    page = lan.client.get("/portal/capacity")
    asked = submit(lan.client, page, assignment=str(there))
    assert f"least={AAL2}" in asked.headers["Location"].replace("%3A", ":")
    assert lan.session().assignment_id == hr.posts["lan"]
    with hr.services.db.write() as session:
        session.execute(update(SsoSession).values(acr=AAL2))
    page = lan.client.get("/portal/capacity")
    assert submit(lan.client, page, assignment=str(there)).headers["Location"] == "/"
    assert lan.session().assignment_id == there


def test_a_position_that_asks_for_what_she_cannot_reach_refuses_and_says_so(hr: Hr) -> None:
    """No circle of sign-ins."""
    lan = Someone(hr, "lan")
    lan.password()
    lan.client.get("/portal/profile")
    hr.services.settings.position_acr = {"CV": "urn:vn:aal:3"}
    refused = lan.client.get("/portal/profile")
    assert refused.status_code == 403
    assert "Chức vụ Chuyên viên của bạn đòi" in refused.text
    assert "Bạn chưa có cách xác thực nào đạt mức đó" in refused.text


def _sessions(hr: Hr) -> list[str]:
    from sqlalchemy import select

    with hr.services.db.read() as session:
        return list(session.scalars(select(SsoSession.acr).order_by(SsoSession.created_at)))


def test_a_sign_in_to_a_post_that_asks_for_more_ends_in_no_weaker_session(hr: Hr) -> None:
    hr.services.settings.position_acr = {"CV": AAL2}
    lan = Someone(hr, "lan")
    page = lan.password()
    assert "otpauth" in page.text
    assert "Chức vụ Chuyên viên của bạn đòi hai cách xác thực." in page.text
    assert _sessions(hr) == []
    lan.onward(lan.enrol(page))
    assert _sessions(hr) == [AAL2]
    hr.clock.advance(minutes=1)
    again = lan.again()
    page = again.password()
    assert "Chức vụ Chuyên viên của bạn đòi hai cách xác thực." in page.text
    assert _sessions(hr) == [AAL2]
    again.client.get(again.type(page, again.code()).headers["Location"])
    assert _sessions(hr) == [AAL2, AAL2]


def test_of_two_posts_the_one_that_is_chosen_asks(hr: Hr) -> None:
    """Before one is chosen neither does; the other one is entered as before."""
    from sqlalchemy import select

    from directory.assignments import Assignment, Position

    hr.also("lan", "b")
    with hr.services.db.write() as session:
        mine = Assignment.user_id == hr.people["lan"]
        other = session.scalars(
            select(Assignment).where(mine).order_by(Assignment.id.desc())
        ).first()
        assert other is not None
        other.position_id = session.scalar(select(Position.id).where(Position.code == "KT"))
        there = other.id
    hr.services.settings.position_acr = {"KT": AAL2}
    plain = Someone(hr, "lan")
    page = plain.password()
    submit(plain.client, page, assignment=str(hr.posts["lan"]))
    plain.client.get(page.request.path)
    assert _sessions(hr) == [AAL1]
    hr.clock.advance(seconds=1)  # of two sessions of one moment neither is the newer
    strict = Someone(hr, "lan")
    page = strict.password()
    submit(strict.client, page, assignment=str(there))
    page = strict.client.get(page.request.path)
    assert "Chức vụ Kế toán của bạn đòi hai cách xác thực." in page.text
    assert _sessions(hr) == [AAL1]
    strict.onward(strict.enrol(page))
    assert _sessions(hr) == [AAL1, AAL2]
    assert strict.session().assignment_id == there


def test_a_post_that_asks_for_what_nobody_reaches_lets_in_and_refuses(hr: Hr) -> None:
    """Told once, on a page that says what asks; not asked for the password for ever."""
    hr.services.settings.position_acr = {"CV": "urn:vn:aal:4"}
    lan = Someone(hr, "lan")
    answer = lan.password()
    if answer.status_code == 303:
        answer = lan.client.get(answer.headers["Location"])
    assert answer.status_code == 403
    assert "Chức vụ Chuyên viên của bạn đòi ba cách xác thực" in answer.text
    assert "Bạn chưa có cách xác thực nào đạt mức đó" in answer.text
