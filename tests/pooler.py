"""PgBouncer between an installation and the tests' PostgreSQL server, set up as docs/operations.md says.

with Pooler(SERVER, role, mode="transaction") as pooler:
    Settings(database_url=pooler.url(database_url))
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

from dinhdanh import ports
from tests.conftest import missing
from tests.serving import ROOT, until

PROGRAM = Path("/usr/sbin/pgbouncer")
_CODE = re.compile(r"```(ini|sql)\n(.*?)```", re.DOTALL)


def advised(language: str) -> str:
    """What docs/operations.md gives to be copied, of its section on PgBouncer."""
    section = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("### Behind PgBouncer")
    found = dict(_CODE.findall(section[2].partition("\n### ")[0]))
    return str(found[language])


def told_of(role: str) -> list[str]:
    """What the server is told of the role, statement by statement."""
    statements = advised("sql").replace(" dinhdanh ", f' "{role}" ').split(";")
    return [each.strip() for each in statements if each.strip()]


class Pooler:
    """Lends ``size`` connections of each role's, until its block ends."""

    def __init__(self, server: str, role: str, *, size: int = 3, **settings: str) -> None:
        if not PROGRAM.exists():
            missing("PgBouncer")
        self._server, self._role = make_url(server), role
        self._block = ports.reserve(1)
        own = dict(re.findall(r"^(\w+) *= *(.*)$", advised("ini"), re.MULTILINE)) | settings
        self._folder = Path(tempfile.mkdtemp(prefix="dinhdanh-pooler."))
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self._block.first),
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": str(self._folder / "users"),
            "logfile": str(self._folder / "log"),
            "default_pool_size": str(size),
            "max_client_conn": "200",
            **own,
        }
        there = self._server.query
        behind = f"host={there.get('host') or self._server.host} port={there.get('port') or 5432}"
        lines = ["[databases]", f"* = {behind}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in given.items()]
        (self._folder / "ini").write_text("\n".join(lines) + "\n", "utf-8")
        (self._folder / "users").write_text(f'"{role}" ""\n', "utf-8")

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            for each in (self._folder, *self._folder.iterdir()):
                shutil.chown(each, "postgres")
        self.start()
        return self

    def start(self) -> None:
        """Begin, and wait until it answers."""
        as_nobody = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [*as_nobody, str(PROGRAM), "-q", str(self._folder / "ini")],
            cwd="/",
            stderr=subprocess.DEVNULL,
        )
        assert until(self._answers, within=60), self.log()

    def stop(self) -> None:
        """End every connection, and be gone."""
        self._process.terminate()
        self._process.wait(60)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)
        self._block.release()

    def url(self, database: str) -> str:
        """A database of the server's, through this pooler."""
        through = self._server.set(
            username=self._role,
            host="127.0.0.1",
            port=self._block.first,
            query={},
            database=database,
        )
        return through.render_as_string(hide_password=False)

    def log(self) -> str:
        """What it has said."""
        file = self._folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _answers(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", self._block.first)) == 0
