"""Rights and demands in force: who may do what, and what is asked of a sign-in where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from directory.assignments import Position
from directory.base.config import Settings
from directory.base.rows import in_force
from directory.permissions import GIVES, AdminRole, Do, Role
from idp import demands
from idp.assurance import Level
from idp.demands import Operation, Rules, Situation
from idp.oidc.clients import BY_SECRET, Client, GrantType, Options, all_clients
from idp.web import asked_again
from idp.web.i18n import duration, gettext
from idp.web.labels import label


@dataclass(frozen=True)
class RoleRow:
    """A role, in words."""

    name: str
    rights: list[str]
    holders: int
    """People who have it today, over whatever."""


@dataclass(frozen=True)
class DemandRow:
    """Something that a sign-in is asked for."""

    where: str
    strength: str
    """In words; empty where nothing beyond the rest is asked."""
    newer: str
    """How new it must be, in words."""


@dataclass(frozen=True)
class ClientRow:
    """A client that asks for something of its own, or that writes on its own account."""

    client_id: str
    name: str
    strength: str
    eid_level: int | None
    writes_by: str
    """``secret`` or ``key`` of one that changes people on its own account; empty for others."""


@dataclass(frozen=True)
class DemandsPage:
    """All of it."""

    roles: list[RoleRow]
    everybody: str
    """Of whom two factors are asked, in words."""
    networks: Sequence[str]
    operations: list[DemandRow]
    positions: list[DemandRow]
    scopes: list[DemandRow]
    clients: list[ClientRow]
    times: list[tuple[str, str]]
    passwords: list[tuple[str, str]]


def demanded(session: Session, settings: Settings, *, on: date) -> DemandsPage:
    """What is in force on this day."""
    return DemandsPage(
        _roles(session, on),
        _everybody(settings.second_factor),
        settings.inside_networks,
        _operations(settings),
        _positions(session, settings),
        _scopes(settings),
        [row for client in all_clients(session) if (row := _client(client)) is not None],
        _times(settings),
        _passwords(settings),
    )


def right(action: Do) -> str:
    """What may be done, in words."""
    words = {
        Do.SEE: gettext("Xem người, đơn vị, thay đổi"),
        Do.CHANGE: gettext("Ghi thay đổi nhân sự"),
        Do.GRANT_ROLE: gettext("Giao vai trò"),
        Do.MANAGE_APPLICATION: gettext("Quản lý ứng dụng và ứng dụng khách"),
        Do.MANAGE_INSTALLATION: gettext("Vận hành hệ thống"),
        Do.SEE_AUDIT: gettext("Đọc nhật ký"),
        Do.RESET_FACTORS: gettext("Đặt lại cách xác thực của người khác"),
    }
    return words[action]


def _roles(session: Session, on: date) -> list[RoleRow]:
    counted = (
        select(AdminRole.role, func.count(AdminRole.user_id.distinct()))
        .where(AdminRole.user_id.is_not(None), in_force(AdminRole, on))
        .group_by(AdminRole.role)
    )
    holders = {row[0]: row[1] for row in session.execute(counted)}
    return [
        RoleRow(
            label("role", role.value),
            [right(action) for action in Do if action in GIVES[role]],
            holders.get(role.value, 0),
        )
        for role in Role
    ]


def _everybody(rule: str) -> str:
    return {
        "everybody": gettext("Mọi người, ở bất cứ đâu: hai cách xác thực."),
        "outside": gettext(
            "Người có vai trò quản trị: luôn hai cách xác thực. Người khác: hai cách khi đăng nhập từ "
            "ngoài mạng của cơ quan, một cách khi ở trong."
        ),
        "administrators": gettext(
            "Người có vai trò quản trị: luôn hai cách xác thực. Người khác: một cách, ở bất cứ đâu."
        ),
        "nobody": gettext("Không ai được hỏi cách xác thực thứ hai."),
    }[rule]


def _strength(settings: Settings, at: Situation) -> str:
    strongest = demands.strongest(demands.of(Rules.of(settings), at))
    return asked_again.strength(strongest.level) if strongest else ""


def _seconds(count: int | None) -> str:
    return duration(timedelta(seconds=count)) if count is not None else ""


def _operations(settings: Settings) -> list[DemandRow]:
    return [
        DemandRow(
            asked_again.done(one),
            # Whoever does it administers something.
            _strength(settings, Situation(present=True, administers=True, operation=one))
            or asked_again.strength(Level.AAL1),
            _seconds(settings.sudo_window),
        )
        for one in Operation
    ]


def _positions(session: Session, settings: Settings) -> list[DemandRow]:
    codes = sorted(settings.position_acr)
    known = select(Position.code, Position.name).where(Position.code.in_(codes))
    names = {row.code: row.name for row in session.execute(known)}
    return [
        DemandRow(
            f"{names[code]} ({code})" if code in names else code,
            _strength(settings, Situation(position=code)),
            "",
        )
        for code in codes
    ]


def _scopes(settings: Settings) -> list[DemandRow]:
    named = sorted({*settings.scope_acr, *settings.scope_max_age})
    return [
        DemandRow(
            scope,
            _strength(settings, Situation(scopes=(scope,))),
            _seconds(settings.scope_max_age.get(scope)),
        )
        for scope in named
    ]


def _client(client: Client) -> ClientRow | None:
    options = Options.of(client.options)
    writes = GrantType.CLIENT in client.grant_types and "changes:write" in client.scopes
    if not client.enabled or not (options.minimum_acr or options.minimum_eid_level or writes):
        return None
    by = "secret" if client.auth_method in BY_SECRET else "key"
    return ClientRow(
        client.client_id,
        client.name,
        asked_again.strength(options.minimum_acr) if options.minimum_acr else "",
        options.minimum_eid_level,
        by if writes else "",
    )


def _times(settings: Settings) -> list[tuple[str, str]]:
    return [
        (gettext("Phiên nghỉ quá"), _seconds(settings.session_idle)),
        (gettext("Trang quản trị nghỉ quá"), _seconds(settings.admin_idle)),
        (gettext("Phiên dài nhất"), _seconds(settings.session_lifetime)),
        (gettext("Xác nhận lại trước khi ghi, sau"), _seconds(settings.sudo_window)),
    ]


def _passwords(settings: Settings) -> list[tuple[str, str]]:
    days, never = settings.admin_password_days, gettext("không bao giờ")
    return [
        (gettext("Dài ít nhất, khi đứng một mình"), str(settings.password_min)),
        (
            gettext("Dài ít nhất, khi luôn có cách thứ hai"),
            str(settings.password_min_beside_second),
        ),
        (
            gettext("Người có vai trò quản trị đổi sau"),
            gettext("{n} ngày", n=days) if days else never,
        ),
        (
            gettext("Người có vai trò quản trị không dùng lại"),
            gettext("{n} mật khẩu gần nhất", n=max(settings.admin_password_history, 1)),
        ),
        (
            gettext("Khóa sau"),
            gettext(
                "{n} lần sai, trong {time}", n=settings.lock_after, time=_seconds(settings.lock_for)
            ),
        ),
    ]
