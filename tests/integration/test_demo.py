"""``make demo`` on a small province: one command, one screen, one file of secrets, no leftovers."""

import contextlib
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dinhdanh import ports
from examples.demo import screen, standing
from examples.demo.ground import Ground
from examples.demo.story import scene
from examples.demo.story.hr_system import PersonnelSystem

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo" / "run.py"
READY = "Ctrl-C"

pytestmark = [
    pytest.mark.serial,
    pytest.mark.timeout(300),
]


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
    demo.process.wait(40)
    return demo.screen.read_text("utf-8")[len(demo.printed) :]


@pytest.fixture
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demonstration for one test, which may end it."""
    yield from _running(tmp_path_factory)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demonstration that every test of this file looks at."""
    yield from _running(tmp_path_factory)


def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    started = run(tmp_path_factory.mktemp("demo") / "var", ports.reserve(3).first)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            end(started, signal.SIGTERM)


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
    with contextlib.closing(PersonnelSystem(values["issuer"], values["api"])) as personnel:
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
    deadline = time.monotonic() + 30
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


def test_a_taken_port_is_said_in_one_line(demo: Demo, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO), "--port", str(demo.port), "--folder", str(tmp_path / "var")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert str(demo.port) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "var").exists()


def test_a_folder_of_somebody_else_is_not_reset(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("not a demonstration")
    options = ["--port", str(ports.reserve(3).first), "--folder", str(tmp_path), "--reset"]
    done = subprocess.run(
        [sys.executable, str(DEMO), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert (tmp_path / "thesis.txt").exists()


def test_the_environment_wins_over_what_the_demonstration_would_choose(tmp_path: Path) -> None:
    ground = Ground(tmp_path, 8100, 300)
    given = {
        "DINHDANH_ISSUER": "https://id.example.vn",
        "DINHDANH_OUTBOUND_ALLOW": '["10.1.2.3:443"]',
        "DINHDANH_OUTBOUND_CA_FILE": "/etc/suite.pem",
        "DINHDANH_REGISTRATION": "open",
        "DINHDANH_RESPONSE_TYPES": '["code", "id_token"]',
    }
    code = (
        "import sys; from pathlib import Path; from examples.demo.ground import Ground;"
        f"g = Ground(Path({str(tmp_path)!r}), 8100, 300); g.prepare(); s = g.settings;"
        "print(s.issuer); print(*s.outbound_allow); print(s.outbound_ca_file);"
        "print(s.registration, *s.response_types)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    issuer, allowed, ca_file, chosen = done.stdout.splitlines()
    assert issuer == "https://id.example.vn"
    assert ca_file == "/etc/suite.pem"
    assert chosen == "open code id_token"
    assert {"10.1.2.3:443", "localhost:8101", "id.example.vn:443"} <= set(allowed.split())
    assert ground.config_file.exists()


def test_ctrl_c_leaves_no_process_and_a_second_start_keeps_the_passwords(own_demo: Demo) -> None:
    demo = own_demo
    before = demo.credentials
    assert len(demo.descendants()) >= 5
    assert end(demo, signal.SIGINT).strip().endswith("Đã dừng / stopped")
    assert demo.process.returncode == 0
    assert demo.descendants() == []
    again = run(demo.folder, demo.port)
    try:
        assert READY in again.printed, again.printed
        assert again.credentials["users"] == before["users"]
        assert again.credentials["api"] == before["api"]
        kept = "initial_access_token"
        assert again.credentials[kept] == before[kept]
        # Killed outright, it still leaves nobody behind.
        end(again, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while again.descendants() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert again.descendants() == []
    finally:
        for process in again.descendants():
            os.kill(process, signal.SIGKILL)
