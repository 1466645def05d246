"""Dynamic registration (RFC 7591, OIDC Registration 1.0) and its management (RFC 7592).

    admission     the setting ``registration``: nobody, whoever brings an initial access token,
                  or anybody, a bounded number per source
    register      a new client, its secret and its registration access token, each told once
    own, held     the client whose registration access token this is; held: kept from others
    again         what it registers instead; its secret and what the installation decides stay
    told          what it is told about itself
    remove        the client is disabled for good and everything it holds ends

A sector's document is fetched in ``vouched``, before any transaction. Who calls without a token
that is good hears ``Unauthorized``; what is wrong with the metadata is ``InvalidInput``. A client
that its operator has changed, disabled, enabled or given another secret manages itself no longer:
what she has set it cannot loosen, and she need not guard what she has not thought of.
"""

import hmac
from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from connectors.outbound import Outbound
from directory.base.audit import Actor
from directory.base.config import Settings
from directory.base.crypto import Keyring, random_secret
from directory.base.errors import DinhdanhError, InvalidInput
from directory.base.storable import is_text
from idp.factors import throttle
from idp.oidc.clients import client_rows, documents, invites, metadata, sectors
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.documents import Document
from idp.oidc.clients.fields import By
from idp.oidc.clients.kinds import BY_SECRET, Profile, SubjectType

PATH = "/oauth2/register"
PREFIX = "ddg_"
WINDOW = timedelta(minutes=10)
MOST_UPDATES = 60
"""Updates of one client in a window."""
MOST_SECTORS = 60
"""Sectors' documents that one source has read in a window, each invited as it may be."""
_PURPOSE = "registration-token"
_ASSIGNED = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
"""What a client may not send back (RFC 7592 §2.2)."""


class Unauthorized(DinhdanhError):
    """No token, or none that is good here. ``error`` is empty where none was brought."""

    status = 401

    def __init__(self, error: str = "") -> None:
        super().__init__(error or "token_missing", "Cần mã truy cập còn hiệu lực.")
        self.error = error


# ---- who may register --------------------------------------------------------------------------


def count(session: Session, ip: str, *, settings: Settings, now: datetime) -> None:
    """One more try of this address where anybody may register. Raises Locked for too many, and
    Unauthorized where not anybody may.
    """
    if settings.registration != "open":
        raise Unauthorized
    most = settings.registrations_per_source
    key = "register:" + throttle.source_key(ip)
    throttle.admit(session, key, most=most, window=WINDOW, now=now)


def require_invited(connection: Connection, token: str, *, keyring: Keyring, now: datetime) -> None:
    """Raises Unauthorized unless the initial access token could be used now."""
    if not invites.good(connection, token, keyring=keyring, now=now):
        raise Unauthorized("invalid_token")


def count_sector(session: Session, ip: str, wanted: Registration, *, now: datetime) -> None:
    """One more try of this address, if a sector's document must be read for it: a try that fails
    uses up no initial access token. Raises Locked for too many.
    """
    if wanted.options.sector_identifier_uri is not None:
        key = "register-sector:" + throttle.source_key(ip)
        throttle.admit(session, key, most=MOST_SECTORS, window=WINDOW, now=now)


def vouched(wanted: Registration, outbound: Outbound) -> Registration:
    """The registration, if its fields are right and its sector vouches for it. It may call out,
    and belongs into no transaction. Raises InvalidInput, and Busy.
    """
    metadata.checked(wanted)
    uri = wanted.options.sector_identifier_uri
    if uri is not None:
        sectors.require_vouched(outbound, uri, wanted.redirect_uris)
    return wanted


def register(
    session: Session,
    wanted: Registration,
    *,
    token: str | None,
    keyring: Keyring,
    issuer: str,
    actor: Actor,
    now: datetime,
) -> dict[str, Any]:
    """A new client, as it is told about itself. Uses up the initial access token, if one was
    brought. Raises Unauthorized when others were quicker, and InvalidInput.
    """
    if token is not None:
        note = invites.consume(session, token, keyring=keyring, now=now)
        if note is None:
            raise Unauthorized("invalid_token")
        actor = changed(actor, label=note or actor.label)
    client, secret = client_rows.register(session, wanted, keyring=keyring, actor=actor, now=now)
    own_token = PREFIX + random_secret()
    client.registration_token = _hash(keyring, own_token)
    session.flush()
    return told(client, secret, token=own_token, issuer=issuer)


# ---- what a registered client may do about itself ----------------------------------------------


def own(session: Session, client_id: str, token: str, *, keyring: Keyring) -> Client:
    """The enabled client of this id, if the registration access token is its own.

    Raises Unauthorized, the same for an unknown client, one that is disabled, was not registered
    over HTTP or has been taken over by its operator, and a token of another.
    """
    if not is_text(client_id):
        raise Unauthorized("invalid_token")
    presented = _hash(keyring, token)
    client = session.scalars(select(Client).where(Client.client_id == client_id)).one_or_none()
    kept = client.registration_token if client is not None and client.enabled else None
    if not hmac.compare_digest(kept or "", presented) or client is None:
        raise Unauthorized("invalid_token")
    return client


