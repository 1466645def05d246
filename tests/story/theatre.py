"""One stage: a small demonstration on which the story is told again and again.

    python tests/story/theatre.py FOLDER PORT rehearse
    python tests/story/theatre.py FOLDER PORT KEPT < orders > answers

A rehearsal waits until everybody's accounts are made, so that performances start from a quiet
house; then the folder is copied aside, to KEPT. An order is a line of JSON, ``{"seed": NUMBER,
"build": NAME}``; the answer is one line with the exit status of the story and what it printed.

Before each performance everything is put back as it is kept. Dinhdanh is started anew for each, as
that deliberately broken build of it (tests/story/wings.py). The applications are the same in all of
them and stay; what they have written down is put back, too.
"""

import contextlib
import gc
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    gc.disable()  # until all is read

from examples.demo import credentials
from examples.demo.ground import ROOT, Ground
from examples.demo.processes import CannotStart, Children
from examples.demo.run import neighbours, start, start_neighbours
from examples.demo.story.__main__ import main as tell
from examples.demo.story.app_side import Application

PEOPLE = 300
PROVISIONED_WITHIN = 60.0
WINGS = Path(__file__).with_name("wings.py")


def rehearse(here: Ground) -> None:
    """Run until no more accounts are made."""
    with Children(logs=here.logs, environment=here.environment, cwd=ROOT) as children:
        start(here, children)
        apps = [Application(a) for a in credentials.read(here.credentials_file)["apps"]]
        deadline = time.monotonic() + PROVISIONED_WITHIN
        seen = [-1]
        while time.monotonic() < deadline:
            found = [app.count() for app in apps]
            if found == seen and all(found):
                return
            seen = found
            time.sleep(1.5)


class Theatre:
    """The applications of a demonstration, and wings from which Dinhdanh comes on."""

    def __init__(self, here: Ground, kept: Path, children: Children) -> None:
        self._here, self._kept, self._children = here, kept, children
        start_neighbours(here, children)
        children.wait_until_answering(neighbours(here))
        self._wings = subprocess.Popen(
            [sys.executable, str(WINGS)],
            cwd=ROOT,
            env=here.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """No more orders: whatever is still on is ended."""
        self._wings.communicate(timeout=60)

    def perform(self, seed: int, build: str | None) -> dict[str, Any]:
        """Put everything back, and tell the story to this build."""
        self._put_back()
        out, err = io.StringIO(), io.StringIO()
        arguments = ["--seed", str(seed), "--credentials", str(self._here.credentials_file)]
        with (
            self._dinhdanh(build),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = tell(arguments)
        return {"returncode": code, "stdout": out.getvalue(), "stderr": err.getvalue()}

    def _put_back(self) -> None:
        ours = {app.code for app in self._here.apps} | {self._here.logs.name, "eid"}
        for old in self._here.folder.iterdir():
            if old.name not in ours:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        ignored = shutil.ignore_patterns(*ours)
        shutil.copytree(self._kept, self._here.folder, dirs_exist_ok=True, ignore=ignored)
        for app in self._here.apps:
            store = Path(app.code, "accounts.db")
            with (
                contextlib.closing(sqlite3.connect(self._kept / store)) as as_it_was,
                contextlib.closing(sqlite3.connect(self._here.folder / store)) as now,
            ):
                as_it_was.backup(now)

    @contextlib.contextmanager
    def _dinhdanh(self, build: str | None) -> Iterator[None]:
        log = self._here.logs / "dinhdanh.log"
        log.unlink(missing_ok=True)
        pid = int(self._order(start=build, log=str(log)))
        try:
            own = f"{self._here.scheme}://{self._here.settings.host}:{self._here.port}/healthz"
            try:
                self._children.wait_until_answering([own])
            except CannotStart:
                raise CannotStart(log.read_text("utf-8")) from None
            yield
        finally:
            self._order(end=pid)

    def _order(self, **order: Any) -> str:
        assert self._wings.stdin
        assert self._wings.stdout
        print(json.dumps(order), file=self._wings.stdin, flush=True)
        return self._wings.stdout.readline()


def main(folder: Path, port: int, what: str) -> None:
    """Rehearse, or perform what is ordered."""
    here = Ground(folder, port, PEOPLE)
    here.prepare()
    if what == "rehearse":
        rehearse(here)
        return
    answers = sys.stdout
    with Children(logs=here.logs, environment=here.environment, cwd=ROOT) as children:
        theatre = Theatre(here, Path(what), children)
        try:
            for line in sys.stdin:
                print(json.dumps(theatre.perform(**json.loads(line))), file=answers, flush=True)
        finally:
            theatre.close()


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
