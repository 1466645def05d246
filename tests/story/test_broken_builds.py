"""The story passes on the product and stops at the right step on every broken build of it.

Set up once, put back for each performance; two performances at a time, each with ports of its own.
"""

import json
import os
import random  # noqa: TID251 (the story draws with it)
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue

import pytest

from dinhdanh import ports
from tests.story.broken import BUILDS

ROOT = Path(__file__).parents[2]
_DEMO = ROOT / "examples" / "demo" / "run.py"
_THEATRE = Path(__file__).with_name("theatre.py")
_ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
SOUND = "the product as it is"
AT_A_TIME = 2
PORTS = 5
"""Of a demonstration."""
LONGEST = 180.0
"""Seconds a performance may take."""

pytestmark = [
    pytest.mark.slow,  # the story is told 25 times, each with servers of its own
    pytest.mark.serial,
    pytest.mark.timeout(900),
]


@dataclass(frozen=True)
class Told:
    """How one telling of the story ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def _must(script: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=ROOT,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class _Stage:
    """A folder and its ports; the set-up is kept beside it and put back every time."""

    def __init__(self, folder: Path, like: "_Stage | None" = None) -> None:
        """The small demonstration; from another stage's where there is one, at our ports."""
        self.folder = folder
        self.port = ports.reserve(PORTS).first
        self._kept = folder.with_name(f"{folder.name}-kept")
        if like is not None:
            shutil.copytree(like._kept, self.folder)
        options = ["--people", "300", "--set-up-only"]
        _must(_DEMO, "--port", str(self.port), "--folder", str(self.folder), *options)
        if like is None:
            _must(_THEATRE, str(self.folder), str(self.port), "rehearse")
        shutil.copytree(self.folder, self._kept)

    def __enter__(self) -> "_Stage":
        self._theatre = self._opened()
        return self

    def _opened(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(_THEATRE), str(self.folder), str(self.port), str(self._kept)],
            cwd=ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __exit__(self, *_: object) -> None:
        self._theatre.communicate(timeout=60)

    @cached_property
    def _seed(self) -> int:
        """One that draws an official who loses application A and gains B."""
        users = json.loads((self._kept / "credentials.json").read_text("utf-8"))["users"]
        for seed in range(1000):
            movers = [user for user in users if user.get("transfer_to")]
            random.Random(seed).shuffle(movers)
            if movers[0]["part"] == "away":
                return seed
        raise LookupError("nobody goes away")

    def perform(self, name: str) -> Told:
        """Tell the story to this build."""
        if self._theatre.poll() is not None:  # one that took too long fails alone
            self._theatre = self._opened()
        theatre = self._theatre
        assert theatre.stdin
        assert theatre.stdout
        assert theatre.stderr
        order = {"seed": self._seed, "build": None if name == SOUND else name}
        patience = threading.Timer(LONGEST, theatre.kill)
        patience.start()
        try:
            print(json.dumps(order), file=theatre.stdin, flush=True)
            line = theatre.stdout.readline()
        finally:
            patience.cancel()
        assert line, theatre.stderr.read()
        return Told(**json.loads(line))


@pytest.fixture(scope="module")
def performances(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Told]"]]:
    """The performances of the tests that were chosen, under way two at a time."""
    chosen = {
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    home = tmp_path_factory.mktemp("story")
    stages: SimpleQueue[_Stage] = SimpleQueue()
    first = _Stage(home / "stage-1")
    others = [_Stage(home / f"stage-{n}", like=first) for n in range(2, AT_A_TIME + 1)]

    def perform(name: str) -> Told:
        stage = stages.get()
        try:
            return stage.perform(name)
        finally:
            stages.put(stage)

    with ExitStack() as open_stages, ThreadPoolExecutor(AT_A_TIME) as pool:
        for stage in (first, *others):
            stages.put(open_stages.enter_context(stage))
        names = [SOUND, *(name for name in BUILDS if name in chosen)]
        yield {name: pool.submit(perform, name) for name in names}


def test_the_story_holds_on_the_product(
    performances: dict[str, "Future[Told]"],
) -> None:
    done = performances[SOUND].result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of it is so" in done.stdout


@pytest.mark.parametrize("name", BUILDS)
def test_the_story_stops_where_a_build_is_broken(
    name: str, performances: dict[str, "Future[Told]"]
) -> None:
    done = performances[name].result()
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"NOT SO at step {BUILDS[name].caught_at}" in done.stderr, done.stdout + done.stderr
