"""A person who signs in, a relying party that asks, and what each of them holds.

Used by every test of the OpenID Provider: the relying party speaks plain HTTP forms, as a
library would, through Flask's test client.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from sqlalchemy import inspect, select, update
from sqlalchemy.orm import Session

from bench.statements import heard
from directory.base.audit import Actor
from directory.entitlements import installation
from directory.people import User
from idp import sessions
from idp.factors.factor import Source
from idp.oidc import clients
from idp.oidc.clients import Client, GrantType, Registration
from tests import put_back
from tests.factories import (
    make_application,
    make_assignment,
    make_position,
    make_rule,
    make_unit,
    make_user,
    proven,
)

REDIRECT = "http://localhost:9001/callback"
OPERATOR = Actor.operator("kiểm thử")


@dataclass(frozen=True)
class Party:
    """A registered client with its secret."""

    id: int
    client_id: str
    secret: str | None
    application_id: int | None = None

    @property
    def basic(self) -> dict[str, str]:
        """Its Authorization header."""
        pair = f"{self.client_id}:{self.secret}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


@dataclass
class World:
    """One commune, one official in it, and ways to register clients and to sign in."""

    services: Any
    clock: Any
    user_id: int
    assignment_id: int
    unit_id: int
    other_unit_id: int

    def register(self, name: str = "Văn bản", **columns: Any) -> Party:
        """A confidential client of ours unless told otherwise."""
        values: dict[str, Any] = {
            "redirect_uris": (REDIRECT,),
            "first_party": True,
            "scopes": clients.SCOPES,
        } | columns
        with self.services.db.write() as session:
            made, secret = clients.register(
                session,
                Registration(name=name, **values),
                keyring=self.services.keyring,
                actor=OPERATOR,
                now=self.clock(),
            )
            return Party(made.id, made.client_id, secret, made.application_id)

    def machine(self, *scopes: str, **columns: Any) -> Party:
        """A client that acts on its own account."""
        return self.register(
            "Máy",
            grant_types=(GrantType.CLIENT,),
            redirect_uris=(),
            scopes=scopes or ("changes:read",),
            **columns,
        )

    def restricted(self, **conditions: Any) -> Party:
        """A client of an application that a rule gives to whoever meets the conditions."""
        with self.services.db.write() as session:
            application = make_application(session, open_to_all=False)
            make_rule(session, application, **conditions)
            installation(session).rules_revision += 1
        return self.register("Dành riêng", application_id=application.id)

    def sign_in(self, browser: FlaskClient, **columns: Any) -> sessions.SessionView:
        """Give the browser a session of the official."""
        values = {"assignment_id": self.assignment_id, "user_id": self.user_id} | columns
        with self.services.db.write() as session:
            user = session.get_one(User, values["user_id"])
            view, cookie = sessions.start(
                session,
                [proven(session, user, self.clock())],
                sessions.Capacity(user, values["assignment_id"]),
                Source("192.0.2.7", 50000, "test"),
                now=self.clock(),
                settings=self.services.settings,
                keyring=self.services.keyring,
            )
        browser.set_cookie("dinhdanh", cookie, domain="localhost")
        return view

    def change(self, row: type, key: Any, **values: Any) -> None:
        """Change a row behind everybody's back."""
        with self.services.db.write() as session:
            session.execute(update(row).where(row.id == key).values(**values))

    def one(self, row: type, key: Any) -> Any:
        """Look at a row."""
        with self.services.db.read() as session:
            return session.get_one(row, key)

    def all(self, row: type) -> list[Any]:
        """Look at all rows of a table; where they are numbered, as they were written: PostgreSQL gives
        a row that was changed after the others.
        """
        numbered = [key for key in inspect(row).primary_key if key.type.python_type is int]
        with self.services.db.read() as session:
            return list(session.scalars(select(row).order_by(*numbered)))

    def do(self, **body: Any) -> Any:
        """Preview and commit an HR change through the door."""
        from directory.changes import spec as specs

        has = self.services
        with has.db.read() as session:
            spec = specs.parse(session, body, now=self.clock(), keyring=has.keyring)
            plan = has.door.plan(session, spec, OPERATOR, now=self.clock())
        with has.db.write() as session:
            return has.door.commit(
                session, spec, OPERATOR, now=self.clock(), fingerprint=plan.fingerprint
            )


