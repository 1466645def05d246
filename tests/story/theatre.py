"""One performance: a small demonstration starts, the story is told to it, everything ends.

    python tests/story/theatre.py FOLDER PORT SEED [BROKEN]
    python tests/story/theatre.py FOLDER PORT rehearse

The folder was set up before; the exit status and what is printed are the story's own. With
BROKEN, Dinhdanh runs as that deliberately broken build. A rehearsal only waits until everybody's
accounts are made, so that performances start from a quiet house.
"""

import sys
import time
from pathlib import Path

from examples.demo import credentials
from examples.demo.ground import ROOT, Ground
from examples.demo.processes import Children
from examples.demo.run import start
from examples.demo.story.__main__ import main as tell
from examples.demo.story.app_side import Application

PEOPLE = 300
PROVISIONED_WITHIN = 60.0


def ground(folder: Path, port: int) -> Ground:
    """A small demonstration in this folder."""
    return Ground(folder, port, PEOPLE)


def perform(folder: Path, port: int, seed: int, broken: str | None = None) -> int:
    """Start, tell, end; the story's exit status."""
    here = ground(folder, port)
    here.prepare()
    build = str(Path(__file__).with_name("broken.py"))
    command = (sys.executable, build, broken, "serve", "--with-worker") if broken else ()
    with Children(logs=here.logs, environment=here.environment, cwd=ROOT) as children:
        start(here, children, serve=command)
        return tell(["--seed", str(seed), "--credentials", str(here.credentials_file)])


def rehearse(folder: Path, port: int) -> None:
    """Run until no more accounts are made."""
    here = ground(folder, port)
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


if __name__ == "__main__":
    folder_, port_, what, *broken_ = sys.argv[1:]
    if what == "rehearse":
        rehearse(Path(folder_), int(port_))
        sys.exit(0)
    sys.exit(perform(Path(folder_), int(port_), int(what), *broken_))
