"""Two communes, people in them, officers over them, and the three ways to ask for a change."""

import base64
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from directory import people
from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.db import Base
from directory.base.errors import DinhdanhError
from directory.changes import kind as kinds
from directory.eid_links import EidLink
from directory.people import User
from directory.permissions import AdminRole, Role
from directory.units import OrgUnit
from idp import approving
from idp.console import pages_sign_in
from idp.factors import passwords
from idp.login.views import OF
from idp.oidc import clients
from idp.oidc.clients import GrantType, Registration
from tests import put_back, signed_in
from tests.browser_client import hidden_fields, sign_in
from tests.factories import (
    LONG_AGO,
    make_application,
    make_assignment,
    make_position,
    make_role,
    make_rule,
    make_unit,
    make_user,
)
from tests.relying_party import Flow, World

PASSWORD = "bếp củi reo vui sớm mai"
CONFIRM = re.compile(r'<form class="sheet form-sheet confirm" method="post" action="([^"]+)"')
OPERATOR = Actor.operator("kiểm thử")


@dataclass
class Hr:
    """The world; ids and usernames are plain values."""

    services: Any
    clock: Any
    app: Flask
    units: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)
    """Assignments by the person's key."""

    # ---- OAuth ----

    def token(
        self,
        role: Role | None = Role.HR_OFFICER,
        unit: str | None = "root",
        scopes: tuple[str, ...] = ("changes:read", "changes:write"),
    ) -> str:
        """A bearer token of a new client that holds the role over the unit."""
        with self.services.db.write() as session:
            made, secret = clients.register(
                session,
                Registration(
                    name="Hệ thống nhân sự", grant_types=(GrantType.CLIENT,), scopes=scopes
                ),
                keyring=self.services.keyring,
                actor=OPERATOR,
                now=self.clock(),
            )
            if role is not None:
                session.add(
                    AdminRole(
                        client_id=made.id,
                        role=role.value,
                        unit_id=self.units[unit] if unit else None,
                        valid_from=LONG_AGO,
                        granted_by="test",
                    )
                )
            pair = base64.b64encode(f"{made.client_id}:{secret}".encode()).decode()
        answer = self.app.test_client().post(
            "/oauth2/token",
            data={"grant_type": "client_credentials", "scope": " ".join(scopes)},
            headers={"Authorization": f"Basic {pair}"},
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def own_token(
        self, who: str, scopes: tuple[str, ...] = ("changes:read", "changes:write")
    ) -> str:
        """A bearer token that a person has let a client have, to act as her."""
        world = World(self.services, self.clock, self.people[who], self.posts.get(who, 0), 0, 0)
        party = world.register(scopes=("openid", *scopes))
        browser = self.app.test_client()
        world.sign_in(browser, assignment_id=self.posts.get(who))
        flow = Flow(browser, party, scope=" ".join(("openid", *scopes)))
        return str(flow.tokens()["access_token"])

    def api(self, token: str) -> "Api":
        """The changes API as its holder calls it."""
        return Api(self.app.test_client(), token)

    # ---- the console ----

    def browser(self, who: str, *, assignment: int | None = None) -> FlaskClient:
        """A browser in which the person has signed in."""
        client, username = self.app.test_client(), self.names[who]
        if not self._sign_in_quietly(client, who, assignment):
            sign_in(client, username, PASSWORD, assignment=assignment)
        return client

    def _sign_in_quietly(self, client: FlaskClient, who: str, assignment: int | None) -> bool:
        """Whether she could be signed in without a page: nothing more is asked of her, or refused."""
        has = self.services
        here = urlsplit(has.settings.issuer)
        if has.settings.second_factor != "nobody" or here[:2] != ("http", "localhost:8000"):
            return False
        try:
            cookies = signed_in.cookies_of(has, self.names[who], PASSWORD, assignment=assignment)
        except DinhdanhError:
            return False
        for name, value in cookies.items():
            client.set_cookie(name, value, domain=here.hostname, httponly=True, samesite="Lax")
        with client.session_transaction() as browser_state:
            browser_state[OF] = self.people[who]
        return True

    def preview(self, browser: FlaskClient, who: str, kind: str, **query: Any) -> Any:
        """The preview page of a change, asked for as its form does it."""
        path = f"/console/people/{self.people[who]}/{kind}"
        found = kinds.find(kind)
        if found is None or not found.private:
            return browser.get(path, query_string={"step": "preview", **query})
        data = hidden_fields(browser.get(path).text) | {"step": "preview", **query}
        return browser.post(path, data=data, follow_redirects=True)

    def confirm(self, browser: FlaskClient, page: Any, **fields: Any) -> Any:
        """Send a preview's confirmation."""
        data = hidden_fields(page.text) | {"decision": "allow", "password": PASSWORD} | fields
        form = CONFIRM.search(page.text)
        return browser.post(form[1] if form else page.request.path, data=data)

    # ---- looking ----

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table, to compare before and after; but what pages have answered."""
        with self.services.db.hot() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in Base.metadata.sorted_tables
                if table.name != "form_answer"
            }

    def also(self, who: str, unit: str) -> None:
        """Give a person a further post behind everybody's back."""
        with self.services.db.write() as session:
            make_assignment(
                session,
                session.get_one(User, self.people[who]),
                session.get_one(OrgUnit, self.units[unit]),
                kind="concurrent",
            )

    def grant(self, who: str, role: Role) -> None:
        """Give a person a role over the whole installation."""
        with self.services.db.write() as session:
            make_role(session, session.get_one(User, self.people[who]), role)

    def unactivated(self, *whom: str) -> None:
        """These people have never signed in: they have no password, and the trail knows of none."""
        with self.services.db.write() as session:
            ids = [self.people[who] for who in whom]
            passwords.forget(session, ids)
            hers = AuditEntry.subject_id.in_(map(str, ids))
            session.execute(
                delete(AuditEntry).where(hers, AuditEntry.tag == Tag.PASSWORD_SET.value)
            )

    def agree(self, issuer: str, who: str) -> None:
        """The operator agrees that the issuer prints a slip for a person, where it takes two."""
        has, asks = self.services, Actor("user", self.people[issuer], self.names[issuer])
        try:
            proposal_id = pages_sign_in.propose_slip(has, self.people[who], actor=asks)
        except DinhdanhError:
            return  # whether it is needed, or allowed, the page says
        plan = approving.shown(has, proposal_id, OPERATOR).plan
        assert plan is not None
        approving.approve(has, proposal_id, OPERATOR, fingerprint=plan["fingerprint"])

    def linked(self, who: str, session: Session) -> None:
        """An upstream vouches for a person."""
        user = session.get_one(User, self.people[who])
        for column, value in people.citizen_columns(self.services.keyring, "038180001234").items():
            setattr(user, column, value)
        session.add(
            EidLink(
                user_id=user.id,
                upstream="vneid",
                issuer="https://eid.example",
                subject="x",
                citizen_hash=user.citizen_hash,
                level=2,
                via="",
                linked_at=self.clock(),
                used_at=self.clock(),
            )
        )

    def user(self, who: str) -> User:
        """A person's row."""
        with self.services.db.read() as session:
            return session.get_one(User, self.people[who])


@dataclass
class Api:
    """Calls with one bearer token."""

    client: FlaskClient
    token: str

    def _headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **more}

    def post(self, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> Any:
        """POST JSON."""
        headers = self._headers(**({"Idempotency-Key": key} if key else {}))
        if body is not None:
            options["json"] = body
        return self.client.post(path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        """GET."""
        return self.client.get(path, headers=self._headers(), **options)

    def plan(self, **body: Any) -> dict[str, Any]:
        """The plan of a change that may be previewed."""
        answer = self.post("/api/v1/changes/preview", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def commit(self, *, key: str | None = None, **body: Any) -> Any:
        """Preview and commit."""
        fingerprint = self.plan(**body)["fingerprint"]
        return self.post(
            "/api/v1/changes", body | {"fingerprint": fingerprint}, key=key or secrets.token_hex(8)
        )


def build(services: Any, clock: Any, app: Flask) -> Hr:
    """The world in the database of this test."""

    def write(session: Session) -> dict[str, Any]:
        return _write(session, passwords.hashed(services.passwords, PASSWORD), clock())

    return Hr(services, clock, app, **put_back.world(services, write, services.passwords))


def _write(session: Session, phc: str, now: datetime) -> dict[str, Any]:
    """Everything in it, and what its ids are."""
    root = make_unit(session, "Tỉnh Thanh Hóa")
    a = make_unit(session, "Ủy ban nhân dân xã Hà Trung", parent=root, codes={"gso": "14758"})
    room = make_unit(session, "Phòng Kinh tế", parent=a, legal_person=False, tier="internal")
    room2 = make_unit(session, "Phòng Văn hóa", parent=a, legal_person=False, tier="internal")
    b = make_unit(session, "Ủy ban nhân dân xã Nga Sơn", parent=root, codes={"gso": "14797"})
    clerk = make_position(session, "CV", "Chuyên viên")
    make_position(session, "KT", "Kế toán")
    everyone = make_application(session, "vanban", name="Quản lý văn bản")
    make_rule(session, everyone)
    local = make_application(session, "motcua", name="Một cửa Hà Trung")
    make_rule(session, local, unit_id=a.id)
    people, names, posts = {}, {}, {}

    def person(
        key: str, name: str, unit: Any, role: Role | None = None, over: Any = None, **more: Any
    ) -> None:
        user = make_user(session, name, **more)
        people[key], names[key] = user.id, user.username
        if unit is not None:
            posts[key] = make_assignment(session, user, unit, clerk).id
        if role is not None:
            make_role(session, user, role, over)
        passwords.store(session, user.id, phc, must_change=False, now=now, actor=OPERATOR)

    person("lan", "Lê Thị Lan", room, phone="+84912345678")
    person("hien", "Nguyễn Văn Hiển", room)
    person("mai", "Đỗ Thị Mai", b)
    person("officer", "Phạm Thị Hương", None, Role.HR_OFFICER, root)
    person("officer_a", "Trần Văn Bình", None, Role.HR_OFFICER, a)
    person("officer_b", "Vũ Thị Cúc", None, Role.HR_OFFICER, b)
    person("admin", "Hoàng Văn Dũng", None, Role.ADMINISTRATOR)
    person("owner", "Bùi Thị Én", None, Role.APPLICATION_OWNER)
    person("auditor", "Ngô Văn Phúc", None, Role.AUDITOR, root)
    person("plain", "Lý Thị Giang", room)
    units = {"root": root.id, "a": a.id, "room": room.id, "room2": room2.id, "b": b.id}
    return {"units": units, "people": people, "names": names, "posts": posts}


def text_of(html: str) -> str:
    """What a person reads on a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
