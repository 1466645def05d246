"""Lists follow the Vietnamese alphabet, and pages follow one another, whatever the server's locale.

A cluster is made in a locale (``initdb``), a database may have another; PostgreSQL then compares
text as that locale does, where the column does not say how.
"""

import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from directory.base.audit import Actor
from directory.base.db import Database, unpooled
from directory.permissions import Role
from idp.factors import passwords
from idp.run.app import create_app
from idp.run.wiring import build
from tests.browser_client import sign_in
from tests.command_line import Operator, operator
from tests.conftest import missing
from tests.factories import (
    make_application,
    make_assignment,
    make_role,
    make_unit,
    make_user,
)

__all__ = ["operator"]

CASES = Path(__file__).parent / "cases" / "feed"
SERVER = os.environ.get("TEST_DATABASE_URL", "")
ICU = "LOCALE_PROVIDER icu LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' ICU_LOCALE "
LOCALES = {
    "SQLite": "",
    "C": "LOCALE_PROVIDER libc LOCALE 'C'",
    "C.UTF-8": "LOCALE_PROVIDER libc LOCALE 'C.UTF-8'",
    "vi_VN, ICU": ICU + "'vi-VN'",
    "en_US, ICU": ICU + "'en-US'",
    "vi_VN": "LOCALE_PROVIDER libc LOCALE 'vi_VN.UTF-8'",
    "en_US": "LOCALE_PROVIDER libc LOCALE 'en_US.UTF-8'",
}
INSTALLED_SELDOM = ("vi_VN", "en_US")
"""The C library's locales, which a Debian without the package ``locales`` does not have."""
QUICK = ("SQLite", "vi_VN, ICU")
PASSWORD = "bếp củi reo vui sớm mai"

# ---- what is right ---------------------------------------------------------------------------

