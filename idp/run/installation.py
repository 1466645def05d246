"""What an installation needs besides its tables: its own row, keys, a CA, a client of its own."""

from sqlalchemy import select

from connectors.pki import authority
from connectors.pki.tables import Authority
from directory.base import audit
from directory.base.config import Settings
from directory.base.errors import Misconfigured
from directory.entitlements import Installation
from idp.oidc import clients, signing_keys
from idp.run import wiring
from idp.services import Services
from idp.trail import anchor


def prepare(services: Services, *, name: str = "Dinhdanh") -> None:
    """Make what is missing; doing it again changes nothing.

    Raises Misconfigured when the keyring is not the one this database was made with.
    """
    now, keyring = services.clock(), services.keyring
    with services.db.write() as session:
        row = session.scalars(select(Installation)).one_or_none()
        if row is None:
            row = Installation(id=1, name=name, keyring_id=keyring.current)
            session.add(row)
            session.flush()
        _fits(row, services)
        signing_keys.ensure_keys(session, keyring, now)
        clients.ensure_probe_client(session, keyring, now)
        if session.scalar(select(Authority.id).limit(1)) is None:
            authority.create(session, keyring, services.settings, organization=row.name, now=now)
        audit.seal(session, keyring)
    anchor.written(services, now)


def opened(settings: Settings) -> Services:
    """The installation that the settings name, for a command that works on it.

    Raises Misconfigured before ``migrate``, and with the keyring of another one: what such a key
    seals, or hashes to be found again, would be lost to the right one.
    """
    services = wiring.build(settings)
    require(services)
    return services


def require(services: Services) -> Installation:
    """The installation's row. Raises Misconfigured before ``migrate`` and with a wrong keyring."""
    with services.db.read() as session:
        row = session.scalars(select(Installation)).one_or_none()
    if row is None:
        raise Misconfigured("not_installed", "Chưa khởi tạo; hãy chạy: dinhdanh migrate")
    _fits(row, services)
    return row


def _fits(row: Installation, services: Services) -> None:
    if not services.keyring.knows(row.keyring_id):
        raise Misconfigured(
            "key_unknown",
            "Tệp khóa thiếu khóa {key_id} mà cơ sở dữ liệu này cần.",
            key_id=row.keyring_id,
        )
