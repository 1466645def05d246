"""Where builds wait to come on: one process that has read others' libraries and nothing of ours.

    python tests/story/wings.py < orders > answers

An order is a line of JSON. ``{"start": NAME, "log": FILE}`` has a child of this process become the
build of that name (null: the product as it is) and is answered with its process id; ``{"end":
PID}`` ends it and everything it started. Whatever still runs at the end of the orders is ended.

A build must be broken before the product is read, for much of it takes what it needs when it is
read; but the libraries under it are the same for all, and reading them is half of a start.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = (
    "alembic.command",
    "authlib.oauth2.rfc9101",
    "authlib.oidc.core.grants",
    "babel.messages.pofile",
    "cryptography.x509.ocsp",
    "email_validator",
    "flask_bootstrap",
    "flask_wtf.csrf",
    "granian.server",
    "httpx2",
    "joserfc.jwt",
    "nacl.pwhash",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "scim2_models",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "structlog",
    "wtforms",
)
ENDED_WITHIN = 15.0
_PR_SET_PDEATHSIG = 1


def start(name: str | None, log: Path) -> int:
    """Fork, and be the build in the child."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
        import broken  # beside this file; it reads the product

        broken.main(name, ["serve", "--with-worker"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 (whatever it is, it goes to the log)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end(pid: int) -> None:
    """Ask the whole group to end; end what does not."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDED_WITHIN
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def answer(what: object) -> None:
    """One line."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    """Do what is ordered."""
    sys.path.insert(0, str(ROOT))
    gc.disable()
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()  # the children share it; in each the collector begins with its command
    running: set[int] = set()
    try:
        for line in sys.stdin:
            order = json.loads(line)
            if "end" in order:
                running.discard(order["end"])
                end(order["end"])
                answer("ended")
            else:
                running.add(pid := start(order["start"], Path(order["log"])))
                answer(pid)
    finally:
        for pid in running:
            end(pid)


if __name__ == "__main__":
    main()
