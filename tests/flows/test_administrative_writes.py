"""Before anything is written in the console, a factor of hers is fresh and strong enough.

The addresses are not listed here but read from the application: one that writes and asks nothing fails.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from directory.base.errors import NotAllowed
from idp.console import guard
from idp.demands import Operation
from tests import hr_world
from tests.browser_client import hidden_fields, submit
from tests.hr_world import PASSWORD, Hr
from tests.someone import Someone

AAL2, AAL3 = "urn:vn:aal:2", "urn:vn:aal:3"
WRITES_NOTHING = {
    "console.people_search": "looks for people",
    "console.try_client": "opens the sign-in of a client, as anybody may",
}
DECISIONS = ("allow", "propose", "approve", "decline", "withdraw", "accepted", "refused")
KINDS = {"console.change_confirm": "suspend", "console.unit_change_confirm": "unit.rename"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def admin(hr: Hr) -> Any:
    return hr.browser("admin")


def writing(app: Flask) -> Iterator[tuple[str, str]]:
    """(endpoint, path) of every form of the console that writes."""
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("console.") or "POST" not in (rule.methods or ()):
            continue
        if rule.endpoint in WRITES_NOTHING:
            continue
        values = {name: KINDS.get(rule.endpoint, "1") for name in rule.arguments}
        values |= {name: "1" for name in rule.arguments if name.endswith("_id")}
        with app.test_request_context():
            _, path = rule.build({n: _value(rule, n, v) for n, v in values.items()}) or ("", "")
        yield rule.endpoint, path


def _value(rule: Any, name: str, value: str) -> Any:
    return int(value) if "int" in str(rule._converters[name].__class__).lower() else value


def test_every_form_that_writes_asks_first(
    hr: Hr, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Operation] = []

    def confirm(operation: Operation, **_how: Any) -> None:
        asked.append(operation)
        raise NotAllowed("probe", "Dừng ở đây.")

    monkeypatch.setattr(guard, "confirm", confirm)
    monkeypatch.setattr(guard.Asker, "unconfirmed_since", hr.clock(), raising=False)
    token = hidden_fields(admin.get("/console/people").text)["csrf_token"]
    before, forms = hr.dump(), 0
    for endpoint, path in writing(hr.app):
        forms += 1
        asked.clear()
        for decision in DECISIONS:
            admin.post(path, data={"csrf_token": token, "decision": decision, "item": "1:x"})
        assert asked, (endpoint, path)
        assert set(asked) <= set(Operation), endpoint
    assert forms > 18
    after = hr.dump()
    assert {name for name in before if before[name] != after[name]} <= {"sso_session"}


def test_a_form_that_asks_nothing_is_noticed(hr: Hr) -> None:
    """The test above can fail."""
    listed = {endpoint for endpoint, _ in writing(hr.app)}
    assert {"console.rotate_client", "console.retry_job", "console.work_done"} <= listed
    assert listed.isdisjoint(WRITES_NOTHING)


# ---- what it comes to ----------------------------------------------------------------------------


def _retry(hr: Hr, browser: Any) -> Any:
    token = hidden_fields(browser.get("/console/jobs").text)["csrf_token"]
    return browser.post("/console/jobs/1/retry", data={"csrf_token": token})


def _seen(hr: Hr, browser: Any, minutes: int) -> None:
    """She is at work in the console for so long."""
    for _ in range(minutes):
        hr.clock.advance(minutes=1)
        assert browser.get("/console/jobs").status_code == 200


def test_a_form_without_a_password_field_takes_a_sign_in_of_the_last_ten_minutes(hr: Hr) -> None:
    dung = Someone(hr, "admin")
    dung.password("/console/jobs")
    _seen(hr, dung.client, 9)
    assert _retry(hr, dung.client).status_code in (303, 404)
    hr.clock.advance(minutes=1)
    asked = _retry(hr, dung.client)
    assert asked.status_code == 303
    where = asked.headers["Location"].replace("%3A", ":")
    assert "prompt=login" in where
    assert f"why={Operation.WORK}" in where
    page = dung.client.get(asked.headers["Location"], follow_redirects=True)
    assert "cần xác thực lại ngay trước khi làm" in page.text
    submit(dung.client, page, username=hr.names["admin"], password=PASSWORD)
    dung.client.get(page.request.path)
    assert "/login" not in _retry(hr, dung.client).headers.get("Location", "")


def _rotate(hr: Hr, browser: Any, client_id: str, **more: str) -> Any:
    token = hidden_fields(browser.get(f"/console/clients/{client_id}").text)["csrf_token"]
    fields = {"csrf_token": token, "password": PASSWORD} | more
    return browser.post(f"/console/clients/{client_id}/rotate", data=fields)


def _client(hr: Hr) -> str:
    from tests.relying_party import World

    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    return str(world.register().client_id)


def test_an_operation_that_takes_two_factors_is_met_in_place(hr: Hr) -> None:
    """A password opened the console; a client's secret takes a second factor, and then shows it."""
    dung, client_id = Someone(hr, "admin"), _client(hr)
    dung.client.environ_base |= {"HTTP_ACCEPT_LANGUAGE": "vi"}
    hr.services.settings.second_factor = "everybody"
    dung.whole("/console/")
    hr.services.settings.second_factor = "nobody"
    hr.services.settings.operation_acr = {"secret": AAL2}
    weak = dung.again()
    weak.password("/console/")
    before = hr.dump()["client"]
    asked = _rotate(hr, weak.client, client_id)
    assert asked.status_code == 303
    assert f"least={AAL2}" in asked.headers["Location"].replace("%3A", ":")
    assert hr.dump()["client"] == before
    page = weak.client.get(asked.headers["Location"], follow_redirects=True)
    reason = "Xem hoặc cấp mật khẩu ứng dụng, phiếu kích hoạt: việc này đòi hai cách xác thực."
    assert reason in page.text
    hr.clock.advance(minutes=1)
    answer = submit(weak.client, page, username=hr.names["admin"], password=PASSWORD)
    page = weak.client.get(answer.headers["Location"])
    assert reason in page.text
    weak.type(page, weak.code())
    weak.client.get(page.request.path)
    shown = _rotate(hr, weak.client, client_id)
    assert "/login" not in shown.headers.get("Location", "")
    assert hr.dump()["client"] != before


