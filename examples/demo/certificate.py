"""TLS=1: a certification authority of the demonstration's own, and a certificate for localhost.

Browsers will warn of it until ``ca.pem`` is imported; it signs nothing else.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from examples.demo.ground import Ground, write_private

YEAR = timedelta(days=365)


def ensure(ground: Ground) -> None:
    """Make the authority and the certificate unless they are there and good for a month."""
    file = ground.tls_folder / "localhost.pem"
    now = datetime.now(UTC)
    if file.exists():
        known = x509.load_pem_x509_certificate(file.read_bytes())
        if known.not_valid_after_utc > now + timedelta(days=30):
            return
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Dinhdanh demo CA")
    ca = _sign(
        issuer,
        authority.public_key(),
        authority,
        now,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage("key_cert_sign"), True),
    )
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = _sign(
        _name("localhost"),
        server.public_key(),
        authority,
        now,
        (names, False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (_usage("digital_signature"), True),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
    )
    _write(ground.tls_folder / "ca.pem", ca)
    key = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(ground.tls_folder / "localhost.key", key.decode())
    _write(file, certificate)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(only: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name == only for name in every})


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    now: datetime,
    *extensions: tuple[x509.ExtensionType, bool],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_name("Dinhdanh demo CA"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + YEAR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


def _write(file: Path, certificate: x509.Certificate) -> None:
    write_private(file, certificate.public_bytes(serialization.Encoding.PEM).decode())
