"""What relying parties are told about a person: every claim of every scope, and no other."""

import json
from datetime import date
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select

from directory.assignments import Assignment, HeldAs
from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit, UnitCode
from idp.oidc.claims import CLAIMS
from idp.sessions import SsoSession
from tests.browser_client import submit
from tests.factories import make_assignment, make_position, make_role, make_unit, make_user
from tests.relying_party import Flow, World, build_world

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    world.change(User, world.user_id, birth_date="1988-09-02", gender="female")
    made = Flow(client, world.register(id_token_alg="ES256"))
    made.scope = "openid profile email phone address org"
    world.sign_in(client)
    return made


def _told(flow: Flow, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = flow.userinfo(flow.tokens(**changes)["access_token"]).get_json()
    return found


def _id_token(flow: Flow, text: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    return dict(jwt.decode(text, keys, ["ES256"]).claims)


def test_an_address_that_somebody_else_has_too_is_told_to_no_application(
    world: World, flow: Flow, services: Any
) -> None:
    email = world.one(User, world.user_id).email
    with services.db.write() as session:
        other = make_user(session, "Lê Văn Bá", email=email)
        session.flush()
        other_id = other.id
    assert "email" not in _told(flow)
    world.change(User, other_id, status="suspended")  # she may come back
    assert "email" not in _told(flow)
    world.change(User, other_id, status="left")
    assert _told(flow)["email"] == email


def test_the_standard_claims_come_from_the_directory(world: World, flow: Flow) -> None:
    person = world.one(User, world.user_id)
    assert {k: v for k, v in _told(flow).items() if k not in ("org", "address")} == {
        "sub": person.sub,
        "name": "Lê Thị Lan",
        "family_name": "Lê",
        "middle_name": "Thị",
        "given_name": "Lan",
        "preferred_username": person.username,
        "gender": "female",
        "birthdate": "1988-09-02",
        "zoneinfo": "Asia/Ho_Chi_Minh",
        "locale": "vi-VN",
        "updated_at": int(person.created_at.timestamp()),
        "email": person.email,
        "email_verified": False,
        "phone_number": "+84912345678",
        "phone_number_verified": False,
    }


@pytest.mark.parametrize("scope", sorted(CLAIMS.keys() - {"openid"}))
def test_a_scope_gives_its_claims_and_no_others(flow: Flow, scope: str) -> None:
    flow.scope = f"openid {scope}"
    assert _told(flow).keys() == {"sub", *CLAIMS[scope]}


def test_a_birth_date_may_be_a_year_only(world: World, flow: Flow) -> None:
    world.change(User, world.user_id, birth_date="1971")
    assert _told(flow)["birthdate"] == "1971"


def test_a_claim_without_a_value_is_left_out(world: World, flow: Flow) -> None:
    nothing = {"birth_date": None, "gender": None, "email": None, "phone": None, "middle_name": ""}
    world.change(User, world.user_id, **nothing, eid_level=None)
    told = _told(flow)
    for name in ("birthdate", "gender", "middle_name", "email", "email_verified"):
        assert name not in told
    assert "phone_number_verified" not in told
    assert "eid_level" not in told["org"]


def test_a_change_in_the_directory_updates_her(world: World, client: Any, flow: Flow) -> None:
    before = _told(flow)["updated_at"]
    world.clock.advance(minutes=5)
    decision = {"number": "12/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"}
    world.do(kind="transfer", user=world.user_id, to_unit=world.other_unit_id, decision=decision)
    new = next(a for a in world.all(Assignment) if a.valid_to is None)
    world.sign_in(client, assignment_id=new.id)
    after = _told(flow)["updated_at"]
    assert before < after == int(world.clock().timestamp())
    # What is decided for a later day has not changed anything yet.
    world.clock.advance(minutes=5)
    world.do(kind="leave", user=world.user_id, reason="retire", effective_on="2026-04-01")
    assert _told(flow)["updated_at"] == after


# ---- address ---------------------------------------------------------------------------------


def test_her_address_is_that_of_her_unit(flow: Flow) -> None:
    assert _told(flow)["address"] == {
        "formatted": "Phòng Kinh tế\nỦy ban nhân dân xã Hà Trung\nTỉnh Thanh Hóa\nViệt Nam",
        "locality": "Xã Hà Trung",
        "region": "Tỉnh Thanh Hóa",
        "country": "VN",
    }


def test_an_address_in_a_body_of_the_province_has_no_commune(
    world: World, client: Any, flow: Flow
) -> None:
    with world.services.db.write() as session:
        root = session.get_one(OrgUnit, world.unit_id).ancestor_ids[0]
        body = make_unit(
            session, "Sở Nội vụ", parent=session.get_one(OrgUnit, root), tier="province"
        )
        user = make_user(session, "Trần Văn Nam")
        held = make_assignment(session, user, body)
    world.sign_in(client, user_id=user.id, assignment_id=held.id)
    assert _told(flow)["address"] == {
        "formatted": "Sở Nội vụ\nTỉnh Thanh Hóa\nViệt Nam",
        "region": "Tỉnh Thanh Hóa",
        "country": "VN",
    }


# ---- org -------------------------------------------------------------------------------------


@pytest.fixture
def second_post(world: World) -> int:
    with world.services.db.write() as session:
        unit = session.get_one(OrgUnit, world.other_unit_id)
        day = date(2026, 1, 1)
        for scheme, value, until in (
            ("gso", "14758", None),
            ("qd20", "H56.9", None),
            ("old", "GONE", date(2026, 2, 1)),
        ):
            session.add(
                UnitCode(
                    unit_id=unit.id,
                    scheme=scheme,
                    value=value,
                    issuer="test",
                    valid_from=day,
                    valid_to=until,
                )
            )
        chair = make_position(session, name="Chủ tịch", rank=1)
        user = session.get_one(User, world.user_id)
        ended = make_assignment(
            session, user, unit, kind="concurrent", valid_from=day, valid_to=date(2026, 2, 1)
        )
        assert ended.valid_to is not None
        return make_assignment(session, user, unit, chair, kind="concurrent", valid_from=day).id


def test_org_tells_the_capacity_and_all_posts_of_today(
    world: World, flow: Flow, second_post: int
) -> None:
    org = _told(flow)["org"]
    assert org["assignment_id"] == world.assignment_id
    assert org["capacity"] == HeldAs.PRIMARY.value
    assert org["unit"] == {
        "id": world.unit_id,
        "name": "Phòng Kinh tế",
        "short_name": "Phòng Kinh tế",
        "codes": [],
    }
    assert org["position"]["name"] == "Chuyên viên"
    assert org["legal_person"]["name"] == "Ủy ban nhân dân xã Hà Trung"
    assert org["eid_level"] == 2
    first, second = org["posts"]
    assert first["assignment_id"] == world.assignment_id
    assert first["current"] is True
    assert second["assignment_id"] == second_post
    assert second["current"] is False
    assert second["capacity"] == "concurrent"
    assert second["position"]["name"] == "Chủ tịch"
    assert second["unit"]["codes"] == [
        {"scheme": "gso", "value": "14758"},
        {"scheme": "qd20", "value": "H56.9"},
    ]


def test_org_follows_the_capacity_she_acts_in(
    world: World, client: Any, flow: Flow, second_post: int
) -> None:
    sub = _told(flow)["sub"]
    world.sign_in(client, assignment_id=second_post)
    told = _told(flow)
    assert told["sub"] == sub
    assert told["org"]["unit"]["codes"][0] == {"scheme": "gso", "value": "14758"}
    assert [post["current"] for post in told["org"]["posts"]] == [False, True]


def test_whoever_has_no_post_is_told_of_all_the_same(world: World, client: Any, flow: Flow) -> None:
    with world.services.db.write() as session:
        user = make_user(session, "Quản Trị Viên", eid_level=1)
        make_role(session, user, Role.ADMINISTRATOR)
    world.sign_in(client, user_id=user.id, assignment_id=None)
    told = _told(flow)
    assert told["name"] == "Quản Trị Viên"
    assert told["org"] == {"posts": [], "eid_level": 1}
    assert "address" not in told


# ---- the claims request ----------------------------------------------------------------------


def test_claims_may_be_asked_for_one_by_one_and_in_either_place(flow: Flow) -> None:
    flow.scope = "openid"
    wish = {
        "userinfo": {"birthdate": {"essential": True}, "org": None, "unknown": {"value": 1}},
        "id_token": {"email": {"essential": False, "value": "x@y"}, "address": None},
        "elsewhere": {"name": None},
    }
    answer = flow.tokens(claims=json.dumps(wish))
    told = flow.userinfo(answer["access_token"]).get_json()
    assert told.keys() == {"sub", "birthdate", "org"}
    assert told["org"]["posts"]
    id_token = _id_token(flow, answer["id_token"])
    assert id_token["address"]["country"] == "VN"
    assert "email" in id_token
    assert "birthdate" not in id_token


def test_an_id_token_holds_what_belongs_there_and_nothing_else(flow: Flow) -> None:
    """OIDC Core §5.4: with an access token, what scopes give is told by userinfo."""
    answer = flow.tokens()
    assert _id_token(flow, answer["id_token"]).keys() == {
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid")
    }
    again = flow.refresh(answer["refresh_token"]).get_json()
    assert "nonce" not in _id_token(flow, again["id_token"])


@pytest.mark.parametrize(
    "wish",
    [
        "[]",
        "1",
        '"a"',
        '{"userinfo": []}',
        '{"id_token": {"acr": "urn:vn:aal:1"}}',
        '{"userinfo": {"email": true}}',
        '{"userinfo": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_a_claims_request_of_another_shape_is_refused(flow: Flow, wish: str) -> None:
    """OIDC Core §5.5: an object of objects whose members are objects or null."""
    assert flow.told(flow.ask(claims=wish))["error"] == "invalid_request"


def test_a_client_cannot_ask_for_claims_of_scopes_it_may_not_have(
    world: World, client: Any, flow: Flow
) -> None:
    narrow = Flow(client, world.register(scopes=("openid", "email")), scope="openid")
    wish = {"userinfo": {"name": None, "org": None, "email": None}}
    assert _told(narrow, claims=json.dumps(wish)).keys() == {"sub", "email"}


def test_a_requested_subject_must_be_the_one_who_answers(world: World, flow: Flow) -> None:
    """OIDC Core §3.1.2.2, §5.5.1."""
    own = world.one(User, world.user_id).sub
    for part in ("id_token", "userinfo"):
        fits = json.dumps({part: {"sub": {"value": own}}})
        assert "code" in flow.told(flow.ask(claims=fits, prompt="none"))
        several = json.dumps({part: {"sub": {"values": ["somebody", own]}}})
        assert "code" in flow.told(flow.ask(claims=several, prompt="none"))
        other = json.dumps({part: {"sub": {"value": "somebody"}}})
        assert flow.told(flow.ask(claims=other, prompt="none"))["error"] == "login_required"
        assert flow.ask(claims=other).headers["Location"].startswith("/login/")


def test_locales_of_claims_are_ignored(flow: Flow) -> None:
    """OIDC Core §5.2: what cannot be honoured is no error."""
    assert _told(flow, claims_locales="fr de")["name"] == "Lê Thị Lan"


def test_a_session_is_all_that_binds_claims_to_a_capacity(world: World, flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    with world.services.db.read() as session:
        assert len(session.scalars(select(SsoSession)).all()) == 1
    world.change(Assignment, world.assignment_id, valid_to=date(2026, 3, 2))
    assert flow.userinfo(text).status_code == 401


def test_introspection_tells_the_user_name_only_with_profile(world: World, client: Any) -> None:
    flow = Flow(client, world.register(first_party=False))
    world.sign_in(client)
    for scope, told in (("openid", False), ("openid profile", True)):
        flow.scope = scope
        page = flow.ask(prompt="consent")
        back = submit(client, page, "/oauth2/consent", decision="allow")
        text = flow.redeem(flow.told(back)["code"]).get_json()["access_token"]
        assert ("username" in flow.introspect(text)) is told
