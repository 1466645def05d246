"""A change ends sessions and grants, tells the relying parties and proves the cut over HTTP."""

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pytest_httpserver import HTTPServer
from sqlalchemy import select
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from connectors.errors import Misconfigured, Rejected, Transient
from directory.base import claiming, outbox
from directory.base.clock import local_day, next_day
from directory.base.outbox import Claim, JobKind
from directory.changes.effects import Effect, State
from directory.changes.model import Change
from directory.changes.table import Column
from directory.people import User
from idp.oidc import jobs
from idp.oidc.clients import TokenFormat
from idp.oidc.cutter import lapse_due
from idp.oidc.grants import Grant
from idp.oidc.known_keys import SigningKeys
from idp.run import wiring
from idp.sessions import SsoSession
from tests.relying_party import Flow, World, build_world


class Quiet(WSGIRequestHandler):
    def log(self, *_args: Any, **_more: Any) -> None:
        """Say nothing."""


@pytest.fixture
def received() -> list[str]:
    return []


@pytest.fixture
def listener(httpserver: HTTPServer, received: list[str]) -> HTTPServer:
    def take(request: Request) -> Response:
        received.append(request.form["logout_token"])
        return Response("", 200)

    httpserver.expect_request("/logout", method="POST").respond_with_handler(take)
    return httpserver


@pytest.fixture
def services(make_settings: Any, clock: Any, httpserver: HTTPServer) -> Iterator[Any]:
    """The installation is served over real HTTP, so that probes reach it as strangers do."""
    placeholder = make_server("127.0.0.1", 0, lambda _e, _s: [], threaded=True)
    port = placeholder.server_port
    placeholder.server_close()
    settings = make_settings(
        issuer=f"http://localhost:{port}",
        port=port,
        outbound_allow=[f"localhost:{port}", f"localhost:{httpserver.port}"],
    )
    built = wiring.build(settings, clock=clock)
    yield built
    built.outbound.close()
    built.db.dispose()


@pytest.fixture
def served(app: Any, services: Any) -> Iterator[None]:
    server = make_server(
        "127.0.0.1", services.settings.port, app, threaded=True, request_handler=Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any, listener: HTTPServer) -> Flow:
    made = Flow(
        client, world.register(backchannel_logout_uri=f"http://localhost:{listener.port}/logout")
    )
    world.sign_in(client)
    return made


def _effects(world: World, change: Change) -> list[Effect]:
    with world.services.db.read() as session:
        return list(
            session.scalars(
                select(Effect).where(
                    Effect.change_id == change.id, Effect.column == Column.ACCESS.value
                )
            )
        )


def _run(world: World) -> None:
    """Do the jobs of this column; drop those of the others."""
    mine = {JobKind.LOGOUT_DELIVER: jobs.deliver_logout, JobKind.ACCESS_PROBE: jobs.probe_access}
    while claim := claiming.claim(world.services.db, now=world.clock()):
        done = mine[claim.kind](world.services, claim) if claim.kind in mine else None
        with world.services.db.write() as session:
            if done is not None:
                done(session)
            outbox.finish(session, claim, now=world.clock())


def _claim(kind: JobKind, key: str, attempt: int = 1, deaths: int = 0) -> Claim:
    return Claim(1, kind, key, {}, attempt, None, deaths)  # type: ignore[arg-type]


