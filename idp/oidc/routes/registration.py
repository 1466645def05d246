"""Client registration (RFC 7591) and its management (RFC 7592), where the installation has it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, abort, jsonify, make_response, request

from directory.base.audit import Actor
from directory.base.errors import Busy, InvalidInput
from directory.entitlements import unconfirmed_since
from idp.oidc import clients
from idp.oidc.clients import Registration, documents, registration
from idp.oidc.clients.documents import Document
from idp.oidc.clients.registration import Unauthorized
from idp.oidc.routes.core import blueprint
from idp.web import i18n
from idp.web.gate import client_address, services

_SOFTWARE_STATEMENT = ("invalid_software_statement", "unapproved_software_statement")
_ONE = registration.PATH + "/<client_id>"


def _registry(view: Callable[..., Response]) -> Callable[..., Response]:
    """A view of the registry: not there while it is closed, in English, its errors as JSON."""

    @wraps(view)
    def speaking(**arguments: str) -> Response:
        if services().settings.registration == "closed":
            abort(404)
        i18n.use("en")
        with services().db.hot() as connection:
            waits = unconfirmed_since(connection) is not None
        if waits:  # an invitation withdrawn since the backup is there again
            response = _said({"error": "temporarily_unavailable"}, 503)
            response.headers["Retry-After"] = "60"
            return response
        try:
            return view(**arguments)
        except InvalidInput as error:
            return _invalid(error)
        except Unauthorized as error:
            return _unauthorized(error)
        except Busy:
            response = _said({"error": "temporarily_unavailable"}, 503)
            response.headers["Retry-After"] = "5"
            return response

    return speaking


@blueprint.post(registration.PATH)
@_registry
def register() -> Response:
    """RFC 7591 §3."""
    has, now, token = services(), services().clock(), _token()
    if token is None:
        with has.db.write() as session:
            registration.count(session, client_address()[0], settings=has.settings, now=now)
    else:
        with has.db.hot() as connection:
            registration.require_invited(connection, token, keyring=has.keyring, now=now)
    wanted = documents.wanted(_document(), has.settings)
    ip, port = client_address()
    if token is not None:
        with has.db.write() as session:
            registration.count_sector(session, ip, wanted, now=now)
    registration.vouched(wanted, has.outbound)
    with has.db.write() as session:
        body = registration.register(
            session,
            wanted,
            token=token,
            keyring=has.keyring,
            issuer=has.settings.issuer,
            actor=Actor("client", None, wanted.name, ip, port),
            now=now,
        )
    return _said(body, 201)


@blueprint.get(_ONE)
@_registry
def registered(client_id: str) -> Response:
    """RFC 7592 §2.1."""
    has, token = services(), _required_token()
    with has.db.read() as session:
        client = registration.own(session, client_id, token, keyring=has.keyring)
        body = registration.told(client, None, token=token, issuer=has.settings.issuer)
    return _said(body, 200)


@blueprint.put(_ONE)
@_registry
def registered_anew(client_id: str) -> Response:
    """RFC 7592 §2.2."""
    has, now, token = services(), services().clock(), _required_token()
    with has.db.write() as session:
        client = registration.own(session, client_id, token, keyring=has.keyring)
        registration.count_update(session, client, now=now)
    with has.db.read() as session:
        client = registration.own(session, client_id, token, keyring=has.keyring)
        document = _document()
        wanted = registration.again(client, document, has.settings, keyring=has.keyring, now=now)
    registration.vouched(wanted, has.outbound)
    with has.db.write() as session:
        client = registration.held(session, client_id, token, keyring=has.keyring)
        # Somebody may have changed the client meanwhile: what stays is what it is now.
        wanted = registration.again(client, document, has.settings, keyring=has.keyring, now=now)
        secret = clients.replace(
            session,
            client,
            wanted,
            keyring=has.keyring,
            actor=_itself(client.id, client_id),
            now=now,
        )
        body = registration.told(client, secret, token=token, issuer=has.settings.issuer)
    return _said(body, 200)


@blueprint.delete(_ONE)
@_registry
def unregistered(client_id: str) -> Response:
    """RFC 7592 §2.3."""
    has, token = services(), _required_token()
    with has.db.write() as session:
        client = registration.held(session, client_id, token, keyring=has.keyring)
        registration.remove(session, client, actor=_itself(client.id, client_id), now=has.clock())
    return Response(status=204)


def _document() -> Document:
    """The body. Raises InvalidInput."""
    request.max_content_length = documents.LARGEST
    if request.mimetype != "application/json":
        raise InvalidInput(
            "client_body", "Nội dung phải là một đối tượng JSON, mỗi trường một lần.", field="body"
        )
    return documents.parse(request.get_data())


def _token() -> str | None:
    """The token of the Authorization header (RFC 6750 §2.1), and of nowhere else."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthorized("invalid_token")
    return text.strip()


def _required_token() -> str:
    token = _token()
    if token is None:
        raise Unauthorized
    return token


def _itself(key: int, client_id: str) -> Actor:
    ip, port = client_address()
    return Actor("client", key, client_id, ip, port)


def _said(body: dict[str, Any], status: int) -> Response:
    response = make_response(jsonify(body), status)
    # Credentials belong into no cache (RFC 7591 §3.2.1).
    response.headers["Cache-Control"] = "no-store"
    return response


def _invalid(error: InvalidInput) -> Response:
    """RFC 7591 §3.2.2: the description is ASCII, so it is the English one, and names the field."""
    known = Registration.every_field().get(error.field)
    name = known.registered if known is not None else error.field
    code = "invalid_client_metadata"
    if error.code in _SOFTWARE_STATEMENT:
        code = error.code
    elif name == "redirect_uris":
        code = "invalid_redirect_uri"
    i18n.use("en")
    text = f"{name}: {i18n.error_text(error)}".encode("ascii", "replace").decode()
    return _said({"error": code, "error_description": text.translate(_QUOTES)}, 400)


_QUOTES = {ord('"'): "'", ord("\\"): "/"}
"""RFC 6749 §5.2 leaves these two out of a description."""


def _unauthorized(error: Unauthorized) -> Response:
    """RFC 6750 §3: who brought no token is told nothing but how to bring one."""
    body = {"error": error.error} if error.error else {}
    response = _said(body, 401)
    said = f', error="{error.error}"' if error.error else ""
    response.headers["WWW-Authenticate"] = f'Bearer realm="dinhdanh"{said}'
    return response
