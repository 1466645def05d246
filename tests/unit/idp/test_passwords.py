"""Passwords are long, not guessable, kept as argon2id, and slips work once."""

from typing import Any

import pytest

from directory.base.audit import Actor
from directory.base.crypto import HashCost, PasswordHasher
from directory.base.errors import InvalidInput, NotFound
from idp.factors import passwords, slips
from tests import factories

OPERATOR = Actor.operator("root")
ABOUT = ("Nguyễn Thị Hồng Hạnh", "hanhnth", "1985-03-12")


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher()


@pytest.mark.parametrize(
    "password",
    [
        "MatKhau@123456",
        "matkhaumatkhau",
        "Mật khẩu của tôi",
        "maatj khaaur 123",
        "NguyenThiHongHanh",
        "hanhnth12031985",
        "ThanhHoa@2026!!",
        "thanhhoa36thanhhoa",
        "qwertyuiopasdfgh",
        "12345678901234",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "P@ssw0rdP@ssw0rd",
        "1qaz2wsx3edc4rfv",
        "dinhdanhvneid2026",
        "nguyentranphamhoang",
    ],
)
def test_guessable_passwords_are_refused(password: str, settings: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.check_strength(password, settings=settings, about=ABOUT)
    assert refused.value.code in ("password_weak", "password_short")


@pytest.mark.parametrize(
    "password",
    [
        "con trâu đội nón lá",
        "bếp củi reo vui sớm mai",
        "xanh-tre-nứa-7-ghềnh",
        "kT9#vLw2!qZm4Rx",
    ],
)
def test_strong_passwords_are_accepted(password: str, settings: Any) -> None:
    passwords.check_strength(password, settings=settings, about=ABOUT)


def test_length_is_that_of_the_settings(make_settings: Any) -> None:
    short = "bếp-củi-reo-7"
    with pytest.raises(InvalidInput, match="14"):
        passwords.check_strength(short, settings=make_settings())
    passwords.check_strength(short, settings=make_settings(password_min=8))


def test_generated_passwords_are_accepted_and_differ(settings: Any) -> None:
    made = {passwords.generate_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(password) > 14
        passwords.check_strength(password, settings=settings, about=ABOUT)


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
    weaker = PasswordHasher(HashCost(passes=2, memory=9 * 1024 * 1024))
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
        # A new slip makes the one before void.
        with pytest.raises(NotFound):
            slips.use(session, keyring, first, now=clock())
        owner = slips.owner(session, keyring, second, now=clock())
        assert owner is not None
        assert owner.id == user.id
        assert slips.use(session, keyring, second, now=clock()) == user.id
        with pytest.raises(NotFound):
            slips.use(session, keyring, second, now=clock())
        third = slips.issue(session, keyring, user.id, now=clock(), lifetime=3600, actor=OPERATOR)
        with pytest.raises(NotFound):
            slips.use(session, keyring, third, now=clock.advance(hours=1))