def test_a_transfer_ends_tells_and_proves(
    world: World, flow: Flow, served: None, received: list[str]
) -> None:
    answer = flow.tokens()
    change = world.do(kind="transfer", user=world.user_id, to_unit=world.other_unit_id)

    assert {e.kind for e in _effects(world, change)} == {
        "session.end",
        "grant.end",
        "logout.deliver",
    }
    [grant] = world.all(Grant)
    assert grant.revoke_reason == f"change:{change.id}"
    assert world.all(SsoSession)[0].ended_at is not None
    assert flow.userinfo(answer["access_token"]).status_code == 401

    _run(world)
    found = {e.kind: e for e in _effects(world, change)}
    assert all(e.done for e in found.values())
    assert found["grant.end"].state == State.VERIFIED
    assert found["grant.end"].detail["probe"] == "/oauth2/introspect"
    assert found["grant.end"].detail["active"] is False
    assert found["session.end"].detail["status"] == 401
    assert found["logout.deliver"].state == State.ACKNOWLEDGED

    keys = SigningKeys(world.services.db, world.services.keyring).now()
    [text] = received
    token = jwt.decode(text, KeySet.import_key_set(keys.jwks(now=world.clock())), ["RS256"])
    assert token.header["typ"] == "logout+jwt"
    assert token.claims["aud"] == flow.party.client_id
    assert token.claims["sid"] == grant.session_id
    assert token.claims["exp"] - token.claims["iat"] <= 120
    assert token.claims["events"] == {jobs.LOGOUT_EVENT: {}}
    assert "nonce" not in token.claims


def test_a_probe_of_what_still_works_is_no_proof(world: World, flow: Flow, served: None) -> None:
    flow.tokens()
    [grant] = world.all(Grant)
    [sso] = world.all(SsoSession)
    for key in (f"grant:{grant.id}", f"session:{sso.id}"):
        with pytest.raises(Transient):
            jobs.probe_access(world.services, _claim(JobKind.ACCESS_PROBE, key))
        with pytest.raises(Rejected):
            jobs.probe_access(world.services, _claim(JobKind.ACCESS_PROBE, key, 5))


def test_deaths_of_workers_do_not_use_up_the_patience_of_a_probe(
    world: World, flow: Flow, served: None
) -> None:
    flow.tokens()
    [grant] = world.all(Grant)
    for attempt in (5, 8):
        claim = _claim(JobKind.ACCESS_PROBE, f"grant:{grant.id}", attempt, deaths=4)
        with pytest.raises(Transient):
            jobs.probe_access(world.services, claim)
    with pytest.raises(Rejected):
        jobs.probe_access(world.services, _claim(JobKind.ACCESS_PROBE, f"grant:{grant.id}", 9, 4))


def test_a_probe_that_is_not_let_in_is_no_proof(world: World, flow: Flow, served: None) -> None:
    from idp.oidc.clients import PROBE, Client

    flow.tokens()
    [grant] = world.all(Grant)
    probe = next(c for c in world.all(Client) if c.client_id == PROBE)
    world.change(Client, probe.id, enabled=False)
    with pytest.raises(Misconfigured):
        jobs.probe_access(world.services, _claim(JobKind.ACCESS_PROBE, f"grant:{grant.id}"))


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (500, Transient), (302, Transient)])
def test_a_relying_party_that_does_not_acknowledge(
    world: World, flow: Flow, httpserver: HTTPServer, status: int, error: type[Exception]
) -> None:
    flow.tokens()
    httpserver.clear()
    httpserver.expect_request("/logout").respond_with_data("", status)
    [grant] = world.all(Grant)
    with pytest.raises(error):
        jobs.deliver_logout(world.services, _claim(JobKind.LOGOUT_DELIVER, grant.id))


def test_the_preview_counts_and_the_commit_does_not_promise_counts(
    world: World, flow: Flow
) -> None:
    from directory.changes import spec as specs
    from tests.relying_party import OPERATOR

    body = {"kind": "suspend", "user": world.user_id}
    has = world.services
    with has.db.read() as session:
        spec = specs.parse(session, body, now=world.clock(), keyring=has.keyring)
        plan = has.door.plan(session, spec, OPERATOR, now=world.clock())
    flow.tokens()
    with has.db.read() as session:
        later = has.door.plan(session, spec, OPERATOR, now=world.clock())
    assert later.fingerprint == plan.fingerprint
    counts = {f.kind: f.count for f in later.foreseen if f.column is Column.ACCESS}
    assert counts == {"session.end": 1, "grant.end": 1, "refresh.end": 1}
    assert all(f.counted for f in later.foreseen if f.column is Column.ACCESS)
    [grants] = [f for f in later.foreseen if f.kind == "grant.end"]
    assert grants.detail == {"applications": ["Văn bản"]}


