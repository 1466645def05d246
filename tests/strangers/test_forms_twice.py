"""A form sent twice acts once, and what is shown once survives a reload by the same browser.

Every address of a page that takes a form has its case here: one that is added without fails.
"""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from directory.permissions import Role
from idp import sessions
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields, open_login, sign_in
from tests.eid_world import hold
from tests.flows.test_console_clients import silent
from tests.hierarchy import SITE, House, believe, crl, escaped, shown_there, way_back
from tests.hr_world import OPERATOR, PASSWORD, Hr, text_of
from tests.paper_slips import CODE, link_on, opened
from tests.security_key import Offered, SecurityKey
from tests.someone import Someone

NEW = "con trâu đội nón lá"
SECRET = re.compile(r'id="client-secret">([^<]+)<')


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@dataclass
class Form:
    """A form as a browser holds it."""

    browser: FlaskClient
    action: str
    data: dict[str, Any] = field(default_factory=dict)

    def send(self, **more: Any) -> Any:
        return self.browser.post(self.action, data=self.data | more)


def filled(browser: FlaskClient, page: str, action: str = "", **fields: Any) -> Form:
    shown = browser.get(page, follow_redirects=True)
    return Form(browser, action or shown.request.path, hidden_fields(shown.text) | fields)


def admin(hr: Hr, page: str, action: str = "", **fields: Any) -> Form:
    return filled(hr.browser("admin"), page, action, password=PASSWORD, **fields)


def person(hr: Hr, who: str, action: str = "") -> Form:
    page = f"/console/people/{hr.people[who]}"
    return admin(hr, page, page + action)


def client(hr: Hr) -> str:
    from idp.oidc.clients import Registration, register

    with hr.services.db.write() as session:
        made, _ = register(
            session,
            Registration(name="Văn bản", redirect_uris=("https://vanban.example/cb",)),
            keyring=hr.services.keyring,
            actor=OPERATOR,
            now=hr.clock(),
        )
        return str(made.client_id)


def of_client(hr: Hr, action: str, **fields: Any) -> Form:
    page = f"/console/clients/{client(hr)}"
    return admin(hr, page, f"{page}/{action}", **fields)


def job(hr: Hr) -> int:
    from directory.base.outbox import JobKind, enqueue

    with hr.services.db.write() as session:
        made = enqueue(session, JobKind.ACCOUNT_APPLY, "1:1", now=hr.clock())
        session.execute(text("UPDATE job SET state = 'parked', reason = 'away'"))
        return int(made)


def logout_again(hr: Hr) -> Form:
    silent(hr)
    with hr.services.db.read() as session:
        parked = session.scalar(text("SELECT min(id) FROM job WHERE kind = 'logout.deliver'"))
    return admin(hr, "/console/logouts", f"/console/logouts/{parked}/retry")


def logouts_again(hr: Hr) -> Form:
    party = silent(hr)
    return admin(hr, "/console/logouts", f"/console/clients/{party.client_id}/logouts/retry")


def password_form(hr: Hr) -> Form:
    return filled(hr.app.test_client(), "/login", username=hr.names["lan"], password=PASSWORD)


def slip_print(hr: Hr) -> Form:
    hr.agree("admin", "lan")
    return person(hr, "lan", "/activation")


def unit_slips(hr: Hr) -> Form:
    hr.unactivated("lan")
    return admin(hr, f"/console/units/{hr.units['a']}/slips", user=[str(hr.people["lan"])])


def slip_form(hr: Hr) -> Form:
    shown = slip_print(hr)
    page = shown.browser.post(shown.action, data=shown.data, follow_redirects=True)
    browser = hr.app.test_client()
    at = opened(browser, link_on(page.text)).request.path
    return filled(browser, at, password=NEW, again=NEW)


def slip_code(hr: Hr) -> Form:
    shown = slip_print(hr)
    page = shown.browser.post(shown.action, data=shown.data, follow_redirects=True)
    code = link_on(page.text).rpartition("/")[2]
    return filled(hr.app.test_client(), "/activate", code=code)


def other_session(hr: Hr) -> Form:
    hr.browser("lan")
    return filled(hr.browser("lan"), "/portal/sessions", "/portal/sessions/end", session="others")


def not_me(hr: Hr) -> Form:
    there = living(hr)
    return filled(hr.browser("lan"), f"/portal/sessions/not-me?session={there}")


def living(hr: Hr) -> str:
    """Another session of hers."""
    hr.browser("lan")
    with hr.services.db.read() as session:
        return sessions.living(session, [hr.people["lan"]], now=hr.clock())[-1].id


