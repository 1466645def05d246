"""``python -m examples.apps``: it serves, it stops, it leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from json import dumps
from pathlib import Path

import httpx2
import pytest

from dinhdanh import ports


@pytest.fixture
def free_port() -> Iterator[int]:
    with ports.reserve() as block:
        yield block.first


@pytest.fixture
def config_file(tmp_path: Path, free_port: int) -> Path:
    path = tmp_path / "config.json"
    values = {
        "profile": "motcua",
        "port": free_port,
        "base_url": f"http://127.0.0.1:{free_port}",
        "issuer": "http://127.0.0.1:9",
        "client_id": "motcua",
        "client_secret": "secret",
        "scim_token": "scim-token",
        "store": str(tmp_path / "motcua.sqlite"),
    }
    path.write_text(dumps(values))
    return path


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def eventually(check: Callable[[], bool], *, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def command(config_file: Path) -> list[str]:
    return [sys.executable, "-m", "examples.apps", str(config_file)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(
    command: list[str], free_port: int, number: signal.Signals
) -> None:
    with subprocess.Popen(command) as process:
        try:
            assert eventually(lambda: answers(free_port))
            process.send_signal(number)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert not answers(free_port)


@pytest.fixture
def orphan(command: list[str], free_port: int) -> Iterator[int]:
    """An application whose parent was killed outright."""
    starter = (
        "import subprocess, sys; child = subprocess.Popen(sys.argv[1:]);"
        " print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter, *command], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert eventually(lambda: answers(free_port))
        parent.kill()
    yield child
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


@pytest.mark.usefixtures("orphan")
def test_the_command_ends_soon_after_the_process_that_started_it(free_port: int) -> None:
    assert eventually(lambda: not answers(free_port))
