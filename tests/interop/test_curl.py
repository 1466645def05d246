"""The command lines of the documents, run as they stand there: device flow, PAR and changes by API."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from directory.people import User, UserStatus
from directory.permissions import Role
from directory.units import OrgUnit
from idp.oidc import clients
from idp.oidc.clients import GrantType
from tests import factories
from tests.conftest import missing

DOCUMENTS = Path(__file__).parents[2] / "docs"
CURL = Path("/usr/bin/curl")
REDIRECT = "http://localhost:9/callback"
BLOCK = re.compile(r"```sh\n *# (\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def commands() -> dict[str, str]:
    """The blocks of the document, by name."""
    if not CURL.exists():
        missing(str(CURL))
    return blocks("interop.md")


def blocks(document: str) -> dict[str, str]:
    """What there is to type, by name."""
    return dict(BLOCK.findall((DOCUMENTS / document).read_text("utf-8")))


@contextlib.contextmanager
def shell(provider: Any, party: Any, *lines: str, **more: str) -> "Iterator[subprocess.Popen[str]]":
    """bash with a client's variables, running some of the document's lines; none outlives it."""
    with subprocess.Popen(
        ["timeout", "60", "bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "ISSUER": provider.issuer,
            "CLIENT_ID": party.client_id,
            "CLIENT_SECRET": party.secret,
            "REDIRECT_URI": REDIRECT,
        }
        | more,
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


def test_a_personnel_system_previews_commits_proves_and_undoes(provider, commands):
    lines = blocks("changes-api.md")
    party = provider.register(
        "Phần mềm nhân sự",
        grant_types=(GrantType.CLIENT,),
        redirect_uris=(),
        scopes=("changes:read", "changes:write"),
    )
    with provider.services.db.write() as session:
        commune = session.scalars(select(OrgUnit).where(OrgUnit.name == provider.unit_name)).one()
        person = factories.make_user(session, "Phạm Thị Nhài")
        position = factories.make_position(session, name="Văn thư")
        factories.make_assignment(session, person, commune, position)
        name = person.username
        whose = clients.get(session, party.client_id).id
        factories.make_role(
            session, person, Role.HR_OFFICER, commune, user_id=None, client_id=whose
        )
    steps = [lines[each] for each in ("functions", "preview", "commit", "proof")]
    with shell(provider, party, *steps, PERSON=name) as typed:
        proof = answers(typed)
    assert (proof["kind"], proof["state"]) == ("suspend", "settled")
    assert {effect["state"] for effect in proof["effects"]} <= {"verified", "acknowledged", "gone"}
    with provider.services.db.read() as session:
        assert session.get_one(User, person.id).status == UserStatus.SUSPENDED
    steps = [lines["functions"], f"change={proof['id']}", lines["undo"]]
    with shell(provider, party, *steps, PERSON=name) as typed:
        undone = answers(typed)
        assert undone.get("id", proof["id"]) != proof["id"], undone
    with provider.services.db.read() as session:
        assert session.get_one(User, person.id).status == UserStatus.ACTIVE
