"""Who may have a certificate, and which keys are certified."""

import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sqlalchemy import select

from connectors.pki import issuance, issued, requests, revocations
from connectors.pki.local import Local
from connectors.pki.tables import (
    Certificate,
    CertificateStanding,
    CertificateState,
    RequestReason,
    RequestState,
    RevocationReason,
)
from directory.base.audit import Actor
from directory.base.errors import Conflict, DinhdanhError, InvalidInput
from tests.certificates import Office, csr, rsa_key

OPERATOR = Actor.operator("thử")


def _ed25519() -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return (
        builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()
    )


def _bad_signature() -> str:
    import base64

    lines = csr().strip().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[-1] ^= 1
    return "\n".join([lines[0], base64.encodebytes(der).decode().strip(), lines[-1]])


REFUSED = {
    "empty": (lambda: "", "csr_empty"),
    "blank": (lambda: " \n", "csr_empty"),
    "garbage": (lambda: "rác", "csr_unreadable"),
    "garbage in PEM": (
        lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        "csr_unreadable",
    ),
    "too long": (lambda: "A" * 20_000, "csr_too_long"),
    "bad signature": (_bad_signature, "csr_signature"),
    "signed with SHA-1": (lambda: SHA_1, "csr_signature"),
    "RSA 1024": (lambda: csr(rsa_key(1024)), "csr_weak_key"),
    "RSA 8192": (lambda: RSA_8192, "csr_weak_key"),
    "RSA exponent 3": (
        lambda: csr(rsa.generate_private_key(public_exponent=3, key_size=2048)),
        "csr_weak_key",
    ),
    "P-224": (lambda: csr(ec.generate_private_key(ec.SECP224R1())), "csr_key_type"),
    "P-192": (lambda: P192, "csr_"),
    "Ed25519": (_ed25519, "csr_key_type"),
}

SHA_1 = """-----BEGIN CERTIFICATE REQUEST-----
MIICUTCCATkCAQAwDDEKMAgGA1UEAwwBeDCCASIwDQYJKoZIhvcNAQEBBQADggEP
ADCCAQoCggEBALNp7Y/LDBhih8kv2UMM28RdnxXLvL9Ej4XhT9Ld/WO56NcK1IKc
rASAY+6WH/53u1C6xa8dgL9eYUBS9uuA0toxKn1D+n0BHvBkOLCJKvHmfxgEqDi+
GYmr3GRj7cQc9n0qCwHPZwUExfAPzCfmScLZCuXAAVZbwuooGghqD+XLxkf3Jzii
Wef38qPVS4szsTC51wH6UM1r7h8WEam/ht8mCC9eSaUUyvnulkeACssAOD5IWnyy
9gjk7vwJO56yjbiqUjeSxABPVmIjTM6vw3T7IrNx1qdiaOffo2vfqhazv4NdZuPm
8uT9eum3lLEJN97JbNvIm7X6pCDe6Nv1o30CAwEAAaAAMA0GCSqGSIb3DQEBBQUA
A4IBAQAiyEsKIFDFRV6OFJv7vwmxAoF0eUZop+YhPClfAW/SlFLyswHVnuFrK30s
nA5l5i21ppDPKX8nZcCBQorUfGMXRckdliJdjxPTlQJQbCDsFc0UW58QTouu1yAB
64tooV6an+FMo9NZ1+NkOuec8Em01efZ2pYRQfpYjPp7Wim5i3jendpHPl8X77h3
LaHn9jt5tIsJNg0VHflmWFkKMaFo89oHehFa3yRRgxxy3Exywq2TEsmq0BBsAFSD
x29xmB7Rl3C8GkEA5OUZrxZ/megHL2lPpqtitWdhs+YdTUZ1EnXyWJkqV+05G0AO
llN0VI/BaNuoOZUxsjT8/fUA0AB6
-----END CERTIFICATE REQUEST-----
"""

P192 = """-----BEGIN CERTIFICATE REQUEST-----
MIGmMF4CAQAwDDEKMAgGA1UEAwwBeDBJMBMGByqGSM49AgEGCCqGSM49AwEBAzIA
BCrnFFPfFx52YBMMxWzWEsRzSTpudvXFvdkDNrzrwj2eg62MHqblNYXkjBxVP/10
pKAAMAoGCCqGSM49BAMCAzgAMDUCGQDIcWcd2wywm9bcjo3hJNO79lS8dnEc8k0C
GEjU4fYQYixbpnvnqEr6/5SgaX1G/TuRZQ==
-----END CERTIFICATE REQUEST-----
"""


