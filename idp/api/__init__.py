"""The changes API: what the console does, for a personnel system.

    views       the endpoints under /api/v1; each is parse → door → plain data
    views_proposals  those for what takes a second person
    reading     a body that is really JSON, headers, query values: checked or refused
    problems    every refusal as application/problem+json (RFC 9457)
    openapi     /api/openapi.json: the contract, its paths written by hand and held to by a test
    schemas     what the API is sent and answers
    requests    a change's request, described by what its kind asks for
    bodies      the other bodies, one model each
    authority   what the authority publishes: its certificates, its list, its OCSP responder

OAuth bearer tokens with ``changes:read`` and ``changes:write`` open it; what a caller may then
do is decided by her roles, as everywhere.
"""

from idp.api.views import blueprint

__all__ = ["blueprint"]
