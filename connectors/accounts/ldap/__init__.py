"""LDAP targets such as OpenLDAP (RFC 4511, 2798, 4519) by ldap3, which only this
package speaks.

An account is an inetOrgPerson entry. Its key is ``entryUUID`` (RFC 4530), which survives renames
and moves; its owner stands in the external-id attribute. Entries live in a container made from a
template (``ou={department},ou={organization}``) and move with the person; missing containers are
created. Plain LDAP knows no "disabled": the entry gets the disabled marker (``shadowExpire: 1`` of
``shadowAccount``, expired since 1970) and loses ``userPassword``, so that who reads the marker and
who only binds both refuse it; where wanted it also moves to a container of its own. It counts as
disabled only with both, wherever it lies. Nothing is ever deleted. Entries are looked for in all
that the server holds, not only where we put them: somebody may have moved one.

TLS verifies chain and host name by OpenSSL; plain text only where the settings say so.

    connector       find, create, mend, move, disable; what a thief would try
    pool            connections: checked address, verified TLS, bound, kept while fresh
    link            one connection, every operation bounded
    settings        how a server is reached and how accounts look in it
    names           distinguished names as text: escaped, split, compared
"""

from pydantic import BaseModel

from connectors.accounts.ldap.connector import LdapConnector
from connectors.accounts.ldap.settings import LdapSettings, Security
from connectors.outbound import Outbound

Settings = LdapSettings


def connect(settings: BaseModel, secret: str, outbound: Outbound) -> LdapConnector:
    """A connector with these settings; for the registry."""
    return LdapConnector(LdapSettings.model_validate(settings), secret, outbound)


__all__ = ["LdapConnector", "LdapSettings", "Security", "Settings", "connect"]
