"""Administrators' roles: given within the grantor's own reach, once, and ended at once."""

from typing import Any

import pytest
from sqlalchemy import func, select

from directory import people, units
from directory.base.audit import Actor, AuditEntry
from directory.base.errors import InvalidInput, NotAllowed, NotFound
from directory.changes.granting import Holder, end_role, grant_role
from directory.permissions import AdminRole, Role, rights
from tests.factories import make_role
from tests.properties.conftest import OPERATOR, Province, build_province


@pytest.fixture
def province(services: Any, clock: Any) -> Province:
    return build_province(services, clock)


def give(
    province: Province, role: Role, holder: Holder, actor: Actor = OPERATOR, **reach: Any
) -> int:
    with province.services.db.write() as session:
        return grant_role(session, role, holder, actor=actor, now=province.clock(), **reach).id


def test_giving_a_role_twice_gives_it_once_and_is_audited_once(province: Province) -> None:
    holder = Holder(user_id=province.users[0])
    first = give(province, Role.AUDITOR, holder)
    assert give(province, Role.AUDITOR, holder) == first
    with province.services.db.read() as session:
        assert session.scalar(select(func.count(AdminRole.id))) == 1
        assert (
            session.scalar(select(func.count(AuditEntry.id)).where(AuditEntry.tag == "role.grant"))
            == 1
        )


def test_a_delegated_administrator_grants_within_her_subtree_only(province: Province) -> None:
    with province.services.db.write() as session:
        commune = units.get(session, units.get(session, province.units[0]).parent_id or 0)
        make_role(session, people.get(session, province.users[0]), Role.ADMINISTRATOR, commune)
    actor = Actor("user", province.users[0], "quản trị xã")
    holder = Holder(user_id=province.users[1])
    give(province, Role.HR_OFFICER, holder, actor, unit_id=province.units[1])
    for beyond in ({"unit_id": province.units[2]}, {}):
        with pytest.raises(NotAllowed) as refused:
            give(province, Role.HR_OFFICER, holder, actor, **beyond)
        assert refused.value.missing == "grant_role"


def test_an_ended_role_counts_no_more(province: Province) -> None:
    role = give(province, Role.HR_OFFICER, Holder(user_id=province.users[0]))
    with province.services.db.write() as session:
        end_role(session, role, actor=OPERATOR, now=province.clock())
    with province.services.db.read() as session:
        assert not rights(session, Actor("user", province.users[0]), province.today).reaches
    with pytest.raises(NotFound), province.services.db.write() as session:
        end_role(session, role, actor=OPERATOR, now=province.clock())


@pytest.mark.parametrize("holder", [Holder(), Holder(user_id=1, client_id=1)])
def test_a_role_has_one_holder(province: Province, holder: Holder) -> None:
    with pytest.raises(InvalidInput):
        give(province, Role.AUDITOR, holder)


def test_a_role_cannot_rest_on_somebody_elses_post(province: Province) -> None:
    from directory.assignments import current

    with province.services.db.read() as session:
        other = current(session, province.users[1], province.today)[0].id
    with pytest.raises(InvalidInput):
        give(province, Role.AUDITOR, Holder(user_id=province.users[0], assignment_id=other))
