"""Somebody else's electronic identity, number, browser, code or upstream: nobody becomes anybody by it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connectors.eid import reviews
from connectors.eid.reviews import Decision, EidReview
from directory import eid_links, people
from directory.base.audit import Actor
from directory.base.errors import Conflict, NotAllowed
from directory.changes import spec as specs
from directory.changes.model import Change
from directory.people import User, citizen_columns
from idp.factors import enrolled
from idp.login.flow_rows import LoginFlow
from tests.bent import bent
from tests.browser_client import hidden_fields, submit
from tests.eid_world import OPERATOR, OTHER_NUMBER, PASSWORD, EidWorld, build
from tests.factories import make_user
from tests.relying_party import Flow
from tests.upstream import Upstream, without

NOBODYS = "038190005555"


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask, request: pytest.FixtureRequest) -> EidWorld:
    return build(services, clock, app, getattr(request, "param", "standard"))


def is_refused(eid: EidWorld, answer: Any, why: str, *, links: int = 0) -> None:
    assert answer.status_code == 422, (answer.status_code, answer.text[:200])
    assert eid.trail("eid.refuse")[-1].data["why"] == why
    assert len(eid.links()) == links
    eid.no_number_anywhere()


# ---- another person, another number, another subject ---------------------------------------------


def test_another_persons_identity_in_ones_own_sign_in(eid: EidWorld) -> None:
    """She has given her password; whose identity comes next is a colleague's."""
    eid.person()
    browser = eid.browser()
    page = browser.get("/login?return_to=/portal&least=urn:vn:aal:2", follow_redirects=True)
    name = str(eid.world.one(User, eid.user_id).username)
    submit(browser, page, username=name, password=PASSWORD)
    eid.at.number, eid.at.full_name, eid.at.birth_date = OTHER_NUMBER, "Trần Văn Ba", "1985-01-02"
    over = eid.press(browser, page.request.path)
    answer = eid.back(browser, eid.at.authorize(over.headers["Location"]))
    is_refused(eid, answer, "other_person")
    assert eid.session_of() is None


def test_a_number_that_nobody_has(eid: EidWorld) -> None:
    eid.at.number = NOBODYS
    is_refused(eid, eid.visit(eid.browser()), "unknown_person")


def test_a_person_of_whom_no_number_is_known(eid: EidWorld) -> None:
    nothing = citizen_columns(eid.world.services.keyring, None)
    eid.world.change(User, eid.user_id, **nothing)
    is_refused(eid, eid.visit(eid.browser()), "unknown_person")


@pytest.mark.parametrize("column", ["suspended", "left"])
def test_a_person_who_may_not_sign_in_is_not_linked(eid: EidWorld, column: str) -> None:
    eid.world.change(User, eid.user_id, status=column)
    is_refused(eid, eid.visit(eid.browser()), "inactive")


@pytest.mark.parametrize("number", [OTHER_NUMBER, NOBODYS], ids=["a colleague's", "nobody's"])
def test_a_linked_subject_that_comes_with_another_number(eid: EidWorld, number: str) -> None:
    """A recycled subject, or a number that upstream has changed."""
    other = eid.person()
    eid.link()
    eid.at.number, eid.at.full_name, eid.at.birth_date = number, "Trần Văn Ba", "1985-01-02"
    is_refused(eid, eid.visit(eid.browser()), "other_number", links=1)
    assert eid.session_of(other) is None


def test_another_subject_with_a_linked_persons_number(eid: EidWorld) -> None:
    eid.link()
    eid.at.subject = "chủ-thể-2"
    is_refused(eid, eid.visit(eid.browser()), "other_subject", links=1)


