"""Password hashes of other systems: brought in whole or not at all, looked at once, then ours.

The hashes below were made by the programs named, never by us: OpenSSL 3.0, OpenLDAP 2.5 (slappasswd),
libpass 1.9, Django 5.2, and the vectors of Openwall's crypt_blowfish.
"""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from directory.base.audit import AuditEntry, Tag
from directory.base.errors import InvalidInput
from directory.people import UserStatus
from idp.factors import passwords
from idp.factors.passwords import PasswordCredential, foreign, sha512_crypt
from tests import factories
from tests.browser_client import Page, open_login, sign_in, submit
from tests.command_line import Operator, operator

__all__ = ["operator"]

PASSWORD = "mật khẩu cũ 1"
HASHES = {
    "openssl passwd -6": "$6$abcdef$ExCJH6znABo8Pz39UUj62yzFp/UJEgsuY7PCVeehsqpdZ2X5CNRwbzdecpzNWHrS79.b7bdsfwwCsJGaXylWT0",
    "libpass sha512_crypt": "$6$rounds=1500$DRHl98nrlnacF7iB$RTNEw97j.evdOqeVnL0zavWFzkNTfITRY/y3KbnKCZhnC7vagWEBr8cQNI7y4d2.hK7C.G98jRJghYBvpKkQZ1",
    "in a directory": "{CRYPT}$6$abcdef$ExCJH6znABo8Pz39UUj62yzFp/UJEgsuY7PCVeehsqpdZ2X5CNRwbzdecpzNWHrS79.b7bdsfwwCsJGaXylWT0",
    "slappasswd {SSHA}": "{SSHA}WOSwVlZpgKTelgwN5sk2WPDzmsdEzpF5",
    "slappasswd {SSHA256}": "{SSHA256}nUpCmdd4mPs1sEjZqdzxnG4Pelv0zsH2bnlTcN/oS0K6tU+QSx1xZA==",
    "slappasswd {SSHA384}": "{SSHA384}v0h0HiV7JqSLOzNgoFDRfqyiFJH2h4bfbr15/iVl9dluWjgCGaejn4LqGKoeRbzZa1SXV1yKq7w=",
    "slappasswd {SSHA512}": "{SSHA512}WR32kyD7C1xoWiObLkXKGGJLAbbTNkezpT3GQKLeBsHDkvB1yL2clznkp7qIqQbGvn6YporPgX32A12zNZnwTN36xxfBHuLY",
    "libpass {SSHA}": "{ssha}yKNkXbrxhOR1qAlJPShEoietmUEP4Rxj",
    "libpass pbkdf2_sha1": "$pbkdf2$1000$yLk3Rqi19n7vHeM85/x/jw$KTrW1KYU2G9f4fEaW5KhoK9ixBk",
    "libpass pbkdf2_sha256": "$pbkdf2-sha256$1000$3dv7HwOA8N4bI8R4j/He2w$JlHKGO23Asq1BradaIs26CTCl5VbEwAbd8/EtcHM8NM",
    "a PHC string": "$pbkdf2-sha256$i=1000,l=32$3dv7HwOA8N4bI8R4j/He2w$JlHKGO23Asq1BradaIs26CTCl5VbEwAbd8/EtcHM8NM",
    "libpass pbkdf2_sha512": "$pbkdf2-sha512$1000$DaG0NiYE4NybkxJCyPk/pw$ibaUDKHoMIiANYNitpGP3XJ.5qD2uXzIsMm4nPEmeePobm0qP6imjb35Zqk39TUduiT3e2/md4FyBLtCcQKYTw",
    "libpass {PBKDF2}": "{PBKDF2}1000$zvnfu9faOyeE8J4zxljLOQ$SbJ3aLw6pH2yTQAJrUWer.d1Mk8",
    "libpass {PBKDF2-SHA256}": "{PBKDF2-SHA256}1000$LaXUGmPs3ZtzTonR.h8jRA$Bul.36ZQTyiq61cy1r/ISmgOsbnRDkDQQ2urI66abZM",
    "libpass {PBKDF2-SHA512}": "{PBKDF2-SHA512}1000$8V6rNWbMOQdgbM0ZIySE8A$PBtg96c6C2XQlFyp48sj6rJdlin7DMkytxARoRXDhWNh4uKzYMGElm1abereaKUSrHCdotwP.E5PKy0KcitUpg",
    "Django PBKDF2": "pbkdf2_sha256$1000$NaCl$qumUt+LiyYBr1wRpMz8NaqM7/7t3TflNLptkyTDcCbg=",
    "Django PBKDF2SHA1": "pbkdf2_sha1$1000$NaCl$am8JgcFYW4LX6uDCDH2aXrizH9I=",
    "Django BCrypt": "bcrypt$$2b$05$PoduPRJkfWN7Qbx4ScVs1eaVQAGD.d/KQ3KEvzMPQbjhwarYRJN9S",
    "PHP's name of bcrypt": "$2y$05$PoduPRJkfWN7Qbx4ScVs1eaVQAGD.d/KQ3KEvzMPQbjhwarYRJN9S",
    "Django Argon2": "argon2$argon2id$v=19$m=64,t=1,p=2$c29tZXNhbHQ$fB2Lmv52nxtwQwgEWwD/NcMDY28DuXal6HWg+n670Fs",
}
REFUSED = {
    "hash_unknown": (
        *(
            "",
            "mật khẩu",
            "!",
            "*",
            "x",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "{MD5}X03MO1qnZdYdgyfeuILPmQ==",
        ),
        *(
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$1$abc$Xi6oGzYFYz8gZ8Pj0XuDZ.",
            "$5$abc$def",
            "$6$abc$short",
        ),
        *(
            "$2b$05$tooshort",
            "$2x$05$" + "a" * 53,
            "$2b$03$" + "a" * 53,
            "{SSHA}WOSwVlZpgKTelgwN5sk2WPDzms==",
        ),
        *(
            "{SSHA}!!!!",
            "$pbkdf2-md5$1000$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA",
            "pbkdf2_sha256$0$NaCl$qumUt+LiyYBr1wRpMz8N",
        ),
        *(
            "pbkdf2_sha256$1000$NaCl$qumU",
            "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$fB2Lmv52nxtwQwgEWwD",
            "$y$j9T$abc$def",
        ),
    ),
    "hash_costly": (
        "$2b$15$" + "a" * 53,
        "$pbkdf2-sha256$9000000$3dv7HwOA8N4bI8R4j/He2w$JlHKGO23Asq1BradaIs26CTCl5VbEwAbd8/EtcHM8NM",
        "$6$rounds=9000000$abcdef$" + "a" * 86,
        "$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHQ$fB2Lmv52nxtwQwgEWwD/NcMDY28DuXal6HWg+n670Fs",
        "$argon2id$v=19$m=65536,t=300,p=1$c29tZXNhbHQ$fB2Lmv52nxtwQwgEWwD/NcMDY28DuXal6HWg+n670Fs",
    ),
}


