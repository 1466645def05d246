"""A signer that only tests know: portal, console, API and command line show what it does."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from connectors.pki import requests
from connectors.pki.tables import Certificate, CertificateState
from directory.base.audit import Actor
from directory.base.clock import system_clock
from idp.run.performing import drain
from tests import hr_world
from tests.browser_client import submit
from tests.certificates import csr
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.hr_world import Hr, text_of
from tests.paper import Paper
from tests.paper import paper as paper

pytestmark = pytest.mark.both_databases
OFFICER = Actor.operator("can-bo")
DECISION = {"number": "8/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"}


@pytest.fixture
def settings(make_settings: Any) -> Any:
    """People's certificates come from there."""
    return make_settings(certificate_signer="paper")


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, paper: Paper) -> Hr:
    """An office with people in it."""
    made = hr_world.build(services, clock, app)
    clock.set(system_clock())  # the command line knows no other
    with services.db.write() as session:
        session.add(paper.authority(clock()))
    return made


def ask(hr: Hr) -> Any:
    """Lan sends her request in the portal; the page she is then shown."""
    browser = hr.browser("lan")
    page = browser.get("/portal/certificates")
    assert submit(browser, page, csr=csr()).status_code == 303
    return browser.get("/portal/certificates")


def answered(hr: Hr, paper: Paper) -> str:
    """What it has signed days later is handed in; the number."""
    has = hr.services
    with has.db.read() as session:
        wanted = select(Certificate.id).where(Certificate.state == CertificateState.INTENDED.value)
        made = session.scalars(wanted).one()
    signed = paper.certificate()
    requests.answer(has.db, has.settings, made, signed, now=hr.clock(), actor=OFFICER)
    return f"{signed.serial_number:032x}"


def test_it_is_asked_in_the_portal_and_answers_later(
    hr: Hr,
    paper: Paper,
    operator: Operator,  # noqa: F811
) -> None:
    assert "Yêu cầu đã gửi đến nơi cấp" in text_of(ask(hr).text)
    serial = answered(hr, paper)
    assert serial in hr.browser("lan").get("/portal/certificates").text
    assert serial in hr.browser("officer").get(f"/console/people/{hr.people['lan']}").text
    assert serial in operator("cert", "list", hr.names["lan"]).out


def test_what_a_change_does_there_is_previewed_and_proven(
    hr: Hr,
    paper: Paper,
    operator: Operator,  # noqa: F811
) -> None:
    ask(hr)
    serial = answered(hr, paper)
    api = hr.api(hr.token())
    order = {
        "kind": "transfer",
        "user": hr.people["lan"],
        "to_unit": hr.units["b"],
        "position": "CV",
        "decision": DECISION,
    }
    planned = {e["kind"] for e in api.plan(**order)["effects"] if serial[:8] in e["label"]}
    assert planned == {"certificate.distrust", "certificate.revoke"}
    page = hr.preview(
        hr.browser("officer"), "lan", "transfer", to_unit=hr.units["b"], position="CV"
    )
    assert f"{serial[:8]}…" in text_of(page.text)
    dry = operator("change", "leave", hr.names["lan"], "--reason", "retire", "--dry-run")
    assert f"{serial[:8]}…" in dry.out, dry.said
    done = api.commit(**order)
    paper.revoked.add(serial)
    drain(hr.services)
    proof = api.get(f"/api/v1/changes/{done.json['id']}").json
    (effect,) = [e for e in proof["effects"] if e["kind"] == "certificate.revoke"]
    assert (effect["state"], effect["detail"]["form"]) == ("verified", "05")
    shown = hr.browser("officer").get(f"/console/changes/{done.json['id']}").text
    assert f"{serial[:8]}…" in text_of(shown)
