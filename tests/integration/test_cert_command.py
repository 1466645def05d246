"""``dinhdanh cert`` from start to revocation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from sqlalchemy import delete

from connectors.outbound import Outbound
from connectors.pki.tables import Authority, Crl
from idp.commands.pki import cert
from tests import machine_time
from tests.certificates import Office, Tools, csr

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, on the installation under test."""
    monkeypatch.setenv("DINHDANH_DATABASE_URL", settings.database)
    monkeypatch.setenv("DINHDANH_KEYRING_FILE", str(settings.keyring))
    monkeypatch.setenv("DINHDANH_DATA_DIR", str(settings.data_dir))
    return lambda *args, **more: CliRunner().invoke(cert, list(args), **more)


@pytest.fixture
def office(settings: Any, clock: Any, database: Any, keyring: Any) -> Office:
    """An office whose certificates are valid today."""
    clock.set(machine_time.now())
    return Office.open(Tools(settings, clock, database, keyring, Outbound(settings)))


def test_init_makes_the_authority_once(run: Run, database: Any) -> None:
    with database.write() as session:
        session.execute(delete(Crl))
        session.execute(delete(Authority))
    made = run("init", "--name", "Tỉnh Thanh Hóa")
    assert made.exit_code == 0, made.output
    assert made.output.count("O=Tỉnh Thanh Hóa") == 2
    again = run("init")
    assert again.exit_code == 1
    assert again.output == "Error: Hệ thống đã có bộ chứng thực (CA).\n"


def test_a_certificate_is_listed_and_revoked(run: Run, office: Office) -> None:
    row = office.row(office.issue(office.lan))
    assert row.username
    before = run("list", row.username)
    assert row.serial in before.output
    assert "Có hiệu lực" in before.output
    revoked = run("revoke", row.serial.upper(), "--reason", "keyCompromise")
    assert revoked.exit_code == 0, revoked.output
    assert "Đã thu hồi (Lộ khóa)" in run("list", row.username).output
    office.tools.clock.set(machine_time.now())
    assert office.ask(row.serial).revocation_reason is x509.ReasonFlags.key_compromise
    again = run("revoke", row.serial, "--reason", "superseded")
    assert "Chứng thư này đã bị thu hồi." in again.output
    assert run("request", row.username).exit_code == 0
    assert "chứng thư cũ không còn dùng được" in run("list", row.username).output


def test_an_unknown_serial_and_a_wrong_reason_are_refused(run: Run) -> None:
    assert run("revoke", "1234", "--reason", "superseded").exit_code == 1
    assert run("revoke", "1234", "--reason", "certificateHold").exit_code == 2


def test_a_list_is_published_on_demand(run: Run) -> None:
    first, second = (int(run("crl").output.split()[1].strip(",")) for _ in range(2))
    assert second > first


def test_a_server_gets_its_certificate(run: Run, tmp_path: Path) -> None:
    request = tmp_path / "server.csr"
    request.write_text(csr())
    issued = run("service", "localhost", "--csr", str(request))
    assert issued.exit_code == 0, issued.output
    assert issued.output.count("BEGIN CERTIFICATE") == 3


def test_the_root_goes_offline_and_comes_back(run: Run, tmp_path: Path) -> None:
    file, phrase = tmp_path / "root.pem", "một mật khẩu rất dài"
    away = run("export-root", str(file), "--passphrase", phrase)
    assert away.exit_code == 0, away.output
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("export-root", str(tmp_path / "x"), "--passphrase", phrase)
    assert "đang được cất ngoại tuyến" in again.output
    assert not (tmp_path / "x").exists()
    assert run("import-root", str(file), "--passphrase", phrase).exit_code == 0
    taken = tmp_path / "taken"
    taken.write_text("something else")
    assert run("export-root", str(taken), "--passphrase", phrase).exit_code != 0
    assert taken.read_text() == "something else"
    # Nothing was lost: the key that could not be written is still here.
    assert run("export-root", str(tmp_path / "y"), "--passphrase", phrase).exit_code == 0
