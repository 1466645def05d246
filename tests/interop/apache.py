"""A real Apache on a port of its own, with mod_auth_openidc and a page that shows who came.

The page is made by server-side includes: it prints what an application behind Apache would read
from its environment, one name=value a line.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.conftest import missing
from tests.crash.installation import wait_for

BINARY = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
MODULE = MODULES / "mod_auth_openidc.so"
LOADED = (
    "mpm_event",
    "socache_shmcb",
    "ssl",
    "headers",
    "proxy",
    "proxy_http",
    "authn_core",
    "authz_core",
    "authz_user",
    "dir",
    "filter",
    "include",
    "auth_openidc",
)
PAGE = """<!--#config errmsg="" --><!--#printenv -->"""
BASE = """
ServerRoot {folder}
ServerName localhost:{port}
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
LogLevel warn auth_openidc:info
{user}
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 16
DocumentRoot {folder}/pages
DirectoryIndex index.html
<Directory {folder}/pages>
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>
"""


@dataclass
class Apache:
    """Serving until the ``running`` it comes from ends."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def log(self) -> str:
        """What it said before it could open its log, and since."""
        said = (self.folder / "startup", self.folder / "log")
        return "".join(f.read_text("utf-8", errors="replace") for f in said if f.exists())

    def errors(self) -> str:
        """What it complained of."""
        return "\n".join(line for line in self.log().splitlines() if ":error]" in line)


def shown(page: Any) -> dict[str, str]:
    """What the page says, by name."""
    lines = [line.partition("=") for line in page.text.splitlines()]
    return {name: unescape(value) for name, _, value in lines}


def require() -> None:
    """Skip or fail where Apache or the module is not installed."""
    for needed in (BINARY, MODULE):
        if not needed.exists():
            missing(str(needed))


@contextlib.contextmanager
def running(port: int, directives: str, *, paths: tuple[str, ...] = ()) -> Iterator[Apache]:
    """Apache with these directives and the page at "/" and ``paths``; as www-data, not root."""
    require()
    folder = Path(tempfile.mkdtemp(prefix="dinhdanh-apache."))
    folder.chmod(0o755)
    for path in ("", *paths):
        (folder / "pages" / path).mkdir(parents=True)
        (folder / "pages" / path / "index.html").write_text(PAGE)
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    modules = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED]
    base = BASE.format(folder=folder, port=port, user=user)
    (folder / "httpd.conf").write_text("\n".join([*modules, base, directives]), "utf-8")
    with (folder / "startup").open("wb") as startup:
        process = subprocess.Popen(
            [str(BINARY), "-f", str(folder / "httpd.conf"), "-DFOREGROUND"], stderr=startup
        )
    made = Apache(folder, port)
    try:

        def listens() -> bool:
            if process.poll() is not None:
                raise AssertionError(made.log())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_for("Apache", listens)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def keys() -> Iterator[tuple[Path, str]]:
    """A folder with an RSA key pair that Apache can read, and the name of the pair."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    folder = Path(tempfile.mkdtemp(prefix="dinhdanh-keys."))
    folder.chmod(0o755)
    try:
        (folder / "key.pem").write_bytes(private)
        (folder / "public.pem").write_bytes(public)
        yield folder, "apache-1"
    finally:
        shutil.rmtree(folder)
