"""Every path that ends in a session, or in tokens, ends in one that reaches what is asked.

The paths are read from the registries and from the source: a factor, a step, a place that opens a session
or a grant that no test here answers for is noticed. Grant types and response types have their own table,
which does the same (tests/flows/test_grant_matrix.py).
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from idp.factors import registry
from idp.login.policy import Step
from idp.oidc.clients import Client, GrantType, Options
from idp.oidc.grants import Grant
from idp.sessions import SsoSession
from tests import eid_world, hr_world
from tests.browser_client import submit
from tests.eid_world import EidWorld
from tests.flows import test_grant_matrix
from tests.flows.test_passkeys import holder
from tests.flows.test_pushed_requests import bring, pushed
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import chosen
from tests.relying_party import Flow, World, build_world
from tests.signed_requests import SignedFlow, register
from tests.someone import Someone

ROOT = Path(__file__).parents[2]
AAL1, AAL2, AAL3 = (f"urn:vn:aal:{n}" for n in (1, 2, 3))
HERE = "test_every_path_to_a_session"
BY_FACTOR = {
    "password": f"{HERE}::test_a_password_alone_opens_nothing",
    "totp": f"{HERE}::test_a_password_alone_opens_nothing",
    "recovery_code": f"{HERE}::test_a_recovery_code_is_the_second_of_two",
    "Passkeys": f"{HERE}::test_a_key_that_asked_for_nothing_is_one_factor",
    "Eid": f"{HERE}::test_an_upstream_gives_what_it_says_and_no_more",
    "Certificates": "test_certificates_of_people::test_a_house_that_says_nothing_of_tokens_gives_one_factor",
    "Envelopes": "test_break_glass::test_an_envelope_lets_its_administrator_in_when_nothing_else_does",
}
"""By the code of a factor, or the name of a family of them: the test that answers for it."""
BY_STEP = {
    Step.PROVE: f"{HERE}::test_a_password_alone_opens_nothing",
    Step.ENROL: f"{HERE}::test_a_password_alone_opens_nothing",
    Step.CHANGE_PASSWORD: f"{HERE}::test_a_slip_opens_nothing_by_itself",
    Step.CAPACITY: "test_what_pages_demand::test_nobody_changes_to_a_position_that_asks_for_more",
}
OPENS_NOTHING = {
    Step.DONE,
    Step.FINISHED,
    Step.INACTIVE,
    Step.UNCONFIRMED,
    Step.NO_CAPACITY,
}
"""Steps at which nothing is entered."""
BY_PLACE = {
    "idp/login": f"{HERE}::test_a_password_alone_opens_nothing",
    "idp/portal/views.py": "test_what_pages_demand::test_nobody_changes_to_a_position_that_asks_for_more",
    "idp/portal/views_ways.py": "test_my_ways::test_a_loss_is_cut_at_once_and_the_demand_stays",
    "idp/oidc/authorization/device.py": "test_oidc_assurance::test_a_device_is_held_to_the_same_minimum",
    "idp/oidc/authorization/giving.py": "test_oidc_assurance::test_a_clients_minimum_keeps_weaker_sign_ins_out",
}
"""Where sessions and grants are written: by whom it is answered for there."""
BY_OTHER = {
    "reset by an officer": f"{HERE}::test_after_a_reset_she_begins_with_a_slip_and_two_factors",
    "prompt=none": f"{HERE}::test_a_silent_request_takes_no_weaker_session",
    "pushed": f"{HERE}::test_a_pushed_request_takes_no_weaker_session",
    "signed": f"{HERE}::test_a_signed_request_takes_no_weaker_session",
    "vouched for too faintly": "test_vouched_elsewhere::test_who_is_vouched_for_too_faintly_has_proven_all_that_she_has",
    "restored": f"{HERE}::test_no_session_of_before_a_restore_is_good",
    "demanded later": "test_second_factor::test_a_session_of_inside_is_asked_for_more_outside",
}


# ---- none is forgotten ---------------------------------------------------------------------------


def _writers() -> Iterator[str]:
    """Files that open, go on with or change a session, or write a grant."""
    opens = {"start", "renew", "switch", "lower", "opening"}
    for file in sorted((ROOT / "idp").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        if name.startswith("idp/sessions/") or name == "idp/oidc/grants.py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            where, _, what = called.rpartition(".")
            if (where == "sessions" and what in opens) or called == "grants.issue":
                yield name
            if called == "insert" and any(ast.unparse(one) == "Grant" for one in node.args):
                yield name


def test_every_place_that_writes_a_session_or_a_grant_is_answered_for() -> None:
    places = {"idp/login" if name.startswith("idp/login/") else name for name in _writers()}
    assert places == BY_PLACE.keys()


def test_every_factor_is_answered_for() -> None:
    found = {one.code for one in registry.FACTORS} | {
        type(one).__name__ for one in registry.FAMILIES
    }
    assert found == BY_FACTOR.keys()


def test_every_step_is_answered_for() -> None:
    assert BY_STEP.keys() | OPENS_NOTHING == set(Step)


def test_every_grant_type_and_response_type_is_a_row_of_the_matrix() -> None:
    """And each answers for the rules that were raised after it was given."""
    told = {f"token {one}" for one in GrantType if one is not GrantType.IMPLICIT}
    assert told <= test_grant_matrix.ROWS.keys()
    raised = {name for name in test_grant_matrix.STATES if "asks for more" in name}
    assert len(raised) == 4
    for row in test_grant_matrix.EVERY.values():
        assert raised & row.excused.keys() <= row.excused.keys()


@functools.cache
def _tests(module: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests/flows" / f"{module}.py").read_text("utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize(
    "named",
    sorted({*BY_FACTOR.values(), *BY_STEP.values(), *BY_PLACE.values(), *BY_OTHER.values()}),
)
def test_what_answers_is_there(named: str) -> None:
    module, _, name = named.partition("::")
    assert name in _tests(module)


# ---- sign-ins, where two factors are asked of everybody ------------------------------------------


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    services.settings.second_factor = "everybody"
    return made


def weakest(hr: Hr) -> str | None:
    """The weakest session that there has ever been; none where there was no session."""
    with hr.services.db.read() as session:
        found = sorted(session.scalars(select(SsoSession.acr)))
    return found[0] if found else None


def test_a_password_alone_opens_nothing(hr: Hr) -> None:
    lan = Someone(hr, "lan")
    page = lan.password()
    assert "otpauth" in page.text
    assert weakest(hr) is None
    lan.onward(lan.enrol(page))
    assert weakest(hr) == AAL2
    hr.clock.advance(minutes=1)
    there = lan.again()
    page = there.password()
    assert there.client.get("/portal/profile").headers["Location"].startswith("/login")
    with hr.services.db.read() as session:
        assert len(session.scalars(select(SsoSession.id)).all()) == 1
    there.client.get(there.type(page, there.code()).headers["Location"])
    assert weakest(hr) == AAL2
    assert there.client.get("/portal/profile").status_code == 200


def test_a_recovery_code_is_the_second_of_two(hr: Hr) -> None:
    lan = Someone(hr, "lan")
    lan.whole()
    there = lan.again()
    page = there.password()
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    with hr.services.db.read() as session:
        assert len(session.scalars(select(SsoSession.id)).all()) == 1
    there.client.get(there.type(page, lan.codes[0]).headers["Location"])
    assert weakest(hr) == AAL2
    assert there.client.get("/portal/profile").status_code == 200


@pytest.mark.parametrize("pin", [True, False])
def test_a_key_that_asked_for_nothing_is_one_factor(hr: Hr, pin: bool) -> None:
    settings = hr.services.settings
    settings.second_factor = "nobody"
    one = holder(hr, pin=pin)
    settings.second_factor = "everybody"
    other = one.elsewhere()
    answer = other.sign_in()
    if pin:
        assert other.session().acr == AAL2
        return
    assert other.session() is None
    assert answer.status_code == 200
    given = {"username": hr.names["lan"], "password": PASSWORD}
    ended = submit(other.person.client, answer, **given)
    other.person.client.get(ended.headers["Location"])
    assert other.session().acr == AAL2


def _slip(hr: Hr, who: str, issuer: str) -> str:
    from idp.factors import slips

    with hr.services.db.write() as session:
        code = slips.issue(
            session,
            hr.services.keyring,
            hr.people[who],
            now=hr.clock(),
            lifetime=3600,
            actor=hr_world.OPERATOR,
        )
    assert issuer
    return f"/activate/{code}"


def test_a_slip_opens_nothing_by_itself(hr: Hr) -> None:
    link = _slip(hr, "lan", "officer_a")
    browser = hr.app.test_client()
    answer = chosen(browser, link, "con trâu đội nón lá", "5678")
    page = browser.get(answer.headers["Location"])
    assert "otpauth" in page.text
    assert weakest(hr) is None
    lan = Someone(hr, "lan")
    lan.client = browser
    lan.onward(lan.enrol(page))
    assert weakest(hr) == AAL2


def test_after_a_reset_she_begins_with_a_slip_and_two_factors(hr: Hr) -> None:
    from idp.factors import resetting

    lan = Someone(hr, "lan")
    lan.whole()
    with hr.services.db.write() as session:
        assert resetting.reset(session, hr.people["lan"], now=hr.clock(), actor=hr_world.OPERATOR)
    # Her old password is no way in, and with the slip her new one alone is none either.
    refused = Someone(hr, "lan")
    page = refused.client.get("/login?return_to=/portal", follow_redirects=True)
    given = {"username": hr.names["lan"], "password": PASSWORD}
    assert submit(refused.client, page, **given).status_code == 422
    browser = hr.app.test_client()
    answer = chosen(browser, _slip(hr, "lan", "officer_a"), "con trâu đội nón lá", "5678")
    page = browser.get(answer.headers["Location"])
    assert "otpauth" in page.text
    assert browser.get("/portal/profile").headers["Location"].startswith("/login")
    assert weakest(hr) == AAL2


def test_an_upstream_gives_what_it_says_and_no_more(services: Any, clock: Any, app: Flask) -> None:
    """What it says too little of: test_vouched_elsewhere."""
    world: EidWorld = eid_world.build(services, clock, app)
    services.settings.second_factor = "everybody"
    browser = world.browser()
    answer = world.visit(browser)
    assert world.session_of() is None  # what would be linked is looked at first
    done = world.confirm(browser, answer)
    browser.get(done.headers["Location"])
    found = world.session_of()
    assert found is not None
    assert found.acr == AAL2


# ---- what rests on a session ---------------------------------------------------------------------


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _raise(world: World, key: int, level: str = AAL2) -> None:
    row = world.one(Client, key)
    stronger = Options.of(row.options).but(minimum_acr=level)
    world.change(Client, key, options=stronger.stored)


def _strengthen(world: World) -> None:
    with world.services.db.write() as session:
        session.execute(update(SsoSession).values(acr=AAL2))


def test_a_silent_request_takes_no_weaker_session(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    _raise(world, flow.party.id)
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"
    _raise(world, flow.party.id, AAL3)
    told = flow.told(flow.ask(prompt="none"))
    assert told["error"] == "unmet_authentication_requirements"
    assert not world.all(Grant)
    _raise(world, flow.party.id)
    _strengthen(world)
    assert "code" in flow.told(flow.ask(prompt="none"))


def test_a_pushed_request_takes_no_weaker_session(world: World, client: Any) -> None:
    """The minimum of when she comes counts, not that of when it was pushed."""
    flow = Flow(client, world.register())
    world.sign_in(client)
    uri = pushed(flow)
    _raise(world, flow.party.id)
    assert bring(flow, uri).headers["Location"].startswith("/login/")
    assert not world.all(Grant)
    _strengthen(world)
    assert "code" in flow.told(bring(flow, uri))


def test_a_signed_request_takes_no_weaker_session(world: World, client: Any) -> None:
    party = register(world)
    flow = SignedFlow(client, party, now=int(world.clock().timestamp()))
    world.sign_in(client)
    _raise(world, party.id)
    assert flow.bring(flow.signed()).headers["Location"].startswith("/login/")
    assert not world.all(Grant)
    _strengthen(world)
    assert "code" in flow.told(flow.bring(flow.signed()))


def test_no_session_of_before_a_restore_is_good(world: World, client: Any) -> None:
    """Strong as it was: what it rests on may have been taken away since the backup."""
    from directory.entitlements import Installation

    flow = Flow(client, world.register())
    world.sign_in(client)
    _strengthen(world)
    text = flow.tokens()["refresh_token"]
    world.change(Installation, 1, epoch=Installation.epoch + 1)
    assert client.get("/session/status").status_code == 401
    assert flow.ask().headers["Location"].startswith("/login/")
    assert flow.refresh(text).get_json()["error"] == "invalid_grant"
