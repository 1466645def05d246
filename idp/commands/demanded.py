"""What ``check`` says of what is asked of sign-ins: what nobody could ever meet, and names of nothing."""

from collections.abc import Iterator

from sqlalchemy import select

from directory.assignments import Position
from directory.base.config import Settings
from idp import assurance
from idp.demands import Operation
from idp.factors import registry
from idp.oidc.clients import SCOPES
from idp.services import Services
from idp.web.i18n import gettext


def problems(settings: Settings) -> Iterator[str]:
    """What nobody could ever meet."""
    for scope in {**settings.scope_acr, **settings.scope_max_age}:
        if scope not in SCOPES:
            yield gettext("scope_acr, scope_max_age: không có phạm vi {scope}.", scope=scope)
    for operation in {**settings.operation_acr, **settings.operation_max_age}:
        if operation not in tuple(Operation):
            yield gettext(
                "operation_acr, operation_max_age: không có việc {operation}; các việc là {known}.",
                operation=operation,
                known=", ".join(Operation),
            )
    reachable = assurance.supported(registry.reachable())
    for scope, level in settings.scope_acr.items():
        if level not in reachable:
            yield gettext(
                "scope_acr: chưa có cách đăng nhập nào đạt {level}, không ai dùng được {scope}.",
                level=level,
                scope=scope,
            )
    for name in ("position_acr", "operation_acr"):
        for key, level in getattr(settings, name).items():
            if level not in reachable:
                yield gettext(
                    "{name}: chưa có cách đăng nhập nào đạt {level} của {key}.",
                    name=name,
                    level=level,
                    key=key,
                )


def positions_unknown(services: Services) -> Iterator[str]:
    """A position that is not there asks nobody for anything."""
    with services.db.read() as session:
        known = set(session.scalars(select(Position.code)))
    for code in sorted(set(services.settings.position_acr) - known):
        yield gettext("position_acr: không có chức vụ {code}.", code=code)
