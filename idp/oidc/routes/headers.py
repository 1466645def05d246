"""The headers of the endpoints that programs call, on those that Flask answers."""

from flask import Response

from idp.oidc.endpoints import headers
from idp.oidc.routes.core import blueprint
from idp.web import gate


@blueprint.before_request
def preflight() -> Response | None:
    """What a browser asks before it lets a script send its request."""
    found = headers.preflight(gate.this_request())
    return None if found is None else gate.respond(found)


@blueprint.after_request
def told(response: Response) -> Response:
    """On every answer, errors as well."""
    there = {name.lower(): value for name, value in response.headers}
    response.headers.extend(headers.more(gate.this_request(), there, gate.services()))
    return response
