"""What the value of one field of a client's metadata must be, whatever the others say.

Each is ``check(name, value)`` and raises InvalidInput naming the field; the functions with other
arguments make one.
"""

import ipaddress
import re
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from directory.base.errors import InvalidInput
from idp.oidc.clients import dn, redirects

Check = Callable[[str, Any], object]
MOST = 50
"""Addresses, contacts and the like in one list."""
MOST_RESOURCES = 8
"""Handles count a token's resources along one byte."""
LONGEST_AGE = 10 * 365 * 24 * 3600
# Characters that change what the ones around them look like (Unicode TR36): on the consent page
# a name made of them could read as somebody else's.
_DECEIVING = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def require(holds: bool, name: str, sentence: str, **args: Any) -> None:
    """Raises InvalidInput naming the field unless it holds."""
    if not holds:
        raise InvalidInput("client_" + name, sentence, field=name, **args)


def shown(longest: int) -> Check:
    """Text that people read."""

    def check(name: str, text: str) -> None:
        fits = 0 < len(text) <= longest and text.isprintable() and not _DECEIVING.search(text)
        require(fits, name, "Văn bản phải có từ 1 đến {most} ký tự hiển thị được.", most=longest)

    return check


def among(known: Collection[Any], sentence: str) -> Check:
    """A value, or each of several, that is one of the known ones."""

    def check(name: str, value: Any) -> None:
        values = value if isinstance(value, tuple) else (value,)
        require({*values} <= {*known}, name, sentence)

    return check


def algorithm(known: Collection[str]) -> Check:
    """A signing algorithm."""
    return among(known, "Thuật toán ký không được hỗ trợ.")


def each(check: Check) -> Check:
    """A list, not too long, each of its members checked."""

    def of_each(name: str, values: Collection[Any]) -> None:
        few(name, values)
        for value in values:
            check(name, value)

    return of_each


def few(name: str, values: Collection[Any], most: int = MOST) -> None:
    """A list that is not too long."""
    require(len(values) <= most, name, "Danh sách quá dài.")


def page(name: str, uri: str) -> None:
    """An address that browsers are sent to, or that we call."""
    redirects.checked([uri], field=name)


def secure(name: str, uri: str) -> None:
    """One that the specifications want over https (OIDC Registration §2 and §5, Core §4)."""
    redirects.https([uri], field=name)
    require("#" not in uri, name, "Địa chỉ không hợp lệ.")


def request_uris(name: str, uris: Collection[str]) -> None:
    """OIDC Registration §2: https; a fragment may say the document's digest."""
    few(name, uris)
    redirects.https(uris, field=name)


def resources(name: str, uris: Collection[str]) -> None:
    """RFC 8707 §2: absolute URIs without fragment."""
    few(name, uris, MOST_RESOURCES)
    for uri in uris:
        require(redirects.absolute(uri), name, "Địa chỉ không hợp lệ.")


def age(name: str, seconds: int) -> None:
    """Seconds, ten years at most."""
    require(0 <= seconds <= LONGEST_AGE, name, "Số giây không hợp lệ.")


# ---- names of a certificate's subject (RFC 8705 §2.1.2) ----------------------------------------


def subject(names: Callable[[str], bool]) -> Check:
    """A text that names a subject in its way."""

    def check(name: str, text: str) -> None:
        written = 0 < len(text) <= 1000 and text.isprintable()
        require(written and _holds(names, text), name, "Chủ thể chứng thư không hợp lệ.")

    return check


def _holds(names: Callable[[str], bool], text: str) -> bool:
    try:
        return names(text)
    except ValueError:
        return False


def distinguished_name(text: str) -> bool:
    """RFC 4514."""
    return bool(dn.parsed(text).rdns)


def ip_address(text: str) -> bool:
    """Of either version."""
    return bool(ipaddress.ip_address(text))


def uri(text: str) -> bool:
    """With a scheme."""
    return bool(urlsplit(text).scheme) and text.isascii()


def word(text: str) -> bool:
    """A host's name, or an address of e-mail."""
    return text.isascii() and " " not in text
