"""SCIM 2.0 targets (RFC 7643, 7644), also those that are not quite.

What the service says of itself (PATCH, the Enterprise extension) is asked once per connector and
only believed where it is said; a service without discovery is taken for a full one until it
refuses. A look-up, a create and a probe are one request each at an ordinary service. Accounts are
disabled (``active: false``), never deleted.

    scim            decides: make, mend, disable, prove
    scim_search     finds the one account, by filters that are not believed blindly
    scim_wire       questions and answers over HTTP
    scim_mapping    what is said of a person, and what is read from a resource
"""

import threading
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ConfigDict, Field, field_validator
from scim2_models import EnterpriseUser, User

from connectors.accounts import mapping
from connectors.accounts.contract import (
    AccountPage,
    Action,
    Attribute,
    Capability,
    Operation,
    Outcome,
    RemoteAccount,
    WantedAccount,
)
from connectors.accounts.scim import mapping as scim_mapping
from connectors.accounts.scim.search import Search
from connectors.accounts.scim.wire import Json, ScimAnswer, Wire
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Outbound


class ScimSettings(BaseModel):
    """The settings of one SCIM application; its secret is the bearer token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """The base URL, such as ``https://app.example.vn/scim/v2``."""
    attributes: frozenset[Attribute] = mapping.EVERYTHING
    """What we keep right there; leave out what the application cannot store."""
    roles: bool = True
    """Whether the application keeps roles; without, they are neither sent nor missed."""
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


_USER = str(User.__schema__)
_ENTERPRISE = str(EnterpriseUser.__schema__)
_SILENT = range(400, 600)
"""A service without discovery answers it with any of these."""
WITNESSES = 3
"""Accounts that are asked whether this service shows ``active`` at all."""


@dataclass(frozen=True)
class _Service:
    """What the target says it can do."""

    patch: bool
    managed: frozenset[Attribute]


