"""The command lines of docs/interop.md, run as they stand there: device flow and PAR with curl."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.oidc.clients import GrantType
from tests.conftest import missing

DOCUMENT = Path(__file__).parents[2] / "docs" / "interop.md"
CURL = Path("/usr/bin/curl")
REDIRECT = "http://localhost:9/callback"
BLOCK = re.compile(r"```sh\n# (\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def commands() -> dict[str, str]:
    """The blocks of the document, by name."""
    if not CURL.exists():
        missing(str(CURL))
    return dict(BLOCK.findall(DOCUMENT.read_text("utf-8")))


@contextlib.contextmanager
def shell(provider: Any, party: Any, *blocks: str) -> "Iterator[subprocess.Popen[str]]":
    """bash with a client's variables, running some of the document's lines; none outlives it."""
    with subprocess.Popen(
        ["timeout", "60", "bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "ISSUER": provider.issuer,
            "CLIENT_ID": party.client_id,
            "CLIENT_SECRET": party.secret,
            "REDIRECT_URI": REDIRECT,
        },
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def says(process: "subprocess.Popen[str]") -> str:
    """The next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answers(process: "subprocess.Popen[str]", line: str = "") -> dict[str, Any]:
    """What it prints in the end, given this line."""
    out, _ = process.communicate(line, timeout=60)
    assert process.returncode == 0, out
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_device_is_let_in(provider, person, commands):
    party = provider.register(
        "Máy quét", grant_types=(GrantType.DEVICE, GrantType.REFRESH), redirect_uris=()
    )
    with shell(provider, party, commands["functions"], commands["device"]) as device:
        _, page, _, _, person.shown = says(device).split(" ")
        assert person.page(page).url == f"{provider.issuer}/device/allowed"
        told = answers(device)
    assert told["sub"] == provider.sub
    assert told["name"] == provider.full_name


def test_a_pushed_request_is_followed_to_tokens(provider, person, commands):
    party = provider.register("Dòng lệnh", redirect_uris=(REDIRECT,))
    with shell(provider, party, commands["functions"], commands["par"]) as typed:
        _, url = says(typed).split(" ")
        assert "scope" not in url
        told = answers(typed, person.landed(url, until=REDIRECT) + "\n")
    assert told["sub"] == provider.sub
    assert told["name"] == provider.full_name