@pytest.mark.both_databases
def test_another_number_undoes_the_link_and_cuts_what_rests_on_it(eid: EidWorld) -> None:
    """An officer who enters a friend's number needs a second one, and cuts who had been linked."""
    browser = eid.browser()
    eid.link(browser)
    assert browser.get("/portal/profile").status_code == 200
    with eid.world.services.db.write() as session:
        # What the kind ``number`` does; the kind itself: tests/flows/test_citizen_numbers.py.
        people.cut(session, eid.user_id)
        eid_links.end(
            session, [eid.user_id], why="change:x", now=eid.world.clock(), actor=Actor.system()
        )
        user = session.get_one(User, eid.user_id)
        for name, value in citizen_columns(eid.world.services.keyring, NOBODYS).items():
            setattr(user, name, value)
    assert browser.get("/portal/profile").status_code == 303
    assert eid.world.one(User, eid.user_id).eid_level is None
    is_refused(eid, eid.visit(eid.browser()), "unknown_person")
    [gone] = eid.trail("eid.unlink")
    assert gone.data["why"] == "change:x"


def test_a_link_is_good_only_for_the_number_it_was_made_for(eid: EidWorld) -> None:
    """However the number was changed: what stands in the link is compared at each use."""
    eid.link()
    eid.world.change(User, eid.user_id, **citizen_columns(eid.world.services.keyring, NOBODYS))
    eid.at.number = NOBODYS
    is_refused(eid, eid.visit(eid.browser()), "other_number", links=1)


# ---- browsers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("eid", ["standard", "vneid2026"], indirect=True)
def test_another_browser_is_refused_and_nothing_is_used_up(eid: EidWorld) -> None:
    """On a phone VNeID may return into another browser; or somebody sends her his own link."""
    browser, other = eid.browser(), eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    answer = eid.back(other, query)
    assert answer.status_code == 404
    assert "Đăng nhập tại đây" in answer.text
    assert "token" not in eid.at.calls
    assert eid.back(browser, query).status_code == 303  # where it began it goes on


def test_the_answer_to_one_browser_in_anothers_own_visit(eid: EidWorld) -> None:
    """Both have left; each has a cookie, and neither takes the other's state."""
    victim, attacker = eid.browser(), eid.browser()
    eid.leave(victim)
    query = eid.at.authorize(eid.leave(attacker))
    assert eid.back(victim, query).status_code == 404
    eid.nothing_is_left()


@pytest.mark.parametrize(
    ("eid", "why"), [("standard", "code_refused"), ("dvcqg", "untrusted")], indirect=["eid"]
)
def test_the_code_of_another_visit_in_ones_own(eid: EidWorld, why: str) -> None:
    """PKCE at the one, the nonce at the other."""
    victim, attacker = eid.browser(), eid.browser()
    theirs = eid.at.authorize(eid.leave(victim))
    code = theirs.split("code=")[1].split("&")[0]
    own = eid.at.authorize(eid.leave(attacker), code=code)
    eid.refused(eid.back(attacker, own), why)


def test_a_code_that_was_brought_before_in_another_visit(
    services: Any, clock: Any, app: Flask
) -> None:
    """``vneid2026`` knows neither nonce nor PKCE: its codes are remembered, on all nodes."""
    eid = build(services, clock, app, "vneid2026")
    victim, attacker = eid.browser(), eid.browser()
    theirs = eid.at.authorize(eid.leave(victim))
    assert eid.back(victim, theirs).status_code == 303
    code, key = (part.partition("=")[2] for part in theirs.split("&")[:2])
    own = eid.at.authorize(eid.leave(attacker), code=code, encrypt_key=key)
    eid.refused(eid.back(attacker, own), "replayed")


@pytest.mark.both_databases
def test_the_same_answer_twice(eid: EidWorld) -> None:
    """The cookie put back, as whoever copied the browser's files could."""
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    cookie = browser.get_cookie("dinhdanh-away", domain="localhost")
    assert cookie is not None
    assert eid.back(browser, query).status_code == 303
    assert eid.back(browser, query).status_code == 404
    browser.set_cookie("dinhdanh-away", cookie.value, domain="localhost")
    eid.refused(eid.back(browser, query), "replayed")


