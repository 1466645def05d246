"""``make demo`` on a small province: one command, one screen, one file of secrets, no leftovers."""

import json
import os
import random  # noqa: TID251 (the story draws with it)
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest

from dinhdanh import ports
from examples.demo import run as run_module
from examples.demo import screen, standing
from examples.demo.ground import Ground
from examples.demo.story import scene
from examples.demo.story.browser import Browser, at
from examples.demo.story.factors import password
from examples.demo.story.hr_system import PersonnelSystem

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo" / "run.py"
READY = "Ctrl-C"
PORTS = 5
PASSWORD = "bếp củi reo vui sớm mai"

pytestmark = pytest.mark.serial


@dataclass
class Demo:
    """One running demonstration."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    printed: str
    screen: Path

    @property
    def credentials(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "credentials.json").read_text("utf-8"))
        return found

    def descendants(self) -> list[int]:
        """Every process that belongs to it, whoever its parent is by now."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    environment = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if f"DINHDANH_CONFIG={self.folder}/".encode() in environment:
                    found.append(int(entry.name))
        return found


def run(folder: Path, port: int, *options: str) -> Demo:
    """Start and wait until the screen is there.

    It prints to a file: a pipe would stay open in whichever test comes next, and fill up.
    """
    command = [sys.executable, "-u", str(DEMO), "--port", str(port), "--folder", str(folder)]
    screen = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}.txt")
    with screen.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--people", "300", *options],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    while READY not in (printed := screen.read_text("utf-8")) and process.poll() is None:
        time.sleep(0.1)
    return Demo(process, port, folder, printed, screen)


def end(demo: Demo, how: signal.Signals) -> str:
    """End it; what it printed at last."""
    demo.process.send_signal(how)
    demo.process.wait(90)
    return demo.screen.read_text("utf-8")[len(demo.printed) :]


@dataclass
class Stage:
    """Where one demonstration runs for all tests of this file; one that a test has ended is started
    again. To set it up is most of what it costs.
    """

    folder: Path
    port: int
    running: Demo | None = None
    activated: bool = False

    def demo(self) -> Demo:
        """It, running."""
        if self.running is None or self.running.process.poll() is not None:
            self.running = run(self.folder, self.port)
            assert READY in self.running.printed, self.running.printed
        return self.running


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("demo") / "var", ports.reserve(PORTS).first)
    try:
        yield made
    finally:
        if made.running is not None and made.running.process.poll() is None:
            end(made.running, signal.SIGTERM)


@pytest.fixture
def demo(stage: Stage) -> Demo:
    """The demonstration that every test of this file looks at; the last ones end it."""
    return stage.demo()


def test_the_screen_says_where_to_go_whom_to_be_and_what_to_try(demo: Demo) -> None:
    assert READY in demo.printed, demo.printed
    shown = demo.printed[demo.printed.index("Dinhdanh: Thanh Hóa") :]
    assert len(shown.splitlines()) <= 40
    for port in (demo.port, demo.port + 1, demo.port + 2):
        assert f"http://localhost:{port}" in shown
    for user in demo.credentials["users"]:
        if user["roles"] != ["official"]:
            assert user["username"] in shown
            assert user["password"] in shown
    assert "make story" in shown
    first, _, rest = shown[shown.index("Thử / try:") :].partition("  2. ")
    assert "không hỏi lại mật khẩu" in first
    assert "no password is asked again" in first
    assert "xem trước, xác nhận" in rest
    assert "preview, confirm" in rest


