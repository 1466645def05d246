"""What the authority publishes: its certificates, its revocation list, its OCSP responder.

Open to everybody, without a session: relying parties and their libraries come here. Bad input
is answered in the protocol it came in.
"""

import base64
import binascii
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from connectors.pki import authority, crl, ocsp
from connectors.pki.tables import Crl
from directory.base.errors import NotFound
from idp.web.gate import services

blueprint = Blueprint("pki", __name__, url_prefix="/pki")


@blueprint.errorhandler(NotFound)
def _no_authority(error: NotFound) -> Response:
    """There is nothing to publish before ``dinhdanh cert init``."""
    return Response(f"{error.text()}\n", 404, content_type="text/plain; charset=utf-8")


@blueprint.get("/ca.pem")
def chain() -> Response:
    """The issuing authority and its root, as PEM (RFC 8555 §9.1)."""
    return _published(authority.pem(_chain()).encode(), "application/pem-certificate-chain")


@blueprint.get("/ca.crt")
def issuing() -> Response:
    """The issuing authority's certificate: what id-ad-caIssuers points to (RFC 5280 §4.2.2.1)."""
    return _published(_chain()[0].public_bytes(Encoding.DER), "application/pkix-cert")


@blueprint.get("/root.crt")
def root() -> Response:
    """The root's certificate, to be installed as trusted."""
    return _published(_chain()[-1].public_bytes(Encoding.DER), "application/pkix-cert")


def _chain() -> list[x509.Certificate]:
    with services().db.read() as session:
        return authority.chain(session, authority.issuing(session))


def _published(body: bytes, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/crl.der")
def revocation_list() -> Response:
    """The present list of people's and servers' certificates (RFC 2585 §4.2)."""
    published = _current()
    return _listed(published.der, "application/pkix-crl", published)


@blueprint.get("/root.crl")
def root_list() -> Response:
    """The present list of issuing authorities: who checks a whole chain asks for it, too."""
    published = _current(root=True)
    return _listed(published.der, "application/pkix-crl", published)


@blueprint.get("/crl.pem")
def both_lists() -> Response:
    """Both lists in one PEM file, as servers want it (``ssl_crl``, ``crl-file`` …)."""
    both = (_current(), _current(root=True))
    pem = b"".join(x509.load_der_x509_crl(c.der).public_bytes(Encoding.PEM) for c in both)
    return _listed(pem, "application/x-pem-file", *both)


def _current(*, root: bool = False) -> Crl:
    ours = services()
    return crl.current(ours.db, ours.keyring, ours.settings, now=ours.clock(), root=root)


def _listed(body: bytes, content_type: str, *published: Crl) -> Response:
    """Caches must ask before using it again: a new one may be out any second, and its number is
    the ETag that makes asking cheap.
    """
    response = Response(body, content_type=content_type)
    response.cache_control.public = True
    response.cache_control.no_cache = True
    response.last_modified = max(c.this_update for c in published)
    response.expires = min(c.next_update for c in published)
    response.set_etag("-".join(f"{c.authority_id}-{c.number}" for c in published))
    response.make_conditional(request)
    return response


@blueprint.post("/ocsp")
def ocsp_post() -> Response:
    """An OCSP request in the body (RFC 6960 Appendix A.1)."""
    request.max_content_length = ocsp.REQUEST_LIMIT
    try:
        return _ocsp(request.get_data(cache=False))
    except RequestEntityTooLarge:
        return _answered(ocsp.refusal())


# Base64 may hold two slashes in a row, which are not to be "corrected" by a redirect.
@blueprint.get("/ocsp/<path:encoded>", merge_slashes=False)
def ocsp_get(encoded: str) -> Response:
    """An OCSP request in the path, base64 (RFC 6960 Appendix A.1)."""
    try:
        if len(encoded) > ocsp.REQUEST_LIMIT:
            return _answered(ocsp.refusal())
        # A plus sign that a client did not escape arrives as it is; a space is what some
        # servers in between make of it.
        return _ocsp(base64.b64decode(encoded.replace(" ", "+"), validate=True))
    except (binascii.Error, ValueError):
        return _answered(ocsp.refusal())


def _ocsp(body: bytes) -> Response:
    ours = services()
    life = timedelta(seconds=ours.settings.ocsp_life)
    return _answered(ocsp.answer(ours.db, ours.keyring, body, now=ours.clock(), life=life))


def _answered(der: bytes) -> Response:
    response = Response(der, content_type="application/ocsp-response")
    response.cache_control.no_store = True
    return response
