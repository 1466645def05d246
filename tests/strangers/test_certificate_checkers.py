"""A person's certificate as programs that are not ours check it: accepted while good, refused when not.

nginx, Apache, HAProxy and Java, each in every way it can be told to ask; and openssl, with what
is published and nothing else.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from sqlalchemy import bindparam, text

from dinhdanh.ports import reserve
from directory.base.db import UTCDateTime
from directory.people import User
from directory.permissions import Role
from tests import hr_world
from tests.browser_client import shown, submit
from tests.certificates import csr, served
from tests.command_line import Operator, operator
from tests.crash.installation import wait_for
from tests.factories import make_role
from tests.hr_world import Hr
from tests.interop.tls import Authority
from tests.strangers import relying_servers
from tests.strangers.relying_servers import BLIND, CACHED, CHECKERS, Credential, Folder

__all__ = ["operator"]

LIFE = 2
"""How many seconds an OCSP answer is good for here."""


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """The time those programs believe it is."""
    from directory.base.clock import system_clock

    return system_clock


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Ports of this test: ours first."""
    with reserve(1) as ours, reserve(len(CHECKERS)) as others:
        yield [ours[0], *others]


@pytest.fixture
def settings(
    make_settings: Callable[..., Any], ports: list[int], request: pytest.FixtureRequest
) -> Any:
    """An installation that is reached by its real address, unless the test says otherwise."""
    marker = request.node.get_closest_marker("settings")
    own = {"issuer": f"http://127.0.0.1:{ports[0]}", "ocsp_life": LIFE}
    return make_settings(**(own | (marker.kwargs if marker else {})))


