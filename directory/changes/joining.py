"""plan_join: tiếp nhận, tuyển dụng. One person from the console or 500 from a feed.

A row is ``{"row", "person": {...}, "assignments": [...]}``. Who has left comes back as who she was
(``known`` says who that is, ``returning`` what it takes): nobody is entered twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Assignment, Held, Position
from directory.base.errors import InvalidInput
from directory.base.rows import batches
from directory.base.text import username_base
from directory.changes import addresses, known, returning
from directory.changes.drafting import Ground
from directory.changes.known import Returner
from directory.changes.lines import PERSONAL
from directory.changes.model import Line, Person, Plan, Spec
from directory.changes.notices import Notice
from directory.changes.table import Event
from directory.people import User, UserStatus
from directory.permissions import Do
from directory.units import OrgUnit, UnitView


def plan_join(session: Session, spec: Spec, ground: Ground) -> Plan:
    """New people with their first assignments. Raises InvalidInput, NotAllowed."""
    if not spec.rows:
        raise InvalidInput("rows_missing", "Thiếu người cần tiếp nhận.", field="person")
    posts = [a for row in spec.rows for a in row["assignments"]]
    unit_views = units.views(session, {a["unit"] for a in posts})
    catalogue = _catalogue(session, {a["position"] for a in posts})
    for path in sorted({unit_views[a["unit"]].path for a in posts}):
        ground.rights.require(Do.CHANGE, path, missing="destination")
    if not all(row["assignments"] for row in spec.rows):
        ground.rights.require(Do.CHANGE, None, missing="destination")
    found = known.sort_out(session, spec.rows, ground)
    addressed = [_addressed(row, found.returners.get(n)) for n, row in enumerate(spec.rows)]
    usernames = iter(
        allot_usernames(
            session,
            [row["person"] for n, row in enumerate(spec.rows) if n not in found.returners],
        )
    )
    people, lines = [], []
    next_assignment = -1
    for place, row in enumerate(spec.rows):
        returner = found.returners.get(place)
        if returner is not None:
            ref = returner.user.id
            same = row["person"].get("same_as")
            new = dict(returner.new) | ({"same_as": same} if same else {})
            lines.append(returning.line(returner.user, new))
        else:
            ref, username = -(place + 1), next(usernames)
            lines.append(_created(ref, row["person"], username, found.other_than.get(place)))
        held = []
        for post in row["assignments"]:
            unit, position = unit_views[post["unit"]], catalogue[post["position"]]
            held.append(_held(next_assignment, ref, post, unit, position))
            next_assignment -= 1
            lines.append(_opened(ref, post, unit, position))
        people.append(
            returning.person(returner.user, returner.before, held, row=row.get("row"))
            if returner is not None
            else _newcomer(ref, row, username, held)
        )
    return Plan(
        spec=spec,
        now=ground.now,
        rights=ground.rights,
        rulebook=ground.rulebook,
        people=tuple(people),
        lines=tuple(lines),
        warnings=(*found.warnings, *addresses.shared(session, addressed, ground)),
        conflicts=(
            *found.conflicts,
            *_keys_taken(session, spec.rows, found),
            *_full_posts(session, spec, unit_views, catalogue),
            *_before_units(session, spec.rows, unit_views),
            *addresses.taken(session, spec.rows, ground),
        ),
        units=tuple(sorted(unit_views)),
    )


def _addressed(row: dict[str, Any], returner: Returner | None) -> dict[str, Any]:
    """A row as ``addresses`` reads it: who comes back has an address already."""
    if returner is None:
        return row
    user = returner.user
    email = returner.new.get("email") or user.email
    return {
        "row": row.get("row"),
        "user": user.id,
        "person": {"email": email, "full_name": user.full_name},
    }


def _created(
    ref: int, person: Mapping[str, Any], username: str, other_than: list[str] | None
) -> Line:
    said = _told(person, username) | ({"other_than": other_than} if other_than is not None else {})
    return Line("users", "create", None, ref, None, person["full_name"], None, said)


def _opened(ref: int, post: dict[str, Any], unit: UnitView, position: Position) -> Line:
    return Line(
        "assignment",
        "open",
        None,
        ref,
        unit.id,
        f"{position.name}, {unit.name}",
        None,
        {key: post.get(key) for key in POST_KEYS},
    )


def _newcomer(ref: int, row: dict[str, Any], username: str, held: Sequence[Held]) -> Person:
    return Person(
        ref,
        "",
        username,
        row["person"]["full_name"],
        "",
        UserStatus.ACTIVE.value,
        Event.JOIN,
        (),
        tuple(held),
        (),
        new=True,
        row=row.get("row"),
    )


def _told(person: Mapping[str, Any], username: str) -> dict[str, Any]:
    """What a line says of somebody new; her citizen number as it is shown."""
    said = {name: person[name] for name in PERSONAL if person.get(name) is not None}
    number = person.get("citizen_masked")
    return {"username": username, **said, **({"citizen_number": number} if number else {})}


POST_KEYS = (
    "unit",
    "position",
    "kind",
    "valid_from",
    "valid_to",
    "planned_end",
    "decision_number",
    "decision_issued_on",
    "decision_issuer",
    "source_key",
)
"""The keys of one assignment in a row, all plain JSON values."""


def _held(ref: int, user: int, post: dict[str, Any], unit: UnitView, position: Position) -> Held:
    return Held(
        ref,
        user,
        post["kind"],
        date.fromisoformat(post["valid_from"]),
        date.fromisoformat(post["valid_to"]) if post.get("valid_to") else None,
        unit,
        position.id,
        position.code,
        position.name,
        position.rank,
        position.leadership,
    )


def _catalogue(session: Session, ids: set[int]) -> dict[int, Position]:
    return {p.id: p for p in session.scalars(select(Position).where(Position.id.in_(ids)))}


def _keys_taken(
    session: Session, rows: Sequence[dict[str, Any]], known_here: known.Sorted
) -> list[Notice]:
    """Keys of people that are somebody else's, or stand twice in this batch."""
    keys = Counter(k for r in rows if (k := r["person"].get("source_key")))
    taken: dict[str | None, int] = {}
    for some in batches(sorted(keys)):
        found_now = session.execute(
            select(User.source_key, User.id).where(User.source_key.in_(some))
        )
        taken |= dict(found_now.all())
    found: list[Notice] = []
    for place, row in enumerate(rows):
        key, returner = row["person"].get("source_key"), known_here.returners.get(place)
        hers = returner is not None and taken.get(key) == returner.user.id
        if key and ((key in taken and not hers) or keys[key] > 1):
            _sayer(found, row)("source_key_taken", "Mã nguồn {key} đã được dùng.", key=key)
    return found + _post_keys_taken(session, rows)


