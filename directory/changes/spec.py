"""A request for a change → Spec: every field checked, every reference resolved, or refused.

The body is the one of the changes API; the console's form and the CLI make the
same one. Unknown fields are refused: a misspelt ``effective_on`` must not become "today".
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from directory import people, units
from directory.base import values
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.errors import Gathered, InvalidInput
from directory.changes import (
    answers,
    kind,
    kinds,  # noqa: F401 (registered by being imported)
)
from directory.changes.asks import Input, Reading, wrong
from directory.changes.field_types import day, reference
from directory.changes.kind import About, Answers, Kind
from directory.changes.leaves import leaves
from directory.changes.model import Decision, Spec
from directory.permissions import Do, Rights

COMMON = frozenset({"kind", "effective_on", "decision"})
WHOM = frozenset({"user", "users"})
_MAX_USERS = 2000
_FARTHEST = timedelta(days=5 * 366)


class ChangeKind(StrEnum):
    """Codes that are announced. One without a ``Kind`` yet is refused as not supported; what there
    is, the registry in ``kind`` knows.
    """

    JOIN = "join"
    TRANSFER = "transfer"
    SECOND = "second"
    RETURN = "return"
    APPOINT = "appoint"
    RELIEVE = "relieve"
    SUSPEND = "suspend"
    RESUME = "resume"
    LEAVE = "leave"
    RENAME = "rename"
    UNIT_CREATE = "unit.create"
    UNIT_RENAME = "unit.rename"
    UNIT_MOVE = "unit.move"
    UNIT_MERGE = "unit.merge"
    UNIT_SPLIT = "unit.split"
    UNIT_DISSOLVE = "unit.dissolve"
    UNIT_CONVERT = "unit.convert"
    POSITION_CREATE = "position.create"
    POST_CREATE = "post.create"
    UNDO = "undo"


def require_destination(session: Session, body: Any, granted: Rights, *, today: date) -> None:
    """Raises NotAllowed where the request names a unit nobody may be sent to by the asker, before
    anything else of it is judged. A unit that does not exist is left to ``parse``.
    """
    if not isinstance(body, Mapping) or granted.paths(Do.CHANGE) == []:
        return  # told so in any case
    try:
        on = day(body.get("effective_on"), "effective_on") or today
    except InvalidInput:
        on = today  # for ``parse`` to say, to whoever may ask at all
    for name in _units_named(body.get("kind")):
        if body.get(name) in (None, ""):
            continue
        try:
            unit = units.by_ref(session, reference(body[name], name), on=on, field=name)
        except InvalidInput:
            continue
        granted.require(Do.CHANGE, unit.path, missing="destination")


def _units_named(code: Any) -> list[str]:
    found = kind.find(code) if isinstance(code, str) else None
    if found is None:
        return ["to_unit"]
    return [leaf.name for leaf in leaves(found.asks) if leaf.input == Input.UNIT]


def parse(session: Session, body: Any, *, now: datetime, keyring: Keyring) -> Spec:
    """Check a request. Raises InvalidInput naming every wrong field; one that is none, alone."""
    if not isinstance(body, Mapping):
        raise wrong("body", "Yêu cầu phải là một đối tượng JSON.")
    found = _kind(body.get("kind"))
    own = found.asks.model_fields.keys()
    whom = WHOM if found.about == About.PEOPLE else frozenset()
    for name in body:
        if name not in COMMON | whom | own:
            raise wrong(str(name)[:40], "Không có trường này cho loại thay đổi đã chọn.")
    today = local_day(now)
    gathered = Gathered()
    effective_on = gathered.read(lambda: _effective_on(body, today), today)
    decision = gathered.read(lambda: _decision(body.get("decision"), today), None)
    reading = Reading(session, today, effective_on, keyring)
    said = {name: body[name] for name in own if name in body}
    fields = gathered.read(lambda: answers.read(found.asks, said, reading), None)
    nobody: tuple[int, ...] = ()
    users = gathered.read(lambda: _users(session, body) if whom else nobody, nobody)
    gathered.tell()
    made = found.rows is not None
    return Spec(
        found.code,
        effective_on,
        decision,
        users=users,
        asked=None if made else fields,
        rows=found.rows(Answers(fields, reading, decision)) if found.rows else (),
        day_said=body.get("effective_on") not in (None, ""),
    )


def _effective_on(body: Mapping[str, Any], today: date) -> date:
    found = day(body.get("effective_on"), "effective_on") or today
    if abs(found - today) > _FARTHEST:
        raise wrong("effective_on", "Ngày hiệu lực quá xa hôm nay.")
    return found


def _kind(code: Any) -> Kind:
    found = kind.find(code) if isinstance(code, str) else None
    if found is not None and found.requested:
        return found
    if found is None and code not in list(ChangeKind):
        raise wrong("kind", "Loại thay đổi không hợp lệ.")
    raise InvalidInput(
        "kind_not_supported", "Chưa hỗ trợ loại thay đổi {kind}.", field="kind", kind=code
    )


def _users(session: Session, body: Mapping[str, Any]) -> tuple[int, ...]:
    if "user" in body and "users" in body:
        raise wrong("users", "Chỉ dùng một trong hai trường user và users.")
    if "users" in body:
        refs = body["users"]
        if not isinstance(refs, list) or not refs:
            raise wrong("users", "Danh sách người phải có ít nhất một người.")
        if len(refs) > _MAX_USERS:
            raise InvalidInput(
                "too_many", "Một lần xác nhận tối đa {n} người.", field="users", n=_MAX_USERS
            )
        found = [people.by_ref(session, reference(r, "users"), field="users").id for r in refs]
        if len(set(found)) != len(found):
            raise wrong("users", "Một người xuất hiện hai lần trong danh sách.")
        return tuple(sorted(found))
    if body.get("user") in (None, ""):
        raise InvalidInput("users_missing", "Thiếu người cần thay đổi.", field="user")
    return (people.by_ref(session, reference(body["user"], "user"), field="user").id,)


def _decision(value: Any, today: date) -> Decision | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise wrong("decision", "Quyết định phải gồm số, ngày và cơ quan ban hành.")
    for name in value:
        if name not in ("number", "issued_on", "issuer"):
            raise wrong(f"decision.{str(name)[:40]}", "Không có trường này trong quyết định.")
    gathered = Gathered()
    number = gathered.read(lambda: _line(value.get("number"), "decision.number", 60), "")
    issued_on = gathered.read(lambda: _issued_on(value.get("issued_on"), today), today)
    issuer = gathered.read(lambda: _line(value.get("issuer"), "decision.issuer", 200), "")
    gathered.tell()
    return Decision(number, issued_on, issuer)


def _issued_on(value: Any, today: date) -> date:
    found = day(value, "decision.issued_on")
    if found is None:
        raise wrong("decision.issued_on", "Thiếu ngày.")
    values.day(found.isoformat(), today, "decision.issued_on")
    return found


def _line(value: Any, field: str, longest: int) -> str:
    if not isinstance(value, str):
        raise wrong(field, "Trường này không được để trống.")
    return values.line(value, field, longest=longest)