@pytest.fixture
def people(services: Any) -> list[Any]:
    with services.db.write() as session:
        unit = factories.make_unit(session)
        found = [factories.make_user(session) for _ in range(4)]
        for user in found:
            factories.make_assignment(session, user, unit)
        return found


@pytest.fixture
def give(services: Any) -> Callable[..., None]:
    """A person has this hash."""

    def stored(user: Any, text: str) -> None:
        with services.db.write() as session:
            session.add(
                PasswordCredential(
                    user_id=user.id,
                    hash=foreign.accepted(text),
                    must_change=False,
                    set_at=services.clock(),
                    changed_by="operator:root",
                )
            )

    return stored


def hash_of(services: Any, user: Any) -> str:
    with services.db.read() as session:
        return str(session.get_one(PasswordCredential, user.id).hash)


# ---- hashes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("maker", HASHES)
def test_who_had_it_there_signs_in_here_once_by_it_and_then_by_ours(
    client: FlaskClient, services: Any, people: list[Any], give: Any, maker: str
) -> None:
    user = people[0]
    give(user, HASHES[maker])
    for wrong in ("mật khẩu cũ 2", PASSWORD + " ", ""):
        with pytest.raises(Page):
            sign_in(client, user.username, wrong)
    sign_in(client, user.username, PASSWORD)
    assert client.get("/session/status").status_code == 200
    renewed = hash_of(services, user)
    assert renewed.startswith("$argon2id$")
    assert not services.passwords.needs_rehash(renewed)
    sign_in(client.application.test_client(), user.username, PASSWORD)
    assert hash_of(services, user) == renewed


