"""One application answers for the installation it is given, and for that alone."""

from typing import Any

import pytest
from flask import Flask

from idp.run import wiring
from idp.run.app import WebApplication

OTHER = "https://id.example.vn"
DISCOVERY = "/.well-known/openid-configuration"


def test_given_another_installation_it_remembers_nothing_of_the_first(
    services: Any, make_settings: Any, clock: Any
) -> None:
    app = WebApplication()
    app.serve(services)
    browser = app.test_client()
    assert browser.get("/login", follow_redirects=True).status_code == 200
    assert browser.get(DISCOVERY).json["issuer"] == services.settings.issuer
    assert 'dinhdanh_requests_total{part="login"' in browser.get("/metrics").text
    assert browser.get_cookie("dinhdanh-form") is not None

    other = wiring.build(make_settings(issuer=OTHER), clock=clock)
    app.serve(other)
    browser = app.test_client()
    assert 'part="login"' not in browser.get("/metrics", base_url=OTHER).text
    assert browser.get(DISCOVERY, base_url=OTHER).json["issuer"] == OTHER
    assert browser.get("/login", base_url=services.settings.issuer).status_code == 421
    assert browser.get("/login", base_url=OTHER, follow_redirects=True).status_code == 200
    cookie = browser.get_cookie("__Host-dinhdanh-form", domain="id.example.vn")
    assert cookie is not None
    assert cookie.secure
    other.db.dispose()


def test_two_answer_side_by_side(services: Any, make_settings: Any, clock: Any) -> None:
    other = wiring.build(make_settings(issuer=OTHER), clock=clock)
    told = []
    apps = [(WebApplication(), has) for has in (services, other)]
    for app, has in apps:
        app.serve(has)
    for app, has in apps:
        issuer = has.settings.issuer
        told.append((app.test_client().get(DISCOVERY, base_url=issuer).json["issuer"], issuer))
    assert all(said == issuer for said, issuer in told)
    other.db.dispose()


def test_nothing_can_be_added_to_the_one_that_the_tests_share(app: Flask) -> None:
    with pytest.raises(AssertionError):
        app.add_url_rule("/later", view_func=lambda: "")
    with pytest.raises(AssertionError):
        app.before_request(lambda: None)
