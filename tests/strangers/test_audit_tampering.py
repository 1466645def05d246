"""Whoever can write the database, but does not hold the keyring, changes the audit trail.

The trail is made by commands, altered by SQL as such a person would, and judged by the exit
status of ``dinhdanh audit verify``. Everything a row says is changed in turn: its value, its type,
its shape; then rows go, come, and change places, with the chain linked again as well as the hash
function, which is no secret, allows.
"""

import base64
import hashlib
import json
import re
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from directory.base import audit, verification
from directory.base.config import Settings
from directory.base.db import Database
from idp.run import housekeeping
from tests import hr_world
from tests.command_line import Operator, operator

__all__ = ["operator"]

pytestmark = pytest.mark.both_databases

VALUES: dict[str, tuple[Any, ...]] = {
    "id": (999_999,),
    "at": ("2026-03-01 01:02:03.000004",),
    "tag": ("session.end", ""),
    "actor_kind": ("system", ""),
    "actor_id": (7, None),
    "actor_label": ("somebody", "", " root"),
    "source_ip": ("192.0.2.7", ""),
    "source_port": (4711, 0),
    "subject_kind": ("client", ""),
    "subject_id": ("17", ""),
    "change_id": ("abcdef", ""),
    "commitment": ("", "0" * 64),
    "hash": ("0" * 64, "", None),
    "seq": (None,),
}
SHAPES: dict[str, tuple[Any, ...]] = {
    "data": ([], None, "", 0, {"x": None}, {"x": 1}),
    "personal": (
        [],
        None,
        "",
        {},
        {"name": None},
        {"name": []},
        {"name": ["salt"]},
        {"name": ["salt", None]},
        {"name": ["salt", "Other", "more"]},
        {"x": None},
        {"x": ["0011223344556677", None]},
        {"x": ["0011223344556677", "more"]},
    ),
}


@pytest.fixture
def trail(operator: Operator, database: Database) -> Database:
    """A sealed trail of two dozen entries, some with a personal value."""
    for username, name in (("quanly", "Lê Văn Quản"), ("quantri", "Lê Quản Trị")):
        made = operator("user", "admin", username, "--name", name)
        assert made.code == 0, made.said
    assert operator("migrate").code == 0  # what it does last is to seal
    judged = operator("audit", "verify")
    assert judged.code == 0, judged.said
    return database


def _one(database: Database, statement: str, **values: Any) -> Any:
    with database.read() as session:
        return session.execute(text(statement), values).first()


def _do(database: Database, *statements: str, **values: Any) -> None:
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement), values)


def _victim(database: Database) -> int:
    """An entry in the middle that has a personal value."""
    found = _one(
        database,
        "SELECT seq FROM audit_entry WHERE commitment <> '' AND seq > 1 ORDER BY seq LIMIT 1",
    )
    assert found is not None, "no entry with a personal value"
    return int(found[0])


def _set(database: Database, seq: int, column: str, value: Any) -> None:
    kinds = {"data": "jsonb", "personal": "jsonb", "at": "timestamptz"}
    kind = kinds.get(column) if not database.is_sqlite else None
    place = f"CAST(:value AS {kind})" if kind else ":value"
    _do(
        database,
        f"UPDATE audit_entry SET {column} = {place} WHERE seq = :seq",
        value=value,
        seq=seq,
    )


# ---- every column of one entry ---------------------------------------------------------------


def _unnoticed(
    operator: Operator, database: Database, tried: dict[str, tuple[Any, ...]]
) -> list[tuple[str, Any]]:
    """Which of these values could stand in an entry's column without being found out."""
    seq = _victim(database)
    found = []
    for column, values in tried.items():
        (stored,) = _one(database, f"SELECT {column} FROM audit_entry WHERE seq = :seq", seq=seq)
        was = json.loads(stored) if column in SHAPES and isinstance(stored, str) else stored
        for value in values:
            put = was | value if isinstance(value, dict) and value else value
            if put == was:
                continue
            _set(database, seq, column, json.dumps(put) if column in SHAPES else put)
            judged = operator("audit", "verify")
            if judged.code != 1 or "Traceback" in judged.err:
                found.append((column, value, judged.said))
            where = "hash IS NOT NULL AND seq IS NULL" if column == "seq" else f"seq = {seq}"
            if column == "seq":
                _do(database, f"UPDATE audit_entry SET seq = {seq} WHERE {where}")
            else:
                _set(
                    database,
                    seq,
                    column,
                    stored
                    if isinstance(stored, str) or column not in SHAPES
                    else json.dumps(stored),
                )
    assert operator("audit", "verify").code == 0, "not put back as it was"
    return found


