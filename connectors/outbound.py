"""The one client for calling out: everything Dinhdanh says over HTTP goes through here.

Applications give us the addresses we call (a SCIM base URL, a logout URI). So that nobody makes
us call what only we can reach, the connection is made to an address that ``addresses`` has
judged, and to no other. Redirects are not followed, the environment's proxies are not used, no
cookie is kept, the whole call has one deadline (its job's, if that is nearer) and an answer one size.

    request(...)   one call → Response
    client(...)    the same pool behind an ``httpx2.Client``, for libraries that need one

All failures are ``ConnectorError``s, also through ``client()``. One keep-alive pool per process;
safe to use from several threads.
"""

import functools
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from connectors import answers, deadline
from connectors.addresses import AddressGuard, Resolver, system_addresses
from connectors.errors import Misconfigured, Rejected, Transient
from directory.base.config import Settings
from directory.base.errors import Misconfigured as InstallationMisconfigured

if TYPE_CHECKING:
    import httpx2

    from connectors.pinned import Calling

LONGEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True)
class Response:
    """A whole answer."""

    status: int
    headers: "httpx2.Headers"
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises Rejected when it is none, or nested too deeply."""
        return answers.read_json(self.body)

    def require_ok(self) -> "Response":
        """This answer, if it is 2xx. Raises Transient, Misconfigured or Rejected."""
        if not self.ok:
            raise failure(self.status, self.headers)
        return self


def failure(
    status: int, headers: Mapping[str, str], detail: str = ""
) -> Transient | Rejected | Misconfigured:
    """What an unwelcome status means for the one who must act on it."""
    shown = f"{status} {detail[:300]}".strip()
    if status in (408, 425, 429) or status >= 500:
        return Transient(
            "Hệ thống đích đang bận hoặc gặp lỗi ({shown}).",
            retry_after=_retry_after(headers),
            shown=shown,
        )
    if status in (401, 403, 407):
        return Misconfigured(
            "Hệ thống đích không chấp nhận thông tin kết nối ({shown}).", shown=shown
        )
    if 300 <= status < 400:
        return Misconfigured("Hệ thống đích chuyển hướng sang địa chỉ khác ({shown}).", shown=shown)
    return Rejected("Hệ thống đích từ chối yêu cầu ({shown}).", shown=shown)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Retry-After as seconds or as a date (RFC 9110 §10.2.3), the latter against ``Date``.

    Capped: no target may put off a disabled account for weeks.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal() and len(value) < 10:
        wait = timedelta(seconds=int(value))
    else:
        try:
            sent = parsedate_to_datetime(headers.get("Date", ""))
            wait = parsedate_to_datetime(value) - sent
        except (TypeError, ValueError):
            return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


class Outbound:
    """The client. ``resolve`` gives the addresses of a host; the system's resolver by default."""

    def __init__(self, settings: Settings, *, resolve: Resolver | None = None) -> None:
        self.timeout = settings.outbound_timeout
        self._settings = settings
        self._guard = AddressGuard(settings.outbound_allow, resolve or system_addresses)
        if settings.outbound_ca_file is not None:
            tls(settings)  # said at once where it cannot be read
        self._first = threading.Lock()
        self._made: Calling | None = None

    def _calling(self) -> "Calling":
        # Only now: most processes begin without a call, and to read the HTTP client and the
        # system's authorities takes a tenth of a second.
        with self._first:
            if self._made is None:
                module = import_module("connectors.pinned")
                self._made = module.Calling(self._guard, tls(self._settings), self.timeout)
            return self._made

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        timeout: float | None = None,
    ) -> Response:
        """One call and its whole answer, whatever its status.

        Raises Transient when nothing came back in time and Misconfigured when the address is
        refused or the certificate does not fit.
        """
        answer = self._calling().request(
            method,
            url,
            headers=dict(headers or {}),
            content=content,
            json=json,
            timeout=timeout or self.timeout,
        )
        return Response(answer.status_code, answer.headers, answer.content)

    def client(
        self, *, base_url: str = "", headers: Mapping[str, str] | None = None
    ) -> "httpx2.Client":
        """An ``httpx2.Client`` over the shared pool; closing it leaves the pool open."""
        return self._calling().client(base_url=base_url, headers=headers)

    def addresses(self, host: str, port: int) -> list[str]:
        """The checked addresses of a host, for protocols other than HTTP to connect to.

        Raises Misconfigured when one of them is refused, Transient when it has none.
        """
        return self._guard.addresses(host, port, time.monotonic() + deadline.left(self.timeout))

    def close(self) -> None:
        """Close the pool."""
        with self._first:
            if self._made is not None:
                self._made.close()
        self._guard.close()


def tls(settings: Settings) -> ssl.SSLContext:
    """Verification by the installation's bundle or the system's; TLS 1.2 or later."""
    file = settings.outbound_ca_file
    try:
        return _context(str(file), file.stat().st_mtime_ns) if file else _context(None, 0)
    except OSError as exc:
        raise InstallationMisconfigured(
            "outbound_ca_file", "Không đọc được tệp chứng thư {file}.", file=file
        ) from exc


@functools.lru_cache(maxsize=8)
def _context(file: str | None, _changed_at: int) -> ssl.SSLContext:
    """One context per bundle and process: reading the system's takes 50 ms."""
    context = ssl.create_default_context(cafile=file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
