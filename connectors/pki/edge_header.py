"""A client's certificate as proxies write it into one header.

    sequence   RFC 9440 and nothing else: what programs are known by
    read       whichever of these a proxy can write, all read alike

               ``:MIIB…=:``                                   RFC 9440
               ``MIIB…=``                                     HAProxy, ``ssl_c_der,base64``
               PEM, percent-encoded                           nginx, ``$ssl_client_escaped_cert``
               PEM, blanks where its lines ended              Apache, ``%{SSL_CLIENT_CERT}s``

Who wrote the header, and whether the certificate says something, is judged elsewhere.
"""

import base64
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

LONGEST = 16 * 1024
"""Characters of a header that are looked at."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_UNREADABLE = (
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_NOTHING = ("", "-", "(null)")
"""What proxies write where no certificate was shown."""


def is_empty(value: str | None) -> bool:
    """Whether a header says that no certificate was shown."""
    return value is None or value.strip() in _NOTHING


def sequence(value: str) -> x509.Certificate:
    """The certificate of a header that is one byte sequence (RFC 9440 §2.1). Raises ValueError."""
    value = value.strip()
    if not (2 < len(value) <= LONGEST and value[0] == value[-1] == ":"):
        raise ValueError("no byte sequence")
    return _loaded(value[1:-1])


def read(value: str) -> x509.Certificate:
    """The certificate of a header, however its proxy spells it. Raises ValueError."""
    value = value.strip()
    if value.startswith(":"):
        return sequence(value)
    if len(value) > LONGEST:
        raise ValueError("too long for a certificate")
    # A plus is a plus: nothing here was ever a form.
    text = unquote(value, errors="strict") if "%" in value else value
    return _loaded(_between(text) if _BEGIN in text else text)


def _between(pem: str) -> str:
    """The Base64 of the one certificate that a text holds."""
    before, _, rest = pem.partition(_BEGIN)
    body, end, after = rest.partition(_END)
    if before.strip() or after.strip() or not end:
        raise ValueError("more than one certificate, or half of one")
    return "".join(body.split())


def _loaded(text: str) -> x509.Certificate:
    try:
        found = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        # Read lazily otherwise: what is malformed shall be so here.
        _ = found.subject, found.extensions, found.public_key(), found.not_valid_after_utc
    except _UNREADABLE as exc:
        raise ValueError("no certificate that can be read") from exc
    return found
