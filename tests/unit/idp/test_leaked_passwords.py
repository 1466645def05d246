"""The file of passwords that leaked: made of lines in any order, asked without being read."""

import hashlib
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from directory.base.errors import InvalidInput, Misconfigured
from idp.factors.passwords import Kind, Rule, Verdict, leaked
from idp.factors.passwords.own import words_of
from idp.factors.passwords.strength import judge
from tests.command_line import Operator, operator

__all__ = ["operator"]

STRONG = "gạch bông rêu phơi thóc mới"


def line(password: str, count: int = 3) -> bytes:
    return f"{hashlib.sha1(password.encode()).hexdigest().upper()}:{count}\r\n".encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "passwords.blocklist"


@pytest.fixture(params=["in order", "in any order", "from behind"])
def lines(request: pytest.FixtureRequest) -> list[bytes]:
    made = sorted(line(f"mật khẩu {n}") for n in range(5000))
    if request.param == "in any order":
        made.sort(key=lambda each: each[7:])
    elif request.param == "from behind":
        made.reverse()
    return made + made[:100]


@pytest.mark.parametrize(("piece", "fan"), [(100, 3), (999, 64), (10_000, 64)])
def test_what_is_in_the_list_is_found_and_nothing_else(
    file: Path, lines: list[bytes], piece: int, fan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaked, "_PIECE", piece)
    monkeypatch.setattr(leaked, "_FAN", fan)
    assert leaked.build(iter(lines), file) == 5000
    assert leaked.require(file) == 5000
    assert file.stat().st_size < 5000 * 6 + 50
    assert all(leaked.holds(file, [f"mật khẩu {n}"]) for n in range(0, 5000, 7))
    assert not any(leaked.holds(file, [f"mật khẩu {n}"]) for n in range(5000, 6000))
    assert leaked.holds(file, ["không có", "mật khẩu 4999"])
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_the_list_is_not_held_in_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many lines take no more of it."""
    monkeypatch.setattr(leaked, "_PIECE", 500)
    monkeypatch.setattr(leaked, "_FAN", 4)
    peaks = []
    for many in (4_000, 16_000):
        tracemalloc.start()
        leaked.build((line(f"x{n}") for n in range(many)), file)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 2


@pytest.mark.parametrize(
    "wrong",
    [b"password\n", b"5BAA61E4:3\n", line("x")[:39] + b"\n", line("x").replace(b":3", b":x")],
)
def test_a_line_that_is_none_is_named_and_the_old_list_stays(file: Path, wrong: bytes) -> None:
    leaked.build([line("cũ")], file)
    with pytest.raises(InvalidInput) as refused:
        leaked.build([line("mới"), b"\n", wrong], file)
    assert refused.value.row == 3
    assert leaked.holds(file, ["cũ"])
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"dinhdanh", b"x" * 100])
def test_a_file_that_is_none_of_ours_lets_no_password_pass(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(Misconfigured):
        leaked.holds(file, ["mật khẩu"])
    with pytest.raises(Misconfigured):
        leaked.require(file)


def test_a_strong_password_that_leaked_is_weak(file: Path) -> None:
    rule, own = Rule(14, 40), words_of()
    assert judge(STRONG, by=rule, own=own, leaks=file).accepted
    leaked.build([line(STRONG)], file)
    judged = judge(STRONG, by=rule, own=own, leaks=file)
    assert (judged.verdict, [part.kind for part in judged.parts]) == (Verdict.WEAK, [Kind.LEAKED])
    # Also where the collection has another spelling of it.
    leaked.build([line("bếp lửa reo thanh hòa 36")], file)
    for typed in ("bếp lửa reo thanh hòa 36",):
        assert not judge(typed, by=rule, own=own, leaks=file).accepted


def test_the_command_reads_a_pipe(
    operator: Operator, file: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.TextIOWrapper(io.BytesIO(line("một") + line("hai")))
    monkeypatch.setattr("sys.stdin", lines)
    told = operator("passwords", "blocklist", "-")
    assert told.code == 0, told.said
    assert "2 passwords" in told.out
    assert leaked.holds(settings.blocklist, ["hai"])
    source = file.with_suffix(".txt")
    source.write_bytes(b"no hash\n")
    told = operator("passwords", "blocklist", str(source))
    assert (told.code, "Line 1" in told.err) == (1, True), told.said
    settings.blocklist.write_bytes(b"x")
    assert "The list of leaked passwords" in operator("check").out
