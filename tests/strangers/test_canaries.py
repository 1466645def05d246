"""No secret is found again: every flow is walked with marked ones, and then each place is searched.

Passwords, codes of slips, apps and sheets, keys' challenges, cookies, tokens, client secrets and citizen
numbers, right and wrong, in requests that succeed, that are refused and that break down. What is searched,
and in which spellings, is in tests/canaries.py; that the search finds what is there, the last test shows.
"""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from html import escape, unescape
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qs, quote, quote_plus

import pytest
import structlog
from sqlalchemy import text

from directory.base import audit
from directory.people import User, citizen_columns
from directory.permissions import Role
from idp.factors.by_password import Password
from idp.factors.by_totp import Totp
from idp.oidc.grants import Grant
from idp.run import performing
from tests import eid_world, hr_world, upstream
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields, open_login, shown, submit
from tests.canaries import Answer, Sweep, broken, marked, watching, without
from tests.command_line import Operator, operator
from tests.flows.test_console_clients import SECRET, application, made, send
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import chosen, link_on, opened
from tests.proving import Holding
from tests.relying_party import REDIRECT, Flow, World
from tests.security_key import SecurityKey, press
from tests.someone import OUTSIDE, PAPER, Someone
from tests.upstream import Upstream

__all__ = ["operator"]
pytestmark = pytest.mark.both_databases
WAYS = "/portal/ways"
STATEMENTS = 4
"""So many statements of a request are broken, one after the other."""
AT_THE_CLIENT = r"^(GET|POST) (/oauth2/authorize|/oauth2/consent|/login/.*)$"
AT_TOKEN = r"^POST /oauth2/token$"
ENROLLING = r"^(GET|POST) (/login/.*|/portal/ways/app|/shown/.*)$"
ON_PAPER = r"^GET /shown/|^(GET|POST) (/login/.*|/portal/ways/.*)$"
ON_A_SLIP = r"^POST /console/people/\d+/activation$|^GET /shown/|^(GET|POST) /activate"


@pytest.fixture
def settings(make_settings: Any, tmp_path: Any) -> Any:
    drops = {"mail_drop": tmp_path / "mail", "text_drop": tmp_path / "texts"}
    for folder in drops.values():
        folder.mkdir()
    return make_settings(
        second_factor="outside",
        inside_networks=["10.0.0.0/8"],
        security_officers=["antoan@thanhhoa.gov.vn"],
        **drops,
    )


@pytest.fixture
def sweep(services: Any, another_app: Any) -> Iterator[Sweep]:
    with watching(services, another_app(services)) as begun:
        yield begun


@pytest.fixture
def hr(services: Any, clock: Any, sweep: Sweep) -> Hr:
    made = hr_world.build(services, clock, sweep.app)
    sweep.keep("the password of everybody", PASSWORD)
    with services.db.write() as session:
        for who in made.people:
            session.get_one(User, made.people[who]).email = f"{who}@thanhhoa.gov.vn"
    return made


@pytest.fixture
def ended(sweep: Sweep, services: Any, operator: Operator) -> Any:
    """What is found when everything has been done, letters written too."""

    def look(*, told: bool = False) -> list[tuple[str, str]]:
        performing.drain(services)
        with services.db.write() as session:
            audit.seal(session, services.keyring, limit=1000)
        exported = operator("audit", "export")
        assert exported.code == 0, exported.said
        assert exported.out.count("\n") > 3
        assert not told or any(services.settings.mail_drop.iterdir())
        return sweep.found(("audit", exported.said))

    return look


def numbered(hr: Hr, sweep: Sweep, who: str) -> str:
    """Give her a citizen number and a birth date."""
    number = sweep.keep("citizen number", f"0381{secrets.randbelow(10**8):08}")
    with hr.services.db.write() as session:
        user = session.get_one(User, hr.people[who])
        user.birth_date = "1980-02-03"
        for column, value in citizen_columns(hr.services.keyring, number).items():
            setattr(user, column, value)
    return number


def typed(sweep: Sweep, person: Someone) -> str:
    """The code that her app shows now: a secret for as long as it is good."""
    return sweep.keep("code of the app", person.code())


def scanned(sweep: Sweep, person: Someone, page: Any) -> None:
    person.app = Authenticator.scan(page.text)
    sweep.keep("key of the app", person.app.secret, ENROLLING)


