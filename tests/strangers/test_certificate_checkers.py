"""A person's certificate as programs that are not ours check it: accepted while good, refused when not.

nginx, Apache, HAProxy and Java, each in every way it can be told to ask; and openssl, with what
is published and nothing else.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from sqlalchemy import text

from tests import hr_world
from tests.browser_client import submit
from tests.certificates import csr, served
from tests.hr_world import Hr
from tests.strangers import relying_servers
from tests.strangers.relying_servers import BLIND, CACHED, CHECKERS, Credential, Folder

LIFE = 2
"""How many seconds an OCSP answer is good for here."""


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """The time those programs believe it is."""
    from directory.base.clock import system_clock

    return system_clock


@pytest.fixture
def ports() -> list[int]:
    """Free ports: ours first."""
    with contextlib.ExitStack() as stack:
        taken = [
            stack.enter_context(create_server(("127.0.0.1", 0))) for _ in range(len(CHECKERS) + 1)
        ]
        return [int(t.getsockname()[1]) for t in taken]


@pytest.fixture
def settings(make_settings: Callable[..., Any], ports: list[int]) -> Any:
    """An installation that is reached by its real address."""
    return make_settings(issuer=f"http://127.0.0.1:{ports[0]}", ocsp_life=LIFE)


@pytest.fixture
def cert(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``dinhdanh cert`` on this installation."""
    from idp.cli import cli

    for name in ("issuer", "data_dir", "ocsp_life"):
        monkeypatch.setenv(f"DINHDANH_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("DINHDANH_DATABASE_URL", settings.database)
    monkeypatch.setenv("DINHDANH_KEYRING_FILE", str(settings.keyring))

    def run(*args: str, **more: Any) -> str:
        done = CliRunner().invoke(cli, ["cert", *args], **more)
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture
def hr(
    services: Any, clock: Any, app: Flask, cert: Callable[..., str], ports: list[int]
) -> Iterator[Hr]:
    """An office whose authority was made under its real address, served over a socket."""
    with services.db.write() as session:
        session.execute(text("DELETE FROM crl"))
        session.execute(text("DELETE FROM authority"))
    cert("init")
    with served(app, ports[0]):
        yield hr_world.build(services, clock, app)


def ask(hr: Hr, who: str = "lan") -> Credential:
    """A certificate from the portal."""
    key = ec.generate_private_key(ec.SECP256R1())
    browser = hr.browser(who)
    page = browser.get("/portal/certificates")
    answer = submit(browser, page, csr=csr(key), **{"as": "file"})
    assert answer.status_code == 200, answer.text
    return Credential(key, answer.text)


def decide(hr: Hr, kind: str, **more: Any) -> None:
    """A decision about Lan that counts at once."""
    body = {
        "kind": kind,
        "user": hr.names["lan"],
        "effective_on": f"{hr.clock() + timedelta(hours=7):%Y-%m-%d}",
        "decision": {"number": "3/QĐ", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"},
    }
    made = hr.api(hr.token()).commit(**body, **more)
    assert made.status_code in (200, 201), made.text


def files(hr: Hr, shown: Credential, where: Path) -> Folder:
    """What is published, in a folder."""
    folder = Folder(where, hr.services.settings.issuer, shown.leaf)
    folder.fetch()
    root = folder.trust[-1].public_bytes(Encoding.PEM)
    (where / "root.pem").write_bytes(root)
    (where / "leaf.pem").write_bytes(shown.leaf.public_bytes(Encoding.PEM))
    (where / "chain.pem").write_bytes(
        b"".join(c.public_bytes(Encoding.PEM) for c in (shown.leaf, folder.trust[0]))
    )
    return folder


def run(*command: str | Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def verify(where: Path) -> tuple[int, str]:
    return run(
        "openssl", "verify", "-crl_check_all", "-x509_strict", "-purpose", "sslclient",
        "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "crl.pem", "leaf.pem",
        cwd=where,
    )  # fmt: skip


def ocsp(where: Path, which: str, issuer: str) -> tuple[int, str]:
    """openssl asks at the address in a certificate, and trusts nothing but the root."""
    certificate = x509.load_pem_x509_certificate((where / f"{which}.pem").read_bytes())
    (url,) = relying_servers.addresses(certificate)["ocsp"]
    return run(
        "openssl", "ocsp", "-issuer", f"{issuer}.pem", "-cert", f"{which}.pem",
        "-CAfile", "root.pem", "-url", url,
        cwd=where,
    )  # fmt: skip


CHANGES: dict[str, dict[str, Any]] = {
    "leave": {"kind": "leave", "reason": "retire"},
    "suspend": {"kind": "suspend"},
    "transfer": {"kind": "transfer", "position": "CV"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_openssl_checks_the_whole_chain_by_what_is_published(
    hr: Hr, tmp_path: Path, change: str
) -> None:
    shown = ask(hr)
    files(hr, shown, tmp_path)
    assert verify(tmp_path) == (0, "leaf.pem: OK\n")
    more = {"to_unit": hr.units["b"]} if change == "transfer" else {}
    decide(hr, **CHANGES[change], **more)
    files(hr, shown, tmp_path)
    status, said = verify(tmp_path)
    assert status != 0
    assert "certificate revoked" in said


def test_openssl_is_answered_about_the_whole_chain(hr: Hr, tmp_path: Path) -> None:
    """Each answer brings the certificate of whoever signed it, and says how long it is good."""
    shown = ask(hr)
    files(hr, shown, tmp_path)
    for which, issuer in (("leaf", "issuing"), ("issuing", "root")):
        status, said = ocsp(tmp_path, which, issuer)
        assert status == 0, said
        assert "Response verify OK" in said
        assert f"{which}.pem: good" in said
        assert "This Update:" in said
        assert "Next Update:" in said
    decide(hr, "leave", reason="retire")
    status, said = ocsp(tmp_path, "leaf", "issuing")
    assert "leaf.pem: revoked" in said


@pytest.mark.slow  # three servers are started twice
def test_servers_let_a_good_certificate_in_and_no_other(hr: Hr, ports: list[int]) -> None:
    shown, other = ask(hr), ask(hr, "mai")
    relying_servers.require("nginx", "apache2", "haproxy")
    issuer = hr.services.settings.issuer
    with relying_servers.laid_out(issuer, ports[0], shown.leaf, ports[1:]) as folder:

        def seen(credential: Credential) -> dict[str, bool]:
            return {n: relying_servers.accepts(folder, n, credential) for n in CHECKERS}

        with relying_servers.running(folder):
            assert seen(shown) == dict.fromkeys(CHECKERS, True), relying_servers.logs(folder)
            decide(hr, "leave", reason="retire")
            asking = [n for n in CHECKERS if "ocsp" in n.lower()]
            time.sleep(LIFE + 1.5)  # what nginx keeps in its cache
            after = {n: relying_servers.accepts(folder, n, shown) for n in asking}
            assert after == dict.fromkeys(asking, False), relying_servers.logs(folder)
            assert relying_servers.accepts(folder, CACHED, other)
        folder.fetch()
        with relying_servers.running(folder):
            refused = dict.fromkeys(CHECKERS, False) | {BLIND: True}
            assert seen(shown) == refused, relying_servers.logs(folder)
            assert seen(other) == dict.fromkeys(CHECKERS, True), relying_servers.logs(folder)


@pytest.mark.slow  # a Java program is compiled and run twice
def test_java_believes_a_good_certificate_and_no_other(hr: Hr, tmp_path: Path) -> None:
    relying_servers.require("java", "javac")
    shown = ask(hr)
    program = Path(relying_servers.__file__).with_name("PkixCheck.java")
    shutil.copy(program, tmp_path)
    assert run("javac", "-d", ".", "PkixCheck.java", cwd=tmp_path) == (0, "")

    def look() -> dict[str, str]:
        files(hr, shown, tmp_path)
        status, said = run(
            "java", "-Dcom.sun.security.enableCRLDP=true", "-cp", ".", "PkixCheck", ".",
            cwd=tmp_path,
        )  # fmt: skip
        assert status == 0, said
        lines = (line.partition(" ") for line in said.splitlines())
        return {name: what for name, _, what in lines}

    assert look() == dict.fromkeys(("default", "ocsp", "points", "file"), "good")
    decide(hr, "leave", reason="retire")
    time.sleep(1.5)  # Java compares whole seconds
    for name, what in look().items():
        assert what.startswith("REVOKED at 0"), (name, what)