def consent(hr: Hr) -> Form:
    code = client(hr)
    return filled(hr.browser("lan"), "/portal/profile", f"/portal/consents/{code}/revoke")


def capacity(hr: Hr) -> Form:
    hr.also("lan", "b")
    browser = hr.browser("lan", assignment=hr.posts["lan"])
    with hr.services.db.read() as session:
        other = session.scalar(
            text("SELECT max(id) FROM assignment WHERE user_id = :u"), {"u": hr.people["lan"]}
        )
    return filled(browser, "/portal/capacity", assignment=str(other))


def request_certificate(hr: Hr) -> Form:
    page = "/portal/certificates"
    return filled(hr.browser("lan"), page, f"{page}/request")


def csr(hr: Hr) -> Form:
    form = request_certificate(hr)
    form.send()
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    return filled(form.browser, "/portal/certificates", csr=made)


def password_change(hr: Hr) -> Form:
    return filled(
        hr.browser("lan"),
        "/portal/profile",
        "/portal/profile/password",
        current=PASSWORD,
        password=NEW,
        again=NEW,
    )


def change(hr: Hr) -> Form:
    page = f"/console/people/{hr.people['lan']}/suspend?step=preview"
    return admin(hr, page, decision="allow")


def approved(hr: Hr) -> Form:
    hr.grant("lan", Role.AUDITOR)
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "suspend")
    where = hr.confirm(officer, page, decision="propose").headers["Location"]
    return admin(hr, where, decision="approve")


def joined(hr: Hr) -> Form:
    page = "/console/people/new"
    form = admin(
        hr,
        page,
        step="preview",
        to_unit=str(hr.units["a"]),
        position="CV",
        **{"person.full_name": "Trịnh Thị Hạnh"},
    )
    shown = form.browser.post(page, data=form.data, follow_redirects=True)
    data = hidden_fields(shown.text) | {"decision": "allow", "password": PASSWORD}
    return Form(form.browser, page, data)


def of_unit(hr: Hr) -> Form:
    page = f"/console/units/{hr.units['room']}/unit.rename"
    shown = hr.browser("admin").get(
        page, query_string={"step": "preview", "name": "Phòng Tài chính"}
    )
    return admin(hr, shown.request.full_path, page, name="Phòng Tài chính", decision="allow")


def undo(hr: Hr) -> Form:
    done = change(hr).send().headers["Location"]
    return admin(hr, f"{done}/undo", decision="allow")


def rule(hr: Hr) -> Form:
    with hr.services.db.read() as session:
        found = session.scalar(text("SELECT id FROM application WHERE code = 'vanban'"))
    page = f"/console/applications/{found}"
    return admin(hr, page, f"{page}/rules", role="can_bo", unit_kind="commune")


def no_rule(hr: Hr) -> Form:
    form = rule(hr)
    form.send()
    with hr.services.db.read() as session:
        made = session.scalar(text("SELECT max(id) FROM entitlement_rule"))
    page = form.action.removesuffix("/rules")
    return admin(hr, page, f"/console/rules/{made}/remove")


def registration(hr: Hr) -> Form:
    return admin(
        hr,
        "/console/clients/new",
        name="Một cửa",
        use="flask",
        redirect_uris="https://motcua.example/cb",
        scopes=["openid"],
    )


def saved(hr: Hr) -> Form:
    page = f"/console/clients/{client(hr)}/edit"
    return admin(
        hr, page, name="Tên mới", redirect_uris="https://vanban.example/cb", scopes=["openid"]
    )


def retired(hr: Hr) -> Form:
    form = of_client(hr, "rotate")
    form.send()
    page = form.action.removesuffix("/rotate")
    return admin(hr, page, f"{page}/retire")


def enabled(hr: Hr) -> Form:
    form = of_client(hr, "disable")
    form.send()
    page = form.action.removesuffix("/disable")
    return admin(hr, page, f"{page}/enable")


def lock(hr: Hr) -> Form:
    for _ in range(5):
        page = open_login(browser := hr.app.test_client())
        data = hidden_fields(page.text) | {"username": hr.names["lan"], "password": "sai"}
        browser.post(page.request.path, data=data)
    return person(hr, "lan", "/unlock")


def restored(hr: Hr) -> Form:
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE installation SET unconfirmed_since = :t"),
            {"t": "2026-03-02 02:00:00.000000"},
        )
    return admin(hr, "/console/restored", reference="Công văn 45/SNV")


