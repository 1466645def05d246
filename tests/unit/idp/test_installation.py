"""What an installation needs besides its tables."""

import pytest
from sqlalchemy import func, select

from connectors.pki.tables import Authority
from directory.base.crypto import Keyring
from directory.base.errors import Misconfigured
from directory.entitlements import Installation
from idp.oidc.clients import Client
from idp.oidc.signing_keys import SigningKey
from idp.run import installation

pytestmark = pytest.mark.both_databases


def _counts(services):
    with services.db.read() as session:
        return [
            session.scalar(select(func.count()).select_from(table))
            for table in (Installation, SigningKey, Client, Authority)
        ]


def test_preparing_twice_changes_nothing(services):
    before = _counts(services)
    installation.prepare(services, name="Tên khác")
    assert _counts(services) == before
    assert all(before)


def test_a_foreign_keyring_is_refused(services):
    with services.db.write() as session:
        session.get_one(Installation, 1).keyring_id = Keyring.generate().current
    with pytest.raises(Misconfigured):
        installation.require(services)
