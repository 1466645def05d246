"""Walks that lead past every page there is, in as many of its states as are easily had.

Each begins in a world of its own. ``FORMS`` are those of tests/strangers/test_forms_twice.py, which
has one for every address that takes a form: sent with nothing in it, with a wrong password, and right.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from directory.changes import kind as kinds
from idp.factors import passwords
from idp.oidc.clients import Client, Options
from idp.run import wiring
from idp.services import Services
from tests import eid_world, hr_world
from tests.browser_client import following, hidden_fields, open_login, submit
from tests.conftest import FrozenClock
from tests.device_flow import Device, register_device
from tests.factories import QUICK
from tests.flows import (
    test_after_a_cut,
    test_asked_to_sign_in_again,
    test_console_clients,
    test_frontchannel_logout,
)
from tests.flows.test_console import PAGES
from tests.flows.test_error_pages import AT_THE_DOOR, PLACES
from tests.hr_world import PASSWORD, Hr
from tests.relying_party import Flow, build_world
from tests.someone import Someone
from tests.strangers.test_forms_twice import CASES, Form

PORTAL = (
    "/",
    "/portal/capacity",
    "/portal/certificates",
    "/portal/consents",
    "/portal/everywhere",
    "/portal/profile",
    "/portal/sessions",
    "/portal/sessions/history",
    "/portal/ways",
)


@contextmanager
def anew(make: Callable[..., Any], template: Path, folder: Path) -> Iterator[Services]:
    """A fresh installation."""
    folder.mkdir()
    file = folder / "dinhdanh.db"
    file.write_bytes(template.read_bytes())
    settings = make(data_dir=folder, database_url=f"sqlite:///{file}")
    built = replace(wiring.build(settings, clock=FrozenClock()), passwords=QUICK)
    try:
        yield built
    finally:
        built.db.dispose()


def sent(form: Form) -> None:
    """Empty, with a wrong password, and right: each time to the page that follows."""
    hidden = ("csrf_token", "form_key")
    nothing = {name: "" for name in form.data if name not in hidden}
    for more in (nothing, {"password": "không phải đây", "current": "sai"}, {}):
        where = form.browser.post(form.action, data=form.data | more).headers.get("Location", "")
        if where.startswith("/"):  # not to another host of ours
            form.browser.get(where, follow_redirects=True)


def a_form(make: Callable[[Hr], Form]) -> Callable[[Services, Flask], None]:
    def walk(services: Services, app: Flask) -> None:
        sent(make(hr_world.build(services, services.clock, app)))

    return walk


def portal(services: Services, app: Flask) -> None:
    hr = hr_world.build(services, services.clock, app)
    hr.browser("lan")
    for who in ("lan", "admin"):
        browser = hr.browser(who)
        for path in PORTAL:
            browser.get(path, follow_redirects=True)


def console(services: Services, app: Flask) -> None:
    hr = hr_world.build(services, services.clock, app)
    for who in ("admin", "officer", "owner", "auditor", "plain"):
        browser = hr.browser(who)
        for path in PAGES.values():
            browser.get(path)
        for person in ("lan", "admin"):
            browser.get(f"/console/people/{hr.people[person]}")
        for unit in ("root", "room"):
            browser.get(f"/console/units/{hr.units[unit]}")
            browser.get(f"/console/units/{hr.units[unit]}/slips")


def changes(services: Services, app: Flask) -> None:
    hr = hr_world.build(services, services.clock, app)
    browser = hr.browser("admin")
    browser.get("/console/people/new")
    for code in [kind.code for kind in kinds.every()]:
        for where in (f"people/{hr.people['lan']}", f"units/{hr.units['room']}"):
            page = f"/console/{where}/{code}"
            browser.get(page)
            browser.get(f"{page}?step=preview&effective_on=mai")


def errors(services: Services, app: Flask) -> None:
    world = build_world(services, services.clock)
    for act, *_ in PLACES.values():
        act(world, app.test_client())
    for method, headers, _ in AT_THE_DOOR.values():
        app.test_client().open("/login/nothing", method=method, headers=headers)


def signing_in(services: Services, app: Flask) -> None:
    hr = hr_world.build(services, services.clock, app)
    hr.also("lan", "b")
    lan = Someone(hr, "lan")
    submit(lan.client, lan.password(), assignment="0")  # which post, and none of hers
    with services.db.write() as session:
        of_her = (session, services.passwords, hr.people["lan"], PASSWORD)
        passwords.set_password(*of_her, must_change=True, now=services.clock())
    lan = Someone(hr, "lan")
    page = lan.password()
    submit(lan.client, page, password="ngắn", again="khác")
    with services.db.write() as session:
        session.get_one(hr_world.User, hr.people["hien"]).status = "suspended"
    hien = Someone(hr, "hien").password()
    assert hien.status_code == 403
    services.settings.second_factor = "everybody"
    admin = Someone(hr, "admin")
    admin.whole()
    admin.client.get("/portal/ways")
    services.clock.advance(minutes=1)
    again = admin.again()
    again.type(again.password(), again.wrong_code())


def returning(services: Services, app: Flask) -> None:
    """What was typed waits while she signs in again."""
    hr = hr_world.build(services, services.clock, app)
    admin = hr.browser("admin")
    fields = hidden_fields(admin.get("/console/clients/new").text) | {"name": "Một cửa"}
    services.clock.advance(seconds=services.settings.admin_idle + 1)
    page = admin.post("/console/clients/new", data=fields, follow_redirects=True)
    answer = submit(admin, page, username=hr.names["admin"], password=PASSWORD)
    admin.get(following(admin, answer).headers["Location"], follow_redirects=True)


def applications(services: Services, app: Flask) -> None:
    """What an application's sign-in may end in."""
    world, browser = build_world(services, services.clock), app.test_client()
    world.sign_in(browser)
    other = Flow(browser, world.register(first_party=False))
    asked = hidden_fields(other.ask().text) | {"decision": "allow"}
    browser.post("/oauth2/consent", data=asked)
    browser.get("/portal/consents")
    strict = world.register()
    world.change(Client, strict.id, options=Options(minimum_acr="urn:vn:aal:3").stored)
    Flow(browser, strict).ask()
    Flow(browser, world.restricted(leadership=True)).ask()
    Flow(browser, world.register()).ask(response_mode="form_post")
    listening = test_frontchannel_logout.listening(world)
    test_frontchannel_logout.signed_in_to(browser, listening)
    page = browser.get("/oauth2/logout")
    asked = hidden_fields(page.text) | {"decision": "logout"}
    browser.post("/oauth2/logout", data=asked, follow_redirects=True)
    Flow(app.test_client(), world.register()).ask()


