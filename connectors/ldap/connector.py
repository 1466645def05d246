"""Accounts as LDAP entries: looked up, created, mended, moved, disabled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ldap3
from ldap3.utils.conv import escape_filter_chars

from connectors import mapping
from connectors.contract import (
    Action,
    Attribute,
    Attributes,
    Capability,
    Operation,
    Outbound,
    Outcome,
    Page,
    Rejected,
    RemoteAccount,
    Transient,
    Wanted,
)
from connectors.ldap import names
from connectors.ldap.pool import ALREADY_EXISTS, NO_SUCH_OBJECT, Ldap, Pool, Refused, require
from connectors.ldap.settings import LdapSettings

KEY = "entryUUID"
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
        self._read = [
            settings.rdn_attribute,
            settings.external_id_attribute,
            settings.role_attribute,
            settings.disabled_attribute,
            "objectClass",
            KEY,
            *mapping.LDAP_ATTRIBUTES,
        ]

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability)

    def test(self) -> str:
        with self._pool.connection() as ldap:
            ldap.search(self._settings.base, "(objectClass=*)", ldap3.BASE, attributes=["1.1"])
            require(ldap)
        return f"Máy chủ LDAP {self._settings.host} trả lời tốt."

    def fetch(self, cursor: str | None = None) -> Page:
        """Everything in one page: OpenLDAP's cookies (RFC 2696) die with their connection, so
        the pages are read here, over one connection.
        """
        owned = f"({self._settings.external_id_attribute}=*)"
        with self._pool.connection() as ldap:
            entries = self._search(ldap, owned)
        return Page(tuple(self._account(entry) for entry in entries), None)

    def get(self, key: str) -> RemoteAccount | None:
        with self._pool.connection() as ldap:
            entry = self._by(ldap, KEY, key)
        return self._account(entry) if entry else None

    probe = get

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        with self._pool.connection() as ldap:
            entry = self._by(ldap, self._settings.external_id_attribute, external_id) or self._by(
                ldap, self._settings.rdn_attribute, username
            )
        return self._account(entry) if entry else None

    def differences(self, wanted: Wanted, seen: RemoteAccount) -> tuple[str, ...]:
        """Compared as the entry says it: there is no middle name here, but there is a place."""
        wrong = list(mapping.differences(wanted, seen, managed=frozenset()))
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
        with self._pool.connection() as ldap:
            entry = self._locate(ldap, operation)
            if entry is not None:
                return self._mend(ldap, entry, wanted)
            if not wanted.active:
                return Outcome(None, Action.ABSENT)
            return self._create(ldap, wanted)

    def close(self) -> None:
        """Close the connections at rest."""
        self._pool.close()

    def _locate(self, ldap: Ldap, operation: Operation) -> _Entry | None:
        """By key first, if what is there is still hers; else by external id."""
        s, ours = self._settings, operation.wanted.external_id
        if operation.key:
            entry = self._by(ldap, KEY, operation.key)
            if entry is not None and entry.first(s.external_id_attribute) in (None, ours):
                return entry
        return self._by(ldap, s.external_id_attribute, ours)

    def _create(self, ldap: Ldap, wanted: Wanted) -> Outcome:
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
            self._in_place(ldap, place, lambda: ldap.add(name, list(s.object_classes), values))
        except Refused as refused:
            if refused.code != ALREADY_EXISTS:
                raise
            return self._mend(ldap, self._after_conflict(ldap, wanted), wanted)
        entry = self._by(ldap, s.external_id_attribute, wanted.external_id)
        if entry is None:
            raise Transient("Máy chủ LDAP chưa cho thấy mục vừa tạo.")
        return Outcome(entry.first(KEY), Action.CREATED, {"ldap_result": 0, "dn": entry.dn})

    def _after_conflict(self, ldap: Ldap, wanted: Wanted) -> _Entry:
        """Whom a refused create collided with: herself, or somebody we must not take over."""
        s = self._settings
        entry = self._by(ldap, s.external_id_attribute, wanted.external_id)
        if entry is not None:
            return entry
        entry = self._by(ldap, s.rdn_attribute, wanted.username)
        if entry is None or entry.first(s.external_id_attribute) or not s.adopt_by_username:
            raise Rejected(
                "Tên đăng nhập {username} đã thuộc về một tài khoản khác tại hệ thống đích; "
                "cần đối chiếu chủ tài khoản.",
                username=wanted.username,
            )
        return entry

    def _mend(self, ldap: Ldap, entry: _Entry, wanted: Wanted) -> Outcome:
        wrong = self.differences(wanted, self._account(entry))
        key, name = entry.first(KEY), entry.dn
        if not wrong:
            return Outcome(key, Action.UNCHANGED, {"ldap_result": 0, "dn": name})
        # First what it says, then where it lies: a disabled account is dead before it moves.
        changes = self._changes(entry, wanted, wrong)
        if changes:
            ldap.modify(name, changes)
            require(ldap)
        if "dn" in wrong or "userName" in wrong:
            place = self._place(wanted) or names.parent(entry.dn)
            rdn = self._rdn(wanted.username) if "userName" in wrong else names.split(entry.dn)[0]
            self._in_place(ldap, place, lambda: ldap.modify_dn(entry.dn, rdn, new_superior=place))
            name = f"{rdn},{place}"
        action = Action.MOVED if "dn" in wrong else Action.UPDATED
        if "active" in wrong:
            action = Action.ENABLED if wanted.active else Action.DISABLED
        return Outcome(key, action, {"ldap_result": 0, "dn": name, "changed": list(wrong)})

    def _changes(
        self, entry: _Entry, wanted: Wanted, wrong: Sequence[str]
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

    def _in_place(self, ldap: Ldap, place: str, act: Any) -> None:
        """Do it; where the container is missing, create it (outermost first) and do it again."""
        act()
        if ldap.result["result"] != NO_SUCH_OBJECT:
            return require(ldap)
        rdns = names.split(place)
        depth = len(names.split(self._settings.base))
        for start in range(len(rdns) - depth - 1, -1, -1):
            attribute = rdns[start].partition("=")[0].strip().lower()
            ldap.add(",".join(rdns[start:]), [_CLASS_OF[attribute]])
            if ldap.result["result"] != ALREADY_EXISTS:
                require(ldap)
        act()
        return require(ldap)

    def _place(self, wanted: Wanted) -> str | None:
        """The container the entry belongs in; None where it may stay where it is."""
        s = self._settings
        if not wanted.active:
            return _below(s.base, s.disabled_container, {}) if s.disabled_container else None
        if wanted.attributes is None:
            return None
        return _below(s.base, s.container, wanted.attributes)

    def _rdn(self, username: str) -> str:
        return f"{self._settings.rdn_attribute}={names.escape(username)}"

    def _by(self, ldap: Ldap, attribute: str, value: str) -> _Entry | None:
        """The one entry with this value; two claiming one owner are for a person to settle."""
        found = self._search(ldap, f"({attribute}={escape_filter_chars(value)})")
        if len(found) > 1:
            raise Rejected("Có {count} tài khoản cùng thuộc về một người.", count=len(found))
        return found[0] if found else None

    def _search(self, ldap: Ldap, condition: str) -> list[_Entry]:
        found: list[_Entry] = []
        cookie: Any = None
        while True:
            ldap.search(
                self._settings.base,
                condition,
                attributes=self._read,
                paged_size=self._settings.page_size,
                paged_cookie=cookie,
            )
            require(ldap)
            found += [_entry(row) for row in ldap.response or [] if row["type"] == "searchResEntry"]
            controls = ldap.result.get("controls", {})
            cookie = controls.get("1.2.840.113556.1.4.319", {}).get("value", {}).get("cookie")
            if not cookie:
                return found

    def _account(self, entry: _Entry) -> RemoteAccount:
        s = self._settings
        said = {name: entry.first(name) or "" for name in mapping.LDAP_ATTRIBUTES}
        place = self._place(Wanted("", "", active=False))
        parked = place is not None and names.comparable(entry.dn)[1:] == names.comparable(place)
        return RemoteAccount(
            key=entry.first(KEY) or "",
            external_id=entry.first(s.external_id_attribute),
            username=entry.first(s.rdn_attribute) or "",
            active=entry.first(s.disabled_attribute) != s.disabled_value and not parked,
            attributes=mapping.from_ldap(said),
            role=entry.first(s.role_attribute),
            evidence={"ldap_result": 0, "dn": entry.dn},
        )


def _entry(row: dict[str, Any]) -> _Entry:
    return _Entry(
        row["dn"],
        {
            name.lower(): [value.decode("utf-8", "replace") for value in values]
            for name, values in row["raw_attributes"].items()
        },
    )


def _below(base: str, container: str | None, said: Attributes) -> str:
    """A container's distinguished name, with the person's unit filled in and escaped."""
    filled = {
        name: names.escape(said.get(Attribute(name)) or "-")
        for name in ("department", "organization")
    }
    parts = [part.strip().format(**filled) for part in (container or "").split(",") if part]
    return ",".join([*parts, base])
