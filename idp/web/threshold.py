"""What is looked at of every request before anything else, whichever door it comes through.

what it asks for      an address that is text, else 400
whom it speaks to     a host of ours, else 421
where it comes from   for a page's forms no other origin, else 403
what it says          for a page nothing that no database can hold, else 400
who speaks            the address behind proxies that we believe
what a browser holds  the names of its cookies
"""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from directory.base import hosts, storable
from directory.base.config import Settings
from directory.base.hosts import Host, Peer
from idp.factors import certificate_visit
from idp.web.exchange import HttpRequest

ANY_HOST = ("/healthz", "/readyz", "/metrics", "/pki/")
"""Asked by address or under other names: probes, and readers of CRL and OCSP."""
_LOOKING = ("GET", "HEAD", "OPTIONS")


def refused(
    asked: HttpRequest, settings: Settings, *, by_program: bool, at_program: bool
) -> int | None:
    """The status it is refused with; None where it may come in. ``by_program``: it is asked as
    programs ask there; ``at_program``: programs ask there, though perhaps not in this way.
    """
    if not asked.legible:
        return 400
    if asked.path.startswith(ANY_HOST):
        return None
    if not by_program and not _is_text(asked):
        return 400
    if settings.certificate_site and asked.path == certificate_visit.PATH:
        # Here alone people show certificates, and there is nothing else.
        return None if _is_ours(asked.host, settings.certificate_site, None) else 421
    # Programs also ask where client certificates are asked for.
    second = settings.mtls_base if settings.client_certificates and at_program else None
    if not _is_ours(asked.host, settings.issuer, second):
        return 421
    if by_program or asked.method in _LOOKING:
        return None
    origin = asked.get("Origin")
    return 403 if origin is not None and not same_origin(origin, settings) else None


def _is_text(asked: HttpRequest) -> bool:
    """Whether an address, or what is asked of a page, holds nothing that no database can (a NUL):
    nobody types it. What machines send is judged where it is read.
    """
    given = [*asked.args.items(multi=True), *asked.form.items(multi=True)]
    return all(map(storable.is_text, [asked.path, *(name + value for name, value in given)]))


@lru_cache(maxsize=64)
def _is_ours(written: str, issuer: str, second: str | None) -> bool:
    """Whether a Host header names the host of one of these URLs."""
    host, scheme = Host.read(written), urlsplit(issuer).scheme
    ours = (Host.of(url) for url in (issuer, second) if url)
    return host is not None and host.at(scheme) in ours


def same_origin(origin: str, settings: Settings) -> bool:
    """Whether an Origin header (RFC 6454 §7) names us; "null" names nobody."""
    named = hosts.origin(origin)
    return named is not None and named == hosts.origin(settings.issuer)


def client_address(asked: HttpRequest, proxies: Sequence[str]) -> tuple[str, int | None]:
    """(address, port) of whoever asks. Forwarding headers are believed from trusted proxies only,
    read from the right: what a client wrote itself stands on the left.
    """
    written, port = asked.peer
    found = hosts.address(written or "unknown")
    if found is None:
        return written or "unknown", None
    peer = Peer(found, int(port) if port.isdecimal() else None)
    for entry in reversed((asked.get("X-Forwarded-For") or "").split(",")):
        before = Peer.read(entry) if hosts.within(peer.address, proxies) else None
        if before is None:
            break
        peer = before
    return str(peer.address), peer.port


def client_certificate(asked: HttpRequest, settings: Settings) -> str | None:
    """The header ``Client-Cert`` (RFC 9440) of a program, where it comes from a proxy we believe."""
    return _from_edge(asked, settings) if settings.client_certificates else None


def shown_certificate(asked: HttpRequest, settings: Settings) -> str | None:
    """The same header of a person, at the host where people are asked for certificates."""
    there = Host.of(settings.certificate_site) if settings.certificate_site else None
    named = Host.read(asked.host)
    if there is None or named is None:
        return None
    scheme = urlsplit(settings.certificate_site).scheme
    return _from_edge(asked, settings) if named.at(scheme) == there else None


def _from_edge(asked: HttpRequest, settings: Settings) -> str | None:
    believed = hosts.within(hosts.address(asked.peer[0]), settings.trusted_proxies)
    return asked.get("Client-Cert") if believed else None


def cookie_name(settings: Settings, purpose: str = "") -> str:
    """``__Host-dinhdanh`` on https, ``dinhdanh`` otherwise; ``-purpose`` behind it."""
    base = "dinhdanh-" + purpose if purpose else "dinhdanh"
    return "__Host-" + base if settings.secure else base
