"""SCIM 2.0 targets (RFC 7643, 7644) by scim2-client over the shared outbound pool.

The base models User + Enterprise extension are used without fetching schemas. What the service
says of itself (PATCH, the Enterprise extension) is asked once per connector and only believed
where it is said; a service without discovery is taken for a full one. A look-up, a create and a
probe are one request each. Accounts are disabled (``active: false``), never deleted.
"""

import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ConfigDict, Field, field_validator
from scim2_client import SCIMClientException
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import (
    EnterpriseUser,
    ResourceType,
    SCIMException,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    User,
)

from connectors import mapping, scim_mapping
from connectors.contract import (
    Action,
    Attribute,
    Capability,
    Misconfigured,
    Operation,
    Outbound,
    Outcome,
    Page,
    Rejected,
    RemoteAccount,
    Wanted,
)
from connectors.outbound import failure
from connectors.scim_mapping import ScimUser


class ScimSettings(BaseModel):
    """The settings of one SCIM application; its secret is the bearer token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """The base URL, such as ``https://app.example.vn/scim/v2``."""
    attributes: frozenset[Attribute] = mapping.EVERYTHING
    """What we keep right there; leave out what the application cannot store."""
    adopt_by_username: bool = False
    """Whether a found account with our user name and *no* externalId may be taken over."""
    page_size: int = Field(default=100, ge=1, le=1000)

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, value: str) -> str:
        try:
            url = httpx2.URL(value)
        except httpx2.InvalidURL as exc:
            raise ValueError("not a URL") from exc
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
            raise ValueError("must be an http(s) URL without user, password and query")
        return value.rstrip("/")


Json = dict[str, Any]
_USER = str(User.__schema__)
_ENTERPRISE = str(EnterpriseUser.__schema__)


class _Missing(Rejected):
    """404: no such account."""


class _Taken(Rejected):
    """409: user name or externalId belong to an account already (RFC 7644 §3.3)."""


@dataclass(frozen=True)
class _Service:
    """What the target says it can do."""

    patch: bool
    managed: frozenset[Attribute]


