"""Which schema the database has, and whether this release can serve it.

Every process asks that when it begins, so it is found without Alembic, which only ``idp.run.migrate``
needs: the names of the revisions' files begin with their numbers, each one more than the last.
"""

from enum import Enum
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from directory.base import nodes
from directory.base.errors import Misconfigured

SCRIPTS = Path(__file__).parents[2] / "directory" / "migrations"
_TABLE = "alembic_version"
_CURRENT = text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608 (a constant)


class SchemaFit(Enum):
    """How the schema that is there stands to this release."""

    MISSING = "there is none"
    OLDER = "migrations are pending"
    FITS = "it is this release's, or a newer one that this release can serve"
    NEWER = "it is one this release cannot serve"


@cache
def known() -> frozenset[str]:
    """The revisions that this release has."""
    return frozenset(file.name[:4] for file in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


def head() -> str | None:
    """The newest of them; None before the first one exists."""
    return max(known(), default=None)


def current(connection: Connection) -> str | None:
    """The revision the database stands at."""
    if not inspect(connection).has_table(_TABLE):
        return None
    found: str | None = connection.scalar(_CURRENT)
    return found


def standing(connection: Connection) -> SchemaFit:
    """Whether this release can serve the schema that is there."""
    found, ours = current(connection), head()
    if found is None:
        return SchemaFit.MISSING
    if found == ours:
        return SchemaFit.FITS
    if found in known():
        return SchemaFit.OLDER
    least = nodes.serves_from(connection)
    return SchemaFit.FITS if least is not None and least <= str(ours) else SchemaFit.NEWER


def require(connection: Connection) -> None:
    """Raises Misconfigured where this release cannot serve the schema that is there."""
    stands = standing(connection)
    if stands is SchemaFit.MISSING:
        raise Misconfigured("not_installed", "Chưa khởi tạo; hãy chạy: dinhdanh migrate")
    if stands is SchemaFit.OLDER:
        raise Misconfigured(
            "migrations", "Cơ sở dữ liệu chưa được nâng cấp; hãy chạy: dinhdanh migrate"
        )
    if stands is SchemaFit.NEWER:
        raise too_new(current(connection))


def too_new(found: str | None) -> Misconfigured:
    """The database stands at a revision that is newer than this release."""
    return Misconfigured(
        "schema_newer",
        "Cơ sở dữ liệu ở phiên bản {found}, mới hơn phần mềm này ({ours}); hãy cập nhật phần mềm.",
        found=found,
        ours=head(),
    )
