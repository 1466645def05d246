"""The authority as openssl sees it, and the probe over a real socket."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from flask import request

from connectors.errors import Rejected, Transient
from connectors.outbound import Outbound
from connectors.pki import requests, revocations
from connectors.pki.authority import pem
from connectors.pki.jobs import probe_certificate, publish_crl
from connectors.pki.tables import Certificate, RevocationReason
from dinhdanh import ports
from directory.base.audit import Actor
from directory.base.clock import day_start
from directory.base.db import Database
from directory.base.outbox import JobKind
from directory.changes.effects import State
from tests import machine_time
from tests.certificates import Office, Tools, csr, rsa_key, served, web

OTHER_COMMUNE = 2


@pytest.fixture
def port() -> Iterator[int]:
    """A free port."""
    with ports.reserve() as block:
        yield block.first


@pytest.fixture
def office(
    port: int, make_settings: Callable[..., Any], clock: Any, keyring: Any
) -> Iterator[Office]:
    """An office whose authority answers on a real socket, at the time openssl believes it is."""
    clock.set(machine_time.now().replace(microsecond=0))
    settings = make_settings(
        issuer=f"http://127.0.0.1:{port}", outbound_allow=[f"127.0.0.1:{port}"]
    )
    database, outbound = Database(settings.database), Outbound(settings)
    tools = Tools(settings, clock, database, keyring, outbound)
    app = web(tools)
    with served(app, port):
        yield Office.open(tools, app)
    outbound.close()
    database.dispose()


def openssl(*args: str | Path, cwd: Path, fails: bool = False) -> str:
    """The output of an openssl command, which must succeed (or fail)."""
    done = subprocess.run(
        ["openssl", *map(str, args)], cwd=cwd, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output
    return output


@pytest.fixture
def files(office: Office, tmp_path: Path) -> Callable[[str], Path]:
    """Lay out what a relying party has: certificate, CA files and the list of this moment."""

    def lay_out(chain: str) -> Path:
        (tmp_path / "all.pem").write_text(chain)
        leaf, issuing, root = x509.load_pem_x509_certificates(chain.encode())
        for name, certificate in (("leaf", leaf), ("issuing", issuing), ("root", root)):
            (tmp_path / f"{name}.pem").write_text(pem([certificate]))
        url = f"{office.tools.settings.issuer}/pki/crl.der"
        (tmp_path / "crl.der").write_bytes(office.tools.outbound.request("GET", url).body)
        openssl("crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem", cwd=tmp_path)
        return tmp_path

    return lay_out


def verify(where: Path, *, fails: bool = False) -> str:
    return openssl(
        "verify", "-crl_check", "-x509_strict", "-purpose", "sslclient",
        "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "crl.pem", "leaf.pem",
        cwd=where, fails=fails,
    )  # fmt: skip


def status(where: Path, office: Office, *more: str) -> str:
    return openssl(
        "ocsp", *more, "-issuer", "issuing.pem", "-cert", "leaf.pem", "-CAfile", "root.pem",
        "-verify_other", "issuing.pem", "-url", f"{office.tools.settings.issuer}/pki/ocsp",
        cwd=where,
    )  # fmt: skip


@pytest.mark.parametrize("key", [None, 2048], ids=["P-256", "RSA 2048"])
def test_openssl_believes_a_certificate_until_its_person_moves(
    office: Office, files: Callable[[str], Path], key: int | None
) -> None:
    chain = office.issue(office.lan, csr(rsa_key(key) if key else None))
    where = files(chain)
    assert "leaf.pem: OK" in verify(where)
    for digest in ("-sha1", "-sha256"):
        said = status(where, office, digest)
        assert "Response verify OK" in said
        assert "leaf.pem: good" in said

    office.transfer(office.lan, OTHER_COMMUNE)

    said = status(where, office)
    assert "Response verify OK" in said
    assert "leaf.pem: revoked" in said
    assert "Reason: affiliationChanged" in said
    assert "certificate revoked" in verify(files(chain), fails=True)


def test_openssl_reads_the_list(office: Office, files: Callable[[str], Path]) -> None:
    chain = office.issue(office.lan)
    office.transfer(office.lan, OTHER_COMMUNE)
    where = files(chain)
    text = openssl("crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "issuing.pem", cwd=where)
    assert "verify OK" in text
    assert "X509v3 CRL Number" in text
    assert "X509v3 Authority Key Identifier" in text
    assert "Affiliation Changed" in text
    assert office.row(chain).serial.lstrip("0").upper() in text.upper()


def test_openssl_reads_the_person_in_the_certificate(
    office: Office, files: Callable[[str], Path]
) -> None:
    where = files(office.issue(office.lan))
    text = openssl("x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "utf8", cwd=where)
    for part in (
        "CN=Lê Lan",
        "OU=Phòng Kinh tế",
        "O=Ủy ban nhân dân xã Hà Trung",
        "TLS Web Client Authentication",
        "CA:FALSE",
        f"OCSP - URI:{office.tools.settings.issuer}/pki/ocsp",
    ):
        assert part in text


def test_openssl_gets_its_nonce_back(office: Office, files: Callable[[str], Path]) -> None:
    where = files(office.issue(office.lan))
    said = status(where, office, "-nonce", "-resp_text")
    assert "OCSP Nonce" in said
    assert "WARNING: no nonce" not in said
    assert "Nonce Verify error" not in said


def test_openssl_is_told_that_a_serial_is_unknown(
    office: Office, files: Callable[[str], Path]
) -> None:
    where = files(office.issue(office.lan))
    said = openssl(
        "ocsp", "-issuer", "issuing.pem", "-serial", "0x1234", "-CAfile", "root.pem",
        "-verify_other", "issuing.pem", "-url", f"{office.tools.settings.issuer}/pki/ocsp",
        cwd=where,
    )  # fmt: skip
    assert "0x1234: unknown" in said


def by_kind(office: Office, change: Any) -> dict[str, Any]:
    return {e.kind: e for e in office.effects(change)}


def test_the_proof_of_a_transfer_comes_from_outside(office: Office) -> None:
    office.issue(office.lan)
    change = office.transfer(office.lan, OTHER_COMMUNE)
    assert by_kind(office, change)["certificate.request"].state == State.ACKNOWLEDGED
    assert office.work() >= 3  # the list, and at least two looks
    effects = by_kind(office, change)
    for kind in ("certificate.distrust", "certificate.revoke"):
        assert effects[kind].state == State.VERIFIED
        assert effects[kind].verified_at is not None
        evidence = effects[kind].detail
        assert evidence["ocsp"]["status"] == "revoked"
        assert evidence["ocsp"]["reason"] == "affiliationChanged"
        assert evidence["crl"]["listed"]
    assert effects["certificate.revoke"].sent_at is not None


def test_probing_many_certificates_fetches_the_list_once(office: Office) -> None:
    for person in office.province.users:
        office.issue(person)
    served: list[int] = []
    office.app.after_request(
        lambda answer: (
            (request.path.endswith("crl.der") and served.append(answer.status_code)) or answer
        )
    )
    office.province.do(
        kind="transfer",
        users=office.province.users,
        to_unit=office.province.units[4],
        position="CV",
        effective_on=office.province.today.isoformat(),
        decision={"number": "1/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    office.work()
    assert len(served) >= len(office.province.users)
    assert served.count(200) <= 2  # the list the first look brought about, and the one published


def test_a_suspension_and_its_end_are_proven_too(office: Office) -> None:
    office.issue(office.lan)
    suspended = office.decide("suspend", office.lan)
    office.work()
    assert by_kind(office, suspended)["certificate.distrust"].state == State.VERIFIED
    office.tools.clock.advance(seconds=5)
    resumed = office.decide("resume", office.lan)
    office.work()
    restored = by_kind(office, resumed)["certificate.restore"]
    assert restored.state == State.VERIFIED
    assert restored.detail["ocsp"]["status"] == "good"


def test_an_effect_overtaken_by_a_later_change_does_not_wait_for_ever(office: Office) -> None:
    office.issue(office.lan)
    suspended = office.decide("suspend", office.lan)
    office.tools.clock.advance(seconds=5)
    office.decide("resume", office.lan)
    office.work()
    assert by_kind(office, suspended)["certificate.distrust"].state == State.SUPERSEDED


def test_a_scheduled_revocation_is_proven_on_its_day(office: Office) -> None:
    office.issue(office.lan)
    day = office.province.today + timedelta(days=3)
    change = office.transfer(office.lan, OTHER_COMMUNE, effective_on=day.isoformat())
    office.work()
    assert by_kind(office, change)["certificate.revoke"].state == State.PENDING
    office.tools.clock.set(day_start(day) + timedelta(seconds=1))
    office.work()
    assert by_kind(office, change)["certificate.revoke"].state == State.VERIFIED
    assert by_kind(office, change)["certificate.distrust"].state == State.VERIFIED


def test_the_proof_of_a_leave_covers_a_certificate_asked_for_meanwhile(office: Office) -> None:
    day = office.province.today + timedelta(days=3)
    change = office.decide("leave", office.lan, reason="retire", effective_on=day.isoformat())
    office.issue(office.lan)
    assert [e.kind for e in office.effects(change)] == [
        "certificate.distrust",
        "certificate.revoke",
    ]
    office.tools.clock.set(day_start(day) + timedelta(seconds=1))
    with office.tools.db.write() as session:
        office.tools.door.take_effect(session, office.lan, now=office.tools.clock())
    office.work()
    assert [e.state for e in office.effects(change)] == [State.VERIFIED, State.VERIFIED]


def test_the_proof_of_a_leave_covers_a_certificate_whose_making_came_to_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is verified when nobody vouches for it any more, not by never having been looked at."""
    changes: list[Any] = []

    def leave(*_: Any) -> Any:
        changes.append(office.decide("leave", office.lan, reason="retire"))
        raise KeyboardInterrupt

    monkeypatch.setattr("connectors.pki.issuance.sign", leave)
    with pytest.raises(KeyboardInterrupt):
        office.issue(office.lan)
    (change,) = changes
    with pytest.raises(Transient):
        probe_certificate(office.tools, office.claim(JobKind.CERTIFICATE_PROBE))
    office.tools.clock.advance(minutes=15)
    with office.tools.db.write() as session:
        requests.give_up(session, now=office.tools.clock())
    office.work()
    for effect in office.effects(change):
        assert effect.state == State.VERIFIED
        assert effect.detail["ocsp"]["status"] == "unknown"