def test_no_column_of_an_entry_can_be_changed(operator: Operator, trail: Database) -> None:
    assert _unnoticed(operator, trail, VALUES) == []


def test_no_difference_of_shape_passes(operator: Operator, trail: Database) -> None:
    """An object stays an object with the same members of the same types."""
    assert _unnoticed(operator, trail, SHAPES) == []


def test_a_null_beside_a_changed_value_hides_nothing(operator: Operator, trail: Database) -> None:
    seq = _victim(trail)
    stored = _one(trail, "SELECT personal FROM audit_entry WHERE seq = :seq", seq=seq)[0]
    was = json.loads(stored) if isinstance(stored, str) else stored
    changed = {field: [salt, "Somebody else"] for field, (salt, _) in was.items()}
    _set(trail, seq, "personal", json.dumps(changed | {"x": ["0011223344556677", None]}))
    assert operator("audit", "verify").code == 1


def test_two_readings_of_one_text_are_one_too_many(operator: Operator, trail: Database) -> None:
    """SQLite keeps JSON as it was written: a member said twice is one thing to us and another to
    whoever else reads the file. PostgreSQL keeps no text.
    """
    if not trail.is_sqlite:
        pytest.skip("jsonb keeps the value, not the text")
    seq = _victim(trail)
    whole = _one(trail, "SELECT personal FROM audit_entry WHERE seq = :seq", seq=seq)[0]
    for written in ('{"name": "first", ' + whole[1:], "  " + whole, "{ " + whole[1:], whole + "\n"):
        _set(trail, seq, "personal", written)
        assert operator("audit", "verify").code == 1, written


def test_another_type_in_a_cell_is_an_answer_and_no_crash(
    operator: Operator, trail: Database
) -> None:
    if not trail.is_sqlite:
        pytest.skip("PostgreSQL's columns have one type")
    seq = _victim(trail)
    saved = _rows(trail)
    for column in ("actor_label", "subject_id", "tag", "data", "personal", "at", "hash"):
        _do(trail, f"UPDATE audit_entry SET {column} = x'00ff' WHERE seq = {seq}")
        judged = operator("audit", "verify")
        assert (judged.code, str(seq) in judged.err) == (1, True), judged.said
        assert "Traceback" not in judged.err
        _put(trail, saved)


# ---- rows that go, come and change places ----------------------------------------------------


def test_rows_cut_at_the_head_in_the_middle_and_swapped_are_missed(
    operator: Operator, trail: Database
) -> None:
    last = _one(trail, "SELECT max(seq) FROM audit_entry")[0]
    for statements in (
        ["DELETE FROM audit_entry WHERE seq = 1"],
        [f"DELETE FROM audit_entry WHERE seq = {last // 2}"],
        [f"DELETE FROM audit_entry WHERE seq = {last}"],
        ["UPDATE audit_entry SET seq = NULL WHERE seq = 2"],
        [
            "UPDATE audit_entry SET seq = -1 WHERE seq = 2",
            "UPDATE audit_entry SET seq = 2 WHERE seq = 3",
            "UPDATE audit_entry SET seq = 3 WHERE seq = -1",
        ],
        ["DELETE FROM audit_head"],
        ["INSERT INTO audit_head (id, seq, hash, mac) SELECT 2, seq, hash, mac FROM audit_head"],
    ):
        saved = _rows(trail)
        _do(trail, *statements)
        judged = operator("audit", "verify")
        assert judged.code == 1, (statements, judged.said)
        assert "Traceback" not in judged.err
        _put(trail, saved)
        assert operator("audit", "verify").code == 0


