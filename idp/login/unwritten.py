"""A sign-in in which nothing has been proven yet is written nowhere: its address says it all.

Anybody may ask for the sign-in page, as often as she likes. Until a password fits there is nothing to
keep but where she was going, and that stands in the address ``/login/<…>`` itself, under a MAC that
belongs to her browser. Then it becomes a row like any other, at the same address.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from directory.base.config import Settings
from directory.base.crypto import Keyring, random_id
from directory.base.db import core
from directory.base.errors import NotFound
from idp.login import flow as flows
from idp.login.flow_rows import LoginFlow
from idp.login.policy import FlowState

LONGEST = 2000
"""Bytes of a way back that an address holds; of a longer one the query is left out."""
_PROMPTS = ("login", "select_account")
_MAC = 16
_TAG = 22
"""Characters of a MAC, and of a row's id: a longer name is an address."""


def address(
    keyring: Keyring, *, return_to: str, prompt: str | None, browser: str, now: datetime
) -> str:
    """The name of a new sign-in, in place of a row's id; it holds no more than it must."""
    if _length(return_to) > LONGEST:
        return_to = urlsplit(return_to).path
    if _length(return_to) > LONGEST:
        return_to = "/"
    told = [return_to, prompt if prompt in _PROMPTS else "", now.isoformat(), random_id()]
    body = _encode(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())
    return body + _encode(_tag(keyring, body, browser))


def _length(return_to: str) -> int:
    """As it is written there: a quotation mark takes two."""
    return len(json.dumps(return_to, ensure_ascii=False).encode())


def read(keyring: Keyring, name: str, *, browser: str, settings: Settings) -> FlowState | None:
    """The sign-in that an address of this browser says, however old; None for any other name."""
    body, tag = name[:-_TAG], name[-_TAG:]
    if not body or len(name) > 2 * LONGEST or not name.isascii():
        return None
    try:
        mac = base64.urlsafe_b64decode(tag + "=" * (-len(tag) % 4))
        if len(mac) != _MAC or not keyring.mac_fits(_PURPOSE, _said(body, browser), mac):
            return None
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        return None
    return_to, prompt, begun, _ = json.loads(raw)
    began = datetime.fromisoformat(begun).astimezone(UTC)
    return FlowState(
        id=name,
        return_to=return_to,
        client_id=None,
        request={"prompt": prompt} if prompt else {},
        browser=browser,
        expires_at=began + timedelta(seconds=settings.flow_lifetime),
        user_id=None,
        password_at=None,
        user_epoch=None,
        must_change=False,
        assignment_id=None,
        capacity_chosen=False,
        done_at=None,
    )


def load(
    connection: Connection,
    keyring: Keyring,
    name: str,
    *,
    browser: str,
    now: datetime,
    settings: Settings,
) -> FlowState:
    """The sign-in of this name as this browser may see it, written or not. Raises NotFound."""
    told = read(keyring, name, browser=browser, settings=settings)
    if told is None:
        return flows.load(connection, name, browser=browser, now=now)
    try:
        return flows.load(connection, _row_id(name), browser=browser, now=now)
    except NotFound:
        if told.expires_at <= now:
            raise
        return told


def keep(session: Session, flow: FlowState, *, settings: Settings) -> str:
    """The id of the sign-in's row, which from now on is there. One INSERT where it was not."""
    if len(flow.id) <= _TAG:
        return flow.id
    connection, row_id = core(session), _row_id(flow.id)
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        make(LoginFlow)
        .values(
            id=row_id,
            return_to=flow.return_to,
            client_id=None,
            request=flow.request,
            browser=flow.browser,
            created_at=flow.expires_at - timedelta(seconds=settings.flow_lifetime),
            expires_at=flow.expires_at,
            must_change=False,
            capacity_chosen=False,
            consumed=False,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
    return row_id


_PURPOSE = "sign-in-address"


def _said(body: str, browser: str) -> bytes:
    return f"{browser}.{body}".encode()


def _tag(keyring: Keyring, body: str, browser: str) -> bytes:
    return keyring.mac(_PURPOSE, _said(body, browser), size=_MAC)


def _row_id(name: str) -> str:
    return _encode(hashlib.sha256(name.encode()).digest()[:16])


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
