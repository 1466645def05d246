"""Planners of the tree and the catalogue: units, positions and posts are created in batches.

Rows come checked from ``spec`` with ``parent``/``unit``/``position`` as resolved ids, or as the
``ref`` of another row of the same batch.
"""

from datetime import date
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from directory import units
from directory.assignments import Position, Post
from directory.base.errors import InvalidInput
from directory.base.text import search_key, sort_key
from directory.changes.drafting import Ground
from directory.changes.model import Line, Plan, Spec
from directory.changes.notices import Notice
from directory.permissions import Do
from directory.units import OrgUnit, UnitCode, UnitEdge, UnitName, codes


def plan_units(session: Session, spec: Spec, ground: Ground) -> Plan:
    """New units under existing parents or under each other."""
    parents = units.views(session, {r["parent"] for r in spec.rows if r.get("parent")})
    for path in sorted({v.path for v in parents.values()}):
        ground.rights.require(Do.MANAGE_INSTALLATION, path, missing="destination")
    if any(not r.get("parent") and not r.get("parent_ref") for r in spec.rows):
        ground.rights.require(Do.MANAGE_INSTALLATION, None, missing="destination")
    return _plan(spec, ground, "org_unit", _codes_taken(session, spec))


def _codes_taken(session: Session, spec: Spec) -> list[Notice]:
    """A code may come back, but two units never bear it on one day."""
    wanted = [(r, c["scheme"], c["value"]) for r in spec.rows for c in r["codes"]]
    taken = codes.taken(
        session, [(s, value, date.fromisoformat(r["valid_from"])) for r, s, value in wanted]
    )
    found = []
    for row, scheme, value in wanted:
        if (scheme, value) in taken:
            found.append(
                Notice(
                    "code_taken",
                    "Mã {code} đang thuộc về một đơn vị khác vào ngày đó.",
                    args={"code": f"{scheme}:{value}"},
                    row=row.get("row"),
                )
            )
        taken.add((scheme, value))  # by this row
    return found


def plan_positions(session: Session, spec: Spec, ground: Ground) -> Plan:
    """New entries of the catalogue."""
    ground.rights.require(Do.MANAGE_INSTALLATION, None, missing="destination")
    taken = set(
        session.scalars(
            select(Position.code).where(Position.code.in_([r["code"] for r in spec.rows]))
        )
    )
    conflicts = [
        Notice(
            "code_taken",
            "Mã {code} đã được dùng và không bao giờ được cấp lại.",
            args={"code": r["code"]},
            row=r.get("row"),
        )
        for r in spec.rows
        if r["code"] in taken
    ]
    return _plan(spec, ground, "position", conflicts)