def _rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.read() as session:
        return {
            table: [dict(r) for r in session.execute(text(f"SELECT * FROM {table}")).mappings()]
            for table in ("audit_entry", "audit_head")
        }


def _put(database: Database, saved: dict[str, list[dict[str, Any]]]) -> None:
    """Everything as it was."""
    with database.write() as session:
        for table, rows in saved.items():
            session.execute(text(f"DELETE FROM {table}"))
            for row in rows:
                plain = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
                names = ", ".join(plain)
                places = ", ".join(f":{name}" for name in plain)
                session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), plain)


def test_a_tail_cut_off_with_an_old_head_put_back_is_missed(
    operator: Operator, trail: Database
) -> None:
    """The head is signed, and an old one is signed as well: only a witness outside remembers."""
    old = _rows(trail)
    assert operator("user", "admin", "kegian", "--name", "Kẻ Gian").code == 0
    assert operator("migrate").code == 0
    assert operator("audit", "verify").code == 0
    _put(trail, old)
    judged = operator("audit", "verify")
    assert judged.code == 1, judged.said


def test_a_tail_that_has_grown_again_after_the_cut_is_missed(
    operator: Operator, trail: Database
) -> None:
    old = _rows(trail)
    assert operator("user", "admin", "kegian", "--name", "Kẻ Gian").code == 0
    assert operator("migrate").code == 0
    _put(trail, old)
    for username in ("moia", "moib", "moic"):
        assert operator("user", "admin", username, "--name", "Người Mới").code == 0
    operator("migrate")
    judged = operator("audit", "verify")
    assert judged.code == 1, judged.said


def test_an_empty_trail_is_missed(operator: Operator, trail: Database) -> None:
    _do(trail, "DELETE FROM audit_entry", "DELETE FROM audit_head")
    judged = operator("audit", "verify")
    assert judged.code == 1, judged.said


def test_a_chain_linked_again_without_the_key_is_found_out(
    operator: Operator, trail: Database
) -> None:
    """SHA-256 is everybody's; the head's signature is not, and neither is the witness's."""
    rows = sorted(_rows(trail)["audit_entry"], key=lambda row: row["seq"] or 0)
    previous = ""
    for number, row in enumerate(rows[2:], start=1):
        body = json.dumps([previous, number, row["subject_id"]], sort_keys=True)
        previous = hashlib.sha256(body.encode()).hexdigest()
        _do(
            trail, "UPDATE audit_entry SET hash = :hash WHERE id = :id", hash=previous, id=row["id"]
        )
    _do(trail, "UPDATE audit_head SET hash = :hash", hash=previous)
    assert operator("audit", "verify").code == 1


# ---- the witness outside ---------------------------------------------------------------------


def _witness(settings: Settings) -> Path:
    return settings.data_dir / "audit-checkpoints.log"


def test_checkpoints_are_written_outside_the_database_and_only_for_their_owner(
    operator: Operator, trail: Database, settings: Settings
) -> None:
    file = _witness(settings)
    assert file.stat().st_mode & 0o777 == 0o600
    last = json.loads(file.read_text("utf-8").splitlines()[-1])
    head = _one(trail, "SELECT seq, hash FROM audit_head")
    assert (last["seq"], last["hash"]) == tuple(head)
    assert {"at", "installation", "key", "signature"} <= set(last)
    assert operator("migrate").code == 0
    assert json.loads(file.read_text("utf-8").splitlines()[-1]) == last  # nothing new, no new line


def test_a_checkpoint_file_that_is_missing_or_short_is_told_as_such(
    operator: Operator, trail: Database, settings: Settings
) -> None:
    file = _witness(settings)
    whole = file.read_bytes()
    file.unlink()
    missing = operator("audit", "verify")
    assert missing.code == 1
    assert str(file) in missing.err
    first = whole.splitlines(keepends=True)[0]
    file.write_bytes(first if first != whole else b"")
    short = operator("audit", "verify")
    assert short.code == 1
    assert short.err != missing.err
    file.write_bytes(whole)
    assert operator("audit", "verify").code == 0