RSA_8192 = """-----BEGIN CERTIFICATE REQUEST-----
MIIIUTCCBDkCAQAwDDEKMAgGA1UEAwwBeDCCBCIwDQYJKoZIhvcNAQEBBQADggQP
ADCCBAoCggQBALJ/4otrySqmUO+hsD+a66arvVTL/Qw/zNX0Pc5OyOe4bptpt9wV
wI7FpVbIMVQG1KuTJQL6aZ4kogrpH6txUAn43UyIrDsff0ld3zwN5e3hFPrTnwv2
9UsvfrzYBMF9+J07EakddL1HvHe0OTs9pr6Lq0gLEpT8ALCJv+NbZhC1Njhyv2GF
88XuyFYg2C2X8Zy44v1dAbKpATscOFF/3JgcqtgSIBEVAl8bfREKtejKp+vjnvdJ
LE6dTuZNtIJgo/h0gNjzEtJwtQUQ0Fzf2ul9JXK2O2G0dFwzVwDiy4SSarh2OyvJ
T0QoU4ZEZsJcRJ066gSQj0ba8l6Cm1zRicKnhCGxAcgw/D+7ifTMxFgJ60sJcHog
2xPpgz9bpDYpHryAqFPTxo6PxiSj6xGjGzMpEudmsXJvZ7DChYelAQ77dPcDik1o
aNflj1sigOTqriC+OuNlABgHRjPgLDP02Il9PzZx3+5GFVwTL61DFMbvxRk9ifjR
WXcyBTYANjJdFTz9z5r/8BBvS4KctW3gggU3aABEw4kAzD5kJZ8GlcVFXHb1js74
J2OKaCNjSMvotBJSw6msc1CgCwuw1xjAqrZRhPusbAoPhXcu30EhjJDMDBRSjtrr
5z8mdc/UNMuwgxP78feR39fCCNmbH9Mf33S3Cog9Kn8vdFZq2BXkqa1pqsPGpfOX
79NDJGLUv1JfJJrk9WzAwYw5buUoJPNA92dropU9hvmy4YpRZtituRSaB+bFcaKz
somlOdBsFUU+ETTrjTRconU+sQfXgpaOwiyMd/DH7RAX1IEXQX+tuIeGwDlZVh5h
VIApkOq1cySxcHR10xth7fQKgF9hqsycubXv6sU9bUFfQotVXHbKyHOi2OwOojsN
4UMfclGgdgiIGbPOhjNfAJP/UIPsshKDUL7t47Y6u8aY9DG8UTxBDQZprF7B82WI
nPqgaC8PPJPiGU3v91wkyFGB1AtOjjVL+7RG7vRAf4Sqzy99WBAyTDCOD4H1q44i
KEpFgYq+OjDHCl6L9uki/TmU4kTO7zUaua2pxIE+uisfP3uaWM2I4CGShDuCaym6
Bva1JA6VACAs9LArwZImx3d5R2HAJPU+cBYzAOcDENcmIWMsLxlDktJ2tpsSuh7w
94EMsEO9q9tkzQTPgBVe1BFJtK5hGPWe6b4jLvTFskSt8hYqpOOs0XBRKJ90qPeL
LdD5bvoL2DM0tfz4ColXDasH5CA/16hR0MptjKxIQuISKnQEHOjI9ktK9rfjV+Ez
u4PeXjP+RevHziEwTHruQ4xpxwrY8fGuN+MXmPTHjmjUFPKJKBjvbMU6/WgQCUE+
sMnLKVB7/y+I1j0kuUT5nNQNKekeBcWwgbcCAwEAAaAAMA0GCSqGSIb3DQEBCwUA
A4IEAQCKOShfNwKSlmUGGq6WmnlqRC2w1ZODvX5oHl8fO4Yvo537mcYuTs8klX7C
PwPy3lt/+hTw0Wn8sXZ0G8AYJ0fGYjIyl8Ep5Jh5yIb6ib+ASNtnMdCZs4dNW7c6
3qjWq87p2IwN0NuzY3/LzIsmIJPFiFS7qx6K1HUXrjjR8PHCB/uAM8oSPmLn+1nU
qn88J+rtWgJfVyv9RBZ4v04WuTPB6Oo6v9zmMfOw4JkYPYAXinjlAAYe0fTXaYio
kOJ7vIDOVUUJkzyieqrD4psTLzrqmfjzxsoyuJtSG/D9lQXQmohX21qkjQB45zcE
0VHbMS6F/frbki61PghDKDcFfru/jPqEfI0z+O/wphufbgZBXf3ASxqtcjOeyVvN
eWhPMduSusJnO1Pshf39HVYJXIUvB1vogYNjNBXbtYijE44E6EFSYXYl40w9/zv1
0oAJSdbXoegM2PJL2Bud8y7/2z9LsEzRJNlIrbUkuNVjnTugrwM3gHWPDoNbl87y
rCWd3Wyrg5IVEF3RlM79VzLExtJynp79pp2Jb3112nCvs+ijHotNhKRU62DuCAy+
6QWDus0GvG7+3oyrHcpzbYx1IbOi4CgFJ1tM6d9k1QeQ2oOALFsfM4LITMOoZ5t9
+xn8XoJW/CNblWa64X4JgS6zbCpEpaTsBYbhjJQaKNjKNrUXI/o8ROsqlG+vAg6R
XyDbIB4fyaDJpufK8OVnh3hYAMenRBpQ4kvqu7921jQota5Nud+jI4SiPvdwEIAN
o1ZrLDRjM9rtzD02d8+QU1TWRrXRGLjWN7MjDFGUCdbCMNCLlR1Jrvx7yO/5VjVQ
Txh5EwudJzDB+gLdc+FLXWZLY4LwEoQJWBRcfO58ybpY1HCXSZTX7dmvYYUnvxC5
BuDE/AIUhONqrNV7BuilgYrkjrfLpFHoiTB39eR7WkoR/4yZTdMzbU4MiMXDSvsl
mvuDJwBusyKicd0OhKZP/lCmrgFvgqJgtD/Vd9b82qQdmSmu47H0CpMbtKiUtm5f
d21mMts1dnzsulkqnJ4yEfG6zHpM8nZK1bwh1VPm0rkPBpb8LlOaz08EtFvd1EHj
awxavfKSKBgSqToWE5GQzfPofwmWveNNRJcqmNhUfjtczLoONC0F7Ts5R/RvI+5+
VAnNU3wLtMAJDFlUUfHAwuC4YZtNr5D5TW5C7lAScfCUMJQX+3IDnn9c0FFH+xoZ
ZyrtbObWmKMitOGW5dR2Yu4EsbKMKNkOf/tOhZAxDjE4vz+XHaq0BXDKlkl1I93v
kQ4OEypvW7wHd56QZkh794/xAHkkjHdntLizJIkkL0dud6sXgn9GZ/UOY2Ai52XK
FWPEY6SmhOWCe76xI0nBpX/LGHe2
-----END CERTIFICATE REQUEST-----
"""
"""Kept, since such a key takes seconds to make."""


