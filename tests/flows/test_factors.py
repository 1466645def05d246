"""A factor is one file and one line: these are defined here, and the rest of the product knows.

Knocks   a form with one field; she is known by her knocks
Ferry    somebody else vouches for her, at another address
Badge    a certificate that the TLS edge has seen
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import text, update

from directory.base.audit import Actor
from directory.base.errors import InvalidInput, NeedsStepUp
from directory.entitlements import installation_epoch
from directory.people import User
from directory.units import OrgUnit
from idp import sessions
from idp.assurance import Means, Strength, reaches
from idp.factors import guarded, limits, passwords, registry
from idp.factors.factor import Answer, Asking, Elsewhere, Epochs, Field, Form, Passed, Proven
from idp.login.flow_rows import LoginFlow
from idp.oidc.clients import Options
from idp.run.app import create_app
from idp.sessions import SsoSession
from idp.web import gate
from tests.bent import bent
from tests.browser_client import hidden_fields, open_login, submit
from tests.factories import make_assignment, make_user
from tests.relying_party import Flow, World, build_world

PASSWORD = "bếp củi reo vui sớm mai"
AAL1, AAL2, AAL3, AAL4 = (f"urn:vn:aal:{n}" for n in (1, 2, 3, 4))


@dataclass
class Knocks:
    """Three knocks at the door, which are hers alone."""

    of: dict[str, int]
    first: bool = True
    code: str = "knocks"
    title: str = "Ba tiếng gõ"
    gives = Strength(2, frozenset({Means.INHERENCE}))
    amr: str = "knock"
    answers: list[Answer] = field(default_factory=list)

    def offers(self, _where: Any, asking: Asking) -> bool:
        return asking.user_id is None or asking.user_id in self.of.values()

    def begin(self, _has: Any, asking: Asking) -> Form:
        return Form(
            "Hãy gõ cửa.", "Gõ", (Field("knocks", "Tiếng gõ"),), kept={"at": str(asking.now)}
        )

    def check(self, has: Any, asking: Asking, answer: Answer) -> Passed | Elsewhere:
        self.answers.append(answer)
        knocked = answer.values["knocks"]

        def read(connection: Any) -> Any:
            user_id = self.of.get(knocked)
            epochs = _epochs(connection, user_id) if user_id else None
            counted = limits.of_codes("knocks", 0, has.settings)
            return guarded.Guess(counted, asking.user_id, (user_id, epochs))

        right = guarded.guarded(
            has.db,
            read,
            lambda found, _known: found[0] is not None,
            factor=self.code,
            now=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
        )
        if right is None:
            raise InvalidInput("knocks_wrong", "Không ai gõ như vậy.", field="knocks")
        return Passed(right.about[0], self.proven(asking.now, right.about[1]))

    def proven(self, at: datetime, epochs: Epochs) -> Proven:
        return Proven(self.code, at, epochs, self.gives.level, (self.amr,), tuple(self.gives.means))


@dataclass
class Ferry:
    """Across the river somebody says who she is."""

    user_id: int
    first: bool = True
    code: str = "ferry"
    title: str = "Đò sang sông"
    gives = Strength(2)

    def offers(self, _where: Any, _asking: Asking) -> bool:
        return True

    def begin(self, _has: Any, _asking: Asking) -> Form:
        return Form("Người bên kia biết bạn.", "Sang sông", leads_to="https://ben-kia.example/")

    def check(self, has: Any, asking: Asking, answer: Answer) -> Passed | Elsewhere:
        if not answer.returned:
            back = asking.back(self.code)
            url = f"https://ben-kia.example/sang?redirect_uri={back}&state={asking.state}"
            return Elsewhere(url, {"nonce": "một lần"})
        if answer.values.get("code") != "chở rồi" or answer.kept != {"nonce": "một lần"}:
            raise InvalidInput("ferry", "Bên kia không nhận.", field="")
        with has.db.hot() as connection:
            epochs = _epochs(connection, self.user_id)
        return Passed(self.user_id, Proven(self.code, asking.now, epochs, 2, ("boat",)))


@dataclass
class Badge:
    """A certificate that the edge has seen."""

    user_id: int
    first: bool = True
    code: str = "badge"
    title: str = "Thẻ"
    gives = Strength(1, frozenset({Means.POSSESSION}), phishing_resistant=True)

    def offers(self, _where: Any, _asking: Asking) -> bool:
        return True

    def begin(self, _has: Any, _asking: Asking) -> Form:
        return Form("Hãy cắm thẻ.", "Dùng thẻ")

    def check(self, has: Any, asking: Asking, answer: Answer) -> Passed | Elsewhere:
        if answer.certificate != ":dGjhurs=:":
            raise InvalidInput("badge", "Không có thẻ.", field="")
        with has.db.hot() as connection:
            epochs = _epochs(connection, self.user_id)
        means = tuple(self.gives.means)
        return Passed(self.user_id, Proven(self.code, asking.now, epochs, 1, ("hwk",), means))


def _epochs(connection: Any, user_id: int) -> Epochs:
    epoch = connection.execute(
        text("SELECT access_epoch FROM users WHERE id = :id"), {"id": user_id}
    ).scalar_one()
    return Epochs(epoch, installation_epoch(connection))


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    world = build_world(services, clock)
    with services.db.write() as session:
        passwords.set_password(
            session, services.passwords, world.user_id, PASSWORD, must_change=False, now=clock()
        )
    return world


@pytest.fixture
def knocks(world: World, monkeypatch: pytest.MonkeyPatch) -> Knocks:
    """Registered before the application is made, as a file and a line would be."""
    made = Knocks({"cốc cốc cốc": world.user_id})
    _register(monkeypatch, made)
    return made


def _register(monkeypatch: pytest.MonkeyPatch, *more: Any) -> None:
    monkeypatch.setattr(registry, "FACTORS", (*registry.FACTORS, *more))


@pytest.fixture
def name(world: World) -> str:
    return str(world.one(User, world.user_id).username)


def trail(world: World, tag: str) -> list[Any]:
    with world.services.db.read() as session:
        rows = session.execute(
            text("SELECT data FROM audit_entry WHERE tag = :tag ORDER BY id"), {"tag": tag}
        ).scalars()
        return [json.loads(row) if isinstance(row, str) else row for row in rows]


def signed_in(world: World) -> SsoSession | None:
    with world.services.db.read() as session:
        found = sessions.living(session, [world.user_id], now=world.clock())
        return found[-1] if found else None


def told(flow: Flow, answer: dict[str, Any]) -> dict[str, Any]:
    keys = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    return dict(jwt.decode(answer["id_token"], keys, ["ES256"]).claims)


@pytest.mark.both_databases
def test_a_factor_of_one_file_is_on_the_page_in_the_token_and_in_the_trail(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    document = client.get("/.well-known/openid-configuration").get_json()
    # Knowledge and inherence together: the third level of Nghị định 69/2024/NĐ-CP; with an app, the
    # fourth.
    assert document["acr_values_supported"] == [AAL1, AAL2, AAL3, AAL4]
    party = world.register(id_token_alg="ES256", options=Options(minimum_acr=AAL3))
    flow = Flow(client, party)
    page = client.get(flow.ask().headers["Location"])
    where = page.request.path
    assert 'name="username"' in page.text
    assert f'href="{where}?way=knocks"' in page.text
    submit(client, page, username=name, password=PASSWORD)
    page = client.get(where)
    assert "Ba tiếng gõ" not in page.text  # not one way of several any more
    assert 'name="knocks"' in page.text
    assert 'name="password"' not in page.text
    assert "Hãy gõ cửa." in page.text
    wrong = submit(client, page, knocks="cốc")
    assert wrong.status_code == 422
    assert "Không ai gõ như vậy." in wrong.text
    assert trail(world, "login.fail")[-1] == {"factors": ["knocks"]}
    submit(client, wrong, where, knocks="cốc cốc cốc")
    assert knocks.answers[-1].kept == {"at": str(world.clock())}
    code = flow.told(client.get(client.get(where).headers["Location"]))["code"]
    answer = flow.redeem(code).get_json()
    claims = told(flow, answer)
    assert (claims["acr"], claims["amr"]) == (AAL3, ["pwd", "knock", "mfa"])
    assert flow.introspect(answer["access_token"])["amr"] == ["pwd", "knock", "mfa"]
    [started] = trail(world, "session.start")
    assert started["factors"] == ["password", "knocks"]
    assert (started["acr"], started["amr"]) == (AAL3, ["pwd", "knock", "mfa"])


def test_whoever_comes_by_it_alone_is_as_strong_as_it_is(
    world: World, knocks: Knocks, client: FlaskClient
) -> None:
    page = open_login(client, "/portal/profile")
    page = client.get(f"{page.request.path}?way=knocks")
    assert 'name="password"' not in page.text
    assert "?way=password" in page.text
    assert submit(client, page, knocks="cốc cốc cốc").status_code == 303
    assert client.get(page.request.path).headers["Location"] == "/portal/profile"
    session = signed_in(world)
    assert session is not None
    assert (session.acr, session.amr) == (AAL2, ["knock"])


def test_nobody_is_asked_for_more_than_is_demanded_of_her(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    page = open_login(client, "/portal/profile")
    submit(client, page, username=name, password=PASSWORD)
    assert client.get(page.request.path).headers["Location"] == "/portal/profile"
    session = signed_in(world)
    assert session is not None
    assert session.acr == AAL1


def test_who_has_no_such_factor_is_let_in_and_told_that_it_is_too_weak(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    knocks.of.clear()
    flow = Flow(client, world.register(options=Options(minimum_acr=AAL2)))
    page = client.get(flow.ask().headers["Location"])
    submit(client, page, username=name, password=PASSWORD)
    answer = client.get(client.get(page.request.path).headers["Location"])
    assert answer.status_code == 403
    assert "cần mức xác thực cao hơn" in answer.text


def test_a_page_of_ours_may_demand_more(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    world.sign_in(client)
    assert client.get("/login?return_to=/portal").headers["Location"] == "/portal"
    for unknown in ("", "0", "urn:vn:aal:9"):
        query = {"return_to": "/portal", "least": unknown}
        assert client.get("/login", query_string=query).headers["Location"] == "/portal"
    query = {"return_to": "/portal", "least": AAL3}
    page = client.get("/login", query_string=query, follow_redirects=True)
    submit(client, page, username=name, password=PASSWORD)
    page = client.get(page.request.path)
    submit(client, page, knocks="cốc cốc cốc")
    assert client.get(page.request.path).headers["Location"] == "/portal"
    assert client.get("/login", query_string=query).headers["Location"] == "/portal"


def test_an_operation_that_needs_more_gets_more_and_goes_on(
    world: World, knocks: Knocks, name: str
) -> None:
    app = create_app(world.services)

    @app.get("/strict")
    def strict() -> str:
        view = gate.current_session()
        if view is None or not reaches(view.acr, AAL3):
            raise NeedsStepUp(AAL3)
        return "xong"

    browser = app.test_client()
    world.sign_in(browser)
    page = browser.get("/strict", follow_redirects=True)
    submit(browser, page, username=name, password=PASSWORD)
    submit(browser, browser.get(page.request.path), knocks="cốc cốc cốc")
    assert browser.get(page.request.path, follow_redirects=True).text == "xong"


@pytest.mark.both_databases
@pytest.mark.parametrize("other", ["person", "epoch"])
def test_proofs_of_two_people_or_two_epochs_are_never_one_sign_in(
    world: World, knocks: Knocks, client: FlaskClient, name: str, other: str
) -> None:
    """A colleague's knocks, and knocks from after a cut, do not join a password from before."""
    with world.services.db.write() as session:
        colleague = make_user(session)
        make_assignment(session, colleague, session.get_one(OrgUnit, world.unit_id))
        knocks.of["cộc cộc cộc"] = colleague.id
        theirs = colleague.id
    page = client.get("/login", query_string={"least": AAL3}, follow_redirects=True)
    submit(client, page, username=name, password=PASSWORD)
    page = client.get(page.request.path)
    if other == "epoch":
        world.change(User, world.user_id, access_epoch=2)
    submit(client, page, knocks="cộc cộc cộc" if other == "person" else "cốc cốc cốc")
    page = client.get(page.request.path)
    assert 'name="password"' in page.text  # only the knocks count; the password is asked again
    whose = theirs if other == "person" else world.user_id
    [flow] = world.all(LoginFlow)
    assert flow.user_id == whose
    assert [one["factor"] for one in flow.proven["by"]] == ["knocks"]
    assert signed_in(world) is None


