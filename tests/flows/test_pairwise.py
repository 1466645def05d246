"""Pairwise subjects (OIDC Core §8): one person, another name to every sector."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import delete

from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput, Misconfigured
from directory.people import User
from idp.oidc import jobs
from idp.oidc.clients import SubjectType, TokenFormat
from idp.oidc.clients.sectors import PairwiseSubjects, Sector
from idp.oidc.grants import Grant
from idp.sessions import SsoSession
from tests.factories import make_application, make_user
from tests.relying_party import Flow, World, build_world, counted

A, A_TOO, B = "https://a.example/cb", "https://a.example/other", "https://b.example/cb"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def flow_of(world: World, client: Any, uri: str, **columns: Any) -> Flow:
    """A pairwise client of the sector of this address."""
    values = {"subject_type": SubjectType.PAIRWISE, "redirect_uris": (uri,)} | columns
    return Flow(client, world.register("Ứng dụng " + uri, **values), redirect_uri=uri)


def claims(text: str) -> dict[str, Any]:
    """What a JWT says."""
    part = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.both_databases
def test_every_place_tells_a_client_the_same_name(world: World, client: Any) -> None:
    world.sign_in(client)
    flow = flow_of(world, client, A, access_token_format=TokenFormat.JWT)
    held = flow.tokens()
    told = {
        "id_token": claims(held["id_token"])["sub"],
        "access_token": claims(held["access_token"])["sub"],
        "userinfo": flow.userinfo(held["access_token"]).get_json()["sub"],
        "introspection": flow.introspect(held["access_token"])["sub"],
        "refreshed": claims(flow.refresh(held["refresh_token"]).get_json()["id_token"])["sub"],
    }
    assert len(set(told.values())) == 1, told
    (name,) = set(told.values())
    assert name != world.one(User, world.user_id).sub
    assert len(name) == 43


def test_a_sector_shares_a_name_and_two_sectors_do_not(world: World, client: Any) -> None:
    world.sign_in(client)
    a, a_too, b = (flow_of(world, client, uri).tokens() for uri in (A, A_TOO, B))
    names = [claims(held["id_token"])["sub"] for held in (a, a_too, b)]
    assert names[0] == names[1] != names[2]
    assert world.one(User, world.user_id).sub not in names
    public = Flow(client, world.register()).tokens()
    assert claims(public["id_token"])["sub"] == world.one(User, world.user_id).sub


def test_nothing_else_in_a_token_links_two_sectors(world: World, client: Any) -> None:
    world.sign_in(client)
    flows = [replace(flow_of(world, client, uri), scope="openid") for uri in (A, B)]
    held = [flow.tokens() for flow in flows]
    said = [claims(each["id_token"]) for each in held]
    shared = {name for name in said[0] if said[0][name] == said[1][name]}
    assert shared == {"iss", "iat", "exp", "auth_time", "acr", "amr"}
    seen = [f.introspect(h["access_token"]) for f, h in zip(flows, held, strict=True)]
    assert "username" not in seen[0]
    assert not {"sub", "jti", "client_id"} & {n for n in seen[0] if seen[0][n] == seen[1][n]}


def test_two_people_have_two_names(world: World, client: Any) -> None:
    names = PairwiseSubjects(world.services.keyring)
    flow_of(world, client, A)
    (sector,) = world.all(Sector)
    salt = sector.salt_sealed
    assert names.subject("one", salt) != names.subject("two", salt)
    assert names.subject("one", None) == "one"
    assert names.subject("one", salt) != names.session("one", salt)


def test_a_name_outlives_the_keys_of_the_installation(world: World, client: Any) -> None:
    has = world.services
    flow_of(world, client, A)
    (sector,) = world.all(Sector)
    before = PairwiseSubjects(has.keyring).subject("sub", sector.salt_sealed)
    ring = Keyring({**has.keyring._keys, "ffff0000": b"k" * 32}, "ffff0000")
    assert PairwiseSubjects(ring).subject("sub", sector.salt_sealed) == before
    with pytest.raises(Misconfigured):
        PairwiseSubjects(Keyring.generate()).subject("sub", sector.salt_sealed)


@pytest.mark.both_databases
def test_a_sector_without_its_salt_is_told_nothing(world: World, client: Any) -> None:
    world.sign_in(client)
    flow = flow_of(world, client, A)
    held = flow.tokens()
    assert flow.userinfo(held["access_token"]).get_json()["sub"]
    with world.services.db.write() as session:
        session.execute(delete(Sector))
    name = world.one(User, world.user_id).sub
    for answer in (flow.userinfo(held["access_token"]), flow.refresh(held["refresh_token"])):
        assert answer.status_code >= 500
        assert name not in answer.text


def test_a_sector_keeps_its_salt_when_another_client_joins_it(world: World, client: Any) -> None:
    flow_of(world, client, A)
    (before,) = world.all(Sector)
    flow_of(world, client, A_TOO)
    (after,) = world.all(Sector)
    assert before.salt_sealed == after.salt_sealed
    assert before.identifier == "a.example"


def test_a_name_of_its_own_costs_no_statement(world: World, client: Any) -> None:
    world.sign_in(client)
    flow = flow_of(world, client, A)
    held = flow.tokens()
    public = Flow(client, world.register())
    usual = public.tokens()
    with counted(world.services) as statements:
        assert flow.userinfo(held["access_token"]).status_code == 200
    with counted(world.services) as without:
        assert public.userinfo(usual["access_token"]).status_code == 200
    assert statements == without


# ---- what a client says back -------------------------------------------------------------------


def test_a_hint_names_her_by_the_name_its_client_knows(world: World, client: Any) -> None:
    world.sign_in(client)
    flow, other = flow_of(world, client, A), flow_of(world, client, B)
    hint = flow.tokens()["id_token"]
    assert "code" in flow.told(flow.ask(prompt="none", id_token_hint=hint))
    assert "code" not in other.told(other.ask(prompt="none", id_token_hint=hint))
    wanted = {"id_token": {"sub": {"value": claims(hint)["sub"]}}}
    assert "code" in flow.told(flow.ask(prompt="none", claims=json.dumps(wanted)))
    # Another sector's name for her is nobody's here, and so is the public one.
    told = other.told(other.ask(prompt="none", claims=json.dumps(wanted)))
    assert told["error"] == "login_required"
    public = {"id_token": {"sub": {"value": world.one(User, world.user_id).sub}}}
    told = flow.told(flow.ask(prompt="none", claims=json.dumps(public)))
    assert told["error"] == "login_required"


def test_a_hint_signs_her_out_and_nobody_else(world: World, client: Any, app: Any) -> None:
    world.sign_in(client)
    hint = flow_of(world, client, A).tokens()["id_token"]
    with world.services.db.write() as session:
        somebody = make_user(session, "Phạm Văn An").id
    other = app.test_client()
    world.sign_in(other, user_id=somebody, assignment_id=None)
    asked = other.get("/oauth2/logout", query_string={"id_token_hint": hint})
    assert asked.status_code == 200
    answer = client.get("/oauth2/logout", query_string={"id_token_hint": hint})
    assert answer.status_code == 303


def test_a_logout_token_names_her_and_her_session_as_the_id_token_did(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    flow = flow_of(world, client, A, backchannel_logout_uri="https://a.example/out")
    said = claims(flow.tokens()["id_token"])
    (grant,) = world.all(Grant)
    (session_row,) = world.all(SsoSession)
    row = _logout_row(world, grant)
    token, _ = jobs.logout_token(world.services, row)
    keys = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    told = jwt.decode(token, keys, ["RS256"]).claims
    assert (told["sub"], told["sid"]) == (said["sub"], said["sid"])
    assert told["sid"] != session_row.id


def _logout_row(world: World, grant: Grant) -> Any:
    from idp.oidc.clients import Client

    made = world.one(Client, grant.client_id)
    user, sectors = world.one(User, grant.user_id), world.all(Sector)

    class Row:
        session_id, sub = grant.session_id, user.sub
        client_id, id_token_alg, keys_stamp = made.client_id, made.id_token_alg, ""
        sector_salt = next(s.salt_sealed for s in sectors if s.identifier == made.sector)

    return Row


# ---- which clients may -------------------------------------------------------------------------


def test_an_application_that_receives_accounts_is_told_public_names(world: World) -> None:
    with world.services.db.write() as session:
        application = make_application(session)
        application.connector = "scim"
    with pytest.raises(InvalidInput) as refused:
        world.register(
            subject_type=SubjectType.PAIRWISE,
            redirect_uris=(A,),
            application_id=application.id,
        )
    assert refused.value.field == "subject_type"


@pytest.mark.parametrize("uris", [(A, B), ("http://localhost:9001/callback",)])
def test_several_hosts_are_no_sector_of_their_own(world: World, uris: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.register(subject_type=SubjectType.PAIRWISE, redirect_uris=uris)
    assert refused.value.field == "sector_identifier_uri"