def test_nothing_follows_for_somebody_who_is_not_signed_in(world: World) -> None:
    change = world.do(kind="suspend", user=world.user_id)
    assert _effects(world, change) == []


def test_a_move_inside_the_same_agency_ends_what_acts_in_the_old_post_only(
    world: World, flow: Flow
) -> None:
    from directory.units import OrgUnit
    from tests.factories import make_assignment, make_unit

    with world.services.db.write() as session:
        room = session.get_one(OrgUnit, world.unit_id)
        commune = session.get_one(OrgUnit, room.parent_id)
        near = make_unit(session, "Phòng Văn hóa", parent=commune, legal_person=False)
        user = session.get_one(User, world.user_id)
        other = make_assignment(session, user, commune, kind="concurrent")
    answer = flow.tokens()
    concurrent = Flow(flow.browser.application.test_client(), flow.party)
    world.sign_in(concurrent.browser, assignment_id=other.id)
    kept = concurrent.tokens()
    change = world.do(kind="transfer", user=world.user_id, to_unit=near.id)
    assert flow.userinfo(answer["access_token"]).status_code == 401
    assert concurrent.userinfo(kept["access_token"]).status_code == 200
    assert len([e for e in _effects(world, change) if e.kind == "grant.end"]) == 1


def test_a_scheduled_change_ends_on_its_day_what_lives_on_its_day(world: World, flow: Flow) -> None:
    tomorrow = next_day(local_day(world.clock()))
    flow.tokens()
    change = world.do(
        kind="transfer",
        user=world.user_id,
        to_unit=world.other_unit_id,
        effective_on=tomorrow.isoformat(),
    )
    assert _effects(world, change) == []
    world.clock.advance(hours=14, minutes=55)
    world.sign_in(flow.browser)
    flow.tokens()
    world.clock.advance(minutes=10)
    with world.services.db.write() as session:
        world.services.door.take_effect(session, world.user_id, now=world.clock())
    kinds = sorted(e.kind for e in _effects(world, change))
    assert kinds == ["grant.end", "logout.deliver", "logout.deliver", "session.end"]
    assert all(g.revoked_at is not None for g in world.all(Grant) if g.expires_at > world.clock())


def test_jwts_lapse_when_their_last_moment_has_come(world: World, client: Any) -> None:
    flow = Flow(client, world.register(access_token_format=TokenFormat.JWT))
    world.sign_in(client)
    flow.tokens()
    change = world.do(kind="suspend", user=world.user_id)
    [lapse] = [e for e in _effects(world, change) if e.kind == "token.lapse"]
    assert lapse.state == State.PENDING
    with world.services.db.write() as session:
        assert lapse_due(session, world.clock()) == set()
    world.clock.advance(seconds=301)
    with world.services.db.write() as session:
        assert lapse_due(session, world.clock()) == {change.id}
    [lapse] = [e for e in _effects(world, change) if e.kind == "token.lapse"]
    assert lapse.state == State.LAPSED


def test_signing_out_tells_each_relying_party_once(
    world: World, flow: Flow, received: list[str]
) -> None:
    answer = flow.tokens()
    flow.tokens()
    flow.browser.get("/oauth2/logout", query_string={"id_token_hint": answer["id_token"]})
    _run(world)
    assert len(received) == 1
    assert all(g.revoke_reason == "logout" for g in world.all(Grant))


def test_a_logout_token_is_form_encoded(world: World, flow: Flow, httpserver: HTTPServer) -> None:
    flow.tokens()
    [grant] = world.all(Grant)
    jobs.deliver_logout(world.services, _claim(JobKind.LOGOUT_DELIVER, grant.id))
    request, _ = httpserver.log[-1]
    assert request.mimetype == "application/x-www-form-urlencoded"
    assert parse_qs(request.get_data(as_text=True)) or request.form
