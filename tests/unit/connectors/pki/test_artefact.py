"""What HR events do to certificates: previewed, cut, dated, taken back."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from connectors.pki import crl, issued, requests, revocations, trust
from connectors.pki.profiles import SIGN_IN
from connectors.pki.tables import Certificate, CertificateStanding, RevocationReason
from connectors.pki.trust import Distrust, UntrustedCertificate
from directory.base.audit import Actor
from directory.base.clock import day_start
from directory.base.outbox import Job
from directory.changes.model import Change
from tests.certificates import Office

SAME_COMMUNE, OTHER_COMMUNE = 1, 2


def standing(office: Office, chain: str) -> str:
    """What our own trust decision says of a certificate now."""
    row = office.row(chain)
    with office.tools.db.read() as session:
        found = trust.trusted(
            session, issuer=office.authority().subject, serial=row.serial, now=office.tools.clock()
        )
    return found.refusal.value if isinstance(found, UntrustedCertificate) else "trusted"


def seen(office: Office, chain: str) -> tuple[str, str | None]:
    """What OCSP says of it now: status and reason."""
    answer = office.ask(office.row(chain).serial)
    reason = answer.revocation_reason
    return answer.certificate_status.name, reason.value if reason else None


def on_the_list(office: Office, chain: str) -> str | None:
    """The reason the CRL handed out now gives for it; None where it is not on it."""
    tools = office.tools
    published = crl.current(tools.db, tools.keyring, tools.settings, now=tools.clock())
    entry = x509.load_der_x509_crl(published.der).get_revoked_certificate_by_serial_number(
        int(office.row(chain).serial, 16)
    )
    if entry is None:
        return None
    return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value


def kinds(office: Office, change: Change) -> list[tuple[str, str]]:
    return [(e.kind, e.target) for e in office.effects(change) if e.kind.startswith("certificate")]


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_transfer_to_another_legal_person_revokes_in_the_same_transaction(office: Office) -> None:
    chain = office.issue(office.lan)
    assert (standing(office, chain), seen(office, chain)) == ("trusted", ("GOOD", None))
    office.transfer(office.lan, OTHER_COMMUNE)
    assert standing(office, chain) == Distrust.REVOKED
    assert seen(office, chain) == ("REVOKED", "affiliationChanged")
    assert on_the_list(office, chain) == "affiliationChanged"
    with office.tools.db.read() as session:
        (waiting,) = requests.open_requests(session, office.lan)
    assert waiting.reason == "moved"
    assert office.row(office.issue(office.lan)).unit_id == office.province.units[OTHER_COMMUNE]


@pytest.mark.parametrize("room", [SAME_COMMUNE, OTHER_COMMUNE])
@pytest.mark.parametrize("days", [0, 5])
def test_the_preview_announces_what_the_commit_orders(office: Office, room: int, days: int) -> None:
    office.issue(office.lan)
    day = office.province.today + timedelta(days=days)
    spec = office.province.spec(
        kind="transfer",
        user=office.lan,
        to_unit=office.province.units[room],
        position="CV",
        effective_on=day.isoformat(),
        decision={"number": "1/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    plan = office.province.plan(spec)
    change = office.province.commit(spec, plan.fingerprint)
    announced = [(f.column.value, f.kind, f.user_id, f.target, f.label) for f in plan.foreseen]
    ordered = [(e.column, e.kind, e.user_id, e.target, e.label) for e in office.effects(change)]
    assert announced == ordered
    assert [f.kind for f in plan.foreseen] == [
        "certificate.distrust",
        "certificate.revoke",
        "certificate.request",
    ]
    assert not any(f.counted for f in plan.foreseen)


def test_inside_the_legal_person_a_certificate_of_another_unit_stays(office: Office) -> None:
    """A DN that does not name the unit she leaves is still true."""
    chain = office.issue(office.lan)
    with office.tools.db.write() as session:
        row = session.get_one(Certificate, office.row(chain).id)
        row.unit_id = office.province.units[5]
    change = office.transfer(office.lan, SAME_COMMUNE)
    assert kinds(office, change) == []
    assert standing(office, chain) == "trusted"


def test_suspension_is_seen_as_a_hold_and_resuming_lifts_it(office: Office) -> None:
    chain = office.issue(office.lan)
    suspended = office.decide("suspend", office.lan)
    assert standing(office, chain) == Distrust.DISTRUSTED
    assert seen(office, chain) == ("REVOKED", "certificateHold")
    assert on_the_list(office, chain) == "certificateHold"
    assert [k for k, _ in kinds(office, suspended)] == ["certificate.distrust"]
    office.tools.clock.advance(days=1)
    resumed = office.decide("resume", office.lan)
    assert [k for k, _ in kinds(office, resumed)] == ["certificate.restore"]
    assert standing(office, chain) == "trusted"
    assert seen(office, chain) == ("GOOD", None)
    assert on_the_list(office, chain) is None


def test_resuming_does_not_lift_a_revocation(office: Office) -> None:
    chain = office.issue(office.lan)
    office.transfer(office.lan, OTHER_COMMUNE)
    office.tools.clock.advance(days=1)
    office.decide("suspend", office.lan)
    office.tools.clock.advance(days=1)
    office.decide("resume", office.lan)
    assert standing(office, chain) == Distrust.REVOKED
    assert seen(office, chain) == ("REVOKED", "affiliationChanged")


def test_leaving_revokes_for_cessation_and_asks_for_nothing(office: Office) -> None:
    chain = office.issue(office.lan)
    change = office.decide("leave", office.lan, reason="retire")
    assert seen(office, chain) == ("REVOKED", "cessationOfOperation")
    assert [k for k, _ in kinds(office, change)] == ["certificate.distrust", "certificate.revoke"]


def _scheduled(office: Office, days: int = 10) -> Change:
    day = office.province.today + timedelta(days=days)
    return office.transfer(office.lan, OTHER_COMMUNE, effective_on=day.isoformat())


def test_a_scheduled_revocation_is_invisible_until_its_moment_and_needs_no_job(
    office: Office,
) -> None:
    chain = office.issue(office.lan)
    change = _scheduled(office)
    moment = day_start(change.effective_on)
    office.tools.clock.set(moment - timedelta(seconds=1))
    assert (standing(office, chain), seen(office, chain)) == ("trusted", ("GOOD", None))
    assert on_the_list(office, chain) is None
    office.tools.clock.set(moment)
    assert standing(office, chain) == Distrust.REVOKED
    assert seen(office, chain) == ("REVOKED", "affiliationChanged")
    assert on_the_list(office, chain) == "affiliationChanged"


def test_its_jobs_wait_for_that_moment(office: Office) -> None:
    office.issue(office.lan)
    change = _scheduled(office)
    with office.tools.db.read() as session:
        for effect in office.effects(change):
            if effect.job_id is not None:
                assert session.get_one(Job, effect.job_id).run_at == change.effective_at
                assert effect.due_at == change.effective_at


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_cancelling_a_scheduled_transfer_withdraws_its_revocation(office: Office) -> None:
    chain = office.issue(office.lan)
    change = _scheduled(office)
    undone = _undo(office, change)
    assert [k for k, _ in kinds(office, undone)] == ["certificate.withdraw"]
    office.tools.clock.advance(days=20)
    assert standing(office, chain) == "trusted"
    assert seen(office, chain) == ("GOOD", None)
    assert on_the_list(office, chain) is None
    with office.tools.db.read() as session:
        assert requests.open_requests(session, office.lan) == []


def _undo(office: Office, change: Change) -> Change:
    from directory.changes import undo

    with office.tools.db.read() as session:
        spec = undo.spec_of(session, change.id)
    return office.province.commit(spec, office.province.plan(spec).fingerprint)


def test_undoing_a_transfer_never_revives_a_certificate(office: Office) -> None:
    chain = office.issue(office.lan)
    change = office.transfer(office.lan, OTHER_COMMUNE)
    _undo(office, change)
    assert standing(office, chain) == Distrust.REVOKED
    assert office.row(office.issue(office.lan)).unit_id == office.province.units[0]


def test_a_dated_revocation_survives_the_undoing_of_another_one(office: Office) -> None:
    chain = office.issue(office.lan)
    now = office.tools.clock()
    with office.tools.db.write() as session:
        revocations.revoke(
            session,
            session.get_one(Certificate, office.row(chain).id),
            reason=RevocationReason.SUPERSEDED,
            at=now + timedelta(days=10),
            now=now,
            actor=Actor.operator("thử"),
        )
    sooner = (office.province.today + timedelta(days=5)).isoformat()
    _undo(office, office.decide("leave", office.lan, reason="resign", effective_on=sooner))
    office.tools.clock.advance(days=9)
    assert seen(office, chain) == ("GOOD", None)
    office.tools.clock.advance(days=1)
    assert seen(office, chain) == ("REVOKED", "superseded")


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_a_certificate_issued_while_a_transfer_waits_goes_with_it(office: Office) -> None:
    change = _scheduled(office)
    office.tools.clock.advance(days=2)
    chain = office.issue(office.lan)
    office.tools.clock.set(day_start(change.effective_on))
    with office.tools.db.write() as session:
        office.tools.door.take_effect(session, office.lan, now=office.tools.clock())
    assert seen(office, chain) == ("REVOKED", "affiliationChanged")
    assert [k for k, _ in kinds(office, change)] == [
        "certificate.distrust",
        "certificate.revoke",
        "certificate.request",
    ]


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_people_of_one_change_are_cut_together(office: Office) -> None:
    people = office.province.users[:2]
    chains = [office.issue(p) for p in people]
    change = office.province.do(
        kind="transfer",
        users=people,
        to_unit=office.province.units[4],
        position="CV",
        effective_on=office.province.today.isoformat(),
        decision={"number": "1/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    assert {seen(office, c) for c in chains} == {("REVOKED", "affiliationChanged")}
    assert len(kinds(office, change)) == 6


def test_an_expired_certificate_is_left_alone(office: Office) -> None:
    chain = office.issue(office.lan)
    office.tools.clock.advance(days=400)
    assert standing(office, chain) == Distrust.EXPIRED
    assert kinds(office, office.transfer(office.lan, OTHER_COMMUNE)) == []


def test_trust_knows_a_certificate_by_its_key_too(office: Office) -> None:
    row = office.row(office.issue(office.lan))
    issuer, now = office.authority().subject, office.tools.clock()

    def ask(**what: Any) -> object:
        with office.tools.db.read() as session:
            found = trust.trusted(session, now=now, **({"issuer": issuer} | what))
        return found.refusal if isinstance(found, UntrustedCertificate) else found.id

    assert ask(spki=row.spki_hash) == row.id
    assert ask(spki=row.spki_hash, serial=row.serial) == row.id
    assert ask(serial="1") == Distrust.UNKNOWN
    assert ask(spki=row.spki_hash, issuer="CN=Other") == Distrust.UNKNOWN
    assert ask() == Distrust.UNKNOWN


def test_the_page_shows_since_when_a_certificate_is_held(office: Office) -> None:
    office.issue(office.lan)
    office.decide("suspend", office.lan)
    with office.tools.db.read() as session:
        (view,) = issued.certificates_of(session, office.lan, now=office.tools.clock())
        assert session.scalars(select(Certificate)).one().state == "issued"
    assert view.standing is CertificateStanding.HELD
    assert view.held is not None
    assert view.held.since == office.tools.clock()


# ---- somebody who is called otherwise ------------------------------------------------------------

LAN_ANH, LAN_CHI = "Lê Thị Lan Anh", "Lê Thị Lan Chi"


def renamed(office: Office, name: str) -> Change:
    return office.decide("rename", office.lan, full_name=name)


def wanted(office: Office) -> list[str]:
    with office.tools.db.read() as session:
        return [each.reason for each in requests.open_requests(session, office.lan)]


def named(office: Office, chain: str) -> str:
    subject = x509.load_pem_x509_certificate(chain.encode()).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_who_is_called_otherwise_is_to_have_a_certificate_that_says_so(office: Office) -> None:
    chain = office.issue(office.lan)
    change = renamed(office, LAN_ANH)
    assert kinds(office, change) == [("certificate.request", SIGN_IN.name)]
    assert wanted(office) == ["renamed"]
    assert standing(office, chain) == "trusted"  # until she has the new one
    assert named(office, office.issue(office.lan)) == LAN_ANH
    assert wanted(office) == []


def test_a_preview_says_that_a_certificate_will_be_wanted(office: Office) -> None:
    office.issue(office.lan)
    spec = office.province.spec(
        kind="rename", user=office.lan, effective_on=None, full_name=LAN_ANH, decision=None
    )
    foreseen = [f.kind for f in office.province.plan(spec).foreseen]
    assert foreseen == ["certificate.request"]


def test_no_certificate_is_wanted_of_who_has_none_or_keeps_her_name(office: Office) -> None:
    assert kinds(office, renamed(office, LAN_ANH)) == []
    office.issue(office.lan)
    for kind, said in (
        ("rename", {"birth_date": "1980-02-03"}),
        ("contact", {"phone": "0912345678"}),
    ):
        assert kinds(office, office.decide(kind, office.lan, **said)) == []
    assert wanted(office) == []


def test_one_certificate_is_wanted_however_often_she_is_renamed(office: Office) -> None:
    office.issue(office.lan)
    renamed(office, LAN_ANH)
    assert kinds(office, renamed(office, LAN_CHI)) == []
    assert wanted(office) == ["renamed"]
    assert named(office, office.issue(office.lan)) == LAN_CHI


def test_a_rename_taken_back_wants_no_certificate(office: Office) -> None:
    office.issue(office.lan)
    change = renamed(office, LAN_ANH)
    assert kinds(office, office.undo(change)) == []
    assert wanted(office) == []


def test_a_rename_taken_back_wants_one_again_where_the_new_name_was_certified(
    office: Office,
) -> None:
    before = named(office, office.issue(office.lan))
    change = renamed(office, LAN_ANH)
    office.issue(office.lan)
    assert kinds(office, office.undo(change)) == [("certificate.request", SIGN_IN.name)]
    assert wanted(office) == ["renamed"]
    assert named(office, office.issue(office.lan)) == before
