"""Clients: relying parties and resource servers, and what each may do.

registration    dynamic registration and its management (RFC 7591, RFC 7592)
documents       a client's metadata as JSON: read, and told
invites         initial access tokens: who may register
probe           the installation's own client
view            a client as one request sees it: one SELECT
client_rows     the table; register, rotate, disable
columns options the fields of a client's metadata: the two tables all edges are made from
fields sorts    what a field is; how values of its sort are written
checks applies  what a field's value must be; which clients it is asked of
metadata        what fields ask of one another
profiles        what FAPI 2.0 switches on, and what it refuses
jwks keyset     a client's own keys: those it registers, those it publishes
call_limits     how many calls to clients' own servers at once
sectors         pairwise subjects
refusals        why a client was refused, for its owner
redirects       which URIs may be registered, and which a request may name
dn              names of certificates' subjects
kinds           the closed sets
"""

from idp.oidc.clients.client_rows import (
    SECRET_OVERLAP,
    Client,
    all_clients,
    clients_of,
    disable,
    enable,
    get,
    held,
    register,
    replace,
    retire_secrets,
    rotate_secret,
)
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.kinds import (
    API_SCOPES,
    BY_KEY,
    BY_SECRET,
    IDENTITY_SCOPES,
    INTERCHANGEABLE,
    SCOPES,
    AuthMethod,
    ClientKind,
    GrantType,
    Profile,
    ResponseType,
    SubjectType,
    TokenFormat,
)
from idp.oidc.clients.options import Options
from idp.oidc.clients.probe import PROBE, ensure_probe_client, probe_secret

__all__ = [
    "API_SCOPES",
    "BY_KEY",
    "BY_SECRET",
    "IDENTITY_SCOPES",
    "INTERCHANGEABLE",
    "PROBE",
    "SCOPES",
    "SECRET_OVERLAP",
    "AuthMethod",
    "Client",
    "ClientKind",
    "GrantType",
    "Options",
    "Profile",
    "Registration",
    "ResponseType",
    "SubjectType",
    "TokenFormat",
    "all_clients",
    "clients_of",
    "disable",
    "enable",
    "ensure_probe_client",
    "get",
    "held",
    "probe_secret",
    "register",
    "replace",
    "retire_secrets",
    "rotate_secret",
]
