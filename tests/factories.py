"""Rows for tests: plain functions that write one thing each, with defaults that make sense.

Every function takes the session first, never commits and gives the row. They write rows
directly: what comes about through the door is tested through the door.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.assignments import Assignment, HeldAs, Position, Post
from directory.base.crypto import random_id
from directory.base.hashing import Cost, PasswordHasher
from directory.base.text import name_parts, name_sort_key, search_key, sort_key, username_base
from directory.entitlements import Application, Rule, installation_epoch
from directory.people import User, UserStatus
from directory.permissions import AdminRole, Role
from directory.units import Bloc, OrgUnit, Tier, UnitCode, UnitEdge
from idp.factors import by_password
from idp.factors.factor import Epochs, Proven

QUICK = PasswordHasher(Cost(passes=1, memory=8192))
"""Hashes passwords in no time, for tests of whatever comes after."""
LONG_AGO = date(2020, 1, 1)
CREATED = datetime(2020, 1, 1, tzinfo=UTC)
_number = count(1)


def proven(session: Session, user: User, at: datetime, **changes: Any) -> Proven:
    """That her password fitted at that moment, under the epochs of now."""
    epochs = Epochs(user.access_epoch, installation_epoch(session))
    return replace(by_password.proven(at, epochs), **changes)


def make_unit(
    session: Session,
    name: str = "",
    *,
    parent: OrgUnit | None = None,
    codes: dict[str, str] | None = None,
    **columns: Any,
) -> OrgUnit:
    """A unit below ``parent`` (a root without one), a legal person unless told otherwise."""
    name = name or f"Ủy ban nhân dân xã số {next(_number)}"
    unit = OrgUnit(
        **{
            "name": name,
            "short_name": name,
            "kind": "commune",
            "bloc": Bloc.GOVERNMENT.value,
            "tier": (Tier.COMMUNE if parent else Tier.PROVINCE).value,
            "legal_person": True,
            "parent_id": parent.id if parent else None,
            "path": "/",
            "search_key": search_key(name, *(codes or {}).values()),
            "sort_key": sort_key(name),
            "valid_from": LONG_AGO,
            "valid_to": None,
        }
        | columns
    )
    session.add(unit)
    session.flush()
    unit.path = f"{parent.path if parent else '/'}{unit.id}/"
    session.add(
        UnitEdge(
            unit_id=unit.id, parent_id=unit.parent_id, valid_from=unit.valid_from, valid_to=None
        )
    )
    for scheme, value in (codes or {}).items():
        session.add(
            UnitCode(
                unit_id=unit.id,
                scheme=scheme,
                value=value,
                issuer="test",
                valid_from=unit.valid_from,
                valid_to=None,
            )
        )
    session.flush()
    return unit


def make_position(session: Session, code: str = "", name: str = "", **columns: Any) -> Position:
    """A catalogue entry: a specialist unless told otherwise."""
    code = code or f"CV{next(_number)}"
    position = Position(
        **{
            "code": code,
            "name": name or "Chuyên viên",
            "group": None,
            "rank": 50,
            "bloc": Bloc.GOVERNMENT.value,
            "leadership": False,
            "signing_authority": False,
            "sensitivity": "normal",
        }
        | columns
    )
    session.add(position)
    session.flush()
    return position


def make_user(session: Session, full_name: str = "Lê Thị Lan", **columns: Any) -> User:
    """A person with a unique username; no assignment, no password."""
    family, middle, given = name_parts(full_name)
    username = columns.pop("username", None) or f"{username_base(full_name)}{next(_number)}"
    user = User(
        **{
            "sub": random_id(),
            "username": username,
            "username_stem": username_base(full_name),
            "full_name": full_name,
            "family_name": family,
            "middle_name": middle,
            "given_name": given,
            "birth_date": None,
            "gender": None,
            "citizen_hash": None,
            "citizen_sealed": None,
            "citizen_masked": None,
            "email": f"{username}@thanhhoa.example",
            "phone": None,
            "eid_issuer": None,
            "eid_subject": None,
            "eid_level": None,
            "eid_verified_at": None,
            "search_key": search_key(full_name, username),
            "sort_key": name_sort_key(full_name),
            "source_key": None,
            "status": UserStatus.ACTIVE.value,
            "leaves_on": None,
            "access_epoch": 1,
            "created_at": CREATED,
        }
        | columns
    )
    session.add(user)
    session.flush()
    return user


def make_assignment(
    session: Session,
    user: User,
    unit: OrgUnit,
    position: Position | None = None,
    **columns: Any,
) -> Assignment:
    """The person holds the position in the unit, primary and open unless told otherwise."""
    position = position or make_position(session)
    if (
        session.scalar(
            select(Post.id).where(Post.unit_id == unit.id, Post.position_id == position.id)
        )
        is None
    ):
        session.add(Post(unit_id=unit.id, position_id=position.id, headcount=100))
    assignment = Assignment(
        **{
            "user_id": user.id,
            "unit_id": unit.id,
            "position_id": position.id,
            "kind": HeldAs.PRIMARY.value,
            "valid_from": LONG_AGO,
            "valid_to": None,
            "planned_end": None,
            "decision_number": None,
            "decision_issued_on": None,
            "decision_issuer": None,
            "source_key": None,
            "opened_by": "test",
            "closed_by": None,
        }
        | columns
    )
    session.add(assignment)
    session.flush()
    return assignment


def make_application(session: Session, code: str = "", **columns: Any) -> Application:
    """An application; nothing is provisioned into it unless a connector is named."""
    code = code or f"app{next(_number)}"
    application = Application(
        **{
            "code": code,
            "name": f"Ứng dụng {code}",
            "description": "",
            "launch_url": None,
            "connector": None,
            "connector_settings": {},
            "connector_secret": None,
        }
        | columns
    )
    session.add(application)
    session.flush()
    return application


def make_rule(
    session: Session, application: Application, role: str = "user", **conditions: Any
) -> Rule:
    """Everyone whose assignment meets all conditions gets the application in the role."""
    rule = Rule(
        **{
            "application_id": application.id,
            "role": role,
            "unit_id": None,
            "unit_kind": None,
            "bloc": None,
            "position_code": None,
            "leadership": None,
        }
        | conditions
    )
    session.add(rule)
    session.flush()
    return rule


def make_role(
    session: Session,
    user: User,
    role: Role,
    unit: OrgUnit | None = None,
    **columns: Any,
) -> AdminRole:
    """An administrative role over the unit's subtree; the whole installation without a unit."""
    granted = AdminRole(
        **{
            "user_id": user.id,
            "client_id": None,
            "role": role.value,
            "unit_id": unit.id if unit else None,
            "application_id": None,
            "assignment_id": None,
            "valid_from": LONG_AGO,
            "valid_to": None,
            "granted_by": "test",
        }
        | columns
    )
    session.add(granted)
    session.flush()
    return granted
