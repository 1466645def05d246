"""The page that asks for more says which rule asks, in both languages, and nothing where none does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from idp.assurance import Because, Level
from idp.demands import Asked, Operation
from idp.oidc.clients import Options
from idp.web import asked_again, i18n
from tests import hr_world
from tests.browser_client import open_login, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import Flow, World
from tests.someone import INSIDE, OUTSIDE, Someone

AAL1, AAL2, AAL3 = (f"urn:vn:aal:{n}" for n in (1, 2, 3))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """Everybody in these tests has an app."""
    services.settings.inside_networks = ["10.0.0.0/8"]
    return hr_world.build(services, clock, app)


def equipped(hr: Hr, who: str, network: dict[str, str] = INSIDE) -> Someone:
    settings = hr.services.settings
    before, settings.second_factor = settings.second_factor, "everybody"
    one = Someone(hr, who, network)
    one.whole()
    settings.second_factor = before
    hr.clock.advance(minutes=1)
    return one.again()


def second_page(one: Someone, first: Any) -> str:
    """What stands there once her password was right."""
    given = {"username": one.hr.names[one.who], "password": PASSWORD}
    answer = submit(one.client, first, **given)
    return text_of(one.client.get(answer.headers["Location"]).text)


def in_both(one: Callable[[], Someone], open_: Callable[[Someone], Any], vi: str, en: str) -> None:
    for language, said in (("vi", vi), ("en", en)):
        her = one()
        her.client.environ_base |= {"HTTP_ACCEPT_LANGUAGE": language}
        assert said in second_page(her, open_(her)), language


def _opening(hr: Hr, **options: Any) -> Callable[[Someone], Any]:
    """Opening an application of these demands."""
    query = options.pop("query", {})
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    party = world.register("Quản lý văn bản", options=Options(**options))

    def open_(one: Someone) -> Any:
        return one.client.get(Flow(one.client, party).ask(**query).headers["Location"])

    return open_


def _ours(one: Someone) -> Any:
    return open_login(one.client, "/portal/profile")


def test_the_application_is_named(hr: Hr) -> None:
    lan = equipped(hr, "lan")
    in_both(
        lambda: lan.again(),
        _opening(hr, minimum_acr=AAL2),
        "Ứng dụng Quản lý văn bản đòi hai cách xác thực.",
        "The application Quản lý văn bản asks for two factors.",
    )


def test_so_is_one_that_asks_for_it_in_its_request(hr: Hr) -> None:
    lan = equipped(hr, "lan")
    wish = json.dumps({"id_token": {"acr": {"essential": True, "values": [AAL2]}}})
    in_both(
        lambda: lan.again(),
        _opening(hr, query={"claims": wish}),
        "Ứng dụng Quản lý văn bản đòi hai cách xác thực.",
        "The application Quản lý văn bản asks for two factors.",
    )


def test_so_is_the_scope(hr: Hr) -> None:
    lan = equipped(hr, "lan")
    hr.services.settings.scope_acr = {"org": AAL2}
    in_both(
        lambda: lan.again(),
        _opening(hr),
        "xin phạm vi org, phạm vi đó đòi hai cách xác thực.",
        "wants the scope org, which takes two factors.",
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("vi", "Ứng dụng Quản lý văn bản đòi hai cách xác thực, một cách là sinh trắc học."),
        ("en", "The application Quản lý văn bản asks for two factors, one of them biometric."),
    ],
)
def test_whoever_is_refused_is_told_too(hr: Hr, language: str, said: str) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    party = world.register("Quản lý văn bản", options=Options(minimum_acr=AAL3))
    browser = hr.browser("lan")
    browser.environ_base |= {"HTTP_ACCEPT_LANGUAGE": language}
    refused = Flow(browser, party).ask()
    assert refused.status_code == 403
    assert said in text_of(refused.text)


def test_her_role_is_named(hr: Hr) -> None:
    admin = equipped(hr, "admin")
    hr.services.settings.second_factor = "outside"
    in_both(
        lambda: admin.again(),
        _ours,
        "Cần hai cách xác thực vì bạn có vai trò quản trị.",
        "you have an administrative role",
    )


def test_her_network_is_named(hr: Hr) -> None:
    lan = equipped(hr, "lan")
    hr.services.settings.second_factor = "outside"
    in_both(
        lambda: lan.again(OUTSIDE),
        _ours,
        "Cần hai cách xác thực vì bạn đăng nhập từ ngoài mạng của cơ quan.",
        "from outside the agency's network",
    )


def test_what_asks_for_most_is_named(hr: Hr) -> None:
    """From outside, for an application that asks for no more than the house does."""
    lan = equipped(hr, "lan")
    hr.services.settings.second_factor = "outside"
    her = lan.again(OUTSIDE)
    page = second_page(her, _opening(hr, minimum_acr=AAL2)(her))
    assert "từ ngoài mạng của cơ quan" in page
    assert "Quản lý văn bản đòi" not in page


def test_where_nothing_more_is_asked_nothing_is_said(hr: Hr) -> None:
    lan = equipped(hr, "lan")
    her = lan.again()
    page = _opening(hr, minimum_acr=AAL1)(her)
    assert "đòi" not in text_of(page.text)
    given = {"username": hr.names["lan"], "password": PASSWORD}
    submit(her.client, page, **given)
    assert her.client.get(page.request.path).status_code == 303


def test_an_address_that_only_claims_a_reason_is_believed_for_nothing(hr: Hr) -> None:
    """Anybody may write one: it asks for nothing by itself, and unknown ones are left out."""
    lan = equipped(hr, "lan")
    for why in ("secret", "nonsense", "../x"):
        her = lan.again()
        query = {"return_to": "/portal/profile", "why": why}
        page = her.client.get("/login", query_string=query, follow_redirects=True)
        given = {"username": hr.names["lan"], "password": PASSWORD}
        submit(her.client, page, **given)
        assert her.client.get(page.request.path).status_code == 303


def test_every_rule_has_a_sentence_of_its_own_in_both_languages(app: Flask) -> None:
    said = set()
    for language in ("vi", "en"):
        i18n.use(language)
        try:
            for because in Because:
                one = Asked(AAL2, because, "secret")
                sentence = asked_again.for_more(one)
                assert sentence
                said.add(sentence)
            said |= {asked_again.strength(level) for level in Level}
            said |= {asked_again.done(one) for one in Operation}
        finally:
            i18n.use(None)
    assert len(said) == 2 * (len(Because) + len(Level) + len(Operation))
