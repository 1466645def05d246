"""Writes units.csv and posts.csv from the two hand-kept lists.

`province.csv` holds the units above the commune, one row each. `communes.csv` holds the 166
communes and wards; every one of them gets the same template of bodies and rooms. A unit's code
extends its parent's by one group, as QĐ 20/2020/QĐ-TTg Điều 4 asks of official codes, so the
parent is never written down twice.

    python examples/thanh-hoa/build_units.py [--out DIR]
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
VALID_FROM = "2025-07-01"
Row = dict[str, str]
Seats = tuple[tuple[str, int], ...]

UNIT_COLUMNS = (
    "code",
    "parent",
    "name",
    "short_name",
    "kind",
    "bloc",
    "tier",
    "legal_person",
    "gso",
    "qd20",
    "valid_from",
)


class Body(NamedTuple):
    """One line of the commune template; `{place}` is "phường Đông Tiến", `{gso}` its code."""

    code: str
    name: str
    short_name: str
    kind: str
    legal_person: str = "false"


PARTY = (
    Body("TH.TU.{gso}", "Đảng ủy {place}", "ĐU {place}", "party_committee", "true"),
    Body("TH.TU.{gso}.VP", "Văn phòng Đảng ủy {place}", "VP Đảng ủy", "party_office"),
    Body("TH.TU.{gso}.BXD", "Ban Xây dựng Đảng {place}", "Ban XDĐ", "building_party_board"),
    Body(
        "TH.TU.{gso}.UBKT",
        "Cơ quan Ủy ban Kiểm tra Đảng ủy {place}",
        "CQ UBKT",
        "inspection_commission",
    ),
)
# A public service unit with its own seal, where the district's centre used to be.
POLITICAL_CENTRE = Body(
    "TH.TU.{gso}.TTCT", "Trung tâm Chính trị {place}", "TT Chính trị", "political_centre", "true"
)
COUNCIL = (
    Body("TH.HDND.{gso}", "Hội đồng nhân dân {place}", "HĐND {place}", "peoples_council", "true"),
    Body("TH.HDND.{gso}.PC", "Ban Pháp chế Hội đồng nhân dân {place}", "Ban PC", "council_board"),
    Body(
        "TH.HDND.{gso}.KTXH",
        "Ban Kinh tế - Xã hội Hội đồng nhân dân {place}",
        "Ban KT-XH",
        "council_board",
    ),
)
GOVERNMENT = (
    Body("TH.UBND.{gso}", "Ủy ban nhân dân {place}", "UBND {place}", "peoples_committee", "true"),
    Body(
        "TH.UBND.{gso}.VP",
        "Văn phòng Hội đồng nhân dân và Ủy ban nhân dân {place}",
        "VP HĐND và UBND",
        "office",
    ),
    Body(
        "TH.UBND.{gso}.VHXH",
        "Phòng Văn hóa - Xã hội {place}",
        "P. VH-XH",
        "culture_social_division",
    ),
    Body(
        "TH.UBND.{gso}.TTPVHCC",
        "Trung tâm Phục vụ hành chính công {place}",
        "TT PVHCC",
        "service_centre",
    ),
)
ECONOMY = {
    "xã": Body("TH.UBND.{gso}.KT", "Phòng Kinh tế {place}", "P. KT", "economic_division"),
    "phường": Body(
        "TH.UBND.{gso}.KTHTDT",
        "Phòng Kinh tế, Hạ tầng và Đô thị {place}",
        "P. KT-HT-ĐT",
        "economic_division",
    ),
}
FRONT = (
    Body(
        "TH.MTTQ.{gso}",
        "Ủy ban Mặt trận Tổ quốc Việt Nam {place}",
        "UBMTTQ {place}",
        "front_committee",
        "true",
    ),
)

# Leadership posts by unit code, else by (bloc, kind) in the table of the unit's level.
SEATS_BY_CODE: dict[str, Seats] = {
    "TH.TU": (("BT-TU", 1), ("PBTTT-TU", 1), ("PBT-TU", 2), ("UVBTV-TU", 10)),
    "TH.TU.VP": (("CVP-TU", 1), ("PCVP-TU", 3)),
    "TH.TU.UBKT": (("CN-UBKT-TU", 1), ("PCN-UBKT-TU", 3), ("UV-UBKT-TU", 4)),
    "TH.TU.DUQS": (("BT-DUTT", 1), ("PBT-DUTT", 1)),
    "TH.TU.DUCA": (("BT-DUTT", 1), ("PBT-DUTT", 1)),
    "TH.HDND": (("CT-HDND-TINH", 1), ("PCT-HDND-TINH", 2), ("DB-CT-HDND-TINH", 4)),
    "TH.HDND.VP": (("CVP-HDND-TINH", 1), ("PCVP-HDND-TINH", 3)),
    "TH.UBND": (("CT-UBND-TINH", 1), ("PCT-UBND-TINH", 4)),
    "TH.UBND.VP": (("CVP-UBND-TINH", 1), ("PCVP-UBND-TINH", 3)),
    "TH.UBND.VP.TTPVHCC": (("GD-TT", 1), ("PGD-TT", 2)),
    "TH.UBND.CA": (("GD-CA", 1),),
    "TH.UBND.QS": (("CHT-QS-TINH", 1),),
    "TH.MTTQ": (("CT-MTTQ-TINH", 1), ("PCT-MTTQ-TINH", 6)),
    "TH.MTTQ.LDLD": (("CT-LDLD-TINH", 1), ("PCT-DT-TINH", 2)),
    "TH.MTTQ.HND": (("CT-HND-TINH", 1), ("PCT-DT-TINH", 2)),
    "TH.MTTQ.HPN": (("CT-HPN-TINH", 1), ("PCT-DT-TINH", 2)),
    "TH.MTTQ.CCB": (("CT-CCB-TINH", 1), ("PCT-DT-TINH", 2)),
    "TH.MTTQ.TD": (("BT-TD", 1), ("PCT-DT-TINH", 2)),
    "TH.TAND": (("CA-TAND", 1), ("PCA-TAND", 3)),
    "TH.VKSND": (("VT-VKSND", 1), ("PVT-VKSND", 3)),
}
SEATS_OF_PROVINCE: dict[tuple[str, str], Seats] = {
    ("party", "party_committee"): (("BT-DUTT", 1), ("PBT-DUTT", 2)),
    ("party", "party_body"): (("TB-TU", 1), ("PTB-TU", 3)),
    ("party", "school"): (("HT-TCT", 1), ("PHT-TCT", 2)),
    ("party", "press"): (("GD-BAO", 1), ("PGD-BAO", 3)),
    ("government", "department"): (("GD-SO", 1), ("PGD-SO", 3)),
    ("government", "inspectorate"): (("CTT-TINH", 1), ("PCTT-TINH", 3)),
    ("government", "management_board"): (("TB-BQL", 1), ("PTB-BQL", 3)),
    ("government", "public_service_unit"): (("GD-TT", 1), ("PGD-TT", 2)),
}
SEATS_OF_PROVINCE_ROOMS: dict[tuple[str, str], Seats] = {
    ("party", "party_office"): (("CVP-DUTT", 1),),
    ("party", "party_body"): (("TB-DUTT", 1),),
    ("party", "inspection_commission"): (("CN-UBKT-DUTT", 1),),
    ("party", "division"): (("TP-TU", 1), ("PTP-TU", 2)),
    ("council", "council_board"): (("TB-HDND-TINH", 1), ("PTB-HDND-TINH", 2)),
    ("council", "division"): (("TP-SO", 1), ("PTP-SO", 2)),
    ("government", "division"): (("TP-SO", 1), ("PTP-SO", 2)),
    ("government", "office"): (("TP-SO", 1), ("PTP-SO", 2)),
    ("government", "agency"): (("CCT", 1), ("PCCT", 2)),
    ("government", "public_service_unit"): (("GD-TT", 1), ("PGD-TT", 2)),
    ("front", "division"): (("TB-MTTQ-TINH", 1),),
    ("front", "office"): (("TB-MTTQ-TINH", 1),),
}
SEATS_OF_COMMUNE: dict[tuple[str, str], Seats] = {
    ("party", "party_committee"): (("BT-DU-XA", 1), ("PBTTT-DU-XA", 1), ("PBT-DU-XA", 1)),
    ("party", "party_office"): (("CVP-DU-XA", 1), ("PCVP-DU-XA", 1)),
    ("party", "building_party_board"): (("TB-XDD-XA", 1), ("PTB-XDD-XA", 1)),
    ("party", "inspection_commission"): (("CN-UBKT-XA", 1), ("PCN-UBKT-XA", 1)),
    ("party", "political_centre"): (("GD-TTCT", 1), ("PGD-TTCT", 1)),
    ("council", "peoples_council"): (("CT-HDND-XA", 1), ("PCT-HDND-XA", 1)),
    ("council", "council_board"): (("TB-HDND-XA", 1), ("PTB-HDND-XA", 1)),
    ("government", "peoples_committee"): (
        ("CT-UBND-XA", 1),
        ("PCT-UBND-XA", 2),
        ("CHT-QS-XA", 1),
        ("TCA-XA", 1),
    ),
    ("government", "office"): (("CVP-UBND-XA", 1), ("PCVP-UBND-XA", 1)),
    ("government", "economic_division"): (("TP-XA", 1), ("PTP-XA", 2)),
    ("government", "culture_social_division"): (("TP-XA", 1), ("PTP-XA", 2)),
    ("government", "service_centre"): (("GD-TTPVHCC-XA", 1), ("PGD-TTPVHCC-XA", 1)),
    ("front", "front_committee"): (
        ("CT-MTTQ-XA", 1),
        ("PCT-MTTQ-XA", 4),
        ("CT-HND-XA", 1),
        ("CT-HPN-XA", 1),
        ("CT-CCB-XA", 1),
        ("BT-DTN-XA", 1),
    ),
}


def parent_of(code: str) -> str:
    """The code without its last group; the root has no parent."""
    return code.rpartition(".")[0]


def province_units(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        yield {**row, "parent": parent_of(row["code"]), "valid_from": VALID_FROM}


def commune_units(commune: Row) -> Iterator[Row]:
    """The commune's bodies in four blocs, each with its rooms."""
    party = (*PARTY, POLITICAL_CENTRE) if commune["political_centre"] == "true" else PARTY
    government = (*GOVERNMENT[:2], ECONOMY[commune["kind"]], *GOVERNMENT[2:])
    template = (
        ("party", party),
        ("council", COUNCIL),
        ("government", government),
        ("front", FRONT),
    )
    gso, place = commune["gso"], f"{commune['kind']} {commune['name']}"
    for bloc, bodies in template:
        for body in bodies:
            code = body.code.format(gso=gso)
            yield {
                "code": code,
                "parent": parent_of(code),
                "name": body.name.format(place=place),
                "short_name": body.short_name.format(place=place),
                "kind": body.kind,
                "bloc": bloc,
                "tier": "commune" if code.endswith(gso) else "internal",
                "legal_person": body.legal_person,
                "gso": gso if body.kind == "peoples_committee" else "",
                "qd20": "",
                "valid_from": VALID_FROM,
            }