def test_what_the_release_before_wrote_is_still_a_password(
    world: World, client: FlaskClient, name: str
) -> None:
    page = open_login(client, "/portal/profile")
    submit(client, page, username=name, password=PASSWORD)
    with world.services.db.write() as session:
        session.execute(update(LoginFlow).values(proven=None))
    assert client.get(page.request.path).headers["Location"] == "/portal/profile"
    session = signed_in(world)
    assert session is not None
    assert (session.acr, session.amr, session.auth_time) == (AAL1, ["pwd"], world.clock())


def test_what_the_release_before_recorded_over_it_is_somebody_elses(
    world: World, knocks: Knocks, client: FlaskClient
) -> None:
    """A node of the release before puts a password down and does not know the list beside it."""
    with world.services.db.write() as session:
        colleague = make_user(session)
        theirs = colleague.id
    page = client.get("/login", query_string={"least": AAL3}, follow_redirects=True)
    submit(client, page, step="knocks", knocks="cốc cốc cốc")
    with world.services.db.write() as session:
        session.execute(update(LoginFlow).values(user_id=theirs, password_at=world.clock()))
    page = client.get(page.request.path)
    assert signed_in(world) is None
    assert 'name="password"' not in page.text


def test_what_was_proven_before_a_cut_is_not_after_it_whatever_another_release_writes(
    world: World, knocks: Knocks, client: FlaskClient
) -> None:
    """A node of the release before takes her password after the cut, and leaves the list alone."""
    page = client.get("/login", query_string={"least": AAL3}, follow_redirects=True)
    submit(client, page, step="knocks", knocks="cốc cốc cốc")
    world.change(User, world.user_id, access_epoch=2)
    with world.services.db.write() as session:
        session.execute(update(LoginFlow).values(user_epoch=2, password_at=world.clock()))
    assert 'name="knocks"' in client.get(page.request.path).text


