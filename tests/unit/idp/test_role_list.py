"""``dinhdanh role list``: the roles that hold today, also those whose end is known already."""

from datetime import date
from typing import Any

from directory.permissions import Role
from tests.command_line import Operator, operator
from tests.factories import make_role, make_unit, make_user

__all__ = ["operator"]


def test_every_role_in_force_is_listed(services: Any, operator: Operator) -> None:
    spans = {
        "mai": (date(2020, 1, 1), None),
        "lan": (date(2020, 1, 1), date(2999, 1, 1)),
        "da_het": (date(2020, 1, 1), date(2021, 1, 1)),
        "chua_den": (date(2999, 1, 1), None),
    }
    with services.db.write() as session:
        unit = make_unit(session)
        for name, (begins, ends) in spans.items():
            user = make_user(session, username=name)
            make_role(session, user, Role.HR_OFFICER, unit, valid_from=begins, valid_to=ends)
    listed = operator("role", "list")
    assert listed.code == 0, listed.said
    assert {name for name in spans if name in listed.out} == {"mai", "lan"}
