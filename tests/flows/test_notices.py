"""People are told what happens to their accounts: in the transaction, at every address, once."""

import email
import email.policy
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from connectors import notices
from connectors.notices import Notice, told
from connectors.notices.words import WORDS
from directory.base.audit import Actor
from directory.base.outbox import Job
from directory.people import User, UserStatus
from directory.permissions import Role
from idp.run import performing
from idp.trail import restoring
from tests.factories import make_role, make_unit, make_user

both = pytest.mark.both_databases


class Office:
    """An installation that drops its mail into a folder."""

    def __init__(self, services: Any, folder: Path) -> None:
        self.mail, self.texts = folder / "mail", folder / "texts"
        self.services = services
        for each in (self.mail, self.texts):
            each.mkdir()
        self.set(mail_drop=self.mail, text_drop=self.texts)

    def set(self, **settings: Any) -> None:
        """Go on with other settings."""
        changed = self.services.settings.model_copy(update=settings)
        self.services = replace(self.services, settings=changed)

    def person(self, **columns: Any) -> int:
        with self.services.db.write() as session:
            return make_user(session, **columns).id

    def tell(self, user_id: int, what: Notice, **facts: Any) -> int:
        with self.services.db.write() as session:
            return notices.tell(session, user_id, what, now=self.services.clock(), **facts)

    def work(self) -> list[Any]:
        """Everything that is due, and the letters there are then."""
        performing.drain(self.services)
        return self.letters()

    def letters(self) -> list[Any]:
        return [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in sorted(self.mail.iterdir())
        ]

    def told(self, user_id: int) -> list[told.Told]:
        with self.services.db.read() as session:
            return told.of_person(session, user_id)

    def job(self) -> Any:
        with self.services.db.read() as session:
            return session.execute(
                select(Job.state, Job.reason, Job.run_at).where(Job.kind == "notice.send")
            ).one()


@pytest.fixture
def office(services: Any, tmp_path: Path) -> Office:
    (tmp_path / "out").mkdir()
    return Office(services, tmp_path / "out")


@both
def test_it_is_told_in_both_languages_what_happened_when_and_whom_to_ask(office):
    office.set(notice_contact="Văn phòng UBND tỉnh, 0237 3852 246")
    lan = office.person(email="lan@thanhhoa.gov.vn")
    officer = office.person(full_name="Phạm Thị Hương")
    office.tell(
        lan,
        Notice.FACTOR_ADDED,
        actor=Actor("user", officer, "huong", "10.1.2.3", 4711),
        factor="totp",
        device="Firefox · Windows",
    )
    [letter] = office.work()
    assert letter["To"] == "lan@thanhhoa.gov.vn"
    assert "Tài khoản của bạn có thêm một cách đăng nhập" in letter["Subject"]
    assert "Your account has another way to sign in" in letter["Subject"]
    body = letter.get_content()
    for said in (
        "Kính gửi Lê Thị Lan,",
        "Dear Lê Thị Lan,",
        "02/03/2026 09:00",
        "10.1.2.3",
        "Firefox · Windows",
        "ứng dụng xác thực",
        "Phạm Thị Hương",
        "0237 3852 246",
        "Nếu không phải bạn",
        "If you did not do this",
    ):
        assert said in body
    assert "{" not in body
    assert "://" not in body
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "=?utf-8?" in (next(office.mail.iterdir()).read_bytes().decode("ascii").lower())


def test_who_did_it_is_said_of_whatever_kind_she_is(office):
    lan = office.person()
    for actor, said in (
        (Actor("user", lan, "lan"), "chính tài khoản của bạn"),
        (Actor("user", office.person(full_name="Vũ Thị Cúc"), "cuc"), "Vũ Thị Cúc"),
        (Actor("client", 3, "nhansu"), "một hệ thống kết nối"),
        (Actor.operator("root"), "quản trị viên máy chủ"),
        (Actor.system(), "hệ thống"),
    ):
        office.tell(lan, Notice.SLIP_ISSUED, actor=actor)
        [letter] = office.work()
        next(office.mail.iterdir()).unlink()
        assert f"Người thực hiện: {said}" in letter.get_content().splitlines()


