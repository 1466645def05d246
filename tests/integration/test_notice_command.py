"""``dinhdanh notice`` and what ``check`` says of how people are told."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors import notices
from connectors.notices import Notice
from idp.run import performing
from tests.command_line import Operator, operator
from tests.factories import make_user

__all__ = ["operator"]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def test_a_test_goes_out_by_every_channel_that_carries_it(
    services: Any, operator: Operator, drop: Path
) -> None:
    said = operator("notice", "test", "lan@thanhhoa.gov.vn", mail_drop=drop, text_drop=drop)
    assert (said.code, said.out) == (0, "✓ mail-drop\n")
    [file] = drop.iterdir()
    assert b"To: lan@thanhhoa.gov.vn" in file.read_bytes()
    said = operator("notice", "test", "0912345678", mail_drop=drop, text_drop=drop)
    assert (said.code, said.out) == (0, "✓ text-drop\n")
    assert len(list(drop.glob("*.sms"))) == 1


@pytest.mark.parametrize(
    ("address", "given", "why"),
    [
        ("lan@thanhhoa.gov.vn", {}, "No channel"),
        ("lan@thanhhoa.gov.vn", {"mail_drop": "/nowhere"}, "cannot be written"),
        ("lan@thanhhoa.gov.vn", {"smtp_host": "127.0.0.1", "smtp_port": 9}, "cannot be reached"),
        ("la n@thanhhoa.gov.vn", {"mail_drop": "/tmp"}, "cannot be used"),
    ],
)
def test_what_does_not_go_out_says_why(
    services: Any, operator: Operator, address: str, given: dict[str, Any], why: str
) -> None:
    said = operator("notice", "test", address, **given)
    assert said.code != 0
    assert why in said.out + said.err


def test_what_waits_for_somebody_is_sent_again_when_the_fault_is_mended(
    services: Any, operator: Operator, drop: Path
) -> None:
    services.settings.mail_drop = drop / "later"
    with services.db.write() as session:
        for _ in range(3):
            lan = make_user(session)
            notices.tell(session, lan.id, Notice.RESET, now=services.clock())
    performing.drain(services)
    said = operator("notice", "retry")
    assert said.out == "3 notices will be sent again.\n"
    with services.db.write() as session:  # the operator's clock is the real one
        session.execute(text("UPDATE job SET run_at = created_at WHERE state = 'ready'"))
    services.settings.mail_drop.mkdir()
    services.clock.advance(days=3650)
    performing.drain(services)
    assert len(list((drop / "later").iterdir())) == 3


def test_check_says_what_is_missing(services: Any, operator: Operator, drop: Path) -> None:
    said = operator("check").out
    assert "no channel for notices" in said
    secret = drop / "password"
    secret.write_text("bí mật")
    secret.chmod(0o644)
    said = operator(
        "check",
        mail_drop=drop / "nowhere",
        smtp_host="mail.thanhhoa.gov.vn",
        smtp_user="dinhdanh",
        smtp_password_file=secret,
    )
    assert said.code == 1
    for part in (f"{drop}/nowhere", f"read {secret}", "security_officers", "notice_contact"):
        assert part in said.out
    assert "bí mật" not in said.out


@pytest.mark.parametrize(
    "given",
    [
        {"smtp_host": "x", "smtp_user": "a"},
        {"smtp_host": "x", "smtp_user": "a", "smtp_password_file": "/x", "smtp_security": "none"},
        {"notice_from": "ai đó"},
        {"security_officers": '["a@b.vn, c@d.vn"]'},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    services: Any, operator: Operator, given: dict[str, Any]
) -> None:
    assert operator("check", **given).code == 1
