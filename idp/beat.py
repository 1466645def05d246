"""A sign of life: the file that a worker touches, for ``/readyz`` and the metrics."""

from datetime import datetime
from pathlib import Path

from directory.base import private

FILE = "worker.beat"


def show(data_dir: Path) -> None:
    """The worker lives."""
    private.folder(data_dir)
    (data_dir / FILE).touch()


def age(data_dir: Path, now: datetime) -> float | None:
    """Seconds since a worker on this machine last showed that it lives; None without one."""
    try:
        return max(0.0, now.timestamp() - (data_dir / FILE).stat().st_mtime)
    except OSError:
        return None
