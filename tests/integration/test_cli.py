"""The command line as an operator meets it."""

import sys
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text

from directory.base.db import Database
from directory.people import User
from directory.permissions import AdminRole
from idp.commands import main
from idp.web import i18n


@dataclass
class Outcome:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def dinhdanh(tmp_path, monkeypatch, capsys):
    """Run one command line as the shell would, in this process."""

    def run(*arguments, language="vi_VN.UTF-8", **settings):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dinhdanh", *arguments])
            patch.setenv("DINHDANH_DATA_DIR", str(tmp_path / "var"))
            patch.delenv("LC_ALL", raising=False)
            patch.setenv("LANG", language)
            for name, value in settings.items():
                patch.setenv(f"DINHDANH_{name.upper()}", value)
            with pytest.raises(SystemExit) as ended:
                main.main()
        return Outcome(ended.value.code, *capsys.readouterr())

    yield run
    i18n.use(None)


@pytest.fixture
def database(tmp_path):
    opened = Database(f"sqlite:///{tmp_path / 'var' / 'dinhdanh.db'}")
    yield opened
    opened.dispose()


def test_migrate_makes_an_installation_and_may_be_run_again(dinhdanh):
    assert dinhdanh("migrate", "--check").returncode == 1
    for _ in range(2):
        made = dinhdanh("migrate", "--name", "Tỉnh Thử")
        assert made.returncode == 0, made.stderr
    assert dinhdanh("migrate", "--check").returncode == 0


@pytest.mark.usefixtures("new_installation")
def test_a_lost_keyring_is_not_replaced_by_a_new_one(dinhdanh, tmp_path):
    (tmp_path / "var" / "keyring.json").unlink()
    again = dinhdanh("migrate")
    assert again.returncode == 1
    assert "Không tìm thấy tệp khóa" in again.stderr
    assert not (tmp_path / "var" / "keyring.json").exists()


@pytest.mark.usefixtures("new_installation")
def test_the_first_administrator_gets_one_link_and_one_role(dinhdanh, database):
    assert "Chưa có quản trị viên" in dinhdanh("check").stdout
    for _ in range(2):
        outcome = dinhdanh("user", "admin", "quantri", "--name", "Lê Văn Quản")
        assert outcome.returncode == 0, outcome.stderr
        assert "http://localhost:8000/activate/" in outcome.stdout
    with database.read() as session:
        (person,) = session.scalars(select(User)).all()
        (role,) = session.scalars(select(AdminRole)).all()
    assert (person.username, role.user_id, role.unit_id) == ("quantri", person.id, None)
    assert dinhdanh("check").returncode == 0


def test_check_lists_every_problem_at_once(dinhdanh, tmp_path):
    outcome = dinhdanh("check", port="zero", issuer="ftp://x", lock_after="many")
    assert outcome.returncode == 1
    for name in ("port", "issuer", "lock_after"):
        assert name in outcome.stderr
    dinhdanh("migrate")
    (tmp_path / "var" / "keyring.json").chmod(0o644)
    found = dinhdanh("check", tls_key="/nowhere.pem", session_idle="99999").stdout
    for sentence in ("0600", "/nowhere.pem", "tls_certificate", "session_idle = 99999 > 900"):
        assert sentence in found
    rules = '{"org": "urn:vn:aal:1", "email": "urn:vn:aal:9", "nothing": "urn:vn:aal:1"}'
    found = dinhdanh("check", scope_acr=rules, scope_max_age='{"elsewhere": 60}').stdout
    for sentence in ("phạm vi nothing", "phạm vi elsewhere", "urn:vn:aal:9"):
        assert sentence in found
    assert "phạm vi org" not in found
    found = dinhdanh(
        "check", client_certificates="true", client_certificate_ca_file="/nowhere-ca.pem"
    ).stdout
    for sentence in ("client_certificates cần trusted_proxies", "/nowhere-ca.pem"):
        assert sentence in found


@pytest.mark.parametrize("command", [("check",), ("migrate",), ("serve",), ("worker",)])
def test_an_issuer_with_a_path_is_refused_before_anything_starts(dinhdanh, tmp_path, command):
    issuer = "https://tinh.example.gov.vn/dangnhap"
    vietnamese = dinhdanh(*command, issuer=issuer)
    english = dinhdanh(*command, issuer=issuer, language="en_GB.UTF-8")
    assert vietnamese.returncode == english.returncode == 1
    assert vietnamese.stderr.startswith(f"issuer {issuer} có đường dẫn sau tên miền.")
    assert english.stderr.startswith(f"issuer {issuer} has a path after the host name.")
    assert not (tmp_path / "var").exists()
    # A slash alone is none.
    assert dinhdanh("migrate", issuer="https://tinh.example.gov.vn/").returncode == 0


@pytest.mark.usefixtures("new_installation")
def test_errors_are_one_sentence_in_the_language_of_the_environment(dinhdanh):
    vietnamese = dinhdanh("user", "slip", "khongco")
    english = dinhdanh("user", "slip", "khongco", language="en_GB.UTF-8")
    assert vietnamese.stderr.strip() == "Không tìm thấy người dùng."
    assert english.stderr.strip() != vietnamese.stderr.strip()
    assert len(english.stderr.strip().splitlines()) == 1
    assert vietnamese.returncode == english.returncode == 1


@pytest.mark.usefixtures("new_installation")
def test_a_database_that_is_away_is_one_sentence(dinhdanh):
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    outcome = dinhdanh("audit", "verify", database_url=away)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("Không dùng được cơ sở dữ liệu:")
    assert "Traceback" not in outcome.stderr


@pytest.mark.usefixtures("new_installation")
def test_an_altered_audit_trail_is_found_out(dinhdanh, database):
    assert dinhdanh("audit", "verify").returncode == 0
    with database.write() as session:
        session.execute(text("UPDATE audit_entry SET actor_label = 'ai do' WHERE seq = 1"))
    outcome = dinhdanh("audit", "verify")
    assert outcome.returncode == 1
    assert "mục 1" in outcome.stderr
