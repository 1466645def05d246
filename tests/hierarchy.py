"""A house that issues certificates to people, as the government's does: a root, an authority below
it, people's certificates and revocation lists. Made here from what RFC 5280 says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.pki import foreign_lists, hierarchies

Key = ec.EllipticCurvePrivateKey
FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH
FOR_SERVERS = ExtendedKeyUsageOID.SERVER_AUTH
FOR_MAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
PERSON = "Nguyễn Thị Lan"
SITE = "http://chung-thu.localhost:8000"
"""Where certificates are shown (``certificate_site``)."""
PROXY = {"REMOTE_ADDR": "127.0.0.1"}
BELIEVED = "Ban Cơ yếu"


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def named(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ban Cơ yếu Chính phủ"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def usage(*on: str) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{each: each in on for each in every.split()})


@dataclass
class Signing:
    """An authority's key and certificate."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(
        cls,
        common: str,
        above: "Signing | None" = None,
        *,
        began: datetime,
        days: int = 3650,
        length: int | None = None,
        ca: bool = True,
        more: Sequence[tuple[x509.ExtensionType, bool]] = (),
        key: Key | None = None,
    ) -> "Signing":
        key = key or new_key()
        built = (
            x509.CertificateBuilder()
            .subject_name(named(common))
            .issuer_name(above.certificate.subject if above else named(common))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(began)
            .not_valid_after(began + timedelta(days=days))
            .add_extension(
                x509.BasicConstraints(ca=ca, path_length=length if ca else None), critical=True
            )
        )
        if ca:
            built = built.add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
        for extension, critical in more:
            built = built.add_extension(extension, critical=critical)
        return cls(key, built.sign(above.key if above else key, SHA256()))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def crl(
        self,
        now: datetime,
        *serials: int,
        days: float = 7,
        by: Key | None = None,
        more: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """A list of these serial numbers, DER."""
        built = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + timedelta(days=days))
        )
        for serial in serials:
            entry = (
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            )
            built = built.add_revoked_certificate(entry)
        for extension, critical in more:
            built = built.add_extension(extension, critical=critical)
        return built.sign(by or self.key, SHA256()).public_bytes(Encoding.DER)


@dataclass
class House:
    """A root and an issuing authority."""

    clock: Any
    root: Signing = field(init=False)
    issuing: Signing = field(init=False)

    def __post_init__(self) -> None:
        began = self.clock() - timedelta(days=400)
        self.root = Signing.make("Root CA", began=began)
        self.issuing = Signing.make("CA phục vụ G2", self.root, began=began, days=2000, length=0)

    @property
    def bundle(self) -> bytes:
        return self.root.pem + self.issuing.pem

    def issue(
        self,
        common: str = PERSON,
        *,
        key: Key | None = None,
        by: Signing | None = None,
        began: timedelta = timedelta(days=-30),
        days: float = 365,
        uses: Sequence[x509.ObjectIdentifier] | None = (FOR_CLIENTS, FOR_MAIL),
        key_usage: Sequence[str] = ("digital_signature", "content_commitment"),
        change: Callable[[x509.CertificateBuilder], x509.CertificateBuilder] = lambda built: built,
    ) -> x509.Certificate:
        """A person's certificate."""
        by, first = by or self.issuing, self.clock() + began
        built = (
            x509.CertificateBuilder()
            .subject_name(named(common))
            .issuer_name(by.certificate.subject)
            .public_key((key or new_key()).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(first + timedelta(days=days))
            .add_extension(usage(*key_usage), critical=True)
        )
        if uses is not None:
            built = built.add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
        return change(built).sign(by.key, SHA256())


def escaped(one: x509.Certificate) -> str:
    """As nginx writes ``$ssl_client_escaped_cert``: percent signs for all but letters, digits, -._~."""
    return quote(one.public_bytes(Encoding.PEM).decode(), safe="")


def believe(services: Any, house: House, level: int = 2) -> None:
    """Bring it in, as an operator does."""
    with services.db.write() as session:
        found = hierarchies.certificates_in(house.bundle)
        how: dict[str, Any] = {"level": level, "lenient": False, "now": services.clock()}
        hierarchies.bring_in(session, BELIEVED, found, **how)


def crl(services: Any, content: bytes) -> None:
    """Bring a list in."""
    with services.db.write() as session:
        foreign_lists.bring_in(session, content, now=services.clock())


def shown_there(
    app: Any, where: str, header: str | None, *, base: str = SITE, network: Any = None
) -> Any:
    """A visit at the host where certificates are shown, as a proxy hands it on; no cookie of the
    issuer's host goes there.
    """
    assert where.startswith(f"{SITE}/certificate?for="), where
    parts = urlsplit(where)
    return app.test_client().get(
        f"{parts.path}?{parts.query}",
        base_url=base,
        headers={"Client-Cert": header} if header else {},
        environ_base=PROXY | (network or {}),
    )


def way_back(answer: Any) -> str:
    """Where that host sends her, as a path of the issuer's."""
    assert answer.status_code == 303, answer.text
    assert "Set-Cookie" not in answer.headers
    parts = urlsplit(answer.headers["Location"])
    assert parts.netloc == "localhost:8000"
    return f"{parts.path}?{parts.query}"