def build_world(services: Any, clock: Any) -> World:
    """The world in the database of this test."""
    return World(services, clock, *put_back.world(services, _write))


def _write(session: Session) -> tuple[int, int, int, int]:
    root = make_unit(session, "Tỉnh Thanh Hóa")
    commune = make_unit(session, "Ủy ban nhân dân xã Hà Trung", parent=root)
    room = make_unit(session, "Phòng Kinh tế", parent=commune, legal_person=False, tier="internal")
    other = make_unit(session, "Ủy ban nhân dân xã Nga Sơn", parent=root)
    position = make_position(session, name="Chuyên viên")
    user = make_user(session, "Lê Thị Lan", phone="+84912345678", eid_level=2)
    assignment = make_assignment(session, user, room, position)
    return user.id, assignment.id, room.id, other.id


@dataclass
class Flow:
    """One relying party's dealings with the provider, step by step."""

    browser: FlaskClient
    party: Party
    scope: str = "openid profile email phone org"
    redirect_uri: str = REDIRECT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=secrets.token_hex)
    nonce: str = field(default_factory=secrets.token_hex)

    @property
    def query(self) -> dict[str, str]:
        """The authorization request."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.party.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }

    def ask(self, **changes: str | None) -> Any:
        """Send the browser to the authorization endpoint."""
        query = {k: v for k, v in (self.query | changes).items() if v is not None}
        return self.browser.get("/oauth2/authorize", query_string=query)

    def told(self, response: Any) -> dict[str, str]:
        """What the redirect to the client says, in its fragment if it has one."""
        assert "Location" in response.headers, response.text
        location = response.headers["Location"]
        assert location.startswith(self.redirect_uri), location
        parts = urlsplit(location)
        return {k: v[0] for k, v in parse_qs(parts.fragment or parts.query).items()}

    def code(self, **changes: str | None) -> str:
        """Ask, and expect a code."""
        response = self.ask(**changes)
        assert response.status_code == 302, response.get_data(as_text=True)
        return self.told(response)["code"]

    def redeem(self, code: str, **changes: str | None) -> Any:
        """Present a code at the token endpoint."""
        return self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=self.verifier,
            **changes,
        )

    def refresh(self, text: str, **changes: str | None) -> Any:
        """Present a refresh token."""
        return self.token(grant_type="refresh_token", refresh_token=text, **changes)

    def token(self, **form: str | None) -> Any:
        """The token endpoint, as this client."""
        given = {k: v for k, v in form.items() if v is not None}
        return self.post("/oauth2/token", given)

    def post(self, path: str, form: dict[str, str]) -> Any:
        """A form, as this client."""
        if self.party.secret is None:
            return self.browser.post(path, data={"client_id": self.party.client_id} | form)
        return self.browser.post(path, data=form, headers=self.party.basic)

    def tokens(self, **changes: str | None) -> dict[str, Any]:
        """The whole flow: the token answer."""
        response = self.redeem(self.code(**changes))
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.get_json()

    def introspect(self, text: str) -> dict[str, Any]:
        """What introspection says of a token."""
        return self.post("/oauth2/introspect", {"token": text}).get_json()

    def userinfo(self, text: str) -> Any:
        """Ask userinfo."""
        return self.browser.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {text}"})


@contextmanager
def counted(services: Any) -> Iterator[dict[str, int]]:
    """Count the statements the database is sent, by their first word."""
    found: dict[str, int] = {}

    def count(statement: str) -> None:
        word = statement.split(None, 1)[0].upper()
        if word not in ("BEGIN", "PRAGMA"):
            found[word] = found.get(word, 0) + 1

    with heard(count, *services.db.engines):
        yield found


__all__ = ["REDIRECT", "Client", "Flow", "Party", "World", "build_world", "counted"]
