"""The lists a password is compared with: compact, read when first asked, whatever is installed."""

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from directory.base.clock import VIETNAM
from idp.factors import passwords
from idp.factors.passwords import Kind, known
from idp.factors.passwords.keystrokes import bare
from idp.factors.passwords.known import Words
from tests import factories


def test_they_hold_the_worlds_and_ours_in_little_room() -> None:
    tracemalloc.start()
    made = Words([*known._vietnamese(), *known._ranked()])
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(made) > 100_000
    assert kept < 4 * 2**20
    assert "zxcvbn" not in sys.modules  # its own dictionaries are ten times as large
    for word, kind in (
        *(("password", Kind.PASSWORD), ("thanhhoa", Kind.PLACE), ("hacthanh", Kind.PLACE)),
        *(("nguyen", Kind.NAME), ("matkhau", Kind.COMMON), ("sonoivu", Kind.OFFICE)),
    ):
        found = made.look(word)
        assert found is not None
        assert found.kind is kind
    assert made.look("xq7hvm2p") is None


def test_debians_dictionary_is_read_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "cracklib-small"
    monkeypatch.setattr(known, "CRACKLIB", there)
    assert list(known._cracklib()) == []
    there.write_text("Zymurgy\naardvark\n", "utf-8")
    found = Words(known._cracklib()).look("zymurgy")
    assert found is not None
    assert found.kind is Kind.WORD


def test_without_the_package_of_lists_ours_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known.importlib.util, "find_spec", lambda _name: None)
    assert not known.has_ranked_lists()
    assert list(known._ranked()) == []


@pytest.mark.parametrize(
    "word",
    [
        *("hanhnth", "hong hanh", "Hoongf Hanhj", "nthh", "12031985", "120385", "1985", "0312"),
        *("0912345678", "912345678", "84912345678", "345678", "nguyen.hanh", "nguyenhanh"),
        *("Phòng Tổng hợp", "tong hop", "vptu", "van phong tinh uy", "Quyf Hopwj", "quỳ hợp"),
    ],
)
def test_her_own_are_what_the_office_knows_of_her(
    database: Any, settings: Any, clock: Any, word: str
) -> None:
    with database.write() as session:
        top = factories.make_unit(session, "Văn phòng Tỉnh ủy", short_name="VPTU")
        unit = factories.make_unit(session, "Phòng Tổng hợp Quỳ Hợp", parent=top)
        user = factories.make_user(
            session,
            "Nguyễn Thị Hồng Hạnh",
            username="hanhnth",
            birth_date="1985-03-12",
            phone="+84912345678",
            email="nguyen.hanh@thanhhoa.example",
        )
        factories.make_assignment(session, user, unit)
        asked = passwords.choosing(
            session, user, settings=settings, now=clock().astimezone(VIETNAM)
        )
    found = asked.own.look(bare(word).replace(" ", ""))
    assert found is not None
    assert found.kind in (Kind.OWN, Kind.UNIT)
    assert asked.own.look("xq7hvm2p") is None
