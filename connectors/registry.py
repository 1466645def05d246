"""An application's row → its connector, kept per process while row and secret stay the same."""

import hashlib
import json
import threading
from collections.abc import Callable
from enum import StrEnum
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from connectors.contract import Connector, Misconfigured, Outbound, Tools
from connectors.ldap import LdapConnector, LdapSettings
from connectors.scim import ScimConnector, ScimSettings
from directory.base.crypto import Keyring
from directory.entitlements import Application

PURPOSE = "connector"
"""Of the keyring: what ``Application.connector_secret`` is sealed for."""


class ConnectorKind(StrEnum):
    """What ``Application.connector`` may say."""

    SCIM = "scim"
    LDAP = "ldap"


def _scim(settings: BaseModel, secret: str, outbound: Outbound) -> Connector:
    return ScimConnector(ScimSettings.model_validate(settings), secret, outbound)


def _ldap(settings: BaseModel, secret: str, outbound: Outbound) -> Connector:
    return LdapConnector(LdapSettings.model_validate(settings), secret, outbound)


_KINDS: dict[
    ConnectorKind, tuple[type[BaseModel], Callable[[BaseModel, str, Outbound], Connector]]
] = {
    ConnectorKind.SCIM: (ScimSettings, _scim),
    ConnectorKind.LDAP: (LdapSettings, _ldap),
}

_lock = threading.Lock()
_made: WeakKeyDictionary[Outbound, dict[int, tuple[str, Connector]]] = WeakKeyDictionary()
"""Per process' client: application id → (digest of what it was made from, connector)."""


def connector_for(tools: Tools, application: Application) -> Connector:
    """The connector of an application. Raises Misconfigured naming every wrong setting."""
    digest = _digest(application)
    with _lock:
        made = _made.setdefault(tools.outbound, {})
        known = made.get(application.id)
        if known is None or known[0] != digest:
            known = made[application.id] = digest, _make(tools, application)
        return known[1]


def check(kind: str | None, settings: dict[str, object]) -> BaseModel:
    """The settings of a connector, read strictly. Raises Misconfigured naming every wrong one."""
    try:
        model, _ = _KINDS[ConnectorKind(kind or "")]
    except ValueError as exc:
        raise Misconfigured("Ứng dụng chưa có kết nối, hoặc loại kết nối không có.") from exc
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
    if not application.connector_secret:
        raise Misconfigured("Kết nối của ứng dụng {name} thiếu khóa bí mật.", name=application.name)
    secret = tools.keyring.decrypt(PURPOSE, application.connector_secret).decode()
    _, make = _KINDS[ConnectorKind(application.connector or "")]
    return make(settings, secret, tools.outbound)


def _digest(application: Application) -> str:
    body = [application.connector, application.connector_settings, application.connector_secret]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
