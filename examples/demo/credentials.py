"""var/demo/credentials.json: passwords and secrets of one demonstration. No two have the same.

issuer, config, ca_file     where it is
users                       whom to be; ``totp`` (secret, digits, period) of whom needs a code besides
clients, api, apps          what signs in or calls in; initial_access_token
eid                         the simulator: address, control API, upstream, people (``key`` chooses one)
slip                        of somebody who has no password yet: code, address, her day of birth
guide                       the page that walks through it
"""

import json
from pathlib import Path
from typing import Any

from examples.demo.ground import write_private


def read(path: Path) -> dict[str, Any]:
    """What an earlier start wrote; empty when there was none."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def write(path: Path, values: dict[str, Any]) -> None:
    """Write the file for its owner alone (0600)."""
    write_private(path, json.dumps(values, ensure_ascii=False, indent=2) + "\n")


def passwords(values: dict[str, Any]) -> dict[str, str]:
    """Passwords by user name."""
    return {user["username"]: user["password"] for user in values.get("users", [])}


def secret_of(values: dict[str, Any], client_id: str) -> str | None:
    """The secret of a client registered by an earlier start."""
    known = [*values.get("clients", []), *([values["api"]] if "api" in values else [])]
    return next((c["client_secret"] for c in known if c["client_id"] == client_id), None)
