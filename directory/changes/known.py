"""Who of those to be taken in is known already: returners, whoever is in service, namesakes.

By a citizen number that is known, or because the request says so (``same_as``), a row is somebody's
who has left: she comes back. Somebody in service is refused. Without a number on either side, the same
name and birth date is a conflict to settle: the same person, or another one (``same_as``: ``new``).
The same name, where nothing contradicts, is told. Nobody out of the asker's sight is named.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import Held
from directory.base.rows import batches
from directory.base.text import name_sort_key
from directory.changes import returning
from directory.changes.drafting import Ground, said
from directory.changes.notices import Choice, Notice
from directory.people import User
from directory.permissions import Do, visible_people

NEW = "new"
"""What ``same_as`` says where it is settled that she is none of her namesakes."""
FIELD = "person.same_as"
_MOST = 5
"""Namesakes that are named."""
_SERVES = {
    (True, False): "{name} ({username}) đang công tác và mang số định danh này: không tiếp nhận "
    "lần nữa, hãy điều động hoặc bổ nhiệm.",
    (False, False): "{name} ({username}) đang công tác: không tiếp nhận lần nữa, hãy điều động "
    "hoặc bổ nhiệm.",
    (True, True): "{name} ({username}) mang số định danh này và sẽ công tác từ ngày {day}: không "
    "tiếp nhận lần nữa.",
    (False, True): "{name} ({username}) sẽ công tác từ ngày {day}: không tiếp nhận lần nữa.",
}
"""Of who is in service, or will be by a change that waits: by her number or by name, now or later."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Returner:
    """Somebody who has left, and whom a row takes in again."""

    user: User
    before: tuple[Held, ...]
    new: Mapping[str, Any]
    """Columns of hers that the row says otherwise, or that were not known."""


@dataclass
class Sorted:
    """What is known of the people of some rows, by the place of the row."""

    returners: dict[int, Returner] = field(default_factory=dict)
    other_than: dict[int, list[str]] = field(default_factory=dict)
    """Of whom it is settled that she is another: their usernames."""
    warnings: list[Notice] = field(default_factory=list)
    conflicts: list[Notice] = field(default_factory=list)


def people_of(session: Session, rows: Iterable[Row]) -> frozenset[int]:
    """Everybody whose row such a plan may write: those known by number, and those named."""
    found = [*_by_number(session, rows).values(), *_named(session, rows).values()]
    return frozenset(user.id for user in found)


def sort_out(session: Session, rows: Sequence[Row], ground: Ground) -> Sorted:
    """Look each row up. Raises NotAllowed."""
    look = _Look(session, rows, ground)
    for place, row in enumerate(rows):
        look.at(place, row)
    return look.found


def _by_number(session: Session, rows: Iterable[Row]) -> dict[str, User]:
    numbers = sorted({n for row in rows if (n := row["person"].get("citizen_hash"))})
    return {
        str(user.citizen_hash): user
        for some in batches(numbers)
        for user in session.scalars(select(User).where(User.citizen_hash.in_(some)))
    }


def _named(session: Session, rows: Iterable[Row]) -> dict[str, User]:
    """Those whom ``same_as`` names, by username."""
    names = sorted({n for row in rows if (n := row["person"].get("same_as")) and n != NEW})
    return {
        user.username: user
        for some in batches(names)
        for user in session.scalars(select(User).where(User.username.in_(some)))
    }


def _namesakes(session: Session, rows: Iterable[Row]) -> dict[str, list[User]]:
    """By name, those who may be meant: of a row with a number only whoever has none."""
    found: dict[str, list[User]] = {}
    joining = [row["person"] for row in rows]
    for numbered in (True, False):
        names = {p["full_name"] for p in joining if bool(p.get("citizen_hash")) is numbered}
        for some in batches(sorted(names)):
            query = select(User).where(User.sort_key.in_(sorted(map(name_sort_key, some))))
            for user in session.scalars(
                query.where(User.citizen_hash.is_(None)) if numbered else query
            ):
                if user.full_name in names and user not in found.setdefault(user.full_name, []):
                    found[user.full_name].append(user)
    return found


def contradict(one: str | None, other: str | None) -> bool:
    """Whether two birth dates cannot be one person's; of one the year alone may be known."""
    return bool(one and other) and not (
        str(one).startswith(str(other)) or str(other).startswith(str(one))
    )