def test_everything_that_can_be_told_can_be_read(office):
    office.set(security_officers=["antoan@thanhhoa.gov.vn"])
    until = office.services.clock().isoformat()
    lan = office.person(email="lan@thanhhoa.gov.vn")
    for what in Notice:
        office.tell(lan, what, actor=Actor.operator("root"), until=until)
        [letter] = office.work()
        next(office.mail.iterdir()).unlink()
        assert "{" not in letter.get_content() + letter["Subject"]
        assert "://" not in letter.get_content()
        assert (letter["To"] != "lan@thanhhoa.gov.vn") == WORDS[what].to_officers


@both
def test_nothing_is_sent_inside_the_transaction_nor_if_it_comes_to_nothing(office):
    lan = office.person()
    with suppress(ZeroDivisionError), office.services.db.write() as session:
        notices.tell(session, lan, Notice.RESET, now=office.services.clock())
        assert office.letters() == []
        raise ZeroDivisionError
    assert office.work() == []
    assert office.told(lan) == []


def test_a_telephone_is_told_too_in_a_line(office):
    office.tell(office.person(phone="0912345678"), Notice.PASSWORD_CHANGED)
    assert len(office.work()) == 1
    [file] = office.texts.iterdir()
    head, _, said = file.read_text("utf-8").partition("\n\n")
    assert head.splitlines() == ["To: 84912345678", "Alphabet: UTF"]
    assert "Mật khẩu của bạn" in said
    assert said.count("\n") == 1


def test_an_address_that_was_changed_is_told_as_well_as_the_new_one(office):
    lan = office.person(email="moi@thanhhoa.gov.vn")
    office.tell(lan, Notice.CONTACT_CHANGED, former=notices.Reach("cu@thanhhoa.gov.vn", None))
    assert [each["To"] for each in office.work()] != []
    assert {each["To"] for each in office.letters()} == {
        "cu@thanhhoa.gov.vn",
        "moi@thanhhoa.gov.vn",
    }
    assert not any(
        "cu@" in each.get_content() or "moi@" in each.get_content() for each in office.letters()
    )


def test_where_nobody_is_named_for_security_the_administrators_are_told(office):
    lan = office.person(email="lan@thanhhoa.gov.vn")
    office.tell(lan, Notice.NOT_ME)
    assert office.work() == []
    assert [each.state for each in office.told(lan)] == ["no_address"]
    with office.services.db.write() as session:
        unit = make_unit(session)
        for name, role, over in (
            ("tat-ca", Role.ADMINISTRATOR, None),
            ("mot-don-vi", Role.ADMINISTRATOR, unit),
            ("nhan-su", Role.HR_OFFICER, None),
        ):
            user = make_user(session, email=f"{name}@thanhhoa.gov.vn")
            make_role(session, user, role, over)
    office.tell(lan, Notice.NOT_ME)
    assert [each["To"] for each in office.work()] == ["tat-ca@thanhhoa.gov.vn"]


def _statements(office: Office, whom: list[int]) -> int:
    """How many it takes to tell these people."""
    engine, sent = office.services.db.engine, []

    def note(*said: Any) -> None:
        sent.append(said[2])

    event.listen(engine, "before_cursor_execute", note)
    with office.services.db.write() as session:
        now = office.services.clock()
        ids = notices.tell_all(session, dict.fromkeys(whom), Notice.RESET, now=now)
    event.remove(engine, "before_cursor_execute", note)
    assert len(set(ids)) == len(whom)
    return len(sent)


@both
def test_many_are_told_in_as_few_statements_as_one(office):
    people = [office.person(email=f"nguoi{n}@thanhhoa.gov.vn") for n in range(60)]
    counts = [_statements(office, whom) for whom in (people[:1], people)]
    assert counts[0] == counts[1]
    assert {each["To"] for each in office.work()} == {
        f"nguoi{n}@thanhhoa.gov.vn" for n in range(60)
    }
    with office.services.db.write() as session:
        assert notices.tell_all(session, {}, Notice.RESET, now=office.services.clock()) == []


def test_who_changes_the_address_afterwards_does_not_choose_who_is_told(office):
    lan = office.person(email="lan@thanhhoa.gov.vn")
    office.tell(lan, Notice.FACTOR_REMOVED)
    with office.services.db.write() as session:
        session.execute(update(User).where(User.id == lan).values(email="ke.gian@example.com"))
    assert [each["To"] for each in office.work()] == ["lan@thanhhoa.gov.vn"]


def test_somebody_without_an_address_is_recorded_as_not_told(office):
    lan = office.person(email=None)
    office.tell(lan, Notice.RESET)
    assert office.work() == []
    assert [each.state for each in office.told(lan)] == ["no_address"]


