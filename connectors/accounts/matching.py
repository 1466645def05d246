"""Whom the rules of an application match, as one SELECT: ``RuleView.matches`` said in SQL."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select

from directory import units
from directory.assignments import Assignment, Position
from directory.base.rows import in_force
from directory.entitlements import RuleView
from directory.people import User, active
from directory.units import OrgUnit


def people(rules: Sequence[RuleView], *, on: date) -> Any:
    """SELECT of the ids of the people whom one of the rules matches on a day."""
    return (
        select(Assignment.user_id.label("user_id"))
        .join(User, User.id == Assignment.user_id)
        .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .join(Position, Position.id == Assignment.position_id)
        .where(
            active(on),
            in_force(Assignment, on),
            or_(false(), *map(_condition, rules)),
        )
    )


def _condition(rule: RuleView) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = []
    if rule.unit_path is not None:
        asked.append(units.subtree(rule.unit_path))
    for column, value in (
        (OrgUnit.kind, rule.unit_kind),
        (OrgUnit.bloc, rule.bloc),
        (Position.code, rule.position_code),
        (Position.leadership, rule.leadership),
    ):
        if value is not None:
            asked.append(column == value)
    return and_(Assignment.id.is_not(None), *asked)
