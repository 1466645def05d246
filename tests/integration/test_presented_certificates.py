"""Which certificates say something, judged at the moment they are shown.

The house and its certificates are made in tests/hierarchy.py; what is right is said by RFC 5280 and
by what an operator has ordered.
"""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.outbound import Outbound
from connectors.pki import (
    for_servers,
    foreign_distrust,
    foreign_lists,
    hierarchies,
    path,
    presented,
    revocations,
)
from connectors.pki.foreign_distrust import Foreign, serial_of
from connectors.pki.presented import Presented, Refusal
from connectors.pki.tables import RevocationReason
from directory.base.audit import Actor
from directory.base.errors import Conflict, InvalidInput
from tests import machine_time
from tests.certificates import Office, Tools, csr
from tests.hierarchy import FOR_CLIENTS, FOR_MAIL, FOR_SERVERS, House, Signing, new_key, usage

ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
LOGON = ExtendedKeyUsageOID.SMARTCARD_LOGON
DAY = timedelta(days=1)


@pytest.fixture
def house(clock: Any) -> House:
    return House(clock)


@pytest.fixture
def believed(house: House, services: Any) -> House:
    """A hierarchy of level 2, with a list of today."""
    bring_in(services, house)
    crl(services, house.issuing.crl(house.clock()))
    return house


def bring_in(services: Any, house: House, content: bytes | None = None, **more: Any) -> None:
    how = {"level": 2, "lenient": False} | more
    with services.db.write() as session:
        found = hierarchies.certificates_in(house.bundle if content is None else content)
        hierarchies.bring_in(session, "Ban Cơ yếu", found, now=services.clock(), **how)


def crl(services: Any, content: bytes) -> None:
    with services.db.write() as session:
        foreign_lists.bring_in(session, content, now=services.clock())


def judged(services: Any, one: x509.Certificate) -> Presented | Refusal:
    with services.db.read() as session:
        return presented.judge(session, services.settings, one, now=services.clock())


def level(services: Any, one: x509.Certificate) -> int:
    found = judged(services, one)
    assert isinstance(found, Presented), found
    return found.level


@pytest.mark.both_databases
def test_a_certificate_of_a_hierarchy_that_was_imported_says_its_key(
    believed: House, services: Any
) -> None:
    key = new_key()
    one = believed.issue(key=key)
    found = judged(services, one)
    assert isinstance(found, Presented)
    assert found.key == path.key_of(one)
    assert found.serial == serial_of(one.serial_number)
    assert (found.level, found.owner) == (2, None)
    assert "Nguyễn Thị Lan" in found.subject


def test_nobody_elses_is_believed_whatever_it_says(house: House, services: Any) -> None:
    """The names are those of the believed house; the key is not (CVE-2026-35616)."""
    bring_in(services, house)
    crl(services, house.issuing.crl(house.clock()))
    double = House(house.clock)
    assert judged(services, double.issue()) is Refusal.UNKNOWN
    own = Signing.make("Nguyễn Thị Lan", began=house.clock() - DAY, ca=False)
    assert judged(services, own.certificate) is Refusal.UNKNOWN


def test_an_authority_that_was_not_imported_issues_nothing(believed: House, services: Any) -> None:
    """Even below a root that was: nobody's own chain is asked for."""
    other = Signing.make("CA khác", believed.root, began=believed.clock() - DAY)
    assert judged(services, believed.issue(by=other)) is Refusal.UNKNOWN
    # And whoever has a person's certificate issues none with it.
    person = Signing.make("Lan", believed.issuing, began=believed.clock() - DAY, ca=False)
    assert judged(services, believed.issue(by=person)) is Refusal.UNKNOWN


def test_its_dates_count(believed: House, services: Any, clock: Any) -> None:
    assert judged(services, believed.issue(began=timedelta(hours=1))) is Refusal.EARLY
    assert judged(services, believed.issue(began=-DAY * 30, days=29)) is Refusal.EXPIRED
    soon = believed.issue(began=-DAY, days=2)
    assert level(services, soon) == 2
    clock.advance(days=1)
    assert level(services, soon) == 2
    clock.advance(seconds=1)
    assert judged(services, soon) is Refusal.EXPIRED


