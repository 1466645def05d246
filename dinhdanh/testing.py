"""A throw-away provider for the tests of an application that signs in with Dinhdanh.

    # conftest.py
    pytest_plugins = ["dinhdanh.testing"]

    # test_my_application.py
    def test_my_application_survives_a_transfer(dinhdanh):
        client = dinhdanh.register("Văn bản", redirect_uri=f"{APP}/callback",
                                   backchannel_logout_uri=f"{APP}/backchannel-logout")
        lan = dinhdanh.join("Lê Thị Lan", unit="XA1")
        browser = dinhdanh.browser(lan)
        assert "Lê Thị Lan" in browser.get(f"{APP}/").text      # signs in on the way
        dinhdanh.transfer(lan, to_unit="XA2")                   # returns when it is settled
        assert browser.visit(f"{APP}/").url != f"{APP}/"        # her session there is gone

It is the product itself, not an imitation: its server and worker as processes of their own, on
an SQLite file in a temporary folder, with one small province: TINH over XA1, XA2 and SO, and the
positions CV (specialist) and CT (chairman). Nothing of it remains when the tests are over.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import select

from dinhdanh import ports
from dinhdanh.browser import PATIENCE, Browser, Person
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import load_settings
from directory.changes import spec as specs
from directory.changes.model import Change, ChangeLine, ChangeState
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.people import User
from idp.factors import passwords
from idp.oidc import clients
from idp.oidc.clients import Registration
from idp.run import installation, migrate, wiring

T = TypeVar("T")

FEED = {
    "positions.csv": """\
code,name,group,rank,bloc,leadership,signing_authority,sensitivity
CT,Chủ tịch Ủy ban nhân dân,,10,government,true,true,high
CV,Chuyên viên,,50,government,false,false,normal
""",
    "units.csv": """\
code,parent,name,short_name,kind,bloc,tier,legal_person,gso,qd20,valid_from
TINH,,Tỉnh thử nghiệm,Tỉnh,province,other,province,false,,,2025-07-01
XA1,TINH,Ủy ban nhân dân xã Thử Nhất,Xã Thử Nhất,commune,government,commune,true,,,2025-07-01
XA2,TINH,Ủy ban nhân dân xã Thử Hai,Xã Thử Hai,commune,government,commune,true,,,2025-07-01
SO,TINH,Sở Thử nghiệm,Sở,department,government,province,true,,,2025-07-01
""",
}
"""The province everything starts with, as a feed."""
_OPERATOR = Actor.operator("dinhdanh.testing")


@dataclass(frozen=True)
class RelyingParty:
    """A registered client: what an application is configured with."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)


