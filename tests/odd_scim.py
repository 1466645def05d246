"""SCIM services that are not like ours: one small store with a switch for each oddity seen.

It is a program of its own, written from RFC 7643 and 7644 and from what services in the wild do;
it shares nothing with the connector. Its store is plain JSON, so that a test can look at what is
really there, and change it behind the connector's back.
"""

import gzip
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from tests.scim_fixture import serving

TOKEN = "token-of-the-odd"
BASE = "/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ABSENT = object()
_FILTER = re.compile(r'\s*(\w+)\s+eq\s+("(?:[^"\\]|\\.)*")\s*', re.IGNORECASE)


@dataclass
class Oddities:
    """In what a service differs from an ordinary one."""

    shows_active: Callable[[bool], Any] = lambda on: on
    """What stands in ``active``; ABSENT leaves it out."""
    resources: Callable[[list[Any]], Any] = lambda found: found
    total: Callable[[int], Any] = lambda count: count
    """What stands in ``totalResults``; ABSENT leaves it out."""
    discovery: int = 200
    empty: int = 200
    """The status of a search that finds nobody."""
    created: int = 201
    created_body: bool = True
    taken: tuple[int, str] = (409, "uniqueness")
    slash: bool = False
    """Whether ``/Users`` redirects to ``/Users/``."""
    redirects_to: str = ""
    """Where everything redirects to, if anywhere."""
    patch: bool = True
    filters: str = "all"
    """all | names (400 for externalId) | none (400 for any) | ignored | blind (never finds)."""
    paging: bool = True
    shows: Callable[[dict[str, Any]], dict[str, Any]] = lambda user: user
    """What is shown of a stored account."""
    stores: Callable[[dict[str, Any]], dict[str, Any]] = lambda user: user
    """What is kept of an account that was sent."""
    needs_family_name: bool = False
    zipped: bool = False
    name: Callable[[int], Any] = lambda number: f"id-{number}"
    """The id of the n-th account."""