class ScimConnector:
    """Accounts of one application that speaks SCIM."""

    def __init__(self, settings: ScimSettings, token: str, outbound: Outbound) -> None:
        self._settings = settings
        http = outbound.client(base_url=settings.url, headers={"Authorization": f"Bearer {token}"})
        http.event_hooks = {"response": [_refuse_failures]}
        self._scim = SyncSCIMClient(
            http,
            provider=ScimProvider(
                models=[User, EnterpriseUser],
                resource_types=[ResourceType.from_resource(ScimUser)],
            ),
        )
        self._discovery = threading.Lock()
        self._discovered: _Service | None = None

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability) - {Capability.MOVE}

    def test(self) -> str:
        _, total = self._list(SearchRequest(count=1))
        patch = "PATCH" if self._service().patch else "PUT"
        return f"SCIM 2.0 trả lời tốt, {total} tài khoản, cập nhật bằng {patch}."

    def fetch(self, cursor: str | None = None) -> Page:
        start = int(cursor or 1)
        users, total = self._list(SearchRequest(start_index=start, count=self._settings.page_size))
        after = start + len(users)
        more = bool(users) and after <= total
        return Page(tuple(_account(user) for user in users), str(after) if more else None)

    def get(self, key: str) -> RemoteAccount | None:
        user = self._get(key)
        return _account(user) if user else None

    probe = get

    def try_entry(self, seen: RemoteAccount) -> dict[str, Any]:
        """Nothing more can be tried: who signs in there does so by the application's own way."""
        return {}

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        user = self._by("externalId", external_id) or self._by("userName", username)
        return _account(user) if user else None

    def differences(self, wanted: Wanted, seen: RemoteAccount) -> tuple[str, ...]:
        return mapping.differences(wanted, seen, managed=self._service().managed)

    def apply(self, operation: Operation) -> Outcome:
        wanted = operation.wanted
        user = self._locate(operation)
        if user is not None:
            return self._mend(user, wanted)
        if not wanted.active:
            return Outcome(None, Action.ABSENT)
        try:
            created = _call(
                self._scim.create, scim_mapping.to_scim(wanted, managed=self._service().managed)
            )
        except _Taken:
            return self._mend(self._after_conflict(wanted), wanted)
        user = created if isinstance(created, dict) else self._by("externalId", wanted.external_id)
        key = _account(user).key if user else ""
        if not key:
            raise Rejected("Hệ thống đích đã nhận tài khoản nhưng không cho biết mã của nó.")
        return Outcome(key, Action.CREATED, {"http_status": 201})

    def _locate(self, operation: Operation) -> Json | None:
        """By key first, if what is there is still hers; else by externalId."""
        ours = operation.wanted.external_id
        if operation.key:
            user = self._get(operation.key)
            if user is not None and _account(user).external_id in (None, ours):
                return user
        return self._by("externalId", ours)

    def _after_conflict(self, wanted: Wanted) -> Json:
        """Whom a refused create collided with: herself, or somebody we must not take over."""
        user = self._by("externalId", wanted.external_id)
        if user is not None:
            return user
        user = self._by("userName", wanted.username)
        if user is None:
            raise Rejected("Hệ thống đích báo trùng tài khoản nhưng không cho biết trùng với ai.")
        if _account(user).external_id or not self._settings.adopt_by_username:
            raise Rejected(
                "Tên đăng nhập {username} đã thuộc về một tài khoản khác tại hệ thống đích; "
                "cần đối chiếu chủ tài khoản.",
                username=wanted.username,
            )
        return user

    def _mend(self, user: Json, wanted: Wanted) -> Outcome:
        service = self._service()
        seen = _account(user)
        key = seen.key
        wrong = mapping.differences(wanted, seen, managed=service.managed)
        if not wrong:
            return Outcome(key, Action.UNCHANGED, {"http_status": 200})
        if service.patch:
            _call(self._scim.modify, ScimUser, key, scim_mapping.scim_patch(wanted, wrong))
        else:
            body = scim_mapping.merged_scim(user, wanted, managed=service.managed)
            url = f"/Users/{quote(key, safe='')}"
            _call(self._scim.replace, body, check_request_payload=False, url=url)
        action = Action.UPDATED
        if "active" in wrong:
            action = Action.ENABLED if wanted.active else Action.DISABLED
        return Outcome(key, action, {"http_status": 200, "changed": list(wrong)})

    def _get(self, key: str) -> Json | None:
        try:
            return _object(_call(self._scim.query, ScimUser, key))
        except _Missing:
            return None

    def _by(self, attribute: str, value: str) -> Json | None:
        """The one account whose attribute is exactly this; what a filter gives is checked."""
        quoted = json.dumps(value, ensure_ascii=False)
        users, _ = self._list(SearchRequest(filter=f"{attribute} eq {quoted}"))
        # RFC 7643 §3.1, §4.1.1: externalId minds upper and lower case, userName does not.
        fits = (
            [_account(user).external_id == value for user in users]
            if attribute == "externalId"
            else [_account(user).username.casefold() == value.casefold() for user in users]
        )
        if not all(fits):
            raise Misconfigured(
                "Hệ thống đích không lọc được theo {attribute}.", attribute=attribute
            )
        if len(users) > 1:
            raise Rejected("Có {count} tài khoản cùng thuộc về một người.", count=len(users))
        return users[0] if users else None

    def _list(self, search: SearchRequest[Any]) -> tuple[list[Json], int]:
        """The resources of one answer, and how many there are in all."""
        page = _object(_call(self._scim.query, ScimUser, query_parameters=search))
        users, total = page.get("Resources", []), page.get("totalResults", 0)
        if not isinstance(users, list) or not isinstance(total, int):
            raise Rejected("Hệ thống đích trả lời không đúng chuẩn SCIM.")
        return [_object(user) for user in users], total

    def _service(self) -> _Service:
        with self._discovery:
            if self._discovered is None:
                self._discovered = _Service(self._knows_patch(), self._managed())
            return self._discovered

    def _knows_patch(self) -> bool:
        try:
            config = _object(_call(self._scim.query, ServiceProviderConfig))
        except Rejected:
            return True
        patch = config.get("patch")
        return not isinstance(patch, dict) or patch.get("supported") is not False

    def _managed(self) -> frozenset[Attribute]:
        """What is configured, without what only a missing Enterprise extension could say."""
        try:
            types = _object(_call(self._scim.query, ResourceType)).get("Resources")
        except Rejected:
            return self._settings.attributes
        mine = [t for t in types or () if isinstance(t, dict) and t.get("schema") == _USER]
        known = [e.get("schema") for t in mine for e in t.get("schemaExtensions") or ()]
        if mine and _ENTERPRISE not in known:
            return self._settings.attributes - mapping.ENTERPRISE
        return self._settings.attributes


def _account(user: Json) -> RemoteAccount:
    return scim_mapping.from_scim(user, {"http_status": 200})


def _call(method: Any, *args: Any, **kwargs: Any) -> Any:
    """One call of scim2-client, giving the answer as plain JSON.

    What it cannot send or read as SCIM is Rejected.
    """
    try:
        return method(*args, check_response_payload=False, **kwargs)
    except (SCIMClientException, SCIMException) as exc:
        raise Rejected("Hệ thống đích trả lời không đúng chuẩn SCIM.") from exc


def _object(answer: Any) -> Json:
    if not isinstance(answer, dict):
        raise Rejected("Hệ thống đích trả lời không đúng chuẩn SCIM.")
    return answer


def _refuse_failures(response: httpx2.Response) -> None:
    """Turn every unwelcome status into our error before scim2-client judges it."""
    if response.is_success:
        return
    response.read()
    detail = _detail(response)
    if response.status_code == 404:
        raise _Missing("Hệ thống đích không có tài khoản này ({detail}).", detail=detail)
    if response.status_code == 409:
        raise _Taken("Hệ thống đích báo trùng tài khoản ({detail}).", detail=detail)
    raise failure(response.status_code, response.headers, detail)


def _detail(response: httpx2.Response) -> str:
    """What the SCIM error says (RFC 7644 §3.12), shortened."""
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("detail") or "")[:300] if isinstance(body, dict) else ""


Settings = ScimSettings


def connect(settings: BaseModel, secret: str, outbound: Outbound) -> ScimConnector:
    """A connector with these settings; for the registry."""
    return ScimConnector(ScimSettings.model_validate(settings), secret, outbound)
