"""The story passes on the product and stops at the right step on every broken build of it.

Set up once, copied for each performance; two performances at a time, each with ports of its own.
"""

import json
import os
import random  # noqa: TID251 (the story draws with it)
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from dinhdanh import ports
from tests.story.broken import BUILDS

ROOT = Path(__file__).parents[2]
_DEMO = ROOT / "examples" / "demo" / "run.py"
_THEATRE = Path(__file__).with_name("theatre.py")
SOUND = "the product as it is"
AT_A_TIME = 2

pytestmark = [
    pytest.mark.serial,
    pytest.mark.timeout(900),
]


def _run(script: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _must(script: Path, *arguments: str) -> None:
    done = _run(script, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


class _Stage:
    """A folder and three ports; the set-up is kept beside it and copied back every time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.reserve(3).first
        self._kept = folder.with_name(f"{folder.name}-kept")

    def set_up(self, like: "_Stage | None" = None) -> None:
        """The small demonstration; from another stage's where there is one, at our ports."""
        if like is not None:
            shutil.copytree(like._kept, self.folder)
        options = ["--people", "300", "--set-up-only"]
        _must(_DEMO, "--port", str(self.port), "--folder", str(self.folder), *options)
        if like is None:
            _must(_THEATRE, str(self.folder), str(self.port), "rehearse")
        shutil.copytree(self.folder, self._kept)

    @property
    def seed(self) -> int:
        """One that draws an official who loses application A and gains B."""
        users = json.loads((self._kept / "credentials.json").read_text("utf-8"))["users"]
        for seed in range(1000):
            movers = [user for user in users if user.get("transfer_to")]
            random.Random(seed).shuffle(movers)
            if movers[0]["part"] == "away":
                return seed
        raise LookupError("nobody goes away")

    def perform(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Tell the story to this build."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder)
        broken = [] if name == SOUND else [name]
        return _run(_THEATRE, str(self.folder), str(self.port), str(self.seed), *broken)


@pytest.fixture(scope="module")
def performances(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[subprocess.CompletedProcess[str]]"]]:
    """The performances of the tests that were chosen, under way two at a time."""
    chosen = {
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    home = tmp_path_factory.mktemp("story")
    first = _Stage(home / "stage-1")
    first.set_up()
    stages: SimpleQueue[_Stage] = SimpleQueue()
    stages.put(first)
    for number in range(2, AT_A_TIME + 1):
        stage = _Stage(home / f"stage-{number}")
        stage.set_up(like=first)
        stages.put(stage)

    def perform(name: str) -> "subprocess.CompletedProcess[str]":
        stage = stages.get()
        try:
            return stage.perform(name)
        finally:
            stages.put(stage)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        names = [SOUND, *(name for name in BUILDS if name in chosen)]
        yield {name: pool.submit(perform, name) for name in names}


def test_the_story_holds_on_the_product(
    performances: dict[str, "Future[subprocess.CompletedProcess[str]]"],
) -> None:
    done = performances[SOUND].result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of it is so" in done.stdout


@pytest.mark.parametrize("name", BUILDS)
def test_the_story_stops_where_a_build_is_broken(
    name: str, performances: dict[str, "Future[subprocess.CompletedProcess[str]]"]
) -> None:
    done = performances[name].result()
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"NOT SO at step {BUILDS[name].caught_at}" in done.stderr, done.stdout + done.stderr