class _Look:
    """Rows beside those who are known."""

    def __init__(self, session: Session, rows: Sequence[Row], ground: Ground) -> None:
        self.ground, self.found = ground, Sorted()
        self.by_number = _by_number(session, rows)
        self.named = _named(session, rows)
        self.namesakes = _namesakes(session, rows)
        known = [
            *self.by_number.values(),
            *self.named.values(),
            *(user for some in self.namesakes.values() for user in some),
        ]
        ids = sorted({user.id for user in known})
        gone = sorted({user.id for user in known if returning.is_gone(user, ground.today)})
        self.timelines = assignments.timeline(session, ids)
        self.written = returning.never_served(session, {who: self.timelines[who] for who in gone})
        self.dead = returning.recorded_dead(session, gone) if gone else set()
        seen = visible_people(ground.rights, ground.today)
        self.visible = {
            user_id
            for some in batches(ids)
            for user_id in session.scalars(select(User.id).where(User.id.in_(some), seen))
        }
        self.twice = Counter(n for row in rows if (n := row["person"].get("citizen_hash")))
        self.taken: set[int] = set()
        self.earlier: set[tuple[str, str]] = set()

    # ---- one row ----

    def at(self, place: int, row: Row) -> None:
        person = row["person"]
        number, same = person.get("citizen_hash"), person.get("same_as")
        holder = self.by_number.get(number or "")
        if holder is not None:
            self._numbered(place, row, holder)
        elif number and self.twice[number] > 1:
            self._refuse(
                row, "number_twice", "Số định danh này xuất hiện nhiều lần trong cùng một đợt."
            )
        elif same and same != NEW:
            self._said_to_be(place, row, str(same))
        else:
            self._unknown(place, row, settled=same == NEW)

    def _numbered(self, place: int, row: Row, holder: User) -> None:
        same = row["person"].get("same_as")
        left = returning.is_gone(holder, self.ground.today)
        if not (self._decides(holder) if left else holder.id in self.visible):
            self._refuse(
                row,
                "known_person",
                "Số định danh này thuộc về một người ngoài phạm vi của bạn; hãy hỏi quản trị viên.",
            )
        elif not left:
            self._in_service(row, holder, by_number=True)
        elif same not in (None, holder.username):
            self._refuse(
                row,
                "known_person",
                "Số định danh này là của {name} ({username}); hãy kiểm tra lại số.",
                holder,
            )
        elif same is None and self._differs(row, holder):
            self._refuse(
                row,
                "returner_differs",
                "Số định danh này là của {name} ({username}), nhưng họ tên hoặc ngày sinh đã ghi thì "
                "khác. Hãy kiểm tra lại số, hoặc xác nhận là cùng một người.",
                holder,
                choices=(self._same(holder),),
            )
        else:
            self._accept(place, row, holder)

    @staticmethod
    def _differs(row: Row, user: User) -> bool:
        person = row["person"]
        other_name = person["full_name"].casefold() != user.full_name.casefold()
        return other_name or contradict(person.get("birth_date"), user.birth_date)

    def _said_to_be(self, place: int, row: Row, same: str) -> None:
        user = self.named.get(same)
        left = user is not None and returning.is_gone(user, self.ground.today)
        if user is None or not (self._decides(user) if left else user.id in self.visible):
            self.found.conflicts.append(
                Notice(
                    "user_unknown",
                    "Không có người dùng {ref}.",
                    named=FIELD,
                    args={"ref": same[:60]},
                    row=row.get("row"),
                )
            )
        elif not left:
            self._in_service(row, user, by_number=False)
        elif row["person"].get("citizen_hash") and user.citizen_hash:
            self._refuse(
                row,
                "another_number",
                "{name} ({username}) mang số định danh khác; đó là hai người.",
                user,
            )
        else:
            self._accept(place, row, user)
            if row["person"].get("citizen_hash"):
                self._warn(
                    row,
                    "number_not_kept",
                    "Số định danh chưa được ghi vào hồ sơ cũ; sau khi nhận lại, hãy dùng Đổi số định "
                    "danh cá nhân.",
                    user,
                )

    def _unknown(self, place: int, row: Row, *, settled: bool) -> None:
        person = row["person"]
        number, born = person.get("citizen_hash"), person.get("birth_date")
        alike = [
            user
            for user in self.namesakes.get(person["full_name"], ())
            if not (number and user.citizen_hash) and not contradict(born, user.birth_date)
        ]
        told = [user for user in alike if self._sees(user)]
        told.sort(key=lambda user: (not returning.is_gone(user, self.ground.today), user.id))
        if settled:
            self.found.other_than[place] = [user.username for user in told]
            return
        # Of somebody out of sight only whoever knows her whole birth date is told that she is there:
        # asked by the year and then by the day, the answers would tell it.
        sure = [
            user
            for user in alike
            if born and user.birth_date and (user in told or born == user.birth_date)
        ]
        if sure:
            self._namesake(row, [user for user in sure if user in told])
        elif not number and born and (person["full_name"], born) in self.earlier:
            self._namesake(row, [])
        elif told:
            self._warn(
                row,
                "same_name",
                "Có người trùng họ tên: {who}. Nếu là một người thì đừng tạo hồ sơ thứ hai.",
                who=_who(told),
                choices=self._choices(told),
            )
        if not number and born:
            self.earlier.add((person["full_name"], born))

    def _namesake(self, row: Row, told: list[User]) -> None:
        choices = (*self._choices(told), Choice(NEW, "Người khác: tạo hồ sơ mới"))
        if told:
            self._refuse(
                row,
                "namesake",
                "Đã có người trùng họ tên và ngày sinh: {who}. Hãy xác nhận là cùng một người hay "
                "người khác.",
                who=_who(told),
                choices=choices,
            )
        else:
            self._refuse(
                row,
                "namesake",
                "Đã có người trùng họ tên và ngày sinh; hãy ghi số định danh, hoặc xác nhận là người "
                "khác.",
                choices=choices,
            )

    def _accept(self, place: int, row: Row, user: User) -> None:
        """She comes back by this row, unless something hinders it."""
        before = tuple(self.timelines[user.id])
        for path in self._sources(user):
            self.ground.rights.require(Do.CHANGE, path, missing="source")
        if user.id in self.taken:
            self._refuse(
                row, "returner_twice", "{name} ({username}) có hai dòng trong cùng một đợt.", user
            )
        self.taken.add(user.id)
        begins = [date.fromisoformat(post["valid_from"]) for post in row["assignments"]]
        since = min(begins, default=self.ground.today)
        self.found.conflicts += returning.hindrances(user, since, self.dead, row=row.get("row"))
        self.found.warnings.append(returning.told(user, row=row.get("row")))
        if row["person"]["full_name"] != user.full_name:
            self._warn(
                row,
                "name_kept",
                "Hồ sơ giữ họ tên {name}; nếu đã đổi tên, hãy dùng Đổi họ tên, ngày sinh.",
                user,
            )
        self.found.returners[place] = Returner(user, before, _new(row["person"], user))

    # ---- who may be told of whom ----

    def _sees(self, user: User) -> bool:
        if not returning.is_gone(user, self.ground.today):
            return user.id in self.visible
        return user.id in self.visible or all(
            self.ground.rights.may(Do.SEE, path) for path in self._sources(user)
        )

    def _decides(self, user: User) -> bool:
        return all(self.ground.rights.may(Do.CHANGE, path) for path in self._sources(user))

    def _sources(self, user: User) -> list[str | None]:
        return returning.sources(self.timelines[user.id], self.written.get(user.id, ()))

    # ---- what is said ----

    def _in_service(self, row: Row, user: User, *, by_number: bool) -> None:
        begins = assignments.begins_on(self.timelines[user.id], self.ground.today)
        code = "known_person" if by_number else "in_service"
        day = {"day": said(begins)} if begins else {}
        self._refuse(row, code, _SERVES[by_number, begins is not None], user, **day)

    def _choices(self, users: Iterable[User]) -> tuple[Choice, ...]:
        gone = [u for u in users if returning.is_gone(u, self.ground.today) and self._decides(u)]
        return tuple(map(self._same, gone[:_MOST]))

    @staticmethod
    def _same(user: User) -> Choice:
        args = {"name": user.full_name, "username": user.username}
        if user.leaves_on is None:
            return Choice(
                user.username, "Cùng một người: nhận lại {name} ({username}), đã nghỉ", args
            )
        return Choice(
            user.username,
            "Cùng một người: nhận lại {name} ({username}), đã nghỉ từ ngày {day}",
            args | {"day": said(user.leaves_on)},
        )

    def _refuse(
        self, row: Row, code: str, message: str, user: User | None = None, **more: Any
    ) -> None:
        self.found.conflicts.append(_notice(row, code, message, user, more))

    def _warn(
        self, row: Row, code: str, message: str, user: User | None = None, **more: Any
    ) -> None:
        self.found.warnings.append(_notice(row, code, message, user, more))


def _notice(row: Row, code: str, message: str, user: User | None, more: dict[str, Any]) -> Notice:
    choices = more.pop("choices", ())
    if user is not None:
        more |= {"name": user.full_name, "username": user.username}
    named = FIELD if choices else None
    user_id = user.id if user else None
    return Notice(
        code, message, user_id, named=named, args=more, row=row.get("row"), choices=choices
    )


def _who(users: Sequence[User]) -> str:
    """Usernames, with what tells them apart."""
    said_of = [f"{u.username} ({u.birth_date[:4]})" if u.birth_date else u.username for u in users]
    more = len(said_of) - _MOST
    return ", ".join(said_of[:_MOST]) + (f" +{more}" if more > 0 else "")


def _new(person: Mapping[str, Any], user: User) -> dict[str, Any]:
    """How she is reached now, and what was not known of her: the rest is a decision of its own."""
    found = {
        name: person[name]
        for name in ("email", "phone")
        if person.get(name) is not None and person[name] != getattr(user, name)
    }
    if person.get("gender") and not user.gender:
        found["gender"] = person["gender"]
    born = person.get("birth_date")
    if born and born != user.birth_date and born.startswith(user.birth_date or ""):
        found["birth_date"] = born
    return found
