"""The revocation list: its numbers, its dates, what is on it, when there is a new one."""

from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import select

from connectors.pki import crl, revocations
from connectors.pki.tables import Certificate, Crl, RevocationReason
from directory.base.audit import Actor
from tests.certificates import Office


def current(office: Office) -> Crl:
    tools = office.tools
    return crl.current(tools.db, tools.keyring, tools.settings, now=tools.clock())


def publish(office: Office) -> Crl:
    tools = office.tools
    with tools.db.write() as session:
        return crl.publish(
            session, tools.keyring, tools.settings, office.authority().id, now=tools.clock()
        )


def serials(published: Crl) -> set[str]:
    return {f"{e.serial_number:032x}" for e in x509.load_der_x509_crl(published.der)}


def revoke(
    office: Office, chain: str, reason: RevocationReason = RevocationReason.SUPERSEDED
) -> str:
    row = office.row(chain)
    now = office.tools.clock()
    with office.tools.db.write() as session:
        revocations.revoke(
            session,
            session.get_one(Certificate, row.id),
            reason=reason,
            at=now,
            now=now,
            actor=Actor.operator("thử"),
        )
    return row.serial


def test_a_list_is_signed_numbered_and_dated(office: Office) -> None:
    published = publish(office)
    parsed = x509.load_der_x509_crl(published.der)
    key = office.issuer.public_key()
    assert parsed.is_signature_valid(key)  # type: ignore[arg-type]
    assert parsed.issuer == office.issuer.subject
    number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == published.number
    own = office.issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == own.digest
    # five minutes back, for readers whose clock is slow
    assert parsed.last_update_utc == office.tools.clock() - timedelta(minutes=5)
    assert parsed.next_update_utc == published.next_update


def test_numbers_rise_even_within_one_second_and_with_a_clock_set_back(office: Office) -> None:
    numbers = [publish(office).number for _ in range(3)]
    office.tools.clock.advance(days=-30)
    numbers.append(publish(office).number)
    assert numbers == sorted(set(numbers))


def test_numbers_rise_over_a_database_restored_from_yesterday(office: Office) -> None:
    """What a lost database has published since its backup lies below the next number."""
    before = publish(office).number
    for _ in range(20):
        office.tools.clock.advance(hours=1)
        lost = publish(office).number
    with office.tools.db.write() as session:
        for row in session.scalars(select(Crl).where(Crl.number > before)):
            session.delete(row)
        session.merge(office.authority()).crl_number = before
    office.tools.clock.advance(minutes=1)
    assert publish(office).number > lost


def test_the_same_list_is_handed_out_while_nothing_has_changed(office: Office) -> None:
    first = current(office)
    office.tools.clock.advance(minutes=30)
    assert current(office).number == first.number


def test_a_list_past_its_end_is_replaced_when_it_is_asked_for(office: Office) -> None:
    first = current(office)
    office.tools.clock.set(first.next_update)
    assert current(office).number > first.number


def test_a_revocation_is_on_the_next_list_handed_out(office: Office) -> None:
    chain = office.issue(office.lan)
    before = current(office)
    serial = revoke(office, chain)
    after = current(office)
    assert serials(before) == set()
    assert serials(after) == {serial}
    assert current(office).number == after.number


def test_an_unspecified_reason_is_left_out(office: Office) -> None:
    """RFC 5280 §5.3.1."""
    serial = revoke(office, office.issue(office.lan), RevocationReason.UNSPECIFIED)
    parsed = x509.load_der_x509_crl(current(office).der)
    entry = parsed.get_revoked_certificate_by_serial_number(int(serial, 16))
    assert entry is not None
    assert list(entry.extensions) == []
    answer = office.ask(serial)
    assert answer.certificate_status.name == "REVOKED"
    assert answer.revocation_reason is None


def test_an_entry_stays_for_one_list_after_its_certificates_end(office: Office) -> None:
    """RFC 5280 §3.3; and for a day, for those whose clock is slow."""
    chain = office.issue(office.lan)
    serial = revoke(office, chain)
    publish(office)
    office.tools.clock.set(office.row(chain).not_after + timedelta(minutes=1))
    assert serials(publish(office)) == {serial}
    office.tools.clock.advance(hours=1)
    assert serials(publish(office)) == {serial}
    office.tools.clock.advance(days=1)
    assert serials(publish(office)) == set()


def test_old_lists_are_deleted(office: Office) -> None:
    publish(office)
    office.tools.clock.advance(days=30)
    publish(office)
    with office.tools.db.read() as session:
        assert len(session.scalars(select(Crl)).all()) == 1


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_the_list_follows_the_marks_on_either_database(office: Office) -> None:
    chain = office.issue(office.lan)
    current(office)
    change = office.decide("suspend", office.lan)
    assert serials(current(office)) == {office.row(chain).serial}
    office.tools.clock.advance(days=1)
    office.decide("resume", office.lan)
    assert serials(current(office)) == set()
    office.tools.clock.advance(days=1)
    office.transfer(office.lan, 2)
    assert serials(current(office)) == {office.row(chain).serial}
    assert change.id
