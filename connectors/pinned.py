"""httpx2 over one pool of connections that are pinned, timed and capped; read when the first call is
made: ``connectors.outbound`` is what others use.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore2
import httpx2

from connectors import answers, deadline
from connectors.addresses import AddressGuard
from connectors.errors import Misconfigured, Rejected, Transient

KEEP_ALIVE = 20.0
"""Seconds an idle connection is kept; shorter than what servers usually allow."""
CONNECTIONS = 64


class Calling:
    """The pool, and clients over it."""

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext, timeout: float) -> None:
        self._timeout = timeout
        self._transport = _PinnedTransport(guard, context, timeout)
        self._client = self.client()

    def request(self, method: str, url: str, **asked: Any) -> httpx2.Response:
        """One call and its whole answer. Raises ConnectorError."""
        try:
            return self._client.request(method, url, **asked)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as exc:
            raise Misconfigured("Địa chỉ gọi ra không hợp lệ.") from exc

    def client(
        self, *, base_url: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx2.Client:
        """A client over the shared pool; closing it leaves the pool open."""
        return httpx2.Client(
            base_url=base_url,
            # Compressed answers are not asked for; who sends one all the same is read in bounds.
            headers={"Accept-Encoding": "identity", "User-Agent": "dinhdanh", **(headers or {})},
            transport=_Shared(self._transport),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=self._timeout,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the pool."""
        self._transport.close()


class _Deadline(threading.local):
    """The moment this thread's call must be over; a connection serves one call at a time."""

    at: float = 0.0

    def left(self, timeout: float | None, late: type[Exception]) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            raise late("deadline")
        return left if timeout is None else min(left, timeout)


class _PinnedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only. TLS still verifies the name the URL gave."""

    def __init__(self, guard: AddressGuard, deadline: _Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        last: Exception | None = None
        for address in self._guard.addresses(host, port, self._deadline.at):
            try:
                stream = self._sockets.connect_tcp(
                    address,
                    port,
                    timeout=self._deadline.left(timeout, httpcore2.ConnectTimeout),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                last = exc
            else:
                return _TimedStream(stream, self._deadline)
        raise last or httpcore2.ConnectError("no address")


class _TimedStream(httpcore2.NetworkStream):
    """A stream whose every step ends by the call's deadline: one byte a second is too slow."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(timeout, httpcore2.ConnectTimeout)
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, left), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _PinnedTransport(httpx2.BaseTransport):
    """httpx2 over a pool whose connections are pinned, timed and capped."""

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext, timeout: float) -> None:
        self._deadline = _Deadline()
        self._timeout = timeout
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=_PinnedBackend(guard, self._deadline),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme not in ("http", "https") or not url.host or (url.port or 1) > 65535:
            raise Misconfigured("Chỉ gọi ra địa chỉ http hoặc https.")
        if url.userinfo:
            raise Misconfigured("Địa chỉ gọi ra không được chứa tên và mật khẩu.")
        limits = request.extensions.get("timeout") or {}
        seconds = deadline.left(limits.get("read") or self._timeout)
        self._deadline.at = time.monotonic() + seconds
        with _translated(url.host):
            answer = self._pool.handle_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=url.raw_scheme,
                        host=url.raw_host,
                        port=url.port,
                        target=url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions | {"timeout": {"pool": seconds}},
                )
            )
        headers = httpx2.Headers(answer.headers)
        coding = headers.get("Content-Encoding", "").strip().lower()
        body = _CappedStream(answer, url.host, coding)
        if coding not in answers.KNOWN:
            body.close()
            raise Rejected("Hệ thống đích trả lời ở dạng nén mà không được yêu cầu.")
        if coding not in answers.PLAIN:
            for name in ("Content-Encoding", "Content-Length"):
                headers.pop(name, None)
        return httpx2.Response(answer.status, headers=headers, stream=body)

    def close(self) -> None:
        self._pool.close()


class _CappedStream(httpx2.SyncByteStream):
    """An answer's body, unfolded and no longer than the limit."""

    def __init__(self, answer: httpcore2.Response, host: str, coding: str) -> None:
        self._answer = answer
        self._host = host
        self._coding = coding

    def __iter__(self) -> Iterator[bytes]:
        with _translated(self._host):
            chunks = answers.capped(self._answer.iter_stream(), self._host)
            if self._coding not in answers.PLAIN:
                unfolded = answers.unfolded(chunks, self._coding, self._host)
                chunks = answers.capped(unfolded, self._host)
            yield from chunks

    def close(self) -> None:
        self._answer.close()


class _Shared(httpx2.BaseTransport):
    """The shared transport as one client sees it: not the client's to close."""

    def __init__(self, transport: _PinnedTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._transport.handle_request(request)


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Failures of the network as ours. A certificate that does not fit is not the weather."""
    try:
        yield
    except httpcore2.TimeoutException as exc:
        raise Transient("{host} không trả lời trong thời hạn.", host=host) from exc
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as exc:
        if _certificate_refused(exc):
            raise Misconfigured(
                "Chứng thư TLS của {host} không được tin cậy hoặc không đúng tên máy.", host=host
            ) from exc
        raise Transient("Không kết nối được tới {host}.", host=host) from exc


def _certificate_refused(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
