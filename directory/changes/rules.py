"""The door's small sister: applications and the rules that say who gets them.

A rule is not a person's record, so it has no plan; but it is asked for, checked, audited and
gives the installation another ``rules_revision``, by which every open preview becomes stale. The
caller recomputes the accounts of the application in the same transaction
(``connectors.accounts.apply.recompute``).
"""

import re
import secrets
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from directory import assignments, permissions, units
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.errors import InvalidInput, NotAllowed, NotFound
from directory.base.text import clean
from directory.entitlements import Application, Installation, Rule
from directory.units import Bloc

_REVISIONS = 2**31
"""Numbers the column holds."""
_CODE = re.compile(r"[a-z][a-z0-9-]{1,40}")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,60}")


@dataclass(frozen=True)
class Wanted:
    """A rule to set: everyone whose assignment matches all given conditions gets ``role``."""

    role: str
    unit: str | None = None
    """A unit by id or ``scheme:code``: it and everything below."""
    unit_kind: str | None = None
    bloc: str | None = None
    position: str | None = None
    leadership: bool | None = None
    priority: int = 100


def create_application(  # noqa: PLR0913 (one keyword per column)
    session: Session,
    *,
    code: str,
    name: str,
    actor: Actor,
    now: datetime,
    description: str = "",
    launch_url: str | None = None,
    open_to_all: bool = False,
    connector: str | None = None,
    connector_settings: dict[str, Any] | None = None,
    connector_secret: str | None = None,
) -> Application:
    """A new application. ``connector_secret`` comes sealed (keyring, purpose ``connector``).

    Raises NotAllowed, InvalidInput naming the field.
    """
    _require(session, actor, None, now)
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            "application_code", "Mã ứng dụng gồm chữ thường, số và gạch nối.", field="code"
        )
    if session.scalar(select(Application.id).where(Application.code == code)) is not None:
        raise InvalidInput("application_taken", "Mã ứng dụng này đã có.", field="code")
    name = clean(name)
    if not 0 < len(name) <= 200:
        raise InvalidInput("application_name", "Tên ứng dụng dài từ 1 đến 200 ký tự.", field="name")
    application = Application(
        code=code,
        name=name,
        description=clean(description)[:500],
        launch_url=_web_address(launch_url),
        open_to_all=open_to_all,
        connector=connector,
        connector_settings=connector_settings or {},
        connector_secret=connector_secret,
    )
    session.add(application)
    session.flush()
    audit.record(
        session,
        Tag.APPLICATION_CHANGE,
        at=now,
        actor=actor,
        subject=("application", application.id),
        data={"action": "create", "code": code, "name": name, "connector": connector},
    )
    return application


def set_rule(
    session: Session, application_id: int, wanted: Wanted, *, actor: Actor, now: datetime
) -> Rule:
    """Add a rule. Raises NotAllowed, NotFound, InvalidInput naming the field."""
    _require(session, actor, application_id, now)
    if session.get(Application, application_id) is None:
        raise NotFound("application_unknown", "Không tìm thấy ứng dụng.")
    rule = Rule(application_id=application_id, **_checked(session, wanted, local_day(now)))
    _new_revision(session)
    session.add(rule)
    session.flush()
    _record(session, rule, actor, now, {"action": "add", **asdict(wanted)})
    return rule


def remove_rule(session: Session, rule_id: int, *, actor: Actor, now: datetime) -> int:
    """Take a rule away; the id of its application. Raises NotAllowed, NotFound."""
    rule = session.get(Rule, rule_id)
    if rule is None or not rule.enabled:
        raise NotFound("rule_unknown", "Không tìm thấy quy tắc này.")
    _require(session, actor, rule.application_id, now)
    # Kept, not deleted: what gave somebody an account years ago must stay answerable.
    rule.enabled = False
    _new_revision(session)
    _record(session, rule, actor, now, {"action": "remove", "role": rule.role})
    return rule.application_id


def _require(session: Session, actor: Actor, application_id: int | None, now: datetime) -> None:
    if not permissions.rights(session, actor, local_day(now)).may_manage(application_id):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="application")


def _checked(session: Session, wanted: Wanted, today: date) -> dict[str, Any]:
    if not _WORD.fullmatch(wanted.role):
        raise InvalidInput(
            "rule_role", "Vai trò gồm chữ không dấu, số, không có khoảng trắng.", field="role"
        )
    if wanted.bloc and wanted.bloc not in set(Bloc):
        raise InvalidInput("rule_bloc", "Giá trị không nằm trong danh mục.", field="bloc")
    if wanted.unit_kind and not _WORD.fullmatch(wanted.unit_kind):
        raise InvalidInput("rule_unit_kind", "Giá trị không nằm trong danh mục.", field="unit_kind")
    if not 1 <= wanted.priority <= 10000:
        raise InvalidInput("rule_priority", "Thứ tự ưu tiên từ 1 đến 10000.", field="priority")
    position = assignments.position_by_code(session, wanted.position) if wanted.position else None
    return {
        "role": wanted.role,
        "priority": wanted.priority,
        "unit_id": units.by_ref(session, wanted.unit, on=today).id if wanted.unit else None,
        "unit_kind": wanted.unit_kind or None,
        "bloc": wanted.bloc or None,
        "position_code": position.code if position else None,
        "leadership": wanted.leadership,
    }


def _web_address(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or len(value) > 500:
        raise InvalidInput(
            "launch_url", "Địa chỉ ứng dụng phải là http hoặc https.", field="launch_url"
        )
    return value


def _new_revision(session: Session) -> None:
    """Lock and change the revision first: an open commit that holds it finishes before us."""
    session.execute(update(Installation).values(rules_revision=secrets.randbelow(_REVISIONS)))


def _record(
    session: Session, rule: Rule, actor: Actor, now: datetime, data: dict[str, Any]
) -> None:
    audit.record(
        session,
        Tag.RULE_CHANGE,
        at=now,
        actor=actor,
        subject=("application", rule.application_id),
        data={"rule": rule.id, **data},
    )