def test_the_probe_believes_nobody_but_the_authority(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's answers, however cheerful, complete nothing."""
    office.issue(office.lan)
    office.transfer(office.lan, OTHER_COMMUNE)
    claim = office.claim(JobKind.CERTIFICATE_PROBE)
    monkeypatch.setattr("connectors.pki.ocsp.answer", forger(office))
    with pytest.raises(Rejected):
        probe_certificate(office.tools, claim)


def forger(office: Office) -> Callable[..., bytes]:
    """Answers every question with "revoked", under the authority's name and another key."""
    key, real = ec.generate_private_key(ec.SECP256R1()), office.issuer
    forged = (
        x509.CertificateBuilder()
        .subject_name(real.subject)
        .issuer_name(real.subject)
        .public_key(key.public_key())
        .serial_number(real.serial_number)
        .not_valid_before(real.not_valid_before_utc)
        .not_valid_after(real.not_valid_after_utc)
        .sign(key, SHA256())
    )

    def answer(db: Any, keyring: Any, request: bytes, *, now: datetime, life: Any) -> bytes:
        asked = ocsp.load_der_ocsp_request(request)
        nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value
        return (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                asked.issuer_name_hash,
                asked.issuer_key_hash,
                asked.serial_number,
                asked.hash_algorithm,
                ocsp.OCSPCertStatus.REVOKED,
                now,
                None,
                now,
                x509.ReasonFlags.affiliation_changed,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, forged)
            .add_extension(nonce, critical=False)
            .sign(key, SHA256())
            .public_bytes(Encoding.DER)
        )

    return answer


