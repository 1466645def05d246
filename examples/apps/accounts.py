"""Accounts of this application: who may work here. Dinhdanh writes them through SCIM 2.0.

The SCIM resource is kept whole as JSON; what is looked up by (id, externalId, userName) has an
indexed column beside it. ``scim2_server`` speaks the protocol and calls the storage below.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, cast

from scim2_models import (
    AttributeBinding,
    EnterpriseUser,
    Meta,
    NotFoundException,
    Path,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    SearchRequest,
    UniquenessException,
    User,
)
from scim2_models.path import CompareOperator, Comparison
from scim2_server.storage import ScimStorage, SearchPage

from examples.apps.database import Database

AccountResource = User[EnterpriseUser]


@dataclass(frozen=True, slots=True)
class Account:
    """What the pages need to know of an account."""

    id: str
    user_name: str
    external_id: str | None
    display_name: str | None
    active: bool
    roles: tuple[str, ...]
    department: str | None
    organization: str | None
    employee_number: str | None

    @classmethod
    def of(cls, resource: Any) -> Self:
        """Read a SCIM user. Only an explicit ``active: true`` lets a person work."""
        work = resource[EnterpriseUser] or EnterpriseUser()
        roles = sorted(resource.roles or (), key=lambda role: not role.primary)
        return cls(
            id=resource.id,
            user_name=resource.user_name,
            external_id=resource.external_id,
            display_name=resource.display_name,
            active=resource.active is True,
            roles=tuple(role.value for role in roles if role.value),
            department=work.department,
            organization=work.organization,
            employee_number=work.employee_number,
        )

    @property
    def role(self) -> str | None:
        """The primary role, or the first one."""
        return self.roles[0] if self.roles else None


_ROOT = str(User.__schema__)
_USER_NAME = cast("AttributeBinding", Path[AccountResource]("userName").resolve())
_INDEXED = {
    f"{_ROOT}:id": "id",
    f"{_ROOT}:externalId": "external_id",
    f"{_ROOT}:userName": "user_name_key",
}
"""SCIM attributes that a filter finds through an index, and their columns."""


class AccountStorage(ScimStorage):
    """The storage behind ``/scim/v2/Users``, and the look-up behind every page."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, subject: str) -> Account | None:
        """The account of a signed-in person: its ``externalId`` is her OIDC ``sub``."""
        return self._account("SELECT resource FROM account WHERE external_id = ?", subject)

    def by_id(self, account_id: str) -> Account | None:
        """The account with this SCIM id."""
        return self._account("SELECT resource FROM account WHERE id = ?", account_id)

    def _account(self, statement: str, key: str) -> Account | None:
        with self.database.transaction() as connection:
            row = connection.execute(statement, (key,)).fetchone()
        return None if row is None else Account.of(_load(row))

    @contextmanager
    def operation(self) -> Iterator[None]:
        """One SCIM operation is one transaction: what it read cannot change before it writes."""
        with self.database.transaction():
            yield

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return the account with this id."""
        return _load(self._row(resource_type, resource_id))

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        """Return a page of accounts.

        Equality on an indexed attribute and plain listing are answered by SQLite alone. Any other
        filter walks the table and lets ``scim2_models`` judge each account: right, and rare.
        """
        if not any(resource_type.name == "User" for resource_type in resource_types):
            return SearchPage(0, [])
        start = search_request.start_index_0 or 0
        limit = -1 if search_request.count is None else search_request.count
        where, values = _indexed_condition(search_request.filter)
        with self.database.transaction() as connection:
            if where or (search_request.filter is None and search_request.sort_by is None):
                # ``where`` is one of three fixed clauses; what a client sent is only in ``values``.
                count = f"SELECT count(*) FROM account {where}"
                page = f"SELECT resource FROM account {where} ORDER BY rowid LIMIT ? OFFSET ?"
                total = connection.execute(count, values).fetchone()[0]
                rows = connection.execute(page, (*values, limit, start))
                return SearchPage(total, [_load(row) for row in rows])
            rows = connection.execute("SELECT resource FROM account ORDER BY rowid")
            scim_filter = search_request.filter
            everyone = (_load(row) for row in rows)
            found = [user for user in everyone if scim_filter is None or scim_filter.match(user)]
        if search_request.sort_by is not None:
            found = search_request.sort(found)
        stop = None if search_request.count is None else start + search_request.count
        return SearchPage(len(found), found[start:stop])

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new account; a taken userName or externalId is a conflict (409)."""
        now = self.database.clock()
        stored = resource.model_copy(deep=True)
        stored.id = uuid.uuid4().hex
        stored.meta = Meta(
            resource_type=resource_type.name,
            created=now,
            last_modified=now,
            version=_version(1),
        )
        with self.database.transaction() as connection, _conflicts():
            connection.execute(
                "INSERT INTO account (id, external_id, user_name_key, revision, resource)"
                " VALUES (?, ?, ?, 1, ?)",
                (stored.id, *_columns(stored)),
            )
        return stored

    def update(
        self,
        resource_type: ResourceType,
        resource: Resource[Any],
        *,
        expected_version: str | None = None,
    ) -> Resource[Any]:
        """Replace the account with the same id."""
        with self.database.transaction() as connection, _conflicts():
            row = self._row(resource_type, cast("str", resource.id), expected_version)
            revision = row["revision"] + 1
            stored = resource.model_copy(deep=True)
            stored.meta = cast("Meta", _load(row).meta).model_copy(
                update={
                    "last_modified": self.database.clock(),
                    "version": _version(revision),
                }
            )
            connection.execute(
                "UPDATE account SET revision = ?, external_id = ?, user_name_key = ?, resource = ?"
                " WHERE id = ?",
                (revision, *_columns(stored), stored.id),
            )
        return stored

    def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        """Delete an account; from then on its person is a guest here."""
        with self.database.transaction() as connection:
            self._row(resource_type, resource_id, expected_version)
            connection.execute("DELETE FROM account WHERE id = ?", (resource_id,))

    def _row(
        self,
        resource_type: ResourceType,
        resource_id: str,
        expected_version: str | None = None,
    ) -> sqlite3.Row:
        """The row of an account, at the version the caller expects."""
        row = None
        if resource_type.name == "User":
            with self.database.transaction() as connection:
                row = connection.execute(
                    "SELECT revision, resource FROM account WHERE id = ?", (resource_id,)
                ).fetchone()
        if row is None:
            raise NotFoundException(detail=f"{resource_type.name} {resource_id!r} not found")
        if expected_version is not None and expected_version != _version(row["revision"]):
            raise PreconditionFailedException
        return cast("sqlite3.Row", row)


