"""A small installation that really runs: its processes, its database, one application as target.

Processes      who runs, who listens, by pid, from /proc
Installation   ``dinhdanh serve --with-worker``, the application, and hands to kill with
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from sqlalchemy import select

from connectors.accounts import apply
from connectors.accounts.registry import save_secret
from dinhdanh import ports
from directory.assignments import Position
from directory.base import verification
from directory.base.audit import Actor
from directory.base.config import Settings, load_settings
from directory.base.hashing import PasswordHasher
from directory.base.outbox import Job
from directory.entitlements import Account, AccountState
from directory.people import User
from directory.permissions import AdminRole
from directory.units import OrgUnit
from idp.factors import passwords
from idp.oidc import clients
from idp.oidc.clients import GrantType, Registration
from idp.run import installation, migrate, wiring
from idp.services import Services
from tests import factories

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "bếp củi reo vui sớm mai"
PATIENCE = 60.0
"""Seconds for a start or an end on a machine that is busy with other things."""
HURRY = 5
"""Deaths of its children after which a supervisor takes its time."""
CALLBACK = "http://localhost:9/callback"
"""Of the plain client; nothing listens there."""
TOKEN = "target-token"


def wait_for(what: str, look: Callable[[], T | None], *, within: float = PATIENCE) -> T:
    """What ``look`` gives as soon as it gives something true."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.03)
    return found


# ---- processes -------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _stat(pid)[0] not in "ZX"


def _stat(pid: int) -> tuple[str, int]:
    """State and parent; ("X", 0) if there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return fields[0], int(fields[1])


def children(parent: int) -> list[int]:
    """The living child processes."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in sorted(pids) if _stat(pid)[1] == parent and alive(pid)]


