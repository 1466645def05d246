"""Hashes of another system's passwords, brought in from a file: all of its rows or none."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.errors import InvalidInput
from directory.base.rows import batches
from directory.feeds import text
from directory.people import User, UserStatus
from idp.factors.passwords import foreign, stored

COLUMNS = ["username", "hash"]


class RowsRefused(InvalidInput):
    """Rows of the file that cannot be brought in: the first, and in ``also`` every other."""

    def __init__(self, errors: Sequence[InvalidInput]) -> None:
        first = errors[0]
        super().__init__(
            first.code, first.message, field=first.field, row=first.row, **first.message_args
        )
        self.also = tuple(errors[1:])


def bring_in(
    session: Session, file: Path, *, must_change: bool, now: datetime, actor: Actor
) -> int:
    """Give people the passwords of the file; how many. Nobody's password is replaced.

    Raises RowsRefused naming every row that is wrong: the caller's transaction ends with it, and so
    nothing is written. Raises InvalidInput for a file that is no table.
    """
    errors: list[InvalidInput] = []
    hashes: dict[str, str] = {}
    rows: dict[str, int] = {}
    for row, values in _rows(file):
        try:
            username, phc = _read(row, values)
        except InvalidInput as error:
            errors.append(error)
            continue
        if username in hashes:
            errors.append(_repeated(row, first=rows[username]))
        else:
            hashes[username], rows[username] = phc, row
    people = _people(session, list(hashes))
    errors += [_unknown(row) for username, row in rows.items() if username not in people]
    for username, user_id in people.items():
        if not stored.store_first(
            session, user_id, hashes[username], must_change=must_change, now=now, actor=actor
        ):
            errors.append(_present(rows[username]))
    if errors:
        raise RowsRefused(sorted(errors, key=lambda error: error.row or 0))
    return len(hashes)


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    (_, header), *rows = text.table(file)
    if header != COLUMNS:
        raise InvalidInput(
            "csv_header",
            "Dòng đầu của tệp phải là: {columns}",
            field=file.name,
            row=1,
            columns=",".join(COLUMNS),
        )
    return rows


def _read(row: int, values: list[str]) -> tuple[str, str]:
    if len(values) != len(COLUMNS) or not all(values):
        raise InvalidInput(
            "row_columns",
            "Dòng phải có đúng hai ô: tên đăng nhập và mã băm; ô có dấu phẩy phải đặt trong ngoặc kép.",
            field="hash",
            row=row,
        )
    return values[0].lower(), foreign.accepted(values[1], row=row)


def _people(session: Session, usernames: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in batches(usernames):
        known = User.username.in_(some), User.status != UserStatus.LEFT.value
        found |= {
            row.username: row.id
            for row in session.execute(select(User.username, User.id).where(*known))
        }
    return found


def _repeated(row: int, *, first: int) -> InvalidInput:
    return InvalidInput(
        "row_repeated",
        "Dòng {first} đã có tên đăng nhập này.",
        field="username",
        row=row,
        first=first,
    )


def _unknown(row: int) -> InvalidInput:
    return InvalidInput("user_unknown", "Không tìm thấy người dùng.", field="username", row=row)


def _present(row: int) -> InvalidInput:
    return InvalidInput("password_present", "Người này đã có mật khẩu.", field="username", row=row)
