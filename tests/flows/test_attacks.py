"""Attacks that must come to nothing: each names its source, its answer, and leaves every row alone.

Beside this table: the authorization and token endpoints in test_refusals_change_nothing.py, the
changes API in tests/integration/test_changes_api_refusals.py, feeds in test_feed_refusals.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from directory.base import signed_values
from directory.permissions import Role
from idp import sessions
from idp.sessions import SsoSession
from tests import hr_world
from tests.bent import bent
from tests.browser_client import hidden_fields, open_login
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import link_on, opened

EVIL = "https://evil.example"
STAYS = {"idempotency", "throttle"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@dataclass
class Scene:
    """The world, the attacker's browser and what she has got hold of."""

    hr: Hr
    browser: FlaskClient
    held: dict[str, Any] = field(default_factory=dict)

    def get(self, path: str, **options: Any) -> Any:
        """A GET by the attacker's browser."""
        return self.browser.get(path.format(**self.hr.people, **self.held), **options)

    def post(self, path: str, **form: Any) -> Any:
        """A form with a form token of her own and her own password."""
        token = hidden_fields(self.get("/portal/profile").text).get("csrf_token", "")
        target = path.format(**self.hr.people, **self.held)
        return self.browser.post(target, data={"csrf_token": token, "password": PASSWORD} | form)

    def bare(self, path: str, *, headers: dict[str, str] | None = None, **form: Any) -> Any:
        """A form as another site would make the browser send it."""
        target = path.format(**self.hr.people, **self.held)
        return self.browser.post(target, data=form, headers=headers or {})


Send = Callable[[Scene], Any]


@dataclass(frozen=True)
class Attack:
    """What somebody tries, and the status it is answered."""

    id: str
    source: str
    who: str | None
    send: Send
    status: int
    prepare: Callable[[Scene], Any] = lambda scene: None


def get(path: str, **options: Any) -> Send:
    return lambda scene: scene.get(path, **options)


def post(path: str, **form: Any) -> Send:
    return lambda scene: scene.post(path, **form)


def cross_site(path: str, **form: Any) -> Send:
    """The browser sends its cookies, but nobody gave it a form token."""
    return lambda scene: scene.bare(path, **form)


def other_origin(path: str, **form: Any) -> Send:
    """With a form token that leaked, from another origin."""

    def send(scene: Scene) -> Any:
        token = hidden_fields(scene.get("/portal/profile").text)["csrf_token"]
        return scene.bare(path, headers={"Origin": EVIL}, csrf_token=token, **form)

    return send


def cookie(value: Callable[[Scene], str]) -> Send:
    """Somebody without a session presents a cookie of her own making."""

    def send(scene: Scene) -> Any:
        scene.browser.set_cookie("dinhdanh", value(scene), domain="localhost")
        return scene.get("/session/status")

    return send


def lan_signs_in(scene: Scene) -> None:
    scene.hr.browser("lan")
    hers = select(SsoSession.id).where(SsoSession.user_id == scene.hr.people["lan"])
    with scene.hr.services.db.read() as session:
        scene.held["session"] = session.scalars(hers).one()


def with_a_post(who: str) -> Callable[[Scene], None]:
    return lambda scene: scene.hr.also(who, "room")


def lan_is_at_the_password(scene: Scene) -> None:
    scene.held["flow"] = open_login(scene.hr.app.test_client()).request.path


def a_suspension(scene: Scene) -> None:
    made = scene.hr.api(scene.hr.token()).commit(kind="suspend", user=scene.hr.names["mai"])
    scene.held["change"] = made.json["id"]


def sealed(purpose: str, body: str) -> Callable[[Scene], str]:
    """What we ourselves have sealed, for another purpose."""
    return lambda scene: signed_values.seal(
        scene.hr.services.keyring, purpose, body.format(**scene.held)
    )


def with_another_mac(scene: Scene) -> str:
    return bent(sessions.handle(scene.hr.services.keyring, scene.held["session"], 1), -1)


def transfer(**fields: str) -> dict[str, str]:
    return {
        "decision": "allow",
        "to_unit": "gso:14758",
        "fingerprint": "0" * 64,
        "key": "k",
    } | fields


def api(path: str) -> Send:
    """A client with a token of its own; the token is made before the dump."""
    return lambda scene: scene.held["api"].get(path.format(**scene.held))


def client_of(role: Role | None, unit: str | None) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        a_suspension(scene)
        scene.held["api"] = scene.hr.api(scene.hr.token(role, unit))

    return prepare


