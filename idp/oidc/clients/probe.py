"""The client by which the installation asks itself, as an ordinary client, what is active."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.crypto import Keyring
from idp.oidc.clients.client_rows import Client, kept, register
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.kinds import AuthMethod, GrantType

PROBE = "dinhdanh-probe"


def probe_secret(keyring: Keyring) -> str:
    """The probe client's secret: derived, so that a worker needs nothing but the keyring."""
    return keyring.mac("probe-client", PROBE.encode(), size=32).hex()


def ensure_probe_client(session: Session, keyring: Keyring, now: datetime) -> Client:
    """The client by which the installation asks itself, as an ordinary client, what is active."""
    secret = probe_secret(keyring)
    wanted_hash = keyring.keyed_hash("client-secret", secret)
    found = session.scalars(select(Client).where(Client.client_id == PROBE)).one_or_none()
    if found is None:
        found, _ = register(
            session,
            Registration(
                name="Kiểm chứng thu hồi",
                grant_types=(GrantType.CLIENT,),
                scopes=(),
                resource_server=True,
                introspect_all=True,
                client_id=PROBE,
            ),
            keyring=keyring,
            actor=Actor.system(),
            now=now,
        )
    if [each["hash"] for each in found.secrets] != [wanted_hash]:
        found.secrets = [kept(keyring, secret, now, method=AuthMethod.BASIC)]
        session.flush()
    return found