def _version(revision: int) -> str:
    return f'W/"{revision}"'


def _load(row: sqlite3.Row) -> Resource[Any]:
    return AccountResource.model_validate_json(row["resource"])


def _columns(resource: Resource[Any]) -> tuple[str | None, str, str]:
    """externalId, the compared form of userName, and the JSON: what a row is made of.

    A password is dropped: people sign in at the provider, so there is nothing to check it against
    and no reason to hold it.
    """
    user = cast("User[EnterpriseUser]", resource)
    user.password = None
    if user.meta is not None:
        user.meta.location = None
    return (
        user.external_id,
        _USER_NAME.comparable(user.user_name),
        user.model_dump_json(),
    )


def _indexed_condition(scim_filter: ScimFilter[Any] | None) -> tuple[str, tuple[str, ...]]:
    """The WHERE clause of ``attribute eq "value"`` on an indexed attribute, or an empty one."""
    node = scim_filter.ast if scim_filter is not None else None
    if (
        scim_filter is None
        or not isinstance(node, Comparison)
        or node.op != CompareOperator.eq
        or not isinstance(node.value, str)
    ):
        return "", ()
    binding = scim_filter.resolve_comparison(node.attr_path, strict=False)
    column = _INDEXED.get(binding.urn) if binding is not None else None
    if binding is None or column is None:
        return "", ()
    # userName ignores case (RFC 7643 §4.1.1), so it is stored and looked up in its compared form.
    value = binding.comparable(node.value) if column == "user_name_key" else node.value
    return f"WHERE {column} = ?", (value,)


@contextmanager
def _conflicts() -> Iterator[None]:
    """A broken unique index is SCIM's 409 ``uniqueness`` (RFC 7644 §3.12), naming the attribute."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        taken = "externalId" if "external_id" in str(error) else "userName"
        raise UniquenessException(detail=f"{taken} is already taken") from error
