"""A PostgreSQL server of one test's own, which it may stop and set up as it likes.

with Cluster() as cluster:
    Settings(database_url=cluster.url)
    cluster.restart()
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.conftest import missing

_PORT = 5434
"""Of the socket in the cluster's own folder."""


class Cluster:
    """Lives until its block ends; run by root, as the user ``postgres``."""

    def __enter__(self) -> Self:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found or os.geteuid() != 0:
            missing("PostgreSQL's programs, run by root")
        self._programs = found[-1].parent
        self._folder = Path(tempfile.mkdtemp(prefix="dinhdanh-pg."))
        shutil.chown(self._folder, "postgres")
        self._do("initdb", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do("pg_ctl", "-m", "immediate", "stop", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Of its one database."""
        return f"postgresql://postgres@/postgres?host={self._folder}&port={_PORT}"

    def start(self) -> None:
        """Begin, and wait until it answers."""
        options = f"-k {self._folder} -p {_PORT} -c listen_addresses='' -c fsync=off"
        self._do("pg_ctl", "-l", str(self._folder / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        """End every connection, and be gone."""
        self._do("pg_ctl", "-m", "fast", "-w", "stop")

    def restart(self) -> None:
        """The same server, and nothing in it is known any more of any connection."""
        self.stop()
        self.start()

    def _do(self, program: str, *arguments: str, check: bool = True) -> None:
        subprocess.run(
            [
                *("runuser", "-u", "postgres", "--", str(self._programs / program)),
                *("-D", str(self._folder / "data")),
                *arguments,
            ],
            check=check,
            capture_output=True,
            cwd="/",
        )
