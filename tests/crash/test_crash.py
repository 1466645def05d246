"""kill -9 at every named point between the commit and its proof: the end is always the same.

The processes of a running installation are killed one at a time: the web's main process, the
process that answers its requests, the job worker, the supervisor above them all. Whatever the
moment, after a restart the story's end state is reached, every effect is counted once at the
target, and no process of before is left to answer.
"""

import re
import signal
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import SERVER, _administer, _server_url, missing
from tests.crash.installation import (
    ROOT,
    Installation,
    Tree,
    alive,
    children,
    listeners,
    running,
    wait_for,
)
from tests.crash.story import NotSignedIn, Story

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(420)]

WEB = (
    "commit.begin",
    "commit.locked",
    "commit.rows",
    "commit.cut",
    "commit.effects",
    "commit.before_commit",
)
"""Reached by the process that answers requests."""
WORKER = (
    "worker.claimed",
    "account.before_remote",
    "account.after_remote",
    "account.before_record",
    "logout.before_send",
    "logout.after_send",
    "access.before_probe",
    "crl.before_publish",
    "crl.after_publish",
    "certificate.before_probe",
    "worker.before_finish",
    "worker.after_finish",
)
"""Reached by the job worker."""
SIGN_IN = ("login.finish", "session.start", "authorize.before_code", "token.before_issue")
"""Before there is anything to cut."""
ELSEWHERE = {
    "approve.begin",
    "approve.locked",
    "certificate.intended",
    "consent.withdrawn",
    "notice.after_send",
    "notice.before_send",
    "session.told",
}
"""Not on the way from a commit to its proof; an approval is one transaction with its commit."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(tmp_path_factory.mktemp("crash"), people=40) as made:
        yield made


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name = "test_crash"
    _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    folder = tmp_path_factory.mktemp("crash")
    with running(folder, database_url=_server_url(name), people=5) as made:
        yield made
    _administer(f'DROP DATABASE "{name}" WITH (FORCE)')


# ---- killing ---------------------------------------------------------------------------------


class Death:
    """One process is to die at a named point; ``what`` is the process that reaches it or its
    parent.
    """

    def __init__(self, here: Installation, point: str, who: str) -> None:
        self.here, self.point, self.who = here, point, who
        self.before = here.tree()
        self.hit = here.failpoints / f"{point}.hit"
        self.kill = here.failpoints / f"{point}.kill"
        self.hit.unlink(missing_ok=True)
        self.kill.write_text("parent" if who in ("main", "supervisor") else "self")

    def assert_happened(self) -> None:
        """The point was reached, who was to die died, and nothing of it answers any more."""
        wait_for(f"{self.point} reached", lambda: not self.kill.exists())
        assert self.hit.exists()
        assert_gone(self.here, self.before, self.who)


def assert_gone(here: Installation, before: Tree, who: str) -> None:
    """Those processes are dead; others run in their place, and only they listen."""
    dead = before.under(who)
    wait_for(f"{who} dead", lambda: not any(map(alive, dead)))
    here.look_after()
    now = here.tree()
    assert not now.pids & dead
    port = int(here.url.rpartition(":")[2])
    holding = listeners(port)
    assert holding
    assert holding <= now.pids
    assert not holding & dead


@pytest.fixture
def calm(here: Installation) -> Iterator[Installation]:
    """The installation, ready for another death; no request to die is left after the test."""
    here.look_after()
    here.calm()
    yield here
    here.close_browsers()
    for left in here.failpoints.glob("*.kill"):
        left.unlink()


def named_in_the_product() -> set[str]:
    found: set[str] = set()
    for package in ("directory", "connectors", "idp"):
        for file in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r'failpoint\("([^"]+)"\)', file.read_text("utf-8")))
    return found


def test_every_failpoint_of_the_product_is_one_we_kill_at() -> None:
    assert named_in_the_product() == {*WEB, *WORKER, *SIGN_IN, *ELSEWHERE}
    assert len({*WEB, *WORKER}) >= 12


# ---- at named points -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "who"),
    [(point, "child") for point in WEB] + [(point, "main") for point in ("commit.rows", WEB[-1])],
)
def test_the_web_dies_during_a_commit(calm: Installation, point: str, who: str) -> None:
    story = Story(calm).prepare()
    death = Death(calm, point, who)
    story.commit()
    death.assert_happened()
    story.check()


@pytest.mark.parametrize("point", WORKER)
def test_the_worker_dies_between_commit_and_proof(calm: Installation, point: str) -> None:
    story = Story(calm).prepare()
    death = Death(calm, point, "worker")
    story.commit()
    death.assert_happened()
    story.check()


@pytest.mark.parametrize(
    ("point", "kind"),
    [
        ("account.after_remote", "gain"),
        ("account.before_record", "gain"),
        ("account.after_remote", "lose"),
    ],
)
def test_an_account_is_created_or_disabled_once(calm: Installation, point: str, kind: str) -> None:
    story = Story(calm, kind).prepare()
    death = Death(calm, point, "worker")
    story.commit()
    death.assert_happened()
    story.check()


@pytest.mark.parametrize("point", ["account.after_remote", "crl.after_publish"])
def test_the_supervisor_dies_with_everything_under_it(calm: Installation, point: str) -> None:
    story = Story(calm).prepare()
    death = Death(calm, point, "supervisor")
    story.commit()
    death.assert_happened()
    story.check()


@pytest.mark.parametrize("point", SIGN_IN)
def test_a_sign_in_that_dies_is_begun_again(calm: Installation, point: str) -> None:
    story = Story(calm)
    death = Death(calm, point, "child")
    with pytest.raises((NotSignedIn, httpx2.TransportError)):
        story.sign_in()
    death.assert_happened()
    story.prepare()


# ---- at any moment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "delay"),
    [("child", 0.1), ("main", 0.2), ("worker", 0.3), ("worker", 0.8), ("supervisor", 0.5)],
)
def test_a_process_dies_at_any_moment(calm: Installation, who: str, delay: float) -> None:
    story = Story(calm).prepare()
    before = calm.tree()
    victim = getattr(before, who)

    def strike() -> None:
        time.sleep(delay)
        calm.kill(victim)

    striking = threading.Thread(target=strike)
    striking.start()
    story.commit()
    striking.join()
    assert_gone(calm, before, who)
    story.check()


def test_two_instances_never_serve_one_database(here: Installation) -> None:
    before = here.tree()
    second = here.spawn("second", "-m", "idp.commands.main", "serve", "--with-worker")
    assert second.wait(60) == 1
    assert here.tree() == before
    assert set(children(before.main)) == {before.child}


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_end_leaves_no_process(here: Installation, signal_number: int) -> None:
    before = here.tree()
    here.running["dinhdanh"].send_signal(signal_number)
    assert here.running["dinhdanh"].wait(60) == 0
    assert not any(map(alive, before.pids))
    here.start()


def test_in_the_end_the_audit_is_whole(here: Installation) -> None:
    verdict = wait_for("sealed", lambda: here.audit() if not here.audit().unsealed else None)
    assert verdict.holds
    assert verdict.sealed


# ---- on PostgreSQL ---------------------------------------------------------------------------


def test_the_same_on_postgresql(on_postgresql: Installation) -> None:
    """Here a dead worker's jobs are claimed again when their lease has run out: that story is
    begun first and looked at last.
    """
    here = on_postgresql
    slow = Story(here).prepare()
    death = Death(here, "account.after_remote", "worker")
    slow.commit()
    death.assert_happened()
    for point, who in (
        ("commit.rows", "child"),
        ("commit.before_commit", "main"),
        ("commit.cut", "child"),
    ):
        story = Story(here).prepare()
        death = Death(here, point, who)
        story.commit()
        death.assert_happened()
        story.check_access()
        story.wait_until_settled(100)
        story.check_account()
        story.check_sign_out()
    slow.check(within=100)
