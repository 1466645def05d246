"""Finding people: what a query means, who may see whom, pages that neither skip nor repeat."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from directory import permissions, search, tree
from directory.assignments import HeldAs
from directory.base.audit import Actor
from directory.base.errors import InvalidInput, NotFound
from directory.people import UserStatus, citizen_columns
from directory.permissions import Rights, Role
from directory.search import SearchFilter
from directory.units import UnitEdge
from tests.factories import (
    make_assignment,
    make_position,
    make_role,
    make_unit,
    make_user,
)

pytestmark = pytest.mark.both_databases
TODAY = date(2026, 3, 2)
NUMBER = "038190001234"


@dataclass
class Province:
    """Two communes with people, and officers over each."""

    session: Session
    keyring: Any
    root: Any
    ha_trung: Any
    economy: Any
    nga_son: Any
    lan: Any
    hien: Any
    hien2: Any
    gone: Any
    everything: Rights
    ha_trung_only: Rights

    def names(self, words: str = "", rights: Rights | None = None, **wanted: Any) -> list[str]:
        page = search.people(
            self.session,
            rights or self.everything,
            SearchFilter(words=words, **wanted),
            on=TODAY,
            keyring=self.keyring,
        )
        return [row.full_name for row in page.rows]


@pytest.fixture
def province(database: Any, keyring: Any) -> Iterator[Province]:
    with database.write() as session:
        root = make_unit(session, "Tỉnh Thanh Hóa")
        ha_trung = make_unit(
            session, "Ủy ban nhân dân xã Hà Trung", parent=root, codes={"gso": "14758"}
        )
        economy = make_unit(
            session, "Phòng Kinh tế", parent=ha_trung, legal_person=False, tier="internal"
        )
        nga_son = make_unit(session, "Ủy ban nhân dân xã Nga Sơn", parent=root)
        clerk = make_position(session, "CV", "Chuyên viên")
        chair = make_position(session, "CT", "Chủ tịch", rank=10, leadership=True)
        lan = make_user(
            session,
            "Lê Thị Lan",
            phone="+84912345678",
            email="lan@thanhhoa.example",
            birth_date="1990",
            **citizen_columns(keyring, NUMBER),
        )
        hien = make_user(session, "Nguyễn Văn Hiển", birth_date="1980-05-01")
        hien2 = make_user(session, "Nguyễn Văn Hiền", birth_date="1985-05-01")
        gone = make_user(session, "Trần Văn Đức", status=UserStatus.LEFT.value)
        make_assignment(session, lan, economy, clerk)
        make_assignment(session, hien, ha_trung, chair)
        make_assignment(session, hien2, nga_son, chair)
        make_assignment(session, gone, nga_son, clerk, valid_to=date(2025, 1, 1))
        officer = make_user(session, "Phạm Thị Hương")
        make_role(session, officer, Role.HR_OFFICER, ha_trung)
        limited = permissions.rights(session, Actor("user", officer.id, "x"), TODAY)
        everything = permissions.rights(session, Actor.operator("x"), TODAY)
        session.flush()
        yield Province(
            session,
            keyring,
            root,
            ha_trung,
            economy,
            nga_son,
            lan,
            hien,
            hien2,
            gone,
            everything,
            limited,
        )


@pytest.mark.parametrize(
    "words", ["lê thị lan", "Lan Lê", "lan le", "LAN THI", "lê", "la le th", "  lan   lê "]
)
def test_words_of_a_name_are_found_in_any_order_with_or_without_diacritics(
    province: Province, words: str
) -> None:
    assert province.names(words) == ["Lê Thị Lan"]


def test_đ_is_found_as_d(province: Province) -> None:
    assert province.names("duc tran", status=UserStatus.LEFT) == ["Trần Văn Đức"]


def test_the_very_diacritics_asked_for_come_first(province: Province) -> None:
    assert province.names("hiển") == ["Nguyễn Văn Hiển", "Nguyễn Văn Hiền"]
    assert province.names("Hiền") == ["Nguyễn Văn Hiền", "Nguyễn Văn Hiển"]
    assert province.names("HIỂN") == ["Nguyễn Văn Hiển", "Nguyễn Văn Hiền"]


def test_a_username_is_found(province: Province) -> None:
    assert province.names(province.lan.username) == ["Lê Thị Lan"]


@pytest.mark.parametrize("words", ["0912345678", "+84912345678", "84912345678", "0912 345 678"])
def test_a_phone_number_is_found_however_it_is_written(province: Province, words: str) -> None:
    assert province.names(words) == ["Lê Thị Lan"]


def test_an_email_address_is_found_whole_only(province: Province) -> None:
    assert province.names("lan@thanhhoa.example") == ["Lê Thị Lan"]
    assert province.names("an@thanhhoa.example") == []


def test_a_citizen_number_is_found_whole_only(province: Province) -> None:
    assert province.names(NUMBER) == ["Lê Thị Lan"]
    assert province.names("038 190 001 234") == ["Lê Thị Lan"]
    assert province.names(NUMBER[:11]) == []
    assert province.names(NUMBER[:11] + "5") == []


def test_a_unit_code_means_everybody_in_and_below_the_unit(province: Province) -> None:
    assert sorted(province.names("gso:14758")) == ["Lê Thị Lan", "Nguyễn Văn Hiển"]
    assert sorted(province.names("14758")) == ["Lê Thị Lan", "Nguyễn Văn Hiển"]


@pytest.mark.parametrize("words", ["%", "_", "zzz", "!!!", "' OR 1=1 --", "\\"])
def test_signs_and_unknown_words_find_nobody(province: Province, words: str) -> None:
    assert province.names(words) == []


def test_filters_narrow_together(province: Province) -> None:
    assert province.names(unit_id=province.ha_trung.id, position="CT") == ["Nguyễn Văn Hiển"]
    assert province.names(unit_id=province.economy.id, position="CT") == []
    assert province.names(status=UserStatus.LEFT) == ["Trần Văn Đức"]


def test_a_delegated_officer_finds_only_people_of_her_subtree(province: Province) -> None:
    assert sorted(province.names(rights=province.ha_trung_only)) == [
        "Lê Thị Lan",
        "Nguyễn Văn Hiển",
    ]
    assert province.names("hiền", province.ha_trung_only) == ["Nguyễn Văn Hiển"]
    assert province.names(unit_id=province.nga_son.id, rights=province.ha_trung_only) == []


def test_somebody_without_a_role_finds_nobody(province: Province) -> None:
    nobody = permissions.rights(province.session, Actor("user", province.lan.id, "lan"), TODAY)
    assert province.names(rights=nobody) == []


def test_homonyms_are_told_apart_by_unit_and_birth_year(province: Province) -> None:
    rows = search.people(
        province.session,
        province.everything,
        SearchFilter("nguyen van hien"),
        on=TODAY,
        keyring=province.keyring,
    ).rows
    assert {(r.birth_year, r.held.unit.name if r.held else "") for r in rows} == {
        ("1980", "Ủy ban nhân dân xã Hà Trung"),
        ("1985", "Ủy ban nhân dân xã Nga Sơn"),
    }


def test_a_room_is_shown_with_the_agency_it_belongs_to(province: Province) -> None:
    [row] = search.people(
        province.session,
        province.everything,
        SearchFilter("lan le"),
        on=TODAY,
        keyring=province.keyring,
    ).rows
    assert (row.held and row.held.unit.name, row.owner) == (
        "Phòng Kinh tế",
        "Ủy ban nhân dân xã Hà Trung",
    )


@pytest.mark.parametrize("words", ["", "nguyễn"])
def test_pages_give_everybody_once_in_one_order(province: Province, words: str) -> None:
    with_marks = [
        make_user(province.session, f"Nguyễn Văn {n}") for n in ("An", "Ân", "An", "Bình", "An")
    ]
    for user in with_marks:
        make_assignment(province.session, user, province.nga_son)
    without = make_user(province.session, "Nguyen Van An")
    make_assignment(province.session, without, province.nga_son)
    whole = search.people(
        province.session,
        province.everything,
        SearchFilter(words),
        on=TODAY,
        keyring=province.keyring,
        limit=100,
    )
    assert whole.after is None
    seen: list[int] = []
    after: str | None = None
    while True:
        page = search.people(
            province.session,
            province.everything,
            SearchFilter(words),
            on=TODAY,
            keyring=province.keyring,
            after=after,
            limit=2,
        )
        seen += [r.id for r in page.rows]
        after = page.after
        if after is None:
            break
    assert seen == [r.id for r in whole.rows]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("after", ["x", "W10", "WzEsMiwzXQ", "é", "A" * 300, "WzAsIlx1MDAwMCIsMV0"])
def test_a_made_up_page_mark_is_refused(province: Province, after: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        search.people(
            province.session,
            province.everything,
            SearchFilter(),
            on=TODAY,
            keyring=province.keyring,
            after=after,
        )
    assert refused.value.field == "after"


def test_a_former_officer_sees_only_the_closed_assignment(province: Province) -> None:
    moved = make_user(province.session, "Đỗ Thị Mai")
    make_assignment(province.session, moved, province.economy, valid_to=date(2026, 3, 1))
    make_assignment(province.session, moved, province.nga_son, valid_from=date(2026, 3, 1))
    seen = search.person(province.session, province.ha_trung_only, moved.id, on=TODAY)
    assert not seen.full
    assert [h.unit.id for h in seen.timeline] == [province.economy.id]
    assert search.person(province.session, province.everything, moved.id, on=TODAY).full


def test_a_person_outside_the_reach_is_not_found(province: Province) -> None:
    with pytest.raises(NotFound):
        search.person(province.session, province.ha_trung_only, province.hien2.id, on=TODAY)


def test_the_day_of_leaving_counts_from_that_day_on(province: Province) -> None:
    province.lan.leaves_on = TODAY
    assert search.status_on(province.lan, TODAY) == UserStatus.LEFT
    assert search.status_on(province.lan, date(2026, 3, 1)) == UserStatus.ACTIVE


def test_the_tree_counts_each_person_once_all_the_way_up(province: Province) -> None:
    make_assignment(province.session, province.lan, province.ha_trung, kind=HeldAs.CONCURRENT.value)
    [top] = tree.below(province.session, province.everything, None, on=TODAY)
    assert (top.unit.id, top.people) == (province.root.id, 3)
    counts = {
        n.unit.id: n.people
        for n in tree.below(province.session, province.everything, province.root.id, on=TODAY)
    }
    assert counts == {province.ha_trung.id: 2, province.nga_son.id: 1}


def test_the_tree_of_an_earlier_day_follows_the_edges_of_that_day(province: Province) -> None:
    session = province.session
    edge = session.query(UnitEdge).filter_by(unit_id=province.economy.id).one()
    edge.valid_to = TODAY
    session.add(
        UnitEdge(
            unit_id=province.economy.id,
            parent_id=province.nga_son.id,
            valid_from=TODAY,
            valid_to=None,
        )
    )
    session.flush()

    def under(unit: Any, on: date) -> list[int]:
        return [n.unit.id for n in tree.below(session, province.everything, unit.id, on=on)]

    assert under(province.ha_trung, date(2026, 3, 1)) == [province.economy.id]
    assert under(province.ha_trung, TODAY) == []
    assert under(province.nga_son, TODAY) == [province.economy.id]


def test_a_delegated_officers_tree_begins_at_her_unit(province: Province) -> None:
    [top] = tree.below(province.session, province.ha_trung_only, None, on=TODAY)
    assert top.unit.id == province.ha_trung.id
    with pytest.raises(NotFound):
        tree.unit(province.session, province.ha_trung_only, province.root.id)


def test_units_are_found_by_words_or_code_within_reach(province: Province) -> None:
    def found(words: str, rights: Rights) -> list[int]:
        return [u.id for u in tree.units_named(province.session, rights, words, on=TODAY)]

    assert found("trung ha", province.everything) == [province.ha_trung.id]
    assert found("gso:14758", province.everything) == [province.ha_trung.id]
    assert found("nga son", province.ha_trung_only) == []