def on_paper(sweep: Sweep, page: Any) -> list[str]:
    codes = PAPER.findall(page.text)
    assert len(codes) == 10
    for code in codes:
        sweep.keep("recovery code", code, ON_PAPER)
        sweep.keep("recovery code without its last digit", code[:-1], ON_PAPER)
    return codes


def signed_in(sweep: Sweep, person: Someone, where: str = "/portal/profile", **fields: str) -> Any:
    """Password and app, enrolled on the way where she has none."""
    page = person.password(where, **fields)
    if page.status_code == 303:
        return page
    if person.app is None:
        scanned(sweep, person, page)
        sheet = person.type(page, typed(sweep, person))
        person.codes = on_paper(sweep, sheet)
        return person.onward(sheet)
    return person.type(page, typed(sweep, person))


def broken_down(sweep: Sweep, act: Any, ready: Any = lambda: ()) -> None:
    """Let it fail at each of its statements, with all it was given; some end in an error page.
    ``ready`` gives what it is to act with, anew for each.
    """
    before = len(sweep.statuses)
    for nth in range(1, STATEMENTS + 1):
        given = ready()
        with broken(sweep.services, nth):
            act(*given)
    assert {one for one in sweep.statuses[before:] if one >= 500}


# ---- paper, passwords and second factors -----------------------------------------------------------


