"""Connections: to a checked address, over verified TLS, bound, kept while they are fresh.

ldap3 is used for what it is good at (encoding, decoding) and told not to be clever: no schema is
fetched, no referral followed, every answer has a time limit.
"""

import queue
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPExceptionError

from connectors.errors import ConnectorError, Misconfigured, Rejected, Transient
from connectors.ldap.settings import LdapSettings, Security
from connectors.outbound import Outbound

Ldap = Any
"""An ``ldap3.Connection``; its published types leave half of the methods untyped."""
IDLE = 20.0
"""Seconds after which a connection at rest is not trusted to be alive any more."""


class Refused(Exception):
    """A result code other than success (RFC 4511 §4.1.9)."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["description"])
        self.code: int = result["result"]
        self.text = f"{result['description']}: {result['message']}"[:300]


NO_SUCH_OBJECT, ALREADY_EXISTS = 32, 68
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
        try:
            connection.socket = self._context.wrap_socket(
                connection.socket, server_hostname=self._host
            )
        except ssl.SSLCertVerificationError:
            self.refused = True
            raise


class Pool:
    """Bound connections at rest; one thread at a time has one."""

    def __init__(self, settings: LdapSettings, password: str, outbound: Outbound) -> None:
        self._settings = settings
        self._password = password
        self._outbound = outbound
        self._rest: queue.LifoQueue[tuple[Ldap, float]] = queue.LifoQueue()

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
    def connection(self) -> Iterator[Ldap]:
        """A bound connection. One that failed is closed, not put back; failures become ours."""
        ldap = None
        try:
            ldap = self._rested() or self._connect()
            yield ldap
        except LDAPExceptionError as exc:
            _close(ldap)
            raise Transient("Máy chủ LDAP {host} không trả lời.", host=self._settings.host) from exc
        except Refused as refused:
            self._put_back(ldap)
            raise _failure(refused) from refused
        except ConnectorError:
            self._put_back(ldap)
            raise
        except BaseException:
            _close(ldap)
            raise
        self._put_back(ldap)

    def close(self) -> None:
        """Close what is at rest."""
        while True:
            try:
                ldap, _ = self._rest.get_nowait()
            except queue.Empty:
                return
            _close(ldap)

    def _put_back(self, ldap: Ldap | None) -> None:
        if ldap is not None:
            self._rest.put((ldap, time.monotonic()))

    def _rested(self) -> Ldap | None:
        while True:
            try:
                ldap, since = self._rest.get_nowait()
            except queue.Empty:
                return None
            if time.monotonic() - since < IDLE:
                return ldap
            _close(ldap)

    def _connect(self) -> Ldap:
        """Open, secure, bind: at the first checked address that answers."""
        s = self._settings
        addresses = self._outbound.addresses(s.host, s.port)
        for address in addresses[:-1]:
            try:
                return self._connect_to(address)
            except LDAPExceptionError:
                continue
        return self._connect_to(addresses[-1])

    def _connect_to(self, address: str) -> Ldap:
        s = self._settings
        tls = _Tls(self._context, s.host) if s.security is not Security.PLAIN else None
        server = ldap3.Server(
            address,
            port=s.port,
            use_ssl=s.security is Security.LDAPS,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=s.timeout,
        )
        ldap: Ldap = ldap3.Connection(
            server,
            s.bind_dn,
            self._password,
            receive_timeout=s.timeout,
            check_names=False,
            # A referral would hand our password to whatever host the answer names.
            auto_referrals=False,
            auto_escape=False,
        )
        try:
            ldap.open()
            if s.security is Security.STARTTLS:
                ldap.start_tls(read_server_info=False)
            ldap.bind(read_server_info=False)
            require(ldap)
        except (LDAPExceptionError, Refused) as exc:
            _close(ldap)
            if tls is not None and tls.refused:
                raise Misconfigured(
                    "Chứng thư TLS của {host} không được tin cậy hoặc không đúng tên máy.",
                    host=s.host,
                ) from exc
            raise
        return ldap


def _close(ldap: Ldap | None) -> None:
    if ldap is None:
        return
    try:
        ldap.unbind()
    except (LDAPExceptionError, OSError):
        pass  # it was already gone
    finally:
        # ldap3 forgets the socket of a connection that never came about.
        if ldap.socket is not None:
            ldap.socket.close()


def require(ldap: Ldap) -> None:
    """Raises Refused unless the last operation succeeded."""
    if ldap.result["result"] != 0:
        raise Refused(ldap.result)


def _failure(refused: Refused) -> ConnectorError:
    """What a result code means for the one who must act on it."""
    if refused.code in _BUSY:
        return Transient("Máy chủ LDAP đang bận ({shown}).", shown=refused.text)
    if refused.code in _NOT_US:
        return Misconfigured(
            "Máy chủ LDAP không chấp nhận thông tin kết nối ({shown}).", shown=refused.text
        )
    return Rejected("Máy chủ LDAP từ chối yêu cầu ({shown}).", shown=refused.text)
