"""A whole installation in processes of its own: ``dinhdanh serve``, asked over HTTP.

with Serving(folder, database_url=…, extra="…") as served:
    served.migrate()
    served.start("--with-worker")
    served.get("/healthz")
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from dinhdanh import ports
from tests.browser_client import hidden_fields

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "idp.commands.main"]


def until(holds: Callable[[], Any], within: float = 60.0) -> Any:
    """What ``holds`` gives as soon as it is true; its last answer when the time is over."""
    deadline = time.monotonic() + within
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


class Serving:
    """Settings are given by their names in the environment, without the prefix."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.block = ports.reserve(2)
        self.port = self.block.first
        self.log = folder / "serve.log"
        given = {
            "DATA_DIR": folder / "var",
            "PORT": self.port,
            "ISSUER": f"http://localhost:{self.port}",
            "SECOND_FACTOR": "nobody",
        } | settings
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "vi_VN.UTF-8",
            "PYTHONUTF8": "1",
            **{f"DINHDANH_{name.upper()}": str(value) for name, value in given.items()},
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(60)
        self.block.release()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One command of ``dinhdanh``, to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def migrate(self) -> None:
        """Make the installation."""
        done = self.command("migrate", "--name", "Tỉnh Thử")
        assert done.returncode == 0, done.stderr

    def spawn(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A command that goes on; what it says goes to the log."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Serve, and wait until it answers."""
        process = self.spawn("serve", *options)
        assert until(lambda: self.get("/healthz")[0] == 200), self.log.read_text()
        return process

    def get(
        self,
        path: str,
        *,
        timeout: float = 30.0,
        method: str = "GET",
        body: str | None = None,
        **headers: str,
    ) -> tuple[int | None, dict[str, str], str]:
        """(status, headers, body) of one request on a connection of its own; None: no answer."""
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(
                http.client.HTTPConnection("localhost", self.port, timeout=timeout)
            ) as connection,
        ):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=given)
            answer = connection.getresponse()
            told: dict[str, str] = {}
            for name, value in answer.getheaders():  # several cookies: one a line
                told[name.lower()] = "\n".join(filter(None, (told.get(name.lower()), value)))
            return answer.status, told, answer.read().decode()
        return None, {}, ""

    def try_to_sign_in(
        self, username: str = "khongco", **headers: str
    ) -> tuple[int | None, dict[str, str], str]:
        """What somebody hears who types a name and a password: the first thing of a sign-in that is
        written down.
        """
        cookies: dict[str, str] = {}

        def ask(path: str, **options: Any) -> tuple[int | None, dict[str, str], str]:
            kept = "; ".join(f"{name}={value}" for name, value in cookies.items())
            heard = self.get(path, **headers, **({"Cookie": kept} if kept else {}), **options)
            for line in heard[1].get("set-cookie", "").splitlines():
                name, _, rest = line.partition("=")
                cookies[name] = rest.partition(";")[0]
            return heard

        answer = ask("/login")
        if answer[0] != 303:
            return answer
        where = answer[1]["location"]
        page = ask(where)
        if page[0] != 200:
            return page
        fields = hidden_fields(page[2]) | {"username": username, "password": "không phải đây"}
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        return ask(where, method="POST", body=urlencode(fields), timeout=120, **form)
