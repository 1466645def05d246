"""A signer that is not ours (tests/paper.py): what it is told, and what may come of its answers."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from connectors.outbound import Outbound
from connectors.pki import issued, requests, signers
from connectors.pki.tables import Certificate, CertificateState
from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.db import Database
from directory.base.errors import Conflict, InvalidInput, Misconfigured
from directory.changes.effects import State
from tests import machine_time
from tests.certificates import Office, Tools, csr
from tests.command_line import Operator, operator
from tests.paper import Paper, paper

__all__ = ["operator", "paper"]

OFFICER = Actor("user", 0, "can-bo")
OTHER_COMMUNE = 2


@pytest.fixture
def office(
    paper: Paper, make_settings: Callable[..., Any], clock: Any, keyring: Any
) -> Iterator[Office]:
    """An office whose people's certificates come from there."""
    settings = make_settings(certificate_signer="paper")
    database, outbound = Database(settings.database), Outbound(settings)
    office = Office.open(Tools(settings, clock, database, keyring, outbound))
    with database.write() as session:
        session.add(paper.authority(clock()))
    yield office
    outbound.close()
    database.dispose()


def made(office: Office) -> Certificate:
    with office.tools.db.read() as session:
        return session.scalars(select(Certificate).order_by(Certificate.id.desc())).first()


def answer(office: Office, signed: x509.Certificate | None) -> str | None:
    tools = office.tools
    return requests.answer(
        tools.db, tools.settings, made(office).id, signed, now=tools.clock(), actor=OFFICER
    )


@pytest.mark.both_databases
def test_a_certificate_comes_days_after_it_was_asked_for(office: Office, paper: Paper) -> None:
    assert office.issue(office.lan) is None
    assert made(office).state == CertificateState.INTENDED
    office.tools.clock.advance(days=9)
    with office.tools.db.write() as session:
        requests.give_up(session, now=office.tools.clock())  # its time is not up
        with pytest.raises(Conflict, match="certificate_in_making"):
            requests.request(session, office.lan, now=office.tools.clock())
    chain = answer(office, paper.certificate())
    assert chain is not None
    assert x509.load_pem_x509_certificates(chain.encode())[0].serial_number == paper.number
    with office.tools.db.read() as session:
        (mine,) = issued.certificates_of(session, office.lan, now=office.tools.clock())
    assert int(mine.serial, 16) == paper.number
    assert mine.standing == "good"
    with pytest.raises(Conflict, match="certificate_settled"):
        answer(office, paper.certificate())


def test_its_revocation_is_carried_there_and_seen_there(office: Office, paper: Paper) -> None:
    office.issue(office.lan)
    answer(office, paper.certificate())
    serial = made(office).serial
    change = office.transfer(office.lan, OTHER_COMMUNE)
    ours = {e.kind: e for e in office.effects(change)}
    assert ours["certificate.revoke"].target == serial
    paper.revoked.add(serial)
    office.work()
    ours = {e.kind: e for e in office.effects(change)}
    for kind in ("certificate.distrust", "certificate.revoke"):
        assert ours[kind].state == State.VERIFIED
        assert ours[kind].detail["crl"]["number"] == 7
    assert ours["certificate.revoke"].detail["form"] == "05"
    assert paper.sent == [made(office).authority_id]


def carried(office: Office, paper: Paper) -> None:
    """It exists there, so it is known here, revoked, and its revocation has been sent."""
    row = made(office)
    assert row.state == CertificateState.ISSUED
    assert int(row.serial, 16) == paper.number
    with office.tools.db.read() as session:
        (mine,) = issued.certificates_of(session, office.lan, now=office.tools.clock())
        assert mine.standing == "revoked"
        assert len(requests.open_requests(session, office.lan)) == 1
    paper.sent.clear()
    paper.revoked.add(row.serial)
    office.work()
    assert paper.sent == [row.authority_id]


@pytest.mark.both_databases
@pytest.mark.parametrize("how", ["leave", "transfer", "rename"])
def test_what_was_signed_though_it_is_true_no_longer_is_revoked_there(
    office: Office, paper: Paper, how: str
) -> None:
    office.issue(office.lan)
    if how == "transfer":
        office.transfer(office.lan, OTHER_COMMUNE)
    elif how == "rename":
        office.decide("rename", office.lan, full_name="Lê Thị Lan Anh")
    else:
        office.decide("leave", office.lan, reason="retire")
        paper.reason = "cessationOfOperation"
    with pytest.raises(Conflict, match="certificate_overtaken"):
        answer(office, paper.certificate())
    carried(office, paper)


