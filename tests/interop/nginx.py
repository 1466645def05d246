"""Debian's nginx on a port of its own, with a server as docs/signing-in.md sets it up."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import missing
from tests.crash.installation import wait_for
from tests.interop.tls import Credential

DOCUMENT = Path(__file__).parents[2] / "docs" / "signing-in.md"
BINARY = Path("/usr/sbin/nginx")
BASE = """
pid {folder}/pid;
error_log {folder}/log info;
worker_processes 1;
daemon off;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/b;
  proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  ssl_certificate {folder}/server.pem;
  ssl_certificate_key {folder}/server.key;
{servers}
}}
"""


def certificates(edge: int, app: int) -> str:
    """The document's server for certificates, at a port of this machine."""
    text = DOCUMENT.read_text("utf-8")
    found = re.search(r"```nginx\n# certificates\n(.*?)\nserver {", text, re.DOTALL)
    assert found is not None
    return (
        found[1]
        .replace("listen 443 ssl", f"listen 127.0.0.1:{edge} ssl")
        .replace("server_name chung-thu.dangnhap.example.gov.vn", "server_name localhost")
        .replace("127.0.0.1:8000", f"127.0.0.1:{app}")
    )


@contextlib.contextmanager
def running(servers: str, own: Credential, *, port: int) -> Iterator[Path]:
    """nginx with these servers and this certificate; the folder with its log."""
    if not BINARY.exists():
        missing(str(BINARY))
    folder = Path(tempfile.mkdtemp(prefix="dinhdanh-nginx."))
    folder.chmod(0o755)
    (folder / "server.pem").write_text(own.pem)
    (folder / "server.key").write_text(own.key_pem)
    (folder / "nginx.conf").write_text(BASE.format(folder=folder, servers=servers), "utf-8")
    with (folder / "startup").open("wb") as startup:
        process = subprocess.Popen(
            [str(BINARY), "-p", str(folder), "-c", str(folder / "nginx.conf")],
            stdout=startup,
            stderr=startup,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
    try:

        def listens() -> bool:
            if process.poll() is not None:
                raise AssertionError((folder / "startup").read_text("utf-8", errors="replace"))
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_for("nginx", listens)
        yield folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