def test_screen_and_story_begin_from_where_people_are_now(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DINHDANH_CONFIG", "DINHDANH_OUTBOUND_ALLOW"):
        monkeypatch.setenv(name, "[]")  # Ground sets both; they are put back afterwards
    values = demo.credentials
    official = next(user for user in values["users"] if user["part"] == "across")
    ground = Ground(demo.folder, demo.port, 300)
    (before,) = standing.of_movers(ground, [official])
    assert (before.moved, before.goal) == (False, official["transfer_to"])
    goal = official["transfer_to"]
    body = {"kind": "transfer", "user": official["username"]}
    body |= {"to_unit": goal["unit"], "position": goal["position"]}
    with closing(PersonnelSystem(values["issuer"], values["api"])) as personnel:
        plan = personnel.preview(body).body
        assert personnel.commit(body, plan["fingerprint"], "the-first-way").status == 201
        drawn = scene.choose(values | {"users": [official]}, personnel, random.Random(1))
    assert drawn.goal["unit"] == official["unit"]
    assert drawn.present["unit"]["name"] == before.goal_unit
    (after,) = standing.of_movers(ground, [official])
    assert (after.moved, after.unit) == (True, before.goal_unit)
    shown = screen.show(ground, values, [after], seconds=1)
    assert f"đã chuyển đến / moved to {before.goal_unit}" in shown
    assert f"→ {before.unit}" in shown


def test_the_secrets_are_in_one_file_for_the_owner_alone(demo: Demo) -> None:
    file = demo.folder / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(demo.folder.stat().st_mode) == 0o700
    values = demo.credentials
    assert values["issuer"] == f"http://localhost:{demo.port}"
    roles = {role for user in values["users"] for role in user["roles"]}
    assert {"official", "hr_officer", "application_owner", "administrator", "auditor"} <= roles
    movers = [user for user in values["users"] if user.get("transfer_to")]
    assert len(movers) >= 12
    assert all(user["roles"] == ["official"] for user in movers)
    assert all(user["transfer_to"]["unit"].startswith("sample:") for user in movers)
    assert len({user["password"] for user in values["users"]}) == len(values["users"])
    assert {"changes:read", "changes:write"} == set(values["api"]["scopes"])
    assert all(app["scim_token"] for app in values["apps"])


def test_officials_have_passwords_and_whoever_administers_has_an_app_besides(demo: Demo) -> None:
    alone = [user for user in demo.credentials["users"] if user["roles"] == ["official"]]
    assert len(alone) >= 3
    assert not any("totp" in user for user in alone)
    others = [user for user in demo.credentials["users"] if user not in alone]
    assert all(user["totp"].keys() == {"secret", "digits", "period"} for user in others)
    assert len({user["totp"]["secret"] for user in others}) == len(others)
    for user, second in ((alone[0], False), (others[0], True)):
        with closing(Browser()) as browser:
            page = password(browser, browser.get(f"{demo.credentials['issuer']}/"), user)
            assert page.has_form("code") is second
            if second:
                app = pyotp.TOTP(user["totp"]["secret"])
                page = browser.submit(page, page.form("code"), {"code": app.now()})
            assert browser.get_once(f"{demo.credentials['issuer']}/").status == 200


def test_the_simulator_knows_the_listed_people_and_vouches_for_them(demo: Demo) -> None:
    eid, users = demo.credentials["eid"], demo.credentials["users"]
    assert httpx2.get(f"{eid['url']}/healthz").status_code == 200
    known = {person["username"] for person in eid["people"]}
    assert {user["username"] for user in users} < known
    official = next(user for user in users if user["part"] == "back")
    # As another program does it: whom it wants is told beforehand, and no page is shown.
    told = httpx2.post(f"{eid['control']}/next", json={"person": official["username"]})
    assert told.status_code == 200, told.text
    with closing(Browser()) as browser:
        page = browser.get(f"{demo.credentials['issuer']}/")
        (way,) = [href for href, _ in page.links if f"way=eid-{eid['upstream']}" in href]
        page = browser.get(at(page, way))
        for _ in range(2):  # there and back; what is to be linked
            asking = [f for f in page.forms if f.fields.get("step") == f"eid-{eid['upstream']}"]
            page = browser.submit(page, asking[0])
        assert page.status == 200
        assert official["name"] in page.text


def _activated(stage: Stage) -> dict[str, Any]:
    """The newcomer, who has made use of her slip."""
    demo = stage.demo()
    issuer, slip = demo.credentials["issuer"], demo.credentials["slip"]
    if not stage.activated:
        with closing(Browser()) as browser:
            page = browser.get(f"{issuer}/activate")
            given = {"code": slip["code"], "answer": slip["birth_date"]}
            page = browser.submit(page, page.form("code", "answer"), given)
            chosen = {"password": PASSWORD, "again": PASSWORD}
            page = browser.submit(page, page.form("password", "again"), chosen)
            assert page.status == 200, page.brief
        stage.activated = True
    return {"username": slip["username"], "password": PASSWORD}


def test_the_newcomer_comes_in_by_her_slip(stage: Stage) -> None:
    values = stage.demo().credentials
    assert values["slip"]["username"] not in {user["username"] for user in values["users"]}
    newcomer = _activated(stage)
    with closing(Browser()) as browser:
        password(browser, browser.get(f"{values['issuer']}/"), newcomer)
        assert browser.get_once(f"{values['issuer']}/").status == 200


def test_the_guide_is_for_its_owner_alone_and_shows_what_phones_show(demo: Demo) -> None:
    guide, values = demo.credentials["guide"], demo.credentials
    assert guide in demo.printed
    for language, said in (("vi", "Nâng mức xác thực"), ("en", "Step up")):
        page = httpx2.get(guide, params={"lang": language})
        assert said in page.text
        assert values["slip"]["code"] in page.text
    told = httpx2.get(f"{guide}codes").json()
    for user in values["users"]:
        assert (user["username"] in told["codes"]) is ("totp" in user)
    one = next(user for user in values["users"] if "totp" in user)
    app = pyotp.TOTP(one["totp"]["secret"])
    assert app.verify(told["codes"][one["username"]], valid_window=1)
    root = f"http://localhost:{demo.port + 4}"
    for other in (
        f"{root}/",
        f"{root}/codes",
        f"{root}/guide.css",
        f"{guide}../",
        f"{root}/{'x' * 8}/",
    ):
        assert httpx2.get(other).status_code == 404
    # A page of another site that has its own name lead here.
    assert httpx2.get(guide, headers={"Host": "evil.example"}).status_code == 404


def test_nothing_listens_where_the_plain_client_is_sent_back_to(demo: Demo) -> None:
    addresses = [
        re.fullmatch(r"http://127\.0\.0\.1:(\d+)/.*", uri)
        for client in demo.credentials["clients"]
        for uri in client["redirect_uris"]
    ]
    ports = [int(found[1]) for found in addresses if found]
    assert ports
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0


def test_a_client_registers_itself_by_the_token_of_the_file(demo: Demo) -> None:
    issuer, token = demo.credentials["issuer"], demo.credentials["initial_access_token"]
    offered = httpx2.get(f"{issuer}/.well-known/openid-configuration").json()
    answer = httpx2.post(
        offered["registration_endpoint"],
        json={"redirect_uris": ["https://app.example/cb"]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    own = {"Authorization": "Bearer " + told["registration_access_token"]}
    assert httpx2.get(told["registration_client_uri"], headers=own).json()["client_id"]
    assert httpx2.delete(told["registration_client_uri"], headers=own).status_code == 204


def test_everybody_who_is_listed_gets_her_accounts_within_seconds(demo: Demo) -> None:
    deadline = time.monotonic() + 90
    by_app = {app["code"]: app for app in demo.credentials["apps"]}
    away = [user for user in demo.credentials["users"] if user["part"] == "away"]
    waiting = {user["username"] for user in away}
    while waiting and time.monotonic() < deadline:
        waiting = {name for name in waiting if not _accounts(by_app["qlvb"], name)}
        time.sleep(0.2)
    assert not waiting
    assert not any(_accounts(by_app["motcua"], user["username"]) for user in away)


def _accounts(app: dict[str, Any], username: str) -> int:
    answer = httpx2.get(
        f"{app['scim_url']}/Users",
        params={"filter": f'userName eq "{username}"'},
        headers={"Authorization": f"Bearer {app['scim_token']}"},
    )
    return int(answer.json()["totalResults"])


@pytest.fixture
def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """What `make demo` says when it does not start, in this process: (exit status, standard error)."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(run_module, "accept", lambda _: None)

    def called(*options: str) -> tuple[int, str]:
        return run_module.main(list(options)), capsys.readouterr().err

    return called


def test_a_taken_port_is_said_in_one_line(
    demo: Demo, told: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for taken in range(demo.port, demo.port + 3):
        code, said = told("--port", str(taken), "--folder", str(tmp_path / "var"))
        assert code == 1
        assert str(taken) in said
        assert len(said.strip().splitlines()) == 1
        assert not (tmp_path / "var").exists()


def test_what_nobody_knows_beforehand_gives_way_to_whoever_listens_there() -> None:
    port = ports.reserve(PORTS).first
    assert run_module.two_beside(port) == port + 3
    for taken in (port + 3, port + 4):
        with socket.create_server(("127.0.0.1", taken)):
            assert run_module.two_beside(port) not in range(port, port + PORTS)


def test_a_folder_of_somebody_else_is_not_reset(
    told: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("not a demonstration")
    port = str(ports.reserve(PORTS).first)
    assert told("--port", port, "--folder", str(tmp_path), "--reset")[0] == 1
    assert (tmp_path / "thesis.txt").exists()


def test_the_environment_wins_over_what_the_demonstration_would_choose(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DINHDANH_CONFIG", "")  # Ground sets it; it is put back afterwards
    for name, value in {
        "DINHDANH_ISSUER": "https://id.example.vn",
        "DINHDANH_OUTBOUND_ALLOW": '["10.1.2.3:443"]',
        "DINHDANH_OUTBOUND_CA_FILE": "/etc/suite.pem",
        "DINHDANH_REGISTRATION": "open",
        "DINHDANH_RESPONSE_TYPES": '["code", "id_token"]',
        "DINHDANH_SECOND_FACTOR": "nobody",
    }.items():
        monkeypatch.setenv(name, value)
    ground = Ground(tmp_path, 8100, 300)
    ground.prepare()
    settings = ground.settings
    assert settings.issuer == "https://id.example.vn"
    assert str(settings.outbound_ca_file) == "/etc/suite.pem"
    assert (settings.registration, settings.second_factor) == ("open", "nobody")
    assert settings.response_types == ["code", "id_token"]
    own = {"10.1.2.3:443", "localhost:8101", "localhost:8103", "id.example.vn:443"}
    assert own <= set(settings.outbound_allow)
    assert ground.config_file.exists()


@pytest.mark.slow  # it starts twice
def test_ctrl_c_leaves_no_process_and_a_second_start_keeps_the_passwords(stage: Stage) -> None:
    demo = stage.demo()
    _activated(stage)
    before = demo.credentials
    assert len(demo.descendants()) >= 6
    assert end(demo, signal.SIGINT).strip().endswith("Đã dừng / stopped")
    assert demo.process.returncode == 0
    assert demo.descendants() == []
    again = stage.demo()
    try:
        for kept in ("users", "api", "initial_access_token", "eid", "guide"):
            assert again.credentials[kept] == before[kept], kept
        # The newcomer has used hers.
        assert again.credentials["slip"]["code"] != before["slip"]["code"]
        # Killed outright, it still leaves nobody behind.
        end(again, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while again.descendants() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert again.descendants() == []
    finally:
        for process in again.descendants():
            os.kill(process, signal.SIGKILL)