@dataclass
class OddScim:
    """The service; ``accounts`` is what it really holds, by id as text."""

    odd: Oddities = field(default_factory=Oddities)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    numbers: int = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}{BASE}"

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or request.full_path)
        path = raw.split("?")[0].removeprefix(BASE)
        self.asked.append((request.method, raw.removeprefix(BASE)))
        return self._answer(request, path)(environ, start_response)

    def add(self, **user: Any) -> dict[str, Any]:
        """An account made by hand."""
        self.numbers += 1
        name = self.odd.name(self.numbers)
        made = {"schemas": [USER], "id": name, "active": True} | user
        self.accounts[str(name)] = made
        return made

    def mine(self, external_id: str) -> list[dict[str, Any]]:
        """What it really holds for one externalId."""
        return [a for a in self.accounts.values() if a.get("externalId") == external_id]

    def _answer(self, request: Request, path: str) -> Response:
        if self.odd.redirects_to:
            return Response("", 302, headers={"Location": self.odd.redirects_to})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._error(401, "no")
        if not path.startswith("/Users"):
            return self._discovery(path)
        if self.odd.slash and not path.endswith("/"):
            query = f"?{request.query_string.decode()}" if request.query_string else ""
            return Response("", 301, headers={"Location": f"{BASE}{path}/{query}"})
        key = unquote(path.removeprefix("/Users").strip("/"))
        if not key:
            return self._create(request) if request.method == "POST" else self._search(request)
        if key not in self.accounts:
            return self._error(404, "no such user")
        if request.method == "GET":
            return self._json(self._shown(self.accounts[key]))
        return self._change(request, key)

    def _discovery(self, path: str) -> Response:
        if self.odd.discovery != 200:
            where = {"Location": "/login"} if self.odd.discovery == 302 else {}
            return Response("<html>", self.odd.discovery, headers=where)
        if path.startswith("/ServiceProviderConfig"):
            return self._json({"patch": {"supported": self.odd.patch}})
        kinds = [{"schema": USER, "schemaExtensions": [{"schema": ENTERPRISE}], "name": "User"}]
        return self._json({"schemas": [LIST], "totalResults": 1, "Resources": kinds})

    def _search(self, request: Request) -> Response:
        found = list(self.accounts.values())
        asked = request.args.get("filter")
        if asked and self.odd.filters != "ignored":
            fits = _FILTER.fullmatch(asked)
            assert fits, asked
            name, value = fits[1].lower(), json.loads(fits[2])
            if self.odd.filters == "none" or (self.odd.filters == "names" and name != "username"):
                return self._error(400, "filter not supported", "invalidFilter")
            found = (
                [a for a in found if _same(a, name, value)] if self.odd.filters != "blind" else []
            )
        if not found and self.odd.empty != 200:
            return self._error(self.odd.empty, "nobody")
        total = len(found)
        if self.odd.paging:
            start = int(request.args.get("startIndex", 1)) - 1
            found = found[start : start + int(request.args.get("count", 100))]
        shown = {
            "schemas": [LIST],
            "totalResults": self.odd.total(total),
            "Resources": self.odd.resources([self._shown(a) for a in found]),
        }
        body = {name: value for name, value in shown.items() if value is not ABSENT}
        return self._json(body)

    def _create(self, request: Request) -> Response:
        sent = request.get_json(force=True)
        if any(
            a.get("externalId") == sent.get("externalId")
            or str(a.get("userName")).casefold() == str(sent.get("userName")).casefold()
            for a in self.accounts.values()
        ):
            return self._error(self.odd.taken[0], "already there", self.odd.taken[1])
        if self.odd.needs_family_name and not (sent.get("name") or {}).get("familyName"):
            return self._error(400, "name.familyName is required", "invalidValue")
        made = self.add(**self.odd.stores(sent))
        if not self.odd.created_body:
            return Response("", self.odd.created)
        return self._json(self._shown(made), self.odd.created)

    def _change(self, request: Request, key: str) -> Response:
        sent = request.get_json(force=True)
        before = self.accounts[key]
        if request.method == "PUT":
            after = sent | {"id": before["id"]}
        elif request.method == "PATCH" and self.odd.patch:
            after = json.loads(json.dumps(before))
            for operation in sent["Operations"]:
                _apply(after, operation)
        else:
            return self._error(501, "not implemented")
        if self.odd.needs_family_name and not (after.get("name") or {}).get("familyName"):
            return self._error(400, "name.familyName is required", "invalidValue")
        self.accounts[key] = {"active": True} | self.odd.stores(after)
        return self._json(self._shown(self.accounts[key]))

    def _shown(self, user: dict[str, Any]) -> dict[str, Any]:
        shown = self.odd.shows(json.loads(json.dumps(user)))
        active = self.odd.shows_active(bool(user.get("active")))
        shown.pop("active", None)
        return shown if active is ABSENT else shown | {"active": active}

    def _error(self, status: int, detail: str, kind: str = "") -> Response:
        body = {"schemas": [ERROR], "status": str(status), "detail": detail}
        return self._json(body | ({"scimType": kind} if kind else {}), status)

    def _json(self, body: Any, status: int = 200) -> Response:
        text = json.dumps(body).encode()
        answer = Response(gzip.compress(text) if self.odd.zipped else text, status)
        answer.content_type = "application/scim+json"
        if self.odd.zipped:
            answer.headers["Content-Encoding"] = "gzip"
        return answer


def _same(user: dict[str, Any], name: str, value: str) -> bool:
    stored = next((v for k, v in user.items() if k.lower() == name), None)
    if name == "username":
        return str(stored).casefold() == value.casefold()
    return bool(stored == value)


def _apply(user: dict[str, Any], operation: dict[str, Any]) -> None:
    path, value = operation["path"], operation.get("value")
    if path.startswith("urn:"):
        outer, _, inner = path.rpartition(":")
    else:
        outer, _, inner = path.partition(".")
    part = user.setdefault(outer, {}) if inner else user
    name = inner or outer
    if operation["op"].lower() == "remove":
        part.pop(name, None)
    else:
        part[name] = value


def decomposed(user: dict[str, Any]) -> dict[str, Any]:
    """All text in NFD."""
    text = json.dumps(user, ensure_ascii=False)
    shown: dict[str, Any] = json.loads(unicodedata.normalize("NFD", text))
    return shown


@contextmanager
def odd_scim(**oddities: Any) -> Iterator[OddScim]:
    """Serve one on a free port."""
    service = OddScim(Oddities(**oddities))
    with serving(service) as port:
        service.port = port
        yield service
