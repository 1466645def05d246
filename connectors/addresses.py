"""Which addresses may be called: the rule against server-side request forgery.

A host is resolved once, *every* address it has is judged, and the caller connects to one of the
judged addresses; nobody resolves the name a second time. Loopback, link-local, private, shared
(CGNAT), multicast, reserved and unspecified addresses are refused unless the installation lists
``host:port`` as written in the URL.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from connectors.errors import Misconfigured, Transient
from directory.base.hosts import Host

Resolver = Callable[[str, int], list[str]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressGuard:
    """Resolves hosts and refuses addresses that only this machine's network can reach."""

    def __init__(self, allow: Iterable[str], resolve: Resolver) -> None:
        self._allow = frozenset(Host.read(entry.strip()) for entry in allow)
        self._resolve = resolve
        # The resolver knows no time-out of its own; the thread that waits for it does.
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="resolve")

    def addresses(self, host: str, port: int, deadline: float) -> list[str]:
        """All addresses of ``host``, each of them allowed."""
        bare = host.strip("[]")
        read = Host.read(f"[{bare}]" if ":" in bare else bare)
        # What we have no spelling for, the resolver may have one for: it is judged by its addresses.
        wanted = Host(read.name if read is not None else bare.rstrip(".").lower(), port)
        found = self._look_up(wanted.name, port, wanted.spelt, deadline)
        if wanted not in self._allow and not all(is_public(address) for address in found):
            raise Misconfigured(
                "Địa chỉ {host} thuộc mạng nội bộ và chưa được phép gọi ra.", host=wanted.spelt
            )
        return found

    def _look_up(self, name: str, port: int, shown: str, deadline: float) -> list[str]:
        if _is_address(name):
            return [name]
        look_up = self._threads.submit(self._resolve, name, port)
        try:
            found = look_up.result(timeout=max(0.0, deadline - time.monotonic()))
        except (TimeoutError, OSError, UnicodeError) as exc:
            look_up.cancel()
            raise Transient("Không phân giải được tên máy {host}.", host=shown) from exc
        if not found:
            raise Transient("Không phân giải được tên máy {host}.", host=shown)
        return found

    def close(self) -> None:
        """Let the resolver's threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def is_public(address: str) -> bool:
    """Whether anyone on the internet could reach this address.

    IPv4 hidden in IPv6 (mapped, 6to4, NAT64) is judged as the IPv4 address it leads to.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour
        if embedded is None and ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            ip = embedded
        elif ip.is_site_local:  # RFC 3879: deprecated, and still somebody's inside
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False  # a name, or a spelling only the resolver understands
    return True


def system_addresses(host: str, port: int) -> list[str]:
    """What the operating system resolves, including its decimal and hexadecimal spellings."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))
