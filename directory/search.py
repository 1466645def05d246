"""Finding people: what lists and person pages ask.

Every function takes the asker's ``Rights`` and filters in SQL: a delegated administrator is
never served by throwing rows away afterwards. Lists page by keyset over (rank, sort_key, id).
A query is read as what it looks like: twelve digits are a citizen number (compared by keyed
hash), other digits a phone number, ``@`` an e-mail address, a unit's code means its people, and
anything else words of a name in any order, with or without diacritics.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, case, exists, false, literal, or_, select, true
from sqlalchemy.orm import Session

from directory import assignments, eid_links, tree, units
from directory.assignments import Assignment, Held, HeldAs, Position
from directory.base import page_marks, values
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput, NotFound
from directory.base.rows import ends_after, not_over
from directory.base.text import clean, search_key
from directory.changes import returning
from directory.people import User, UserStatus
from directory.permissions import Do, Rights, last_served_within, visible_people
from directory.units import OrgUnit, UnitView, as_of, codes

LONGEST = 100
"""Characters of a query that are read."""


@dataclass(frozen=True)
class SearchFilter:
    """What a list of people is narrowed to; empty fields narrow nothing."""

    words: str = ""
    unit_id: int | None = None
    """This unit and everything below it."""
    status: UserStatus | None = None
    position: str | None = None
    """Code of the catalogue."""
    identity: bool | None = None
    """Whether an electronic identity is linked to them."""
    shown_on: date | None = None
    """The day whose posts and units are shown, as they were called; None: today's. Who is listed is
    decided today."""


@dataclass(frozen=True)
class Found:
    """One person in a list; unit and birth year tell homonyms apart."""

    id: int
    username: str
    full_name: str
    birth_year: str | None
    citizen_masked: str | None
    status: UserStatus
    held: Held | None
    """Her primary assignment on the day shown, or else the first she held then."""
    owner: str
    """The legal person her unit belongs to; empty when it is one itself."""
    begins_on: date | None = None
    """The day from which she serves who holds no post yet."""


@dataclass(frozen=True)
class Page:
    """One page of a list; ``after`` asks for the next one, None on the last."""

    rows: list[Found]
    after: str | None


def people(
    session: Session,
    granted: Rights,
    wanted: SearchFilter,
    *,
    on: date,
    keyring: Keyring,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """One page of the people the asker may see. Raises InvalidInput for a wrong ``after``."""
    words = clean(wanted.words)[:LONGEST]
    rank = _rank(words)
    seen = visible_people(granted, on)
    if wanted.status == UserStatus.LEFT:
        seen = or_(seen, last_served_within(granted))
    query = (
        select(User, rank.label("rank"))
        .where(seen, _matches(session, words, on, keyring))
        .where(*_filters(session, wanted, on))
        .order_by(rank, User.sort_key, User.id)
        .limit(limit + 1)
    )
    if after:
        last_rank, last_sort, last_id = _after(after)
        query = query.where(
            or_(
                rank > last_rank,
                and_(
                    rank == last_rank,
                    or_(
                        User.sort_key > last_sort,
                        and_(User.sort_key == last_sort, User.id > last_id),
                    ),
                ),
            )
        )
    rows = session.execute(query).all()
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        last = rows[-1]
        more = page_marks.mark(last.rank, last.User.sort_key, last.User.id)
    found = _found(session, [row.User for row in rows], on, wanted.shown_on or on)
    if wanted.status == UserStatus.LEFT and granted.paths(Do.SEE) is not None:
        found = [replace(one, citizen_masked=None) for one in found]
    return Page(found, more)


def status_on(user: User, on: date) -> UserStatus:
    """Her status on a day: a day of leaving counts from that day on."""
    if user.has_left(on):
        return UserStatus.LEFT
    return UserStatus(user.status)


def _found(session: Session, users: list[User], on: date, shown_on: date) -> list[Found]:
    timelines = assignments.timeline(session, [u.id for u in users])
    held = {u.id: primary_of(timelines[u.id], shown_on) for u in users}
    if shown_on == on:
        owner = tree.owners(session, [h.unit for h in held.values() if h is not None])
    else:
        places = as_of.places(session, [(h.unit.id, shown_on) for h in held.values() if h])
        owner = {unit_id: place.owner for (unit_id, _), place in places.items()}
        held = {
            user_id: replace(h, unit=places[h.unit.id, shown_on].unit) if h else None
            for user_id, h in held.items()
        }
    return [
        Found(
            u.id,
            u.username,
            u.full_name,
            u.birth_date[:4] if u.birth_date else None,
            u.citizen_masked,
            status_on(u, on),
            held[u.id],
            _owner_of(held[u.id], owner),
            _begins(u, timelines[u.id], on),
        )
        for u in users
    ]


def _begins(user: User, timeline: list[Held], on: date) -> date | None:
    serves = status_on(user, on) == UserStatus.ACTIVE
    return assignments.begins_on(timeline, on) if serves else None


def _owner_of(held: Held | None, owner: dict[int, UnitView]) -> str:
    if held is None or owner[held.unit.id].id == held.unit.id:
        return ""
    return owner[held.unit.id].name


def primary_of(timeline: Iterable[Held], on: date) -> Held | None:
    """The assignment a person is listed under on a day."""
    in_force = [h for h in timeline if h.in_force(on)]
    return min(
        in_force, key=lambda h: (h.kind != HeldAs.PRIMARY, h.position_rank, h.id), default=None
    )


# ---- what a query means ----------------------------------------------------------------------

_PHONE = re.compile(r"\+?[\d .()-]{8,20}")
_SHORTEST_NUMBER = 8
"""Digits of the shortest number of a person's own; no code of a unit has as many."""
_CITIZEN_NUMBER = re.compile(r"\d{12}", re.ASCII)


