"""Whoever is vouched for elsewhere has a second factor: a stolen password is no way down from it, and
whoever has none is never led before an upstream where she has no account.
"""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from directory.base.audit import Actor
from directory.people import User
from idp.factors import enrolled
from idp.factors.enrolled import EnrolledFactor
from idp.login.flow_rows import LoginFlow
from idp.sessions import SsoSession
from tests.authenticator import LINK, Authenticator
from tests.browser_client import following, hidden_fields, open_login, shown, submit
from tests.eid_world import OPERATOR, PASSWORD, EidWorld, build
from tests.relying_party import Flow
from tests.someone import INSIDE, OUTSIDE
from tests.upstream import Upstream, without

AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
WAYS = "/portal/ways"
ENROLS = "Thêm cách xác thực thứ hai"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", inside_networks=["10.0.0.0/8"])


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask) -> EidWorld:
    return build(services, clock, app)


def at(eid: EidWorld, network: dict[str, str]) -> FlaskClient:
    browser = eid.browser()
    browser.environ_base |= network
    return browser


def linked(eid: EidWorld) -> None:
    """She has been vouched for, and is signed in nowhere."""
    eid.link(at(eid, OUTSIDE))
    for one in eid.world.all(SsoSession):
        eid.world.change(SsoSession, one.id, ended_at=eid.world.clock())


def password(eid: EidWorld, browser: FlaskClient, where: str = "/portal/profile") -> Any:
    """Name and password where a page asks; the page that follows."""
    page = open_login(browser, where) if where.startswith("/") else browser.get(where[4:])
    name = eid.world.one(User, eid.user_id).username
    answer = submit(browser, page, username=str(name), password=PASSWORD)
    assert answer.status_code == 303, answer.text
    return following(browser, answer)


def there_and_back(eid: EidWorld, browser: FlaskClient, page: Any, name: str = "vneid") -> Any:
    """Press the upstream's button in this sign-in, and come back; the page or the end that follows."""
    upstream = next((one for one in eid.others if name in one.issuer), eid.at)
    leave = eid.press(browser, page.request.path, name)
    back = eid.back(browser, upstream.authorize(leave.headers["Location"]), name)
    assert back.status_code == 303, back.text
    return following(browser, back)


def acr(eid: EidWorld) -> str | None:
    found = eid.session_of()
    return found.acr if found else None


def nothing_is_enrolled(eid: EidWorld) -> None:
    assert eid.world.all(EnrolledFactor) == []


# ---- a stolen password is no way down ------------------------------------------------------------


@pytest.mark.both_databases
def test_a_password_of_somebody_linked_enrols_nothing_in_a_sign_in(eid: EidWorld) -> None:
    linked(eid)
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    assert 'name="step" value="eid-vneid"' in page.text
    assert not LINK.search(page.text)
    answer = submit(browser, page, f"{page.request.path}/enrol", code="123456")
    assert "/login/" in answer.headers["Location"]
    nothing_is_enrolled(eid)
    done = there_and_back(eid, browser, page)
    assert done.headers["Location"] == "/portal/profile"
    assert acr(eid) == AAL2


@pytest.mark.both_databases
def test_a_password_session_of_somebody_linked_enrols_nothing(eid: EidWorld, clock: Any) -> None:
    """Inside, where her password is enough to get in."""
    linked(eid)
    browser = at(eid, INSIDE)
    password(eid, browser)
    assert acr(eid) == AAL1
    for page in ("app", "passkey"):
        answer = browser.get(f"{WAYS}/{page}")
        assert AAL2 in answer.headers["Location"].replace("%3A", ":"), page
        form = hidden_fields(browser.get(WAYS).text) | {"code": "123456", "credential": "{}"}
        assert "/login?" in browser.post(f"{WAYS}/{page}", data=form).headers["Location"]
    nothing_is_enrolled(eid)
    # What she has is asked for, and with it she goes on.
    page = browser.get(f"{WAYS}/app", follow_redirects=True)
    page = password(eid, browser, f"GET {page.request.path}")
    offered = browser.get(there_and_back(eid, browser, page).headers["Location"])
    code = Authenticator.scan(offered.text).code(clock())
    assert submit(browser, offered, f"{WAYS}/app", code=code).status_code in (200, 303)
    assert {one.kind for one in eid.world.all(EnrolledFactor)} == {"totp", "recovery_code"}


def test_a_session_of_inside_that_is_carried_outside_is_asked_for_the_upstream(
    eid: EidWorld,
) -> None:
    linked(eid)
    browser = at(eid, INSIDE)
    password(eid, browser)
    browser.environ_base |= OUTSIDE
    page = browser.get("/portal/profile", follow_redirects=True)
    page = password(eid, browser, f"GET {page.request.path}")
    assert 'name="step" value="eid-vneid"' in page.text
    assert there_and_back(eid, browser, page).headers["Location"] == "/portal/profile"