def test_what_was_shown_in_one_sign_in_is_confirmed_in_no_other(eid: EidWorld) -> None:
    """A kept proof: its form, and its cookie, in the sign-in of somebody else."""
    browser, other = eid.browser(), eid.browser()
    shown = browser.get(eid.visit(browser).headers["Location"])
    kept = hidden_fields(shown.text)["kept"]
    page = other.get("/login?return_to=/portal", follow_redirects=True)
    mine = other.get(f"{page.request.path}?way=eid-vneid")
    form = hidden_fields(mine.text) | {"kept": kept, "step": "eid-vneid"}
    answer = other.post(page.request.path, data=form)
    assert answer.headers["Location"].startswith(eid.at.issuer)  # to upstream, as if nothing were
    cookie = browser.get_cookie("dinhdanh-further", domain="localhost")
    assert cookie is not None
    other.set_cookie("dinhdanh-further", cookie.value, domain="localhost")
    assert "Đúng là tôi" not in other.get(f"{page.request.path}?way=eid-vneid").text
    eid.nothing_is_left()


FORGED = {
    "cut": lambda whole: whole[:-5],
    "changed at its end": lambda whole: bent(whole, -4),
    "changed in the middle": lambda whole: bent(whole, 30),
    "of no seal": lambda _: "e30",
    "of other letters": lambda _: "%C3%A9.%00.",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_cookie_of_a_visit_that_was_changed_is_none(eid: EidWorld, forge: Any) -> None:
    """Neither that of whoever is away, nor that of what is left to confirm; nothing is used up by it."""
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    away = cookie_of(browser, "dinhdanh-away")
    browser.set_cookie("dinhdanh-away", forge(away), domain="localhost")
    assert eid.back(browser, query).status_code == 404
    assert "token" not in eid.at.calls
    browser.set_cookie("dinhdanh-away", away, domain="localhost")
    shown_at = eid.back(browser, query).headers["Location"]
    further = cookie_of(browser, "dinhdanh-further")
    browser.set_cookie("dinhdanh-further", forge(further), domain="localhost")
    page = browser.get(shown_at)
    assert page.status_code == 200
    assert "Đúng là tôi" not in page.text
    browser.set_cookie("dinhdanh-further", further, domain="localhost")
    page = browser.get(shown_at)
    form = hidden_fields(page.text)
    for kept in (forge(form["kept"]), away, further):  # nor is a seal good for anything else
        answer = browser.post(page.request.path, data=form | {"kept": kept})
        assert answer.headers["Location"].startswith(eid.at.issuer), kept  # as if nothing were
    eid.nothing_is_left()
    # What went astray was begun anew: she goes on where she was.
    again = browser.get(shown_at)
    assert submit(browser, again, again.request.path).status_code == 303
    assert len(eid.links()) == 1


def cookie_of(browser: FlaskClient, name: str) -> str:
    found = browser.get_cookie(name, domain="localhost")
    assert found is not None
    return found.value


# ---- upstreams ---------------------------------------------------------------------------------


def second(eid: EidWorld, **about: Any) -> Upstream:
    at = Upstream(eid.world.clock, issuer="https://bo.example", **about)
    eid.add(at, "bo")
    return at


def test_the_answer_of_one_upstream_at_the_address_of_another(eid: EidWorld) -> None:
    second(eid)
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    assert eid.back(browser, query, "bo").status_code == 404
    eid.nothing_is_left()


def test_an_upstream_that_speaks_in_anothers_name(eid: EidWorld) -> None:
    """The mix-up of RFC 9207, and an ID token of the other issuer."""
    at = second(eid)
    browser = eid.browser()
    query = at.authorize(eid.leave(browser, "bo"), iss=eid.at.issuer)
    eid.refused(eid.back(browser, query, "bo"), "untrusted")
    at.twist["claims"] = lambda claims: claims | {"iss": eid.at.issuer}
    browser = eid.browser()
    eid.refused(eid.visit(browser, "bo", at), "untrusted")


def test_the_link_of_one_upstream_is_none_at_another(eid: EidWorld) -> None:
    """The same subject and number: it is shown and asked again."""
    eid.link()
    at = second(eid)
    browser = eid.browser()
    answer = eid.visit(browser, "bo", at)
    assert "Đúng là tôi" in browser.get(answer.headers["Location"]).text
    assert len(eid.links()) == 1
    assert eid.confirm(browser, answer).status_code == 303
    assert {link.upstream for link in eid.links()} == {"vneid", "bo"}


def test_two_profiles_do_not_read_each_others_answers(
    services: Any, clock: Any, app: Flask
) -> None:
    eid = build(services, clock, app, "vneid2026")
    eid.at.profile = "dvcqg"  # it has been replaced by something else
    browser = eid.browser()
    eid.refused(eid.back(browser, eid.at.authorize(eid.leave(browser))), "undecryptable")


def test_a_level_that_has_sunk_since(eid: EidWorld) -> None:
    eid.link()
    eid.at.level = 1
    browser = eid.browser()
    is_refused(eid, eid.visit(browser), "level", links=1)


@pytest.mark.parametrize("when", ["before", "away", "shown"])
def test_a_disabled_upstream_vouches_for_nobody_from_that_moment(eid: EidWorld, when: str) -> None:
    browser = eid.browser()
    page = browser.get("/login?return_to=/portal/profile", follow_redirects=True)
    shown = browser.get(f"{page.request.path}?way=eid-vneid")
    if when == "before":
        eid.disable()
        answer = submit(browser, shown, page.request.path, step="eid-vneid")
        eid.refused(answer, "disabled")
        return
    query = eid.at.authorize(eid.press(browser, page.request.path).headers["Location"])
    if when == "away":
        eid.disable()
        eid.world.clock.advance(seconds=6)
        eid.refused(eid.back(browser, query), "disabled")
        return
    answer = eid.back(browser, query)
    asked = browser.get(answer.headers["Location"])
    eid.disable()
    eid.refused(submit(browser, asked, asked.request.path), "disabled")


def test_a_disabled_upstream_stops_who_is_linked(eid: EidWorld) -> None:
    eid.link()
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    eid.disable()
    is_refused(eid, eid.back(browser, query), "disabled", links=1)


# ---- time, and what changes meanwhile -----------------------------------------------------------


def shown(eid: EidWorld, browser: FlaskClient) -> Any:
    return browser.get(eid.visit(browser).headers["Location"])


@pytest.mark.both_databases
def test_a_number_that_changes_while_she_looks(eid: EidWorld) -> None:
    browser = eid.browser()
    page = shown(eid, browser)
    eid.world.change(User, eid.user_id, **citizen_columns(eid.world.services.keyring, NOBODYS))
    assert submit(browser, page, page.request.path).status_code == 409
    eid.nothing_is_left()


def test_a_cut_while_she_looks(eid: EidWorld) -> None:
    browser = eid.browser()
    page = shown(eid, browser)
    eid.world.change(User, eid.user_id, access_epoch=2)
    assert submit(browser, page, page.request.path).status_code == 409
    assert eid.session_of() is None


@pytest.mark.both_databases
def test_two_subjects_that_are_confirmed_at_the_same_time(eid: EidWorld) -> None:
    first, other = eid.browser(), eid.browser()
    one = shown(eid, first)
    eid.at.subject = "chủ-thể-2"
    two = shown(eid, other)
    assert submit(first, one, one.request.path).status_code == 303
    assert submit(other, two, two.request.path).status_code == 409
    assert len(eid.links()) == 1


def test_what_is_looked_at_for_long_is_asked_anew(eid: EidWorld) -> None:
    browser = eid.browser()
    page = shown(eid, browser)
    eid.world.clock.advance(minutes=5)
    eid.refused(submit(browser, page, page.request.path), "too_late")


@pytest.mark.parametrize("asked", ["max_age=0", "prompt=login", "max_age=60"])
def test_who_wants_a_new_sign_in_is_not_served_by_an_upstream_that_cannot_say_so(
    services: Any, clock: Any, app: Flask, asked: str
) -> None:
    """The next person at the PC became the last one (keycloak#14147)."""
    eid = build(services, clock, app)
    eid.add(Upstream(clock, "dvcqg", issuer="https://cong.example"), "cong")
    browser = eid.browser()
    flow = Flow(browser, eid.world.register())
    name, value = asked.split("=")
    page = browser.get(flow.ask(**{name: value}).headers["Location"])
    assert "way=eid-vneid" in page.text
    assert "way=eid-cong" not in page.text


SILENT = {
    "never says": ("vneid2026", {}, (), False),
    "has not said": ("dvcqg", {}, ("auth_time",), False),
    "not signed": ("dvcqg", {"signs": False}, (), False),
    "by the session there": ("standard", {"fresh": False}, ("auth_time",), False),
    "says when": ("dvcqg", {}, (), True),
    "always asks": ("vneid2026", {"asks_anew": True}, (), True),
}


@pytest.mark.parametrize(("profile", "said", "lacking", "asked"), SILENT.values(), ids=SILENT)
def test_whoever_may_not_have_been_asked_signs_in_and_touches_nothing(
    services: Any, clock: Any, app: Flask, profile: str, said: Any, lacking: Any, asked: bool
) -> None:
    """The upstream's own session answers for the last person at the PC: no factor is enrolled, no
    console entered and no ``max_age`` met by that.
    """
    eid = build(services, clock, app)
    at = Upstream(clock, profile, issuer="https://cong.example")
    at.twist["claims"] = without(*lacking)
    eid.add(at, "cong", assume="urn:vn:aal:2", **said)
    browser = eid.browser()
    done = eid.confirm(browser, eid.visit(browser, "cong", at))
    browser.get(done.headers["Location"])
    assert browser.get("/portal/profile").status_code == 200  # the session lives
    for page in ("app", "passkey"):
        assert (browser.get(f"/portal/ways/{page}").status_code == 200) is asked, page
    assert browser.get("/console/").status_code == (403 if asked else 303)
    flow = Flow(browser, eid.world.register())
    assert ("/login" in flow.ask(max_age="40000").headers["Location"]) is not asked
    assert "/login" not in flow.ask().headers["Location"]


def test_a_reported_loss_makes_no_silent_sign_in_a_fresh_one(
    services: Any, clock: Any, app: Flask
) -> None:
    """The report goes on under what the password proved, here nothing: still nobody was asked."""
    eid = build(services, clock, app)
    at = Upstream(clock, "vneid2026", issuer="https://cong.example")
    eid.add(at, "cong", assume="urn:vn:aal:2")
    with services.db.write() as session:
        factor = enrolled.enrol(
            session, eid.user_id, kind="totp", name="Máy", origin="một", now=clock(), actor=OPERATOR
        )
    browser = eid.browser()
    done = eid.confirm(browser, eid.visit(browser, "cong", at))
    browser.get(done.headers["Location"])
    form = hidden_fields(browser.get("/portal/ways").text)
    assert browser.post(f"/portal/ways/{factor}/lost", data=form).status_code == 303
    flow = Flow(browser, eid.world.register())
    assert "/login" in flow.ask(max_age="40000").headers["Location"]
    session_now = eid.session_of()
    assert session_now is not None
    assert session_now.amr == ["unasked"]


# ---- what differs ----------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "about", [{"full_name": "Lê Thị Loan"}, {"birth_date": "1991-05-17"}], ids=["name", "birth"]
)
def test_who_is_called_otherwise_is_held_until_somebody_has_looked(
    eid: EidWorld, about: dict[str, str]
) -> None:
    for name, value in about.items():
        setattr(eid.at, name, value)
    eid.refused(eid.visit(eid.browser()), "differs")
    eid.refused(eid.visit(eid.browser()), "differs")
    [review] = eid.world.all(EidReview)  # asked once
    assert review.differs == list(about)
    assert next(iter(about.values())) not in str(review.told_sealed)
    decide(eid, review.id, Decision.ACCEPTED)
    assert eid.world.one(EidReview, review.id).told_sealed is None
    eid.link()  # it is shown and asked all the same
    assert eid.session_of() is not None


