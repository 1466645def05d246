"""Named places where the crash tests may kill this process.

Nothing happens unless ``DINHDANH_FAILPOINTS_DIR`` names a directory: a test then asks for a
death at a point by creating ``<dir>/<name>.kill``. The file is removed before the process dies,
so that each request kills once, and ``<dir>/<name>.hit`` records that the point was reached.
With ``parent`` in the file it is the parent that is killed, and this process waits at the point
to be taken along.
"""

import os
import signal
import threading
from pathlib import Path

_DIRECTORY = os.environ.get("DINHDANH_FAILPOINTS_DIR")


def failpoint(name: str) -> None:
    """Die here by SIGKILL if the test environment has asked for it; otherwise do nothing."""
    if _DIRECTORY is None:
        return
    directory = Path(_DIRECTORY)
    (directory / f"{name}.hit").touch()
    request = directory / f"{name}.kill"
    try:
        whom = request.read_text("ascii")
        request.unlink()
    except FileNotFoundError:
        return
    if whom.strip() == "parent":
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait()
    os.kill(os.getpid(), signal.SIGKILL)
