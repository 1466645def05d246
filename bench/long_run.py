"""What web and worker hold of the machine's memory while they are used for long.

    python -m bench.long_run                                   20,000 operations, on SQLite
    scripts/with-postgresql .venv/bin/python -m bench.long_run --operations 5000 --clients 4

Everybody signs in again and again and does all that is measured elsewhere; at each mark somebody is
suspended and resumed at the command line, so that the worker has something to do. Printed is the
proportional share (PSS, Linux) of each process: pages that several share are counted once among
all of them.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench import database, meter
from bench.installation import Installed, Tree, installed
from bench.operations import OPERATIONS, User

MARKS = (0.05, 0.25, 0.5, 0.75, 1.0)
"""Of all operations; beside them the first line tells what was there before the first one."""
MIX = {
    "full sign-in": 1,
    "client_credentials": 4,
    "silent sign-in": 2,
    "refresh": 4,
    "introspection (opaque)": 3,
    "introspection (JWT)": 1,
    "userinfo": 3,
    "revocation": 1,
    "PAR + DPoP flow": 1,
}
"""How often each is done in one round; what it uses up is a silent sign-in more."""
_DECISION = ("--number", "12/QĐ-SNV", "--date", "01/03/2026", "--issuer", "Sở Nội vụ")
_KNOWN = {each.name: each for each in OPERATIONS}


def main() -> None:
    """Use it, and print what it holds."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.long_run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=4, help="at the same time (default 4)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = os.environ.get("TEST_DATABASE_URL", "")
    with (
        database.fresh(server) as made,
        installed(Tree("this tree"), made, asked.clients + 1) as served,
        served.users() as everybody,
    ):
        run(served, everybody, asked.operations)


def run(served: Installed, everybody: list[User], operations: int) -> None:
    """The last of them is the one who is suspended; the others work."""
    *users, suspended = everybody
    began, done = time.monotonic(), 0
    _tell(served, done, began)
    with ThreadPoolExecutor(len(users)) as threads:
        for mark in MARKS:
            while done < operations * mark:
                done += sum(threads.map(_round, users))
            suspended.caller.renew()
            suspended.sign_in(suspended.parties.web)
            for kind in ("suspend", "resume"):
                _command(served, "change", kind, suspended.person.username, *_DECISION, "--yes")
            _tell(served, done, began)


def _round(user: User) -> int:
    """How many operations it was."""
    done = 0
    user.caller.renew()
    for name, times in MIX.items():
        operation = _KNOWN[name]
        value = operation.ready(user)
        done += value is not None
        for _ in range(times):
            value = operation.run(user, value)
            done += 1
    return done


def _command(served: Installed, *words: str) -> None:
    environment = os.environ | {"DINHDANH_CONFIG": str(served.config)}
    command = [*Tree("this tree").command(), *words]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _tell(served: Installed, done: int, began: float) -> None:
    held = {name: meter.memory(pid) for name, pid in _processes(served.pid).items()}
    parts = ", ".join(f"{name} {size:.1f}" for name, size in held.items())
    whole = sum(held.values())
    print(f"{done:6} operations, {time.monotonic() - began:4.0f} s: {whole:.1f} MB ({parts})")
    sys.stdout.flush()


def _processes(root: int) -> dict[str, int]:
    """By what each does: the parent of all, the server's own main process, web and worker."""
    found = {"parent": root}
    for pid in sorted(meter.tree(root) - {root}):
        if meter.parent(pid) != root:
            found["web"] = pid
        elif meter.tree(pid) != {pid}:
            found["server"] = pid
        else:
            found["worker"] = pid
    return found


if __name__ == "__main__":
    main()