@pytest.fixture
def cert(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``dinhdanh cert`` on this installation."""
    from idp.commands.main import cli

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
    answer = shown(browser, submit(browser, page, csr=csr(key), **{"as": "file"}))
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


def files(hr: Hr, hers: Credential, where: Path) -> Folder:
    """What is published, in a folder."""
    folder = Folder(where, hr.services.settings.issuer, hers.leaf)
    folder.fetch()
    root = folder.trust[-1].public_bytes(Encoding.PEM)
    (where / "root.pem").write_bytes(root)
    (where / "leaf.pem").write_bytes(hers.leaf.public_bytes(Encoding.PEM))
    (where / "chain.pem").write_bytes(
        b"".join(c.public_bytes(Encoding.PEM) for c in (hers.leaf, folder.trust[0]))
    )
    return folder


def run(*command: str | Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def verify(where: Path, *more: str) -> tuple[int, str]:
    chain = () if "-untrusted" in more else ("-untrusted", "issuing.pem")
    return run(
        "openssl", "verify", "-crl_check_all", "-x509_strict", "-purpose", "sslclient",
        "-CAfile", "root.pem", *chain, "-CRLfile", "crl.pem", *more, "leaf.pem",
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
    hers = ask(hr)
    files(hr, hers, tmp_path)
    assert verify(tmp_path) == (0, "leaf.pem: OK\n")
    more = {"to_unit": hr.units["b"]} if change == "transfer" else {}
    decide(hr, **CHANGES[change], **more)
    files(hr, hers, tmp_path)
    status, said = verify(tmp_path)
    assert status != 0
    assert "certificate revoked" in said


def test_openssl_is_answered_about_the_whole_chain(hr: Hr, tmp_path: Path) -> None:
    """Each answer brings the certificate of whoever signed it, and says how long it is good."""
    hers = ask(hr)
    files(hr, hers, tmp_path)
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


def test_a_reader_whose_clock_is_slow_believes_the_same(hr: Hr, tmp_path: Path) -> None:
    """A neighbour: neither the list nor a revocation in it is of a time that has yet to come."""
    hers = ask(hr)
    files(hr, hers, tmp_path)
    slow = f"{hr.clock() - timedelta(minutes=2):%s}"
    assert verify(tmp_path, "-attime", slow) == (0, "leaf.pem: OK\n")
    decide(hr, "leave", reason="retire")
    files(hr, hers, tmp_path)
    assert "certificate revoked" in verify(tmp_path, "-attime", slow)[1]
    published = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    assert [entry.revocation_date_utc <= published.last_update_utc for entry in published] == [True]


def test_an_authority_of_an_older_version_is_signed_anew(
    hr: Hr, cert: Callable[..., str], tmp_path: Path
) -> None:
    """A neighbour: one key and name, so that what it has signed stays good in either chain."""
    older = made_without_addresses(hr)
    hers = ask(hr)
    cert("reissue")
    files(hr, hers, tmp_path)
    (tmp_path / "old.pem").write_bytes(older.public_bytes(Encoding.PEM))
    assert verify(tmp_path) == (0, "leaf.pem: OK\n")
    assert verify(tmp_path, "-untrusted", "old.pem") == (0, "leaf.pem: OK\n")
    new = x509.load_pem_x509_certificate((tmp_path / "issuing.pem").read_bytes())
    assert new.serial_number != older.serial_number
    (url,) = relying_servers.addresses(new)["ocsp"]
    for which in ("old", "issuing"):  # whoever keeps the old one is still answered about it
        _, said = run(
            "openssl", "ocsp", "-issuer", "root.pem", "-cert", f"{which}.pem",
            "-CAfile", "root.pem", "-url", url,
            cwd=tmp_path,
        )  # fmt: skip
        assert f"{which}.pem: good" in said, said
    decide(hr, "leave", reason="retire")
    files(hr, hers, tmp_path)
    for chain in ("issuing.pem", "old.pem"):
        assert "certificate revoked" in verify(tmp_path, "-untrusted", chain)[1]


def made_without_addresses(hr: Hr) -> x509.Certificate:
    """Put the clock back to an issuing authority that names neither list nor responder."""
    from connectors.pki import authority

    with hr.services.db.write() as session:
        ours = authority.issuing(session)
        root = authority.chain(session, ours)[-1]
        row = session.get_one(authority.Authority, ours.parent_id)
        signed = authority.certificate_of(ours)
        builder = (
            x509.CertificateBuilder()
            .subject_name(signed.subject)
            .issuer_name(root.subject)
            .public_key(signed.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(signed.not_valid_before_utc)
            .not_valid_after(signed.not_valid_after_utc)
        )
        for extension in signed.extensions:
            if not isinstance(
                extension.value, x509.CRLDistributionPoints | x509.AuthorityInformationAccess
            ):
                builder = builder.add_extension(extension.value, extension.critical)
        older = builder.sign(authority.signer(hr.services.keyring, row), SHA256())
        ours.der = older.public_bytes(Encoding.DER)
    return older


def test_the_chain_is_checked_while_the_root_is_offline(
    hr: Hr, cert: Callable[..., str], tmp_path: Path
) -> None:
    """A neighbour: list and responder go on without its key, and it is needed once a year."""
    hers = ask(hr)
    cert("export-root", str(tmp_path / "root.key"), input="một mật khẩu dài\nmột mật khẩu dài\n")
    files(hr, hers, tmp_path)
    assert verify(tmp_path) == (0, "leaf.pem: OK\n")
    for which, issuer in (("leaf", "issuing"), ("issuing", "root")):
        assert f"{which}.pem: good" in ocsp(tmp_path, which, issuer)[1]
    assert cert("crl").count("CRL") == 1
    answer = httpx2.get(f"{hr.services.settings.issuer}/pki/root.crl")
    of_root = x509.load_der_x509_crl(answer.content)
    assert of_root.next_update_utc is not None
    assert of_root.next_update_utc - hr.clock() > timedelta(days=360)


def test_check_says_what_will_have_programs_refuse_everybody(
    hr: Hr,
    cert: Callable[..., str],
    operator: Operator,
    tmp_path: Path,
) -> None:
    with hr.services.db.write() as session:
        make_role(session, session.get_one(User, hr.people["admin"]), Role.ADMINISTRATOR)
    assert "cert " not in operator("check").out
    made_without_addresses(hr)
    assert "dinhdanh cert reissue" in operator("check").out
    cert("reissue")
    assert "cert " not in operator("check").out
    assert "dinhdanh cert reissue" in operator("check", pki_base="http://pki.example").out
    cert("export-root", str(tmp_path / "root.key"), input="một mật khẩu dài\nmột mật khẩu dài\n")
    assert "cert " not in operator("check").out
    soon = hr.clock() + timedelta(days=100)
    with hr.services.db.write() as session:
        session.execute(
            text(
                "UPDATE crl SET next_update = :soon WHERE authority_id IN "
                "(SELECT id FROM authority WHERE kind = 'root')"
            ).bindparams(bindparam("soon", soon, UTCDateTime()))
        )
    said = operator("check").out
    assert f"{soon + timedelta(hours=7):%d/%m/%Y}" in said
    assert "dinhdanh cert import-root" in said


def test_a_stranger_s_serial_is_unknown_to_either_responder(hr: Hr, tmp_path: Path) -> None:
    hers = ask(hr)
    files(hr, hers, tmp_path)
    for issuer in ("issuing", "root"):
        said = run(
            "openssl", "ocsp", "-issuer", f"{issuer}.pem", "-serial", "0x1234",
            "-CAfile", "root.pem", "-url", f"{hr.services.settings.issuer}/pki/ocsp",
            cwd=tmp_path,
        )[1]  # fmt: skip
        assert "Response verify OK" in said
        assert "0x1234: unknown" in said


def test_both_lists_come_in_one_file(hr: Hr, tmp_path: Path) -> None:
    """What nginx, Apache and HAProxy are given."""
    hers = ask(hr)
    files(hr, hers, tmp_path)
    answer = httpx2.get(f"{hr.services.settings.issuer}/pki/crl.pem")
    (tmp_path / "crl.pem").write_bytes(answer.content)
    assert verify(tmp_path) == (0, "leaf.pem: OK\n")
    again = httpx2.get(answer.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("configured", "named"),
    [
        ({"issuer": "https://dangnhap.example.gov.vn"}, "http://dangnhap.example.gov.vn/pki/"),
        ({"issuer": "https://dangnhap.example:8443"}, "http://dangnhap.example/pki/"),
        ({"issuer": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/pki/"),
        (
            {"issuer": "https://dangnhap.example", "pki_base": "http://pki.example:81"},
            "http://pki.example:81/pki/",
        ),
    ],
)
def test_certificates_name_addresses_that_programs_can_ask(
    make_settings: Any, keyring: Any, database: Any, configured: dict[str, str], named: str
) -> None:
    """nginx and Apache ask over plain http and nothing else; so does Windows for lists."""
    from connectors.pki import authority

    with database.write() as session:
        session.execute(text("DELETE FROM authority"))
        made = authority.create(
            session,
            keyring,
            make_settings(**configured),
            organization="Tỉnh",
            now=datetime(2026, 3, 2, tzinfo=UTC),
        )
        found = relying_servers.addresses(authority.certificate_of(made))
    assert found == {
        "crl": [f"{named}root.crl"],
        "ocsp": [f"{named}ocsp"],
        "issuer": [f"{named}root.crt"],
    }


@pytest.mark.settings(issuer="https://dangnhap.example.gov.vn")
def test_an_https_installation_answers_them_over_plain_http(client: Any) -> None:
    for path in ("ca.crt", "root.crt", "crl.der", "root.crl", "crl.pem", "ca.pem"):
        answer = client.get(f"/pki/{path}", base_url="http://dangnhap.example.gov.vn")
        assert answer.status_code == 200, path
        assert not any("Set-Cookie" in name for name, _ in answer.headers)


@pytest.mark.slow  # a whole installation is started
def test_an_installation_with_tls_of_its_own_answers_them_over_plain_http(tmp_path: Path) -> None:
    own = Authority.of_itself("Máy chủ").server("localhost")
    (tmp_path / "tls.pem").write_text(own.pem)
    (tmp_path / "tls.key").write_text(own.key_pem)
    with reserve(2) as two:
        environment = os.environ | {
            "DINHDANH_DATA_DIR": str(tmp_path),
            "DINHDANH_ISSUER": f"https://localhost:{two[0]}",
            "DINHDANH_PORT": str(two[0]),
            "DINHDANH_TLS_CERTIFICATE": str(tmp_path / "tls.pem"),
            "DINHDANH_TLS_KEY": str(tmp_path / "tls.key"),
            "DINHDANH_PKI_PORT": str(two[1]),
        }
        command = Path(sys.executable).with_name("dinhdanh")
        made = subprocess.run([command, "migrate"], env=environment, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen([command, "serve"], env=environment, stderr=log)
        try:
            plain = f"http://localhost:{two[1]}"

            def answers() -> bool:
                with contextlib.suppress(httpx2.TransportError):
                    httpx2.get(f"https://localhost:{two[0]}/healthz", verify=False)
                    return httpx2.get(f"{plain}/pki/crl.der").status_code == 200
                return False

            wait_for("https and plain http", answers)
            issuing = x509.load_der_x509_certificate(httpx2.get(f"{plain}/pki/ca.crt").content)
            named = relying_servers.addresses(issuing)
            assert named["crl"] == [f"{plain}/pki/root.crl"]
            assert httpx2.get(named["crl"][0]).status_code == 200
            for path in ("/", "/login", "/healthz", "/.well-known/openid-configuration", "/pki"):
                assert httpx2.get(plain + path).status_code == 404, path
            whole = httpx2.get(f"https://localhost:{two[0]}/pki/ca.crt", verify=False)
            assert whole.content == issuing.public_bytes(Encoding.DER)
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.slow  # three servers are started twice
def test_servers_let_a_good_certificate_in_and_no_other(hr: Hr, ports: list[int]) -> None:
    hers, other = ask(hr), ask(hr, "mai")
    relying_servers.require("nginx", "apache2", "haproxy")
    issuer = hr.services.settings.issuer
    with relying_servers.laid_out(issuer, ports[0], hers.leaf, ports[1:]) as folder:

        def seen(credential: Credential) -> dict[str, bool]:
            return {n: relying_servers.accepts(folder, n, credential) for n in CHECKERS}

        with relying_servers.running(folder):
            assert seen(hers) == dict.fromkeys(CHECKERS, True), relying_servers.logs(folder)
            decide(hr, "leave", reason="retire")
            asking = [n for n in CHECKERS if "ocsp" in n.lower()]
            time.sleep(LIFE + 1.5)  # what nginx keeps in its cache
            after = {n: relying_servers.accepts(folder, n, hers) for n in asking}
            assert after == dict.fromkeys(asking, False), relying_servers.logs(folder)
            assert relying_servers.accepts(folder, CACHED, other)
        folder.fetch()
        with relying_servers.running(folder):
            refused = dict.fromkeys(CHECKERS, False) | {BLIND: True}
            assert seen(hers) == refused, relying_servers.logs(folder)
            assert seen(other) == dict.fromkeys(CHECKERS, True), relying_servers.logs(folder)


@pytest.mark.slow  # a Java program is compiled and run twice
def test_java_believes_a_good_certificate_and_no_other(hr: Hr, tmp_path: Path) -> None:
    relying_servers.require("java", "javac")
    hers = ask(hr)
    program = Path(relying_servers.__file__).with_name("PkixCheck.java")
    shutil.copy(program, tmp_path)
    assert run("javac", "-d", ".", "PkixCheck.java", cwd=tmp_path) == (0, "")

    def look() -> dict[str, str]:
        files(hr, hers, tmp_path)
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
