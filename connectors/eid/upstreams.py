"""The table of upstreams: who vouches for people, and how far each is trusted.

Rows are made at the command line. A name stands in stored sign-ins, in addresses and in the audit
trail: it is never given to another upstream. Secrets are sealed; whoever is disabled vouches for
nobody from that moment on, not for sign-ins under way either.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.eid.opening import private_key
from connectors.eid.profiles import PROFILES, EidProfile, Party
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.settings import Settings, most, require_address
from directory import eid_links
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.errors import Conflict, InvalidInput, NotFound
from directory.base.remembered import Remembered

_PURPOSE = "eid-upstream"
NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
FRESH = timedelta(seconds=5)
"""How old the list may be of which people are shown what they could choose. Whoever chooses is
answered by the table itself."""


class Upstream(Base):
    """An upstream provider of identities."""

    __tablename__ = "eid_upstream"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    """What people call it."""
    profile: Mapped[str]
    issuer: Mapped[str]
    settings: Mapped[dict[str, Any]]
    secret_sealed: Mapped[str | None]
    key_sealed: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Offered:
    """An upstream as the sign-in page knows it."""

    name: str
    title: str
    most: int
    """1 to 4: what a sign-in there proves at best."""
    leads_to: str
    """An address at the origin where she is sent, as far as that is known beforehand."""
    tells_when: bool
    """Whether one can know that she was asked there for this sign-in."""


def made(  # noqa: PLR0913 (one keyword per column)
    keyring: Keyring,
    *,
    name: str,
    title: str,
    profile: str,
    issuer: str,
    said: Mapping[str, Any],
    secret: str | None,
    key: bytes | None,
    now: datetime,
) -> Upstream:
    """A new upstream, for ``add``; ``said`` are its settings as far as its profile's own are not
    meant. Raises InvalidInput naming the setting.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "eid_name", "Tên chỉ gồm chữ thường, chữ số và dấu gạch nối.", field="name"
        )
    chosen = PROFILES[profile]
    settings = _checked(chosen, issuer, said)
    if chosen.needs_key and key is None:
        raise InvalidInput("eid_key", "Cách kết nối này cần khóa riêng.", field="key-file")
    if key is not None:
        _require_key(key)
    return Upstream(
        name=name,
        title=title,
        profile=profile,
        issuer=issuer,
        settings=settings.model_dump(mode="json"),
        secret_sealed=None if secret is None else keyring.encrypt(_PURPOSE, secret.encode()),
        key_sealed=None if key is None else keyring.encrypt(_PURPOSE, key),
        enabled=True,
        created_at=now,
    )


def _require_key(key: bytes) -> None:
    try:
        private_key(key)
    except ValueError as exc:
        raise InvalidInput(
            "eid_key",
            "Khóa riêng phải là RSA từ 2048 bit, dạng PEM, không mật khẩu.",
            field="key-file",
        ) from exc


def add(session: Session, row: Upstream, *, actor: Actor) -> None:
    """Let it vouch from now on. Raises Conflict for a name that was given before."""
    if session.scalar(select(Upstream.id).where(Upstream.name == row.name)) is not None:
        raise Conflict("eid_name_taken", "Đã có nơi xác thực tên {name}.", name=row.name)
    session.add(row)
    session.flush()
    _audit(session, row, "added", row.created_at, actor)


def _checked(profile: EidProfile, issuer: str, said: Mapping[str, Any]) -> Settings:
    """The settings, whole. Raises InvalidInput."""
    try:
        require_address(issuer)
    except ValueError as exc:
        raise InvalidInput("eid_issuer", "issuer phải là địa chỉ http(s).", field="issuer") from exc
    meant = dict(profile.defaults(issuer))
    for name, value in said.items():
        both = isinstance(value, Mapping) and isinstance(meant.get(name), Mapping)
        meant[name] = {**meant[name], **value} if both else value
    try:
        settings = Settings.model_validate(meant)
    except ValidationError as exc:
        wrong = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'settings'}: {error['msg']}"
            for error in exc.errors(include_input=False, include_url=False)
        )
        raise InvalidInput(
            "eid_settings", "Cấu hình nơi xác thực sai: {wrong}", field="settings", wrong=wrong
        ) from exc
    for each in profile.endpoints:
        if each not in settings.endpoints and not (each == "jwks" and not settings.signs):
            raise InvalidInput("eid_endpoint", "Thiếu địa chỉ {name}.", field="endpoint", name=each)
    return settings


