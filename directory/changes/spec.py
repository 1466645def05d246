"""A request for a change → Spec: every field checked, every reference resolved, or refused.

The body is the one of the changes API (design 10); the console's form and the CLI make the
same one. Unknown fields are refused: a misspelt ``effective_on`` must not become "today".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from directory import assignments, people, units
from directory.assignments import Kind
from directory.base import values
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.base.text import clean
from directory.changes.model import ChangeKind, Decision, Spec
from directory.changes.person import LEAVE_REASONS
from directory.permissions import Do, Rights

FIELDS: dict[ChangeKind, frozenset[str]] = {
    ChangeKind.TRANSFER: frozenset({"to_unit", "position", "keep"}),
    ChangeKind.SUSPEND: frozenset(),
    ChangeKind.RESUME: frozenset(),
    ChangeKind.LEAVE: frozenset({"reason"}),
    ChangeKind.JOIN: frozenset({"person", "to_unit", "position"}),
}
_COMMON = frozenset({"kind", "user", "users", "effective_on", "decision"})
_MAX_USERS = 2000
_FARTHEST = timedelta(days=5 * 366)


def require_destination(session: Session, body: Any, granted: Rights, *, today: date) -> None:
    """Raises NotAllowed where the request names a unit nobody may be sent to by the asker, before
    anything else of it is judged. A unit that does not exist is left to ``parse``.
    """
    if not isinstance(body, Mapping) or body.get("to_unit") in (None, ""):
        return
    if granted.paths(Do.CHANGE) == []:
        return  # told so in any case
    try:
        on = _day(body.get("effective_on"), "effective_on", default=today)
        unit = units.by_ref(session, _ref(body["to_unit"], "to_unit"), on=on, field="to_unit")
    except InvalidInput:
        return
    granted.require(Do.CHANGE, unit.path, missing="destination")


def parse(session: Session, body: Any, *, now: datetime, keyring: Keyring) -> Spec:
    """Check a request. Raises InvalidInput naming the first wrong field."""
    if not isinstance(body, Mapping):
        raise _wrong("body", "Yêu cầu phải là một đối tượng JSON.")
    kind = _kind(body.get("kind"))
    for name in body:
        if name not in _COMMON | FIELDS[kind]:
            raise _wrong(str(name)[:40], "Không có trường này cho loại thay đổi đã chọn.")
    effective_on = _day(body.get("effective_on"), "effective_on", default=local_day(now))
    day_said = body.get("effective_on") not in (None, "")
    if abs(effective_on - local_day(now)) > _FARTHEST:
        raise _wrong("effective_on", "Ngày hiệu lực quá xa hôm nay.")
    decision = _decision(body.get("decision"), local_day(now))
    if kind == ChangeKind.JOIN:
        join = _join(session, body, effective_on, decision, keyring, local_day(now))
        return replace(join, day_said=day_said)
    reason = body.get("reason")
    if kind == ChangeKind.LEAVE and (not isinstance(reason, str) or reason not in LEAVE_REASONS):
        raise _wrong("reason", "Lý do thôi việc không hợp lệ.")
    to_unit = position = None
    if kind == ChangeKind.TRANSFER:
        if body.get("to_unit") in (None, ""):
            raise InvalidInput("to_unit_missing", "Thiếu đơn vị đến.", field="to_unit")
        wanted = _ref(body["to_unit"], "to_unit")
        to_unit = units.by_ref(session, wanted, on=effective_on, field="to_unit").id
        if body.get("position") not in (None, ""):
            code = _ref(body["position"], "position")
            position = assignments.position_by_code(session, str(code)).id
    return Spec(
        kind,
        effective_on,
        decision,
        users=_users(session, body),
        to_unit=to_unit,
        position=position,
        keep=_keep(body.get("keep")),
        reason=reason,
        day_said=day_said,
    )


def _kind(value: Any) -> ChangeKind:
    try:
        kind = ChangeKind(value)
    except ValueError:
        raise _wrong("kind", "Loại thay đổi không hợp lệ.") from None
    if kind not in FIELDS:
        raise InvalidInput(
            "kind_not_supported", "Chưa hỗ trợ loại thay đổi {kind}.", field="kind", kind=kind.value
        )
    return kind


def _users(session: Session, body: Mapping[str, Any]) -> tuple[int, ...]:
    if "user" in body and "users" in body:
        raise _wrong("users", "Chỉ dùng một trong hai trường user và users.")
    if "users" in body:
        refs = body["users"]
        if not isinstance(refs, list) or not refs:
            raise _wrong("users", "Danh sách người phải có ít nhất một người.")
        if len(refs) > _MAX_USERS:
            raise InvalidInput(
                "too_many", "Một lần xác nhận tối đa {n} người.", field="users", n=_MAX_USERS
            )
        found = [people.by_ref(session, _ref(r, "users"), field="users").id for r in refs]
        if len(set(found)) != len(found):
            raise _wrong("users", "Một người xuất hiện hai lần trong danh sách.")
        return tuple(sorted(found))
    if body.get("user") in (None, ""):
        raise InvalidInput("users_missing", "Thiếu người cần thay đổi.", field="user")
    return (people.by_ref(session, _ref(body["user"], "user"), field="user").id,)


def _keep(value: Any) -> tuple[int, ...]:
    if value in (None, []):
        return ()
    if not isinstance(value, list) or not all(type(v) is int for v in value):
        raise _wrong("keep", "Danh sách phân công giữ lại không hợp lệ.")
    return tuple(sorted(set(value)))


def _ref(value: Any, field: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 100:
        raise _wrong(field, "Mã tham chiếu không hợp lệ.")
    return value


def _day(value: Any, field: str, *, default: date | None = None) -> date:
    if value in (None, ""):
        if default is None:
            raise _wrong(field, "Thiếu ngày.")
        return default
    # fromisoformat also takes week dates and compact forms; people write one form here.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise _wrong(field, "Ngày phải viết dạng năm-tháng-ngày.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _wrong(field, "Ngày này không có trong lịch.") from None


def _decision(value: Any, today: date) -> Decision | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong("decision", "Quyết định phải gồm số, ngày và cơ quan ban hành.")
    for name in value:
        if name not in ("number", "issued_on", "issuer"):
            raise _wrong(f"decision.{str(name)[:40]}", "Không có trường này trong quyết định.")
    issued_on = _day(value.get("issued_on"), "decision.issued_on")
    values.day(issued_on.isoformat(), today, "decision.issued_on")
    return Decision(
        number=_line(value.get("number"), "decision.number", 60),
        issued_on=issued_on,
        issuer=_line(value.get("issuer"), "decision.issuer", 200),
    )


def _line(value: Any, field: str, longest: int) -> str:
    if not isinstance(value, str) or not clean(value):
        raise _wrong(field, "Trường này không được để trống.")
    text = clean(value)
    if len(text) > longest:
        raise _wrong(field, "Trường này quá dài.")
    return text


def _join(
    session: Session,
    body: Mapping[str, Any],
    effective_on: date,
    decision: Decision | None,
    keyring: Keyring,
    today: date,
) -> Spec:
    for name in ("user", "users"):
        if name in body:
            raise _wrong(name, "Không có trường này cho loại thay đổi đã chọn.")
    wanted = _ref(body.get("to_unit"), "to_unit")
    unit = units.by_ref(session, wanted, on=effective_on, field="to_unit")
    position = assignments.position_by_code(session, str(_ref(body.get("position"), "position")))
    post = {
        "unit": unit.id,
        "position": position.id,
        "kind": Kind.PRIMARY.value,
        "valid_from": effective_on.isoformat(),
        "decision_number": decision.number if decision else None,
        "decision_issued_on": decision.issued_on.isoformat() if decision else None,
        "decision_issuer": decision.issuer if decision else None,
    }
    person = body.get("person")
    if not isinstance(person, Mapping):
        raise _wrong("person", "Thiếu thông tin người được tiếp nhận.")
    row = {"row": None, "person": person_row(person, keyring, today=today), "assignments": [post]}
    return Spec(ChangeKind.JOIN, effective_on, decision, rows=(row,))


_PERSON = frozenset(
    {
        "full_name",
        "birth_date",
        "gender",
        "citizen_number",
        "email",
        "phone",
        "source_key",
        "username",
    }
)
_USERNAME = re.compile(r"[a-z][a-z0-9]{2,30}")


def person_row(said: Mapping[str, Any], keyring: Keyring, *, today: date) -> dict[str, Any]:
    """The checked columns of a new person; the citizen number only in its three stored forms.

    Raises InvalidInput naming the field.
    """
    for name in said:
        if name not in _PERSON:
            raise _wrong(f"person.{str(name)[:40]}", "Không có trường này trong thông tin người.")
    given = {k: clean(v) if isinstance(v, str) else v for k, v in said.items()}
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise _wrong(name, "Trường này phải là chữ.")
    return {
        "full_name": values.person_name(given.get("full_name") or "", "full_name"),
        "birth_date": values.birth_date(given.get("birth_date"), today),
        "gender": _one_of(given.get("gender"), "gender", {"male", "female"}),
        "email": values.email(given.get("email")),
        "phone": values.phone(given.get("phone")),
        "username": _matching(
            given.get("username"), "username", _USERNAME, "Tên đăng nhập không hợp lệ."
        ),
        "source_key": given.get("source_key") or None,
        **people.citizen_columns(keyring, given.get("citizen_number") or None),
    }


def _one_of(value: str | None, field: str, allowed: set[str]) -> str | None:
    if not value:
        return None
    if value not in allowed:
        raise _wrong(field, "Giá trị không nằm trong danh mục.")
    return value


def _matching(value: str | None, field: str, pattern: re.Pattern[str], message: str) -> str | None:
    if not value:
        return None
    if not pattern.fullmatch(value):
        raise _wrong(field, message)
    return value


def _wrong(field: str, message: str) -> InvalidInput:
    return InvalidInput("invalid", message, field=field)