def decide(eid: EidWorld, review_id: int, decision: Decision, actor: Actor | None = None) -> None:
    with eid.world.services.db.write() as session:
        actor = actor or Actor("user", 4711, "nhansu")
        reviews.decide(session, review_id, decision, now=eid.world.clock(), actor=actor)


def test_a_no_is_a_no_and_a_yes_is_for_what_was_said(eid: EidWorld) -> None:
    eid.at.full_name = "Lê Thị Loan"
    eid.refused(eid.visit(eid.browser()), "differs")
    [review] = eid.world.all(EidReview)
    decide(eid, review.id, Decision.DECLINED)
    eid.refused(eid.visit(eid.browser()), "declined_review")
    with pytest.raises(Conflict):
        decide(eid, review.id, Decision.ACCEPTED)
    eid.at.full_name = "Lê Thị Lài"
    eid.refused(eid.visit(eid.browser()), "differs")
    assert len(eid.world.all(EidReview)) == 2


def test_whoever_entered_the_data_does_not_decide(eid: EidWorld) -> None:
    eid.at.full_name = "Lê Thị Loan"
    with eid.world.services.db.write() as session:
        officer = make_user(session, "Cán Bộ Nhân Sự").id
    enter(eid, Actor("user", officer, "canbo"))
    eid.refused(eid.visit(eid.browser()), "differs")
    [review] = eid.world.all(EidReview)
    for actor in (Actor("user", officer, "canbo"), Actor("user", eid.user_id, "lan")):
        with pytest.raises(NotAllowed):
            decide(eid, review.id, Decision.ACCEPTED, actor)
    decide(eid, review.id, Decision.ACCEPTED)


