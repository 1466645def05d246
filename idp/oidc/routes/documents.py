"""Discovery and keys, where the server does not answer them before Flask."""

from typing import cast

from flask import Response, current_app, request

from idp.oidc import discovery
from idp.oidc.routes.core import blueprint
from idp.security import services


@blueprint.get(discovery.OPENID)
@blueprint.get(discovery.OAUTH)
@blueprint.get(discovery.JWKS)
def document() -> Response:
    """Discovery and keys, where the server does not answer them before Flask."""
    documents = cast("discovery.Documents", current_app.extensions["dinhdanh-documents"])
    found = documents.get(request.path, now=services().clock())
    if found is None:
        return Response("", 404)
    response = Response(found.body, 200, found.headers)
    response.make_conditional(request)
    return response