def by_hand(hr: Hr, action: str, **fields: Any) -> Form:
    from idp.run.performing import drain

    with hr.services.db.write() as session:
        session.execute(text("UPDATE application SET connector = 'manual' WHERE code = 'vanban'"))
    with hr.services.db.read() as session:
        found = session.scalar(text("SELECT id FROM application WHERE code = 'vanban'"))
    page = f"/console/applications/{found}"
    admin(hr, page, f"{page}/rules", role="can_bo", unit_kind="commune").send()
    drain(hr.services)
    with hr.services.db.read() as session:
        item = session.execute(text("SELECT id, digest FROM work_item LIMIT 1")).one()
    if action == "all":
        ticked = f"{item.id}:{item.digest}"
        return admin(hr, "/console/work-items", "/console/work-items/done", item=ticked)
    where = f"/console/work-items/{item.id}/{action}"
    return admin(hr, "/console/work-items", where, digest=item.digest, **fields)


def app_of_hers(hr: Hr) -> Form:
    hr.services.settings.second_factor = "everybody"
    browser = hr.app.test_client()
    page = open_login(browser, "/portal/profile")
    typed = hidden_fields(page.text) | {"username": hr.names["lan"], "password": PASSWORD}
    where = browser.post(page.request.path, data=typed).headers["Location"]
    code = Authenticator.scan(browser.get(where).text).code(hr.clock())
    return filled(browser, where, f"{where}/enrol", code=code)


def of_my_ways(hr: Hr, action: str, **fields: Any) -> Form:
    """Somebody signed in with two factors; in ``action`` the number of her app."""
    hr.services.settings.second_factor = "everybody"
    admin = Someone(hr, "admin")
    admin.whole()
    hr.clock.advance(minutes=1)
    with hr.services.db.read() as session:
        app = session.scalar(text("SELECT id FROM enrolled_factor WHERE kind = 'totp'"))
    return filled(admin.client, "/portal/ways", f"/portal/ways/{action.format(app)}", **fields)


def one_more_app(hr: Hr) -> Form:
    form = of_my_ways(hr, "app")
    code = Authenticator.scan(form.browser.get(form.action).text).code(hr.clock())
    return filled(form.browser, form.action, code=code, name="Máy thứ hai")


def passkey(hr: Hr) -> Form:
    form = of_my_ways(hr, "app")
    offered = Offered.on(form.browser.get("/portal/ways/passkey"))
    made = json.dumps(SecurityKey().create(offered.asks))
    fields = offered.fields | {"credential": made, "name": "Khóa"}
    return Form(form.browser, offered.action, fields)


def certificate(hr: Hr) -> Form:
    """The button that leads to the host where certificates are shown."""
    form = of_my_ways(hr, "app")
    hr.services.settings.certificate_site = SITE
    hr.services.settings.trusted_proxies = ["127.0.0.1"]
    page = "/portal/ways/certificate"
    return filled(form.browser, page, f"{page}/show")


def certificate_looked_at(hr: Hr) -> Form:
    house, way = House(hr.clock), certificate(hr)
    believe(hr.services, house)
    crl(hr.services, house.issuing.crl(hr.clock()))
    there = shown_there(hr.app, way.send().headers["Location"], escaped(house.issue()))
    return filled(way.browser, way_back(there), "/portal/ways/certificate")


def reset(hr: Hr) -> Form:
    of_my_ways(hr, "app")
    hr.services.settings.second_factor = "nobody"
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE enrolled_factor SET user_id = :lan"), {"lan": hr.people["lan"]}
        )
    return person(hr, "lan", "/second-factor")


def same_person(hr: Hr) -> Form:
    held = hold(hr.services, hr.people["lan"], hr.clock())
    where = f"/console/identities/{held}"
    return admin(hr, "/console/identities", where, decision="accepted")


