"""A small demonstration in processes of its own, and the people of it, for real browsers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dinhdanh import ports
from tests.browser.window import CHROMIUM, DRIVER
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
READY = "Ctrl-C"
PATIENCE = 120


@dataclass
class Demo:
    """A running demonstration: addresses, and people nobody has transferred yet."""

    issuer: str
    apps: tuple[str, str]
    credentials: dict[str, Any]
    _taken: set[str] = field(default_factory=set)

    @property
    def hr_officer(self) -> dict[str, Any]:
        """The HR officer of the whole province."""
        return self.having("hr_officer", reach="TH")

    def having(self, role: str, *, reach: str | None = None) -> dict[str, Any]:
        """Somebody with an administrative role."""
        return next(
            user
            for user in self.credentials["users"]
            if role in user["roles"] and user.get("reach") == reach
        )

    def official(self, part: str) -> dict[str, Any]:
        """An official for one test: ``away`` loses A and gains B when she is transferred."""
        user: dict[str, Any] = next(
            user
            for user in self.credentials["users"]
            if user["part"] == part and user["username"] not in self._taken
        )
        self._taken.add(user["username"])
        return user


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """``make demo`` with 300 people, on ports of its own."""
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    folder = tmp_path_factory.mktemp("demo")
    output = folder / "output"
    command = (
        sys.executable,
        "examples/demo/run.py",
        "--port",
        str(ports.reserve(ports.SIZE).first),
    )
    options = ("--folder", str(folder / "demo"), "--people", "300")
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(process, output)
        credentials = json.loads((folder / "demo" / "credentials.json").read_text("utf-8"))
        first, second = (app["url"] for app in credentials["apps"])
        yield Demo(credentials["issuer"], (first, second), credentials)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while READY not in output.read_text("utf-8"):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the demonstration does not start:\n{output.read_text('utf-8')}")
        time.sleep(0.2)
