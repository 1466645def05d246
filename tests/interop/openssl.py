"""A house of authorities and people made by ``openssl`` alone, as an administrator would."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import missing

CA = """
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
PERSON = """
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, nonRepudiation
extendedKeyUsage = clientAuth, emailProtection
"""
CONFIG = """
[ca]
default_ca = ours
[ours]
database = {folder}/index
crlnumber = {folder}/crlnumber
default_md = sha256
default_crl_days = 7
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
policy = anything
[anything]
countryName = optional
organizationName = optional
commonName = supplied
"""


@dataclass
class House:
    """In a folder: ``root``, ``issuing`` and people, each as ``.pem`` and ``.key``."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> "House":
        if shutil.which("openssl") is None:
            missing("openssl")
        made = cls(folder)
        (folder / "ca.conf").write_text(CONFIG.format(folder=folder))
        (folder / "index").touch()
        (folder / "crlnumber").write_text("01\n")
        made.issue("root", "/C=VN/O=Ban Cơ yếu/CN=Root CA", by=None, extensions=CA, days=3650)
        made.issue("issuing", "/C=VN/O=Ban Cơ yếu/CN=CA phục vụ G2", by="root", extensions=CA)
        return made

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", errors="replace")
        return done.stdout.decode("utf-8", errors="replace")

    def issue(
        self,
        name: str,
        subject: str = "/C=VN/O=UBND tỉnh/CN=Lê Thị Lan",
        *,
        by: str | None = "issuing",
        key: str | None = None,
        extensions: str = PERSON,
        days: int = 365,
    ) -> None:
        """A certificate of a new key, or of that of another name."""
        if key is None:
            self.run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        else:
            shutil.copy(self.folder / f"{key}.key", self.folder / f"{name}.key")
        self._request(name, subject)
        (self.folder / "extensions").write_text(extensions)
        signed = ("-signkey", f"{name}.key")
        if by is not None:
            signed = ("-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial")
        what = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "extensions")
        self.run("x509", "-req", "-days", str(days), *what, *signed)

    def issue_long_ago(self, name: str, *, key: str, subject: str = "/C=VN/CN=Lan") -> None:
        """One that has expired."""
        shutil.copy(self.folder / f"{key}.key", self.folder / f"{name}.key")
        self._request(name, subject)
        (self.folder / "extensions").write_text(PERSON)
        when = ("-startdate", "20250101000000Z", "-enddate", "20250201000000Z")
        what = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "extensions")
        self._ca("-batch", "-notext", *when, *what)

    def _request(self, name: str, subject: str) -> None:
        self.run(
            "req", "-new", "-utf8", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr"
        )

    def _ca(self, *arguments: str) -> None:
        by = ("-cert", "issuing.pem", "-keyfile", "issuing.key")
        self.run("ca", "-config", "ca.conf", *by, *arguments)

    def crl(self) -> bytes:
        """The issuing authority's list of today."""
        self._ca("-gencrl", "-out", "issuing.crl")
        return (self.folder / "issuing.crl").read_bytes()

    def revoke(self, name: str) -> None:
        self._ca("-revoke", f"{name}.pem")

    @property
    def bundle(self) -> bytes:
        return b"".join((self.folder / f"{one}.pem").read_bytes() for one in ("root", "issuing"))