def test_whoever_is_linked_may_do_without_her_last_app(eid: EidWorld, clock: Any) -> None:
    linked(eid)
    factor = enrol(eid)
    browser = at(eid, OUTSIDE)
    browser.get(eid.visit(browser).headers["Location"])
    form = hidden_fields(browser.get(WAYS).text)
    assert browser.post(f"{WAYS}/{factor}/remove", data=form).headers["Location"] == WAYS
    assert [one.ended_as for one in eid.world.all(EnrolledFactor)] == ["removed"]


def enrol(eid: EidWorld) -> int:
    with eid.world.services.db.write() as session:
        found = enrolled.enrol(
            session,
            eid.user_id,
            kind="totp",
            name="Máy",
            origin="một",
            now=eid.world.clock(),
            actor=OPERATOR,
        )
    assert found is not None
    return found


def report_loss(eid: EidWorld) -> None:
    factor = enrol(eid)
    with eid.world.services.db.write() as session:
        enrolled.end(
            session,
            [eid.user_id],
            why="lost",
            only=factor,
            now=eid.world.clock(),
            actor=Actor("user", eid.user_id),
        )


@pytest.mark.both_databases
@pytest.mark.parametrize("how", ["disabled", "other number", "too weak"])
def test_a_link_that_can_vouch_for_nothing_is_none(eid: EidWorld, how: str) -> None:
    """Nothing of hers is left to ask for then, so that she begins anew in place."""
    if how == "too weak":
        weak = Upstream(eid.world.clock, issuer="https://bo.example")
        eid.add(weak, "bo", acr={}, ceiling=AAL2)  # a ceiling that nothing reaches
        eid.disable("vneid")
        browser = at(eid, INSIDE)
        eid.world.clock.advance(seconds=6)
        eid.confirm(browser, eid.visit(browser, "bo", weak))
        assert len(eid.links()) == 1
    else:
        linked(eid)
        if how == "disabled":
            eid.disable()
            eid.world.clock.advance(seconds=6)
        else:
            eid.world.change(User, eid.user_id, citizen_hash="khác")
    page = password(eid, at(eid, OUTSIDE))
    assert LINK.search(page.text)


# ---- nobody is led before an upstream where she has no account -----------------------------------


@pytest.mark.both_databases
def test_who_has_none_enrols_or_is_vouched_for(eid: EidWorld, clock: Any) -> None:
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    app = Authenticator.scan(page.text)
    assert "way=eid-vneid" in page.text
    # Looking at the other way, and coming back, changes nothing.
    other = browser.get(f"{page.request.path}?way=eid-vneid")
    assert 'name="step" value="eid-vneid"' in other.text
    assert ENROLS in other.text
    assert Authenticator.scan(browser.get(page.request.path).text) == app
    sheet = shown(
        browser, submit(browser, page, f"{page.request.path}/enrol", code=app.code(clock()))
    )
    assert "mã dự phòng" in sheet.text
    assert browser.get(page.request.path).headers["Location"] == "/portal/profile"
    assert acr(eid) == AAL2
    assert eid.links() == []


@pytest.mark.both_databases
def test_instead_of_enrolling_she_links_what_she_is_shown(eid: EidWorld) -> None:
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    asked = there_and_back(eid, browser, page)
    assert "Đúng là tôi" in asked.text
    assert eid.links() == []
    done = submit(browser, asked, asked.request.path)
    assert done.headers["Location"] == "/portal/profile"
    assert acr(eid) == AAL2
    assert [link.user_id for link in eid.links()] == [eid.user_id]
    assert eid.at.asked["acr_values"] == "loa:2"  # what is asked here is asked there
    nothing_is_enrolled(eid)


def test_a_refusal_there_leads_back_to_enrolling(eid: EidWorld) -> None:
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    eid.at.level = 1
    leave = eid.press(browser, page.request.path)
    back = eid.back(browser, eid.at.authorize(leave.headers["Location"]))
    assert back.status_code == 422
    assert LINK.search(back.text)
    assert "mức độ 2" in back.text
    assert acr(eid) is None


def test_somebody_elses_identity_there_is_refused(eid: EidWorld) -> None:
    """Whoever has stolen her password brings his own."""
    eid.person()
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    eid.at.number, eid.at.full_name, eid.at.birth_date = (
        "038190009999",
        "Trần Văn Ba",
        "1985-01-02",
    )
    leave = eid.press(browser, page.request.path)
    back = eid.back(browser, eid.at.authorize(leave.headers["Location"]))
    assert back.status_code == 422
    assert eid.trail("eid.refuse")[-1].data["why"] == "other_person"
    assert eid.links() == []


