"""An application's row → its connector, kept per process while row and secret stay the same."""

import hashlib
import json
import threading
from collections.abc import MutableMapping
from importlib import import_module
from typing import NamedTuple, Protocol, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from connectors.accounts.contract import Connector
from connectors.errors import Misconfigured
from connectors.outbound import Outbound
from connectors.tools import Tools
from directory.base.crypto import Keyring
from directory.changes.effects import State
from directory.entitlements import Application

PURPOSE = "connector"
"""Of the keyring: what ``Application.connector_secret`` is sealed for."""


class Adapter(Protocol):
    """What the module of a kind offers: its settings' model, and how a connector is made.

    It may also say that it needs no secret (``SECRET`` is then False).
    """

    Settings: type[BaseModel]

    def connect(self, settings: BaseModel, secret: str, outbound: Outbound) -> Connector:
        """A connector with these settings."""
        ...


class Named(NamedTuple):
    """An adapter by its module, loaded at first use, and what is asked before that: the libraries
    behind some cost a second of every command's start, or of a transaction.
    """

    module: str
    final: State = State.VERIFIED


ADAPTERS: MutableMapping[str, Named | Adapter] = {
    "scim": Named("connectors.accounts.scim.connector"),
    "ldap": Named("connectors.accounts.ldap"),
    "manual": Named("connectors.accounts.manual", final=State.ACKNOWLEDGED),
}
"""What ``Application.connector`` may say."""


def kinds() -> list[str]:
    """What ``Application.connector`` may say, in order."""
    return sorted(ADAPTERS)


def final_of(kind: str | None) -> State:
    """The state that completes what happens to an account at a target of this kind."""
    known = ADAPTERS.get(kind or "")
    return known.final if isinstance(known, Named) else State.VERIFIED


def _adapter(kind: str | None) -> Adapter:
    known = ADAPTERS.get(kind or "")
    if known is None:
        raise Misconfigured("Ứng dụng chưa có kết nối, hoặc loại kết nối không có.")
    return cast("Adapter", import_module(known.module)) if isinstance(known, Named) else known


_lock = threading.Lock()
_made: WeakKeyDictionary[Outbound, dict[int, tuple[str, Connector]]] = WeakKeyDictionary()
"""Per process' client: application id → (digest of what it was made from, connector)."""


def connector_for(tools: Tools, application: Application) -> Connector:
    """The connector of an application. Raises Misconfigured naming every wrong setting.

    The one before, made from other settings or another secret, is closed.
    """
    digest, before = _digest(application), None
    try:
        with _lock:
            made = _made.setdefault(tools.outbound, {})
            known = made.get(application.id)
            if known is None or known[0] != digest:
                before = made.pop(application.id, None)
                known = made[application.id] = digest, _make(tools, application)
            return known[1]
    finally:
        if before is not None:
            before[1].close()


def close(outbound: Outbound) -> None:
    """Close what the connectors made with this client hold open."""
    with _lock:
        made = _made.pop(outbound, {})
    for _, connector in made.values():
        connector.close()


def check(kind: str | None, settings: dict[str, object]) -> BaseModel:
    """The settings of a connector, read strictly. Raises Misconfigured naming every wrong one."""
    model = _adapter(kind).Settings
    try:
        return model.model_validate(settings)
    except ValidationError as exc:
        # The value is left out: somebody may have put a secret where it does not belong.
        wrong = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'settings'}: {error['msg']}"
            for error in exc.errors(include_input=False, include_url=False)
        )
        raise Misconfigured("Cấu hình kết nối sai: {wrong}", wrong=wrong) from exc


def save_secret(
    session: Session, application: Application, secret: str, *, keyring: Keyring
) -> None:
    """Seal the connector's secret into the application's row."""
    application.connector_secret = keyring.encrypt(PURPOSE, secret.encode())
    session.flush()


def _make(tools: Tools, application: Application) -> Connector:
    settings = check(application.connector, application.connector_settings)
    adapter = _adapter(application.connector)
    if not getattr(adapter, "SECRET", True):
        return adapter.connect(settings, "", tools.outbound)
    if not application.connector_secret:
        raise Misconfigured("Kết nối của ứng dụng {name} thiếu khóa bí mật.", name=application.name)
    secret = tools.keyring.decrypt(PURPOSE, application.connector_secret).decode()
    return adapter.connect(settings, secret, tools.outbound)


def _digest(application: Application) -> str:
    body = [application.connector, application.connector_settings, application.connector_secret]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