def listeners(port: int) -> set[int]:
    """The processes that hold a listening socket of this port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{row[9]}]"
        for row in rows
        if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
    }
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if any(str(fd.readlink()) in sockets for fd in (entry / "fd").iterdir()):
                    found.add(int(entry.name))
    return found


@dataclass(frozen=True)
class Tree:
    """The processes of one installation."""

    supervisor: int
    main: int
    child: int
    worker: int

    @property
    def pids(self) -> set[int]:
        return {self.supervisor, self.main, self.child, self.worker}

    def under(self, who: str) -> set[int]:
        """Whoever dies when this one is killed."""
        if who == "supervisor":
            return self.pids
        return {self.main, self.child} if who == "main" else {getattr(self, who)}


# ---- the installation ------------------------------------------------------------------------


@dataclass
class Installation:
    """Started by ``start``; the database is filled before."""

    folder: Path
    settings: Settings
    services: Services
    app_url: str
    people: dict[str, list[int]]
    """Waiting for a story, by the unit they are in."""
    units: dict[str, int]
    application: int
    secrets: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    deaths_forgotten: int = 0
    browsers: list[httpx2.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.settings.issuer

    @property
    def failpoints(self) -> Path:
        return self.folder / "failpoints"

    def start(self) -> None:
        """``dinhdanh serve --with-worker``; returns when it answers and all its parts run."""
        self.running["dinhdanh"] = self.spawn(
            "dinhdanh", "-m", "idp.commands.main", "serve", "--with-worker"
        )
        self.tree()

    def start_application(self) -> None:
        config = str(self.folder / "app.json")
        self.running["application"] = self.spawn("application", "-m", "examples.apps", config)
        wait_for("the application", lambda: answers(f"{self.app_url}/healthz"))

    def spawn(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """One process with the installation's environment, writing to a log of its own."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DINHDANH_")} | {
            "DINHDANH_CONFIG": str(self.folder / "dinhdanh.toml"),
            "DINHDANH_FAILPOINTS_DIR": str(self.failpoints),
            "PYTHONPATH": str(ROOT),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def kill(self, pid: int) -> None:
        """kill -9, for processes of ours only."""
        os.kill(pid, signal.SIGKILL)

    def look_after(self) -> None:
        """Start it again if nothing is left of it that would do so."""
        if self.running["dinhdanh"].poll() is not None:
            self.start()

    def calm(self) -> None:
        """Let a supervisor that has seen several deaths begin anew: it restarts slower each time."""
        deaths = self.log().count('"process.ended"')
        if deaths - self.deaths_forgotten > HURRY:
            self.deaths_forgotten = deaths
            self.restart()

    def restart(self) -> None:
        """Stop it in order, and start it again."""
        self.running["dinhdanh"].send_signal(signal.SIGTERM)
        self.running["dinhdanh"].wait(PATIENCE)
        self.start()

    def stop(self) -> None:
        self.close_browsers()
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.services.db.dispose()

    def tree(self) -> Tree:
        """The processes as they run now, once all four do and the port answers."""

        def look() -> Tree | None:
            supervisor = self.running["dinhdanh"].pid
            last = self._last_started()
            web, worker = (last.get(name, 0) for name in ("web", "worker"))
            if not {web, worker} <= set(children(supervisor)):
                return None
            serving = children(web)
            if len(serving) != 1 or not answers(f"{self.url}/healthz"):
                return None
            return Tree(supervisor, web, serving[0], worker)

        try:
            return wait_for("all processes", look)
        except TimeoutError as late:
            raise TimeoutError(self.log()[-4000:]) from late

    def _last_started(self) -> dict[str, int]:
        found = {}
        for line in self.log().splitlines():
            if '"process.started"' in line:
                entry = json.loads(line)
                found[entry["process"]] = entry["pid"]
        return found

    def log(self) -> str:
        """Everything it has said."""
        return (self.folder / "dinhdanh.log").read_text("utf-8", errors="replace")

    # ---- what it holds -------------------------------------------------------------------------

    def browser(self) -> httpx2.Client:
        """A browser without cookies yet; closed by ``close_browsers``."""
        self.browsers.append(httpx2.Client(follow_redirects=True, timeout=120))
        return self.browsers[-1]

    def close_browsers(self) -> None:
        while self.browsers:
            self.browsers.pop().close()

    def take(self, place: str) -> User:
        """Somebody who is in that unit and in no other story."""
        user_id = self.people[place].pop()
        with self.services.db.read() as session:
            return session.get_one(User, user_id)

    def rows(self, statement: Any) -> list[Any]:
        with self.services.db.read() as session:
            return list(session.scalars(statement))

    def unfinished(self) -> list[str]:
        """Jobs that are parked, or due and not done."""
        now = self.services.clock()
        return [
            f"{job.kind} {job.key} {job.state} {job.reason}"
            for job in self.rows(select(Job).where(Job.state != "done"))
            if job.state != "ready" or job.run_at <= now
        ]

    def everybody_has_her_account(self) -> bool:
        """Whether the first accounts are made: those of everybody outside "so"."""
        active = select(Account).where(Account.state == AccountState.ACTIVE.value)
        return len(self.rows(active)) == 2 * len(self.people["so"]) and not self.unfinished()

    def audit(self) -> verification.Verdict:
        return verification.verify(self.services.db, self.services.keyring)

    def ask(self, path: str, **request: Any) -> httpx2.Response:
        """The answer to a POST, sent again while there is none, as a patient client does."""

        def answered() -> httpx2.Response | None:
            self.look_after()
            try:
                answer = httpx2.post(f"{self.url}{path}", timeout=10, **request)
            except httpx2.TransportError:
                return None
            return answer if answer.status_code < 500 else None

        return wait_for(f"an answer from {path}", answered)

    def machine(self) -> dict[str, str]:
        """The personnel system's Authorization header, from a token of its own."""
        answer = self.ask(
            "/oauth2/token",
            auth=("hr", self.secrets["hr"]),
            data={"grant_type": "client_credentials", "scope": "changes:read changes:write"},
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def activity(self) -> list[dict[str, Any]]:
        """What the application has received, oldest first."""
        answer = httpx2.get(
            f"{self.app_url}/activity", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        found: list[dict[str, Any]] = answer.json()
        return found

    def accounts(self, by: str, value: str) -> list[dict[str, Any]]:
        """The application's accounts with this attribute."""
        answer = httpx2.get(
            f"{self.app_url}/scim/v2/Users",
            params={"filter": f'{by} eq "{value}"'},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        return list(answer.json().get("Resources", []))


def answers(url: str) -> bool:
    try:
        return bool(httpx2.get(url, timeout=2).status_code == 200)
    except httpx2.TransportError:
        return False


# ---- setting it up ---------------------------------------------------------------------------


def build(folder: Path, *, database_url: str = "", people: int = 12) -> Installation:
    """Write configuration, database and people; nothing runs yet.

    Three communes: in "xa" and "phuong" everybody has an account in the application, in "so"
    nobody; ``people`` in each.
    """
    port, app_port = ports.reserve(2)
    values = {
        "issuer": f"http://localhost:{port}",
        "port": port,
        "data_dir": str(folder / "data"),
        "second_factor": "nobody",
        "database_url": database_url,
        "outbound_allow": [f"localhost:{port}", f"localhost:{app_port}"],
    }
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
    (folder / "dinhdanh.toml").write_text("".join(lines))
    (folder / "failpoints").mkdir()
    (folder / "data").mkdir()
    settings = load_settings(folder / "dinhdanh.toml")
    services = wiring.build(settings, create_keyring=True)
    migrate.upgrade(services.db.engine)
    installation.prepare(services, name="Tỉnh Thanh Hóa")
    app_url = f"http://localhost:{app_port}"
    made = Installation(folder, settings, services, app_url, {}, {}, 0, {})
    _fill(made, people)
    app = {
        "profile": "qlvb",
        "base_url": app_url,
        "issuer": settings.issuer,
        "client_id": "qlvb",
        "client_secret": made.secrets["qlvb"],
        "scim_token": TOKEN,
        "store": str(folder / "app.db"),
    }
    (folder / "app.json").write_text(json.dumps(app))
    return made


def _fill(made: Installation, people: int) -> None:
    services, now = made.services, made.services.clock()
    phc = passwords.hashed(PasswordHasher(), PASSWORD)
    with services.db.write() as session:
        root = factories.make_unit(session, "Tỉnh Thanh Hóa")
        position = factories.make_position(session, "CV", "Chuyên viên")
        application = factories.make_application(
            session,
            "qlvb",
            open_to_all=True,
            connector="scim",
            connector_settings={"url": f"{made.app_url}/scim/v2"},
        )
        made.application = application.id
        save_secret(session, application, TOKEN, keyring=services.keyring)
        for code, name in (("xa", "UBND xã Hà Trung"), ("phuong", "UBND phường Hạc Thành")):
            made.units[code] = factories.make_unit(session, name, parent=root).id
            factories.make_rule(session, application, "chuyen_vien", unit_id=made.units[code])
        made.units["so"] = factories.make_unit(session, "Sở Nội vụ", parent=root).id
        for code in made.units:
            made.people[code] = [
                _person(session, made.units[code], position, phc, now) for _ in range(people)
            ]
        apply.recompute(session, application.id, now=now)
        _clients(made, session, root.id)


def _person(session: Any, unit_id: int, position: Position, phc: str, now: Any) -> int:
    user = factories.make_user(session)
    factories.make_assignment(session, user, session.get_one(OrgUnit, unit_id), position)
    passwords.store(session, user.id, phc, must_change=False, now=now, actor=Actor.system())
    return user.id


def _clients(made: Installation, session: Any, root_id: int) -> None:
    services = made.services
    wanted = (
        Registration(
            client_id="qlvb",
            name="Quản lý văn bản",
            redirect_uris=(f"{made.app_url}/callback",),
            post_logout_redirect_uris=(f"{made.app_url}/",),
            backchannel_logout_uri=f"{made.app_url}/backchannel-logout",
            application_id=made.application,
            id_token_alg="ES256",
            first_party=True,
        ),
        Registration(
            client_id="plain", name="Thử nghiệm", redirect_uris=(CALLBACK,), first_party=True
        ),
        Registration(
            client_id="hr",
            name="Phần mềm nhân sự",
            grant_types=(GrantType.CLIENT,),
            scopes=clients.API_SCOPES,
        ),
    )
    for registration in wanted:
        client, secret = clients.register(
            session,
            registration,
            keyring=services.keyring,
            actor=Actor.operator("kiểm thử"),
            now=services.clock(),
        )
        made.secrets[client.client_id] = secret or ""
    session.add(
        AdminRole(
            client_id=clients.get(session, "hr").id,
            role="hr_officer",
            unit_id=root_id,
            valid_from=factories.LONG_AGO,
            granted_by="test",
        )
    )


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Installation]:
    """An installation that runs, with everybody's first account made."""
    made = build(folder, **options)
    try:
        made.start_application()
        made.start()
        wait_for("the first accounts", made.everybody_has_her_account)
        yield made
    finally:
        made.stop()