def a_slip(scene: Scene) -> None:
    scene.hr.agree("officer", "lan")
    office = Scene(scene.hr, scene.hr.browser("officer"))
    made = office.post(f"/console/people/{scene.hr.people['lan']}/activation")
    page = office.browser.get(made.headers["Location"])  # shown once, at an address of its own
    code = link_on(page.text).rpartition("/")[2]
    scene.held["slip"] = code
    scene.held["opened"] = opened(scene.browser, f"/activate/{code}").request.path.rpartition("/")[
        2
    ]


ATTACKS = [
    # ---- what a browser may be made to send ----
    Attack("log out by another site", "CWE-352", "lan", cross_site("/logout"), 400),
    Attack(
        "end a session, no token",
        "CWE-352",
        "lan",
        cross_site("/portal/sessions/end", session="others"),
        400,
    ),
    Attack(
        "switch capacity, no token",
        "CWE-352",
        "lan",
        cross_site("/portal/capacity", assignment="1"),
        400,
    ),
    Attack(
        "change password, no token",
        "CWE-352",
        "lan",
        cross_site("/portal/profile/password", password="x"),
        400,
    ),
    Attack(
        "ask for a certificate, no token",
        "CWE-352",
        "lan",
        cross_site("/portal/certificates/request"),
        400,
    ),
    Attack(
        "commit, no token",
        "CWE-352",
        "officer",
        cross_site("/console/people/{lan}/suspend", decision="allow"),
        400,
    ),
    Attack(
        "consent, no token", "CWE-352", "lan", cross_site("/oauth2/consent", decision="allow"), 400
    ),
    Attack(
        "commit from another origin",
        "OWASP CSRF, Origin",
        "officer",
        other_origin("/console/people/{lan}/suspend", decision="allow"),
        403,
    ),
    Attack(
        "origin null",
        "OWASP CSRF, Origin",
        "lan",
        lambda s: s.bare("/logout", headers={"Origin": "null"}),
        403,
    ),
    # ---- hosts and addresses ----
    Attack("another host", "CWE-644", None, get("/login", headers={"Host": "evil.example"}), 421),
    Attack(
        "our host and another port",
        "CWE-644",
        None,
        get("/login", headers={"Host": "localhost:1"}),
        421,
    ),
    Attack(
        "metrics through a proxy",
        "CWE-497",
        None,
        get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}),
        404,
    ),
    # ---- cookies ----
    Attack("a made-up cookie", "CWE-565", None, cookie(lambda s: "x" * 22 + ".1." + "A" * 22), 401),
    Attack(
        "a cookie with a bent MAC", "CWE-345", None, cookie(with_another_mac), 401, lan_signs_in
    ),
    Attack(
        "a generation to come",
        "CWE-384",
        None,
        cookie(sealed("session", "{session}.2")),
        401,
        lan_signs_in,
    ),
    Attack(
        "sealed for the browser id",
        "CWE-345",
        None,
        cookie(sealed("browser", "{session}.1")),
        401,
        lan_signs_in,
    ),
    Attack(
        "sealed for the console",
        "CWE-345",
        None,
        cookie(sealed("console", "{session}.1")),
        401,
        lan_signs_in,
    ),
    # ---- signing in ----
    Attack(
        "open another browser's sign-in",
        "CWE-384",
        None,
        get("{flow}"),
        404,
        lan_is_at_the_password,
    ),
    Attack(
        "a slip nobody printed", "CWE-640", "mai", post("/activate", code="1234567890123452"), 422
    ),
    Attack(
        "a weak password by slip",
        "NIST SP 800-63B 5.1.1.2",
        "mai",
        post("/activate/at/{opened}", password="matkhau123456789", again="matkhau123456789"),
        422,
        a_slip,
    ),
    # ---- other people's things in the portal ----
    Attack(
        "act in another's post",
        "CWE-639",
        "lan",
        lambda s: s.post("/portal/capacity", assignment=str(s.hr.posts["mai"])),
        422,
    ),
    Attack(
        "end another's session",
        "CWE-639",
        "mai",
        lambda s: s.post("/portal/sessions/end", session=s.held["session"]),
        303,
        lan_signs_in,
    ),
    Attack(
        "a certificate nobody has", "CWE-639", "mai", get("/portal/certificates/{lan}.pem"), 404
    ),
    Attack(
        "a certificate request that is none",
        "RFC 2986",
        "lan",
        post(
            "/portal/certificates",
            csr="-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        ),
        422,
    ),
    # ---- the console: sideways ----
    Attack("a person outside", "CWE-639", "officer_a", get("/console/people/{mai}"), 404),
    Attack(
        "the form of a person outside",
        "CWE-639",
        "officer_a",
        get("/console/people/{mai}/transfer"),
        404,
    ),
    Attack(
        "preview for a person outside",
        "CWE-639",
        "officer_a",
        get("/console/people/{mai}/leave?step=preview&reason=retire"),
        404,
    ),
    Attack(
        "a slip for a person outside",
        "CWE-639",
        "officer_a",
        post("/console/people/{mai}/activation"),
        404,
    ),
    Attack(
        "a change outside",
        "CWE-639",
        "officer_a",
        get("/console/changes/{change}"),
        404,
        a_suspension,
    ),
    Attack(
        "undo a change outside",
        "CWE-639",
        "officer_a",
        get("/console/changes/{change}/undo"),
        404,
        a_suspension,
    ),
    Attack(
        "a slip for herself",
        "separation of duties",
        "officer",
        post("/console/people/{officer}/activation"),
        403,
        with_a_post("officer"),
    ),
    Attack(
        "a slip for an administrator",
        "CWE-269",
        "officer",
        post("/console/people/{admin}/activation"),
        403,
        with_a_post("admin"),
    ),
    # ---- the console: upwards ----
    Attack("no role at all", "CWE-862", "plain", get("/console/"), 403),
    Attack("an owner among people", "CWE-862", "owner", get("/console/people"), 403),
    Attack("an owner at the export", "CWE-862", "owner", get("/console/people.csv"), 403),
    Attack("an owner at a person", "CWE-862", "owner", get("/console/people/{lan}"), 404),
    Attack("an owner at the audit", "CWE-862", "owner", get("/console/audit"), 403),
    Attack("an officer at applications", "CWE-862", "officer", get("/console/applications"), 403),
    Attack(
        "an officer at an application", "CWE-862", "officer", get("/console/applications/1"), 404
    ),
    Attack("an officer at clients", "CWE-862", "officer", get("/console/clients/new"), 403),
    Attack("an officer at jobs", "CWE-862", "officer", get("/console/jobs"), 403),
    Attack("an officer retries a job", "CWE-862", "officer", post("/console/jobs/1/retry"), 403),
    Attack(
        "an auditor prints a slip",
        "CWE-862",
        "auditor",
        post("/console/people/{lan}/activation"),
        403,
    ),
    Attack(
        "an owner at the probe's client",
        "CWE-639",
        "owner",
        get("/console/clients/dinhdanh-probe"),
        404,
    ),
    # ---- the changes API ----
    Attack(
        "a change without a role",
        "CWE-862",
        None,
        api("/api/v1/changes/{change}"),
        404,
        client_of(None, None),
    ),
    Attack(
        "a change of another subtree",
        "CWE-639",
        None,
        api("/api/v1/changes/{change}"),
        404,
        client_of(Role.HR_OFFICER, "a"),
    ),
    Attack(
        "a page mark made up",
        "CWE-20",
        None,
        api("/api/v1/changes?after=AAAA"),
        422,
        client_of(Role.HR_OFFICER, "root"),
    ),
    # ---- pages that do not exist ----
    Attack("out of the static folder", "CWE-22", None, get("/static/../app.py"), 404),
    Attack("out of it, encoded", "CWE-22", None, get("/static/%2e%2e/app.py"), 404),
    Attack(
        "a number no row has", "CWE-190", "admin", get("/console/people/9223372036854775808"), 404
    ),
    Attack("TRACE", "CWE-693", None, lambda s: s.browser.open("/login", method="TRACE"), 405),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_an_attack_comes_to_nothing(hr: Hr, attack: Attack) -> None:
    browser = hr.browser(attack.who) if attack.who else hr.app.test_client()
    scene = Scene(hr, browser)
    attack.prepare(scene)
    before = hr.dump()
    answer = attack.send(scene)
    assert answer.status_code == attack.status, answer.text
    after = hr.dump()
    # Proving her own password again is counted and forgotten; nothing else may differ.
    assert {t: r for t, r in after.items() if t not in STAYS} == {
        t: r for t, r in before.items() if t not in STAYS
    }
    assert "Traceback" not in answer.text
    assert EVIL not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        " /evil.example",
        "evil.example",
        "/%0d%0aX:1\r\n",
    ],
)
def test_nobody_is_sent_elsewhere(hr: Hr, target: str) -> None:
    """CWE-601: every parameter that names where to go next."""
    browser = hr.browser("lan")
    for path, name in (("/login", "return_to"), ("/lang/en", "next")):
        answer = browser.get(path, query_string={name: target})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_what_people_write_is_never_markup(hr: Hr) -> None:
    """CWE-79: decision fields, the browser's name, search words; CSP forbids inline script too."""
    mark = "<script>alert(1)</script>"
    lan = hr.app.test_client()
    lan.environ_base["HTTP_USER_AGENT"] = mark
    hr_world.sign_in(lan, hr.names["lan"], PASSWORD)
    decision = {"number": mark, "issued_on": "2026-03-01", "issuer": '"><img src=x>'}
    done = hr.api(hr.token()).commit(kind="suspend", user=hr.names["hien"], decision=decision).json
    officer = hr.browser("admin")
    pages = [
        lan.get("/portal/sessions"),
        officer.get(f"/console/changes/{done['id']}"),
        officer.get("/console/audit"),
        officer.get("/console/people", query_string={"q": mark}),
        officer.get("/console/units", query_string={"q": mark, "on": mark}),
        officer.get(f"/console/people/{hr.people['lan']}/transfer", query_string={"number": mark}),
    ]
    for page in pages:
        assert "<script>alert" not in page.text, page.request.path
        assert "<img src=x" not in page.text, page.request.path
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_a_console_commit_needs_the_password_of_this_very_session(hr: Hr) -> None:
    """CWE-306: the cookie of one session's confirmation is worth nothing in another."""
    first = hr.browser("officer")
    page = hr.preview(first, "lan", "suspend")
    assert hr.confirm(first, page).status_code == 303
    second = hr.browser("officer")
    stolen = first.get_cookie("dinhdanh-console", domain="localhost")
    assert stolen is not None
    second.set_cookie("dinhdanh-console", stolen.value, domain="localhost")
    before = hr.dump()
    page = hr.preview(second, "hien", "suspend")
    assert hr.confirm(second, page, password="").status_code == 422
    assert hr.dump() == before


