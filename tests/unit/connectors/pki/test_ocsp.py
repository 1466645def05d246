"""The responder, and how its pages answer what is not a request."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, HashAlgorithm
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient

from tests.certificates import Office, ocsp_request, web


@pytest.fixture
def browser(office: Office) -> FlaskClient:
    """A stranger with an HTTP client."""
    return web(office.tools).test_client()


def verified(office: Office, answer: bytes) -> ocsp.OCSPResponse:
    response = ocsp.load_der_ocsp_response(answer)
    key = office.issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(SHA256()))
    return response


@pytest.mark.parametrize("algorithm", [SHA1(), SHA256(), SHA384()])
def test_every_usual_hash_in_a_question_is_answered_in_kind(
    office: Office, browser: FlaskClient, algorithm: HashAlgorithm
) -> None:
    serial = int(office.row(office.issue(office.lan)).serial, 16)
    question = ocsp_request(office.issuer, serial, algorithm=algorithm)
    reply = browser.post("/pki/ocsp", data=question, content_type="application/ocsp-request")
    assert reply.content_type == "application/ocsp-response"
    response = verified(office, reply.data)
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert response.serial_number == serial
    assert response.hash_algorithm.name == algorithm.name
    # dated back for readers whose clock is slow, and to be kept for a minute at most
    assert response.this_update_utc == office.tools.clock() - timedelta(minutes=5)
    assert response.next_update_utc == office.tools.clock() + timedelta(minutes=1)
    assert [c.serial_number for c in response.certificates] == [office.issuer.serial_number]


def test_a_question_may_come_in_the_path(office: Office, browser: FlaskClient) -> None:
    from urllib.parse import quote

    serial = int(office.row(office.issue(office.lan)).serial, 16)
    # Try until the base64 holds what paths stumble over.
    for nonce in (bytes([n]) * 32 for n in range(256)):
        encoded = base64.b64encode(ocsp_request(office.issuer, serial, nonce=nonce)).decode()
        if "//" in encoded and "+" in encoded:
            break
    assert "/" in encoded
    for path in (encoded, quote(encoded, safe="")):
        reply = browser.get(f"/pki/ocsp/{path}")
        assert reply.status_code == 200
        assert verified(office, reply.data).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_serial_never_issued_is_unknown(office: Office) -> None:
    for serial in (1, 2**127, 2**159 - 1):
        assert office.ask(serial).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_is_echoed(office: Office, length: int) -> None:
    answer = office.ask(7, nonce=b"n" * length)
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * length


def test_no_nonce_no_echo(office: Office) -> None:
    assert list(office.ask(7).extensions) == []


@pytest.mark.parametrize("length", [0, 129, 1000])
def test_a_nonce_of_a_wrong_length_is_malformed(office: Office, length: int) -> None:
    """RFC 9654 §2.1."""
    answer = office.ask(7, nonce=b"n" * length)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"garbage", b"\x30\x80", b"\x30\x03\x02\x01\x05", b"<html>", b"0" * 5000],
)
def test_garbage_is_answered_in_the_protocol(browser: FlaskClient, body: bytes) -> None:
    for reply in (
        browser.post("/pki/ocsp", data=body),
        browser.get("/pki/ocsp/" + (base64.b64encode(body).decode() or "A")),
    ):
        assert reply.status_code == 200
        response = ocsp.load_der_ocsp_response(reply.data)
        assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_cut_off_request_is_malformed_wherever_it_is_cut(
    office: Office, browser: FlaskClient
) -> None:
    whole = ocsp_request(office.issuer, 7, nonce=b"n" * 8)
    for length in range(len(whole)):
        reply = browser.post("/pki/ocsp", data=whole[:length])
        response = ocsp.load_der_ocsp_response(reply.data)
        assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_changed_byte_never_breaks_the_responder(office: Office, browser: FlaskClient) -> None:
    whole = bytearray(ocsp_request(office.issuer, 7, nonce=b"n" * 8))
    for position in range(len(whole)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            changed = bytes(whole[:position]) + bytes([value]) + bytes(whole[position + 1 :])
            assert browser.post("/pki/ocsp", data=changed).status_code == 200


def test_not_base64_in_the_path_is_malformed(browser: FlaskClient) -> None:
    for path in ("***", "A", "x" * 20_000, "%00", "é"):
        reply = browser.get(f"/pki/ocsp/{path}")
        assert reply.status_code == 200
        response = ocsp.load_der_ocsp_response(reply.data)
        assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_an_overlong_body_is_refused_unread(browser: FlaskClient) -> None:
    reply = browser.post("/pki/ocsp", data=b"\x30" * 1_000_000)
    response = ocsp.load_der_ocsp_response(reply.data)
    assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_question_about_another_authority_is_not_ours_to_answer(
    office: Office, browser: FlaskClient
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other CA")])
    now = office.tools.clock()
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(office.issuer.not_valid_after_utc)
        .sign(key, SHA256())
    )
    reply = browser.post("/pki/ocsp", data=ocsp_request(other, 7))
    response = ocsp.load_der_ocsp_response(reply.data)
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_the_authoritys_files_have_their_media_types(office: Office, browser: FlaskClient) -> None:
    pem = browser.get("/pki/ca.pem")
    assert pem.content_type == "application/pem-certificate-chain"
    issuing, root = x509.load_pem_x509_certificates(pem.data)
    assert browser.get("/pki/ca.crt").content_type == "application/pkix-cert"
    assert x509.load_der_x509_certificate(browser.get("/pki/ca.crt").data) == issuing
    assert x509.load_der_x509_certificate(browser.get("/pki/root.crt").data) == root
    listed = browser.get("/pki/crl.der")
    assert listed.content_type == "application/pkix-crl"
    x509.load_der_x509_crl(listed.data)


def test_the_list_must_be_asked_for_again_and_says_so_cheaply(
    office: Office, browser: FlaskClient
) -> None:
    office.issue(office.lan)
    first = browser.get("/pki/crl.der")
    assert "no-cache" in first.headers["Cache-Control"]
    tag = {"If-None-Match": first.headers["ETag"]}
    assert browser.get("/pki/crl.der", headers=tag).status_code == 304
    office.decide("suspend", office.lan)
    assert browser.get("/pki/crl.der", headers=tag).status_code == 200


def test_without_an_authority_there_is_nothing_to_publish(tools: object) -> None:
    from sqlalchemy import delete

    from connectors.pki.tables import Authority, Crl
    from tests.certificates import Tools

    assert isinstance(tools, Tools)
    with tools.db.write() as session:
        session.execute(delete(Crl))
        session.execute(delete(Authority))
    browser = web(tools).test_client()
    for path in ("ca.pem", "ca.crt", "root.crt", "crl.der"):
        assert browser.get(f"/pki/{path}").status_code == 404
