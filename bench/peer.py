"""node-oidc-provider (bench/node) as a yardstick: the same clients, people, paths and hash."""

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.database import Database
from bench.load import Served
from bench.operations import REDIRECT, Parties, Party, Person
from dinhdanh import ports

HERE = Path(__file__).parent / "node"
LACKS = {"introspection (JWT)": "introspects no JWT"}
WARMING = 3000
"""JavaScript's engine goes on compiling so long: the first runs cost two to three times the last."""


class Absent(Exception):
    """What the peer needs is not installed."""


def label() -> str:
    """Its name and version, and Node's. Raises Absent."""
    node = shutil.which("node")
    if node is None:
        raise Absent("--peer node: Node.js is not installed (Debian: apt-get install nodejs)")
    if not (HERE / "node_modules" / ".dinhdanh").exists():
        raise Absent("--peer node: run scripts/test-node bench/node first")
    manifest = HERE / "node_modules" / "oidc-provider" / "package.json"
    runs = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    version = json.loads(manifest.read_text("utf-8"))["version"]
    return f"node-oidc-provider {version} (Node.js {runs.strip().removeprefix('v')})"


@contextmanager
def serving(database: Database, people: int, *, stored: bool = False) -> Iterator[Served]:
    """It, served, for as long as the block lasts. Raises Absent.

    Its clients stand in its configuration, as is usual with it, or are ``stored`` and so read
    from the database for each request, as ours are.
    """
    name = label() + (", stored clients" if stored else "")
    who = [Person(f"canbo{n}", secrets.token_urlsafe(18)) for n in range(1, people + 1)]
    with ports.reserve() as block:
        issuer = f"http://localhost:{block[0]}"
        web, machine, bound = (_party(each) for each in ("opaque", "machine", "bound"))
        wanted = {
            "issuer": issuer,
            "port": block[0],
            "database": address(database),
            "cookieKey": secrets.token_urlsafe(32),
            "clients": [
                _code(web),
                _code(bound)
                | {"require_pushed_authorization_requests": True, "dpop_bound_access_tokens": True},
                _known(machine)
                | {
                    "grant_types": ["client_credentials"],
                    "response_types": [],
                    "redirect_uris": [],
                    "scope": "changes:read",
                },
            ],
            "clientsStored": stored,
            "people": [_told(person) for person in who],
        }
        with _running(wanted) as pid:
            parties = Parties(issuer, web=web, offline=web, machine=machine, bound=bound)
            yield Served(name, parties, who, pid, database, LACKS, WARMING)


@contextmanager
def _running(wanted: dict[str, Any]) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["node", "provider.mjs"],
            cwd=HERE,
            env=None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(wanted).encode())
            process.stdin.close()
            if process.stdout.readline() != b"ready\n":
                log.seek(0)
                raise RuntimeError(log.read()[-2000:].decode("utf-8", "replace"))
            yield process.pid
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def _party(name: str) -> Party:
    return Party(name, secrets.token_urlsafe(32))


def _known(party: Party) -> dict[str, Any]:
    return {"client_id": party.client_id, "client_secret": party.client_secret}


def _code(party: Party) -> dict[str, Any]:
    return _known(party) | {
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
    }


def _told(person: Person) -> dict[str, Any]:
    """What is known of her: as much as our userinfo tells."""
    return {
        "username": person.username,
        "password": person.password,
        "claims": {
            "sub": person.username,
            "name": "Lê Thị Lan",
            "preferred_username": person.username,
            "email": f"{person.username}@example.gov.vn",
            "email_verified": False,
            "org": {"unit": "Ủy ban nhân dân xã Thử", "position": "Chuyên viên"},
        },
    }


def address(database: Database) -> dict[str, Any]:
    """For the library ``pg``."""
    url = database.url
    host = url.query.get("host", url.host)
    port = url.query.get("port", url.port)
    return {
        "host": host,
        "port": int(str(port or 5432)),
        "user": url.username,
        "password": url.password,
        "database": database.name,
    }
