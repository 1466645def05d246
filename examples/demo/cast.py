"""The officials one signs in as, and where they may sensibly be transferred.

They are drawn from four communes that every size of the sample fills, and from Sở Nội vụ, so
that a small demonstration has the same people in the same places as a large one:

    away       room of a commune    → service centre of the next commune   A disabled, B created
    across     office of a commune  → office of the next commune           A moved
    back       service centre       → room of the next commune             B disabled, A created
    upwards    deputy chairman with a second post → a room of Sở Nội vụ    A moved, B disabled
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMUNES = ("14797", "14845", "15853", "15724")
"""phường Hạc Thành, xã Mường Lát, phường Đông Tiến, xã Đồng Tiến."""
PROVINCE = "TH"
UPWARDS = "TH.UBND.SNV.CQDP"


@dataclass(frozen=True)
class Post:
    """A unit of the sample and a position of its catalogue, by their codes."""

    unit: str
    position: str


@dataclass(frozen=True)
class Reach:
    """An administrator's role: over which subtree, or for which application."""

    role: str
    unit: str | None = None
    application: str | None = None


@dataclass(frozen=True)
class Player:
    """One listed person."""

    source_key: str
    name: str
    post: Post
    part: str
    reaches: tuple[Reach, ...] = ()
    transfer_to: Post | None = None
    record: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Her row of people.csv: what HR knows of her."""

    @property
    def roles(self) -> list[str]:
        """As credentials.json lists them."""
        return [reach.role for reach in self.reaches] or ["official"]


@dataclass
class _People:
    """The sample's people by the place of their primary post, in the order of the file."""

    rows: dict[str, dict[str, str]]
    by_unit: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, folder: Path) -> "_People":
        with (folder / "people.csv").open(encoding="utf-8", newline="") as file:
            people = cls({row["source_key"]: row for row in csv.DictReader(file)})
        moved: set[str] = set()
        with (folder / "assignments.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                person = row["person"]
                if row["valid_to"]:
                    moved.add(person)
                    continue
                people.posts[person] = people.posts.get(person, 0) + 1
                if row["kind"] == "primary":
                    people.by_unit.setdefault(row["unit"], []).append((row["position"], person))
        # Who has a past in another unit would need explaining; the listed people have none.
        people.taken |= moved
        return people

    def player(self, person: str, post: Post, part: str, **more: Any) -> Player:
        """Somebody of the sample in her part."""
        row = self.rows[person]
        return Player(person, row["full_name"], post, part, record=row, **more)

    def take(
        self, unit: str, positions: Iterable[str] = (), *, posts: int = 1
    ) -> tuple[str, str] | None:
        """The first one left in the unit, with exactly so many posts, by order of position."""
        there = self.by_unit.get(unit, [])
        for wanted in positions or dict.fromkeys(position for position, _ in there):
            for position, person in there:
                if position == wanted and person not in self.taken and self.posts[person] == posts:
                    self.taken.add(person)
                    return position, person
        return None


_STAFF = ("CV", "CVC", "CS", "KT", "VT", "CNTT", "NV", "TQ")

_ADMINISTRATORS = (
    (
        "Quản trị hệ thống",
        ("TH.UBND.SNV.VP", "TH.UBND.SNV.CCHC"),
        ("CNTT", "CVC", "CV"),
        Reach("administrator"),
    ),
    (
        "Cán bộ nhân sự toàn tỉnh",
        ("TH.UBND.SNV.CCVC", "TH.UBND.SNV.TCBC"),
        ("TP-SO", "PTP-SO"),
        Reach("hr_officer", unit=PROVINCE),
    ),
    (
        "Cán bộ nhân sự của một phường",
        ("TH.UBND.14797.VHXH",),
        ("TP-XA", "PTP-XA"),
        Reach("hr_officer", unit="TH.UBND.14797"),
    ),
    (
        "Chủ ứng dụng Quản lý văn bản",
        ("TH.UBND.SNV.CCHC", "TH.UBND.SNV.VP"),
        ("TP-SO", "PTP-SO"),
        Reach("application_owner", application="qlvb"),
    ),
    (
        "Kiểm toán viên",
        ("TH.UBND.SNV.TCBC", "TH.UBND.SNV.VP"),
        ("PTP-SO", "TP-SO"),
        Reach("auditor", unit=PROVINCE),
    ),
    (
        "Quản trị hệ thống, người phê duyệt",
        ("TH.UBND.SNV.CCHC", "TH.UBND.SNV.VP"),
        ("CNTT", "CVC", "CV"),
        Reach("administrator"),
    ),
)

_OTHERS = (
    ("Chủ tịch UBND phường", "TH.UBND.14797", ("CT-UBND-XA",), 2),
    ("Bí thư Đảng ủy xã", "TH.TU.14845", ("BT-DU-XA",), 2),
    ("Chánh Văn phòng UBND xã", "TH.UBND.15724.VP", ("CVP-UBND-XA",), 1),
    ("Phó Giám đốc trung tâm", "TH.UBND.15853.TTPVHCC", ("PGD-TTPVHCC-XA",), 1),
    ("Văn thư Văn phòng Đảng ủy", "TH.TU.14797.VP", ("VT",), 1),
    ("Chuyên viên Sở Nội vụ", "TH.UBND.SNV.CQDP", ("CV", "CVC"), 1),
    ("Cán bộ Mặt trận (chưa có ứng dụng)", "TH.MTTQ.14797", ("CV", "CVC"), 1),
    ("Cán bộ Mặt trận (chưa có ứng dụng)", "TH.MTTQ.15724", ("CVC", "CV"), 1),
)


@dataclass(frozen=True)
class Cast:
    """Who takes part."""

    players: list[Player]
    """The listed people: administrators, officials to move, a few others."""
    newcomer: Player
    """Somebody who has not signed in yet: she has a slip and no password."""


def choose(sample: Path) -> Cast:
    """Those of this sample."""
    people = _People.read(sample)
    found = [*_administrators(people), *_movers(people), *_others(people)]
    return Cast([player for player in found if player is not None], _newcomer(people))


def _administrators(people: _People) -> Iterator[Player]:
    for part, units, positions, reach in _ADMINISTRATORS:
        taken = next(((u, t) for u in units if (t := people.take(u, positions))), None)
        if taken is None:
            raise LookupError(f"the sample has nobody for: {part}")
        unit, (position, person) = taken
        yield people.player(person, Post(unit, position), part, reaches=(reach,))


def _movers(people: _People) -> Iterator[Player | None]:
    for commune, following in zip(COMMUNES, COMMUNES[1:] + COMMUNES[:1], strict=True):
        here, there = f"TH.UBND.{commune}", f"TH.UBND.{following}"
        economy = _economy(people, here)
        yield _mover(people, "away", f"{here}.VHXH", Post(f"{there}.TTPVHCC", "CV"))
        yield _mover(people, "away", economy, Post(f"{there}.TTPVHCC", "CV"))
        yield _mover(people, "across", f"{here}.VP", Post(f"{there}.VP", ""))
        yield _mover(people, "across", economy, Post(f"{there}.VHXH", "CV"))
        yield _mover(people, "back", f"{here}.TTPVHCC", Post(f"{there}.VHXH", "CV"))
        taken = people.take(here, ("PCT-UBND-XA",), posts=2)
        if taken is not None:
            position, person = taken
            yield people.player(
                person,
                Post(here, position),
                "upwards",
                transfer_to=Post(UPWARDS, "CVC"),
            )


def _newcomer(people: _People) -> Player:
    unit, positions = "TH.UBND.15724.VHXH", ("PTP-XA", "TP-XA")
    taken = people.take(unit, positions)
    if taken is None:
        raise LookupError("the sample has no newcomer")
    position, person = taken
    return people.player(person, Post(unit, position), "Chưa kích hoạt")


def _economy(people: _People, commune: str) -> str:
    """The economic room: wards and communes name it differently."""
    return next(unit for unit in (f"{commune}.KTHTDT", f"{commune}.KT") if unit in people.by_unit)


def _mover(people: _People, part: str, unit: str, goal: Post) -> Player | None:
    taken = people.take(unit, _STAFF)
    if taken is None:
        return None
    position, person = taken
    goal = Post(goal.unit, goal.position or position)
    return people.player(person, Post(unit, position), part, transfer_to=goal)


def _others(people: _People) -> Iterator[Player]:
    for part, unit, positions, posts in _OTHERS:
        taken = people.take(unit, positions, posts=posts)
        if taken is not None:
            position, person = taken
            yield people.player(person, Post(unit, position), part)