@pytest.mark.parametrize("case", REFUSED)
def test_an_unacceptable_csr_is_refused_with_its_reason(office: Office, case: str) -> None:
    make, code = REFUSED[case]
    with pytest.raises(InvalidInput) as refused:
        office.issue(office.lan, make())
    assert refused.value.code.startswith(code)
    assert refused.value.field == "csr"
    with office.tools.db.read() as session:
        assert session.scalars(select(Certificate)).all() == []


@pytest.mark.parametrize(
    "key",
    [lambda: rsa_key(2048), lambda: ec.generate_private_key(ec.SECP384R1())],
    ids=["RSA 2048", "P-384"],
)
def test_other_strong_keys_are_certified(office: Office, key: object) -> None:
    assert callable(key)
    assert office.issue(office.lan, csr(key())).count("BEGIN CERTIFICATE") == 3


def test_a_person_without_a_good_certificate_asks_for_herself(office: Office) -> None:
    row = office.row(office.issue(office.lan))
    with pytest.raises(Conflict, match="certificate_valid"):
        office.issue(office.lan)
    with office.tools.db.write() as session:
        revocations.revoke(
            session,
            session.get_one(Certificate, row.id),
            reason=RevocationReason.SUPERSEDED,
            at=office.tools.clock(),
            now=office.tools.clock(),
            actor=OPERATOR,
        )
    office.issue(office.lan)
    with office.tools.db.read() as session:
        views = issued.certificates_of(session, office.lan, now=office.tools.clock())
    assert [v.standing for v in views] == [CertificateStanding.GOOD, CertificateStanding.REVOKED]


def test_a_certificate_that_ends_soon_may_be_renewed(office: Office) -> None:
    office.issue(office.lan)
    office.tools.clock.advance(days=office.tools.settings.certificate_days - 20)
    with office.tools.db.write() as session:
        made = requests.request(session, office.lan, now=office.tools.clock())
        assert made.reason == RequestReason.RENEWAL
    office.issue(office.lan)


def test_an_open_request_allows_one_more_and_is_spent_by_it(office: Office) -> None:
    office.issue(office.lan)
    with office.tools.db.write() as session:
        for _ in range(2):  # asking twice opens one
            requests.open_request(
                session,
                user_id=office.lan,
                reason=RequestReason.REPLACEMENT,
                now=office.tools.clock(),
            )
    office.issue(office.lan)
    with office.tools.db.read() as session:
        assert requests.open_requests(session, office.lan) == []
    with pytest.raises(Conflict):
        office.issue(office.lan)


