"""E-mail addresses that are somebody else's: told, or refused where that person is out of sight.

Rows are ``{"row", "person": {"email", "full_name"}}``, of people who do not have the address yet, or
with her id as ``user``, of whom it does not matter whether she has it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from directory.changes.drafting import Ground
from directory.changes.notices import Notice
from directory.people import User, UserStatus
from directory.permissions import visible_people


def _holders(
    session: Session, rows: Sequence[dict[str, Any]], ground: Ground
) -> dict[str, list[str | None]]:
    """Who has these addresses already; None for somebody the actor does not see."""
    wanted = {email for row in rows if (email := row["person"].get("email"))}
    theirs = {row["user"] for row in rows if "user" in row}
    seen = visible_people(ground.rights, ground.today)
    holders: dict[str, list[str | None]] = {email: [] for email in wanted}
    for email, user_id, name in session.execute(
        select(User.email, User.id, case((seen, User.full_name))).where(
            User.email.in_(wanted), User.status != UserStatus.LEFT.value
        )
    ):
        if user_id not in theirs:
            holders[email].append(name)
    return holders


def taken(session: Session, rows: Sequence[dict[str, Any]], ground: Ground) -> Iterable[Notice]:
    """Addresses of people out of reach: shared, they would be given out for those no longer."""
    holders = _holders(session, rows, ground)
    for row in rows:
        email = row["person"].get("email")
        if email and None in holders[email]:
            yield Notice(
                "email_taken",
                "Địa chỉ {email} là của một người ngoài phạm vi của bạn; hãy ghi địa chỉ khác, để "
                "trống, hoặc hỏi quản trị viên.",
                args={"email": email},
                row=row.get("row"),
            )


def shared(session: Session, rows: Sequence[dict[str, Any]], ground: Ground) -> Iterable[Notice]:
    """Addresses that somebody has already, or two of these rows: given out for neither."""
    holders = _holders(session, rows, ground)
    for row in rows:
        if email := row["person"].get("email"):
            holders[email].append(row["person"]["full_name"])
    for row in rows:
        email = row["person"].get("email")
        if email and len(holders[email]) > 1:
            yield Notice(
                "email_shared",
                "Địa chỉ {email} là của nhiều người ({names}); chưa gửi cho ứng dụng nào đến khi "
                "được sửa.",
                args={
                    "email": email,
                    "names": ", ".join(name or "…" for name in holders[email][:5]),
                },
                row=row.get("row"),
            )
