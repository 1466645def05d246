"""Reading a CSV of a feed. Rows are numbered as a person sees them: the header is row 1."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from directory.base import private
from directory.base import values as v
from directory.base.errors import InvalidInput
from directory.feeds.text import table


@dataclass(frozen=True)
class RowError:
    """Why one row was not applied."""

    file: str
    row: int
    field: str
    sentence: str
    args: Mapping[str, Any]
    """What stands in the sentence's places."""

    @property
    def message(self) -> str:
        """The Vietnamese sentence."""
        return self.sentence.format(**self.args) if self.args else self.sentence


@dataclass
class Report:
    """What a run did, per file, and every row it refused."""

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    """Rows that have changed what was there."""
    unchanged: dict[str, int] = field(default_factory=dict)
    errors: list[RowError] = field(default_factory=list)
    warnings: list[RowError] = field(default_factory=list)
    """What was applied and still wants to be looked at."""

    def refuse(self, file: str, row: int | None, error: InvalidInput) -> None:
        """Note a refused row."""
        self._refused(file, row, error.field, error.message, error.message_args)

    def conflict(self, file: str, row: int | None, sentence: str, args: Mapping[str, Any]) -> None:
        """Note a row that the door would not let through."""
        self._refused(file, row, "*", sentence, args)

    def warn(
        self, file: str, row: int | None, field_name: str, sentence: str, args: Mapping[str, Any]
    ) -> None:
        """Note something about a row that was applied."""
        self.warnings.append(RowError(file, row or 0, field_name, sentence, args))

    def count(self, file: str, *, added: int = 0, changed: int = 0, unchanged: int = 0) -> None:
        """Add to a file's counts."""
        self.added[file] = self.added.get(file, 0) + added
        self.changed[file] = self.changed.get(file, 0) + changed
        self.unchanged[file] = self.unchanged.get(file, 0) + unchanged

    def write(self, target: Path) -> None:
        """The report file: one line per refused row."""
        private.folder(target.parent)
        private.file(target)  # it may quote what people are
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["file", "row", "field", "message"])
            writer.writerows([e.file, e.row, e.field, e.message] for e in self.errors)

    def _refused(
        self, file: str, row: int | None, named: str, sentence: str, args: Mapping[str, Any]
    ) -> None:
        self.errors.append(RowError(file, row or 0, named, sentence, args))


def read(file: Path, required: set[str], report: Report) -> Iterator[tuple[int, dict[str, str]]]:
    """(row number, cleaned values) of each readable row; unreadable ones go to the report.

    Raises InvalidInput when the file as a whole is unusable: its encoding, a missing column.
    """
    rows = table(file)
    _, header = next(rows)
    missing = sorted(required - set(header))
    if missing or len(set(header)) != len(header):
        raise InvalidInput(
            "header",
            "Tệp {file} thiếu hoặc lặp cột: {names}.",
            field=file.name,
            row=1,
            file=file.name,
            names=", ".join(missing or sorted({n for n in header if header.count(n) > 1})),
        )
    for line, values in rows:
        stray = any(value and not name for name, value in zip(header, values, strict=False))
        if len(values) != len(header) or stray:
            report.refuse(
                file.name,
                line,
                InvalidInput("columns", "Dòng không đủ hoặc thừa cột.", field="*"),
            )
            continue
        yield line, {n: v for n, v in zip(header, values, strict=True) if n}


def wrong(field_name: str, message: str, **args: Any) -> InvalidInput:
    """A refused field."""
    return InvalidInput("invalid", message, field=field_name, **args)


def text(row: Mapping[str, str], name: str, *, longest: int = 200) -> str:
    """A value that must be there."""
    return v.line(row[name], name, longest=longest)


def optional(row: Mapping[str, str], name: str, *, longest: int = 200) -> str | None:
    """A value that may be left out, with its column."""
    return text(row, name, longest=longest) if row.get(name) else None


def day(row: Mapping[str, str], name: str, today: date) -> str | None:
    """A day as it is stored, or None when empty."""
    return v.day(row.get(name), today, name)


def end_day(row: Mapping[str, str], name: str, today: date) -> str | None:
    """A day as it is stored, or None when no end is known."""
    return v.end_day(row.get(name), today, name)


def flag(row: Mapping[str, str], name: str) -> bool:
    """A switch."""
    return v.flag(row[name], name)


def number(row: Mapping[str, str], name: str, *, least: int = 0, most: int = 100_000) -> int:
    """A whole number within bounds."""
    return v.whole_number(row[name], name, least=least, most=most)


def choice(row: Mapping[str, str], name: str, allowed: type) -> str:
    """One of a closed set."""
    try:
        return str(allowed(row[name]).value)
    except ValueError:
        raise wrong(name, "Giá trị không nằm trong danh mục.") from None


def checked(
    rows: Iterator[tuple[int, dict[str, str]]],
    file: str,
    report: Report,
    check: Callable[[dict[str, str]], dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Each row through its check, with its number; refused ones go to the report."""
    for line, raw in rows:
        try:
            yield {"row": line, **check(raw)}
        except InvalidInput as error:
            report.refuse(file, line, error)
