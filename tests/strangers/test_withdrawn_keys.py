"""A signing key that must not be trusted any more, whichever it is."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from directory.base.audit import Actor
from idp.oidc import signing_keys
from tests.command_line import Operator, operator
from tests.relying_party import Flow, build_world

__all__ = ["operator"]
pytestmark = pytest.mark.both_databases


def keys(operator: Operator) -> dict[str, tuple[str, str]]:
    """Key ids → algorithm and state."""
    rows = (line.split("\t") for line in operator("keys", "list").out.splitlines())
    return {row[2]: (row[0], row[1]) for row in rows}


@pytest.mark.parametrize("state", ["current", "next", "retired"])
def test_a_key_is_withdrawn_at_once_and_another_takes_its_place(
    services: Any, clock: Any, client: Any, operator: Operator, state: str
) -> None:
    world = build_world(services, clock)
    world.sign_in(client)
    flow = Flow(client, world.register(), scope="openid")
    hint = flow.tokens()["id_token"]
    if state == "retired":
        assert operator("keys", "rotate", "RS256").code == 0
    kid = next(k for k, found in keys(operator).items() if found == ("RS256", state))
    done = operator("keys", "withdraw", kid)
    assert done.code == 0, done.said
    left = keys(operator)
    assert kid not in left
    assert sorted(left.values()).count(("RS256", "current")) == 1
    assert sorted(left.values()).count(("RS256", "next")) == 1
    out = client.get("/oauth2/logout", query_string={"id_token_hint": hint})
    assert out.status_code == (303 if state == "next" else 400)
    published = {key["kid"] for key in client.get("/oauth2/jwks").get_json()["keys"]}
    assert kid not in published
    assert published == left.keys()
    world.sign_in(client)
    assert flow.redeem(flow.code()).status_code == 200


@pytest.mark.parametrize("kid", ["-2Zq7", "--help-me", "-h", "-"])
def test_a_key_whose_id_begins_like_an_option_is_withdrawn(
    services: Any, clock: Any, client: Any, operator: Operator, kid: str
) -> None:
    build_world(services, clock)
    old = next(k for k, found in keys(operator).items() if found == ("RS256", "current"))
    with services.db.write() as session:
        session.execute(
            text("UPDATE signing_key SET kid = :new WHERE kid = :old"), {"new": kid, "old": old}
        )
    done = operator("keys", "withdraw", kid)
    assert done.code == 0, done.said
    assert kid not in keys(operator)


def test_a_new_key_is_never_named_like_an_option(services: Any, clock: Any) -> None:
    """A thumbprint begins with a hyphen once in 64."""
    with services.db.write() as session:
        kids = [
            signing_keys.rotate(
                session,
                services.keyring,
                clock(),
                alg="ES256",
                actor=Actor.operator("test"),
                overlap=timedelta(0),
                announced=timedelta(0),
            )[1]
            for _ in range(500)
        ]
    assert len(set(kids)) == 500
    assert not [kid for kid in kids if kid.startswith("-")]


def test_a_key_that_is_not_there_is_one_sentence(services: Any, operator: Operator) -> None:
    before = keys(operator)
    done = operator("keys", "withdraw", "khong-co", language="vi_VN.UTF-8")
    assert done.code == 1
    assert "khong-co" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert keys(operator) == before
