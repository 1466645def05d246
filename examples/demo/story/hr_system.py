"""The personnel system: the changes API as a client with a role; and the operator's command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from examples.demo.story.relying import Answer, RelyingParty, answer_of
from examples.demo.story.telling import NotSo

ROOT = Path(__file__).resolve().parents[3]
COMMAND_WITHIN = 90.0


class PersonnelSystem:
    """Calls ``/api/v1`` with a token of its own account."""

    def __init__(self, issuer: str, client: dict[str, Any], *, verify: Any = True) -> None:
        self._base = f"{issuer}/api/v1"
        self._party = RelyingParty(issuer, client, verify=verify)
        self._http = httpx2.Client(verify=verify, timeout=30.0, trust_env=False)
        self._scope = " ".join(client["scopes"])
        self.sign_in()

    def close(self) -> None:
        """End its connections."""
        self._party.close()
        self._http.close()

    def sign_in(self) -> None:
        """Take a new access token; they live five minutes."""
        token = self._party.client_credentials(self._scope)
        if token.status != 200:
            raise NotSo("the personnel system takes a token", "200", (token.status, token.body))
        self._http.headers["Authorization"] = f"Bearer {token.body['access_token']}"

    def preview(self, body: dict[str, Any]) -> Answer:
        """What a change would do."""
        return answer_of(self._http.post(f"{self._base}/changes/preview", json=body))

    def commit(self, body: dict[str, Any], fingerprint: str, key: str) -> Answer:
        """Do what a preview announced."""
        return answer_of(
            self._http.post(
                f"{self._base}/changes",
                json=body | {"fingerprint": fingerprint},
                headers={"Idempotency-Key": key},
            )
        )

    def change(self, change_id: str) -> Answer:
        """A change with its proof."""
        return answer_of(self._http.get(f"{self._base}/changes/{change_id}"))

    def changes(self, **query: str) -> Answer:
        """Changes, newest first."""
        return answer_of(self._http.get(f"{self._base}/changes", params=query))


def dinhdanh(config: str, *arguments: str) -> str:
    """Run the product's command line as the installation's operator; what it printed."""
    named = f"dinhdanh {' '.join(arguments[:3])}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "idp.commands.main", *arguments],
            cwd=ROOT,
            env=os.environ | {"DINHDANH_CONFIG": config},
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotSo(named, f"an answer within {COMMAND_WITHIN:g} s", "none") from None
    if done.returncode != 0:
        shown = (done.returncode, done.stderr.strip()[-600:])
        raise NotSo(named, "exit status 0", shown)
    return done.stdout


def dinhdanh_json(config: str, *arguments: str) -> Any:
    """The same, for a command that prints JSON."""
    text = dinhdanh(config, *arguments)
    try:
        return json.loads(text)
    except ValueError:
        raise NotSo(f"dinhdanh {' '.join(arguments[:3])}", "JSON", text) from None
