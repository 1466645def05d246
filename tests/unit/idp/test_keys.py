"""Signing keys: always one that signs, one announced, and the old one until all has expired."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from sqlalchemy import select

from directory.base.audit import Actor
from directory.base.errors import Conflict, InvalidInput, Misconfigured
from idp import keys
from idp.keys import SigningKey, SigningKeys

OPERATOR = Actor.operator("kiểm thử")


def _rotate(services: Any, clock: Any, alg: str = "ES256") -> tuple[str, str]:
    with services.db.write() as session:
        return keys.rotate(session, services.keyring, clock(), alg=alg, actor=OPERATOR)


def _kids(services: Any, clock: Any) -> set[str]:
    found = SigningKeys(services.db, services.keyring)
    return {key["kid"] for key in found.jwks(now=clock())["keys"]}


def test_a_fresh_installation_signs_with_both_and_announces_the_next(
    services: Any, clock: Any
) -> None:
    found = SigningKeys(services.db, services.keyring)
    assert found.algorithms(now=clock()) == ["RS256", "ES256"]
    assert len(found.jwks(now=clock())["keys"]) == 4


def test_ensuring_twice_makes_nothing_more(services: Any, clock: Any) -> None:
    with services.db.write() as session:
        assert keys.ensure_keys(session, services.keyring, clock()) == []
        assert len(keys.ensure_keys(session, services.keyring, clock(), algorithms=["PS256"])) == 2


def test_rotation_signs_with_the_announced_key_and_keeps_the_old_one(
    services: Any, clock: Any
) -> None:
    view = SigningKeys(services.db, services.keyring)
    signer = view.signer("ES256", now=clock())
    text = jwt.encode(signer.header(typ="JWT"), {"a": 1}, signer.key, ["ES256"])
    announced = _kids(services, clock)
    clock.advance(hours=2)
    old, new = _rotate(services, clock)
    assert old == signer.kid
    assert new in announced
    assert view.signer("ES256", now=clock()).kid == new
    assert jwt.decode(text, view.verifying(now=clock()), ["ES256"]).claims == {"a": 1}
    clock.advance(days=2)
    assert old not in _kids(services, clock)


def test_a_key_nobody_can_know_yet_does_not_sign(services: Any, clock: Any) -> None:
    clock.advance(hours=2)
    _rotate(services, clock)
    with pytest.raises(Conflict):
        _rotate(services, clock)


def test_an_algorithm_without_keys_is_refused(services: Any, clock: Any) -> None:
    with pytest.raises(InvalidInput):
        _rotate(services, clock, "PS256")
    with pytest.raises(Misconfigured):
        SigningKeys(services.db, services.keyring).signer("PS256", now=clock())


def test_private_halves_are_sealed(services: Any, clock: Any) -> None:
    with services.db.read() as session:
        for row in session.scalars(select(SigningKey)):
            assert "d" not in row.public
            assert '"d"' not in row.private_sealed
            assert services.keyring.decrypt("signing", row.private_sealed)


def test_a_process_notices_a_rotation_within_half_a_minute(services: Any, clock: Any) -> None:
    view = SigningKeys(services.db, services.keyring)
    clock.advance(hours=2)
    before = view.signer("ES256", now=clock()).kid
    _, new = _rotate(services, clock)
    assert view.signer("ES256", now=clock()).kid == before
    assert view.signer("ES256", now=clock() + timedelta(seconds=31)).kid == new