def enable(session: Session, name: str, *, enabled: bool, now: datetime, actor: Actor) -> None:
    """Let it vouch, or no longer. Raises NotFound."""
    row = get(session, name)
    if row.enabled != enabled:
        row.enabled = enabled
        _audit(session, row, "enabled" if enabled else "disabled", now, actor)


def leads_to(row: Upstream, where: str) -> None:
    """Where its sign-in page is: the page with the button must be let lead there."""
    row.settings = {**row.settings, "leads_to": where}


def _audit(session: Session, row: Upstream, what: str, now: datetime, actor: Actor) -> None:
    audit.record(
        session,
        Tag.EID_UPSTREAM,
        at=now,
        actor=actor,
        subject=("eid", row.name),
        data={
            "what": what,
            "protocol": row.profile,
            "issuer": row.issuer,
            "ceiling": row.settings["ceiling"],
            "assume": row.settings["assume"],
        },
    )


@dataclass(frozen=True)
class Identity:
    """A link of somebody's as people see it."""

    title: str
    level: int
    linked_at: datetime
    used_at: datetime


def identities(session: Session, user_id: int) -> list[Identity]:
    """Who vouches for a person: where, at which level, since when, last when."""
    links = eid_links.of_person(session, user_id)
    titles = {row.name: row.title for row in every(session)} if links else {}
    return [
        Identity(titles.get(one.upstream, one.upstream), one.level, one.linked_at, one.used_at)
        for one in links
    ]


def get(session: Session, name: str) -> Upstream:
    """The upstream of this name. Raises NotFound."""
    row = session.scalars(select(Upstream).where(Upstream.name == name)).one_or_none()
    if row is None:
        raise NotFound("eid_unknown", "Không có nơi xác thực {name}.", name=name[:60])
    return row


def every(session: Session) -> list[Upstream]:
    """All of them, by name."""
    return list(session.scalars(select(Upstream).order_by(Upstream.name)))


def profile(row: Upstream) -> EidProfile:
    """How it is spoken to. Raises EidRefused where no profile of this release is."""
    found = PROFILES.get(row.profile)
    if found is None:
        raise EidRefused(Why.MISCONFIGURED, "unknown profile")
    return found


def party(row: Upstream, keyring: Keyring) -> Party:
    """The upstream as it is spoken to, its secrets opened. Raises EidRefused."""
    try:
        settings = Settings.model_validate(row.settings)
    except ValidationError as exc:
        raise EidRefused(Why.MISCONFIGURED, "settings of another release") from exc
    secret = keyring.decrypt(_PURPOSE, row.secret_sealed).decode() if row.secret_sealed else ""
    key = _loaded(row.name, row.key_sealed, keyring) if row.key_sealed else None
    return Party(row.name, row.title, row.issuer, settings, secret, key)


_LOADED = Remembered(12)
"""Private keys by the sealed form they were read from: to load one costs tens of milliseconds."""


def _loaded(name: str, sealed: str, keyring: Keyring) -> RSAPrivateKey:
    return _LOADED.recall(
        name, sealed, lambda: (sealed, private_key(keyring.decrypt(_PURPOSE, sealed)))
    )


# ---- what people are offered -------------------------------------------------------------------

_LIST = "eid upstreams"


def offered(
    where: Connection | Session, remembered: Remembered, now: datetime
) -> tuple[Offered, ...]:
    """Those that people may choose: as the table said ``FRESH`` ago at most."""
    found: tuple[datetime, tuple[Offered, ...]] | None = remembered.newest(_LIST)
    if found is None or not found[0] <= now < found[0] + FRESH:
        found = now, _read(where)
        remembered.keep(_LIST, now, found)
    return found[1]


def newest(remembered: Remembered) -> tuple[Offered, ...]:
    """Those that were there when anybody here last looked."""
    found: tuple[datetime, tuple[Offered, ...]] | None = remembered.newest(_LIST)
    return () if found is None else found[1]


def _read(where: Connection | Session) -> tuple[Offered, ...]:
    rows = core(where).execute(
        select(Upstream.name, Upstream.title, Upstream.profile, Upstream.issuer, Upstream.settings)
        .where(Upstream.enabled.is_(True))
        .order_by(Upstream.name)
    )
    return tuple(_offered(row) for row in rows if row.profile in PROFILES)


def _offered(row: Any) -> Offered:
    said: dict[str, Any] = row.settings
    return Offered(
        row.name,
        row.title,
        most(said),
        said["endpoints"].get("authorization") or said.get("leads_to") or row.issuer,
        PROFILES[row.profile].tells_when or bool(said.get("asks_anew")),
    )