def test_a_checkpoint_that_was_altered_is_worth_nothing(
    operator: Operator, trail: Database, settings: Settings
) -> None:
    file = _witness(settings)
    lines = file.read_text("utf-8").splitlines()
    for harm in ("seq", "hash", "at", "installation", "key", "signature"):
        last = json.loads(lines[-1])
        was = last[harm]
        last[harm] = was + 1 if harm == "seq" else was[::-1]
        if last[harm] == was:  # a key's name may read the same from behind
            last[harm] += "0"
        file.write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n", "utf-8")
        judged = operator("audit", "verify")
        assert judged.code == 1, (harm, judged.said)
        assert "Traceback" not in judged.err


def test_a_line_cut_short_by_a_full_disk_is_passed_over_and_the_rest_counts(
    operator: Operator, trail: Database, settings: Settings
) -> None:
    file = _witness(settings)
    with file.open("a", encoding="utf-8") as out:
        out.write('{"seq": 12')
    assert operator("audit", "verify").code == 0
    assert operator("user", "admin", "them", "--name", "Người Thêm").code == 0
    assert operator("migrate").code == 0
    judged = operator("audit", "verify")
    assert judged.code == 0, judged.said


def test_a_copy_that_was_shipped_away_finds_what_the_local_file_no_longer_can(
    operator: Operator, trail: Database, settings: Settings, tmp_path: Path
) -> None:
    """An attacker with the whole machine cuts the file as well as the table."""
    file, shipped = _witness(settings), tmp_path / "shipped.log"
    old, old_file = _rows(trail), file.read_bytes()
    assert operator("user", "admin", "kegian", "--name", "Kẻ Gian").code == 0
    assert operator("migrate").code == 0
    shutil.copy(file, shipped)
    assert operator("audit", "verify", "--checkpoints", str(shipped)).code == 0
    _put(trail, old)
    file.write_bytes(old_file)
    judged = operator("audit", "verify", "--checkpoints", str(shipped))
    assert judged.code == 1, judged.said


# ---- what must go on holding -----------------------------------------------------------------


def test_a_personal_value_that_was_erased_leaves_the_chain_whole(
    operator: Operator, trail: Database
) -> None:
    """What stays is the leaf of the commitment: SHA-256 of [field, salt, value] as JSON."""
    seq = _victim(trail)
    stored = _one(trail, "SELECT personal FROM audit_entry WHERE seq = :seq", seq=seq)[0]
    was = json.loads(stored) if isinstance(stored, str) else stored
    leaves = {
        field: [hashlib.sha256(json.dumps([field, *pair]).encode()).hexdigest()]
        for field, pair in was.items()
    }
    _set(trail, seq, "personal", json.dumps(leaves))
    assert operator("audit", "verify").code == 0
    wrong = {field: ["0" * 64] for field in leaves}
    _set(trail, seq, "personal", json.dumps(wrong))
    assert operator("audit", "verify").code == 1


def test_the_page_of_the_trail_shows_how_far_it_is_written_down(
    operator: Operator, trail: Database, services: Any, clock: Any, app: Any
) -> None:
    page = hr_world.build(services, clock, app).browser("admin").get("/console/audit").text
    head = _one(trail, "SELECT seq, hash FROM audit_head")
    assert f"#{head.seq}" in page
    assert page.count(head.hash) >= 2  # what is sealed, and what is written down


# ---- several nodes, and whoever keeps a copy -------------------------------------------------