@both
def test_who_has_left_since_is_told_nothing_but_the_officers_are(office):
    office.set(security_officers=["antoan@thanhhoa.gov.vn"])
    lan, hien = office.person(), office.person(full_name="Nguyễn Văn Hiển")
    office.tell(lan, Notice.RESET)
    office.tell(hien, Notice.RESET)
    office.tell(lan, Notice.NOT_ME)
    today = office.services.clock().date()
    with office.services.db.write() as session:
        session.execute(update(User).where(User.id == lan).values(status=UserStatus.LEFT.value))
        session.execute(update(User).where(User.id == hien).values(leaves_on=today))
    [letter] = office.work()
    assert letter["To"] == "antoan@thanhhoa.gov.vn"
    assert "Lê Thị Lan" in letter["Subject"]
    assert {each.state for each in office.told(hien)} == {"left"}


@both
def test_a_restored_installation_does_not_send_what_it_may_have_sent(office):
    lan = office.person()
    office.tell(lan, Notice.RESET)
    has = office.services
    at, operator = restoring.base(has), Actor.operator("root")
    restoring.begin(has, at=at, actor=operator, now=has.clock())
    assert office.work() == []
    assert [each.state for each in office.told(lan)] == ["restored"]
    office.tell(lan, Notice.RESET)
    assert len(office.work()) == 1


@both
def test_a_try_that_is_made_again_gives_the_same_file(office):
    lan = office.person()
    notice = office.tell(lan, Notice.RESET)
    [first] = office.work()
    with office.services.db.write() as session:  # the process died before it could say so
        session.execute(text("UPDATE notice SET ended_at = NULL, ended_as = NULL, sent = '{}'"))
        session.execute(
            text("UPDATE job SET state = 'ready' WHERE key = :key"), {"key": str(notice)}
        )
    [again] = office.work()
    assert again["Message-ID"] == first["Message-ID"]


@both
def test_a_folder_that_is_not_there_waits_for_a_person_and_keeps_nothing_from_the_other(office):
    lan = office.person(phone="+84912345678")
    office.set(mail_drop=office.mail / "nowhere")
    office.tell(lan, Notice.RESET)
    office.work()
    assert len(list(office.texts.iterdir())) == 1
    state, reason, _ = office.job()
    assert state == "parked"
    assert "nowhere" in reason
    assert [(each.state, each.reason) for each in office.told(lan)] == [("parked", reason)]
    office.set(mail_drop=office.mail)
    with office.services.db.write() as session:
        session.execute(text("UPDATE job SET state = 'ready'"))
    assert len(office.work()) == 1
    assert len(list(office.texts.iterdir())) == 1


def test_an_address_that_is_none_waits_for_a_person(office):
    office.tell(office.person(email="a@b.vn\r\nBcc: c@d.vn"), Notice.RESET)
    assert office.work() == []
    assert office.job().state == "parked"


def test_a_strangers_words_make_no_header_and_no_link(office):
    lan = office.person()
    for given, read in (
        ("Chrome\r\nBcc: x@y.vn", "Chrome Bcc: x y vn"),
        ("https://ke.gian.vn/dat-lai", "https ke gian vn/dat-lai"),
        ("Firefox 141.0", "Firefox 141.0"),
        ("x" * 500, "x" * 199 + "…"),
    ):
        office.tell(lan, Notice.NEW_DEVICE, device=given)
        [letter] = office.work()
        next(office.mail.iterdir()).unlink()
        assert letter["Bcc"] is None
        assert f"Thiết bị: {read}" in letter.get_content().splitlines()


def test_a_fact_that_no_notice_has_is_a_mistake(office):
    with pytest.raises(ValueError, match="secret"):
        office.tell(office.person(), Notice.RESET, secret="123456")


def test_without_a_channel_it_is_recorded_that_there_was_none(office):
    lan = office.person()
    office.set(mail_drop=None, text_drop=None)
    office.tell(lan, Notice.RESET)
    office.work()
    assert [each.state for each in office.told(lan)] == ["no_channel"]


@both
def test_what_was_told_is_forgotten_in_time(office):
    lan, clock = office.person(), office.services.clock
    office.tell(lan, Notice.RESET)
    office.work()
    clock.advance(days=364)
    for expected in (1, 0):
        with office.services.db.write() as session:
            told.forget(session, before=clock() - timedelta(days=365))
        assert len(office.told(lan)) == expected
        clock.advance(days=2)
