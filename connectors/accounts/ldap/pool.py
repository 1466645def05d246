"""Connections: to a checked address, over verified TLS, bound, kept while they are fresh.

ldap3 is used for what it is good at (encoding, decoding) and told not to be clever: no schema is
fetched, no referral followed, every answer has a limit (``link``).
"""

import queue
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPExceptionError

from connectors import deadline
from connectors.accounts.ldap.link import Link, RefusedByServer
from connectors.accounts.ldap.settings import LdapSettings, Security
from connectors.errors import ConnectorError, Misconfigured, Rejected, Transient
from connectors.outbound import Outbound

IDLE = 20.0
"""Seconds after which a connection at rest is not trusted to be alive any more."""


NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, ALREADY_EXISTS = 16, 32, 68
_BUSY = frozenset({3, 51, 52})
"""timeLimitExceeded, busy, unavailable"""
_NOT_US = frozenset({7, 8, 13, 48, 49, 50})
"""authMethodNotSupported, strongerAuthRequired, confidentialityRequired,
inappropriateAuthentication, invalidCredentials, insufficientAccessRights"""


class _Tls(ldap3.Tls):
    """TLS as OpenSSL verifies it; ldap3's own host-name check is written for Python 2.

    The connection goes to a checked address, so the name to verify is given here.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._host = host
        self.refused = False

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        plain = getattr(connection.socket, "inner", connection.socket)
        try:
            connection.socket = self._context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError:
            self.refused = True
            raise


class Pool:
    """Bound connections at rest; one thread at a time has one."""

    def __init__(self, settings: LdapSettings, password: str, outbound: Outbound) -> None:
        self._settings = settings
        self._password = password
        self._outbound = outbound
        self._rest: queue.LifoQueue[tuple[Link, float]] = queue.LifoQueue()
        self._closed = False

    @cached_property
    def _context(self) -> ssl.SSLContext:
        file = self._settings.ca_file
        try:
            context = ssl.create_default_context(cafile=str(file) if file else None)
        except OSError as exc:
            raise Misconfigured("Không đọc được tệp chứng thư {file}.", file=file) from exc
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    @contextmanager
    def connection(self) -> Iterator[Link]:
        """A bound connection. One that failed is closed, not put back; failures become ours."""
        link = None
        try:
            link = self._rested() or self._connect()
            yield link
        except RefusedByServer as refused:
            self._put_back(link)
            raise _failure(refused) from refused
        except Rejected:
            self._put_back(link)
            raise
        except BaseException:
            if link is not None:
                link.close()
            raise
        self._put_back(link)

    def lets_in(self, name: str, password: str) -> bool:
        """Whether whoever says this name and password is let in, over a connection of its own.

        We come in with our own first: then the server does answer, and a refusal is about them.
        """
        link = None
        try:
            link = self._connect()
            bind = partial(link.ldap.rebind, name, password, read_server_info=False)
            return bool(link.call(bind)["result"] == 0)
        except RefusedByServer as refused:
            raise _failure(refused) from refused
        finally:
            if link is not None:
                link.close()

    def close(self) -> None:
        """Close what is at rest; from now on nothing stays there."""
        self._closed = True
        self._close_rested()

    def _close_rested(self) -> None:
        while True:
            try:
                link, _ = self._rest.get_nowait()
            except queue.Empty:
                return
            link.close()

    def _put_back(self, link: Link | None) -> None:
        if link is not None:
            self._rest.put((link, time.monotonic()))
        if self._closed:
            self._close_rested()

    def _rested(self) -> Link | None:
        while True:
            try:
                link, since = self._rest.get_nowait()
            except queue.Empty:
                return None
            if time.monotonic() - since < IDLE:
                return link
            link.close()

    def _connect(self) -> Link:
        """Open, secure, bind: at the first checked address that answers."""
        s = self._settings
        addresses = self._outbound.addresses(s.host, s.port)
        for address in addresses[:-1]:
            try:
                return self._connect_to(address)
            except Transient:
                continue
        return self._connect_to(addresses[-1])

    def _connect_to(self, address: str) -> Link:
        s = self._settings
        tls = _Tls(self._context, s.host) if s.security is not Security.PLAIN else None
        seconds = max(1, int(deadline.left(s.timeout)))
        server = ldap3.Server(
            address,
            port=s.port,
            use_ssl=s.security is Security.LDAPS,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=seconds,
        )
        ldap = ldap3.Connection(
            server,
            s.bind_dn,
            self._password,
            receive_timeout=seconds,
            check_names=False,
            # A referral would hand our password to whatever host the answer names.
            auto_referrals=False,
            auto_escape=False,
        )
        link = Link(ldap, s.host, s.timeout)
        try:
            self._open(link)
        except (ConnectorError, RefusedByServer) as exc:
            link.close()
            if tls is not None and tls.refused:
                raise Misconfigured(
                    "Chứng thư TLS của {host} không được tin cậy hoặc không đúng tên máy.",
                    host=s.host,
                ) from exc
            raise
        return link

    def _open(self, link: Link) -> None:
        ldap: Any = link.ldap
        try:
            ldap.open()
        except LDAPExceptionError as exc:
            raise Transient("Máy chủ LDAP {host} không trả lời.", host=self._settings.host) from exc
        link.bound()
        if self._settings.security is Security.STARTTLS:
            link.must(lambda: ldap.start_tls(read_server_info=False))
            link.bound()
        link.must(lambda: ldap.bind(read_server_info=False))


def _failure(refused: RefusedByServer) -> ConnectorError:
    """What a result code means for the one who must act on it."""
    if refused.code in _BUSY:
        return Transient("Máy chủ LDAP đang bận ({shown}).", shown=refused.text)
    if refused.code in _NOT_US:
        return Misconfigured(
            "Máy chủ LDAP không chấp nhận thông tin kết nối ({shown}).", shown=refused.text
        )
    return Rejected("Máy chủ LDAP từ chối yêu cầu ({shown}).", shown=refused.text)