class Provider:
    """A running Dinhdanh. ``issuer`` is what applications are configured with."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """``settings`` are further settings of the installation (``database_url`` …)."""
        self.folder = folder
        self._chosen = settings
        self._ports = ports.reserve()
        self._port = self._ports.first
        self.issuer = f"http://localhost:{self._port}"
        self._allowed = {f"localhost:{self._port}"}
        self._process: subprocess.Popen[bytes] | None = None
        self._browsers: list[Browser] = []
        self._configure()
        self.services = wiring.build(load_settings(self._config), create_keyring=True)
        migrate.upgrade(self.services.db.engine)
        installation.prepare(self.services, name="Tỉnh thử nghiệm")
        for name, text in FEED.items():
            (folder / name).write_text(text, "utf-8")
        report = load(self._feed(), folder)
        if report.errors:
            raise ValueError(f"The province was refused: {report.errors}")

    # ---- what a test asks for ------------------------------------------------------------------

    def register(self, name: str, *, redirect_uri: str, **chosen: Any) -> RelyingParty:
        """Register an application; ``chosen`` are further fields of ``Registration``.

        Logout tokens may be delivered to the host and port of its back-channel logout URI.
        Raises InvalidInput naming the field.
        """
        values: dict[str, Any] = {"first_party": True, "redirect_uris": (redirect_uri,)} | chosen
        if uri := values.get("backchannel_logout_uri"):
            self._allow(uri)
        with self.services.db.write() as session:
            made, secret = clients.register(
                session,
                Registration(name=name, **values),
                keyring=self.services.keyring,
                actor=_OPERATOR,
                now=self.services.clock(),
            )
            return RelyingParty(self.issuer, made.client_id, secret)

    def join(self, full_name: str, *, unit: str = "XA1", position: str = "CV") -> Person:
        """Somebody new takes up a position; she has a password and need not change it."""
        made = self._change(
            kind="join",
            person={"full_name": full_name},
            to_unit=f"sample:{unit}",
            position=position,
        )
        has, password = self.services, passwords.generate_password()
        with has.db.write() as session:
            user = session.scalars(
                select(User)
                .join(ChangeLine, ChangeLine.user_id == User.id)
                .where(ChangeLine.change_id == made.id)
                .limit(1)
            ).one()
            passwords.set_password(
                session, has.passwords, user.id, password, must_change=False, now=has.clock()
            )
            return Person(user.username, password, user.sub, user.full_name)

    def transfer(self, person: Person, *, to_unit: str, position: str = "CV") -> str:
        """Move her to another unit; the change's id, when all its effects are final."""
        return self._settled(
            self._change(
                kind="transfer",
                user=person.username,
                to_unit=f"sample:{to_unit}",
                position=position,
            )
        )

    def leave(self, person: Person) -> str:
        """She leaves the agency; the change's id, when all its effects are final."""
        return self._settled(self._change(kind="leave", user=person.username, reason="resign"))

    def suspend(self, person: Person) -> str:
        """She is suspended; the change's id, when all its effects are final."""
        return self._settled(self._change(kind="suspend", user=person.username))

    def browser(self, person: Person | None = None) -> Browser:
        """A new browser; of this person, who signs in where she is asked to."""
        self._browsers.append(Browser(self.issuer, person))
        return self._browsers[-1]

    # ---- how it runs ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start server and worker; returns when they answer."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DINHDANH_")}
        environment["DINHDANH_CONFIG"] = str(self._config)
        environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "idp.commands.main", "serve", "--with-worker"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait("the provider", self._answers)

    def stop(self) -> None:
        """Stop everything that was started."""
        while self._browsers:
            self._browsers.pop().http.close()
        self._end()
        self.services.db.dispose()
        self._ports.release()

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The process everything else of it hangs on."""
        if self._process is None:
            raise ProcessLookupError("The provider does not run.")
        return self._process.pid

    @property
    def _config(self) -> Path:
        return self.folder / "dinhdanh.toml"

    @property
    def _log(self) -> Path:
        return self.folder / "dinhdanh.log"

    def _configure(self) -> None:
        values = {
            "issuer": self.issuer,
            "port": self._port,
            "data_dir": str(self.folder / "data"),
            "second_factor": "nobody",
            "outbound_allow": sorted(self._allowed),
            **self._chosen,
        }
        (self.folder / "data").mkdir(exist_ok=True)
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
        self._config.write_text("".join(lines), "utf-8")

    def _allow(self, url: str) -> None:
        """Let logout tokens go to a test's own host and port."""
        parts = urlsplit(url)
        pair = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        if pair in self._allowed:
            return
        self._allowed.add(pair)
        self._configure()
        if self._process is not None:
            self._end()
            self.start()

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(self._log.read_text("utf-8", errors="replace")[-2000:])
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{self.issuer}/readyz", timeout=2).status_code == 200
        return False

    def _wait(self, what: str, look: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} took more than {PATIENCE:.0f} s")
            time.sleep(0.05)
        return found

    # ---- the directory -------------------------------------------------------------------------

    def _feed(self) -> Feed:
        has = self.services
        return Feed(has.db, has.door, _OPERATOR, has.clock, lambda *_: None, Report())

    def _change(self, **body: Any) -> Change:
        has, now = self.services, self.services.clock()
        today: date = local_day(now)
        decision = {
            "number": "01/QĐ-UBND",
            "issued_on": today.isoformat(),
            "issuer": "Ủy ban nhân dân tỉnh",
        }
        wanted = {"effective_on": today.isoformat(), "decision": decision} | body
        with has.db.read() as session:
            spec = specs.parse(session, wanted, now=now, keyring=has.keyring)
            plan = has.door.plan(session, spec, _OPERATOR, now=now)
        with has.db.write() as session:
            return has.door.commit(session, spec, _OPERATOR, now=now, fingerprint=plan.fingerprint)

    def _settled(self, change: Change) -> str:
        def look() -> bool:
            with self.services.db.read() as session:
                return session.get_one(Change, change.id).state == ChangeState.SETTLED

        self._wait("settling the change", look)
        return change.id


@contextlib.contextmanager
def provider(**settings: Any) -> Iterator[Provider]:
    """A provider for as long as the block lasts, for other test frameworks than pytest."""
    folder = Path(tempfile.mkdtemp(prefix="dinhdanh-"))
    try:
        made = Provider(folder, **settings)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dinhdanh() -> Iterator[Provider]:
    """A provider for the whole test session; people and clients of one test stay for the next."""
    with provider() as made:
        yield made
