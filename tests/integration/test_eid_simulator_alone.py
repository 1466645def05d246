"""The simulator as a stranger starts it: from the wheel, by one command, with nothing else of ours."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dinhdanh import ports
from dinhdanh.eid_simulator import command
from tests.crash.installation import answers, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that go into the wheel, modules and what ``package-data`` names, put apart."""
    pytest.importorskip("setuptools")  # comes with Python up to 3.11, and with no lock
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "dinhdanh", "idp", "directory", "connectors"):
        (folder / name).symlink_to(ROOT / name)
    build = "from setuptools import setup; setup()"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build, "-q", "build_py", "--build-lib", "lib"],
        check=True,
        cwd=folder,
    )
    return folder / "lib"


ALONE = textwrap.dedent(
    """
    import sys

    class Closed:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("idp", "connectors", "directory", "flask", "sqlalchemy"):
                raise ImportError("the simulator stands alone: " + name)

    sys.meta_path.insert(0, Closed())
    import dinhdanh
    assert dinhdanh.__file__.startswith(sys.argv.pop(1)), dinhdanh.__file__
    import runpy
    runpy.run_module("dinhdanh.eid_simulator", run_name="__main__")
    """
)


def test_it_starts_alone_from_the_wheel_and_stops_when_told(shipped: Path, tmp_path: Path) -> None:
    port = ports.reserve().first
    base = f"http://localhost:{port}"
    command_line = [sys.executable, "-c", ALONE, str(shipped), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(shipped), "PYTHONUNBUFFERED": "1"}
    keys = []
    for _ in range(2):
        with subprocess.Popen(
            [*command_line, "--keep", str(tmp_path / "keep")],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            wait_for("the simulator", lambda: answers(f"{base}/healthz"))
            assert "MÔ PHỎNG" in httpx2.get(f"{base}/").text
            assert httpx2.get(f"{base}/style.css").status_code == 200
            keys.append(httpx2.get(f"{base}/standard/jwks").json())
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "SIMULATION" in err.decode()
        told = json.loads(out)
        assert told["client"] == {"client_id": "demo", "client_secret": "simulation-only"}
        issuers = {each["prefix"]: each["addresses"]["issuer"] for each in told["providers"]}
        assert issuers["standard"] == f"{base}/standard"
    assert keys[0] == keys[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dinhdanh.eid_simulator", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "0.0.0.0"),
        ("--host", "::"),
        ("--host", "192.0.2.1"),
        ("--host", "example.vn"),
        ("--issuer", "https://thu.example.vn/eid"),
    ],
    ids=" ".join,
)
def test_it_is_not_opened_to_others_unless_that_is_said(arguments: tuple[str, ...]) -> None:
    refused = run("--port", "1", *arguments)
    assert refused.returncode == 1
    assert "--let-others-sign-in-as-anybody" in refused.stderr
    assert "không phải địa chỉ" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    with ports.reserve() as block, socket.socket() as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(("127.0.0.1", block[0]))
        ear.listen()
        yield block[0]


def test_what_cannot_be_is_one_sentence(taken: int, tmp_path: Path) -> None:
    wrong = tmp_path / "people.json"
    wrong.write_text('[{"key": "a"}]')
    for arguments, says in (
        (("--port", str(taken)), "in use"),
        (("--people", str(wrong)), "full_name"),
        (("--clients", str(tmp_path / "none.json")), "none.json"),
        (("--also", "standard=dvcqg"), "--also"),
        (("--also", "saml=x"), "--also"),
    ):
        refused = run(*arguments)
        assert refused.returncode == 1, refused
        assert says in refused.stderr
        assert "Traceback" not in refused.stderr


def test_it_is_a_command_of_the_product_too() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "idp.commands.main", "eid-simulator", "--list-faults"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(told.stdout).keys() == command.FAULTS.keys()
