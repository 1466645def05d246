"""Notices leave through a real mail server, and wait for whoever can help where it does not take them."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.notices import Notice
from tests.exim_fixture import DOMAIN, PASSWORD, USER, PrivateExim, exim
from tests.flows.test_notices import Office, office
from tests.slapd_fixture import Authority, authority

__all__ = ["authority", "exim", "office"]
LAN = f"lan@{DOMAIN}"


@pytest.fixture
def sending(office: Office, exim: PrivateExim, authority: Authority, tmp_path: Path) -> Office:
    """An installation that sends its mail through the server."""
    secret = tmp_path / "smtp-password"
    secret.write_text(PASSWORD + "\n", "utf-8")
    exim.empty()
    office.set(
        mail_drop=None,
        smtp_host="localhost",
        smtp_port=exim.plain,
        smtp_user=USER,
        smtp_password_file=secret,
        outbound_ca_file=authority.file,
        notice_from=f"no-reply@{DOMAIN}",
    )
    return office


def _told(office: Office, address: str = LAN, **columns: Any) -> int:
    lan = office.person(email=address, **columns)
    office.tell(lan, Notice.PASSWORD_CHANGED)
    office.work()
    return lan


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_arrives_whole(sending: Office, exim: PrivateExim, security: str) -> None:
    port = exim.plain if security == "starttls" else exim.tls
    sending.set(smtp_security=security, smtp_port=port)
    lan = _told(sending)
    assert [each.state for each in sending.told(lan)] == ["sent"]
    [letter] = exim.letters(1)
    assert letter["Envelope-To"] == letter["To"] == LAN
    assert letter["Return-Path"] == f"<no-reply@{DOMAIN}>"
    assert letter["Subject"].startswith("Mật khẩu của bạn đã được đặt lại hoặc thay đổi / Your")
    assert "Kính gửi Lê Thị Lan," in letter.get_content()
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "A=plain:dinhdanh" in (exim.folder / "log/mainlog").read_text()


def test_an_address_that_the_server_refuses_waits_for_a_person_without_being_repeated(
    sending: Office, exim: PrivateExim
) -> None:
    address = f"khong-co@{DOMAIN}"
    lan = _told(sending, address, phone="0912345678")
    job = sending.job()
    assert (job.state, "550 5.1.1" in job.reason) == ("parked", True)
    assert address not in job.reason
    assert [each.state for each in sending.told(lan)] == ["parked"]
    assert len(list(sending.texts.iterdir())) == 1
    assert exim.letters(0) == []


def test_who_is_put_off_tries_again_and_sends_it_once(sending: Office, exim: PrivateExim) -> None:
    exim.greylist(on=True)
    lan = _told(sending)
    job = sending.job()
    assert (job.state, "451 4.7.1" in job.reason) == ("ready", True)
    waits = (job.run_at - sending.services.clock()).total_seconds()
    assert waits == 60
    assert sending.told(lan)[0].reason == job.reason
    exim.greylist(on=False)
    sending.services.clock.advance(seconds=waits)
    sending.work()
    assert [each.state for each in sending.told(lan)] == ["sent"]
    sending.services.clock.advance(days=1)
    sending.work()
    assert len(exim.letters(1)) == 1


def test_a_server_that_is_away_is_tried_for_about_a_day(sending: Office, exim: PrivateExim) -> None:
    exim.stop()
    try:
        lan, began = _told(sending), sending.services.clock()
        while (job := sending.job()).state == "ready":
            sending.services.clock.set(job.run_at)
            sending.work()
        assert job.state == "parked"
        assert 12 < (sending.services.clock() - began).total_seconds() / 3600 < 36
    finally:
        exim.start()
    with sending.services.db.write() as session:
        session.execute(text("UPDATE job SET state = 'ready', attempts = 0"))
    sending.work()
    assert [each.state for each in sending.told(lan)] == ["sent"]
    assert len(exim.letters(1)) == 1


def test_a_server_that_cannot_show_who_it_is_is_told_nothing(
    sending: Office, exim: PrivateExim, tmp_path: Path
) -> None:
    for wrong in (
        {"smtp_host": "127.0.0.1"},  # another name than its certificate has
        {"outbound_ca_file": Authority.create(tmp_path / "other", "Other CA").file},
    ):
        before = sending.services.settings.model_dump(include=set(wrong))
        sending.set(**wrong)
        sending.tell(sending.person(email=LAN), Notice.RESET)
        sending.work()
        job = sending.job()
        assert (job.state, "Chứng thư" in job.reason) == ("parked", True)
        with sending.services.db.write() as session:
            session.execute(text("DELETE FROM job"))
        sending.set(**before)
    assert exim.letters(0) == []


def test_a_wrong_password_waits_for_a_person_and_stands_in_no_reason(
    sending: Office, exim: PrivateExim, tmp_path: Path
) -> None:
    (tmp_path / "smtp-password").write_text("nhầm-rồi")
    _told(sending)
    job = sending.job()
    assert (job.state, "535" in job.reason) == ("parked", True)
    assert "nhầm-rồi" not in job.reason
    assert exim.letters(0) == []


def test_a_server_that_speaks_no_tls_there_is_refused(sending: Office, exim: PrivateExim) -> None:
    sending.set(smtp_security="tls")  # at the port where TLS has to be asked for
    _told(sending)
    assert sending.job().state == "parked"
    assert exim.letters(0) == []


# ---- servers that behave badly ------------------------------------------------------------------


class Scripted:
    """Answers each line with the next of its answers; None hangs up, an empty one stays silent."""

    def __init__(self, *answers: str | None) -> None:
        self.answers, self.heard = list(answers), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._talk()
        except OSError:
            return

    def _talk(self) -> None:
        end, _ = self._listener.accept()
        with end, end.makefile("rb") as lines:
            in_mail = False
            for answer in self.answers:
                if answer is None:
                    return
                if answer:
                    end.sendall(answer.encode() + b"\r\n")
                in_mail = answer.startswith("354")
                for line in lines:
                    self.heard.append(line)
                    if not in_mail or line == b".\r\n":
                        break

    def close(self) -> None:
        self._thread.join(60)
        self._listener.close()


class Endless(Scripted):
    """Greets, and never comes to the end of it."""

    def _talk(self) -> None:
        end, _ = self._listener.accept()
        with end:
            while True:
                end.sendall(b"220-still greeting\r\n")
                time.sleep(0.02)


HELLO = ("220 x", "250 x")


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        (("421 4.3.2 busy",), "ready"),
        (("554 5.7.1 go away",), "parked"),
        (("220 x", None), "ready"),
        ((*HELLO, "451 no"), "ready"),
        ((*HELLO, "553 5.1.8 not you"), "parked"),
        ((*HELLO, "250 ok", "452 4.2.2 full", "250 ok"), "ready"),
        ((*HELLO, "250 ok", "552 5.2.2 full", "250 ok"), "parked"),
        ((*HELLO, "250 ok", "250 ok", "354 go", "451 4.3.0 no"), "ready"),
        ((*HELLO, "250 ok", "250 ok", "354 go", "554 5.6.0 spam", "250 ok"), "parked"),
        ((*HELLO, "250 ok", "250 ok", "354 go", None), "ready"),
        ((*HELLO, "250 ok", "250 ok", "354 go", "250 taken", None), "done"),
        ((*HELLO, "250 ok", "250 ok", "354 go", "250 taken", ""), "done"),
        (("not smtp at all",), "ready"),
        (("",), "ready"),
    ],
)
def test_what_a_server_answers_decides_what_becomes_of_it(
    office: Office, answers: tuple[str | None, ...], state: str
) -> None:
    server = Scripted(*answers)
    office.set(
        mail_drop=None,
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        job_timeout=time_for(answers),
    )
    _told(office)
    server.close()
    assert office.job().state == state


def time_for(answers: tuple[str | None, ...]) -> float:
    """Seconds of a job: short only where the server falls silent, and is waited for as long."""
    if answers == ("",):
        return 0.5
    return 2 if "" in answers else 40


def test_an_answer_that_never_ends_is_hung_up_on(office: Office) -> None:
    server = Endless()
    office.set(
        mail_drop=None,
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_security="none",
        job_timeout=0.5,
    )
    began = time.monotonic()
    _told(office)
    assert time.monotonic() - began < 30
    server.close()
    assert office.job().state == "ready"


def test_nothing_goes_out_in_clear_where_the_server_has_no_starttls(office: Office) -> None:
    server = Scripted(*HELLO, "250 ok", "250 ok")
    office.set(mail_drop=None, smtp_host="localhost", smtp_port=server.port, job_timeout=40)
    _told(office)
    assert office.job().state == "parked"
    server.close()
    assert [line.split()[0] for line in server.heard] in ([b"ehlo"], [b"ehlo", b"quit"])


@pytest.fixture(autouse=True)
def _no_letters(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "exim" in request.fixturenames:
        request.getfixturevalue("exim").empty()