def _post_keys_taken(session: Session, rows: Sequence[dict[str, Any]]) -> list[Notice]:
    """Keys of posts that were applied to somebody already, or stand twice in this batch."""
    keys = Counter(k for row in rows for a in row["assignments"] if (k := a.get("source_key")))
    taken = set[str | None]()
    for part in batches(sorted(keys)):
        taken |= set(
            session.scalars(select(Assignment.source_key).where(Assignment.source_key.in_(part)))
        )
    found: list[Notice] = []
    for row in rows:
        used = [k for a in row["assignments"] if (k := a.get("source_key"))]
        for key in (k for k in used if k in taken or keys[k] > 1):
            _sayer(found, row)("source_key_taken", "Mã nguồn {key} đã được dùng.", key=key)
    return found


def _before_units(
    session: Session, rows: Sequence[dict[str, Any]], unit_views: dict[int, UnitView]
) -> Iterable[Notice]:
    """Posts in units that do not exist yet on the day they begin."""
    began = dict(
        session.execute(
            select(OrgUnit.id, OrgUnit.valid_from).where(OrgUnit.id.in_(list(unit_views)))
        ).all()
    )
    for row in rows:
        for post in row["assignments"]:
            since = began[post["unit"]]
            if date.fromisoformat(post["valid_from"]) < since:
                yield Notice(
                    "before_unit",
                    "{unit} thành lập ngày {day}; phân công không thể bắt đầu sớm hơn.",
                    args={
                        "unit": unit_views[post["unit"]].name,
                        "day": since.strftime("%d/%m/%Y"),
                    },
                    row=row.get("row"),
                )


