"""A backup is put back: what was cut after it was taken must not come to life again.

A drill with the real tools (``VACUUM INTO``, ``pg_dump`` and ``psql``): people work, a backup is
taken, somebody is dismissed, everything is lost, the backup is put back. What is asked then is
asked over HTTP and at the command line, as people, applications and operators would.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, text

from connectors.accounts.apply import recompute
from connectors.accounts.registry import save_secret
from directory.base.config import Settings
from directory.base.db import unpooled
from directory.entitlements import Application
from idp.factors import enrolled, second_factors
from idp.run import performing, wiring
from idp.services import Services
from tests import hr_world, machine_time
from tests.browser_client import following, hidden_fields, open_login, submit
from tests.command_line import Operator, Outcome, operator
from tests.conftest import FrozenClock
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import opened
from tests.relying_party import Flow, World
from tests.scim_fixture import TOKEN, ScimServer, scim_server
from tests.serving import until

__all__ = ["operator", "scim_server"]

# Whole installations, dumped and put back.
pytestmark = [pytest.mark.both_databases, pytest.mark.slow]
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture
def clock() -> FrozenClock:
    """The commands of a drill take the machine's time, and so does everybody else in it."""
    return FrozenClock(machine_time.now())


@pytest.fixture
def settings(make_settings: Callable[..., Settings], scim_server: ScimServer) -> Settings:
    return make_settings(outbound_allow=[scim_server.allow])


# ---- backup and restore with the real tools --------------------------------------------------


