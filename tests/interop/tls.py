"""Certificates for a TLS edge and for the clients that show theirs there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FROM = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = FROM + timedelta(days=36500)


@dataclass(frozen=True)
class Credential:
    """A key and the certificate of it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = PrivateFormat.PKCS8
        return self.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    @classmethod
    def of_itself(cls, name: str) -> Self:
        """Self-signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _built(name, key.public_key()).sign(key, hashes.SHA256()))


class Authority(Credential):
    """A certification authority of one test process."""

    @classmethod
    def of_itself(cls, name: str) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=0)
        uses = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = (
            _built(name, key.public_key())
            .add_extension(basic, critical=True)
            .add_extension(uses, critical=True)
            .add_extension(identifier, critical=False)
        )
        return cls(key, made.sign(key, hashes.SHA256()))

    def issue(self, name: str, use: x509.ObjectIdentifier, dns: str) -> Credential:
        """A certificate of this authority for one use and one name."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = (
            _built(name, key.public_key(), issuer=self.certificate.subject)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(issuer, critical=False)
        )
        return Credential(key, made.sign(self.key, hashes.SHA256()))

    def server(self, dns: str) -> Credential:
        return self.issue(dns, ExtendedKeyUsageOID.SERVER_AUTH, dns)

    def client(self, dns: str) -> Credential:
        return self.issue(dns, ExtendedKeyUsageOID.CLIENT_AUTH, dns)


def _built(
    name: str, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name | None = None
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
    )
