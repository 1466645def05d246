"""What was measured, as the page tells it."""

import json
from pathlib import Path

import pytest

from bench import report
from bench.paired import Compared

COMPARED = {
    "userinfo": Compared(costs={"ours": [2.0] * 6, "old": [4.0] * 6, "peer": [1.0] * 6}),
    "JWT": Compared(costs={"ours": [2.0] * 6, "old": [2.0] * 6}, missing={"peer": "has none"}),
}
LABELS = ["ours", "old", "peer"]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page and results of costs measured before."""
    kept, results = tmp_path / "page.md", tmp_path / "results.json"
    kept.write_text(f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n", "utf-8")
    monkeypatch.setattr(report, "PAGE", kept)
    monkeypatch.setattr(report, "RESULTS", results)
    results.write_text("{}", "utf-8")
    measured = {"runs": 9, "server_ms": 1.5, "database_ms": 0.5, "per_second": 400.0}
    measured |= {"p50_ms": 2.0, "p99_ms": 3.0, "errors": {}, "statements": "1 SELECT"}
    report.keep(report.costs({"sqlite": {"userinfo": measured}}, runs=9, clients=1))
    return kept


def _ratios() -> dict[str, object]:
    return report.ratios(COMPARED, LABELS, rounds=6, runs=10, clients=8)


def test_ratios_stand_beside_the_costs_that_were_measured_before(page: Path) -> None:
    report.keep(_ratios())
    text = page.read_text("utf-8")
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "| operation | this tree, ms | ÷ old | ÷ peer |" in text
    assert "| userinfo | 2.00 | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) |" in text
    assert "| JWT | 2.00 | 1.00 (1.00–1.00) | – |" in text
    assert "Not measured: JWT, peer: has none." in text
    assert (
        "This tree: ours. In brackets, the interval that holds the true ratio in 96 of 100" in text
    )
    assert "| userinfo | 1.50 | 0.50 | 1 SELECT |" in text


def test_costs_measured_anew_leave_the_ratios(page: Path) -> None:
    report.keep(_ratios())
    report.keep(report.costs({}, runs=9, clients=1))
    results = json.loads(report.RESULTS.read_text("utf-8"))
    assert results["ratios"]["operations"]["userinfo"]["ratio"]["old"]["middle"] == 0.5
    assert results["operations"] == {}
    assert "÷ peer" in page.read_text("utf-8")


def test_a_difference_that_was_not_seen_is_said() -> None:
    line = report.told("JWT", COMPARED["JWT"], LABELS)
    assert "÷ old: 1.00 (1.00–1.00), no difference seen" in line
    assert "÷ peer: has none" in line