def held(session: Session, client_id: str, token: str, *, keyring: Keyring) -> Client:
    """``own``, and nobody else changes it before this transaction ends."""
    if is_text(client_id):
        row = select(Client.id).where(Client.client_id == client_id)
        session.execute(row.with_for_update(key_share=True))
    return own(session, client_id, token, keyring=keyring)


def count_update(session: Session, client: Client, *, now: datetime) -> None:
    """One more update of this client. Raises Locked for too many."""
    throttle.admit(
        session, f"register-client:{client.id}", most=MOST_UPDATES, window=WINDOW, now=now
    )


def told(client: Client, secret: str | None, *, token: str, issuer: str) -> dict[str, Any]:
    """What a client is told about itself (RFC 7591 §3.2.1, RFC 7592 §3). The secret only where
    it is new: afterwards nobody knows it but the client.
    """
    return {
        **documents.told(client),
        **({"client_secret": secret} if secret is not None else {}),
        "registration_access_token": token,
        "registration_client_uri": f"{issuer}{PATH}/{client.client_id}",
    }


def again(
    client: Client, document: Document, settings: Settings, *, keyring: Keyring, now: datetime
) -> Registration:
    """What the document asks for in place of what is registered (RFC 7592 §2.2): what it leaves
    out falls back to its default, what the installation alone decides stays. Its addresses are
    the document's, whatever is registered: they are vouched for beforehand.

    Raises InvalidInput.
    """
    _require_same(client, document, keyring=keyring, now=now)
    wanted = documents.wanted(document, settings)
    before = Registration.of(client)
    kept = {e.name: value for e, value in before.every() if e.by < By.ITSELF}
    held, asked = before.options, wanted.options
    wanted = wanted.saying(
        kept
        | {
            "scopes": _not_beyond(client, wanted, document),
            "profile": _not_below(held.profile, asked.profile),
            "require_pkce": held.require_pkce or asked.require_pkce,
            # To send back what it was told (RFC 7592 §2.2) is not to choose it.
            "pin_auth_method": held.pin_auth_method
            or (asked.pin_auth_method and wanted.auth_method != before.auth_method),
        }
    )
    _require_same_sector(client, wanted)
    return wanted


def remove(session: Session, client: Client, *, actor: Actor, now: datetime) -> None:
    """RFC 7592 §2.3: it is gone, and what it holds ends at once. The row stays, since the audit
    trail and people's consents speak of it; its own token does not open it again.
    """
    client.registration_token = None
    client_rows.disable(session, client, actor=actor, now=now)


def _require_same(client: Client, document: Document, *, keyring: Keyring, now: datetime) -> None:
    """RFC 7592 §2.2: its own ``client_id``, and no secret but its own."""
    if document.text("client_id") != client.client_id:
        raise InvalidInput(
            "client_client_id", "Cần client_id đúng của ứng dụng.", field="client_id"
        )
    for name in _ASSIGNED:
        if name in document.values:
            raise InvalidInput("client_" + name, "Ứng dụng không tự đặt giá trị này.", field=name)
    secret = document.text("client_secret")
    if secret is not None and not (
        client.auth_method in BY_SECRET
        and client_rows.secret_fits(client.secrets, secret, keyring=keyring, now=now)
    ):
        raise InvalidInput(
            "client_client_secret", "Mật khẩu của ứng dụng không đúng.", field="client_secret"
        )


_STRICTNESS = (Profile.STANDARD, Profile.FAPI2, Profile.FAPI2_SIGNED)


def _not_below(held: Profile, asked: Profile) -> Profile:
    """A client may bind itself to a stricter profile; looser only its operator makes it."""
    return max(held, asked, key=_STRICTNESS.index)


def _not_beyond(client: Client, wanted: Registration, document: Document) -> tuple[str, ...]:
    """The scopes asked for that it has: more of them only its operator gives. Raises InvalidInput
    when none is left of those asked for.
    """
    asked = {*wanted.scopes, *(document.text("scope") or "").split()}
    found = tuple(scope for scope in client.scopes if scope in asked)
    if wanted.scopes and not found:
        raise InvalidInput("client_scopes", "Có phạm vi không được hỗ trợ.", field="scopes")
    return found


def _require_same_sector(client: Client, wanted: Registration) -> None:
    """Raises InvalidInput when a pairwise client would leave its sector: people would have other
    names there, and each sector it passes through keeps its salt for ever.
    """
    if client.sector is None:
        return
    pairwise = wanted.subject_type is SubjectType.PAIRWISE
    uri = wanted.options.sector_identifier_uri
    if not pairwise or sectors.identifier(wanted.redirect_uris, uri) != client.sector:
        raise InvalidInput(
            "client_sector",
            "Ứng dụng dùng mã định danh riêng không tự đổi nhóm của mình.",
            field="sector_identifier_uri" if pairwise else "subject_type",
        )


def _hash(keyring: Keyring, token: str) -> str:
    return keyring.keyed_hash(_PURPOSE, token)
