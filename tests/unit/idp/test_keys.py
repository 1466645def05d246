"""Signing keys: always one that signs, one announced, and the old one until all has expired."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from sqlalchemy import delete, select

from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.errors import Conflict, InvalidInput, Misconfigured
from idp.oidc import signing_keys
from idp.oidc.known_keys import SigningKeys
from idp.oidc.signing_keys import SigningKey
from idp.run import housekeeping, wiring

OPERATOR = Actor.operator("kiểm thử")


def _rotate(services: Any, clock: Any, alg: str = "ES256") -> tuple[str, str]:
    with services.db.write() as session:
        return signing_keys.rotate(session, services.keyring, clock(), alg=alg, actor=OPERATOR)


def _kids(services: Any, clock: Any) -> set[str]:
    found = SigningKeys(services.db, services.keyring).now()
    return {key["kid"] for key in found.jwks(now=clock())["keys"]}


def test_a_fresh_installation_signs_with_each_algorithm_and_announces_the_next(
    services: Any, clock: Any
) -> None:
    found = SigningKeys(services.db, services.keyring).now()
    assert found.algorithms() == ["RS256", "ES256", "PS256"]
    assert len(found.jwks(now=clock())["keys"]) == 6


def test_ensuring_twice_makes_nothing_more_and_replaces_what_is_missing(
    services: Any, clock: Any
) -> None:
    with services.db.write() as session:
        assert signing_keys.ensure_keys(session, services.keyring, clock()) == []
        session.execute(delete(SigningKey).where(SigningKey.alg == "PS256"))
        assert len(signing_keys.ensure_keys(session, services.keyring, clock())) == 2


PUBLIC = {"RSA": {"kty", "n", "e"}, "EC": {"kty", "crv", "x", "y"}}


def test_a_published_key_has_its_public_members_and_says_what_it_is_for(
    services: Any, clock: Any
) -> None:
    for key in SigningKeys(services.db, services.keyring).now().jwks(now=clock())["keys"]:
        assert key.keys() == PUBLIC[key["kty"]] | {"kid", "alg", "use"}
        assert key["use"] == "sig"
        # RFC 7638: the key id is the key's own thumbprint.
        assert key["kid"] == (ECKey if key["kty"] == "EC" else RSAKey).import_key(key).thumbprint()


def test_rotation_signs_with_the_announced_key_and_keeps_the_old_one(
    services: Any, clock: Any
) -> None:
    view = SigningKeys(services.db, services.keyring)
    signer = view.signer("ES256")
    text = jwt.encode(signer.header(typ="JWT"), {"a": 1}, signer.key, ["ES256"])
    announced = _kids(services, clock)
    clock.advance(hours=2)
    old, new = _rotate(services, clock)
    assert old == signer.kid
    assert new in announced
    assert view.signer("ES256").kid == new
    assert jwt.decode(
        text, KeySet.import_key_set(view.now().jwks(now=clock())), ["ES256"]
    ).claims == {"a": 1}
    clock.advance(days=2)
    assert old not in _kids(services, clock)


def test_a_key_nobody_can_know_yet_does_not_sign(services: Any, clock: Any) -> None:
    clock.advance(hours=2)
    _rotate(services, clock)
    with pytest.raises(Conflict):
        _rotate(services, clock)


def test_the_first_rotation_need_not_wait(services: Any, clock: Any) -> None:
    """Both keys of a new installation have been published from its first moment."""
    announced = _kids(services, clock)
    clock.advance(minutes=1)
    _, new = _rotate(services, clock)
    assert new in announced
    clock.advance(minutes=1)
    with pytest.raises(Conflict):
        _rotate(services, clock)


def test_an_algorithm_without_keys_is_refused(services: Any, clock: Any) -> None:
    with services.db.write() as session:
        session.execute(delete(SigningKey).where(SigningKey.alg == "PS256"))
    with pytest.raises(InvalidInput):
        _rotate(services, clock, "PS256")
    with pytest.raises(Misconfigured):
        SigningKeys(services.db, services.keyring).signer("PS256")


def test_private_halves_are_sealed(services: Any, clock: Any) -> None:
    with services.db.read() as session:
        for row in session.scalars(select(SigningKey)):
            assert "d" not in row.public
            assert '"d"' not in row.private_sealed
            assert services.keyring.decrypt("signing", row.private_sealed)


def test_a_process_signs_by_the_rotation_that_its_request_has_seen(
    services: Any, clock: Any
) -> None:
    view = SigningKeys(services.db, services.keyring)
    clock.advance(hours=2)
    before = view.now()
    assert view.signer("ES256", before.stamp).kid == view.signer("ES256").kid
    _, new = _rotate(services, clock)
    after = SigningKeys(services.db, services.keyring).now()
    assert after.stamp != before.stamp
    assert view.signer("ES256", after.stamp).kid == new


# ---- by age ----------------------------------------------------------------------------------


def _signing(services: Any, clock: Any) -> dict[str, str]:
    view = SigningKeys(services.db, services.keyring)
    return {alg: view.signer(alg).kid for alg in signing_keys.ALGORITHMS}


def test_a_key_signs_for_as_many_days_as_is_set_and_not_one_more(services: Any, clock: Any) -> None:
    first = _signing(services, clock)
    clock.advance(days=89, hours=23)
    housekeeping.rotate_keys(services, clock())
    assert _signing(services, clock) == first
    clock.advance(hours=1)
    announced = _kids(services, clock)
    housekeeping.rotate_keys(services, clock())
    second = _signing(services, clock)
    assert not set(second.values()) & set(first.values())
    # Whoever keeps a copy of our keys has known the new ones for ninety days.
    assert set(second.values()) <= announced
    clock.advance(days=89)
    housekeeping.rotate_keys(services, clock())
    assert _signing(services, clock) == second
    clock.advance(days=1)
    housekeeping.rotate_keys(services, clock())
    assert not set(_signing(services, clock).values()) & set(second.values())


def test_a_replaced_key_stays_published_until_what_it_signed_has_run_out(
    make_settings: Any, clock: Any
) -> None:
    long = make_settings(access_token_lifetime=3 * 86400, signing_key_days=1)
    has = wiring.build(long, clock=clock)
    old = _signing(has, clock)["RS256"]
    clock.advance(days=2)
    housekeeping.rotate_keys(has, clock())
    clock.advance(days=4)
    assert old in _kids(has, clock)
    clock.advance(hours=2)
    assert old not in _kids(has, clock)
    has.db.dispose()


def test_two_workers_replace_a_key_once(services: Any, clock: Any) -> None:
    clock.advance(days=90)
    housekeeping.rotate_keys(services, clock())
    after = _signing(services, clock)
    with services.db.read() as session:
        assert signing_keys.due(session, clock(), age=timedelta(days=90)) == []
    with pytest.raises(Conflict):
        _rotate(services, clock)
    housekeeping.rotate_keys(services, clock())
    assert _signing(services, clock) == after


def test_a_rotation_is_in_the_audit_trail(services: Any, clock: Any) -> None:
    clock.advance(days=90)
    housekeeping.rotate_keys(services, clock())
    with services.db.read() as session:
        found = session.scalars(
            select(AuditEntry).where(AuditEntry.tag == Tag.KEY_ROTATE.value)
        ).all()
    assert sorted(entry.data["alg"] for entry in found) == sorted(signing_keys.ALGORITHMS)
    assert {entry.actor_kind for entry in found} == {"system"}