def test_a_new_password_in_between_takes_nothing_away(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    with world.services.db.write() as session:
        session.execute(text("UPDATE password_credential SET must_change = true"))
    page = client.get("/login", query_string={"least": AAL3}, follow_redirects=True)
    submit(client, page, username=name, password=PASSWORD)
    submit(client, client.get(page.request.path), knocks="cốc cốc cốc")
    new = "con trâu đội nón lá"
    submit(client, client.get(page.request.path), password=new, again=new)
    client.get(page.request.path)
    session = signed_in(world)
    assert session is not None
    assert (session.acr, session.user_epoch) == (AAL3, 2)


def test_wrong_answers_are_slowed_down_like_wrong_passwords(
    world: World, knocks: Knocks, client: FlaskClient
) -> None:
    page = open_login(client)
    answers = [
        submit(client, page, step="knocks", knocks="cốc").status_code
        for _ in range(world.services.settings.lock_after + 1)
    ]
    assert answers[0] == 422
    assert answers[-1] == 429


def test_a_factor_that_is_not_asked_for_is_not_looked_at(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    knocks.first = False
    page = open_login(client)
    assert "way=knocks" not in page.text
    assert submit(client, page, step="knocks", knocks="cốc cốc cốc").status_code == 303
    assert submit(client, page, step="nothing", knocks="cốc cốc cốc").status_code == 303
    assert not knocks.answers
    assert signed_in(world) is None


def test_what_a_form_kept_is_for_its_own_sign_in(
    world: World, knocks: Knocks, app: Flask, client: FlaskClient
) -> None:
    one, two = open_login(client), open_login(app.test_client())
    assert one.request.path != two.request.path
    ways = client.get(f"{one.request.path}?way=knocks")
    other = open_login(client)
    kept = hidden_fields(ways.text)["kept"]
    for path, value in ((other.request.path, kept), (one.request.path, bent(kept, -4))):
        client.post(path, data=hidden_fields(ways.text) | {"knocks": "cốc", "kept": value})
        assert knocks.answers[-1].kept == {}
    client.post(one.request.path, data=hidden_fields(ways.text) | {"knocks": "cốc"})
    assert knocks.answers[-1].kept == {"at": str(world.clock())}


# ---- by redirect, and at the TLS edge ----------------------------------------------------------


@pytest.fixture
def ferry(world: World, monkeypatch: pytest.MonkeyPatch) -> Ferry:
    made = Ferry(world.user_id)
    _register(monkeypatch, made)
    return made


def _cross(browser: FlaskClient, return_to: str = "/portal/profile") -> tuple[str, dict[str, str]]:
    """To the other side; the sign-in's address and what was said there."""
    page = open_login(browser, return_to)
    page = browser.get(f"{page.request.path}?way=ferry")
    assert "https://ben-kia.example" in page.headers["Content-Security-Policy"]
    over = submit(browser, page)
    assert over.status_code == 303
    parts = urlsplit(over.headers["Location"])
    assert parts.netloc == "ben-kia.example"
    return page.request.path, {k: v[0] for k, v in parse_qs(parts.query).items()}


@pytest.mark.both_databases
def test_a_factor_may_be_proven_at_another_address(
    world: World, ferry: Ferry, client: FlaskClient
) -> None:
    _, said = _cross(client)
    assert said["redirect_uri"] == "http://localhost:8000/login/back/ferry"
    assert signed_in(world) is None
    query = {"state": said["state"], "code": "chở rồi"}
    back = client.get("/login/back/ferry", query_string=query)
    assert back.status_code == 303
    assert back.headers["Location"] == "/portal/profile"
    session = signed_in(world)
    assert session is not None
    assert (session.acr, session.amr) == (AAL2, ["boat"])
    assert client.get("/login/back/ferry", query_string=query).status_code == 404  # once


def test_nobody_comes_back_who_has_not_left(
    world: World, ferry: Ferry, app: Flask, client: FlaskClient
) -> None:
    _, said = _cross(client)
    right = {"state": said["state"], "code": "chở rồi"}
    assert app.test_client().get("/login/back/ferry", query_string=right).status_code == 404
    for query in ({}, {"code": "chở rồi"}, right | {"state": "x"}):
        assert client.get("/login/back/ferry", query_string=query).status_code == 404
    assert client.get("/login/back/knocks", query_string=right).status_code == 404
    refused = client.get("/login/back/ferry", query_string=right | {"code": "khác"})
    assert refused.status_code == 422
    assert "Bên kia không nhận." in refused.text
    assert signed_in(world) is None


def test_whoever_is_away_too_long_begins_again(
    world: World, ferry: Ferry, client: FlaskClient
) -> None:
    _, said = _cross(client)
    world.clock.advance(seconds=world.services.settings.flow_lifetime)
    answer = client.get(
        "/login/back/ferry", query_string={"state": said["state"], "code": "chở rồi"}
    )
    assert answer.status_code in (303, 404)
    assert signed_in(world) is None


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(client_certificates=True, trusted_proxies=["127.0.0.1"])


def test_a_factor_may_be_checked_at_the_tls_edge(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(monkeypatch, Badge(world.user_id))
    page = open_login(client, "/portal/profile")
    seen = {"Client-Cert": ":dGjhurs=:"}
    path = page.request.path
    form = hidden_fields(page.text) | {"step": "badge"}
    assert client.post(path, data=form).status_code == 422
    stranger = {"REMOTE_ADDR": "203.0.113.9"}
    refused = client.post(path, data=form, headers=seen, environ_base=stranger)
    assert refused.status_code == 422
    assert client.post(path, data=form, headers=seen).status_code == 303
    client.get(path)
    session = signed_in(world)
    assert session is not None
    assert (session.acr, session.amr) == (AAL1, ["hwk"])


def test_a_session_counts_from_the_oldest_proof(
    world: World, knocks: Knocks, client: FlaskClient, name: str
) -> None:
    """OIDC Core §2, auth_time: what is not known to be newer is as old as it may be."""
    began = world.clock()
    page = client.get("/login", query_string={"least": AAL3}, follow_redirects=True)
    submit(client, page, username=name, password=PASSWORD)
    world.clock.advance(minutes=5)
    page = client.get(page.request.path)
    submit(client, page, knocks="cốc cốc cốc")
    client.get(page.request.path)
    session = signed_in(world)
    assert session is not None
    assert session.auth_time == began
    lifetime = timedelta(seconds=world.services.settings.session_lifetime)
    assert session.expires_at == began + lifetime


def test_nobody_sees_that_there_could_be_other_ways(client: FlaskClient) -> None:
    assert "?way=" not in open_login(client).text
