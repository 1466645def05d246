"""Certificates that clients show at the TLS edge (RFC 8705).

TLS ends at a proxy, which tells us of the certificate in one header, ``Client-Cert`` of RFC 9440,
and takes that header away from whoever else sends it. It is believed only from trusted proxies,
and only for this: that whoever sent the request holds the certificate's private key.
Whether the certificate says something is judged here, so that no proxy's setting can weaken it:

    tls_client_auth              issued under an authority of the setting, by subject or name
    self_signed_tls_client_auth  one of the client's own keys, whoever issued it
    certificate-bound tokens     the same certificate again (``x5t#S256``)
"""

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.pki import edge_header
from directory.base import base64url, jws
from directory.base.config import Settings
from directory.base.errors import DinhdanhError, Misconfigured
from directory.base.jwk import usable
from idp.oidc.clients import dn, keyset
from idp.oidc.clients.options import Options
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import Arrival

DEEPEST = 4


class BadCertificate(DinhdanhError):
    """The header is not what RFC 9440 says, or the certificate cannot be read."""

    status = 400

    def __init__(self) -> None:
        super().__init__("client_certificate", "Chứng thư của ứng dụng không đọc được.")


def certificate(arrival: Arrival) -> x509.Certificate | None:
    """The certificate of whoever sent the request; None where there is none.

    Raises BadCertificate for a header that is none (RFC 9440 §2.1: one byte sequence).
    """
    if arrival.client_cert is None:
        return None
    try:
        return edge_header.sequence(arrival.client_cert)
    except ValueError as exc:
        raise BadCertificate from exc


def thumbprint(found: x509.Certificate) -> str:
    """``x5t#S256`` (RFC 8705 §3.1)."""
    digest = hashlib.sha256(found.public_bytes(Encoding.DER)).digest()
    return base64url.encode(digest)


def bound_to(found: x509.Certificate) -> str:
    """What a token of this certificate is bound to."""
    return "x5t:" + thumbprint(found)


def in_force(found: x509.Certificate, now: datetime) -> bool:
    """Whether its dates hold."""
    return found.not_valid_before_utc <= now <= found.not_valid_after_utc


def is_named(
    found: x509.Certificate, options: Options, *, settings: Settings, now: datetime
) -> bool:
    """§2.1: issued under one of our authorities to the subject or name the client registered."""
    wanted = [
        fits(found, value)
        for name, fits in _REGISTERED.items()
        if (value := getattr(options, name)) is not None
    ]
    # §2.1.2: exactly one is registered; who registered none is nobody.
    return bool(wanted) and all(wanted) and _trusted(found, settings, now)


def _trusted(found: x509.Certificate, settings: Settings, now: datetime) -> bool:
    file = settings.client_certificate_ca_file
    if file is None or not _for_clients(found):
        return False
    verifier = (
        verification.PolicyBuilder()
        .store(_authorities(file))
        .time(now)
        .max_chain_depth(DEEPEST)
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=verification.ExtensionPolicy.permit_all(),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(found, [])
    except verification.VerificationError:
        return False
    return True


def _authorities(file: Path) -> verification.Store:
    """Those of the bundle, as it is now. Raises Misconfigured."""
    try:
        return _read(file, file.stat().st_mtime_ns)
    except (OSError, ValueError) as exc:
        raise Misconfigured(
            "client_certificate_ca_file", "Không đọc được tệp chứng thư {file}.", file=file
        ) from exc


@lru_cache(maxsize=4)
def _read(file: Path, _changed: int) -> verification.Store:
    return verification.Store(x509.load_pem_x509_certificates(file.read_bytes()))


def _for_clients(found: x509.Certificate) -> bool:
    """RFC 5280 §4.2.1.12: where uses are named, this must be one of them."""
    try:
        uses = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    any_use = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses or any_use in uses


def _subject(found: x509.Certificate, registered: str) -> bool:
    """As names, not as text: RFC 4514 has several spellings of one name."""
    try:
        return dn.parsed(registered) == found.subject
    except ValueError:
        return False


def _alternatives(found: x509.Certificate, kind: type[x509.GeneralName]) -> list[Any]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.value for name in names if isinstance(name, kind)]


def _dns(found: x509.Certificate, registered: str) -> bool:
    return registered.lower() in [name.lower() for name in _alternatives(found, x509.DNSName)]


def _uri(found: x509.Certificate, registered: str) -> bool:
    return registered in _alternatives(found, x509.UniformResourceIdentifier)


def _ip(found: x509.Certificate, registered: str) -> bool:
    try:
        return ipaddress.ip_address(registered) in _alternatives(found, x509.IPAddress)
    except ValueError:
        return False


def _email(found: x509.Certificate, registered: str) -> bool:
    return registered in _alternatives(found, x509.RFC822Name)


_REGISTERED: Mapping[str, Callable[[x509.Certificate, str], bool]] = {
    "tls_client_auth_subject_dn": _subject,
    "tls_client_auth_san_dns": _dns,
    "tls_client_auth_san_uri": _uri,
    "tls_client_auth_san_ip": _ip,
    "tls_client_auth_san_email": _email,
}


def is_own(
    keys: keyset.ClientKeys, client: ClientView, found: x509.Certificate, now: datetime
) -> bool:
    """§2.2: one of those the client registered or publishes: the certificate of a key (``x5c``)
    or, where a key comes without, any of that key. Raises NoKeys.
    """
    if any(_same(jwk, found) for jwk in keys.published(client, kid=None, now=now)):
        return True
    return keys.renew(client, now=now) and any(
        _same(jwk, found) for jwk in keys.published(client, kid=None, now=now)
    )


def _same(jwk: Mapping[str, Any], found: x509.Certificate) -> bool:
    chain = jwk.get("x5c")
    if jwk.get("use", "sig") != "sig":
        return False
    if isinstance(chain, list) and chain:
        return bool(chain[0] == base64.b64encode(found.public_bytes(Encoding.DER)).decode())
    wanted = found.public_key()
    keys = (usable(jwk, alg) for alg in jws.ASYMMETRIC)
    return any(key is not None and key.public_key == wanted for key in keys)