def test_an_operation_that_nobody_can_reach_is_refused(hr: Hr) -> None:
    client_id = _client(hr)
    hr.services.settings.operation_acr = {"secret": AAL3}
    browser = hr.browser("admin")
    refused = _rotate(hr, browser, client_id)
    assert refused.status_code == 403
    assert "việc này đòi hai cách xác thực, một cách là sinh trắc học" in refused.text
    assert "Bạn chưa có cách xác thực nào đạt mức đó" in refused.text


def test_other_operations_are_not_held_to_it(hr: Hr) -> None:
    hr.services.settings.operation_acr = {"secret": AAL3}
    browser = hr.browser("admin")
    page = hr.preview(browser, "lan", "suspend")
    assert hr.confirm(browser, page).status_code == 303


def test_whoever_has_no_password_confirms_by_signing_in(hr: Hr) -> None:
    """By a passkey or an electronic identity: there is no password to ask for."""
    browser = hr.browser("admin")
    page = hr.preview(browser, "lan", "suspend")
    from idp.factors import passwords

    with hr.services.db.write() as session:
        passwords.forget(session, [hr.people["admin"]])
    assert hr.confirm(browser, page, password="").status_code == 303
    for _ in range(6):
        hr.clock.advance(minutes=2)
        browser.get("/console/")
    page = hr.preview(browser, "hien", "suspend")
    asked = hr.confirm(browser, page, password="")
    assert asked.status_code == 303
    assert "prompt=login" in asked.headers["Location"]


# ---- at the API (RFC 9470) -----------------------------------------------------------------------


def _body(hr: Hr, who: str = "lan") -> dict[str, Any]:
    return {"kind": "suspend", "user": hr.people[who]}


def _challenge(answer: Any) -> str:
    assert answer.status_code == 401, answer.text
    challenge = str(answer.headers["WWW-Authenticate"])
    assert 'error="insufficient_user_authentication"' in challenge
    return challenge


def test_a_person_commits_at_the_api_on_a_fresh_sign_in_alone(hr: Hr) -> None:
    api = hr.api(hr.own_token("officer"))
    hr.services.settings.sudo_window = 60
    plan = api.plan(**_body(hr))
    hr.clock.advance(seconds=61)
    assert api.plan(**_body(hr))["fingerprint"] == plan["fingerprint"]  # a preview writes nothing
    refused = api.commit(**_body(hr))
    assert 'max_age="60"' in _challenge(refused)
    assert hr.user("lan").status == "active"
    hr.services.settings.operation_max_age = {"change": 3600}
    assert api.commit(**_body(hr)).status_code == 201


def test_a_person_at_the_api_is_held_to_two_factors_where_administrators_are(hr: Hr) -> None:
    api = hr.api(hr.own_token("officer"))
    hr.services.settings.second_factor = "administrators"
    for answer in (
        api.get("/api/v1/changes"),
        api.post("/api/v1/changes/preview", _body(hr)),
        api.post("/api/v1/changes", _body(hr), key="1"),
    ):
        assert f'acr_values="{AAL2}"' in _challenge(answer)


def test_an_approval_at_the_api_may_take_more_than_a_change(hr: Hr) -> None:
    hr.services.settings.operation_acr = {"approval": AAL2}
    api = hr.api(hr.own_token("officer"))
    for act in ("approve", "decline"):
        answer = api.post(f"/api/v1/proposals/1/{act}", {"fingerprint": "0" * 64, "reason": "x"})
        assert f'acr_values="{AAL2}"' in _challenge(answer)
    assert api.commit(**_body(hr)).status_code == 201


def test_a_machine_has_not_signed_in_and_is_asked_for_no_operation(hr: Hr) -> None:
    hr.services.settings.operation_acr = {"change": AAL2}
    hr.services.settings.second_factor = "everybody"
    assert hr.api(hr.token()).commit(**_body(hr)).status_code == 201


def test_every_call_of_the_api_that_writes_is_an_operation(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the application, as above."""
    from idp.api import reading

    asked: list[Any] = []
    real = reading.caller

    def caller(scopes: Any, operation: Operation | None = None) -> Any:
        asked.append(operation)
        return real(scopes, operation)

    monkeypatch.setattr(reading, "caller", caller)
    api = hr.api(hr.token())
    writes_nothing = {"api.preview", "api.preview_undo"}
    calls = 0
    for rule in hr.app.url_map.iter_rules():
        if rule.endpoint.startswith("api.") and "POST" in (rule.methods or ()):
            path = rule.rule.replace("<change_id>", "1").replace("<proposal_id>", "1")
            asked.clear()
            api.post(path, {})
            [operation] = asked
            assert (operation is None) == (rule.endpoint in writes_nothing), rule.endpoint
            calls += 1
    assert calls > 6
