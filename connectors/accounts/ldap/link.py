"""One bound connection whose every operation is bounded in time, bytes, pages and entries.

ldap3 reads until a server says that it is done, waits anew for every packet, and ends in whatever
exception a garbled packet causes. Here an operation has a deadline and a size, and what cannot be
read is the server's failure: ``Transient``, in words that say so.
"""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPExceptionError

from connectors import deadline
from connectors.errors import ConnectorError, Rejected, Transient

Ldap = Any
"""An ``ldap3.Connection``; its published types leave half of the methods untyped."""
Row = dict[str, Any]

PAGED = "1.2.840.113556.1.4.319"
ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of one answer: an entry, or one page of them."""
ENTRIES = 500_000
"""Entries of one search, over all its pages."""
EMPTY_PAGES = 20
"""Empty pages in a row after which a server is not taken to have any more."""
FEW = 100
"""Entries after which a look-up for one person is given up."""


class RefusedByServer(Exception):
    """A result code other than success (RFC 4511 §4.1.9)."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["description"])
        self.code: int = result["result"]
        self.text = f"{result['description']}: {result['message']}"[:300]


class GarbledAnswer(Transient):
    """What the server sent is no LDAP, or none that can be read."""


class Socket:
    """A socket on which one operation has a moment to be over by, and a number of bytes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.over_at = 0.0
        self.bytes_left = 0

    def begin(self, seconds: float) -> None:
        """The next operation begins."""
        self.over_at = time.monotonic() + seconds
        self.bytes_left = ANSWER_LIMIT

    def _wait(self) -> None:
        left = self.over_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the operation took too long")
        self.inner.settimeout(left)

    def recv(self, size: int) -> bytes:
        self._wait()
        data: bytes = self.inner.recv(size)
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise OSError("the answer is too long")
        return data

    def sendall(self, data: bytes) -> None:
        self._wait()
        self.inner.sendall(data)

    def shutdown(self, how: int = socket.SHUT_RDWR) -> None:
        self.inner.shutdown(how)

    def close(self) -> None:
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _whole(result: Any) -> dict[str, Any]:
    """A result with all that we read of it. Raises what ``call`` takes for garbage."""
    if not isinstance(result["result"], int):
        raise TypeError(result["result"])
    return {**result, "description": result["description"], "message": result["message"]}


class Link:
    """Operations over one connection; one thread at a time has it."""

    def __init__(self, ldap: Ldap, host: str, timeout: float) -> None:
        self.ldap = ldap
        self._host = host
        self._timeout = timeout

    def bound(self) -> None:
        """Put our socket around the connection's; after it was opened, and after StartTLS."""
        self.ldap.socket = Socket(self.ldap.socket)

    def call(self, act: Callable[[], Any]) -> dict[str, Any]:
        """Do one operation; its result, whatever it is. Raises ConnectorError."""
        holder = self.ldap.socket
        if isinstance(holder, Socket):
            holder.begin(deadline.left(self._timeout))
        try:
            act()
            result = _whole(self.ldap.result)
        except ConnectorError:
            raise
        except LDAPExceptionError as exc:
            raise Transient("Máy chủ LDAP {host} không trả lời.", host=self._host) from exc
        except Exception as exc:
            # ldap3 ends in IndexError, TypeError, RecursionError … on bytes that are no LDAP.
            raise GarbledAnswer(
                "Máy chủ LDAP {host} trả lời không đọc được.", host=self._host
            ) from exc
        return result

    def must(self, act: Callable[[], Any]) -> dict[str, Any]:
        """The same. Raises Refused unless it succeeded."""
        result = self.call(act)
        if result["result"] != 0:
            raise RefusedByServer(result)
        return result

    def search(
        self,
        base: str,
        condition: str,
        attributes: Sequence[str],
        *,
        scope: str = ldap3.SUBTREE,
        page_size: int = 500,
        most: int = FEW,
    ) -> list[Row]:
        """All entries that fit, page by page (RFC 2696). Raises Rejected when there is no end."""
        found: list[Row] = []
        cookie: Any = None
        empty = 0
        while True:
            ask = partial(
                self.ldap.search,
                base,
                condition,
                scope,
                attributes=list(attributes),
                paged_size=page_size,
                paged_cookie=cookie,
            )
            result = self.must(ask)
            rows, cookie = self._page(result)
            found += rows
            empty = 0 if rows else empty + 1
            if not cookie:
                return found
            if len(found) > most or empty > EMPTY_PAGES:
                raise Rejected("Máy chủ LDAP {host} gửi kết quả mãi không hết.", host=self._host)

    def _page(self, result: dict[str, Any]) -> tuple[list[Row], Any]:
        try:
            rows = [row for row in self.ldap.response or [] if row["type"] == "searchResEntry"]
            controls = result.get("controls") or {}
            return rows, controls.get(PAGED, {}).get("value", {}).get("cookie")
        except (AttributeError, KeyError, TypeError) as exc:
            raise GarbledAnswer(
                "Máy chủ LDAP {host} trả lời không đọc được.", host=self._host
            ) from exc

    def close(self) -> None:
        """Say good-bye, if anybody listens."""
        holder = self.ldap.socket
        try:
            if isinstance(holder, Socket):
                holder.begin(1.0)
            self.ldap.unbind()
        except Exception:  # noqa: BLE001, S110 (it was already gone, or never made sense)
            pass
        finally:
            # ldap3 forgets the socket of a connection that never came about.
            if holder is not None:
                holder.close()
