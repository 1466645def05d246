"""An authority, people with certificates, and HR decisions about them, for tests of the PKI."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from connectors.outbound import Outbound
from connectors.pki import authority, requests
from connectors.pki import ocsp as responder
from connectors.pki.cutter import CertificateCutter
from connectors.pki.tables import Authority, Certificate
from directory.base import claiming, outbox
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.outbox import Claim, JobKind
from directory.changes import effects, undo
from directory.changes.door import Door
from directory.changes.effects import Due, Effect, Foreseen
from directory.changes.model import Change, Plan
from directory.changes.table import Column
from idp.api.authority import blueprint
from idp.run.performing import HANDLERS
from tests.properties.conftest import Province, build_province


class EverythingElse:
    """The columns these tests are not about."""

    columns = frozenset(Column) - CertificateCutter.columns

    def preview(self, session: Any, plan: Plan) -> Sequence[Foreseen]:
        return ()

    def cut(self, session: Any, plan: Plan, change: Change) -> Sequence[Due]:
        return ()

    def due(self, session: Any, change: Change, users: Sequence[int]) -> Sequence[Due]:
        return ()


@dataclass
class Tools:
    """What handlers, views and the province need of ``Services``."""

    settings: Settings
    clock: Any
    db: Database
    keyring: Keyring
    outbound: Outbound
    door: Door = field(
        default_factory=lambda: Door(
            cutters=(CertificateCutter(), EverythingElse()), keyring=Keyring.generate()
        )
    )


def csr(key: Any = None, *, algorithm: HashAlgorithm | None = None, subject: str = "anyone") -> str:
    """A PKCS #10 request with a key of its own, PEM."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, algorithm or SHA256()).public_bytes(Encoding.PEM).decode()


def rsa_key(size: int) -> rsa.RSAPrivateKey:
    """An RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


@dataclass
class Office:
    """The province of the property tests, with an authority."""

    tools: Tools
    province: Province
    app: Flask

    @classmethod
    def open(cls, tools: Tools, app: Flask | None = None) -> "Office":
        """Build the province; a prepared installation has its authority already."""
        return cls(tools, build_province(tools, tools.clock), app or web(tools))

    @property
    def lan(self) -> int:
        """Somebody of the first room of the first commune."""
        return self.province.users[0]

    @property
    def issuer(self) -> x509.Certificate:
        """The issuing authority's certificate."""
        with self.tools.db.read() as session:
            return authority.certificate_of(authority.issuing(session))

    def authority(self) -> Authority:
        """The issuing authority."""
        with self.tools.db.read() as session:
            return authority.issuing(session)

    def issue(self, user_id: int, csr_pem: str | None = None) -> str:
        """Ask and fulfil; the chain as PEM."""
        tools, pem = self.tools, csr() if csr_pem is None else csr_pem
        return requests.fulfil(
            tools.db, tools.keyring, tools.settings, user_id, pem, now=tools.clock()
        )

    def row(self, chain: str) -> Certificate:
        """The row of an issued certificate."""
        serial = x509.load_pem_x509_certificate(chain.encode()).serial_number
        with self.tools.db.read() as session:
            return session.scalars(
                select(Certificate).where(Certificate.serial == f"{serial:032x}")
            ).one()

    def transfer(self, user_id: int, room: int, **more: Any) -> Change:
        """Commit a transfer to one of the province's six rooms (two per commune)."""
        return self.province.do(
            **{
                "kind": "transfer",
                "user": user_id,
                "to_unit": self.province.units[room],
                "position": "CV",
                "effective_on": self.province.today.isoformat(),
                "decision": {"number": "1/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
            }
            | more
        )

    def decide(self, kind: str, user_id: int, **more: Any) -> Change:
        """Commit a change of one person that has no destination."""
        return self.province.do(
            **{
                "kind": kind,
                "user": user_id,
                "effective_on": self.province.today.isoformat(),
                "decision": {"number": "2/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
            }
            | more
        )

    def undo(self, change: Change) -> Change:
        """Take a change back."""
        with self.tools.db.read() as session:
            back = undo.spec_of(session, change.id)
        return self.province.commit(back, self.province.plan(back).fingerprint)

    def ask(self, serial: str | int, *, nonce: bytes | None = None) -> ocsp.OCSPResponse:
        """What the responder says of a serial, without HTTP."""
        number = serial if isinstance(serial, int) else int(serial, 16)
        raw = ocsp_request(self.issuer, number, nonce=nonce)
        tools = self.tools
        answer = responder.answer(
            tools.db, tools.keyring, raw, now=tools.clock(), life=timedelta(seconds=60)
        )
        return ocsp.load_der_ocsp_response(answer)

    def effects(self, change: Change) -> list[Effect]:
        """The effects of a change as they stand."""
        with self.tools.db.read() as session:
            return effects.of_change(session, change.id)

    def work(self, *, limit: int = 50) -> int:
        """Do every job that is due, as the worker does; how many were done."""
        for done in range(limit):
            claim = claiming.claim(self.tools.db, now=self.tools.clock())
            if claim is None:
                return done
            record: Any = HANDLERS[claim.kind](self.tools, claim)  # type: ignore[arg-type]
            with self.tools.db.write() as session:
                record(session)
                outbox.finish(session, claim, now=self.tools.clock())
        raise AssertionError("the work does not end")

    def claim(self, kind: JobKind) -> Claim:
        """Take the next job of this kind; others that are due stay taken."""
        while claim := claiming.claim(self.tools.db, now=self.tools.clock()):
            if claim.kind is kind:
                return claim
        raise AssertionError(f"no {kind} is due")


def ocsp_request(
    issuer: x509.Certificate,
    serial: int,
    *,
    nonce: bytes | None = None,
    algorithm: HashAlgorithm | None = None,
) -> bytes:
    """An OCSP request about any serial of this issuer."""
    algorithm = algorithm or SHA256()
    probe = (
        x509.CertificateBuilder()
        .subject_name(issuer.subject)
        .issuer_name(issuer.subject)
        .public_key(issuer.public_key())
        .serial_number(serial)
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    )
    builder = ocsp.OCSPRequestBuilder().add_certificate(probe, issuer, algorithm)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def web(tools: Tools) -> Flask:
    """An application with nothing but the authority's pages."""
    app = Flask("pki")
    app.extensions["dinhdanh"] = tools
    app.register_blueprint(blueprint)
    return app


@contextmanager
def served(app: Flask, port: int) -> Iterator[None]:
    """The application behind a real socket."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