def is_personal(words: str) -> bool:
    """Whether a query holds somebody's number or address, more than a name or a code: such a one
    stands in no address of a page.
    """
    return "@" in words or len(re.sub(r"\D", "", words)) >= _SHORTEST_NUMBER


def _matches(session: Session, words: str, on: date, keyring: Keyring) -> ColumnElement[bool]:
    if not words:
        return true()
    digits = re.sub(r"\D", "", words)
    if _CITIZEN_NUMBER.fullmatch(words.replace(" ", "")):
        return User.citizen_hash == keyring.keyed_hash("citizen", digits)
    if "@" in words:
        return User.email.in_({words, words.lower(), _address(words)})
    if _PHONE.fullmatch(words):
        return User.phone.in_(_phones(digits))
    unit = codes.of_words(session, words, on=on)
    if unit is not None:
        return _assigned(OrgUnit.path.like(unit.path + "%"), on)
    parts = search_key(words).split()
    return and_(*(_word(part) for part in parts)) if parts else false()


def _address(words: str) -> str:
    """An address as it is stored."""
    try:
        return values.email(words) or words
    except InvalidInput:
        return words


def _phones(digits: str) -> set[str]:
    """The ways one Vietnamese number is written: 0…, 84…, +84…."""
    bare = digits.removeprefix("84") if digits.startswith("84") else digits.removeprefix("0")
    return {digits, "+" + digits, "0" + bare, "84" + bare, "+84" + bare}


def _word(word: str) -> ColumnElement[bool]:
    """The beginning of a word of the search key (names and username)."""
    return (literal(" ") + User.search_key).contains(" " + word, autoescape=True)


def _rank(words: str) -> ColumnElement[int]:
    """0 for those whose name is written with the very diacritics asked for, else 1."""
    marked = [w for w in words.split() if search_key(w) != w.lower() and search_key(w)]
    if not marked:
        return literal(0)
    same = and_(
        *(
            or_(
                *(
                    (literal(" ") + User.full_name).contains(" " + form, autoescape=True)
                    for form in forms
                )
            )
            for forms in ({w, w.lower(), w.title(), w.upper()} for w in marked)
        )
    )
    return case((same, 0), else_=1)


