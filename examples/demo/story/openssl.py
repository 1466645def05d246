"""Certificates as a stranger checks them: ``openssl`` and the published addresses, nothing else."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import httpx2

from examples.demo.story.telling import NotSo

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Checker:
    """A folder with a key, a certificate, and the authority's chain and list fetched afresh."""

    def __init__(self, issuer: str, *, verify: Any = True) -> None:
        self._issuer = issuer
        self._http = httpx2.Client(verify=verify, timeout=10.0, trust_env=False)
        self._folder = tempfile.TemporaryDirectory(prefix="dinhdanh-story-")
        self.folder = Path(self._folder.name)

    def close(self) -> None:
        """Remove the folder with the key."""
        self._folder.cleanup()

    def request(self, name: str) -> str:
        """A new key and a CSR for it; the key stays in the folder."""
        self._openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "own.key", "-out", "own.csr", "-subj", f"/CN={name}", "-utf8",
        )  # fmt: skip
        return (self.folder / "own.csr").read_text()

    def keep(self, pem: str) -> str:
        """Keep the certificate; its serial number in hexadecimal."""
        found = _PEM.findall(pem)
        if not found:
            raise NotSo("the certificate", "PEM", pem[:200])
        (self.folder / "own.pem").write_text(found[0] + "\n")
        return (
            self._openssl("x509", "-in", "own.pem", "-noout", "-serial").strip().partition("=")[2]
        )

    def verify(self) -> tuple[bool, str]:
        """Chain and CRL: whether it holds, and what openssl said."""
        self._fetch_authority()
        answer = self._http.get(f"{self._issuer}/pki/crl.der")
        if answer.status_code != 200:
            raise NotSo("the CRL", "200", answer.status_code)
        (self.folder / "crl.der").write_bytes(answer.content)
        self._openssl("crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem")
        done = self._run(
            "verify", "-crl_check", "-CAfile", "root.pem", "-untrusted", "chain.pem",
            "-CRLfile", "crl.pem", "own.pem",
        )  # fmt: skip
        return done.returncode == 0, f"{done.stdout} {done.stderr}"

    def crl_reason(self, serial: str) -> str | None:
        """The reason the list gives for this serial; None when it is not listed."""
        text = self._openssl("crl", "-in", "crl.pem", "-noout", "-text")
        wanted = serial.lstrip("0").upper()
        for entry in text.split("Serial Number:")[1:]:
            if entry.split()[0].lstrip("0").upper() == wanted:
                reason = re.search(r"Reason Code:\s*(\S[^\n]*)", entry)
                return reason.group(1).strip() if reason else "unspecified"
        return None

    def ocsp(self) -> tuple[str, str | None]:
        """Status and reason, from the address in the certificate; the answer is verified."""
        url = self._openssl("x509", "-in", "own.pem", "-noout", "-ocsp_uri").strip()
        done = self._run(
            "ocsp", "-issuer", "issuing.pem", "-cert", "own.pem", "-url", url,
            "-CAfile", "root.pem", "-verify_other", "chain.pem", "-nonce", "-no_cert_verify",
            timeout=15,
        )  # fmt: skip
        if "Response verify OK" not in done.stderr + done.stdout:
            raise NotSo("openssl ocsp", "Response verify OK", done.stderr + done.stdout)
        status = re.search(r"own\.pem: (\w+)", done.stdout)
        reason = re.search(r"Reason: (\w+)", done.stdout)
        return status.group(1) if status else "?", reason.group(1) if reason else None

    def _fetch_authority(self) -> None:
        """The chain, root last (``/pki/ca.pem``)."""
        if (self.folder / "root.pem").exists():
            return
        answer = self._http.get(f"{self._issuer}/pki/ca.pem")
        found = _PEM.findall(answer.text)
        if answer.status_code != 200 or len(found) < 2:
            raise NotSo("/pki/ca.pem", "issuing and root certificate", answer.status_code)
        (self.folder / "chain.pem").write_text("\n".join(found) + "\n")
        for pem in found:
            (self.folder / "some.pem").write_text(pem + "\n")
            names = self._openssl("x509", "-in", "some.pem", "-noout", "-subject", "-issuer")
            subject, issuer = (line.partition("=")[2] for line in names.splitlines())
            name = "root.pem" if subject == issuer else "issuing.pem"
            (self.folder / name).write_text(pem + "\n")

    def _openssl(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise NotSo(f"openssl {arguments[0]}", "exit status 0", done.stderr)
        return done.stdout

    def _run(self, *arguments: str, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["openssl", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
