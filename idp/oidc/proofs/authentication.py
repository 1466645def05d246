"""Client authentication: one client, by the one method it has registered.

Authlib tries one method after the other until one fits, so that a request may carry two, and
lets undecodable credentials raise. RFC 6749 §2.3: a client MUST NOT use more than one method.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

import structlog
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from directory.base.errors import DinhdanhError
from directory.base.jws import Untrusted
from directory.base.storable import is_text
from idp.oidc import asking, naming
from idp.oidc.asking import NOTHING
from idp.oidc.clients import profiles
from idp.oidc.clients.keyset import NoKeys
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.refusals import Reason
from idp.oidc.clients.view import ClientView
from idp.oidc.proofs import assertion, mtls
from idp.oidc.proofs.assertion import Asserted
from idp.oidc.proofs.mtls import BadCertificate
from idp.oidc.request import Call, Provider, Request
from idp.web.exchange import HttpRequest

log = structlog.get_logger(__name__)

_BY_NAME_ALONE = frozenset({AuthMethod.NONE, AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS})
"""Nothing but ``client_id`` is sent; which of them it is, the registration says."""


@dataclass(frozen=True)
class Credentials:
    """What a request says about who sends it."""

    client_id: str
    method: AuthMethod | None = None
    """None: it only names itself."""
    secret: str | None = field(default=None, repr=False)
    asserted: Asserted | None = field(default=None, repr=False)


def client_authenticated(call: Call) -> None:
    """The client is known and enabled, and proves who it is by the one method it has registered."""
    authenticate(call.provider, call.request, endpoint=call.endpoint)


def authenticate(provider: Provider, request: Request, *, endpoint: str) -> ClientView:
    """The client that sends the request, which from now on knows it. One SELECT, with what the request
    names; an assertion is one INSERT more.

    Raises InvalidClientError, the same for an unknown client, a disabled one, whatever is wrong
    with its proof and a method it has not registered (the log knows which); InvalidRequestError
    for more than one method.
    """
    try:
        presented = _presented(request.headers, request.payload.data)
    except TwoMethods as exc:
        if is_text(exc.client_id):
            request.keep_refusal(provider.refusals, exc.client_id, Reason.TWO_METHODS)
        raise
    named = naming.named(provider.tokens.handles, request.payload.data, endpoint)
    found = asking.read(request.connection, presented.client_id, named, now=request.now)
    if found is None:
        request.keep_refusal(provider.refusals, presented.client_id, Reason.DISABLED)
        raise refused()
    client = found.client
    method = presented.method or AuthMethod(client.auth_method)
    try:
        _require_registered(client, presented, method, endpoint)
        _require_proof(provider, request, client, presented, endpoint=endpoint)
    except (Untrusted, NoKeys, BadCertificate) as exc:
        why = exc.why if isinstance(exc, Untrusted) else exc.code
        log.info("client.refused", client=client.client_id, method=method.value, why=why)
        request.keep_refusal(provider.refusals, client, *_reason(exc, client, presented, method))
        raise refused() from exc
    if named is not NOTHING and _called_out(client, presented):
        # What was named may have ended meanwhile, or the client itself.
        found = asking.read(request.connection, presented.client_id, named, now=request.now)
        if found is None:
            raise refused()
    request.asking = found
    request.identified(found.client, method)
    return found.client


def _called_out(client: ClientView, presented: Credentials) -> bool:
    """Whether its keys may have been fetched, which takes a while."""
    return client.options.jwks_uri is not None and presented.secret is None


class TwoMethods(InvalidRequestError):  # type: ignore[misc]
    """RFC 6749 §2.3, by the client that is named."""

    def __init__(self, client_id: str) -> None:
        super().__init__("More than one way of client authentication.")
        self.client_id = client_id


class OtherMethod(Untrusted):
    """It is not the method the client has registered."""


class NoProof(Untrusted):
    """It only names itself."""


def _reason(
    exc: DinhdanhError, client: ClientView, presented: Credentials, method: AuthMethod
) -> tuple[Reason, str]:
    """What its owner is told: never what was presented."""
    if isinstance(exc, OtherMethod):
        return Reason.OTHER_METHOD, f"{method.value} ≠ {client.auth_method}"
    if isinstance(exc, NoProof):
        return Reason.NO_PROOF, client.auth_method
    if isinstance(exc, NoKeys):
        return Reason.KEYS, client.options.jwks_uri or "jwks"
    if presented.secret is not None:
        return Reason.SECRET, method.value
    why = exc.why if isinstance(exc, Untrusted) else exc.code
    asserts = presented.asserted is not None
    return (Reason.ASSERTION, f"{method.value}: {why}") if asserts else (Reason.CERTIFICATE, why)


def refused() -> InvalidClientError:
    """invalid_client as 401 with a challenge (RFC 6749 §5.2)."""
    return InvalidClientError(status_code=401, description="Client authentication failed.")


def _require_registered(
    client: ClientView, presented: Credentials, method: AuthMethod, endpoint: str
) -> None:
    """Raises Untrusted."""
    if presented.method is None and method not in _BY_NAME_ALONE:
        raise NoProof("Nothing was proven.")
    if not client.check_endpoint_auth_method(method.value, endpoint):
        raise OtherMethod("Another method is registered.")
    # FAPI 2.0 §5.3.2.1 items 3 and 6, whatever the registration says.
    if client.options.profile.fapi and method not in profiles.METHODS:
        raise OtherMethod("The profile forbids this method.")


def _require_proof(
    provider: Provider,
    request: Request,
    client: ClientView,
    presented: Credentials,
    *,
    endpoint: str,
) -> None:
    """Raises Untrusted, NoKeys, BadCertificate."""
    keyring, now = provider.tools.keyring, request.now
    if presented.asserted is not None:
        assertion.verify(provider, request, client, presented.asserted, endpoint=endpoint)
    elif presented.secret is not None:
        if not client.secret_fits(presented.secret, keyring=keyring, now=now):
            raise Untrusted("The secret is wrong.")
    elif client.auth_method != AuthMethod.NONE:
        _require_certificate(provider, request, client)


def _require_certificate(provider: Provider, request: Request, client: ClientView) -> None:
    """RFC 8705 §2. Raises Untrusted, NoKeys, BadCertificate."""
    found, now = mtls.certificate(request.arrival), request.now
    if found is None or not mtls.in_force(found, now):
        raise Untrusted("There is no certificate in force.")
    fits = (
        mtls.is_named(found, client.options, settings=provider.tools.settings, now=now)
        if client.auth_method == AuthMethod.TLS
        else mtls.is_own(provider.client_keys, client, found, now)
    )
    if not fits:
        raise Untrusted("The certificate is another.")


def _presented(headers: HttpRequest, form: Mapping[str, str]) -> Credentials:
    header = headers.get("Authorization")
    asserts = "client_assertion" in form or "client_assertion_type" in form
    if [header is not None, "client_secret" in form, asserts].count(True) > 1:
        raise TwoMethods(form.get("client_id") or _named(header))
    if header is not None:
        client_id, secret = _basic(header)
        if form.get("client_id", client_id) != client_id:
            raise InvalidRequestError("Two different clients are named.")
        return Credentials(client_id, AuthMethod.BASIC, secret)
    if asserts:
        return _asserted(form)
    if "client_id" not in form:
        raise refused()
    if "client_secret" in form:
        return Credentials(form["client_id"], AuthMethod.POST, form["client_secret"])
    return Credentials(form["client_id"])


def _asserted(form: Mapping[str, str]) -> Credentials:
    """RFC 7521 §4.2: of a known type, and of the client that ``client_id`` names, if it does."""
    if form.get("client_assertion_type") != assertion.TYPE:
        raise refused()
    try:
        found = assertion.glance(form.get("client_assertion", ""))
    except Untrusted as exc:
        log.info("client.refused", why=exc.why)
        raise refused() from exc
    if form.get("client_id", found.issuer) != found.issuer:
        raise refused()
    return Credentials(found.issuer, found.method, asserted=found)


def _named(header: str | None) -> str:
    """The client a header names; empty where it names none."""
    try:
        return _basic(header or "")[0]
    except InvalidClientError:
        return ""


def _basic(header: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise refused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        found = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeDecodeError, ValueError) as exc:
        raise refused() from exc
    if not colon or not all(found) or not all(map(is_text, found)):
        raise refused()
    return found
