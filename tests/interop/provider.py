"""A provider that is really served, for clients that others wrote.

Provider   ``dinhdanh serve --with-worker`` and its database; registers clients
Party      what a relying party's configuration holds of its registration
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from dinhdanh import ports
from directory.base.audit import Actor
from directory.base.config import Settings, load_settings
from directory.base.hashing import PasswordHasher
from idp.factors import passwords
from idp.oidc import clients
from idp.oidc.clients import Registration
from idp.run import installation, migrate, wiring
from idp.services import Services
from tests import factories
from tests.crash.installation import PATIENCE, answers, wait_for
from tests.interop.person import Person
from tests.interop.tls import Authority

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "nắng mai vàng trên bến sông"
OPERATOR = Actor.operator("kiểm thử")
RELYING_PARTIES = 40
"""Ports on this machine the provider may call: for logout tokens and for clients' keys."""


@dataclass(frozen=True)
class Party:
    """A registered client, and what a relying party's configuration holds of it."""

    client_id: str
    secret: str | None

    @property
    def config(self) -> dict[str, Any]:
        return {"client_id": self.client_id, "client_secret": self.secret}

    @property
    def basic(self) -> tuple[str, str]:
        """For HTTP's own authentication."""
        return self.client_id, self.secret or ""


@dataclass
class Provider:
    """One installation with one official in it, serving on a port of its own."""

    folder: Path
    settings: Settings
    services: Services
    ports: Iterator[int]
    """Free ones that the provider may call."""
    authority: Authority
    """Issues certificates to clients."""
    sub: str = ""
    username: str = ""
    full_name: str = "Lê Thị Lan"
    unit_name: str = "Ủy ban nhân dân xã Hà Trung"
    running: "subprocess.Popen[bytes] | None" = None
    people: list[Person] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return self.settings.issuer

    def start(self) -> None:
        """``dinhdanh serve --with-worker``; returns when it answers."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DINHDANH_")} | {
            "DINHDANH_CONFIG": str(self.folder / "dinhdanh.toml"),
            "PYTHONPATH": str(ROOT),
        }
        command = (sys.executable, "-m", "idp.commands.main", "serve", "--with-worker")
        with (self.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            wait_for("the provider", self._answers)
        except TimeoutError as late:
            raise TimeoutError(self.log()[-4000:]) from late

    def _answers(self) -> bool:
        if self.running is not None and self.running.poll() is not None:
            raise TimeoutError("it has ended")
        return answers(f"{self.issuer}/readyz")

    def stop(self) -> None:
        for person in self.people:
            person.close()
        if self.running is not None:
            self.running.send_signal(signal.SIGTERM)
            try:
                self.running.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.running.kill()
                self.running.wait()
        self.services.db.dispose()

    def log(self) -> str:
        """Everything it has said."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def register(self, name: str, **columns: Any) -> Party:
        """A client of ours (nobody is asked for consent) unless told otherwise."""
        values: dict[str, Any] = {"first_party": True} | columns
        with self.services.db.write() as session:
            made, secret = clients.register(
                session,
                Registration(name=name, **values),
                keyring=self.services.keyring,
                actor=OPERATOR,
                now=self.services.clock(),
            )
            return Party(made.client_id, secret)

    def disable(self, party: Party) -> None:
        """The client is as good as unknown from now on."""
        with self.services.db.write() as session:
            row = clients.get(session, party.client_id)
            clients.disable(session, row, actor=OPERATOR, now=self.services.clock())

    def person(self) -> Person:
        """The official, with a browser that has no cookies yet."""
        self.people.append(Person(self.issuer, self.username, PASSWORD))
        return self.people[-1]


def new_key(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A key pair of a client's own, as JWKs: the private and the public one."""
    parameters = {"use": "sig", "alg": algorithm, "kid": f"interop-{algorithm}"}
    key = (
        ECKey.generate_key("P-256", parameters)
        if algorithm == "ES256"
        else RSAKey.generate_key(2048, parameters)
    )
    return dict(key.as_dict(private=True)), dict(key.as_dict(private=False))


def build(folder: Path, **settings: Any) -> Provider:
    """Write configuration, database and the official; nothing runs yet."""
    port, edge = ports.reserve(2)
    blocks = [ports.reserve(ports.SIZE) for _ in range(RELYING_PARTIES // ports.SIZE)]
    others = [each for block in blocks for each in block]
    authority = Authority.of_itself("Bộ chứng thực thử nghiệm")
    (folder / "clients.pem").write_text(authority.pem)
    values = {
        "issuer": f"http://localhost:{port}",
        "port": port,
        "data_dir": str(folder / "data"),
        "second_factor": "nobody",
        "outbound_allow": [f"localhost:{each}" for each in others],
        "source_failures": 1000,
        "mail_domains": ["thanhhoa.example"],
        "device_interval": 3,
        "response_types": ["code", "code id_token"],
        "client_certificates": True,
        "client_certificate_ca_file": str(folder / "clients.pem"),
        "trusted_proxies": ["127.0.0.1"],
        "mtls_base": f"https://localhost:{edge}",
    } | settings
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
    (folder / "dinhdanh.toml").write_text("".join(lines))
    (folder / "data").mkdir()
    loaded = load_settings(folder / "dinhdanh.toml")
    services = wiring.build(loaded, create_keyring=True)
    migrate.upgrade(services.db.engine)
    installation.prepare(services, name="Tỉnh Thanh Hóa")
    made = Provider(folder, loaded, services, iter(others), authority)
    _fill(made)
    return made


def _fill(made: Provider) -> None:
    now = made.services.clock()
    phc = passwords.hashed(PasswordHasher(), PASSWORD)
    with made.services.db.write() as session:
        root = factories.make_unit(session, "Tỉnh Thanh Hóa")
        commune = factories.make_unit(session, made.unit_name, parent=root)
        position = factories.make_position(session, name="Chuyên viên")
        user = factories.make_user(session, made.full_name, phone="+84912345678")
        factories.make_assignment(session, user, commune, position)
        passwords.store(session, user.id, phc, must_change=False, now=now, actor=Actor.system())
        made.username, made.sub = user.username, user.sub


@contextlib.contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Provider]:
    """A provider that answers."""
    made = build(folder, **settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()
