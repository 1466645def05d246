"""Passwords are long, not guessable, kept as argon2id, and slips work once."""

import unicodedata
from typing import Any

import pytest

from directory.base.audit import Actor
from directory.base.errors import InvalidInput
from directory.base.hashing import Cost, PasswordHasher
from idp.factors import passwords, slip_use, slips
from idp.factors.passwords.own import words_of
from tests import factories

OPERATOR = Actor.operator("root")


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher()


@pytest.fixture
def choosing(make_settings: Any) -> Any:
    def make(*, second_factor: bool = False, **settings: Any) -> passwords.Choosing:
        by = passwords.rule(make_settings(**settings), second_factor=second_factor)
        return passwords.Choosing(by, words_of("Nguyễn Thị Hồng Hạnh"), None)

    return make


def test_length_is_that_of_the_settings(choosing: Any, hasher: PasswordHasher) -> None:
    short = "bếp-củi-reo-7"
    with pytest.raises(InvalidInput, match="14"):
        choosing().hash(hasher, short, again=short)
    choosing(second_factor=True).hash(hasher, short, again=short)
    with pytest.raises(InvalidInput, match="20"):
        choosing(second_factor=True, password_min_beside_second=20).hash(hasher, short, again=short)


def test_length_is_that_of_the_canonical_form(choosing: Any, hasher: PasswordHasher) -> None:
    """Fourteen keys of a keyboard that sends marks apart are no fourteen characters."""
    apart = unicodedata.normalize("NFD", "ghềnh thác 7")
    assert len(apart) > 14
    with pytest.raises(InvalidInput, match="14"):
        choosing().hash(hasher, apart, again=apart)


def test_two_spellings_typed_one_after_the_other_are_the_same(
    choosing: Any, hasher: PasswordHasher
) -> None:
    old, new = "bếp lửa reo hòa thuận 7", "bếp lửa reo hoà thuận 7"
    choosing().hash(hasher, old, again=new)
    with pytest.raises(InvalidInput) as refused:
        choosing().hash(hasher, old, again=new + " ")
    assert refused.value.field == "again"


def test_generated_passwords_are_accepted_and_differ(choosing: Any) -> None:
    made = {passwords.generate_password() for _ in range(200)}
    assert len(made) == 200
    asked = choosing()
    assert all(asked.judged(password).accepted for password in made)


def test_two_spellings_of_one_password_are_one(hasher: PasswordHasher) -> None:
    composed, decomposed = "b\u1ebfp c\u1ee7i reo", "be\u0302\u0301p cu\u0309i reo"
    assert composed != decomposed
    found = passwords.Candidate(
        1, "u", "U", 1, passwords.hashed(hasher, composed), must_change=False
    )
    assert passwords.verify(hasher, found, decomposed)


def test_nobody_never_fits(hasher: PasswordHasher) -> None:
    assert not passwords.verify(hasher, None, "anything")
    assert not passwords.verify(hasher, None, "")


@pytest.mark.both_databases
def test_a_password_is_set_read_and_replaced(
    database: Any, clock: Any, hasher: PasswordHasher
) -> None:
    with database.write() as session:
        user = factories.make_user(session)
        for password in ("first-one", "second-one"):
            passwords.set_password(
                session, hasher, user.id, password, must_change=True, now=clock(), actor=OPERATOR
            )
    with database.hot() as connection:
        found = passwords.candidate(connection, f" {user.username.upper()} ")
    assert found is not None
    assert found.must_change
    assert found.user_epoch == user.access_epoch
    assert passwords.verify(hasher, found, "second-one")
    assert not passwords.verify(hasher, found, "first-one")


def test_a_hash_of_other_parameters_is_made_anew(database: Any, clock: Any) -> None:
    today = PasswordHasher()
    weaker = PasswordHasher(Cost(passes=2, memory=9 * 1024 * 1024))
    with database.write() as session:
        user = factories.make_user(session)
        passwords.set_password(session, weaker, user.id, "old", must_change=False, now=clock())
        found = passwords.candidate(session, user.username)
        assert found is not None
        assert found.hash is not None
        renewed = _renewed(today, found)
        assert renewed is not None
        passwords.replace_hash(session, user.id, old=found.hash, new=renewed)
        found = passwords.candidate(session, user.username)
        assert found is not None
        assert _renewed(today, found) is None


def _renewed(hasher: PasswordHasher, found: passwords.Candidate) -> str | None:
    typed = passwords.Typed(hasher, "old")
    assert typed.fits(found)
    return typed.renewed()


@pytest.mark.both_databases
def test_a_slip_works_once_and_in_time(database: Any, keyring: Any, clock: Any) -> None:
    with database.write() as session:
        user = factories.make_user(session)
        factories.make_assignment(session, user, factories.make_unit(session))
        first, second = (
            slips.issue(session, keyring, user.id, now=clock(), lifetime=3600, actor=OPERATOR)
            for _ in range(2)
        )
    with database.write() as session:

        def use(code: str) -> int:
            slip = slips.by_code(session, keyring, code)
            assert slip is not None
            return slip_use.use(session, slip.id, now=clock())

        # A new slip makes the one before void.
        with pytest.raises(InvalidInput, match="phiếu mới hơn"):
            use(first)
        assert use(second) == user.id
        with pytest.raises(InvalidInput, match="đã dùng"):
            use(second)
        third = slips.issue(session, keyring, user.id, now=clock(), lifetime=3600, actor=OPERATOR)
        clock.advance(hours=1)
        with pytest.raises(InvalidInput, match="hết hạn"):
            use(third)