def _sayer(found: list[Notice], row: dict[str, Any]) -> Any:
    def say(code: str, message: str, *, user_id: int | None = None, **args: Any) -> None:
        found.append(Notice(code, message, user_id, args=args, row=row.get("row")))

    return say


def _full_posts(
    session: Session,
    spec: Spec,
    unit_views: dict[int, UnitView],
    catalogue: dict[int, Position],
) -> list[Notice]:
    pairs = {(a["unit"], a["position"]) for row in spec.rows for a in row["assignments"]}
    left = assignments.places_left(session, pairs, spec.effective_on)
    found: list[Notice] = []
    for row in spec.rows:
        for post in row["assignments"]:
            pair = (post["unit"], post["position"])
            if pair in left and (
                not post.get("valid_to") or post["valid_to"] > spec.effective_on.isoformat()
            ):
                left[pair] -= 1
                if left[pair] < 0:
                    _sayer(found, row)(
                        "post_full",
                        "{unit} đã đủ số lượng {position}.",
                        unit=unit_views[pair[0]].name,
                        position=catalogue[pair[1]].name,
                    )
    return found


def allot_usernames(session: Session, persons: Iterable[dict[str, Any]]) -> list[str]:
    """A username for each new person: ``hiennv``, then ``hiennv2``, ``hiennv3`` … One that was asked
    for with a number (``hiennv2``) is given where it is free, else the next of its stem.

    Never reused: the count of a stem includes everybody who ever had it. The unique index is
    the last word where two joins race.
    """
    wanted = [p.get("username") or username_base(p["full_name"]) for p in persons]
    given: Counter[str] = Counter()
    stems = sorted({username_stem(name) for name in wanted})
    taken: set[str] = set()
    for part in batches(stems):
        given.update(
            dict(
                session.execute(
                    select(User.username_stem, func.count())
                    .where(User.username_stem.in_(part))
                    .group_by(User.username_stem)
                ).all()
            )
        )
        taken.update(session.scalars(select(User.username).where(User.username_stem.in_(part))))
    allotted = []
    for name in wanted:
        stem = username_stem(name)
        if name == stem or name in taken:
            name = _next_of(stem, given, taken)
        else:
            given[stem] += 1
        taken.add(name)
        allotted.append(name)
    return allotted


def _next_of(stem: str, given: Counter[str], taken: set[str]) -> str:
    while True:
        given[stem] += 1
        name = stem if given[stem] == 1 else f"{stem}{given[stem]}"
        if name not in taken:
            return name


def username_stem(username: str) -> str:
    """What names of one stem are counted by: without the number at its end."""
    return username.rstrip("0123456789")


def assignment_columns(post: dict[str, Any], user_id: int, change_id: str) -> dict[str, Any]:
    """The row of one assignment that a join opens."""

    def day(key: str) -> date | None:
        return date.fromisoformat(post[key]) if post.get(key) else None

    return {
        "user_id": user_id,
        "unit_id": post["unit"],
        "position_id": post["position"],
        "kind": post["kind"],
        "valid_from": day("valid_from"),
        "valid_to": day("valid_to"),
        "planned_end": day("planned_end"),
        "decision_number": post.get("decision_number"),
        "decision_issued_on": day("decision_issued_on"),
        "decision_issuer": post.get("decision_issuer"),
        "source_key": post.get("source_key"),
        "opened_by": change_id,
        "closed_by": None,
    }
