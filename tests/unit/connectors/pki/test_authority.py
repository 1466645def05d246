"""The authority itself: what it is made of, and what it signs."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import delete, select

from connectors.pki import authority, for_servers, issuance, offline_root, profiles
from connectors.pki.authority import Algorithm
from connectors.pki.profiles import CertificateProfile
from connectors.pki.tables import Authority, Certificate, CertificateState
from directory.base.errors import Conflict, InvalidInput, Misconfigured
from tests.certificates import Office, Tools, csr, rsa_key


def test_root_and_issuing_authority_form_a_chain_of_the_right_depth(office: Office) -> None:
    with office.tools.db.read() as session:
        issuing, root = authority.chain(session, authority.issuing(session))
    issuing.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    for certificate, depth in ((root, 1), (issuing, 0)):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=depth)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.key_cert_sign
        assert usage.crl_sign
    assert root.not_valid_after_utc > issuing.not_valid_after_utc


def test_a_second_authority_is_refused(office: Office) -> None:
    tools = office.tools
    with tools.db.write() as session, pytest.raises(Conflict, match="ca_exists"):
        authority.create(
            session, tools.keyring, tools.settings, organization="X", now=tools.clock()
        )


def test_an_rsa_authority_issues_and_answers(tools: Tools) -> None:
    with tools.db.write() as session:
        session.execute(delete(Authority))
        made = authority.create(
            session,
            tools.keyring,
            tools.settings,
            organization="Tỉnh",
            now=tools.clock(),
            algorithm=Algorithm.RSA_3072,
        )
    office = Office.open(tools)
    row = office.row(office.issue(office.lan))
    assert office.ask(row.serial).certificate_status.name == "GOOD"
    key = authority.certificate_of(made).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072


def test_private_keys_are_not_readable_in_the_database(office: Office) -> None:
    with office.tools.db.read() as session:
        for row in session.scalars(select(Authority)):
            assert row.key_sealed
            assert row.key_sealed.startswith(office.tools.keyring.current + ".")


def test_the_root_can_be_taken_offline_and_brought_back(office: Office) -> None:
    tools = office.tools
    with tools.db.write() as session:
        file = offline_root.export_root(session, tools.keyring, "một mật khẩu dài")
    assert b"ENCRYPTED" in file
    with tools.db.write() as session, pytest.raises(Conflict, match="ca_offline"):
        offline_root.export_root(session, tools.keyring, "một mật khẩu dài")
    office.issue(office.lan)  # the issuing authority does not need it
    with tools.db.write() as session, pytest.raises(InvalidInput, match="root_key"):
        offline_root.import_root(session, tools.keyring, file, "sai mật khẩu rồi")
    with tools.db.write() as session:
        offline_root.import_root(session, tools.keyring, file, "một mật khẩu dài")
        root = session.get_one(Authority, authority.issuing(session).parent_id)
        second = authority.add_issuing(
            session,
            tools.keyring,
            tools.settings,
            root=root,
            organization="Tỉnh",
            now=tools.clock() + timedelta(days=400),
        )
    assert authority.certificate_of(second).issuer == authority.certificate_of(root).subject


def test_a_sign_in_certificate_says_who_and_where_and_no_personal_number(office: Office) -> None:
    chain = office.issue(office.lan, csr(subject="CN=somebody else"))
    certificate = x509.load_pem_x509_certificate(chain.encode())
    certificate.verify_directly_issued_by(office.issuer)
    row = office.row(chain)

    def part(oid: x509.ObjectIdentifier) -> list[object]:
        return [a.value for a in certificate.subject.get_attributes_for_oid(oid)]

    assert part(NameOID.COMMON_NAME) == ["Lê Lan"]
    assert part(NameOID.ORGANIZATIONAL_UNIT_NAME) == ["Phòng Kinh tế"]
    assert part(NameOID.ORGANIZATION_NAME) == ["Ủy ban nhân dân xã Hà Trung"]
    assert part(NameOID.USER_ID) == [row.username]
    assert part(NameOID.COUNTRY_NAME) == ["VN"]
    assert len(list(certificate.subject)) == 5
    extensions = certificate.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uri.startswith(f"{office.tools.settings.issuer}#")
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name == [
        x509.UniformResourceIdentifier(f"{office.tools.settings.issuer}/pki/crl.der")
    ]
    assert row.state == CertificateState.ISSUED
    assert row.unit_id == office.province.units[0]


def test_what_a_csr_asks_for_does_not_reach_the_certificate(office: Office) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chủ tịch")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=5), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("evil.example")]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    )
    chain = office.issue(office.lan, greedy.public_bytes(Encoding.PEM).decode())
    certificate = x509.load_pem_x509_certificate(chain.encode())
    assert "Chủ tịch" not in certificate.subject.rfc4514_string()
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == []


def test_serials_are_positive_128_bit_and_never_repeat(office: Office) -> None:
    serials = {authority.serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert all(len(s) == 32 and 0 < int(s, 16) < 2**128 for s in serials)


def test_the_database_refuses_a_serial_twice(office: Office) -> None:
    from sqlalchemy.exc import IntegrityError

    row = office.row(office.issue(office.lan))
    with pytest.raises(IntegrityError), office.tools.db.write() as session:
        session.add(
            Certificate(
                authority_id=row.authority_id,
                serial=row.serial,
                profile=row.profile,
                subject="",
                title="",
                spki_hash="",
                state="intended",
                intended_at=office.tools.clock(),
                not_before=row.not_before,
                not_after=row.not_after,
            )
        )


def test_the_intent_is_on_record_when_signing_crashes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr(issuance, "sign", crash)
        with pytest.raises(SystemExit):
            office.issue(office.lan)
    with office.tools.db.read() as session:
        intended = session.scalars(select(Certificate)).one()
    assert intended.state == CertificateState.INTENDED
    assert intended.der is None
    assert office.ask(intended.serial).certificate_status.name == "UNKNOWN"
    office.tools.clock.advance(minutes=2)
    office.issue(office.lan)  # she is not locked out by it


def test_nothing_outlives_its_authority(office: Office) -> None:
    office.tools.clock.advance(days=5 * 365 - 30)
    row = office.row(office.issue(office.lan))
    assert row.not_after == office.authority().not_after


@pytest.mark.parametrize(
    "profile",
    [
        CertificateProfile("x", timedelta(days=1), frozenset({"digital_signature"})),
        CertificateProfile(
            "x", timedelta(days=1), frozenset({"key_cert_sign"}), (ExtendedKeyUsageOID.CLIENT_AUTH,)
        ),
        CertificateProfile("x", timedelta(days=1), frozenset({"digital_signature"}), path_length=0),
        CertificateProfile(
            "x", timedelta(0), frozenset({"digital_signature"}), (ExtendedKeyUsageOID.CLIENT_AUTH,)
        ),
        CertificateProfile(
            "x", timedelta(days=1), frozenset({"all"}), (ExtendedKeyUsageOID.CLIENT_AUTH,)
        ),
        CertificateProfile(
            "x",
            timedelta(days=1),
            frozenset({"digital_signature"}),
            (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
        ),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(profile: CertificateProfile) -> None:
    with pytest.raises(Misconfigured):
        profiles.check(profile)


def test_a_service_certificate_carries_its_dns_names(office: Office) -> None:
    from directory.base.audit import Actor

    tools = office.tools
    chain = for_servers.issue(
        tools.db,
        tools.keyring,
        tools.settings,
        hosts=("dinhdanh.example", "localhost"),
        csr_pem=csr(rsa_key(2048)),
        now=tools.clock(),
        actor=Actor.operator("thử"),
    )
    certificate = x509.load_pem_x509_certificate(chain.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dinhdanh.example", "localhost"]
