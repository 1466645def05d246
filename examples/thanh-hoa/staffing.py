"""Who fills what: leadership posts first, then staff, for any number of people.

A small number fills a few agencies of the province and a few communes; from about 12,500 people
every commune is staffed. The posts one person holds together (kiêm nhiệm) are the usual ones of
the two-tier model since 1 July 2025.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from build_units import HERE, Row, commune_of, read
from names import Weighted

# The first communes to be filled: a town ward, an upland commune of five peoples, and two whose
# names differ by their marks alone (phường Đông Tiến, xã Đồng Tiến). The rest follow by GSO code.
FIRST_COMMUNES = ("14797", "14845", "15853", "15724")
FIRST_AGENCIES = (
    "TH.TU",
    "TH.UBND",
    "TH.HDND",
    "TH.MTTQ",
    "TH.TU.VP",
    "TH.UBND.SNV",
    "TH.TU.BTC",
    "TH.UBND.VP",
    "TH.UBND.SKHCN",
)
PEOPLE_OF_ONE_COMMUNE = 75
PEOPLE_TO_ONE_PROVINCE_SEAT = 4
EMPTY_DEPUTY_POSTS = 0.03
EMPTY_HEAD_POSTS = 0.02


class Post(NamedTuple):
    unit: str
    position: str


@dataclass(frozen=True, slots=True)
class Job:
    """One person's work: the primary post, posts held with it, and one held for an absent head."""

    primary: Post
    leads: bool
    concurrent: tuple[Post, ...] = ()
    acting: Post | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """The committed lists, as read."""

    units: Mapping[str, Row]
    positions: Mapping[str, Row]
    headcounts: Mapping[Post, int]
    districts: Mapping[str, str]

    @classmethod
    def load(cls) -> "Register":
        return cls(
            units={row["code"]: row for row in read(HERE / "units.csv")},
            positions={row["code"]: row for row in read(HERE / "positions.csv")},
            headcounts={
                Post(row["unit"], row["position"]): int(row["headcount"])
                for row in read(HERE / "posts.csv")
            },
            districts={row["gso"]: row["former_district"] for row in read(HERE / "communes.csv")},
        )


