"""``make demo``: set up what is missing, start Dinhdanh and its neighbours, say what to try.

    python examples/demo/run.py [--port 8000] [--people 20000] [--folder var/demo] [--reset] [--tls]

A second start keeps people, passwords and everything that has happened since; ``--reset``
begins anew. Ctrl-C, or the end of the terminal, ends every process.
"""

import argparse
import contextlib
import gc
import os
import shutil
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    gc.disable()  # until all is read: it stays, and nobody need look through it again and again
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dinhdanh import ports
from directory.base.errors import DinhdanhError
from examples.demo import certificate, clients, guide, identities, province, screen, standing
from examples.demo.ground import DEFAULT_FOLDER, ROOT, Ground
from examples.demo.processes import CannotStart, Children, require_free
from examples.demo.terminal import step
from idp.commands.terminal import accept

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. 0 after Ctrl-C, 1 when something is in the way."""
    accept((sys.stdout, sys.stderr))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--reset", action="store_true", help="forget the earlier demonstration")
    parser.add_argument("--tls", action="store_true", default=os.environ.get("TLS") == "1")
    parser.add_argument("--set-up-only", action="store_true", help="do not start anything")
    given = parser.parse_args(arguments)
    folder, beside = given.folder.resolve(), two_beside(given.port)
    ground = Ground(folder, given.port, given.people, tls=given.tls, beside=beside)
    # The end of a terminal asks for the same as Ctrl-C, which a shell may have us ignore.
    for number in ENDING:
        signal.signal(number, _interrupt)
    try:
        require_free(ground.fixed_ports)
        if given.reset:
            _forget(ground)
        return _run(ground, set_up_only=given.set_up_only)
    except CannotStart as reason:
        print(reason, file=sys.stderr)
        return 1
    except DinhdanhError as error:
        print(error.text(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal itself may have gone
            print("\nĐã dừng / stopped", flush=True)
        return 0


def _run(ground: Ground, *, set_up_only: bool) -> int:
    started = time.monotonic()
    ground.prepare()
    if ground.tls:
        certificate.ensure(ground)
    values = province.set_up(ground)
    if set_up_only:
        return 0
    with Children(logs=ground.logs, environment=ground.environment, cwd=ROOT) as children:
        with step("Khởi động / starting"):
            start(ground, children)
        movers = standing.of_movers(ground, values["users"])
        guide.serve(ground, values, movers)
        seconds = time.monotonic() - started
        print(screen.show(ground, values, movers, seconds=seconds), flush=True)
        fallen = children.watch()
        raise CannotStart(f"{fallen.name} đã dừng / has stopped:\n{fallen.last_lines()}")


def start(ground: Ground, children: Children, *, serve: tuple[str, ...] = ()) -> None:
    """Start everything and return when all of it answers.

    ``serve`` is the command that runs Dinhdanh, for tests that run a broken build.
    """
    command = serve or (sys.executable, "-m", "idp.commands.main", "serve", "--with-worker")
    children.start("dinhdanh", command)
    start_neighbours(ground, children)
    settings = ground.settings
    own = f"{ground.scheme}://{settings.host}:{settings.port}/healthz"
    children.wait_until_answering([own, *neighbours(ground)], ca_file=ground.ca_file)


def start_neighbours(ground: Ground, children: Children) -> None:
    """Start the two applications and the simulator of VNeID."""
    for app in ground.apps:
        config = clients.app_config(ground, app)
        children.start(app.code, (sys.executable, "-m", "examples.apps", str(config)))
    children.start(identities.NAME, (sys.executable, *identities.command(ground)))


def neighbours(ground: Ground) -> list[str]:
    """Where they say whether they are ready."""
    ports = (*(app.port for app in ground.apps), ground.eid_port)
    return [f"http://127.0.0.1:{port}/healthz" for port in ports]


def two_beside(port: int) -> int:
    """The first of two ports for the simulator and the guide: the fourth and fifth after ours, else
    some of which credentials.json and the screen tell.
    """
    try:
        require_free(dict.fromkeys((port + 3, port + 4), ""))
    except CannotStart:
        return ports.reserve(2).first
    return port + 3


def _forget(ground: Ground) -> None:
    """Remove the folder, if it is one of ours."""
    if not ground.folder.exists():
        return
    if not ground.config_file.exists() and any(ground.folder.iterdir()):
        raise CannotStart(f"{ground.folder} không phải của bản demo / is not a demonstration's")
    shutil.rmtree(ground.folder)


def _interrupt(*_: object) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # once is enough: everything is being ended
    raise KeyboardInterrupt


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())