def test_who_has_lost_hers_is_not_kept_before_an_upstream(eid: EidWorld) -> None:
    """She gets the session of her password, which can enrol nothing, and her pages say what to do."""
    report_loss(eid)
    browser = at(eid, OUTSIDE)
    assert password(eid, browser).headers["Location"] == "/portal/profile"
    assert acr(eid) == AAL1
    assert browser.get("/portal/profile").status_code == 403
    assert browser.get(WAYS).status_code == 200


def test_who_has_lost_hers_goes_on_where_she_is_linked(eid: EidWorld) -> None:
    linked(eid)
    report_loss(eid)
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    assert not LINK.search(page.text)
    assert there_and_back(eid, browser, page).headers["Location"] == "/portal/profile"
    assert browser.get(f"{WAYS}/app").status_code == 200  # as strongly as before


def test_a_mere_wish_leads_nobody_to_an_upstream_that_she_has_never_used(eid: EidWorld) -> None:
    browser = at(eid, INSIDE)
    flow = Flow(browser, eid.world.register())
    page = browser.get(flow.ask(acr_values=AAL2).headers["Location"])
    name = str(eid.world.one(User, eid.user_id).username)
    assert "code" in flow.told(submit(browser, page, username=name, password=PASSWORD))
    assert acr(eid) == AAL1


# ---- upstreams that vouch for less, or do not say when they asked ---------------------------------


def test_who_is_vouched_for_too_faintly_has_proven_all_that_she_has(
    eid: EidWorld, clock: Any
) -> None:
    linked(eid)
    eid.at.twist["claims"] = without("acr")  # today nothing is said of how she signed in there
    browser = at(eid, OUTSIDE)
    page = password(eid, browser)
    after = there_and_back(eid, browser, page)
    app = Authenticator.scan(after.text)
    submit(browser, after, f"{after.request.path}/enrol", code=app.code(clock()))
    assert browser.get(after.request.path).headers["Location"] == "/portal/profile"
    assert acr(eid) == AAL2


def test_inside_she_enrols_where_a_page_would_only_ask_again(eid: EidWorld, clock: Any) -> None:
    linked(eid)
    eid.at.twist["claims"] = without("acr")
    browser = at(eid, INSIDE)
    password(eid, browser)
    page = browser.get(f"{WAYS}/app", follow_redirects=True)
    page = password(eid, browser, f"GET {page.request.path}")
    after = there_and_back(eid, browser, page)
    app = Authenticator.scan(after.text)
    submit(browser, after, f"{after.request.path}/enrol", code=app.code(clock()))
    assert browser.get(after.request.path).headers["Location"] == f"{WAYS}/app"


@pytest.fixture
def silent(services: Any, clock: Any, app: Flask) -> EidWorld:
    """The only upstream vouches for two factors and never says when it asked."""
    found = build(services, clock, app, "vneid2026")
    linked(found)
    assert {one.acr for one in found.world.all(SsoSession)} == {AAL2}
    return found


def test_an_upstream_that_says_nothing_stands_beside_a_password_of_a_moment_ago(
    silent: EidWorld,
) -> None:
    """It was asked of her here and now; upstream adds to that. By itself it touches nothing."""
    alone = at(silent, OUTSIDE)
    assert silent.visit(alone).headers["Location"] == "/portal/profile"
    assert alone.get(f"{WAYS}/app").status_code == 303
    browser = at(silent, OUTSIDE)
    password(silent, browser, WAYS)
    page = browser.get(f"{WAYS}/app", follow_redirects=True)
    page = password(silent, browser, f"GET {page.request.path}")
    done = there_and_back(silent, browser, page)
    assert done.headers["Location"] == f"{WAYS}/app"
    assert browser.get(f"{WAYS}/app").status_code == 200
    living = [(one.acr, one.amr) for one in silent.world.all(SsoSession) if not one.ended_at]
    assert (AAL2, ["pwd", "eid"]) in living


def test_whoever_may_not_have_been_asked_enrols_nothing(
    services: Any, clock: Any, app: Flask
) -> None:
    """The next person at the PC, whose browser upstream lets through as the last one."""
    eid = build(services, clock, app)
    faint = Upstream(clock, "vneid2026", issuer="https://cong.example")
    eid.add(faint, "cong", assume=AAL1)
    browser = at(eid, OUTSIDE)
    done = eid.confirm(browser, eid.visit(browser, "cong", faint))
    after = browser.get(done.headers["Location"])
    assert not LINK.search(after.text)
    [flow] = eid.world.all(LoginFlow)
    code = {"code": "123456"}
    form = hidden_fields(browser.get(WAYS).text) | code
    assert browser.post(f"/login/{flow.id}/enrol", data=form).status_code == 303
    nothing_is_enrolled(eid)
