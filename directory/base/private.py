"""Files and folders that only their owner may read, whatever the umask of whoever made them."""

import contextlib
import os
import stat
from pathlib import Path

FILE = 0o600
FOLDER = 0o700
_PARENT = 0o755
_OTHERS = 0o077


def folder(path: Path) -> None:
    """Make it (0700) and the folders above it (0755) where they are missing. Raises OSError."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was first
            each.mkdir(FOLDER if each == path else _PARENT)


def file(path: Path) -> None:
    """Make it, empty (0600), where it is missing and its folder is there. Raises OSError."""
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE))


def wanted(path: Path) -> int:
    """The mode it ought to have."""
    return FOLDER if path.is_dir() else FILE


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may do anything with it; one that is not there is."""
    try:
        return not stat.S_IMODE(path.stat().st_mode) & _OTHERS
    except OSError:
        return True