@pytest.mark.parametrize(
    ("uses", "strict", "lenient"),
    [
        ((FOR_CLIENTS,), True, True),
        ((FOR_CLIENTS, FOR_SERVERS), True, True),
        ((ANY,), True, True),
        (None, True, True),
        ((FOR_MAIL,), False, True),
        ((LOGON, FOR_MAIL), False, True),
        ((FOR_SERVERS,), False, False),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), False, False),
    ],
)
def test_what_it_is_for(
    believed: House, services: Any, uses: Any, strict: bool, lenient: bool
) -> None:
    one = believed.issue(uses=uses)
    assert (judged(services, one) is not Refusal.USE) == strict
    bring_in(services, believed, lenient=True)
    assert (judged(services, one) is not Refusal.USE) == lenient


def test_a_key_that_signs_nothing_and_an_authority_prove_nobody(
    believed: House, services: Any
) -> None:
    only = believed.issue(key_usage=("key_encipherment",))
    assert judged(services, only) is Refusal.USE
    assert judged(services, believed.issuing.certificate) is Refusal.USE


def test_what_must_be_understood_is(believed: House, services: Any) -> None:
    """RFC 5280 §4.2: an extension that is critical and not known."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    for critical, said in ((True, Refusal.USE), (False, None)):
        one = believed.issue(change=lambda b, c=critical: b.add_extension(odd, critical=c))
        found = judged(services, one)
        assert (found if isinstance(found, Refusal) else None) is said


def test_a_weak_key_is_nobody(believed: House, services: Any) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert judged(services, believed.issue(key=weak)) is Refusal.WEAK


# ---- lists -----------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_without_a_current_list_nobody_is_let_in(house: House, services: Any, clock: Any) -> None:
    bring_in(services, house)
    one = house.issue()
    assert judged(services, one) is Refusal.STALE
    crl(services, house.issuing.crl(clock(), days=7))
    assert level(services, one) == 2
    clock.advance(days=7)
    assert level(services, one) == 2
    clock.advance(seconds=1)
    assert judged(services, one) is Refusal.STALE
    services.settings.certificate_list_grace = 3600
    assert level(services, one) == 2
    clock.advance(hours=1)
    assert judged(services, one) is Refusal.STALE
    crl(services, house.issuing.crl(clock()))
    assert level(services, one) == 2


@pytest.mark.both_databases
def test_what_a_list_names_is_revoked_also_when_the_list_is_old(
    believed: House, services: Any, clock: Any
) -> None:
    one, other = believed.issue(), believed.issue()
    crl(services, believed.issuing.crl(clock(), one.serial_number))
    assert judged(services, one) is Refusal.REVOKED
    assert level(services, other) == 2
    clock.advance(days=8)
    assert judged(services, one) is Refusal.REVOKED
    assert judged(services, other) is Refusal.STALE


def test_a_list_is_its_authoritys_own_whole_and_not_older(
    believed: House, services: Any, clock: Any
) -> None:
    double = House(clock)
    forged = believed.issuing.crl(clock(), by=double.issuing.key)
    delta = believed.issuing.crl(clock(), more=[(x509.DeltaCRLIndicator(1), True)])
    part = x509.IssuingDistributionPoint(
        full_name=None,
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}),
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    narrow = believed.issuing.crl(clock(), more=[(part, True)])
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    strange = believed.issuing.crl(clock(), more=[(odd, True)])
    for wrong in (forged, double.issuing.crl(clock()), delta, narrow, strange, b"", b"gi day"):
        with pytest.raises(InvalidInput):
            crl(services, wrong)
    with pytest.raises(Conflict):
        crl(services, believed.issuing.crl(clock() - DAY))
    crl(services, believed.issuing.crl(clock()))


def test_the_roots_list_ends_an_authority(believed: House, services: Any, clock: Any) -> None:
    one = believed.issue()
    crl(services, believed.root.crl(clock()))
    assert level(services, one) == 2
    crl(services, believed.root.crl(clock(), believed.issuing.certificate.serial_number))
    assert judged(services, one) is Refusal.ISSUER


def test_the_roots_list_once_there_must_be_current_too(
    believed: House, services: Any, clock: Any
) -> None:
    crl(services, believed.root.crl(clock(), days=1))
    one = believed.issue()
    assert level(services, one) == 2
    clock.advance(days=2)
    assert judged(services, one) is Refusal.STALE


# ---- the operator ----------------------------------------------------------------------------


@pytest.mark.both_databases
def test_local_distrust_counts_at_once_and_is_taken_back(
    believed: House, services: Any, clock: Any
) -> None:
    one = believed.issue()
    found = judged(services, one)
    assert isinstance(found, Presented)
    assert found.foreign is not None
    which = [Foreign(found.foreign, found.serial)]
    with services.db.write() as session:
        foreign_distrust.add(session, which, cause="operator", at=clock(), now=clock())
    clock.advance(seconds=-30)  # a node whose clock is behind
    assert judged(services, one) is Refusal.DISTRUSTED
    clock.advance(minutes=1)
    with services.db.write() as session:
        assert foreign_distrust.lift(session, which, cause="operator", at=clock())
    assert level(services, one) == 2


@pytest.mark.both_databases
def test_a_hierarchy_that_was_removed_says_nothing(believed: House, services: Any) -> None:
    one = believed.issue()
    assert level(services, one) == 2
    with services.db.write() as session:
        hierarchies.remove(session, "Ban Cơ yếu", now=services.clock())
    assert judged(services, one) is Refusal.UNKNOWN
    bring_in(services, believed, level=1)
    assert level(services, one) == 1


def test_an_authority_whose_time_is_over_issues_nothing(house: House, services: Any) -> None:
    began = house.clock() - DAY * 400
    for days, length, said in ((399, 0, Refusal.ISSUER), (3000, 0, None)):
        below = Signing.make(f"CA {days}", house.root, began=began, days=days, length=length)
        bring_in(services, house, house.root.pem + below.pem)
        crl(services, below.crl(house.clock()))
        found = judged(services, house.issue(by=below))
        assert (found if isinstance(found, Refusal) else None) is said


def test_no_more_authorities_below_one_than_it_allows(house: House, services: Any) -> None:
    began = house.clock() - DAY
    below = Signing.make("CA 2", house.issuing, began=began)  # whose own allows none
    bring_in(services, house, house.bundle + below.pem)
    crl(services, below.crl(house.clock()))
    assert judged(services, house.issue(by=below)) is Refusal.ISSUER


def test_what_is_imported_is_whole_and_of_authorities(house: House, services: Any) -> None:
    person = Signing.make("Lan", house.issuing, began=house.clock() - DAY, ca=False)
    names = x509.NameConstraints([x509.DNSName("gov.vn")], None)
    bound = Signing.make("CA", house.root, began=house.clock() - DAY, more=[(names, True)])
    for content in (
        house.issuing.pem,
        house.bundle + person.pem,
        house.root.pem + bound.pem,
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ):
        with pytest.raises(InvalidInput):
            bring_in(services, house, content)
    with services.db.read() as session:
        assert list(hierarchies.every(session)) == []


def test_an_authority_that_may_only_sign_lists_is_none(house: House, services: Any) -> None:
    key = new_key()
    built = (
        x509.CertificateBuilder()
        .subject_name(house.root.certificate.subject)
        .issuer_name(house.root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(house.clock() - DAY)
        .not_valid_after(house.clock() + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage("crl_sign"), critical=True)
    )
    made = Signing(key, built.sign(key, SHA256()))
    with pytest.raises(InvalidInput):
        bring_in(services, house, made.pem)


# ---- our own ---------------------------------------------------------------------------------


@pytest.fixture
def office(services: Any, clock: Any) -> Office:
    """An office whose certificates are valid today."""
    clock.set(machine_time.now())
    has = services
    return Office.open(Tools(has.settings, clock, has.db, has.keyring, Outbound(has.settings)))


@pytest.mark.both_databases
def test_our_own_says_whose_it_is_until_it_is_held_back(office: Office, services: Any) -> None:
    key = new_key()
    pem = office.issue(office.lan, csr(key))
    one = x509.load_pem_x509_certificates(pem.encode())[0]
    found = judged(services, one)
    assert isinstance(found, Presented)
    assert (found.owner, found.level, found.foreign) == (office.lan, 1, None)
    services.settings.certificate_level = 2
    assert level(services, one) == 2
    row = office.row(pem)
    now = services.clock()
    operator = Actor.operator("test")
    with services.db.write() as session:
        revocations.distrust(session, row, at=now, now=now, actor=operator)
    assert judged(services, one) is Refusal.DISTRUSTED
    why = RevocationReason.KEY_COMPROMISE
    with services.db.write() as session:
        revocations.revoke(session, row, reason=why, at=now, now=now, actor=operator)
    assert judged(services, one) is Refusal.REVOKED


def test_a_servers_certificate_of_ours_proves_nobody(office: Office, services: Any) -> None:
    has = services
    pem = for_servers.issue(
        has.db,
        has.keyring,
        has.settings,
        hosts=("may-chu.example",),
        csr_pem=csr(),
        now=has.clock(),
        actor=Actor.operator("test"),
    )
    one = x509.load_pem_x509_certificates(pem.encode())[0]
    assert judged(services, one) is Refusal.USE
