"""What is known of a person: her name, her birth, how she is reached. It changes at once, for good.

Asked for one person with fields, or in rows ``{"row", "user", "said": {column: value}}`` as a feed
makes them: everything said that differs from what is stored becomes one line about her.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from directory.base.errors import InvalidInput
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.model import Spec
from directory.changes.table import Event
from directory.people import User


def changed(
    session: Session, spec: Spec, draft: Draft, ground: Ground, event: Event, asks: type[BaseModel]
) -> Iterator[tuple[User, dict[str, Any]]]:
    """Each person with the columns that get another value; written down once they are looked at.

    Raises InvalidInput, NotAllowed.
    """
    at_once(spec, ground)
    said = _said(spec, asks)
    for user, before in people_of(session, spec):
        require_over(ground, before, ground.today)
        new = {name: value for name, value in said[user.id].items() if getattr(user, name) != value}
        if not new:
            nothing(draft, user)
        draft.person(user, event, before, [], said=new)
        yield user, new


def at_once(spec: Spec, ground: Ground) -> None:
    """Raises InvalidInput where it is asked for a later day."""
    if spec.effective_on > ground.today:
        raise InvalidInput(
            "not_in_future",
            "Việc này có hiệu lực ngay, không đặt ngày sau hôm nay.",
            field="effective_on",
        )


def nothing(draft: Draft, user: User) -> None:
    """A conflict: all that is said is so already."""
    draft.conflict(
        "nothing_changes", "{name}: không có gì khác với hiện nay.", user, name=user.full_name
    )


def _said(spec: Spec, asks: type[BaseModel]) -> Mapping[int, Mapping[str, Any]]:
    if spec.rows:
        return {row["user"]: row["said"] for row in spec.rows}
    one_only(spec)
    asked = spec.ask(asks)
    said = {name: getattr(asked, name) for name in asked.model_fields_set}
    return dict.fromkeys(spec.users, said)


def one_only(spec: Spec) -> None:
    """Raises InvalidInput where one name, or one post, is said of several people."""
    if len(spec.users) > 1:
        raise InvalidInput("one_person", "Mỗi lần chỉ đổi cho một người.", field="users")