def test_a_fingerprint_of_one_person_does_not_commit_another(hr: Hr) -> None:
    """CWE-294: what was previewed is what is committed, by whoever previewed it."""
    mine, theirs = hr.api(hr.token()), hr.api(hr.token(unit="a"))
    plan = mine.plan(kind="suspend", user=hr.names["lan"])
    before = hr.dump()
    for api_, user in ((mine, "hien"), (theirs, "lan")):
        body = {"kind": "suspend", "user": hr.names[user], "fingerprint": plan["fingerprint"]}
        assert api_.post("/api/v1/changes", body, key="k").json["code"] == "plan_stale"
    assert hr.dump() == before


def test_secrets_stay_out_of_the_log(
    hr: Hr, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-532: also when something breaks while a slip is used."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("hỏng")

    scene = Scene(hr, hr.browser("mai"))
    a_slip(scene)
    hr.app.testing = False
    monkeypatch.setattr("idp.factors.slip_use.opened", broken)
    assert scene.get("/activate/{slip}").status_code == 303
    assert scene.post("/activate", code=scene.held["slip"]).status_code == 500
    assert "request failed" in caplog.text
    assert scene.held["slip"] not in caplog.text
    assert PASSWORD not in caplog.text


def test_logout_tokens_go_to_no_inside_address(hr: Hr) -> None:
    """CWE-918: a registered logout address is judged when it is called, by what it resolves to."""
    from connectors import delivery
    from connectors.errors import Misconfigured
    from connectors.outbound import Outbound

    inside = {"rebind.example": ["8.8.8.8", "127.0.0.1"], "meta.example": ["169.254.169.254"]}
    outbound = Outbound(hr.services.settings, resolve=lambda host, _port: inside[host])
    try:
        for host in (*inside, "127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "[fec0::1]", "10.1.2.3"):
            with pytest.raises(Misconfigured):
                delivery.deliver(outbound, f"https://{host}/logout", "token")
        for url in ("file:///etc/passwd", "gopher://x/", "https://user:pw@8.8.8.8/"):
            with pytest.raises(Misconfigured):
                delivery.deliver(outbound, url, "token")
    finally:
        outbound.close()


def test_every_attack_says_where_it_is_described() -> None:
    assert all(attack.source for attack in ATTACKS)
    assert len({attack.id for attack in ATTACKS}) == len(ATTACKS) >= 40
