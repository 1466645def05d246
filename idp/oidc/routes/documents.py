"""Discovery and keys, where the server does not answer them before Flask, what our own API says
about itself, and whose pages may ask for our passkeys.
"""

from typing import cast

from flask import Response, current_app, jsonify, request

from idp.oidc import discovery, protected_resource
from idp.oidc.routes.core import blueprint
from idp.web.gate import services


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


@blueprint.get(protected_resource.PATH)
def resource_metadata() -> Response:
    """RFC 9728 §3."""
    response = jsonify(protected_resource.metadata(services().settings))
    response.cache_control.public = True
    response.cache_control.max_age = discovery.MAX_AGE
    return response


@blueprint.get("/.well-known/webauthn")
def related_origins() -> Response:
    """W3C Web Authentication Level 3 §5.11. There is none where only our own pages may ask."""
    origins = services().settings.passkey_related_origins
    if not origins:
        return Response("", 404)
    response = jsonify({"origins": origins})
    response.cache_control.public = True
    response.cache_control.max_age = discovery.MAX_AGE
    return response