def enter(eid: EidWorld, actor: Actor) -> None:
    """An officer corrects something in her record, through the door."""
    has = eid.world.services
    body = {
        "kind": "rename",
        "users": [eid.user_id],
        "decision": {"number": "12/QĐ", "issued_on": "2026-03-02", "issuer": "UBND"},
        "birth_date": "1990-05-18",
    }
    operator = Actor.operator("x")
    with has.db.read() as session:
        spec = specs.parse(session, body, now=eid.world.clock(), keyring=has.keyring)
        plan = has.door.plan(session, spec, operator, now=eid.world.clock())
    with has.db.write() as session:
        change = has.door.commit(
            session, spec, operator, now=eid.world.clock(), fingerprint=plan.fingerprint
        )
        row = session.get_one(Change, change.id)
        row.actor_kind, row.actor_id, row.actor_label = actor.kind, actor.id, actor.label


def test_only_the_year_is_known(eid: EidWorld) -> None:
    eid.world.change(User, eid.user_id, birth_date="1990")
    eid.link()
    assert eid.session_of() is not None


def test_nobody_is_locked_out_by_it_and_no_lock_stops_it(eid: EidWorld) -> None:
    """Only what can be guessed counts, and locks."""
    eid.link()
    name = str(eid.world.one(User, eid.user_id).username)
    guesser = eid.browser()
    page = guesser.get("/login?return_to=/portal", follow_redirects=True)
    for _ in range(7):
        submit(guesser, page, username=name, password="sai rồi sai nữa")
    eid.at.level = 1
    for _ in range(7):
        assert eid.visit(eid.browser()).status_code == 422
    eid.at.level = 2
    browser = eid.browser()
    answer = eid.visit(browser)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/portal/profile"