@pytest.mark.parametrize(
    ("code", "text"), [(code, text) for code, texts in REFUSED.items() for text in texts]
)
def test_what_is_no_such_hash_or_costs_seconds_is_refused(code: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        foreign.accepted(text, row=7)
    assert (refused.value.code, refused.value.field, refused.value.row) == (code, "hash", 7)
    assert "$" not in str(refused.value)


def test_bcrypt_looks_at_no_more_than_72_bytes() -> None:
    """The vectors of crypt_blowfish, and a password of 25 letters that the library would not take."""
    long = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    stored = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
    assert foreign.fits(stored, long + "chars after 72 are ignored")
    assert foreign.fits(stored, long)
    assert not foreign.fits(stored, long[:-1] + "x")
    assert foreign.fits("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U")
    assert not foreign.fits(stored, "ế" * 25)
    assert not foreign.fits(stored, "a\0b")


def test_sha_512_crypt_is_that_of_its_author() -> None:
    for password, stored in (
        (
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        ),
        (
            "This is just a test",
            "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0",
        ),
        (
            "the minimum number is still observed",
            "$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
        ),
    ):
        assert sha512_crypt.fits(stored, password.encode())
        assert not sha512_crypt.fits(stored, password.encode() + b".")
        assert not sha512_crypt.fits(stored, b"x" * 513)


@pytest.mark.parametrize("typed", [PASSWORD, unicodedata.normalize("NFD", "thủy chung 1")])
def test_a_foreign_hash_costs_as_many_of_ours_as_any(
    services: Any, people: list[Any], give: Any, typed: str
) -> None:
    hasher, looks = services.passwords, []

    class Counting(type(hasher)):  # type: ignore[misc]
        def verify(self, stored: str | None, password: str, *, first: bool = False) -> bool:
            looks.append(stored)
            return bool(super().verify(stored, password, first=first))

    give(people[0], HASHES["slappasswd {SSHA512}"])
    counting = Counting()
    counted = []
    for username in (people[0].username, people[1].username, "khongcoai"):
        with services.db.hot() as connection:
            found = passwords.candidate(connection, username)
        looks.clear()
        assert not passwords.verify(counting, found, typed + "x")
        counted.append(len(looks))
    assert len(set(counted)) == 1


def test_the_other_system_hashed_what_was_typed_byte_for_byte(
    client: FlaskClient, services: Any, people: list[Any], give: Any
) -> None:
    """libpass pbkdf2_sha256 of «thủy chung 1» with its marks apart, as a Mac types them."""
    import base64
    import hashlib

    apart = unicodedata.normalize("NFD", "thủy chung 1")
    digest = hashlib.pbkdf2_hmac("sha256", apart.encode(), b"NaCl", 1000)
    give(people[0], f"pbkdf2_sha256$1000$NaCl${base64.b64encode(digest).decode()}")
    with pytest.raises(Page):
        sign_in(client, people[0].username, "thuỷ chung 1")
    sign_in(client, people[0].username, apart)
    # From now on it is one password, whichever keyboard types it.
    sign_in(client.application.test_client(), people[0].username, "thuỷ chung 1")


# ---- the command -----------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_file_is_brought_in_whole(
    operator: Operator, services: Any, people: list[Any], tmp_path: Path, client: FlaskClient
) -> None:
    file = tmp_path / "old.csv"
    rows = [
        f'{user.username.upper()},"{text}"'
        for user, text in zip(people, HASHES.values(), strict=False)
    ]
    file.write_text("username,hash\n" + "\n".join(rows[:3]) + "\n", "utf-8")
    told = operator("passwords", "import", str(file))
    assert told.code == 0, told.said
    assert "3 people" in told.out
    with services.db.read() as session:
        assert session.scalar(select(func.count()).select_from(PasswordCredential)) == 3
        told_of = select(AuditEntry).where(AuditEntry.tag == Tag.PASSWORD_SET.value)
        assert {entry.actor_kind for entry in session.scalars(told_of)} == {"operator"}
    assert "3 passwords of another system" in operator("check").out
    sign_in(client, people[0].username, PASSWORD)
    assert "2 passwords of another system" in operator("check").out
    again = operator("passwords", "import", str(file))
    assert again.code == 1
    assert "old.csv:2: username: This person has a password already." in again.err


@pytest.mark.both_databases
def test_every_wrong_row_is_named_and_nothing_is_brought_in(
    operator: Operator, services: Any, people: list[Any], tmp_path: Path, give: Any
) -> None:
    give(people[1], HASHES["Django PBKDF2"])
    with services.db.write() as session:
        left = factories.make_user(session, status=UserStatus.LEFT.value)
    good = HASHES["slappasswd {SSHA}"]
    file = tmp_path / "old.csv"
    rows = (
        *(f"{people[0].username},{good}", f"khongcoai,{good}", f"{people[1].username},{good}"),
        *(
            f"{people[2].username},$1$abc$def",
            f"{people[0].username},{good}",
            f"{left.username},{good}",
        ),
        *(
            f"{people[3].username}",
            "argon,$argon2id$v=19$m=64,t=1,p=2$a$b",
            f"{people[2].username},$2b$15${'a' * 53}",
        ),
    )
    file.write_text("username,hash\n" + "\n".join(rows), "utf-8")
    told = operator("passwords", "import", str(file))
    assert told.code == 1
    lines = told.err.splitlines()
    assert [line.split(":")[1] for line in lines[:-1]] == ["3", "4", "5", "6", "7", "8", "9", "10"]
    assert "Rows that are wrong: 8" in lines[-1]
    assert good not in told.said
    with services.db.read() as session:
        assert session.scalars(select(PasswordCredential.user_id)).all() == [people[1].id]


def test_a_file_that_is_no_table_is_refused(operator: Operator, tmp_path: Path) -> None:
    for text in ("", "user;password\n", "username,hash,note\n"):
        (tmp_path / "old.csv").write_text(text, "utf-8")
        told = operator("passwords", "import", str(tmp_path / "old.csv"))
        assert (told.code, "username,hash" in told.err) == (1, True), told.said


def test_whoever_must_change_does(
    operator: Operator, people: list[Any], tmp_path: Path, client: FlaskClient
) -> None:
    file = tmp_path / "old.csv"
    file.write_text(f"username,hash\n{people[0].username},{HASHES['slappasswd {SSHA}']}\n", "utf-8")
    assert operator("passwords", "import", "--must-change", str(file)).code == 0
    answer = submit(client, open_login(client), username=people[0].username, password=PASSWORD)
    assert 'id="again"' in client.get(answer.headers["Location"]).text
