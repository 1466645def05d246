"""Named places where the crash tests may kill this process.

Nothing happens unless ``DINHDANH_FAILPOINTS_DIR`` names a directory: a test then asks for a
death at a point by creating ``<dir>/<name>.kill``. The file is removed before the process dies,
so that each request kills once, and ``<dir>/<name>.hit`` records that the point was reached.
"""

import os
import signal
from pathlib import Path

_DIRECTORY = os.environ.get("DINHDANH_FAILPOINTS_DIR")


def failpoint(name: str) -> None:
    """Die here by SIGKILL if the test environment has asked for it; otherwise do nothing."""
    if _DIRECTORY is None:
        return
    directory = Path(_DIRECTORY)
    (directory / f"{name}.hit").touch()
    try:
        (directory / f"{name}.kill").unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