def _assigned(condition: ColumnElement[bool], on: date) -> ColumnElement[bool]:
    """Whether she holds, or is going to hold, an assignment that meets the condition."""
    return exists(
        select(Assignment.id)
        .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .join(Position, Position.id == Assignment.position_id)
        .where(
            Assignment.user_id == User.id,
            not_over(Assignment, on),
            condition,
        )
    ).correlate(User)


def _filters(session: Session, wanted: SearchFilter, on: date) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    stays = ends_after(User.leaves_on, on)
    if wanted.status == UserStatus.LEFT:
        found.append(or_(User.status == UserStatus.LEFT.value, ~stays))
    elif wanted.status is not None:
        found += [User.status == wanted.status.value, stays]
    same_post: list[ColumnElement[bool]] = []
    if wanted.unit_id is not None:
        same_post.append(OrgUnit.path.like(units.get(session, wanted.unit_id).path + "%"))
    if wanted.identity is not None:
        found.append(eid_links.linked() if wanted.identity else ~eid_links.linked())
    if wanted.position:
        same_post.append(Position.code == wanted.position)
    if same_post:
        found.append(_assigned(and_(*same_post), on))
    return found


def _after(mark: str) -> tuple[int, str, int]:
    rank, sort_key, row_id = page_marks.read(mark, int, str, int)
    if abs(rank) >= 10 or abs(row_id) >= 2**62:
        raise page_marks.wrong()
    return rank, sort_key, row_id


# ---- one person ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonView:
    """A person as the asker may see her.

    ``full`` is False for somebody whose unit she has left: of her timeline only what lay in the
    asker's reach is shown, and nothing else of her.
    """

    user: User
    status: UserStatus
    timeline: list[Held]
    full: bool
    primary: Held | None
    shown: list[Held]
    """The timeline with each unit as it was called and where it stood then: on the day asked for, or
    the nearest to it on which the post was held."""
    owners: dict[int, UnitView]
    """By assignment, the legal person its unit belonged to then."""
    begins_on: date | None = None
    """The day from which she serves who holds no post yet."""


def person(
    session: Session, granted: Rights, user_id: int, *, on: date, called_on: date | None = None
) -> PersonView:
    """A person as she stands today (``on``); units are called as on ``called_on``, else today.

    Raises NotFound for somebody the asker has never been allowed to see.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    full = bool(
        session.scalar(select(User.id).where(User.id == user_id, visible_people(granted, on)))
    )
    timeline = assignments.timeline(session, [user_id])[user_id]
    if not full:
        # Of somebody who left, or was taken back, on the day she came nothing is a fact.
        known = timeline or returning.never_served(session, {user_id: timeline})[user_id]
        timeline = [h for h in timeline if granted.may(Do.SEE, h.unit.path)]
        if not any(granted.may(Do.SEE, h.unit.path) for h in known):
            raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    return PersonView(
        user,
        status_on(user, on),
        timeline,
        full,
        primary_of(timeline, on),
        *_called(session, timeline, called_on or on),
        _begins(user, timeline, on),
    )


def _called(
    session: Session, timeline: list[Held], on: date
) -> tuple[list[Held], dict[int, UnitView]]:
    days = {h.id: _nearest(h, on) for h in timeline}
    places = as_of.places(session, [(h.unit.id, days[h.id]) for h in timeline])
    then = {h.id: places[h.unit.id, days[h.id]] for h in timeline}
    shown = [replace(h, unit=then[h.id].unit) for h in timeline]
    return shown, {h.id: then[h.id].owner for h in timeline}


def _nearest(held: Held, on: date) -> date:
    """The day itself, or the nearest to it on which the post was held."""
    last = held.valid_to - timedelta(days=1) if held.valid_to is not None else on
    return max(held.valid_from, min(on, last))