def test_a_server_that_is_away_is_asked_again_later(
    port: int, make_settings: Callable[..., Any], clock: Any, keyring: Any
) -> None:
    settings = make_settings(
        issuer=f"http://127.0.0.1:{port}", outbound_allow=[f"127.0.0.1:{port}"]
    )
    database, outbound = Database(settings.database), Outbound(settings)
    office = Office.open(Tools(settings, clock, database, keyring, outbound))
    office.issue(office.lan)
    office.transfer(office.lan, OTHER_COMMUNE)
    claim = office.claim(JobKind.CERTIFICATE_PROBE)
    with pytest.raises(Transient):
        probe_certificate(office.tools, claim)
    outbound.close()
    database.dispose()


def test_publishing_twice_after_a_crash_is_harmless(office: Office) -> None:
    chain = office.issue(office.lan)
    with office.tools.db.write() as session:
        revocations.revoke(
            session,
            session.get_one(Certificate, office.row(chain).id),
            reason=RevocationReason.KEY_COMPROMISE,
            at=office.tools.clock(),
            now=office.tools.clock(),
            actor=Actor.operator("thử"),
        )
    claim = office.claim(JobKind.CRL_PUBLISH)
    for _ in range(2):
        record = publish_crl(office.tools, claim)
        with office.tools.db.write() as session:
            assert record(session) == set()


@pytest.mark.both_databases
def test_transfer_to_proof_on_either_database(office: Office) -> None:
    chain = office.issue(office.lan)
    change = office.transfer(office.lan, OTHER_COMMUNE)
    office.work()
    assert by_kind(office, change)["certificate.revoke"].state == State.VERIFIED
    assert office.ask(office.row(chain).serial).certificate_status.name == "REVOKED"