class ScimConnector:
    """Accounts of one application that speaks SCIM."""

    def __init__(self, settings: ScimSettings, token: str, outbound: Outbound) -> None:
        self._settings = settings
        self._wire = Wire(settings.url, token, outbound)
        self._search = Search(self._wire, settings.page_size)
        self._discovery = threading.Lock()
        self._discovered: _Service | None = None
        self._refuses_patch = False
        self._wants_family_name = False
        self._shows_active: bool | None = None
        """Whether an account that is active says so; None: not looked at yet."""

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability) - {Capability.MOVE}

    def test(self) -> str:
        service = self._service()
        users, total = self._search.page(1, 1)
        patch = "PATCH" if service.patch else "PUT"
        count = len(users) if total is None else max(total, len(users))
        return f"SCIM 2.0 trả lời tốt, {count} tài khoản, cập nhật bằng {patch}."

    def fetch(self, cursor: str | None = None) -> AccountPage:
        """One page. A full page is followed by another, whatever ``totalResults`` says; a page
        that begins like the one before is none (its service knows no pages).
        """
        position, _, before = (cursor or "1:").partition(":")
        start, size = int(position), self._settings.page_size
        users, total = self._search.page(start, size)
        accounts = tuple(self._account(user) for user in users)
        if accounts and accounts[0].key == before:
            raise Misconfigured("Hệ thống đích không chia trang danh sách tài khoản.")
        after = start + len(users)
        more = len(users) == size or (bool(users) and (total is None or after <= total))
        return AccountPage(accounts, f"{after}:{accounts[0].key}" if more else None)

    def get(self, key: str) -> RemoteAccount | None:
        user = self._get(key)
        return self._account(user, whole=True) if user else None

    probe = get

    def try_entry(self, seen: RemoteAccount) -> dict[str, Any]:
        """Nothing more can be tried: who signs in there does so by the application's own way."""
        return {}

    def close(self) -> None:
        """Nothing is kept here: connections are the shared client's."""

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        user = self._search.by_external_id(external_id, username) or self._search.by_username(
            username
        )
        return self._account(user) if user else None

    def differences(self, wanted: WantedAccount, seen: RemoteAccount) -> tuple[str, ...]:
        return mapping.differences(
            scim_mapping.fitted(wanted, seen),
            seen,
            managed=self._service().managed,
            roles=self._settings.roles,
        )

    def apply(self, operation: Operation) -> Outcome:
        wanted = operation.wanted
        user = self._locate(operation)
        if user is not None:
            return self._mend(user, wanted)
        if not wanted.active:
            return self._absent(operation)
        answer = self._create(wanted)
        if answer.taken:
            return self._mend(self._after_conflict(wanted), wanted)
        user = answer.body
        if user is None or not _key(user):
            user = self._search.by_external_id(wanted.external_id, wanted.username)
        if user is None:
            raise Transient("Hệ thống đích chưa cho thấy tài khoản vừa tạo.")
        return Outcome(_key(user), Action.CREATED, {"http_status": answer.status})

    def _create(self, wanted: WantedAccount) -> ScimAnswer:
        """Ask for a new account; the answer is 2xx or says that it is taken."""
        named = scim_mapping.with_family_name(wanted)
        answer = self._post(named if self._wants_family_name else wanted)
        if answer.status == 400 and not answer.taken and named is not wanted:
            again = self._post(named)
            self._wants_family_name = again.ok
            answer = again if again.ok or again.taken else answer
        if answer.status == 404:
            raise Misconfigured("Hệ thống đích trả lời 404 khi tạo tài khoản; xem lại địa chỉ.")
        if not answer.ok and not answer.taken:
            raise answer.failure()
        return answer

    def _post(self, wanted: WantedAccount) -> ScimAnswer:
        body = scim_mapping.created(self._said(wanted), managed=self._service().managed)
        return self._wire.ask("POST", "/Users", body=body, bear={400, 404, 409})

    def _said(self, wanted: WantedAccount) -> WantedAccount:
        return wanted if self._settings.roles else replace(wanted, role=None)

    def _locate(self, operation: Operation) -> Json | None:
        """By key first, if what is there is still hers; else by externalId."""
        wanted = operation.wanted
        if operation.key:
            user = self._get(operation.key)
            if user is not None and _hers(user, wanted):
                return user
        return self._search.by_external_id(wanted.external_id, wanted.username)

    def _absent(self, operation: Operation) -> Outcome:
        """Nobody is to be disabled, because nobody is there: only if we would have seen her."""
        wanted = operation.wanted
        self._service()  # whether this is a SCIM service at all
        there = self._get(operation.key) if operation.key else None
        user = self._search.by_external_id(wanted.external_id, wanted.username, surely=True)
        if user is not None:
            return self._mend(user, wanted)
        named = operation.key and self._search.by_username(wanted.username, surely=True)
        if there or named:
            raise Rejected(
                "Tài khoản {username} tại hệ thống đích nay mang mã của người khác hoặc không mang "
                "mã nào; cần đối chiếu chủ tài khoản.",
                username=wanted.username,
            )
        return Outcome(None, Action.ABSENT, {"control": "search"})

    def _after_conflict(self, wanted: WantedAccount) -> Json:
        """Whom a refused create collided with: herself, or somebody we must not take over."""
        user = self._search.by_external_id(wanted.external_id, wanted.username, surely=True)
        if user is not None:
            return user
        user = self._search.by_username(wanted.username, surely=True)
        if user is None:
            raise Rejected("Hệ thống đích báo trùng tài khoản nhưng không cho biết trùng với ai.")
        if _external_id(user) or not self._settings.adopt_by_username:
            raise Rejected(
                "Tên đăng nhập {username} đã thuộc về một tài khoản khác tại hệ thống đích; "
                "cần đối chiếu chủ tài khoản.",
                username=wanted.username,
            )
        return user

    def _mend(self, user: Json, wanted: WantedAccount) -> Outcome:
        seen = self._account(user)
        key = seen.key
        wanted = self._said(scim_mapping.fitted(wanted, seen))
        wrong = self.differences(wanted, seen)
        if not wrong:
            return Outcome(key, Action.UNCHANGED, {"http_status": 200})
        self._write(key, wanted, wrong)
        action = Action.UPDATED
        if "active" in wrong:
            action = Action.ENABLED if wanted.active else Action.DISABLED
        return Outcome(key, action, {"http_status": 200, "changed": list(wrong)})

    def _write(self, key: str, wanted: WantedAccount, wrong: tuple[str, ...]) -> None:
        """Mend what is wrong by PATCH; by PUT where the service says or shows that it has none."""
        service = self._service()
        if service.patch and not self._refuses_patch:
            patch = scim_mapping.patched(wanted, wrong)
            answer = self._wire.ask("PATCH", _path(key), body=patch, bear={405, 501})
            if answer.ok:
                return
            self._refuses_patch = True
        current = self._get(key)
        if current is None:
            raise Transient("Hệ thống đích chưa cho thấy tài khoản vừa cập nhật.")
        body = scim_mapping.merged_scim(
            current, wanted, managed=service.managed, roles=self._settings.roles
        )
        self._wire.ask("PUT", _path(key), body=body)

    def _get(self, key: str) -> Json | None:
        answer = self._wire.ask("GET", _path(key), bear={404, 410})
        return answer.object() if answer.ok else None

    def _account(self, user: Json, *, whole: bool = False) -> RemoteAccount:
        """A resource as an account. Lists may leave ``active`` out: then the account is asked."""
        said = scim_mapping.switched(user)
        if said is None and not whole and _key(user):
            user = self._get(_key(user)) or user
            said = scim_mapping.switched(user)
            whole = True
        if said and whole:
            self._shows_active = True
        silence = said is None and not self._silence_means_off()
        return scim_mapping.from_scim(user, {"http_status": 200}, silence=silence)

    def _silence_means_off(self) -> bool:
        """Whether accounts that are active say so here, as a few of them show."""
        if self._shows_active is None:
            users, _ = self._search.page(1, self._settings.page_size)
            some = [self._get(_key(user)) for user in users[:WITNESSES] if _key(user)]
            self._shows_active = any(user and scim_mapping.switched(user) for user in some)
        return self._shows_active

    def _service(self) -> _Service:
        with self._discovery:
            if self._discovered is None:
                self._discovered = _Service(self._knows_patch(), self._managed())
            return self._discovered

    def _ask_about(self, path: str) -> Json:
        """What the service says of itself; nothing where it has no discovery."""
        try:
            answer = self._wire.ask("GET", path, bear=_SILENT)
        except Misconfigured:
            return {}  # it leads to a page for people
        said = answer.body if answer.ok else None
        if said is not None:
            self._search.is_scim = True
        return said or {}

    def _knows_patch(self) -> bool:
        patch = self._ask_about("/ServiceProviderConfig").get("patch")
        supported = patch.get("supported") if isinstance(patch, dict) else None
        return scim_mapping.truth(supported) is not False

    def _managed(self) -> frozenset[Attribute]:
        """What is configured, without what only a missing Enterprise extension could say."""
        types = self._ask_about("/ResourceTypes").get("Resources")
        listed = types if isinstance(types, list) else []
        mine = [t for t in listed if isinstance(t, dict) and t.get("schema") == _USER]
        known = [
            extension.get("schema")
            for t in mine
            for extension in t.get("schemaExtensions") or ()
            if isinstance(extension, dict)
        ]
        if mine and _ENTERPRISE not in known:
            return self._settings.attributes - mapping.ENTERPRISE
        return self._settings.attributes


def _key(user: Json) -> str:
    return scim_mapping.from_scim(user, {}).key


def _external_id(user: Json) -> str | None:
    return scim_mapping.from_scim(user, {}).external_id


def _hers(user: Json, wanted: WantedAccount) -> bool:
    """Whether an account found by its number is hers: numbers are given again, and handed over."""
    account = scim_mapping.from_scim(user, {})
    if account.external_id is None:
        return account.username.casefold() == wanted.username.casefold()
    return account.external_id == wanted.external_id


def _path(key: str) -> str:
    """The path of an account. Ids may hold slashes and blanks; two would lead elsewhere."""
    if key in (".", ".."):
        raise Rejected("Hệ thống đích đặt mã tài khoản không dùng được.")
    return f"/Users/{quote(key, safe='')}"


Settings = ScimSettings


def connect(settings: BaseModel, secret: str, outbound: Outbound) -> ScimConnector:
    """A connector with these settings; for the registry."""
    return ScimConnector(ScimSettings.model_validate(settings), secret, outbound)
