"""docs/protocols.md is a promise: each file it names exists, each row is tested, none is missing."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"`([\w/.-]+(?:\.py|/))`")
ERROR = re.compile(
    r"`((?:invalid|unsupported|unauthorized|access|consent|authorization|expired|slow|use"
    r"|insufficient|unmet|registration)_[a-z_]+)`"
)
SPECIFICATIONS = (
    "OpenID Connect Core",
    "implicit and hybrid",
    "Form Post",
    "pairwise",
    "RFC 9207",
    "RFC 7591",
    "RFC 7592",
    "RFC 7523",
    "RFC 8705",
    "RFC 8252",
    "RFC 9101",
    "RFC 9126",
    "RFC 8707",
    "JARM",
    "RFC 9068",
    "RFC 9449",
    "RFC 7662",
    "RFC 7009",
    "RFC 8628",
    "RFC 8693",
    "RP-Initiated Logout",
    "Back-Channel Logout",
    "Front-Channel Logout",
    "FAPI 2.0 Security Profile",
    "FAPI 2.0 Message Signing",
    "RFC 8414",
    "RFC 9728",
    "RFC 9470",
    "Consent",
    "RFC 7636",
    "RFC 6750",
)


@dataclass(frozen=True)
class Row:
    """One specification."""

    name: str
    where: list[str]
    refused: list[str]
    """The error codes of what is refused."""
    tests: list[str]


def _rows() -> list[Row]:
    found = []
    for line in (ROOT / "docs/protocols.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        told = len(cells) == 5 and cells[0] != "specification" and not set(cells[0]) <= set("-")
        if line.startswith("|") and told:
            found.append(
                Row(
                    cells[0],
                    PATH.findall(cells[2]),
                    ERROR.findall(cells[3]),
                    PATH.findall(cells[4]),
                )
            )
    return found


ROWS = _rows()


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_every_specification_has_a_row(specification: str) -> None:
    assert any(specification in row.name for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_row_names_exists(row: Row) -> None:
    assert row.where
    assert [path for path in row.where + row.tests if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_row_is_untested(row: Row) -> None:
    assert row.tests
    for path in row.tests:
        assert "def test_" in (ROOT / path).read_text("utf-8"), path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_refusal_of_a_row_is_expected_by_its_tests(row: Row) -> None:
    told = "".join((ROOT / path).read_text("utf-8") for path in row.tests)
    assert [error for error in row.refused if error not in told] == []