def _tool(name: str, *arguments: str) -> None:
    program = shutil.which(name) or str(POSTGRESQL[-1] / name)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _connection(url: str) -> str:
    """The URL as PostgreSQL's own programs read it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def back_up(settings: Settings, where: Path) -> None:
    if settings.database.startswith("sqlite"):
        with sqlite3.connect(make_url(settings.database).database or "") as source:
            source.execute("VACUUM INTO ?", (str(where),))
        source.close()
    else:
        _tool("pg_dump", "-d", _connection(settings.database), "-f", str(where))


def put_back(settings: Settings, where: Path) -> None:
    """Everything since is lost: the machine is new, and the backup all there is."""
    if settings.database.startswith("sqlite"):
        file = make_url(settings.database).database or ""
        for each in (file, file + "-wal", file + "-shm"):
            Path(each).unlink(missing_ok=True)
        shutil.copyfile(where, file)
        return
    url = make_url(settings.database)
    engine = unpooled(url.set(database="postgres").render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{url.database}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{url.database}"'))
    engine.dispose()
    _tool(
        "psql",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        _connection(settings.database),
        "-f",
        str(where),
    )


# ---- the drill -------------------------------------------------------------------------------


@dataclass
class Drill:
    """An installation before, between and after."""

    services: Any
    settings: Settings
    clock: FrozenClock
    hr: Hr
    flow: Flow
    machine: Flow
    target: ScimServer
    tmp: Path
    slip: str = ""

    def sign_in(self, who: str, **options: Any) -> FlaskClient:
        return self.hr.browser(who, **options)

    def try_to_sign_in(self, who: str) -> Any:
        """The page somebody with the right password ends at."""
        browser = self.hr.app.test_client()
        answer = submit(
            browser, open_login(browser), username=self.hr.names[who], password=PASSWORD
        )
        return following(browser, answer)

    def work(self) -> None:
        performing.drain(self.services)

    def active_accounts(self) -> set[str]:
        return {a["userName"] for a in self.target.accounts() if a.get("active", True)}

    def close(self) -> None:
        self.services.outbound.close()
        self.services.db.dispose()


def _services(settings: Settings, clock: FrozenClock) -> Any:
    return wiring.build(settings, clock=clock)


@pytest.fixture
def drill(
    settings: Settings,
    clock: FrozenClock,
    scim_server: ScimServer,
    tmp_path: Path,
    operator: Operator,
    another_app: Callable[[Services], Flask],
) -> Iterator[Drill]:
    """Lan uses an application; it keeps accounts; a client works on its own; a slip is printed."""
    services = _services(settings, clock)
    app = another_app(services)
    hr = hr_world.build(services, clock, app)
    with services.db.write() as session:
        application = session.query(Application).filter_by(code="vanban").one()
        application.connector, application.connector_settings = "scim", {"url": scim_server.url}
        save_secret(session, application, TOKEN, keyring=services.keyring)
        session.flush()
        recompute(session, application.id, now=clock())
    performing.drain(services)
    world = World(
        services, clock, hr.people["lan"], hr.posts["lan"], hr.units["room"], hr.units["b"]
    )
    party = world.register("Văn bản")
    made = Drill(
        services,
        settings,
        clock,
        hr,
        Flow(app.test_client(), party),
        Flow(app.test_client(), world.machine("changes:read")),
        scim_server,
        tmp_path,
    )
    made.slip = operator("user", "slip", hr.names["mai"]).out.split("/activate/")[1].split()[0]
    yield made
    made.close()


def _lose_everything(drill: Drill, operator: Operator, *, log: Path | None = None) -> None:
    """Back up; dismiss Hien and let it take effect everywhere; put the backup back."""
    backup = drill.tmp / "backup"
    assert operator("migrate").code == 0  # seals, and writes a checkpoint
    back_up(drill.settings, backup)
    name = drill.hr.names["hien"]
    left = operator("change", "leave", name, "--reason", "dismiss", "--yes")
    assert left.code == 0, left.said
    drill.clock.set(machine_time.now())
    drill.work()
    assert name not in drill.active_accounts()
    assert operator("migrate").code == 0
    if log is not None:
        exported = operator("audit", "export")
        assert exported.code == 0, exported.said
        log.write_text(exported.out, "utf-8")
    drill.services.db.dispose()
    put_back(drill.settings, backup)


def _restored(operator: Operator, *arguments: str) -> Outcome:
    said = operator("restored", *arguments)
    assert said.code == 0, said.said
    return said


def test_nothing_issued_before_is_good_after_a_restore(drill: Drill, operator: Operator) -> None:
    browser = drill.sign_in("lan")
    drill.flow.browser = browser
    tokens = drill.flow.tokens(scope="openid offline_access")
    machine = drill.machine.token(grant_type="client_credentials").json["access_token"]
    waiting = drill.flow.code()
    _lose_everything(drill, operator)
    assert drill.flow.introspect(tokens["access_token"])["active"] is True  # the fault
    _restored(operator)
    drill.clock.set(machine_time.now())
    assert drill.flow.introspect(tokens["access_token"]) == {"active": False}
    assert drill.flow.introspect(machine) == {"active": False}
    assert drill.flow.userinfo(tokens["access_token"]).status_code == 401
    refused = drill.flow.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")
    refused = drill.flow.redeem(waiting)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")
    assert browser.get("/portal/profile").status_code == 303  # sent to sign in
    void = opened(drill.hr.app.test_client(), f"/activate/{drill.slip}")
    assert (void.status_code, "hết hiệu lực" in void.text) == (422, True)


def test_what_people_enrolled_before_the_backup_is_theirs_after_it(
    drill: Drill, operator: Operator
) -> None:
    lan = drill.hr.people["lan"]
    with drill.services.db.write() as session:
        enrolled.enrol(
            session,
            lan,
            kind="totp",
            name="Điện thoại",
            origin="một lần",
            now=drill.clock(),
            actor=hr_world.OPERATOR,
            secret=drill.services.keyring.encrypt("totp", b"A" * 32),
        )
    _lose_everything(drill, operator)
    _restored(operator)
    with drill.services.db.read() as session:
        assert second_factors.of(session, lan).enrolled == {"totp"}
        assert not second_factors.of(session, lan).may_begin()


def test_only_administrators_are_let_in_until_the_staff_list_is_confirmed(
    drill: Drill, operator: Operator
) -> None:
    _lose_everything(drill, operator)
    _restored(operator)
    drill.clock.set(machine_time.now())
    for who in ("hien", "lan", "officer", "auditor", "owner"):
        page = drill.try_to_sign_in(who)
        assert page.status_code == 403, who
        assert "sao lưu" in page.text or "backup" in page.text, who
    asked = drill.flow.ask(prompt="none")
    assert drill.flow.told(asked)["error"] == "login_required"
    refused = drill.machine.token(grant_type="client_credentials")
    assert (refused.status_code, refused.json["error"]) == (503, "temporarily_unavailable")
    assert "Retry-After" in refused.headers
    registering = drill.hr.app.test_client().post("/oauth2/register", json={})
    assert registering.status_code == 503
    assert operator("check").code == 1
    admin = drill.sign_in("admin")
    home = admin.get("/console/")
    assert "/console/restored" in home.text
    form = admin.get("/console/restored")
    unproven = admin.post(
        "/console/restored", data=hidden_fields(form.text) | {"reference": "Công văn 45/SNV"}
    )
    assert unproven.status_code == 422  # the password is asked again
    assert drill.try_to_sign_in("lan").status_code == 403
    done = admin.post(
        "/console/restored",
        data=hidden_fields(form.text) | {"reference": "Công văn 45/SNV", "password": PASSWORD},
    )
    assert done.status_code == 303
    assert "/console/restored" not in admin.get("/console/").text
    assert drill.sign_in("lan").get("/portal/profile").status_code == 200
    assert drill.machine.token(grant_type="client_credentials").status_code == 200
    assert operator("migrate").code == 0
    trail = operator("audit", "export").out
    assert "Công văn 45/SNV" in json.dumps(
        [json.loads(line)["data"] for line in trail.splitlines()], ensure_ascii=False
    )


def test_the_operator_may_confirm_and_must_say_by_what(drill: Drill, operator: Operator) -> None:
    _lose_everything(drill, operator)
    _restored(operator)
    assert operator("restored", "confirm").code != 0
    assert operator("restored", "confirm", "--reference", "Công văn 45/SNV").code == 0
    drill.clock.set(machine_time.now())
    assert drill.sign_in("lan").get("/portal/profile").status_code == 200
    again = operator("restored", "confirm", "--reference", "Công văn 45/SNV")
    assert again.code == 1  # there is nothing left to confirm
    assert "Traceback" not in again.err


def test_targets_are_compared_and_give_nothing_back_before_the_confirmation(
    drill: Drill, operator: Operator
) -> None:
    name = drill.hr.names["hien"]
    everybody = drill.active_accounts()
    assert name in everybody
    _lose_everything(drill, operator)
    _restored(operator)
    with drill.services.db.read() as session:
        waiting = session.scalar(
            text("SELECT count(*) FROM job WHERE kind = 'account.apply' AND state = 'ready'")
        )
    assert waiting >= len(everybody)
    drill.clock.set(machine_time.now())
    drill.work()
    # The directory of the backup says that he works there; whoever knows better is asked first.
    assert name not in drill.active_accounts()
    assert operator("restored", "confirm", "--reference", "Công văn 45/SNV").code == 0
    drill.clock.set(machine_time.now())
    drill.work()
    assert drill.active_accounts() == everybody


def test_whoever_left_after_the_backup_is_listed_where_the_log_is_at_hand(
    drill: Drill, operator: Operator
) -> None:
    log = drill.tmp / "trail.jsonl"
    _lose_everything(drill, operator, log=log)
    said = _restored(operator, "--log", str(log))
    assert drill.hr.names["hien"] in said.out
    assert drill.hr.names["lan"] not in said.out
    changed = log.read_text("utf-8").replace('"user.leave"', '"user.resume"')
    log.write_text(changed, "utf-8")
    refused = operator("restored", "--log", str(log))
    assert "Traceback" not in refused.err
    assert refused.code == 1  # a log that was altered is told as such, and nothing is done


def test_a_database_behind_its_checkpoints_is_noticed_and_afterwards_explained(
    drill: Drill, operator: Operator
) -> None:
    _lose_everything(drill, operator)
    for command in (("check",), ("worker",), ("serve",)):
        noticed = operator(*command)
        assert noticed.code == 1, command
        assert "dinhdanh restored" in noticed.said, command
    cried = operator("audit", "verify")
    assert cried.code == 1
    _restored(operator)
    explained = operator("audit", "verify")
    assert explained.code == 0, explained.said
    assert "backup" in explained.out
    assert operator("migrate").code == 0
    assert operator("audit", "verify").code == 0


def test_lists_of_revoked_certificates_go_on_from_a_higher_number(
    drill: Drill, operator: Operator
) -> None:
    from cryptography import x509

    def number() -> int:
        answer = drill.hr.app.test_client().get("/pki/crl.der")
        found = x509.load_der_x509_crl(answer.data)
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    _lose_everything(drill, operator)
    drill.clock.set(machine_time.now())
    before = number()
    _restored(operator)
    assert number() > before


# ---- the backup itself -----------------------------------------------------------------------


def test_a_backup_is_one_command_even_while_people_write(
    settings: Settings, operator: Operator, tmp_path: Path
) -> None:
    file = tmp_path / "nightly.db"
    if not settings.database.startswith("sqlite"):
        refused = operator("backup", str(file))
        assert refused.code == 1
        assert "pg_dump" in refused.err
        assert not file.exists()
        return
    place = make_url(settings.database).database or ""
    stop = threading.Event()
    written = []

    def write() -> None:
        with sqlite3.connect(place, timeout=30) as busy:
            while not stop.is_set():
                busy.execute("INSERT INTO unit_code_busy (n) VALUES (1)")
                busy.commit()
                written.append(1)
        busy.close()

    with sqlite3.connect(place) as made:
        made.execute("CREATE TABLE unit_code_busy (n INTEGER)")
    made.close()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert until(lambda: len(written) > 1)
        done = operator("backup", str(file))
    finally:
        stop.set()
        writer.join()
    assert done.code == 0, done.said
    assert file.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(file) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM installation").fetchone() == (1,)
    copy.close()
    keyring = json.loads((settings.keyring).read_text("utf-8"))
    content = file.read_bytes()
    assert not any(secret.encode() in content for secret in keyring["keys"].values())
    again = operator("backup", str(file))
    assert again.code == 1  # an older backup is not written over
    assert os.fspath(file) in again.err


def test_what_was_issued_between_two_restores_of_one_backup_is_dead_after_the_second(
    drill: Drill, operator: Operator
) -> None:
    """A counter that went on from the backup's number would come to the same one twice."""
    _lose_everything(drill, operator)
    _restored(operator)
    assert operator("restored", "confirm", "--reference", "Công văn 45/SNV").code == 0
    drill.clock.set(machine_time.now())
    drill.flow.browser = drill.sign_in("lan")
    between = drill.flow.tokens(scope="openid offline_access")
    machine = drill.machine.token(grant_type="client_credentials").json["access_token"]
    drill.services.db.dispose()
    put_back(drill.settings, drill.tmp / "backup")
    _restored(operator)
    drill.clock.set(machine_time.now())
    assert drill.flow.introspect(between["access_token"]) == {"active": False}
    assert drill.flow.introspect(machine) == {"active": False}
    assert drill.flow.refresh(between["refresh_token"]).status_code == 400
    explained = operator("audit", "verify")
    assert explained.code == 0, explained.said


def test_a_target_that_is_away_is_told_and_everybody_is_looked_at_there(
    drill: Drill, operator: Operator
) -> None:
    _lose_everything(drill, operator)
    with drill.services.db.write() as session:
        application = session.query(Application).filter_by(code="vanban").one()
        application.connector_settings = {"url": "http://127.0.0.1:9/scim/v2"}
    said = operator("restored", outbound_allow='["127.0.0.1:9"]')
    assert said.code == 0, said.said
    assert "could not be asked" in said.out
    with drill.services.db.read() as session:
        people = session.scalar(text("SELECT count(*) FROM users"))
        jobs = session.scalar(
            text("SELECT count(*) FROM job WHERE kind = 'account.apply' AND state = 'ready'")
        )
    assert jobs == people
