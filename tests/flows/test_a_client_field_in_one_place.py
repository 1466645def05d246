"""Fields of a client's metadata that only this file knows: registration, console, command line."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask

from idp.oidc import clients
from idp.oidc.clients import Options, Profile, applies, checks, sorts
from idp.oidc.clients.fields import By, Field, InConsole, Option, added
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.command_line import Operator, operator
from tests.hr_world import OPERATOR, PASSWORD, Hr, text_of
from tests.registrar import PLAIN, Registrar
from tests.relying_party import REDIRECT

__all__ = ["operator"]

JWKS = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "kid": "k",
            "alg": "ES256",
            "use": "sig",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }
    ]
}


def _fields() -> dict[str, Field[Any]]:
    return {
        "support_page": Field(
            sorts.TEXT,
            "RFC 9999 §2",
            "support_uri",
            check=checks.page,
            localized=True,
            option=Option("--support", "Where people get help."),
            console=InConsole(41, "Trang hỗ trợ", help="Người dùng cần giúp.", fact="Hỗ trợ"),
        ),
        "on_trial": Field(
            sorts.FLAG,
            "",
            by=By.OPERATOR,
            usual={Profile.FAPI2: True},
            option=Option("--trial", "It is on trial.", "true"),
            console=InConsole(
                42,
                "Chạy thử",
                fact="Vận hành",
                words={"true": "Đang chạy thử", "false": "Chính thức"},
                when=applies.signs_in,
            ),
        ),
        "colour": Field(
            sorts.TEXT,
            "",
            check=checks.among(("red", "green"), "Màu này không có."),
            choices=("red", "green"),
            console=InConsole(43, "Màu", words={"red": "Đỏ", "green": "Xanh"}, only_new=True),
        ),
        "grades": Field(sorts.TEXTS, "", check=checks.each(checks.shown(10))),
        "sealed": Field(sorts.FLAG, "", by=By.PRODUCT),
    }


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    with ExitStack() as stack:
        for name, each in _fields().items():
            stack.enter_context(added(Options, name, each))
        yield


@pytest.fixture
def registrar(services: Any, client: Any) -> Registrar:
    return Registrar(client, services)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _sent(browser: Any, page: str, **fields: Any) -> Any:
    hidden = hidden_fields(browser.get(page).text)
    return browser.post(page, data=hidden | {"password": PASSWORD} | fields)


# ---- registration ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_client_registers_it_is_told_it_and_changes_it(registrar: Registrar) -> None:
    said = {"support_uri": "https://app.example/help", "support_uri#en": "https://app.example/en"}
    made = registrar.register(**said, grades=["a", "b"], colour="red")
    told = {**said, "grades": ["a", "b"], "colour": "red"}
    assert told.items() <= made.told.items()
    assert told.items() <= made.read().get_json().items()
    (row,) = registrar.rows()
    assert row.options["support_page"] == said["support_uri"]
    assert row.options["grades"] == ["a", "b"]
    after = made.replace(**PLAIN, colour="green").get_json()
    assert "support_uri" not in after
    assert after["colour"] == "green"
    (row,) = registrar.rows()
    assert row.options.keys() & _fields().keys() == {"colour"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"support_uri": "ftp://app.example/"}, "support_uri"),
        ({"support_uri": ["https://app.example/"]}, "support_uri"),
        ({"support_uri#en": "javascript:alert(1)"}, "support_uri#en"),
        ({"colour": "blue"}, "colour"),
        ({"grades": "a"}, "grades"),
        ({"grades": ["a", "\u202e"]}, "grades"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    registrar: Registrar, wrong: dict[str, Any], field: str
) -> None:
    answer = registrar.ask(PLAIN | wrong, registrar.invite())
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")
    assert answer.get_json()["error_description"].startswith(f"{field}: ")
    assert registrar.rows() == []


def test_what_is_not_a_clients_to_set_is_ignored_and_not_told(registrar: Registrar) -> None:
    made = registrar.register(on_trial=True, sealed=True)
    (row,) = registrar.rows()
    assert not row.options.keys() & _fields().keys()
    assert not made.told.keys() & _fields().keys()


def test_what_its_operator_decided_stays_when_a_client_changes_itself(registrar: Registrar) -> None:
    made = registrar.register()
    with registrar.services.db.write() as session:
        row = clients.held(session, made.told["client_id"])
        row.options = row.options | {"on_trial": True, "sealed": True}
    assert made.replace(**PLAIN, on_trial=False).status_code == 200
    (row,) = registrar.rows()
    assert row.options["on_trial"] is row.options["sealed"] is True


def test_a_profile_switches_it_on(registrar: Registrar) -> None:
    by_key = {"token_endpoint_auth_method": "private_key_jwt", "jwks": JWKS}
    registrar.register(fapi_profile="fapi2", **by_key)
    (row,) = registrar.rows()
    assert row.options["on_trial"] is True


# ---- the console -------------------------------------------------------------------------------


def _registered(hr: Hr, **fields: Any) -> Any:
    said = {"name": "X", "redirect_uris": REDIRECT} | fields
    answer = _sent(hr.browser("admin"), "/console/clients/new?use=web", **said)
    assert answer.status_code in (200, 303), text_of(answer.text)
    with hr.services.db.read() as session:
        return next(c for c in clients.all_clients(session) if c.name == "X")


def test_the_forms_ask_for_it_and_the_clients_page_tells_it(hr: Hr) -> None:
    browser = hr.browser("admin")
    new = browser.get("/console/clients/new?use=web").text
    for said in ('name="support_page"', "Trang hỗ trợ", "Người dùng cần giúp.", "Chạy thử", "Xanh"):
        assert said in new
    assert "sealed" not in new
    found = _registered(hr, support_page="https://app.example/help", on_trial="yes", colour="green")
    assert (
        found.options.items()
        >= {
            "support_page": "https://app.example/help",
            "on_trial": True,
            "colour": "green",
        }.items()
    )
    page = text_of(browser.get(f"/console/clients/{found.client_id}").text)
    assert "Hỗ trợ https://app.example/help" in page
    assert "Vận hành Đang chạy thử" in page
    form = browser.get(f"/console/clients/{found.client_id}/edit").text
    assert 'value="https://app.example/help"' in form
    assert re.search(r'name="on_trial" value="yes" checked', form)
    assert 'name="colour"' not in form


def test_an_edit_changes_it_takes_it_away_and_leaves_it(hr: Hr) -> None:
    found = _registered(hr, support_page="https://app.example/help", on_trial="yes", colour="red")
    browser, page = hr.browser("admin"), f"/console/clients/{found.client_id}/edit"

    def options() -> dict[str, Any]:
        with hr.services.db.read() as session:
            return dict(clients.get(session, found.client_id).options)

    assert _sent(browser, page, name="X", boxes="").status_code == 303
    assert options() == found.options  # what is not in the form stays
    assert _sent(browser, page, name="X", support_page="").status_code == 303  # the box is empty
    assert options() == {"colour": "red"}
    wrong = _sent(browser, page, name="X", support_page="ftp://app.example/")
    assert wrong.status_code == 422
    assert 'value="ftp://app.example/"' in wrong.text
    assert re.search(r'id="support_page"[^>]* aria-invalid="true"', wrong.text)


def test_a_form_that_does_not_ask_does_not_hear(hr: Hr) -> None:
    machine = {"use": "machine", "redirect_uris": "", "on_trial": "yes", "sealed": "yes"}
    found = _registered(hr, **machine)
    assert not found.options.keys() & _fields().keys()


# ---- the command line --------------------------------------------------------------------------


def _printed(operator: Operator, *arguments: str) -> Any:
    return json.loads(operator("client", "show", *arguments).out)


@pytest.mark.both_databases
def test_the_command_line_registers_sets_and_shows_it(operator: Operator) -> None:
    help_ = " ".join(operator("client", "register", "--help").out.split())
    assert "--support TEXT Where people get help." in help_
    assert "--trial It is on trial." in help_
    said = ("--support", "https://app.example/help", "--trial", "--set", "grades=a,b")
    done = operator("client", "register", "A", "--redirect-uri", REDIRECT, *said)
    assert done.code == 0, done.said
    client_id = done.out.split()[1]
    shown = _printed(operator, client_id)
    assert (shown["support_uri"], shown["on_trial"]) == ("https://app.example/help", True)
    assert (shown["grades"], shown["sealed"]) == (["a", "b"], False)
    pairs = ("support_uri=", "on_trial=false", "colour=green", "grades=c")
    assert operator("client", "set", client_id, *pairs).code == 0
    shown = _printed(operator, client_id)
    assert "support_uri" not in shown
    assert (shown["on_trial"], shown["colour"], shown["grades"]) == (False, "green", ["c"])


@pytest.mark.parametrize(
    ("pair", "field"),
    [("support_page=x", "support_page"), ("colour=blue", "colour"), ("sealed=true", "sealed")],
)
def test_the_command_line_refuses_by_name(
    hr: Hr, operator: Operator, pair: str, field: str
) -> None:
    wanted = clients.Registration(name="A", redirect_uris=(REDIRECT,))
    with hr.services.db.write() as session:
        made, _ = clients.register(
            session, wanted, keyring=hr.services.keyring, actor=OPERATOR, now=hr.clock()
        )
    done = operator("client", "set", made.client_id, pair)
    assert done.code != 0
    assert field in done.err
    names = operator("client", "set", "--help").out
    assert "support_page" in names
    assert "sealed" not in names


def test_two_fields_cannot_have_one_name() -> None:
    with (
        pytest.raises(ValueError, match="tos_uri"),
        added(Options, "tos_uri", Field(sorts.TEXT, "")),
    ):
        pass
