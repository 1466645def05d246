"""The changes API: what the console does, for a personnel system.

    views       the endpoints under /api/v1; each is parse → door → plain data
    reading     a body that is really JSON, headers, query values: checked or refused
    problems    every refusal as application/problem+json (RFC 9457)
    openapi     /api/openapi.json: the contract, written by hand and held to by a test

OAuth bearer tokens with ``changes:read`` and ``changes:write`` open it; what a caller may then
do is decided by her roles, as everywhere.
"""

from idp.api.views import blueprint

__all__ = ["blueprint"]