LETTERS = [*"aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"]
MARKS = ["", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323"]  # ngang huyền hỏi ngã sắc nặng


def dictionary(words: str) -> tuple[list[list[int]], list[list[int]]]:
    """Where words stand in a dictionary: by their letters, and only then by their tones."""
    letters, tones = [], []
    for word in words.lower().split():
        letters.append([])
        tones.append([])
        for char in unicodedata.normalize("NFC", word):
            apart = unicodedata.normalize("NFD", char)
            tone = next((m for m in MARKS[1:] if m in apart), "")
            bare = unicodedata.normalize("NFC", apart.replace(tone, "") if tone else apart)
            letters[-1].append(LETTERS.index(bare))
            tones[-1].append(MARKS.index(tone))
    return letters, tones


def as_people(name: str) -> Any:
    """People stand by given name, then family name, then what is between."""
    family, *middle, given = name.split()
    return dictionary(" ".join([given, family, *middle]))


GIVEN = [
    *("An", "Ân", "Ăn", "Anh", "Ánh", "Ba", "Bá", "Bà", "Bích", "Cao", "Cường", "Dũng", "Duyên"),
    *("Dương", "Đào", "Đạt", "Đức", "Em", "Én", "Êm", "Giang", "Hà", "Hạ", "Hoa", "Hòa", "Hùng"),
    *("Ích", "Kha", "Khánh", "Lan", "Lân", "Mai", "Mơ", "Nam", "Năm", "Ngọc", "Oanh", "Ô", "Ơi"),
    *(
        "Phú",
        "Quý",
        "Rí",
        "Sơn",
        "Tâm",
        "Tấm",
        "Tám",
        "Uyên",
        "Út",
        "Ưu",
        "Vân",
        "Xuân",
        "Yên",
        "Ý",
    ),
]
"""Every letter a name begins with, and names that differ by a mark."""
POSITIONS = ["Ủy viên", "Chuyên viên", "Ẩm thực", "Văn thư", "Đội trưởng", "Dược sĩ", "Ủy viên A"]
APPLICATIONS = ["Đất đai", "Dân cư", "Văn bản", "An sinh", "Ấn chỉ", "Ăn ở"]


# ---- one installation in each locale ---------------------------------------------------------


@pytest.fixture(
    params=[pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in LOCALES]
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of one locale."""
    if request.param == "SQLite":
        yield f"sqlite:///{tmp_path / 'dinhdanh.db'}"
        return
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name = f"locale_{secrets.token_hex(6)}"
    engine = unpooled(SERVER)
    try:
        with engine.connect() as connection:
            try:
                connection.execute(
                    text(
                        f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' "
                        f"{LOCALES[request.param]}"
                    )
                )
            except DBAPIError:
                if request.param not in INSTALLED_SELDOM:
                    raise
                pytest.skip(f"the locale {request.param}.UTF-8 is not installed")
            yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    finally:
        engine.dispose()


@pytest.fixture
def settings(make_settings: Any, tmp_path: Path) -> Any:
    """An installation that has yet to be migrated, with a keyring of its own."""
    return make_settings(keyring_file=tmp_path / "keyring.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The case, with more people and positions."""
    made = tmp_path / "order"
    made.mkdir()
    for file in (CASES / "order").iterdir():
        (made / file.name).write_bytes(file.read_bytes())
    with (made / "people.csv").open("a", encoding="utf-8") as people:
        for number, given in enumerate(sorted(GIVEN, key=lambda g: g[::-1])):
            people.write(f"M{number},Lê Thị {given},1985,,,,\n")
    with (made / "assignments.csv").open("a", encoding="utf-8") as posts:
        for number in range(len(GIVEN)):
            posts.write(f"Q{number},M{number},SNV,CV,primary,2025-07-01,,\n")
    with (made / "positions.csv").open("a", encoding="utf-8") as positions:
        for number, name in enumerate(POSITIONS):
            positions.write(f"X{number},{name},,70,government,false,false,normal\n")
    return made


@pytest.fixture
def office(settings: Any, clock: Any, operator: Operator, folder: Path) -> Iterator[Any]:
    """Migrated and loaded by its command line; a browser in which an administrator has signed in."""
    migrated = operator("migrate", "--name", "Tỉnh Thử Nghiệm")
    assert migrated.code == 0, migrated.said
    loaded = operator("feed", "load", str(folder))
    assert loaded.code == 0, loaded.said
    services = build(settings, clock=clock)
    with services.db.write() as session:
        admin = make_user(session, "Hoàng Văn Dũng")
        make_role(session, admin, Role.ADMINISTRATOR)
        for number, name in enumerate(APPLICATIONS):
            make_application(session, f"u{number}", name=name)
        phc = passwords.hashed(services.passwords, PASSWORD)
        by = Actor.operator("kiểm thử")
        passwords.store(session, admin.id, phc, must_change=False, now=clock(), actor=by)
        username = admin.username
    app = create_app(services)
    app.testing = True
    browser = app.test_client()
    sign_in(browser, username, PASSWORD)
    try:
        yield services.db, browser
    finally:
        services.db.dispose()


def shown(page: Any) -> list[str]:
    """The people of a page, from above."""
    return re.findall(r"<b>([^<]+)</b></a><div class=\"soft small mono\">", page.text)


def everybody(browser: FlaskClient) -> list[list[str]]:
    """The list of people, page by page."""
    pages, address = [], "/console/people"
    while address:
        page = browser.get(address)
        assert page.status_code == 200
        pages.append(shown(page))
        after = re.search(r'href="(/console/people\?[^"]*after=[^"]+)"', page.text)
        address = after[1].replace("&amp;", "&") if after else ""
        assert len(pages) < 20
    return pages


def test_lists_follow_the_alphabet(office: Any) -> None:
    database, browser = office
    pages = everybody(browser)
    assert len(pages) > 1
    people = [name for page in pages for name in page]
    assert len(people) >= len(GIVEN) + 14
    page = browser.get("/console/people").text
    field = page.partition('id="position"')[2].partition("</select>")[0]
    positions = re.findall(r"<option value=\"X\d+\">([^<]+)</option>", field)
    page = browser.get("/console/applications").text
    applications = sorted(APPLICATIONS, key=lambda name: page.index(f">{name}<"))
    found = {"people": people, "positions": positions, "applications": applications}
    right = {
        "people": sorted(people, key=as_people),
        "positions": sorted(POSITIONS, key=dictionary),
        "applications": sorted(APPLICATIONS, key=dictionary),
    }
    assert found == right
    # The kind: whatever is compared, ordered, or kept once is so by its bytes.
    assert database.is_sqlite or columns_of_another_collation(database) == []


@pytest.mark.parametrize("database_url", ["vi_VN, ICU"], indirect=True)
def test_an_installation_that_was_made_before_is_brought_in_order(
    settings: Any, operator: Operator
) -> None:
    """A neighbour: an update's migrate, with keys, references and rows in place."""
    assert operator("migrate", "--name", "Tỉnh Thử Nghiệm").code == 0
    database = Database(settings.database)
    try:
        with database.write() as session:
            make_assignment(session, make_user(session, "Lê Văn Ân"), make_unit(session, "Sở"))
            session.execute(text(AS_THE_SERVER_DOES))
        assert len(columns_of_another_collation(database)) > 100
        for _ in range(2):
            again = operator("migrate")
            assert again.code == 0, again.said
            assert columns_of_another_collation(database) == []
        with database.read() as session:
            assert session.scalars(text("SELECT full_name FROM users")).all() == ["Lê Văn Ân"]
            with pytest.raises(IntegrityError):
                session.execute(text("INSERT INTO change_line (change_id) VALUES ('none')"))
    finally:
        database.dispose()


AS_THE_SERVER_DOES = """
DO $$ DECLARE t text; a text; BEGIN
  FOR t, a IN SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
  LOOP EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE "default"', t, a); END LOOP;
END $$
"""


def columns_of_another_collation(database: Any) -> list[Any]:
    with database.hot() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT c.relname, a.attname FROM pg_attribute a "
                    "JOIN pg_class c ON c.oid = a.attrelid "
                    "JOIN pg_collation l ON l.oid = a.attcollation "
                    "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' "
                    "AND a.attnum > 0 AND l.collname <> 'C' AND c.relname <> 'alembic_version'"
                )
            )
        )
