"""A private mail server, Debian's exim, on free ports: with a certificate, a password and a greylist.

It runs as whoever runs the tests, or as nobody where that is root, from a configuration of its own; what it
takes lies in one maildir.
"""

import email
import email.policy
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from dinhdanh import ports
from tests.slapd_fixture import Authority

EXIM = "/usr/sbin/exim4"
USER, PASSWORD = "dinhdanh", "mật khẩu gửi thư"
DOMAIN = "thanhhoa.example"
CONFIGURATION = """
exim_user = {user}
exim_group = {group}
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = {plain} : {tls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/pid
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
keep_environment =
deliver_drop_privilege = true
host_lookup =
rfc1413_hosts =
begin acl
rcpt:
  defer condition = ${{if exists{{{folder}/greylisted}}{{yes}}{{no}}}}
        message = 4.7.1 Greylisted, try again
  deny local_parts = khong-co
       message = 5.1.1 No such person: $local_part@$domain
  accept authenticated = *
         domains = {domain}
  deny message = 5.7.1 Relay not permitted
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{name}}}}}{{eq{{$auth3}}{{{password}}}}}}}{{yes}}{{no}}}}
  server_set_id = $auth2
"""


class PrivateExim:
    """``exim4`` in a folder of its own."""

    def __init__(self, folder: Path, authority: Authority, host: str = "localhost") -> None:
        self.folder = folder
        self.plain, self.tls = ports.reserve(2)
        own = pwd.getpwuid(os.getuid() or pwd.getpwnam("nobody").pw_uid)
        for each in ("spool", "log", "mail"):
            (folder / each).mkdir()
        certificate, key = authority.issue(host)
        shutil.copy(certificate, folder / "certificate.pem")
        shutil.copy(key, folder / "key.pem")
        (folder / "configuration").write_text(
            CONFIGURATION.format(
                user=own.pw_uid,
                group=own.pw_gid,
                plain=self.plain,
                tls=self.tls,
                folder=folder,
                domain=DOMAIN,
                name=USER,
                password=PASSWORD,
            ),
            "utf-8",
        )
        for each in (folder, *folder.rglob("*")):
            os.chown(each, own.pw_uid, own.pw_gid)
        self._as = None if os.getuid() else (own.pw_uid, own.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        user, group = self._as or (None, None)
        with (self.folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                [EXIM, "-C", str(self.folder / "configuration"), "-bdf"],
                stdout=out,
                stderr=out,
                user=user,
                group=group,
                extra_groups=[] if user is not None else None,
            )
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.plain)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "out").read_text()
            time.sleep(0.05)
        raise AssertionError("exim does not answer")

    def stop(self) -> None:
        """End it and whatever it has begun."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def greylist(self, *, on: bool) -> None:
        """Whether it puts everybody off."""
        marker = self.folder / "greylisted"
        marker.touch() if on else marker.unlink()

    def letters(self, wanted: int) -> list[EmailMessage]:
        """What has been delivered, once there are so many."""
        for _ in range(1200):
            found = sorted((self.folder / "mail").glob("new/*"))
            if len(found) >= wanted:
                break
            time.sleep(0.05)
        return [
            email.message_from_bytes(each.read_bytes(), policy=email.policy.default)
            for each in found
        ]

    def empty(self) -> None:
        """Forget what has been delivered."""
        for each in (self.folder / "mail").glob("new/*"):
            each.unlink()


@pytest.fixture(scope="session")
def exim(authority: Authority) -> Iterator[PrivateExim]:
    """A running mail server."""
    if not Path(EXIM).exists():
        from tests.conftest import missing

        missing("exim4")
    folder = Path(tempfile.mkdtemp(prefix="dinhdanh-exim."))
    server = PrivateExim(folder, authority)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