def devices(services: Services, app: Flask) -> None:
    world, browser = build_world(services, services.clock), app.test_client()
    world.sign_in(browser)
    for decision in ("allow", "deny"):
        device = Device(browser, register_device(world)).begin()
        device.type_code("BCDF-GHJK")
        device.decide(decision)


def vouched_elsewhere(services: Services, app: Flask) -> None:
    eid = eid_world.build(services, services.clock, app)
    browser = eid.browser()
    open_login(browser)
    eid.link(browser)
    for path in PORTAL:
        browser.get(path, follow_redirects=True)
    eid.back(eid.browser(), eid.at.authorize(eid.leave(eid.browser())))  # in another browser
    eid.at.number = eid_world.OTHER_NUMBER
    eid.visit(eid.browser())


def as_tested(test: Callable[[Hr], None]) -> Callable[[Services, Flask], None]:
    def walk(services: Services, app: Flask) -> None:
        test(hr_world.build(services, services.clock, app))

    return walk


WALKS: dict[str, Callable[[Services, Flask], None]] = {
    **{name: a_form(make) for name, make in CASES.items()},
    "portal": portal,
    "console": console,
    "changes": changes,
    "errors": errors,
    "signing in": signing_in,
    "returning": returning,
    "applications": applications,
    "devices": devices,
    "vouched elsewhere": vouched_elsewhere,
    "after a cut": as_tested(test_after_a_cut.test_a_decision_is_told_with_what_is_hers_now),
    "asked again": as_tested(
        test_asked_to_sign_in_again.test_who_did_nothing_in_the_console_for_five_minutes_is_told_so
    ),
    "a trial": as_tested(test_console_clients.test_the_trial_goes_through_the_consent_page),
    "no trial": as_tested(test_console_clients.test_whoever_is_not_entitled_is_told_why),
}
