"""SCIM over HTTP, as far as every service does it: a question and what was answered.

Redirects are followed only inside the service (``/Users`` to ``/Users/``): our token goes to no
other host and no other path. Statuses that the asker can make sense of are given back; all others
become our errors.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from connectors import answers
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Outbound, failure

Json = dict[str, Any]
REDIRECTS = 3
_MOVED = frozenset({301, 302, 307, 308})


@dataclass(frozen=True)
class ScimAnswer:
    """What a service answered; ``body`` is None where that was no JSON object."""

    status: int
    body: Json | None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def taken(self) -> bool:
        """Whether name or externalId belong to an account already (RFC 7644 §3.3, §3.12)."""
        kind = str((self.body or {}).get("scimType") or "").casefold()
        return self.status == 409 or (self.status == 400 and kind == "uniqueness")

    @property
    def detail(self) -> str:
        """What the error says (RFC 7644 §3.12), shortened."""
        return str((self.body or {}).get("detail") or "")[:300]

    def object(self) -> Json:
        """The JSON object. Raises Rejected where there is none."""
        if self.body is None:
            raise Rejected("Hệ thống đích trả lời không đúng chuẩn SCIM.")
        return self.body

    def failure(self) -> Transient | Rejected | Misconfigured:
        """What this means for the one who must act on it."""
        return failure(self.status, {}, self.detail)


class Wire:
    """Questions to one service."""

    def __init__(self, url: str, token: str, outbound: Outbound) -> None:
        self._base = httpx2.URL(url)
        self.http = outbound.client(
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/scim+json, application/json",
            }
        )
        self._slash = ""
        """What the service wants at the end of every path."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        bear: Collection[int] = (),
    ) -> ScimAnswer:
        """Ask, and raise ConnectorError for what is neither 2xx nor in ``bear``."""
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        url = httpx2.URL(f"{self._base}{path}{self._slash}{asked}")
        response = self._send(method, url, body)
        for _ in range(REDIRECTS):
            if response.status_code not in _MOVED:
                break
            there = self._inside(url, response.headers.get("Location", ""))
            self._slash = "/" if there.path == f"{url.path}/" else self._slash
            url = there.copy_with(query=url.query or None)
            response = self._send(method, url, body)
        answer = ScimAnswer(response.status_code, _object(response))
        if answer.ok or answer.status in bear:
            return answer
        raise failure(response.status_code, response.headers, answer.detail)

    def _send(self, method: str, url: httpx2.URL, body: Json | None) -> httpx2.Response:
        if body is None:
            return self.http.request(method, url)
        return self.http.request(
            method,
            url,
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/scim+json"},
        )

    def _inside(self, asked: httpx2.URL, location: str) -> httpx2.URL:
        """Where a redirect leads. Raises Misconfigured unless it stays inside the service."""
        try:
            there = asked.join(location.strip())
        except (httpx2.InvalidURL, ValueError) as exc:
            raise _elsewhere() from exc
        origin = (there.scheme, there.host, there.port) == (asked.scheme, asked.host, asked.port)
        below = there.path.startswith(f"{self._base.path.rstrip('/')}/") and not there.userinfo
        if not location.strip() or not origin or not below or there.path == asked.path:
            raise _elsewhere()
        return there


def _elsewhere() -> Misconfigured:
    return Misconfigured("Hệ thống đích chuyển hướng sang địa chỉ khác.")


def _object(response: httpx2.Response) -> Json | None:
    if not response.content:
        return None
    try:
        body = answers.read_json(response.content)
    except Rejected:
        return None
    return body if isinstance(body, dict) else None