CASES: dict[str, Callable[[Hr], Form]] = {
    "login.record": password_form,
    "login.enrol": app_of_hers,
    "login.open_slip": slip_code,
    "login.activated": slip_form,
    "portal.end_sessions": other_session,
    "portal.disown": not_me,
    "portal.add_app": one_more_app,
    "portal.add_passkey": passkey,
    "portal.visit_certificate": certificate,
    "portal.add_certificate": certificate_looked_at,
    "portal.new_codes": lambda hr: of_my_ways(hr, "codes"),
    "portal.rename_way": lambda hr: of_my_ways(hr, "{}/rename", name="Máy mới"),
    "portal.remove_way": lambda hr: of_my_ways(hr, "{}/remove"),
    "portal.lost_way": lambda hr: of_my_ways(hr, "{}/lost"),
    "portal.revoke_consent": consent,
    "portal.switch_capacity": capacity,
    "portal.request_certificate": request_certificate,
    "portal.submit_csr": csr,
    "portal.change_password": password_change,
    "portal.logout": lambda hr: filled(hr.browser("lan"), "/portal/profile", "/logout"),
    "portal.end_everywhere": lambda hr: filled(hr.browser("lan"), "/portal/everywhere"),
    "console.work_done": lambda hr: by_hand(hr, "done"),
    "console.work_all_done": lambda hr: by_hand(hr, "all"),
    "console.work_failed": lambda hr: by_hand(hr, "failed", reason="Đang nâng cấp"),
    "console.people_search": lambda hr: filled(hr.browser("admin"), "/console/people", q="lan"),
    "console.activation": slip_print,
    "console.propose_activation": lambda hr: person(hr, "lan", "/activation/propose"),
    "console.issue_unit_slips": unit_slips,
    "console.unlock": lock,
    "console.identity_decide": same_person,
    "console.reset_factors": reset,
    "console.change_confirm": change,
    "console.join_send": joined,
    "console.unit_change_confirm": of_unit,
    "console.proposal_decide": approved,
    "console.undo_confirm": undo,
    "console.add_rule": rule,
    "console.remove_rule": no_rule,
    "console.register_client": registration,
    "console.save_client": saved,
    "console.rotate_client": lambda hr: of_client(hr, "rotate"),
    "console.retire_secret": retired,
    "console.disable_client": lambda hr: of_client(hr, "disable"),
    "console.enable_client": enabled,
    "console.try_client": lambda hr: of_client(hr, "test-sign-in"),
    "console.confirm_restored": restored,
    "console.retry_job": lambda hr: admin(hr, "/portal/profile", f"/console/jobs/{job(hr)}/retry"),
    "console.retry_logout": logout_again,
    "console.retry_logouts": logouts_again,
}
ASKED_BY_A_SCRIPT = {"login.judge", "login.judge_first", "portal.judge_password"}
"""No page's form is sent there and nothing is done (tests/flows/test_passwords_as_typed.py)."""
SHOWN_ONCE = {"console.issue_unit_slips"}
"""The page is the answer itself, too large to be put aside; the same form again leads to the list."""
QUIET = {
    "login.open_slip",
    "portal.revoke_consent",
    "portal.remove_way",
    "portal.visit_certificate",
    "console.people_search",
}
"""Nothing was there to be changed, or ever is; it is enough that the second says what the first said."""


