"""Accounts as LDAP entries: looked up, created, mended, moved, disabled."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import ldap3
from ldap3.utils.conv import escape_filter_chars

from connectors.accounts import mapping
from connectors.accounts.contract import (
    AccountPage,
    Action,
    Attribute,
    Attributes,
    Capability,
    Operation,
    Outcome,
    RemoteAccount,
    WantedAccount,
)
from connectors.accounts.ldap import names
from connectors.accounts.ldap.link import ENTRIES, FEW, GarbledAnswer, Link, RefusedByServer, Row
from connectors.accounts.ldap.pool import ALREADY_EXISTS, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, Pool
from connectors.accounts.ldap.settings import LdapSettings
from connectors.errors import Rejected, Transient
from connectors.outbound import Outbound

KEY = "entryUUID"
PASSWORD = "userPassword"  # noqa: S105 (its name)
_CONTEXTS = "namingcontexts"
_CLASS_OF = {"ou": "organizationalUnit", "o": "organization"}


@dataclass(frozen=True)
class _Entry:
    """One entry: its distinguished name and its values by lower-case attribute name."""

    dn: str
    values: dict[str, list[str]]

    def first(self, attribute: str) -> str | None:
        return next(iter(self.values.get(attribute.lower(), ())), None)


class LdapConnector:
    """Accounts of one directory server."""

    def __init__(self, settings: LdapSettings, password: str, outbound: Outbound) -> None:
        self._settings = settings
        self._pool = Pool(settings, password, outbound)
        self._wider: tuple[str, ...] | None = None
        self._read = [
            settings.rdn_attribute,
            settings.external_id_attribute,
            settings.role_attribute,
            settings.disabled_attribute,
            "objectClass",
            PASSWORD,
            KEY,
            *mapping.LDAP_ATTRIBUTES,
        ]

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability)

    def test(self) -> str:
        with self._pool.connection() as link:
            self._base(link)
        return f"Máy chủ LDAP {self._settings.host} trả lời tốt."

    def fetch(self, cursor: str | None = None) -> AccountPage:
        """Everything in one page: OpenLDAP's cookies (RFC 2696) die with their connection, so
        the pages are read here, over one connection.
        """
        owned = f"({self._settings.external_id_attribute}=*)"
        with self._pool.connection() as link:
            entries = self._search(link, self._settings.base, owned, most=ENTRIES)
        return AccountPage(tuple(self._account(entry) for entry in entries), None)

    def get(self, key: str) -> RemoteAccount | None:
        with self._pool.connection() as link:
            entry = self._by(link, KEY, key)
        return self._account(entry) if entry else None

    probe = get

    def try_entry(self, seen: RemoteAccount) -> dict[str, Any]:
        """Take away a password, which must fail because there is none; then bind, as a thief.

        To take away asks for no right to read: a password that we cannot see is found as well.
        We bind with our own name first, so that a refusal is about hers.
        """
        name = str(seen.evidence["dn"])
        with self._pool.connection() as link:
            gone: dict[str, Any] = {PASSWORD: [(ldap3.MODIFY_DELETE, [])]}
            code = link.call(lambda: link.ldap.modify(name, gone))["result"]
            if code == 0:
                raise Transient("Tài khoản vừa được đặt lại mật khẩu; đã gỡ và sẽ kiểm tra lại.")
            if code != NO_SUCH_ATTRIBUTE:
                raise RefusedByServer(link.ldap.result)
        if self._pool.lets_in(name, secrets.token_urlsafe(24)):
            raise Rejected("Máy chủ LDAP cho tài khoản này đăng nhập bằng mật khẩu bất kỳ.")
        return {"password": "absent", "bind": "refused"}

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        with self._pool.connection() as link:
            entry = self._by(link, self._settings.external_id_attribute, external_id) or self._by(
                link, self._settings.rdn_attribute, username
            )
        return self._account(entry) if entry else None

    def differences(self, wanted: WantedAccount, seen: RemoteAccount) -> tuple[str, ...]:
        """Compared as the entry says it: there is no middle name here, but there is a place."""
        wrong = list(mapping.differences(wanted, seen, managed=frozenset()))
        if wanted.active and seen.evidence.get("marked"):
            wrong.append("active")  # a password set by hand does not wake who is marked
        if wanted.attributes is not None:
            ours, theirs = (
                mapping.ldap_values(wanted.attributes),
                mapping.ldap_values(seen.attributes),
            )
            wrong += [
                name for name in mapping.LDAP_ATTRIBUTES if ours.get(name) != theirs.get(name)
            ]
        place = self._place(wanted)
        if (
            place is not None
            and names.comparable(place) != names.comparable(str(seen.evidence["dn"]))[1:]
        ):
            wrong.append("dn")
        return tuple(wrong)

    def apply(self, operation: Operation) -> Outcome:
        wanted = operation.wanted
        with self._pool.connection() as link:
            entry = self._locate(link, operation)
            if entry is not None:
                return self._mend(link, entry, wanted)
            if not wanted.active:
                return self._absent(link, operation)
            return self._create(link, wanted)

    def close(self) -> None:
        """Close the connections at rest, and those in use once they come to rest."""
        self._pool.close()

    def _locate(self, link: Link, operation: Operation) -> _Entry | None:
        """By key first, if what is there is still hers; else by external id."""
        s, ours = self._settings, operation.wanted.external_id
        if operation.key:
            entry = self._by(link, KEY, operation.key)
            if entry is not None and self._hers(entry, operation.wanted):
                return entry
        return self._by(link, s.external_id_attribute, ours)

    def _hers(self, entry: _Entry, wanted: WantedAccount) -> bool:
        """Whether an entry found by its number is hers; without our id, her name decides."""
        ours = entry.first(self._settings.external_id_attribute)
        if ours is None:
            name = entry.first(self._settings.rdn_attribute) or ""
            return name.casefold() == wanted.username.casefold()
        return ours == wanted.external_id

    def _absent(self, link: Link, operation: Operation) -> Outcome:
        """Nobody is to be disabled, because nobody is there: only if we would have seen her.

        The control: what we look for by is visible to us, at the entry that must be there.
        """
        number = self._base(link).first(KEY)
        if number is None or self._by(link, KEY, number) is None:
            raise Rejected(
                "Máy chủ LDAP không cho tìm theo {attribute}; không thể chứng minh là không có.",
                attribute=KEY,
            )
        username, key = operation.wanted.username, operation.key
        if key and (
            self._by(link, KEY, key) or self._by(link, self._settings.rdn_attribute, username)
        ):
            raise Rejected(
                "Tài khoản {username} tại hệ thống đích nay mang mã của người khác hoặc không mang "
                "mã nào; cần đối chiếu chủ tài khoản.",
                username=username,
            )
        return Outcome(None, Action.ABSENT, {"ldap_result": 0, "control": KEY})

    def _base(self, link: Link) -> _Entry:
        """The entry below which we work; it must exist."""
        base, anything = self._settings.base, "(objectClass=*)"
        found = link.search(base, anything, [KEY], scope=ldap3.BASE)
        if not found:
            raise Rejected("Máy chủ LDAP không cho thấy mục gốc {base}.", base=base)
        return _entry(found[0])

    def _create(self, link: Link, wanted: WantedAccount) -> Outcome:
        s = self._settings
        place = self._place(wanted) or s.base
        name = f"{self._rdn(wanted.username)},{place}"
        values: dict[str, Any] = {
            **mapping.ldap_values(wanted.attributes or {}),
            s.rdn_attribute: wanted.username,
            s.external_id_attribute: wanted.external_id,
            **({s.role_attribute: wanted.role} if wanted.role else {}),
        }
        try:
            self._in_place(link, place, lambda: link.ldap.add(name, list(s.object_classes), values))
        except RefusedByServer as refused:
            if refused.code != ALREADY_EXISTS:
                raise
            return self._mend(link, self._after_conflict(link, wanted), wanted)
        entry = self._by(link, s.external_id_attribute, wanted.external_id)
        if entry is None:
            raise Transient("Máy chủ LDAP chưa cho thấy mục vừa tạo.")
        return Outcome(entry.first(KEY), Action.CREATED, {"ldap_result": 0, "dn": entry.dn})

    def _after_conflict(self, link: Link, wanted: WantedAccount) -> _Entry:
        """Whom a refused create collided with: herself, or somebody we must not take over."""
        s = self._settings
        entry = self._by(link, s.external_id_attribute, wanted.external_id)
        if entry is not None:
            return entry
        entry = self._by(link, s.rdn_attribute, wanted.username)
        if entry is None or entry.first(s.external_id_attribute) or not s.adopt_by_username:
            raise Rejected(
                "Tên đăng nhập {username} đã thuộc về một tài khoản khác tại hệ thống đích; "
                "cần đối chiếu chủ tài khoản.",
                username=wanted.username,
            )
        return entry

    def _mend(self, link: Link, entry: _Entry, wanted: WantedAccount) -> Outcome:
        wrong = self.differences(wanted, self._account(entry))
        key, name = entry.first(KEY), entry.dn
        if not wrong:
            return Outcome(key, Action.UNCHANGED, {"ldap_result": 0, "dn": name})
        # First what it says, then where it lies: a disabled account is dead before it moves.
        changes = self._changes(entry, wanted, wrong)
        if changes:
            link.must(lambda: link.ldap.modify(name, changes))
        if "dn" in wrong or "userName" in wrong:
            place = self._place(wanted) or names.parent(entry.dn)
            rdn = self._rdn(wanted.username) if "userName" in wrong else names.split(entry.dn)[0]
            self._in_place(
                link, place, lambda: link.ldap.modify_dn(entry.dn, rdn, new_superior=place)
            )
            name = f"{rdn},{place}"
        action = Action.MOVED if "dn" in wrong else Action.UPDATED
        if "active" in wrong:
            action = Action.ENABLED if wanted.active else Action.DISABLED
        return Outcome(key, action, {"ldap_result": 0, "dn": name, "changed": list(wrong)})

    def _changes(
        self, entry: _Entry, wanted: WantedAccount, wrong: Sequence[str]
    ) -> dict[str, list[tuple[str, list[str]]]]:
        """The modification that mends what is wrong; replacing by nothing removes."""
        s = self._settings
        replaced: dict[str, str | None] = {}
        if "active" in wrong:
            replaced[s.disabled_attribute] = None if wanted.active else s.disabled_value
            if not wanted.active:
                replaced["userPassword"] = None
        if "role" in wrong:
            replaced[s.role_attribute] = wanted.role
        if "externalId" in wrong:
            replaced[s.external_id_attribute] = wanted.external_id
        values = mapping.ldap_values(wanted.attributes or {})
        replaced |= {n: values.get(n) for n in mapping.LDAP_ATTRIBUTES if n in wrong}
        changes: dict[str, list[tuple[str, list[str]]]] = {
            name: [(ldap3.MODIFY_REPLACE, [value] if value is not None else [])]
            for name, value in replaced.items()
        }
        has = {name.lower() for name in entry.values.get("objectclass", ())}
        lacking = [name for name in s.object_classes if name.lower() not in has]
        if changes and lacking:
            changes["objectClass"] = [(ldap3.MODIFY_ADD, lacking)]
        return changes

    def _in_place(self, link: Link, place: str, act: Any) -> None:
        """Do it; where the container is missing, create it (outermost first) and do it again."""
        done = link.call(act)
        if done["result"] == 0:
            return
        if done["result"] != NO_SUCH_OBJECT:
            raise RefusedByServer(done)
        rdns = names.split(place)
        depth = len(names.split(self._settings.base))
        for start in range(len(rdns) - depth - 1, -1, -1):
            attribute = rdns[start].partition("=")[0].strip().lower()
            add = partial(link.ldap.add, ",".join(rdns[start:]), [_CLASS_OF[attribute]])
            made = link.call(add)
            if made["result"] not in (0, ALREADY_EXISTS):
                raise RefusedByServer(made)
        link.must(act)

    def _place(self, wanted: WantedAccount) -> str | None:
        """The container the entry belongs in; None where it may stay where it is."""
        s = self._settings
        if not wanted.active:
            return _below(s.base, s.disabled_container, {}) if s.disabled_container else None
        if wanted.attributes is None:
            return None
        return _below(s.base, s.container, wanted.attributes)

    def _rdn(self, username: str) -> str:
        return f"{self._settings.rdn_attribute}={names.escape(username)}"

    def _by(self, link: Link, attribute: str, value: str) -> _Entry | None:
        """The one entry with this value, wherever it lies; two claiming one owner are for a
        person to settle.
        """
        condition = f"({attribute}={escape_filter_chars(value)})"
        found = self._search(link, self._settings.base, condition)
        if not found:
            for context in self._contexts(link):
                with suppress(RefusedByServer):  # not ours to look into
                    found += self._search(link, context, condition)
        if len(found) > 1:
            raise Rejected("Có {count} tài khoản cùng thuộc về một người.", count=len(found))
        return found[0] if found else None

    def _contexts(self, link: Link) -> Sequence[str]:
        """All that the server holds (RFC 4512 §5.1), as far as our base belongs to it."""
        if self._wider is None:
            said: list[str] = []
            with suppress(RefusedByServer):  # a server need not tell us
                rows = link.search("", "(objectClass=*)", ["namingContexts"], scope=ldap3.BASE)
                said = [name for row in rows for name in _entry(row).values.get(_CONTEXTS, ())]
            base = names.comparable(self._settings.base)
            around = [names.comparable(name) for name in said]
            self._wider = tuple(
                name
                for name, parts in zip(said, around, strict=True)
                if parts and parts != base and base[-len(parts) :] == parts
            )
        return self._wider

    def _search(self, link: Link, base: str, condition: str, *, most: int = FEW) -> list[_Entry]:
        rows = link.search(
            base, condition, self._read, page_size=self._settings.page_size, most=most
        )
        return [_entry(row) for row in rows]

    def _account(self, entry: _Entry) -> RemoteAccount:
        s = self._settings
        said = {name: entry.first(name) or "" for name in mapping.LDAP_ATTRIBUTES}
        marked = entry.first(s.disabled_attribute) == s.disabled_value
        return RemoteAccount(
            key=entry.first(KEY) or "",
            external_id=entry.first(s.external_id_attribute),
            username=entry.first(s.rdn_attribute) or "",
            # A marker beside a password stops only who reads the marker, wherever it lies.
            active=not marked or entry.first(PASSWORD) is not None,
            attributes=mapping.from_ldap(said),
            role=entry.first(s.role_attribute),
            evidence={"ldap_result": 0, "dn": entry.dn} | ({"marked": True} if marked else {}),
        )


def _entry(row: Row) -> _Entry:
    """Raises Garbled for what is no entry."""
    try:
        values = {
            str(name).lower(): [value.decode("utf-8", "replace") for value in given]
            for name, given in row["raw_attributes"].items()
        }
        return _Entry(str(row["dn"]), values)
    except (AttributeError, KeyError, TypeError) as exc:
        raise GarbledAnswer("Máy chủ LDAP trả lời không đọc được.") from exc


def _below(base: str, container: str | None, said: Attributes) -> str:
    """A container's distinguished name, with the person's unit filled in and escaped."""
    filled = {
        name: names.escape(said.get(Attribute(name)) or "-")
        for name in ("department", "organization")
    }
    parts = [part.strip().format(**filled) for part in (container or "").split(",") if part]
    return ",".join([*parts, base])
