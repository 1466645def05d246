"""Which URIs a client may register, and which a request may name.

Requests are matched exactly (RFC 9700 §4.1.3): no patterns, no normalisation. The one exception
is the port of a loopback redirect of a native application (RFC 8252 §7.3).
"""

import re
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit, urlunsplit

from directory.base.errors import InvalidInput
from directory.base.hosts import Host

LIMIT = 2000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Printable ASCII without the characters RFC 3986 does not know; non-ASCII must be encoded.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-Z\[\]_a-z~]+")
# RFC 8252 §7.1: a private-use scheme is a reversed domain name.
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+")


def checked(uris: Iterable[str], *, field: str, native: bool = False) -> list[str]:
    """The URIs, if each may be registered. Raises InvalidInput naming ``field``."""
    found = []
    for uri in uris:
        why = _fault(uri, native=native)
        if why is not None:
            raise InvalidInput("uri", why, field=field)
        if uri not in found:
            found.append(uri)
    return found


def https(uris: Iterable[str], *, field: str) -> list[str]:
    """The addresses of documents we are to fetch or to send people to, which must be https.

    A fragment is allowed: ``request_uris`` may carry a digest there (OIDC Registration §2).
    Raises InvalidInput naming ``field``.
    """
    found = list(dict.fromkeys(uris))
    checked((uri.partition("#")[0] for uri in found), field=field)
    if not all(uri.startswith("https:") and _URI.fullmatch(uri) for uri in found):
        raise InvalidInput("uri", "Địa chỉ phải dùng https.", field=field)
    return found


def require_for_implicit(uris: Iterable[str], *, field: str) -> None:
    """Where tokens come in the front channel, a web application may use nothing but https, and
    not ``localhost`` (OIDC Registration §2). Raises InvalidInput.
    """
    for uri in uris:
        if urlsplit(uri).scheme != "https" or _loopback(uri):
            raise InvalidInput(
                "uri",
                "Kiểu cấp quyền implicit cần địa chỉ https không phải máy cục bộ.",
                field=field,
            )


def _fault(uri: str, *, native: bool) -> str | None:
    if len(uri) > LIMIT or not _URI.fullmatch(uri):
        return "Địa chỉ phải là URI đầy đủ, chỉ gồm ký tự ASCII không dấu cách."
    try:
        parts = urlsplit(uri)
        _ = parts.hostname, parts.port
    except ValueError:
        return "Địa chỉ không hợp lệ."
    if "#" in uri:
        return "Địa chỉ không được có phần sau dấu #."
    if "*" in parts.netloc:
        return "Địa chỉ không được chứa ký tự thay thế."
    if parts.username is not None or parts.password is not None:
        return "Địa chỉ không được chứa tên và mật khẩu."
    if parts.scheme in ("http", "https") and Host.read(parts.netloc) is None:
        return "Địa chỉ thiếu tên máy."
    if parts.scheme == "https":
        return None
    if parts.scheme == "http":
        return None if _loopback(uri) else "Địa chỉ phải dùng https (http chỉ cho máy cục bộ)."
    if native and _PRIVATE_USE.fullmatch(parts.scheme) and not parts.netloc:
        return None
    return "Địa chỉ phải dùng https."


def absolute(uri: str) -> bool:
    """Whether this is an absolute URI without a fragment (RFC 3986 §4.3)."""
    return len(uri) <= LIMIT and bool(_URI.fullmatch(uri)) and "#" not in uri


def _loopback(uri: str) -> bool:
    host = Host.of(uri)
    return host is not None and host.name in _LOOPBACK


def registered(uri: str, among: Iterable[str], *, native: bool) -> bool:
    """Whether a request may name this URI."""
    among = tuple(among)
    if uri in among:
        return True
    if not native:
        return False
    wanted = _without_port(uri)
    return wanted is not None and any(_without_port(known) == wanted for known in among)


def _without_port(uri: str) -> str | None:
    """A loopback http URI without its port; None for any other."""
    if len(uri) > LIMIT or not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    host = Host.of(uri)
    if parts.scheme != "http" or host is None or host.name not in _LOOPBACK:
        return None
    return urlunsplit(parts._replace(netloc=Host(host.name).spelt))


def with_query(uri: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The URI with parameters added to its query, everything else left byte for byte."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(list(parameters))}"


def origin(uri: str) -> str:
    """scheme://host:port of a URI, or its scheme alone where there is no host (for CSP)."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
