"""A certificate for a server of the installation, named by its DNS names."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from connectors.pki import authority, issuance, keys, signers
from connectors.pki.issuance import Contents
from connectors.pki.naming import name
from connectors.pki.profiles import SERVICE
from connectors.pki.tables import Authority
from directory.base.audit import Actor
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import InvalidInput


def issue(
    db: Database,
    keyring: Keyring,
    settings: Settings,
    *,
    hosts: tuple[str, ...],
    csr_pem: str,
    now: datetime,
    actor: Actor,
) -> str:
    """A certificate for a server of the installation, named by its DNS names; PEM with chain.

    Raises InvalidInput for the CSR and for names that are none.
    """
    key = keys.from_csr(csr_pem)
    try:
        names = tuple(x509.DNSName(host) for host in hosts)
    except ValueError as exc:
        raise InvalidInput("hosts", "Tên máy chủ không hợp lệ.", field="hosts") from exc
    if not names or not all(hosts):
        raise InvalidInput("hosts", "Cần ít nhất một tên máy chủ.", field="hosts")
    with db.write() as session:
        ours = authority.issuing(session)
        contents = Contents(
            profile=SERVICE,
            subject=name(
                (NameOID.COUNTRY_NAME, "VN"),
                (NameOID.ORGANIZATION_NAME, issuance.installation_name(session)),
                (NameOID.COMMON_NAME, hosts[0]),
            ),
            title=hosts[0],
            alternatives=names,
            lifetime=timedelta(days=settings.certificate_days),
        )
        intended = issuance.intend(session, ours, contents, key, now=now)
    signed = signers.of(ours).issue(keyring, settings, ours, intended, contents, key)
    assert signed is not None  # noqa: S101 (ours answers at once)
    with db.write() as session:
        issuance.settle(session, intended.id, signed, now=now)
        issuance.note(session, intended, actor, now, intended.serial)
        chain = authority.chain(session, session.get_one(Authority, ours.id))
    return authority.pem([signed, *chain])