def commune_of(code: str) -> str:
    """The GSO code of the commune a unit belongs to; empty above the communes."""
    return next((group for group in code.split(".") if len(group) == 5 and group.isdigit()), "")


def seats(unit: Row) -> Seats:
    """The leadership posts of one unit; a body without leaders of its own has none."""
    if unit["code"] in SEATS_BY_CODE:
        return SEATS_BY_CODE[unit["code"]]
    if commune_of(unit["code"]):
        table = SEATS_OF_COMMUNE
    elif unit["tier"] == "internal":
        table = SEATS_OF_PROVINCE_ROOMS
    else:
        table = SEATS_OF_PROVINCE
    return table.get((unit["bloc"], unit["kind"]), ())


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    out: Path = parser.parse_args().out

    units = list(province_units(read(HERE / "province.csv")))
    for commune in read(HERE / "communes.csv"):
        units.extend(commune_units(commune))
    posts = [
        {"unit": unit["code"], "position": position, "headcount": str(headcount)}
        for unit in units
        for position, headcount in seats(unit)
    ]
    out.mkdir(parents=True, exist_ok=True)
    write(out / "units.csv", UNIT_COLUMNS, units)
    write(out / "posts.csv", ("unit", "position", "headcount"), posts)


if __name__ == "__main__":
    main()