def test_who_left_and_came_back_meanwhile_is_given_no_revoked_certificate(
    office: Office, paper: Paper
) -> None:
    office.issue(office.lan)
    left = office.decide("leave", office.lan, reason="retire")
    paper.reason = "cessationOfOperation"
    office.undo(left)
    with pytest.raises(Conflict, match="certificate_overtaken"):
        answer(office, paper.certificate())
    carried(office, paper)


@pytest.mark.both_databases
def test_effects_of_what_is_in_the_making_name_it_by_the_number_it_is_given(
    office: Office, paper: Paper
) -> None:
    day = office.province.today + timedelta(days=20)
    change = office.transfer(office.lan, OTHER_COMMUNE, effective_on=day.isoformat())
    office.issue(office.lan)
    asked_for = made(office).serial
    about = ("certificate.distrust", "certificate.revoke")
    assert {e.target for e in office.effects(change) if e.kind in about} == {asked_for}
    office.tools.clock.advance(days=9)
    answer(office, paper.certificate())
    serial = made(office).serial
    assert serial != asked_for
    paper.revoked.add(serial)
    office.tools.clock.advance(days=11)
    office.work()
    ours = sorted((e.kind, e.target) for e in office.effects(change) if e.kind in about)
    assert ours == [(kind, serial) for kind in about]  # and none of them twice
    assert all(e.label.startswith(serial[:8]) for e in office.effects(change) if e.kind in about)
    assert {e.state for e in office.effects(change) if e.kind in about} == {State.VERIFIED}
    with office.tools.db.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.tag == Tag.CERTIFICATE_ISSUE))
        (entry,) = (e for e in entries if e.subject_id == serial)
    assert entry.data["intended"] == asked_for  # what earlier entries call it


def test_a_refusal_opens_the_request_again(office: Office) -> None:
    office.issue(office.lan)
    assert answer(office, None) is None
    assert made(office).state == CertificateState.ABANDONED
    with office.tools.db.read() as session:
        assert len(requests.open_requests(session, office.lan)) == 1


def test_another_certificate_than_was_asked_for_is_refused(office: Office, paper: Paper) -> None:
    office.issue(office.lan)
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    forged = Paper()
    forged.asked = paper.asked
    for wrong in (
        paper.certificate(key=stranger),
        paper.certificate(common_name="Người khác"),
        forged.certificate(),
    ):
        with pytest.raises(InvalidInput, match="certificate_not_asked_for"):
            answer(office, wrong)
    assert made(office).state == CertificateState.INTENDED


def test_a_signer_that_never_answers_is_given_up(office: Office, paper: Paper) -> None:
    office.issue(office.lan)
    with office.tools.db.write() as session:
        requests.give_up(session, now=office.tools.clock() + paper.patience)
    assert made(office).state == CertificateState.ABANDONED


def test_what_was_given_up_and_is_signed_after_all_is_revoked_there(
    office: Office, paper: Paper
) -> None:
    office.issue(office.lan)
    with office.tools.db.write() as session:
        requests.give_up(session, now=office.tools.clock() + paper.patience)
    with pytest.raises(Conflict, match="certificate_overtaken"):
        answer(office, paper.certificate())
    carried(office, paper)
    with pytest.raises(Conflict, match="certificate_settled"):
        answer(office, paper.certificate())


def test_an_operator_revokes_what_another_has_signed(
    office: Office, paper: Paper, operator: Operator
) -> None:
    office.tools.clock.set(machine_time.now())  # the command line knows no other
    office.issue(office.lan)
    answer(office, paper.certificate())
    done = operator("cert", "revoke", made(office).serial, "--reason", "keyCompromise")
    assert done.code == 0, done.said
    office.tools.clock.set(machine_time.now())
    with office.tools.db.read() as session:
        (mine,) = issued.certificates_of(session, office.lan, now=office.tools.clock())
    assert mine.standing == "revoked"
    office.work()
    assert paper.sent == [made(office).authority_id]


def test_a_process_that_does_not_know_the_signer_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(signers.SIGNERS, "paper")
    with pytest.raises(Misconfigured, match="signer_unknown"):
        office.issue(office.lan, csr())