# Held by one person: the primary post, then the posts that come with it.
TOGETHER_IN_PROVINCE: dict[Post, tuple[Post, ...]] = {
    Post("TH.TU", "BT-TU"): (Post("TH.TU.DUQS", "BT-DUTT"),),
    Post("TH.TU", "PBTTT-TU"): (Post("TH.TU.DUCQD", "BT-DUTT"),),
    Post("TH.HDND", "CT-HDND-TINH"): (Post("TH.TU", "PBT-TU"),),
    Post("TH.UBND", "CT-UBND-TINH"): (Post("TH.TU", "PBT-TU"), Post("TH.TU.DUUBND", "BT-DUTT")),
    Post("TH.UBND", "PCT-UBND-TINH"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.HDND", "PCT-HDND-TINH"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.TU.VP", "CVP-TU"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.TU.BTC", "TB-TU"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.TU.BTGDV", "TB-TU"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.TU.BNC", "TB-TU"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.TU.UBKT", "CN-UBKT-TU"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.MTTQ", "CT-MTTQ-TINH"): (Post("TH.TU", "UVBTV-TU"),),
    Post("TH.UBND.CA", "GD-CA"): (Post("TH.TU", "UVBTV-TU"), Post("TH.TU.DUCA", "BT-DUTT")),
    Post("TH.UBND.QS", "CHT-QS-TINH"): (
        Post("TH.TU", "UVBTV-TU"),
        Post("TH.TU.DUQS", "PBT-DUTT"),
    ),
    Post("TH.MTTQ.LDLD", "CT-LDLD-TINH"): (Post("TH.MTTQ", "PCT-MTTQ-TINH"),),
    Post("TH.MTTQ.HND", "CT-HND-TINH"): (Post("TH.MTTQ", "PCT-MTTQ-TINH"),),
    Post("TH.MTTQ.HPN", "CT-HPN-TINH"): (Post("TH.MTTQ", "PCT-MTTQ-TINH"),),
    Post("TH.MTTQ.CCB", "CT-CCB-TINH"): (Post("TH.MTTQ", "PCT-MTTQ-TINH"),),
    Post("TH.MTTQ.TD", "BT-TD"): (Post("TH.MTTQ", "PCT-MTTQ-TINH"),),
}
TOGETHER_IN_COMMUNE: tuple[tuple[str, str, str, str], ...] = (
    ("TH.TU.{}", "BT-DU-XA", "TH.HDND.{}", "CT-HDND-XA"),
    ("TH.UBND.{}", "CT-UBND-XA", "TH.TU.{}", "PBT-DU-XA"),
    ("TH.UBND.{}", "PCT-UBND-XA", "TH.UBND.{}.TTPVHCC", "GD-TTPVHCC-XA"),
    ("TH.TU.{}.UBKT", "CN-UBKT-XA", "TH.HDND.{}.PC", "TB-HDND-XA"),
    ("TH.TU.{}.BXD", "TB-XDD-XA", "TH.TU.{}.TTCT", "GD-TTCT"),
    ("TH.MTTQ.{}", "CT-HND-XA", "TH.MTTQ.{}", "PCT-MTTQ-XA"),
    ("TH.MTTQ.{}", "CT-HPN-XA", "TH.MTTQ.{}", "PCT-MTTQ-XA"),
    ("TH.MTTQ.{}", "CT-CCB-XA", "TH.MTTQ.{}", "PCT-MTTQ-XA"),
    ("TH.MTTQ.{}", "BT-DTN-XA", "TH.MTTQ.{}", "PCT-MTTQ-XA"),
)

# Heads of rooms whose empty post a deputy of the same room may hold for the time being.
DEPUTY_OF = {
    "TP-XA": "PTP-XA",
    "CVP-UBND-XA": "PCVP-UBND-XA",
    "CVP-DU-XA": "PCVP-DU-XA",
    "TP-SO": "PTP-SO",
    "TP-TU": "PTP-TU",
    "CCT": "PCCT",
    "GD-TT": "PGD-TT",
}


class Staff(NamedTuple):
    """A unit's staff at full strength: `size` of them, `fixed` roles once each, then a mix."""

    size: int
    fixed: tuple[str, ...] = ()
    mix: Weighted = Weighted({"CV": 8, "CVC": 2})


SPECIALISTS = Weighted({"CV": 8, "CVC": 1, "CS": 1})
OFFICE = Weighted({"CV": 7, "CVC": 1, "NV": 1, "CNTT": 1, "TQ": 0.6})
INSPECTORS = Weighted({"KTV": 8, "CVC": 1, "CV": 1})
PUBLIC_SERVICE = Weighted({"VC": 17, "KT": 1, "NV": 2})

STAFF_OF_COMMUNE: dict[str, Staff] = {
    "party_office": Staff(4, ("VT", "CBCY", "KT"), OFFICE),
    "building_party_board": Staff(2, (), SPECIALISTS),
    "inspection_commission": Staff(2, (), INSPECTORS),
    "political_centre": Staff(3, ("KT",), Weighted({"GV": 1})),
    "office": Staff(7, ("VT", "KT", "CNTT"), OFFICE),
    "economic_division": Staff(8, (), SPECIALISTS),
    "culture_social_division": Staff(7, (), SPECIALISTS),
    "service_centre": Staff(4, (), SPECIALISTS),
    "front_committee": Staff(4, (), SPECIALISTS),
}
STAFF_OF_PROVINCE: dict[str, Staff] = {
    "division": Staff(10, (), Weighted({"CV": 7, "CVC": 3, "CVCC": 0.2})),
    "office": Staff(15, ("VT", "KT", "CNTT", "TQ"), OFFICE),
    "party_office": Staff(7, ("VT", "KT", "CBCY"), OFFICE),
    "party_body": Staff(5),
    "inspection_commission": Staff(5, (), INSPECTORS),
    "agency": Staff(80, ("VT", "KT", "TQ"), Weighted({"CV": 6, "CVC": 1, "VC": 2, "NV": 1})),
    "public_service_unit": Staff(90, ("VT", "KT", "TQ"), PUBLIC_SERVICE),
    "service_centre": Staff(60, ("VT", "CNTT"), SPECIALISTS),
    "mass_organisation": Staff(35, ("VT", "KT", "TQ"), OFFICE),
    "court": Staff(120, ("VT", "KT"), Weighted({"TPH": 3, "TKTA": 5, "CV": 1})),
    "procuracy": Staff(140, ("VT", "KT"), Weighted({"KSV": 6, "CV": 2})),
}
# Longest code wins; a code stands for everything below it.
STAFF_BY_CODE: dict[str, Staff] = {
    "TH.HDND.VP": Staff(8),
    "TH.TU.UBKT": Staff(9, (), INSPECTORS),
    "TH.TU.TCT": Staff(12, (), Weighted({"GV": 8, "CV": 1})),
    "TH.TU.BPTTH": Staff(40, (), Weighted({"PV": 9, "CV": 1})),
    "TH.TU.VP.CDSCY": Staff(12, ("CBCY", "CBCY"), Weighted({"CNTT": 5, "CBCY": 3, "CV": 2})),
    "TH.UBND.TTR": Staff(14, (), Weighted({"TTV": 8, "CVC": 1, "CV": 1})),
    "TH.UBND.SCT.QLTT": Staff(230, ("VT", "KT", "TQ"), SPECIALISTS),
    "TH.UBND.SNNMT.CCKL": Staff(600, ("VT", "KT", "TQ"), Weighted({"KLV": 9, "CV": 1})),
    "TH.UBND.SNNMT.VPDKDD": Staff(1100, ("VT", "KT", "TQ"), PUBLIC_SERVICE),
    "TH.UBND.SYT.CDC": Staff(350, ("VT", "KT", "TQ"), PUBLIC_SERVICE),
    "TH.UBND.BQLDA": Staff(250, ("VT", "KT", "TQ"), PUBLIC_SERVICE),
    "TH.UBND.SKHCN.TTCNTT": Staff(70, ("VT", "KT"), Weighted({"CNTT": 8, "VC": 2})),
}
# Leaders only: the rooms below hold the staff.
WITHOUT_STAFF = frozenset({"TH.HDND.VP", "TH.TU.UBKT", "TH.TU.TCT", "TH.TU.BPTTH", "TH.UBND.TTR"})


def agency_of(code: str) -> str:
    return ".".join(code.split(".")[:3])


def staff_of(unit: Row) -> Staff | None:
    code = unit["code"]
    if commune_of(code):
        return STAFF_OF_COMMUNE.get(unit["kind"])
    if code in WITHOUT_STAFF:
        return None
    above = code
    while above:
        if above in STAFF_BY_CODE:
            return STAFF_BY_CODE[above]
        above = above.rpartition(".")[0]
    return STAFF_OF_PROVINCE.get(unit["kind"])


def in_order(values: Iterable[str], first: Sequence[str]) -> list[str]:
    """The chosen ones first, the others as they come; each once."""
    return list(dict.fromkeys((*first, *values)))


def scope(register: Register, people: int) -> list[str]:
    """The units to fill: some whole agencies, then some whole communes, in a fixed order."""
    by_agency: dict[str, list[str]] = {}
    by_commune: dict[str, list[str]] = {}
    for code in register.units:
        gso = commune_of(code)
        group = by_commune.setdefault(gso, []) if gso else by_agency.setdefault(agency_of(code), [])
        group.append(code)

    seats_of: dict[str, int] = {}
    for post, headcount in register.headcounts.items():
        agency = agency_of(post.unit)
        seats_of[agency] = seats_of.get(agency, 0) + headcount

    chosen: list[str] = []
    seats = 0
    for agency in in_order(by_agency, FIRST_AGENCIES):
        if seats >= people // PEOPLE_TO_ONE_PROVINCE_SEAT:
            break
        seats += seats_of.get(agency, 0)
        chosen += by_agency[agency]
    communes = max(1, people // PEOPLE_OF_ONE_COMMUNE)
    for gso in in_order(by_commune, FIRST_COMMUNES)[:communes]:
        chosen += by_commune[gso]
    return chosen


def together(register: Register) -> dict[Post, list[Post]]:
    """For each primary post, the posts its (first) holder has as well."""
    held = {post: list(extras) for post, extras in TOGETHER_IN_PROVINCE.items()}
    for gso in register.districts:
        for unit, position, other_unit, other_position in TOGETHER_IN_COMMUNE:
            extra = Post(other_unit.format(gso), other_position)
            if extra in register.headcounts:
                held.setdefault(Post(unit.format(gso), position), []).append(extra)
    return held


def leaders(register: Register, units: Iterable[str]) -> Iterator[Job]:
    """One job for every leadership seat that no one holds beside another post."""
    held = together(register)
    taken: dict[Post, int] = {}
    for extras in held.values():
        for post in extras:
            taken[post] = taken.get(post, 0) + 1
    posts_of: dict[str, list[Post]] = {}
    for post in register.headcounts:
        posts_of.setdefault(post.unit, []).append(post)
    for unit in units:
        for post in posts_of.get(unit, ()):
            for seat in range(register.headcounts[post] - taken.get(post, 0)):
                extras = held.get(post, []) if seat == 0 else []
                yield Job(post, leads=True, concurrent=tuple(extras))


def with_vacancies(jobs: Iterable[Job], rng: Random) -> Iterator[Job]:
    """Leaves a few posts empty; where a room lost its head, the first deputy acts for it."""
    waiting: Post | None = None
    for job in jobs:
        unit, position = job.primary
        if commune_of(unit) in FIRST_COMMUNES:
            yield job
            continue
        if position in DEPUTY_OF and not job.concurrent and rng.random() < EMPTY_HEAD_POSTS:
            waiting = job.primary
        elif waiting and waiting.unit == unit and DEPUTY_OF[waiting.position] == position:
            yield replace(job, acting=waiting)
            waiting = None
        elif position not in DEPUTY_OF.values() or rng.random() >= EMPTY_DEPUTY_POSTS:
            yield job


def staff(register: Register, units: Iterable[str], rng: Random, *, people: int) -> Iterator[Job]:
    """Spreads `people` over the units by their size at full strength, to the last one."""
    sizes = [
        (unit, staff) for unit in units if (staff := staff_of(register.units[unit])) is not None
    ]
    total = sum(staff.size for _, staff in sizes)
    upto = placed = 0
    for unit, (size, fixed, mix) in sizes:
        upto += size
        count = round(people * upto / total) - placed
        placed += count
        for index in range(count):
            position = fixed[index] if index < len(fixed) else mix.draw(rng)
            yield Job(Post(unit, position), leads=False)


def jobs(register: Register, people: int, rng: Random) -> list[Job]:
    """Exactly `people` jobs, leaders before staff."""
    units = scope(register, people)
    filled = list(with_vacancies(leaders(register, units), rng))
    return [*filled, *staff(register, units, rng, people=people - len(filled))]