def test_each_node_follows_the_head_whoever_sealed_it(
    operator: Operator, trail: Database, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    here = tmp_path / "audit-checkpoints.log"
    before = here.read_bytes()
    assert operator("user", "admin", "them", "--name", "Người Thêm").code == 0
    assert operator("migrate", data_dir=str(other)).code == 0  # the other node seals
    assert here.read_bytes() == before
    assert operator("audit", "verify", data_dir=str(other)).code == 0
    assert operator("migrate").code == 0  # nothing left to seal, but to write down
    head = _one(trail, "SELECT seq FROM audit_head")[0]
    for file in (here, other / "audit-checkpoints.log"):
        assert json.loads(file.read_text("utf-8").splitlines()[-1])["seq"] == head
    both = ("--checkpoints", str(here), "--checkpoints", str(other / "audit-checkpoints.log"))
    assert operator("audit", "verify", *both).code == 0


def test_a_collector_hears_every_checkpoint_and_checks_it_by_the_public_key(
    operator: Operator, trail: Database, tmp_path: Path
) -> None:
    where = tmp_path / "log.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as collector:
        collector.bind(str(where))
        collector.settimeout(60)
        assert operator("user", "admin", "them", "--name", "Người Thêm").code == 0
        assert operator("migrate", audit_syslog=str(where)).code == 0
        message = collector.recv(4096).decode()
    assert re.match(
        r"<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ dinhdanh - audit-checkpoint - \{", message
    )
    said = json.loads(message[message.index("{") :])
    assert said["seq"] == _one(trail, "SELECT seq FROM audit_head")[0]
    name, public = operator("audit", "key").out.split()
    assert name == said["key"]
    signed = ["audit-checkpoint", *(said[n] for n in ("seq", "hash", "at", "installation", "key"))]
    Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(
        base64.b64decode(said["signature"]), json.dumps(signed).encode()
    )


def test_the_worker_writes_down_what_it_seals(trail: Database, services: Any) -> None:
    file = services.settings.checkpoint_file
    with trail.write() as session:
        audit.record(
            session,
            audit.Tag.KEY_ROTATE,
            at=services.clock(),
            actor=audit.Actor.system(),
            subject=("signing_key", "x"),
        )
    housekeeping.keep_audit(services, services.clock())
    last = json.loads(file.read_text("utf-8").splitlines()[-1])
    assert (last["seq"], last["hash"]) == tuple(_one(trail, "SELECT seq, hash FROM audit_head"))


def test_verify_sees_one_moment_while_others_seal(
    operator: Operator, trail: Database, services: Any
) -> None:
    """Sealing between its questions looked like a cut tail, 3 of 789 times."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with services.db.write() as session:
                audit.record(
                    session,
                    audit.Tag.KEY_ROTATE,
                    at=services.clock(),
                    actor=audit.Actor.system(),
                    subject=("signing_key", "x"),
                )
                audit.seal(session, services.keyring)

    sealing = threading.Thread(target=work)
    sealing.start()
    try:
        verdicts = [verification.verify(trail, services.keyring) for _ in range(40)]
    finally:
        stop.set()
        sealing.join()
    assert all(verdict.holds for verdict in verdicts)
    assert len({verdict.sealed for verdict in verdicts}) > 1


def test_nobody_without_the_key_explains_a_cut_by_a_restore(
    operator: Operator, trail: Database
) -> None:
    """The sealer chains what it finds, so an entry alone proves nothing about who wrote it."""
    old = _rows(trail)
    assert operator("user", "admin", "kegian", "--name", "Kẻ Gian").code == 0
    assert operator("migrate").code == 0
    _put(trail, old)
    kept = _one(trail, "SELECT seq FROM audit_head")[0]
    columns = (
        "at, tag, actor_kind, actor_label, subject_kind, subject_id, data, personal, commitment"
    )
    data = json.dumps({"kept": kept, "lost_to": None})
    at = "2099-01-01 00:00:00.000000" if trail.is_sqlite else "2099-01-01 00:00:00+00"
    _do(
        trail,
        f"INSERT INTO audit_entry ({columns}) VALUES ('{at}', 'installation.restored', 'operator',"
        " 'root', 'installation', '1', :data, '{}', '')",
        data=data,
    )
    operator("migrate")  # seals the forged entry
    judged = operator("audit", "verify")
    assert judged.code == 1, judged.said
    assert operator("check").code == 1
