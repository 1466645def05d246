"""``dinhdanh serve``: what is left when any of its processes is killed, and what is refused."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dinhdanh import ports

pytestmark = pytest.mark.serial
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "idp.commands.main"]


def _until(holds, within=60.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


class Instance:
    """An installation on disk and the processes that serve it."""

    def __init__(self, data_dir):
        self.data_dir, self.port = data_dir, ports.reserve().first
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "vi_VN.UTF-8",
            "PYTHONUTF8": "1",
            "DINHDANH_DATA_DIR": str(data_dir),
            "DINHDANH_PORT": str(self.port),
            "DINHDANH_ISSUER": f"http://localhost:{self.port}",
            "DINHDANH_SECOND_FACTOR": "nobody",
        }
        self.main = None

    def run(self, *arguments):
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self):
        with (self.data_dir / "log").open("ab") as log:
            self.main = subprocess.Popen(
                [*COMMAND, "serve", "--with-worker"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert _until(lambda: self.get("/healthz") == 200), (self.data_dir / "log").read_text()

    def get(self, path):
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection,
        ):
            connection.request("GET", path)
            return connection.getresponse().status
        return None

    def worker(self):
        """What readiness says of it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/readyz")
            return json.loads(connection.getresponse().read())["worker"]

    def tree(self):
        """Pids of the main process's descendants."""
        found, todo = [], [self.main.pid]
        while todo:
            pid = todo.pop()
            with suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                found += [int(c) for c in children]
                todo += [int(c) for c in children]
        return found

    def web_workers(self):
        """granian's own: the grandchildren."""
        children = Path(f"/proc/{self.main.pid}/task/{self.main.pid}/children").read_text()
        return [p for p in self.tree() if str(p) not in children.split()]


def _lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    made = Instance(tmp_path_factory.mktemp("installed"))
    outcome = made.run("migrate", "--name", "Tỉnh Thử")
    assert outcome.returncode == 0, outcome.stderr
    return made.data_dir


@pytest.fixture
def instance(installed, tmp_path):
    shutil.copytree(installed, tmp_path / "var")
    made = Instance(tmp_path / "var")
    yield made
    if made.main is not None:
        left = [made.main.pid, *made.tree()]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        made.main.wait(timeout=60)


def test_it_serves_and_is_ready_with_a_worker_beside_it(instance):
    instance.start()
    assert instance.get("/readyz") == 200
    assert instance.get("/metrics") == 200
    assert instance.get("/.well-known/openid-configuration") == 200
    assert _until(lambda: instance.worker() == "ok")


def test_a_killed_main_process_leaves_nothing_that_answers(instance):
    instance.start()
    assert _until(lambda: len(instance.tree()) == 3)
    left = instance.tree()
    os.kill(instance.main.pid, signal.SIGKILL)
    assert _until(lambda: instance.get("/healthz") is None)
    assert _until(lambda: not any(map(_lives, left)))
    instance.main.wait(timeout=60)
    instance.start()
    assert instance.get("/readyz") == 200


def test_a_killed_web_worker_is_replaced(instance):
    instance.start()
    (victim,) = instance.web_workers()
    os.kill(victim, signal.SIGKILL)
    assert _until(lambda: instance.get("/healthz") == 200 and victim not in instance.tree())


def test_killed_children_are_started_again(instance):
    instance.start()
    before = set(instance.tree())
    (web_worker,) = instance.web_workers()
    for pid in before - {web_worker}:
        os.kill(pid, signal.SIGKILL)
    assert _until(lambda: len(set(instance.tree()) - before) == 3)
    assert _until(lambda: instance.get("/healthz") == 200)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_takes_everything_with_it(instance, number):
    instance.start()
    left = instance.tree()
    instance.main.send_signal(number)
    assert instance.main.wait(timeout=60) == 0
    assert not any(map(_lives, left))
    assert instance.get("/healthz") is None


def test_a_second_start_is_refused_while_the_first_lives(instance):
    instance.start()
    second = instance.run("serve")
    assert second.returncode == 1
    assert f"đang chạy rồi (tiến trình {instance.main.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert instance.get("/healthz") == 200


def test_a_taken_port_is_said_in_one_sentence(instance):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", instance.port))
        other.listen()
        outcome = instance.run("serve")
    assert outcome.returncode == 1
    assert f"Cổng 127.0.0.1:{instance.port}: đang được dùng." in outcome.stderr


def test_before_migrate_it_says_what_to_do(tmp_path):
    outcome = Instance(tmp_path).run("serve")
    assert outcome.returncode == 1
    assert "Không tìm thấy tệp khóa" in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) <= 2