def differing(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_every_address_that_takes_a_form_has_a_case(app: Flask) -> None:
    forms = {
        found.endpoint
        for found in app.url_map.iter_rules()
        if "POST" in (found.methods or ())
        and found.endpoint.partition(".")[0] in ("login", "portal", "console")
    }
    assert forms - ASKED_BY_A_SCRIPT == set(CASES)


@pytest.mark.parametrize("endpoint", sorted(CASES))
def test_sent_twice_it_acts_once_and_both_answers_lead_to_the_same_page(
    hr: Hr, endpoint: str
) -> None:
    form = CASES[endpoint](hr)
    before = hr.dump()
    first = form.send()
    assert first.status_code == (200 if endpoint in SHOWN_ONCE else 303), first.text
    after = hr.dump()
    assert differing(before, after) or endpoint in QUIET
    second = form.send()
    where = second.headers["Location"]
    if endpoint == "login.record":  # by way of the sign-in, which is over
        where = form.browser.get(where).headers["Location"]
    assert second.status_code == 303
    if endpoint not in SHOWN_ONCE:
        assert where == first.headers["Location"]
    assert differing(after, hr.dump()) == set()


@pytest.mark.both_databases
@pytest.mark.parametrize("endpoint", ["console.rotate_client", "console.register_client"])
def test_two_clicks_at_once_act_once(hr: Hr, endpoint: str) -> None:
    form = CASES[endpoint](hr)
    cookies = [f"{c.key}={c.value}" for c in form.browser._cookies.values()]

    def click(_n: int) -> Any:
        other = hr.app.test_client(use_cookies=False)
        headers = {"Cookie": "; ".join(cookies)}
        return other.post(form.action, data=form.data, headers=headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(click, range(4)))
    assert {a.status_code for a in answers} <= {303, 409}
    assert len({a.headers["Location"] for a in answers if a.status_code == 303}) == 1
    with hr.services.db.read() as session:
        tag = "SELECT count(*) FROM audit_entry WHERE tag = 'client.change' AND actor_kind = 'user'"
        assert session.scalar(text(tag)) == 1


def test_a_form_filled_in_otherwise_is_another_form(hr: Hr) -> None:
    """Back, something corrected, sent again: with the key of the page it came from."""
    form = registration(hr)
    form.send()
    form.send(name="Một cửa thứ hai")
    with hr.services.db.read() as session:
        names = session.scalars(text("SELECT name FROM client WHERE name LIKE 'Một cửa%'")).all()
    assert sorted(names) == ["Một cửa", "Một cửa thứ hai"]


def test_a_refused_form_may_be_sent_again_and_right(hr: Hr) -> None:
    form = registration(hr)
    assert form.send(password="sai rồi").status_code == 422
    assert form.send().status_code == 303


def test_a_wrong_password_sent_again_is_one_guess(hr: Hr) -> None:
    form = registration(hr)
    answers = [form.send(password="sai rồi").status_code for _ in range(7)]
    assert answers == [422] * 7
    assert form.send().status_code == 303


def test_nobody_elses_browser_is_given_the_answer(hr: Hr) -> None:
    form = registration(hr)
    form.send()
    thief = hr.browser("owner")
    stolen = Form(thief, form.action, form.data | hidden_fields(thief.get("/").text))
    stolen.data["form_key"] = form.data.get("form_key", "")
    answer = stolen.send()
    assert not SECRET.search(answer.text)


# ---- what is shown once ----------------------------------------------------------------------


def rotated(hr: Hr) -> tuple[FlaskClient, str, str]:
    """(browser, where the new secret is shown, the secret)."""
    form = of_client(hr, "rotate")
    where = form.send().headers["Location"]
    page = form.browser.get(where)
    assert page.status_code == 200
    found = SECRET.search(page.text)
    assert found
    return form.browser, where, found[1]


@pytest.mark.both_databases
def test_a_reload_shows_the_same_secret_for_a_minute_and_no_longer(hr: Hr) -> None:
    browser, where, secret = rotated(hr)
    hr.clock.advance(seconds=50)
    again = browser.get(where)
    assert secret in again.text
    assert again.headers["Cache-Control"] == "no-store"
    hr.clock.advance(seconds=11)
    late = browser.get(where)
    assert late.status_code in (404, 410)
    assert secret not in late.text
    assert "đã hiện một lần" in text_of(late.text)


@pytest.mark.parametrize("make", [slip_print, registration], ids=["slip", "client"])
def test_a_reload_makes_nothing_new(hr: Hr, make: Callable[[Hr], Form]) -> None:
    form = make(hr)
    where = form.send().headers["Location"]
    page = form.browser.get(where).text
    assert CODE.search(page) or SECRET.search(page)
    before = hr.dump()
    assert form.browser.get(where).text == page
    assert differing(before, hr.dump()) == set()


def test_it_is_kept_under_a_key_that_only_that_browser_holds(hr: Hr) -> None:
    browser, where, secret = rotated(hr)
    with hr.services.db.read() as session:
        kept = repr(session.execute(text("SELECT * FROM form_answer")).all())
    assert secret not in kept + repr(hr.dump())
    session_only = hr.app.test_client()
    for cookie in browser._cookies.values():
        if cookie.key in ("dinhdanh", "dinhdanh-console", "dinhdanh-browser"):
            session_only.set_cookie(cookie.key, cookie.value)
    assert session_only.get("/portal/profile").status_code == 200
    assert secret not in session_only.get(where).text
    assert secret not in hr.browser("admin").get(where).text
    assert secret in browser.get(where).text


def test_it_is_gone_with_the_session(hr: Hr) -> None:
    browser, where, secret = rotated(hr)
    out = filled(browser, "/portal/profile", "/logout")
    kept = {c.key: c.value for c in browser._cookies.values()}
    out.send()
    for name, value in kept.items():
        browser.set_cookie(name, value)
    assert secret not in browser.get(where).text
    sign_in(browser, hr.names["admin"], PASSWORD)
    assert secret not in browser.get(where).text
    with hr.services.db.read() as session:
        assert (
            session.scalar(
                text(
                    "SELECT count(*) FROM form_answer WHERE sealed IS NOT NULL AND session_id IS NOT NULL"
                )
            )
            == 0
        )


def test_what_died_under_way_is_not_done_a_second_time_unasked(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed after the new secret is written and before its page is."""

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> str:
        raise Killed

    form = of_client(hr, "rotate")
    with monkeypatch.context() as dying:
        dying.setattr("idp.console.views_clients.render_template", killed)
        with pytest.raises(Killed):
            form.send()
    after = hr.dump()
    hr.clock.advance(seconds=61)
    answer = form.send()
    assert answer.status_code == 409
    assert "chưa rõ" in text_of(answer.text)
    assert differing(after, hr.dump()) <= {"sso_session"}
    assert SECRET.search(
        form.browser.post(
            form.action,
            data=filled(form.browser, "/portal/profile", password=PASSWORD).data,
            follow_redirects=True,
        ).text
    )