def test_from_a_slip_to_two_factors_and_back_to_a_slip(
    hr: Hr, sweep: Sweep, ended: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, officer = numbered(hr, sweep, "lan"), Someone(hr, "officer")
    signed_in(sweep, officer, "/console/")
    mine = _by_a_slip(hr, sweep, officer, number)
    lan = Someone(hr, "lan", OUTSIDE)
    _with_a_password(sweep, lan, mine, number, monkeypatch)
    again = _with_an_app(sweep, lan, mine, monkeypatch)
    _her_ways(sweep, again, mine, officer)
    assert sweep.statuses.count(500) >= 3
    assert ended(told=True) == []


def _by_a_slip(hr: Hr, sweep: Sweep, officer: Someone, number: str) -> str:
    """A slip printed, opened, refused and used; the password chosen by it."""
    hr.agree("officer", "lan")
    page = f"/console/people/{hr.people['lan']}"
    slip = shown(officer.client, officer.act(f"{page}/activation", page, password=PASSWORD))
    link = link_on(slip.text)
    code = sweep.keep("slip", link.rpartition("/")[2], ON_A_SLIP)
    sweep.keep("slip without its last digit", code[:-1], ON_A_SLIP)
    sweep.keep("slip in groups", " ".join(re.findall("....", code)), ON_A_SLIP)

    mine = sweep.password("password by slip")
    lan = Someone(hr, "lan", OUTSIDE)
    wrong = sweep.keep("wrong answer", marked())
    assert opened(lan.client, link, wrong).status_code == 422
    assert opened(lan.client, link, number[-4:]).status_code == 200
    short = sweep.keep("refused password", marked()[-10:])
    broken_down(sweep, lambda: opened(lan.client, link, number[-4:]))
    assert chosen(lan.client, link, short, number[-4:]).status_code == 422
    assert chosen(lan.client, link, mine, number[-4:]).status_code == 303
    assert chosen(hr.app.test_client(), link, mine, number[-4:]).status_code == 422
    return mine


def _with_a_password(
    sweep: Sweep, lan: Someone, mine: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong, with the accents in other places, and right where something breaks down."""
    hr, clock = lan.hr, lan.hr.clock
    for given in (sweep.password("wrong password"), "1" + mine, mine + "\ud7ff", number):
        form = open_login(lan.client)
        answer = submit(lan.client, form, username=hr.names["lan"], password=given)
        assert answer.status_code == 422
        clock.advance(minutes=10)
    typed_as_name = sweep.keep("password typed as a name", marked(), r"^POST /login/")  # her field
    as_name = submit(lan.client, open_login(lan.client), username=typed_as_name, password="nothing")
    assert as_name.status_code == 422
    clock.advance(minutes=30)
    for fault in (RuntimeError("broken"), ValueError("broken")):
        with monkeypatch.context() as patch:
            patch.setattr(Password, "check", _raising(fault))
            form = open_login(lan.client)
            answer = submit(lan.client, form, username=hr.names["lan"], password=mine)
            assert answer.status_code == 500
    form = open_login(lan.client)
    with without(hr.services, "password_credential"):
        answer = submit(lan.client, form, username=hr.names["lan"], password=mine)
        assert answer.status_code >= 500
    form = open_login(lan.client)
    fields = hidden_fields(form.text) | {"username": hr.names["lan"], "password": mine}
    del fields["csrf_token"]
    assert lan.client.post(form.request.path, data=fields).status_code == 400
    sent_to = lan.client.post("/no/such/page", data=fields)
    assert sent_to.status_code in (400, 404)
    clock.advance(minutes=30)


def _with_an_app(sweep: Sweep, lan: Someone, mine: str, monkeypatch: pytest.MonkeyPatch) -> Someone:
    """An app enrolled and used, and a code from the sheet."""
    hr, clock = lan.hr, lan.hr.clock
    signed_in(sweep, lan, WAYS, password=sweep.keep("its accent moved", mine.replace("hoà", "hòa")))
    assert lan.session() is not None
    clock.advance(minutes=1)
    again = lan.again()
    page = again.password("/portal/profile", password=mine)
    again.type(page, sweep.keep("wrong code of the app", again.wrong_code()))
    with monkeypatch.context() as patch:
        patch.setattr(Totp, "check", _raising(RuntimeError("broken")))
        assert again.type(page, typed(sweep, again)).status_code == 500
    with without(hr.services, "enrolled_factor"):
        assert again.type(page, typed(sweep, again)).status_code >= 500
    clock.advance(minutes=1)
    again = lan.again()
    page = again.password("/portal/profile", password=mine)
    on = again.client.get(f"{page.request.path}?way=recovery_code")
    hers = r"^POST /login/"  # what was wrong stands in her own field
    wrong_sheet = sweep.keep("wrong recovery code", "1234 5678 9012 3452", hers)
    assert again.type(on, wrong_sheet).status_code == 422
    assert again.type(on, lan.codes[0]).status_code == 303
    return again


def _her_ways(sweep: Sweep, again: Someone, mine: str, officer: Someone) -> None:
    """Another app, another sheet, another password, a loss; what an officer resets."""
    hr = again.hr
    page = again.client.get(f"{WAYS}/app")
    assert page.status_code == 200
    scanned(sweep, again, page)
    answer = submit(again.client, page, f"{WAYS}/app", code=typed(sweep, again), name="Máy")
    assert shown(again.client, answer).status_code in (200, 303)
    sheet = shown(again.client, again.act(f"{WAYS}/codes"))
    on_paper(sweep, sheet)
    new = sweep.password("new password")
    page = again.client.get("/portal/profile")
    change = "/portal/profile/password"
    few = sweep.keep("password too short", marked()[-10:])
    short = {"current": mine, "password": few, "again": few}
    assert submit(again.client, page, change, **short).status_code == 422
    whole = {"current": mine, "password": new, "again": new}
    with without(hr.services, "password_credential"):
        assert submit(again.client, page, change, **whole).status_code >= 500
    submit(again.client, page, change, **whole)
    again.act(f"{WAYS}/{_way(hr, 'lan')}/lost")
    page = f"/console/people/{hr.people['lan']}"
    assert officer.step_up(page).status_code == 200
    for act in ("second-factor", "password"):
        officer.act(
            f"{page}/{act}", page, password=sweep.keep("officer's slip of a finger", marked())
        )
    assert officer.act(f"{page}/second-factor", page, password=PASSWORD).status_code == 303


def _raising(fault: Exception) -> Any:
    def check(*_given: Any, **_more: Any) -> Any:
        raise fault

    return check


def _way(hr: Hr, who: str) -> int:
    with hr.services.db.read() as session:
        rows = session.execute(
            text("SELECT id FROM enrolled_factor WHERE user_id = :u AND ended_at IS NULL"),
            {"u": hr.people[who]},
        )
        return int(rows.first()[0])


def test_with_a_key_and_away_with_a_stranger(hr: Hr, sweep: Sweep, ended: Any, clock: Any) -> None:
    """The challenge and what was signed are good for one page of one sign-in."""
    lan, device = Someone(hr, "lan"), SecurityKey()
    lan.password()
    press(lan.client, lan.client.get(f"{WAYS}/passkey"), device, fields={"name": "Máy"})
    clock.advance(minutes=1)
    stranger = Someone(hr, "lan")
    stranger.password()
    view = stranger.session()
    assert view is not None

    signing = device.get

    def signed(asks: dict[str, Any], **how: Any) -> dict[str, Any]:
        sweep.keep("challenge", asks["challenge"], r"^(GET|POST) /login")
        made = signing(asks, **how)
        for part in ("signature", "clientDataJSON"):
            sweep.keep(part, made["response"][part])
        return made

    device.get = signed  # type: ignore[method-assign]
    for how in ({}, {"challenge": "x" * 43}):
        browser = hr.app.test_client()
        asked = {"return_to": "/portal/profile", "prompt": "login"}
        page = browser.get("/login", query_string=asked, follow_redirects=True)
        answer = press(browser, page, device, **how)
        assert answer.status_code == (422 if how else 303), answer.text
    not_me = "/portal/sessions/not-me"
    page = lan.client.get(not_me, query_string={"session": view.id})
    assert submit(lan.client, page, not_me).status_code == 303
    assert ended(told=True) == []


# ---- applications ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [False, True], ids=["bearer", "dpop"])
def test_codes_tokens_and_secrets_of_an_application(
    hr: Hr, sweep: Sweep, ended: Any, clock: Any, bound: bool
) -> None:
    world = World(hr.services, clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    party = world.register()
    sweep.keep("client secret", party.secret or "")
    sweep.keep("client secret in a header", party.basic["Authorization"].removeprefix("Basic "))
    lan = Someone(hr, "lan")
    lan.password()
    scope = "openid profile offline_access"
    kind = (lambda *a, **k: Holding(*a, **k, clock=clock)) if bound else Flow
    flow = kind(lan.client, party, scope=scope)
    sweep.keep("verifier", flow.verifier)
    code = _code(sweep, flow)
    with without(hr.services, Grant.__tablename__):
        assert flow.redeem(code).status_code >= 500
    code = _code(sweep, flow)
    tokens = _tokens(sweep, flow.redeem(code))
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT}
    assert flow.token(**form, code=_code(sweep, flow)).status_code == 400  # no verifier
    assert flow.redeem(code).status_code == 400
    tokens = _tokens(sweep, flow.redeem(_code(sweep, flow)))
    with without(hr.services, Grant.__tablename__):
        assert flow.refresh(tokens["refresh_token"]).status_code >= 500
        assert flow.userinfo(tokens["access_token"]).status_code >= 400
    newer = _tokens(sweep, flow.refresh(tokens["refresh_token"]))
    assert flow.userinfo(newer["access_token"]).status_code == 200
    for text_ in (*newer.values(), sweep.keep("token nobody gave", marked())):
        flow.post("/oauth2/introspect", {"token": text_})
    flow.refresh(tokens["refresh_token"])  # a second time
    flow.post("/oauth2/revoke", {"token": newer["access_token"]})
    assert flow.userinfo(newer["access_token"]).status_code == 401
    wrong = Flow(lan.client, world.register("Khác"), scope=scope)
    guess = sweep.keep("guessed secret", marked())
    assert (
        lan.client.post(
            "/oauth2/token",
            data={"client_id": wrong.party.client_id, "client_secret": guess, "code": code}
            | {"grant_type": "authorization_code", "redirect_uri": REDIRECT},
        ).status_code
        == 401
    )
    lan.client.get("/oauth2/logout", query_string={"id_token_hint": tokens["id_token"] + "x"})
    assert ended() == []


def _code(sweep: Sweep, flow: Any) -> str:
    return sweep.keep("authorization code", flow.code(), AT_THE_CLIENT)


def _tokens(sweep: Sweep, answer: Any) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    names = ("access_token", "refresh_token", "id_token")
    told = {name: answer.get_json()[name] for name in names}
    # The hint of a sign-out stands in her own address, and the switch of languages leads back to it.
    shown = {"id_token": f"{AT_TOKEN}|^GET /oauth2/logout$"}
    return {
        name: sweep.keep(name, value, shown.get(name, AT_TOKEN)) for name, value in told.items()
    }


def test_a_client_secret_is_shown_once_and_once_more_when_changed(
    hr: Hr, sweep: Sweep, ended: Any
) -> None:
    owner = Someone(hr, "owner")
    signed_in(sweep, owner, "/console/")
    once = r"^GET /shown/"
    form = {"name": "Văn bản", "use": "flask", "redirect_uris": REDIRECT}
    form["application_id"] = str(application(hr, "vanban"))
    page = send(owner.client, "/console/clients/new", **form)
    sweep.keep("client secret", unescape(SECRET.findall(page.text)[0]), once)
    party = made(hr)
    sweep.keep("client secret", party.secret or "")
    at = f"/console/clients/{party.client_id}"
    fields = hidden_fields(owner.client.get(at).text) | {"password": PASSWORD}
    broken_down(sweep, lambda: owner.client.post(f"{at}/rotate", data=fields))
    page = send(owner.client, at, f"{at}/rotate")
    sweep.keep("client secret", unescape(SECRET.findall(page.text)[0]), once)
    send(owner.client, at, f"{at}/retire")
    assert ended() == []


def test_a_citizen_number_in_a_change(hr: Hr, sweep: Sweep, ended: Any) -> None:
    old, new = numbered(hr, sweep, "lan"), sweep.keep("new number", "038180775533")
    held = numbered(hr, sweep, "hien")
    hr.grant("admin", Role.HR_OFFICER)
    token = sweep.keep("token", hr.token(), AT_TOKEN)
    api = hr.api(token)
    wish = {"kind": "number", "user": hr.names["lan"]}
    preview = "/api/v1/changes/preview"
    odd = sweep.keep("odd number", "03818077" + marked())
    for number in (odd, new + "1", held, old):
        body = wish | {"citizen_number": number}
        api.post(preview, body)
        api.post("/api/v1/changes", body | {"fingerprint": "x" * 64}, key=secrets.token_hex(8))
        api.post("/api/v1/changes", wish | {number: "name"}, key=secrets.token_hex(8))
    body = wish | {"citizen_number": new}
    broken_down(sweep, lambda: api.post(preview, body))
    sent = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    broken_down(sweep, lambda: api.post("/api/v1/proposals", sent, key=secrets.token_hex(8)))
    answer = api.post("/api/v1/proposals", sent, key=secrets.token_hex(8))
    assert answer.status_code in (201, 409), answer.text
    admin = Someone(hr, "admin")
    signed_in(sweep, admin, "/console/")
    for path in ("", "/number", "/history"):
        admin.client.get(f"/console/people/{hr.people['lan']}{path}")
    admin.client.get("/console/proposals")
    admin.client.get("/console/people", query_string={"q": "lan"})
    assert ended() == []


# ---- vouched for elsewhere ---------------------------------------------------------------------------


class Telling(Upstream):
    """Keeps all that passes between it and us."""

    sweep: Any = None

    def authorize(self, location: str, **said: str | None) -> str:
        query = super().authorize(location, **said)
        back = parse_qs(query)
        self.sweep.keep("code of the upstream", back["code"][0].replace(" ", "+"))
        for name in ("state", "nonce"):
            if name in self.asked:
                leaving = r"^POST /login/"
                self.sweep.keep(f"{name} for the upstream", self.asked[name], leaving)
        return query

    def _token(self, said: dict[str, Any]) -> Any:
        form = parse_qs(said["content"].decode())
        if "code_verifier" in form:
            self.sweep.keep("verifier for the upstream", form["code_verifier"][0])
        return super()._token(said)

    def _id_token(self, asked: dict[str, str], code: str) -> str:
        return str(self.sweep.keep("token of the upstream", super()._id_token(asked, code)))


@pytest.mark.parametrize("profile", ["standard", "dvcqg", "vneid2026"])
def test_an_identity_that_an_upstream_vouches_for(
    services: Any,
    clock: Any,
    sweep: Sweep,
    ended: Any,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
) -> None:
    number = sweep.keep("citizen number", "038180553311")
    secret = sweep.keep("secret of ours at the upstream", f"bí mật {marked()}")
    for module in (upstream, eid_world):
        monkeypatch.setattr(module, "SECRET", secret)
        monkeypatch.setattr(module, "NUMBER", number)
    token = sweep.keep("access token of the upstream", f"the-vao-{marked()}")
    monkeypatch.setattr(upstream, "TOKEN", token)
    monkeypatch.setattr(eid_world, "Upstream", Telling)
    monkeypatch.setattr(Telling, "sweep", sweep)
    eid = eid_world.build(services, clock, sweep.app, profile)
    eid.at.number = number
    eid.at.subject = sweep.keep("subject", f"subject-{marked()}")
    browser = eid.browser()
    eid.link(browser)
    assert eid.session_of() is not None
    for path in ("/portal/profile", WAYS):
        browser.get(path)
    eid.visit(eid.browser())

    # What is refused, what is not understood, what breaks down.
    other = sweep.keep("number of nobody here", "038180998877")
    eid.at.number = other
    assert eid.visit(eid.browser()).status_code == 422
    eid.at.number = number
    for stage in ("token", "userinfo"):
        rubbish = sweep.keep("rubbish of the upstream", marked())
        eid.at.raw[stage] = f'{{"id_token": "{rubbish}", "citizen_id": "{number}"'.encode()
        eid.visit(eid.browser())
        eid.at.raw.clear()
        eid.at.status[stage] = 500
        eid.visit(eid.browser())
        eid.at.status.clear()
        eid.at.twist[stage] = lambda said: (
            said | {"citizen_id": [number], "SoDinhDanh": {number: 1}}
        )
        eid.visit(eid.browser())
        eid.at.twist.clear()
    guess = sweep.keep("code nobody gave", marked())
    eid.back(eid.browser(), f"code={guess}&state={marked()}")

    def away() -> tuple[Any, str]:
        browser = eid.browser()
        return browser, eid.at.authorize(eid.leave(browser))

    broken_down(sweep, eid.back, away)
    with monkeypatch.context() as patch:
        patch.setattr(eid.at, "request", _raising(RuntimeError("broken")))
        browser = eid.browser()
        eid.back(browser, eid.at.authorize(eid.leave(browser)))
    assert 500 in sweep.statuses
    assert ended() == []


# ---- the search itself -------------------------------------------------------------------------------

SECRET_TEXTS = ("lan 1234 5678 9012 3452", 'hoà "canary" & <quê> mình', "nQ7-_x+/canaryZ9==")


def spelled(secret: str) -> Iterator[str]:
    yield from (secret, secret.replace(" ", ""), quote(secret), quote_plus(secret), escape(secret))
    yield from (json.dumps({"given": secret}), repr({"given": secret.encode().hex()}))
    yield normalize("NFD", secret)
    for before in ("", "a", "ab"):
        longer = f"{before}{secret}:x".encode()
        yield base64.b64encode(longer).decode()
        yield base64.urlsafe_b64encode(longer).decode().rstrip("=")


def in_database(sweep: Sweep, said: str) -> None:
    with sweep.services.db.write() as session:
        session.execute(text("UPDATE org_unit SET name = :said"), {"said": said})


def in_log(_sweep: Sweep, said: str) -> None:
    structlog.get_logger("canary").error("request failed", exc_info=ValueError(said))


def in_letter(sweep: Sweep, said: str) -> None:
    letter = f"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n{said}\n"
    (sweep.services.settings.mail_drop / "1").write_text(letter, "utf-8")


def in_answer(sweep: Sweep, said: str) -> None:
    sweep.app.test_client().get("/login/nothing", query_string={"x": "y"})
    sweep.answers.append(Answer("GET /login/nothing", f"<p>{escape(said)}</p>"))


@pytest.mark.parametrize("secret", SECRET_TEXTS)
def test_a_secret_is_known_in_each_spelling(sweep: Sweep, secret: str) -> None:
    sweep.keep("planted", secret)
    [planted] = sweep.kept.values()
    for said in spelled(secret):
        assert planted.within(f"<p>{said}</p>"), said
    assert not planted.within(secret[:-3])


@pytest.mark.parametrize("plant", [in_database, in_log, in_letter, in_answer])
def test_what_is_planted_is_found(hr: Hr, sweep: Sweep, ended: Any, plant: Any) -> None:
    for secret in SECRET_TEXTS:
        sweep.keep(secret, secret)
    sweep.keep("code", "073519")
    assert ended() == []
    for secret in (*SECRET_TEXTS, "x 073519."):
        plant(sweep, secret)
        named = "code" if secret not in SECRET_TEXTS else secret
        assert named in {name for name, _ in ended()}
