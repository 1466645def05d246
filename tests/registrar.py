"""A client that registers itself over HTTP, as a relying party's library would."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from idp.oidc.clients import Client, invites
from tests.relying_party import OPERATOR, Party

ENDPOINT = "/oauth2/register"
CALLBACK = "https://app.example/cb"
PLAIN: dict[str, Any] = {"client_name": "Ứng dụng ngoài", "redirect_uris": [CALLBACK]}


@dataclass(frozen=True)
class Registered:
    """What a client has been told about itself."""

    browser: FlaskClient
    told: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it manages itself, on this server."""
        return f"{ENDPOINT}/{self.told['client_id']}"

    @property
    def token(self) -> str:
        """Its registration access token."""
        return str(self.told["registration_access_token"])

    @property
    def party(self) -> Party:
        """For flows."""
        return Party(0, self.told["client_id"], self.told.get("client_secret"))

    def read(self, token: str | None = None) -> Any:
        """RFC 7592 §2.1."""
        return self.browser.get(self.path, headers=bearer(token or self.token))

    def replace(self, token: str | None = None, **document: Any) -> Any:
        """RFC 7592 §2.2; its ``client_id`` is sent along."""
        body = {"client_id": self.told["client_id"]} | document
        return self.browser.put(self.path, json=body, headers=bearer(token or self.token))

    def remove(self, token: str | None = None) -> Any:
        """RFC 7592 §2.3."""
        return self.browser.delete(self.path, headers=bearer(token or self.token))


@dataclass
class Registrar:
    """Registers clients at one installation."""

    browser: FlaskClient
    services: Any

    def invite(self, uses: int = 1, days: int = 7) -> str:
        """An initial access token."""
        with self.services.db.write() as session:
            return invites.issue(
                session,
                uses=uses,
                lifetime=timedelta(days=days),
                note="Sở Thông tin",
                keyring=self.services.keyring,
                actor=OPERATOR,
                now=self.services.clock(),
            )

    def ask(self, document: Any, token: str | None = None, **headers: str) -> Any:
        """Send a document; the answer."""
        return self.raw(json.dumps(document), token, **headers)

    def raw(
        self,
        body: str | bytes,
        token: str | None = None,
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        """Send any body; the answer."""
        given = (bearer(token) if token is not None else {}) | headers
        return self.browser.post(ENDPOINT, data=body, headers=given, content_type=content_type)

    def register(self, **document: Any) -> Registered:
        """Register, by an initial access token of its own."""
        answer = self.ask(PLAIN | document, self.invite())
        assert answer.status_code == 201, answer.text
        return Registered(self.browser, answer.get_json())

    def rows(self) -> list[Client]:
        """The clients that have registered themselves."""
        with self.services.db.read() as session:
            found = select(Client).where(Client.registration_token.is_not(None))
            return list(session.scalars(found))


def bearer(token: str) -> dict[str, str]:
    """An Authorization header."""
    return {"Authorization": f"Bearer {token}"}
