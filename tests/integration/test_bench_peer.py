"""The yardstick of the measurements does what a provider must, or its costs would say nothing."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from bench import database, peer
from bench.database import Database
from bench.load import prepared
from bench.operations import OPERATIONS, Operation, User
from tests.conftest import SERVER, missing

pytestmark = pytest.mark.slow
"""They start Node.js."""

STEPS = """
import { open } from './adapter.mjs';
const { Adapter, end } = await open(JSON.parse(process.argv[1]));
const codes = new Adapter('AuthorizationCode'), sessions = new Adapter('Session');
const told = {};

await codes.upsert('short', { grantId: 'g0' }, -1);
told.expired = await codes.find('short') ?? null;

await codes.upsert('once', { grantId: 'g1' }, 60);
told.fresh = await codes.find('once');
await codes.consume('once');
told.consumed = (await codes.find('once')).consumed;

await sessions.upsert('old name', { uid: 'u', accountId: 'lan' }, 60);
await sessions.upsert('old name', { uid: 'u', accountId: 'hien' }, 60);
told.session = await sessions.findByUid('u');
told.other = await codes.find('old name') ?? null;
await sessions.destroy('old name');
told.destroyed = await sessions.findByUid('u') ?? null;

await codes.upsert('another', { grantId: 'g2' }, 60);
await codes.revokeByGrantId('g1');
told.revoked = await codes.find('once') ?? null;
told.kept = await codes.find('another');
console.log(JSON.stringify(told));
await end();
"""


@pytest.fixture
def kept() -> Iterator[Database]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    try:
        peer.label()
    except peer.Absent as error:
        missing(str(error))
    with database.fresh(SERVER) as made:
        assert made is not None
        yield made


def test_the_adapter_honours_expiry_and_what_is_used_up(kept: Database) -> None:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", STEPS, json.dumps(peer.address(kept))],
        cwd=peer.HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert isinstance(told.pop("consumed"), int)
    assert told == {
        "expired": None,
        "fresh": {"grantId": "g1"},
        "session": {"uid": "u", "accountId": "hien"},
        "other": None,
        "destroyed": None,
        "revoked": None,
        "kept": {"grantId": "g2"},
    }


@pytest.mark.parametrize("stored", [False, True], ids=["configured", "stored"])
def test_every_operation_can_be_measured_on_it(kept: Database, *, stored: bool) -> None:
    with peer.serving(kept, 1, stored=stored) as served, served.users() as (user,):
        before = served.spent()
        for operation in OPERATIONS:
            if operation.name not in served.lacks:
                _succeeds(user, operation)
        assert set(before[0]) == {served.pid}
        assert all(sum(spent.values()) > 0 for spent in served.spent())


def _succeeds(user: User, operation: Operation) -> None:
    """It raises Unexpected where an answer is not what a client would go on with."""
    operation.run(user, prepared(user, operation, 1)[0])
