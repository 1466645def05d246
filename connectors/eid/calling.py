"""Calls to an upstream, within bounds; whatever goes wrong with them is a refusal.

A slow upstream must not take all the threads that people wait for: few visits speak to upstreams
at the same time, and one visit is over within seconds.
"""

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from connectors import deadline
from connectors.eid.refusals import EidRefused, Why
from connectors.errors import ConnectorError, Misconfigured, Transient
from connectors.outbound import Outbound, Response
from directory.base import strict_json
from directory.base.remembered import Remembered

SLOWEST = 5.0
"""Seconds one call may take."""
LONGEST = 12.0
"""Seconds all calls of one visit may take."""
AT_ONCE = 4
"""Visits of a process that speak to upstreams at the same time."""
PATIENCE = 2.0
LARGEST = 256 * 1024
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Calls:
    """What a call needs: the one client, what this process remembers, and the moment."""

    outbound: Outbound
    remembered: Remembered
    now: datetime


@contextmanager
def speaking() -> Iterator[None]:
    """One visit's calls. Raises EidRefused where too many speak already."""
    if not _places.acquire(timeout=PATIENCE):
        raise EidRefused(Why.BUSY)
    try:
        with deadline.within(LONGEST):
            yield
    finally:
        _places.release()


def call(
    calls: Calls,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One answer, whatever its status. Raises EidRefused where none comes."""
    said = {"Accept": "application/json", **(headers or {})}
    content = None
    if form is not None:
        said["Content-Type"] = "application/x-www-form-urlencoded"
        content = urlencode(form).encode()
    try:
        answer = calls.outbound.request(method, url, headers=said, content=content, timeout=SLOWEST)
    except Transient as exc:
        raise EidRefused(Why.UNREACHABLE, "no answer") from exc
    except Misconfigured as exc:
        raise EidRefused(Why.MISCONFIGURED, "address or TLS certificate") from exc
    except ConnectorError as exc:
        raise EidRefused(Why.GARBAGE, "unreadable answer") from exc
    if len(answer.body) > LARGEST:
        raise EidRefused(Why.GARBAGE, "answer too long")
    return answer


def good(answer: Response, *, of: str) -> Response:
    """This answer, if it is 2xx. Raises EidRefused."""
    status = answer.status
    if 200 <= status < 300:
        return answer
    if status in (408, 425, 429) or status >= 500:
        raise EidRefused(Why.UNREACHABLE, f"{of} answered {status}")
    if status in (401, 403) or 300 <= status < 400:
        raise EidRefused(Why.MISCONFIGURED, f"{of} answered {status}")
    raise EidRefused(Why.GARBAGE, f"{of} answered {status}")


def token(answer: Response) -> Response:
    """The token endpoint's answer, if it is one. Raises EidRefused."""
    if answer.status == 400:
        try:
            error = strict_json.read(answer.body).get("error")
        except strict_json.Unreadable:
            error = None
        if error == "invalid_grant":
            raise EidRefused(Why.CODE_REFUSED)
        if error in ("invalid_client", "unauthorized_client", "unsupported_grant_type"):
            raise EidRefused(Why.MISCONFIGURED, f"token: {error}")
    return good(answer, of="token")


def told(answer: Response, *, of: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises EidRefused."""
    try:
        return strict_json.read(good(answer, of=of).body)
    except strict_json.Unreadable as exc:
        raise EidRefused(Why.GARBAGE, f"{of}: no JSON object") from exc


def bearer(said: Mapping[str, Any]) -> str:
    """The access token of an answer. Raises EidRefused."""
    found, kind = said.get("access_token"), said.get("token_type", "Bearer")
    if not isinstance(found, str) or not re.fullmatch(r"[\x21-\x7e]{1,8192}", found):
        raise EidRefused(Why.GARBAGE, "token: no access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise EidRefused(Why.GARBAGE, "token: not a bearer token")
    return found


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of ``client_secret_basic`` (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