def test_the_sign_in_that_was_left_is_another_persons_when_she_is_back(eid: EidWorld) -> None:
    """The browser signs in as somebody else in the same sign-in while she is away."""
    browser = eid.browser()
    page = browser.get("/login?return_to=/portal&least=urn:vn:aal:2", follow_redirects=True)
    query = eid.at.authorize(eid.press(browser, page.request.path).headers["Location"])
    other = eid.person()
    eid.world.change(LoginFlow, eid.world.all(LoginFlow)[0].id, user_id=other)
    is_refused(eid, eid.back(browser, query), "other_person")


@pytest.mark.both_databases
def test_the_same_answer_many_times_at_once_counts_once(eid: EidWorld) -> None:
    """Several nodes, one browser whose answer was copied: one of them takes it, whichever is first."""
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    cookies = "; ".join(f"{c.key}={c.value}" for c in browser._cookies.values())

    def bring(_turn: int) -> int:
        other = eid.app.test_client(use_cookies=False)
        return other.get(f"/login/back/eid-vneid?{query}", headers={"Cookie": cookies}).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(bring, range(4)))
    assert answers == [303, 422, 422, 422]
    assert eid.at.calls.count("token") == 1
    assert {entry.data["why"] for entry in eid.trail("eid.refuse")} == {"replayed"}