def test_a_request_of_a_later_day_is_not_fulfilled_before(office: Office) -> None:
    office.issue(office.lan)
    with office.tools.db.write() as session:
        requests.open_request(
            session,
            user_id=office.lan,
            reason=RequestReason.MOVED,
            now=office.tools.clock() + timedelta(days=3),
        )
    with pytest.raises(Conflict):
        office.issue(office.lan)
    office.tools.clock.advance(days=3)
    office.issue(office.lan)


@pytest.mark.both_databases
@pytest.mark.enable_socket
def test_of_two_answers_at_once_only_one_is_issued(office: Office) -> None:
    outcomes: list[str] = []

    def answer() -> None:
        try:
            office.issue(office.lan)
            outcomes.append("issued")
        except DinhdanhError as exc:
            outcomes.append(exc.code)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("issued") == 1
    with office.tools.db.read() as session:
        assert session.scalars(select(Certificate.state)).all() == [CertificateState.ISSUED]


def test_a_suspended_person_gets_none(office: Office) -> None:
    office.decide("suspend", office.lan)
    with pytest.raises(Conflict, match="user_inactive"):
        office.issue(office.lan)


def test_a_key_of_somebody_else_is_refused(office: Office) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    office.issue(office.lan, csr(key))
    with pytest.raises(InvalidInput, match="csr_key_used"):
        office.issue(office.province.users[1], csr(key))


def test_a_compromised_key_is_refused_for_ever(office: Office) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    row = office.row(office.issue(office.lan, csr(key)))
    with office.tools.db.write() as session:
        revocations.revoke(
            session,
            session.get_one(Certificate, row.id),
            reason=RevocationReason.KEY_COMPROMISE,
            at=office.tools.clock(),
            now=office.tools.clock(),
            actor=OPERATOR,
        )
    with pytest.raises(InvalidInput, match="csr_key_used"):
        office.issue(office.lan, csr(key))


def test_a_transfer_that_overtakes_the_signing_throws_the_certificate_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = issuance.sign

    def slowly(*args: object) -> object:
        office.transfer(office.lan, 2)
        return sign(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(issuance, "sign", slowly)
        with pytest.raises(Conflict, match="certificate_overtaken"):
            office.issue(office.lan)
    with office.tools.db.read() as session:
        assert session.scalars(select(Certificate.state)).all() == [CertificateState.ABANDONED]
        assert [r.state for r in requests.open_requests(session, office.lan)] == [RequestState.OPEN]
    assert office.row(office.issue(office.lan)).unit_id == office.province.units[2]


class _Killed(BaseException):
    pass


def test_what_a_process_died_over_is_given_up_and_may_be_asked_for_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = office.tools.clock()
    with office.tools.db.write() as session:
        requests.open_request(session, user_id=office.lan, reason=RequestReason.MOVED, now=now)

    def die(*_: object) -> object:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(issuance, "sign", die)
        with pytest.raises(_Killed):
            office.issue(office.lan)
    with office.tools.db.write() as session:  # it may still come
        requests.give_up(session, now=now + Local.patience - timedelta(seconds=1))
        assert session.scalars(select(Certificate.state)).all() == [CertificateState.INTENDED]
    with office.tools.db.write() as session:
        requests.give_up(session, now=now + Local.patience)
        requests.give_up(session, now=now + Local.patience)
    with office.tools.db.read() as session:
        assert session.scalars(select(Certificate.state)).all() == [CertificateState.ABANDONED]
        assert [r.reason for r in requests.open_requests(session, office.lan)] == ["moved"]
    office.issue(office.lan)


def test_a_signature_that_comes_too_late_is_thrown_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = issuance.sign

    def slowly(*args: object) -> object:
        office.tools.clock.advance(hours=1)
        with office.tools.db.write() as session:
            requests.give_up(session, now=office.tools.clock())
        return sign(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(issuance, "sign", slowly)
    with pytest.raises(Conflict, match="certificate_settled"):
        office.issue(office.lan)


def test_only_a_persons_own_reasons_revoke(office: Office) -> None:
    row = office.row(office.issue(office.lan))
    with office.tools.db.write() as session, pytest.raises(InvalidInput):
        revocations.revoke(
            session,
            session.get_one(Certificate, row.id),
            reason=RevocationReason.CERTIFICATE_HOLD,
            at=office.tools.clock(),
            now=office.tools.clock(),
            actor=OPERATOR,
        )