def plan_posts(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Headcounts of positions in units."""
    views = units.views(session, {r["unit"] for r in spec.rows})
    for path in sorted({v.path for v in views.values()}):
        ground.rights.require(Do.MANAGE_INSTALLATION, path, missing="destination")
    return _plan(spec, ground, "post", [])


def _plan(spec: Spec, ground: Ground, table: str, conflicts: list[Notice]) -> Plan:
    if not spec.rows:
        raise InvalidInput("rows_missing", "Không có dòng nào để thêm.", field="rows")
    return Plan(
        spec=spec,
        now=ground.now,
        rights=ground.rights,
        rulebook=ground.rulebook,
        lines=tuple(
            Line(
                table,
                "create",
                None,
                None,
                None,
                r.get("name") or r.get("label", ""),
                None,
                _shown(r),
            )
            for r in spec.rows
        ),
        conflicts=tuple(conflicts),
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k != "row"}


def write_units(session: Session, rows: tuple[dict[str, Any], ...]) -> list[int]:
    """Insert units level by level, with their codes and edges; the new ids in row order."""
    ids: dict[str, int] = {}
    new: dict[int, int] = {}
    paths: dict[int, str] = {}
    pending = list(enumerate(rows))
    while pending:
        ready = [(i, r) for i, r in pending if not r.get("parent_ref") or r["parent_ref"] in ids]
        if not ready:
            raise InvalidInput(
                "parent_unknown",
                "Đơn vị cấp trên không có trong tệp.",
                field="parent",
                row=pending[0][1].get("row"),
            )
        parent_ids = {r.get("parent") or ids.get(r.get("parent_ref") or "") for _, r in ready}
        missing = {p for p in parent_ids if p and p not in paths}
        paths |= {v.id: v.path for v in units.views(session, missing).values()}
        level = []
        for index, row in ready:
            parent = row.get("parent") or ids.get(row.get("parent_ref") or "")
            level.append((index, row, parent))
        first = _insert_level(session, [(row, parent) for _, row, parent in level])
        moved = []
        for (index, row, parent), unit_id in zip(level, first, strict=True):
            new[index] = unit_id
            ids[row["ref"]] = unit_id
            paths[unit_id] = f"{paths[parent] if parent else '/'}{unit_id}/"
            moved.append({"id": unit_id, "path": paths[unit_id]})
        session.execute(update(OrgUnit), moved)
        done = {i for i, _ in ready}
        pending = [(i, r) for i, r in pending if i not in done]
    return [new[i] for i in range(len(rows))]


def _insert_level(session: Session, level: list[tuple[dict[str, Any], int | None]]) -> list[int]:
    created = list(
        session.scalars(
            insert(OrgUnit).returning(OrgUnit.id, sort_by_parameter_order=True),
            [
                {
                    "name": row["name"],
                    "short_name": row["short_name"],
                    "kind": row["kind"],
                    "bloc": row["bloc"],
                    "tier": row["tier"],
                    "legal_person": row["legal_person"],
                    "parent_id": parent,
                    "path": "",
                    "search_key": search_key(
                        row["name"], row["short_name"], *(c["value"] for c in row["codes"])
                    ),
                    "sort_key": sort_key(row["name"]),
                    "valid_from": date.fromisoformat(row["valid_from"]),
                    "valid_to": None,
                }
                for row, parent in level
            ],
        )
    )
    code_rows, edges, names = [], [], []
    for (row, parent), unit_id in zip(level, created, strict=True):
        since = date.fromisoformat(row["valid_from"])
        edges.append(
            {"unit_id": unit_id, "parent_id": parent, "valid_from": since, "valid_to": None}
        )
        names.append(
            {
                "unit_id": unit_id,
                "name": row["name"],
                "short_name": row["short_name"],
                "kind": row["kind"],
                "search_key": search_key(row["name"], row["short_name"]),
                "sort_key": sort_key(row["name"]),
                "valid_from": since,
                "valid_to": None,
            }
        )
        code_rows += [
            {
                "unit_id": unit_id,
                "scheme": c["scheme"],
                "value": c["value"],
                "issuer": c.get("issuer", ""),
                "valid_from": since,
                "valid_to": None,
            }
            for c in row["codes"]
        ]
    session.execute(insert(UnitEdge), edges)
    session.execute(insert(UnitName), names)
    if code_rows:
        session.execute(insert(UnitCode), code_rows)
    return created


def write_positions(session: Session, rows: tuple[dict[str, Any], ...]) -> list[int]:
    """Insert catalogue entries; the new ids in row order."""
    keys = (
        "code",
        "name",
        "group",
        "rank",
        "bloc",
        "leadership",
        "signing_authority",
        "sensitivity",
    )
    return list(
        session.scalars(
            insert(Position).returning(Position.id, sort_by_parameter_order=True),
            [{k: row[k] for k in keys} for row in rows],
        )
    )


def write_posts(session: Session, rows: tuple[dict[str, Any], ...]) -> list[int]:
    """Insert or change headcounts; the ids in row order."""
    existing = {
        (p.unit_id, p.position_id): p
        for p in session.scalars(select(Post).where(Post.unit_id.in_({r["unit"] for r in rows})))
    }
    ids = []
    for row in rows:
        post = existing.get((row["unit"], row["position"]))
        if post is None:
            post = Post(unit_id=row["unit"], position_id=row["position"], headcount=0)
            existing[row["unit"], row["position"]] = post
            session.add(post)
        post.headcount = row["headcount"]
        ids.append(post)
    session.flush()
    return [post.id for post in ids]
