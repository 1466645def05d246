"""The device flow under attack: guessed codes, stolen codes, and people talked into typing one.

The page is the only thing between an attacker's own device and somebody else's account (RFC 8628
§5.4), so that what it says is tested as well as what it refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from directory.assignments import Assignment
from directory.base.clock import local_day
from directory.entitlements import Installation
from directory.people import User
from idp.factors.counts import Throttle
from idp.oidc import rate_limit
from idp.oidc.authorization import consent
from idp.oidc.clients import AuthMethod, Client, GrantType, Options
from idp.oidc.grant_types import device as devices
from idp.oidc.grant_types.device import DeviceRequest
from idp.oidc.grants import Grant
from idp.oidc.opaque_tokens import Handles
from tests.browser_client import hidden_fields
from tests.device_flow import DEVICE, Device, register_device
from tests.factories import make_assignment, make_user
from tests.relying_party import OPERATOR, Flow, World, build_world

ENDPOINT = "/oauth2/device_authorization"


@dataclass
class Scene:
    """A device that waits, the person in front of it, and somebody else with her own browser."""

    world: World
    device: Device
    thief: Device
    other_browser: Any

    def wrong(self, times: int, browser: Any = None) -> list[Any]:
        """So many codes that nobody shows, typed one after the other."""
        codes = ("BBBB-BBB" + letter for letter in devices.ALPHABET)
        return [self.device.type_code(next(codes), browser) for _ in range(times)]

    def ticket(self) -> dict[str, str]:
        """The hidden fields of the page that asks."""
        return hidden_fields(self.device.confirmation().text)

    def answer(self, form: dict[str, str], browser: Any = None, **fields: str) -> Any:
        """Post the answer from some browser."""
        page = (browser or self.device.browser).get("/device")
        fresh = {"csrf_token": hidden_fields(page.text).get("csrf_token", "")}
        given = form | fresh | {"decision": "allow"} | fields
        return (browser or self.device.browser).post("/device/confirm", data=given)


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, app: Any) -> Scene:
    world = build_world(services, clock)
    device = Device(client, register_device(world)).begin()
    world.sign_in(client)
    other = app.test_client()
    with services.db.write() as session:
        stranger = make_user(session, "Trần Văn Kẻ")
        from directory.units import OrgUnit

        held = make_assignment(session, stranger, session.get_one(OrgUnit, world.other_unit_id))
    world.sign_in(other, user_id=stranger.id, assignment_id=held.id)
    thief = Device(other, register_device(world))
    return Scene(world, device, thief, other)


def test_the_honest_device_is_let_in(scene: Scene) -> None:
    scene.device.decide()
    assert scene.device.poll().status_code == 200


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str = "invalid_grant"
    """What the token endpoint says, or the status of the page."""
    spares: bool = True
    """Whether the honest device is let in afterwards as if nothing had been."""


# ---- at the token endpoint -------------------------------------------------------------------


def _allowed(scene: Scene) -> Device:
    scene.device.decide()
    return scene.device


def _cut(change: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    """Allowed a moment ago, then this, then the device asks."""

    def act(scene: Scene) -> Any:
        device = _allowed(scene)
        change(scene)
        return device.poll()

    return act


def _world(**body: Any) -> Callable[[Scene], Any]:
    return lambda s: s.world.do(user=s.world.user_id, **body)


def _withdrawn(scene: Scene) -> None:
    with scene.world.services.db.write() as session:
        consent.withdraw(
            session,
            user_id=scene.world.user_id,
            client_id=scene.device.party.id,
            actor=OPERATOR,
            now=scene.world.clock(),
        )


def _replayed(scene: Scene) -> Any:
    device = _allowed(scene)
    answer = device.poll().get_json()
    scene.world.clock.advance(seconds=11)
    response = device.poll()
    assert device.flow.introspect(answer["access_token"]) == {"active": False}
    assert device.flow.refresh(answer["refresh_token"]).status_code == 400
    return response


def _epoch(scene: Scene) -> None:
    scene.world.change(Client, scene.device.party.id, epoch=Client.epoch + 1)


def _poll_after_a_cut(scene: Scene) -> Any:
    _epoch(scene)
    return scene.device.poll()


def _hurried(scene: Scene) -> Any:
    for wanted in (5, 10, 15):
        scene.device.poll()
        (row,) = scene.world.all(DeviceRequest)
        assert row.interval == wanted
    return scene.device.poll()


POLLS = [
    Case(
        "a stolen device code",
        "a device code is good for the client that asked",
        "CVE-2023-2585 (Keycloak)",
        lambda s: replace(s.thief, answer=_allowed(s).answer).poll(),
    ),
    Case(
        "a device code of another client, not yet allowed",
        "a device code is good for the client that asked",
        "RFC 8628 §3.4",
        lambda s: replace(s.thief, answer=s.device.answer).poll(),
    ),
    Case(
        "the user code in place of the device code",
        "the code people see gives no tokens",
        "RFC 8628 §5.2",
        lambda s: s.device.poll(s.device.answer["user_code"]),
    ),
    Case(
        "a device code made up",
        "a device code is a handle under our keys",
        "RFC 8628 §5.2",
        lambda s: s.device.poll("ddd_" + "A" * 43),
    ),
    Case(
        "a device code of another installation",
        "a handle is good at the issuer that made it",
        "RFC 9700 §4.4",
        lambda s: s.device.poll(_elsewhere(s)),
    ),
    Case(
        "a device code cut short",
        "a truncated handle is nothing",
        "CWE-345",
        lambda s: s.device.poll(s.device.answer["device_code"][:-1]),
    ),
    Case(
        "no device code",
        "a grant needs its parameters",
        "RFC 8628 §3.4",
        lambda s: s.device.flow.token(grant_type=DEVICE),
        "invalid_request",
    ),
    Case(
        "a client that may not use the flow",
        "a client uses the grants it has registered",
        "RFC 6749 §5.2",
        lambda s: Flow(s.device.browser, s.world.register()).token(
            grant_type=DEVICE, device_code=s.device.answer["device_code"]
        ),
        "unauthorized_client",
    ),
    Case(
        "polling without waiting",
        "who does not wait is slowed down, five seconds each time",
        "RFC 8628 §3.5",
        _hurried,
        "slow_down",
    ),
    Case(
        "a device code used twice",
        "a device code used twice takes back what it gave",
        "RFC 8628 §5.2, RFC 6749 §4.1.2",
        _replayed,
        spares=False,
    ),
    Case(
        "she said no and the device goes on asking",
        "no is no until the end",
        "RFC 8628 §3.5",
        lambda s: (s.device.decide("deny"), s.device.poll(), s.device.poll())[-1],
        "access_denied",
        spares=False,
    ),
    Case(
        "the client was disabled and enabled again before anybody answered",
        "a cut of a client ends the requests that wait for an answer",
        "CWE-613, CWE-672",
        _poll_after_a_cut,
        "expired_token",
        spares=False,
    ),
    Case(
        "transferred between the answer and the poll",
        "an answer is judged when it is fetched",
        "CWE-613",
        _cut(lambda s: _world(kind="transfer", to_unit=s.world.other_unit_id)(s)),
        spares=False,
    ),
    Case(
        "suspended between the answer and the poll",
        "an answer is judged when it is fetched",
        "CWE-613",
        _cut(_world(kind="suspend")),
        spares=False,
    ),
    Case(
        "left between the answer and the poll",
        "an answer is judged when it is fetched",
        "CWE-613",
        _cut(_world(kind="leave", reason="resign")),
        spares=False,
    ),
    Case(
        "her password was changed between the answer and the poll",
        "what raced an open change is dead",
        "CWE-367",
        _cut(lambda s: s.world.change(User, s.world.user_id, access_epoch=User.access_epoch + 1)),
        spares=False,
    ),
    Case(
        "her post ended between the answer and the poll",
        "an answer acts in the capacity it was given in",
        "CWE-863",
        _cut(
            lambda s: s.world.change(
                Assignment, s.world.assignment_id, valid_to=local_day(s.world.clock())
            )
        ),
        spares=False,
    ),
    Case(
        "consent withdrawn between the answer and the poll",
        "a withdrawn consent ends the grants that rest on it",
        "OpenID Connect Core §11",
        _cut(_withdrawn),
        spares=False,
    ),
    Case(
        "the client was disabled and enabled again between the answer and the poll",
        "disabling a client ends what it holds for good",
        "CWE-672",
        _cut(lambda s: s.world.change(Client, s.device.party.id, epoch=Client.epoch + 1)),
        spares=False,
    ),
    Case(
        "restored from a backup between the answer and the poll",
        "a restored installation honours nothing old",
        "CWE-672",
        _cut(lambda s: s.world.change(Installation, 1, epoch=Installation.epoch + 1)),
        spares=False,
    ),
]


def _elsewhere(scene: Scene) -> str:
    tokens = Handles(scene.world.services.keyring, "https://idp.other.example")
    (row,) = scene.world.all(DeviceRequest)
    return tokens.device(row.id)


@pytest.mark.parametrize("case", POLLS, ids=lambda case: case.id)
def test_the_device_gets_nothing(scene: Scene, case: Case) -> None:
    response = case.act(scene)
    assert response.status_code == 400
    assert response.get_json()["error"] == case.error
    assert not {"access_token", "refresh_token", "id_token"} & response.get_json().keys()
    assert response.headers["Cache-Control"] == "no-store"
    if case.spares:
        if not scene.world.all(Grant):
            scene.device.decide()
        assert scene.device.poll().status_code == 200


# ---- at the page -----------------------------------------------------------------------------


def _csrf(scene: Scene) -> Any:
    form = scene.ticket() | {"decision": "allow"}
    del form["csrf_token"]
    return scene.device.browser.post(
        "/device/confirm", data=form, headers={"Origin": "https://evil.example"}
    )


def _csrf_of_somebody_else(scene: Scene) -> Any:
    token = hidden_fields(scene.other_browser.get("/device").text)["csrf_token"]
    form = scene.ticket() | {"decision": "allow", "csrf_token": token}
    return scene.device.browser.post("/device/confirm", data=form)


def _by_get(scene: Scene) -> Any:
    form = scene.ticket() | {"decision": "allow"}
    return scene.device.browser.get("/device/confirm", query_string=form)


def _swapped(scene: Scene) -> Any:
    """The thief types the code of her own device; the victim's browser is to send the answer."""
    scene.thief.begin()
    form = hidden_fields(scene.thief.confirmation().text)
    return scene.answer(form)


def _after_sign_out(scene: Scene) -> Any:
    form = scene.ticket()
    page = scene.device.browser.get("/portal/sessions")
    scene.device.browser.post("/logout", data=hidden_fields(page.text))
    scene.world.sign_in(scene.device.browser)
    return scene.answer(form)


def _ticket_of_this_morning(scene: Scene) -> Any:
    form = scene.ticket()
    scene.world.change(
        DeviceRequest,
        scene.world.all(DeviceRequest)[0].id,
        expires_at=scene.world.clock.now.replace(hour=10),
    )
    scene.world.clock.advance(minutes=11)
    return scene.answer(form)


def _swapped_request(scene: Scene) -> Any:
    """The ticket of one device with the id of another in it."""
    form = scene.ticket()
    scene.thief.begin()
    mine, thiefs = sorted(scene.world.all(DeviceRequest), key=lambda r: r.client_id)
    form["ticket"] = form["ticket"].replace(mine.id, thiefs.id)
    return scene.answer(form)


def _twice(scene: Scene) -> Any:
    form = scene.ticket()
    scene.answer(form, decision="deny")
    return scene.answer(form)


def _without_decision(scene: Scene) -> Any:
    form = scene.ticket()
    return scene.answer(form, decision="")


def _allowed_after_a_cut(scene: Scene) -> Any:
    form = scene.ticket()
    _epoch(scene)
    return scene.answer(form)


def _typed_after_a_cut(scene: Scene) -> Any:
    _epoch(scene)
    return scene.device.type_code()


def _resource_withdrawn(scene: Scene) -> Any:
    """Asked for a resource that the client may no longer have when she answers."""
    party = register_device(scene.world, options=Options(resources=("https://api.example/",)))
    device = Device(scene.device.browser, party).begin(resource="https://api.example/")
    form = hidden_fields(device.confirmation().text)
    scene.world.change(Client, party.id, options={})
    return scene.answer(form)


def _nothing_left(scene: Scene) -> Any:
    form = scene.ticket()
    scene.world.change(Client, scene.device.party.id, scopes=["phone"])
    return scene.answer(form)


PAGES = [
    Case(
        "allowed after the client was cut off",
        "a cut of a client ends the requests that wait for an answer",
        "CWE-613, CWE-672",
        _allowed_after_a_cut,
        "303",
    ),
    Case(
        "typed after the client was cut off",
        "a cut of a client ends the requests that wait for an answer",
        "CWE-613, CWE-672",
        _typed_after_a_cut,
        "422",
    ),
    Case(
        "a resource that was withdrawn meanwhile",
        "what is granted is what the client may have when it is granted",
        "RFC 8707 §2, CWE-367",
        _resource_withdrawn,
        "303",
    ),
    Case(
        "nothing left of the scopes meanwhile",
        "what is granted is what the client may have when it is granted",
        "RFC 6749 §3.3, CWE-367",
        _nothing_left,
        "303",
    ),
    Case(
        "forged from another site",
        "an answer needs the token of our own form",
        "RFC 6749 §10.12, CWE-352",
        _csrf,
        "400",
    ),
    Case(
        "forged with a form token of somebody else",
        "a form token belongs to one browser",
        "CWE-352",
        _csrf_of_somebody_else,
        "400",
    ),
    Case(
        "the answer in an address",
        "an address never decides anything",
        "RFC 8628 §3.3.1",
        _by_get,
        "200",
    ),
    Case(
        "a ticket of another session",
        "who typed the code is who answers",
        "CWE-384, RFC 9700 §4.7",
        _swapped,
        "303",
    ),
    Case(
        "a ticket of a session that has ended",
        "who typed the code is who answers",
        "CWE-613",
        _after_sign_out,
        "303",
    ),
    Case(
        "a ticket of this morning",
        "a page left open does not decide later",
        "CWE-613",
        _ticket_of_this_morning,
        "303",
    ),
    Case(
        "a ticket bent to another device",
        "a ticket is under our keys",
        "CVE-2023-2585 (Keycloak)",
        _swapped_request,
        "303",
    ),
    Case(
        "allowed after it was refused",
        "of two answers one counts",
        "CWE-841",
        _twice,
        "303",
    ),
    Case(
        "no answer at all",
        "what is no yes is a no",
        "CWE-636",
        _without_decision,
        "303",
    ),
]


@pytest.mark.parametrize("case", PAGES, ids=lambda case: case.id)
def test_the_page_lets_nobody_in(scene: Scene, case: Case) -> None:
    response = case.act(scene)
    assert response.status_code == int(case.error), response.text
    assert not response.headers.get("Location", "").endswith("/device/allowed")
    assert not scene.world.all(Grant)
    assert "access_token" not in scene.device.poll().get_json()


# ---- at the device authorization endpoint ----------------------------------------------------


ASKS = [
    Case(
        "nobody",
        "a confidential client proves who it is",
        "RFC 8628 §3.1, RFC 6749 §3.2.1",
        lambda s: s.device.browser.post(ENDPOINT, data={"scope": "openid"}),
        "invalid_client",
    ),
    Case(
        "a confidential client without its secret",
        "a confidential client proves who it is",
        "RFC 8628 §5.6",
        lambda s: s.device.browser.post(
            ENDPOINT, data={"scope": "openid", "client_id": s.device.party.client_id}
        ),
        "invalid_client",
    ),
    Case(
        "a wrong secret",
        "a wrong secret is refused like an unknown client",
        "RFC 6749 §5.2",
        lambda s: replace(s.device, party=replace(s.device.party, secret="x" * 43)).ask(),
        "invalid_client",
    ),
    Case(
        "a disabled client",
        "a disabled client is as good as unknown",
        "CVE-2024-47000 (Zitadel)",
        lambda s: (s.world.change(Client, s.device.party.id, enabled=False), s.device.ask())[-1],
        "invalid_client",
    ),
    Case(
        "a scope it has not registered",
        "a client gets registered scopes only",
        "RFC 6749 §3.3",
        lambda s: s.device.ask(scope="root"),
        "invalid_scope",
    ),
    Case(
        "no scope",
        "what is to be allowed is named",
        "RFC 6749 §3.3",
        lambda s: replace(s.device, scope=None).ask(unknown="1"),
        "invalid_scope",
    ),
    Case(
        "an unknown resource",
        "only known resources are granted",
        "RFC 8707 §2",
        lambda s: s.device.ask(resource="https://luong.example/"),
        "invalid_target",
    ),
    Case(
        "a parameter twice",
        "no parameter may be repeated",
        "RFC 8628 §3.1",
        lambda s: s.device.browser.post(
            ENDPOINT,
            data="scope=openid&scope=org",
            headers=s.device.party.basic,
            content_type="application/x-www-form-urlencoded",
        ),
        "invalid_request",
    ),
    Case(
        "as JSON",
        "the body is a form",
        "RFC 8628 §3.1",
        lambda s: s.device.browser.post(
            ENDPOINT, json={"scope": "openid"}, headers=s.device.party.basic
        ),
        "invalid_request",
    ),
    Case(
        "in the query",
        "parameters stand in the body",
        "RFC 6749 §3.2",
        lambda s: s.device.browser.post(
            ENDPOINT + "?scope=openid",
            data={},
            headers=s.device.party.basic,
            content_type="application/x-www-form-urlencoded",
        ),
        "invalid_scope",
    ),
]


@pytest.mark.parametrize("case", ASKS, ids=lambda case: case.id)
def test_no_codes_are_given(scene: Scene, case: Case) -> None:
    before = len(scene.world.all(DeviceRequest))
    response = case.act(scene)
    assert response.status_code == (401 if case.error == "invalid_client" else 400)
    assert response.get_json()["error"] == case.error
    assert response.headers["Cache-Control"] == "no-store"
    assert len(scene.world.all(DeviceRequest)) == before


def test_only_post_is_answered(scene: Scene) -> None:
    """RFC 8628 §3.1."""
    assert scene.device.browser.get(ENDPOINT).status_code == 405


CASES = [*POLLS, *PAGES, *ASKS]


# ---- guessing --------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_guesses_are_few_for_one_person(scene: Scene) -> None:
    """RFC 8628 §5.1: five wrong codes in ten minutes, then not even the right one."""
    assert [r.status_code for r in scene.wrong(5)] == [422] * 5
    refused = scene.device.type_code()
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 600
    assert scene.thief.begin().type_code().status_code == 303
    scene.world.clock.advance(minutes=10)
    scene.device.begin()
    assert scene.device.type_code().status_code == 303


@pytest.mark.both_databases
def test_a_right_code_between_does_not_forgive_wrong_ones(scene: Scene) -> None:
    """CWE-307: whoever has a device of her own could guess for ever between two of its codes."""
    scene.wrong(4)
    assert scene.device.type_code().status_code == 303
    assert [r.status_code for r in scene.wrong(2)] == [422, 429]


@pytest.mark.both_databases
def test_guesses_are_few_from_one_address(scene: Scene) -> None:
    """RFC 8628 §5.1: many people behind one address do not make many guesses."""
    limit = scene.world.services.settings.source_failures
    with scene.world.services.db.write() as session:
        session.add(
            Throttle(
                key="source:127.0.0.1",
                window_start=scene.world.clock(),
                window_end=scene.world.clock() + timedelta(minutes=10),
                failures=limit - 1,
                locked_until=None,
            )
        )
    assert scene.wrong(1)[0].status_code == 422
    assert scene.device.type_code().status_code == 429
    assert scene.thief.begin().type_code().status_code == 429


def test_what_is_no_code_is_no_guess(scene: Scene) -> None:
    """CWE-20: vowels, digits, NUL, other scripts and long texts reach neither count nor table."""
    for text in ("", "AEIOU", "1234-5678", "BBBB-BBB\0", "ВВВВ-ВВВВ", "B" * 5000, "' OR 1=1 --"):
        assert scene.device.type_code(text).status_code == 422
    assert not scene.world.all(Throttle)
    assert scene.device.type_code().status_code == 303


def test_a_wrong_code_and_an_expired_one_look_the_same(scene: Scene) -> None:
    """CWE-204: nobody learns which codes were ever in use."""
    scene.world.clock.advance(seconds=601)
    gone, never = scene.device.type_code(), scene.wrong(1)[0]
    sentence = "Không có thiết bị nào đang chờ với mã này"
    assert gone.status_code == never.status_code == 422
    assert sentence in gone.text
    assert sentence in never.text


def test_codes_are_as_many_as_the_standard_counts(scene: Scene) -> None:
    """RFC 8628 §6.1: eight of twenty letters, and no two devices show the same."""
    assert len(set(devices.ALPHABET)) == 20
    shown = {scene.device.begin().answer["user_code"] for _ in range(50)}
    assert len(shown) == 50


def test_one_address_has_so_many_devices_of_a_public_client_wait(scene: Scene) -> None:
    """RFC 6819 §4.4.1.11, OWASP API4:2023: whoever knows a client_id fills no table."""
    party = register_device(scene.world, auth_method=AuthMethod.NONE)
    device = Device(scene.device.browser, party)
    for _ in range(rate_limit.MOST):
        device.begin()
    answer = device.ask()
    assert (answer.status_code, answer.get_json()["error"]) == (429, "temporarily_unavailable")
    assert len(scene.world.all(DeviceRequest)) == rate_limit.MOST + 1
    scene.device.begin()  # A client that proves who it is does not count.
    scene.world.clock.advance(minutes=10)
    device.begin()


# ---- phishing --------------------------------------------------------------------------------


def test_the_page_says_what_is_at_stake_and_where_the_device_stands(scene: Scene) -> None:
    """RFC 8628 §5.4; the campaign of Storm-2372 (Microsoft Threat Intelligence, February 2025)."""
    scene.device.browser.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    text = scene.device.confirmation().text
    assert "Chỉ đồng ý nếu chính bạn vừa yêu cầu" in text
    assert "127.0.0.1" in text
    assert "203.0.113.9" in text
    assert "Thiết bị đang ở một mạng khác với bạn" in text
    assert "Lê Thị Lan" in text


def test_a_link_with_the_code_in_it_still_asks_for_the_code(scene: Scene) -> None:
    """RFC 8628 §3.3.1, §5.4: one click must not be enough."""
    uri = scene.device.answer["verification_uri_complete"]
    page = scene.device.browser.get(uri)
    assert "decision" not in page.text
    assert "Không nhập mã do người khác gửi" in page.text


def test_the_text_in_the_address_is_only_ever_a_code(scene: Scene) -> None:
    """CWE-79, CWE-451: nobody puts words of her own on our page."""
    for text in ('"><script>alert(1)</script>', "GỌI 0123 456 789", "BBBB-BBBB<b>"):
        page = scene.device.browser.get("/device", query_string={"user_code": text})
        assert text not in page.text
        assert "<script>" not in page.text
    assert 'value="BBBB-BBBB"' not in page.text


def test_the_pages_are_framed_by_nobody_and_run_nothing(scene: Scene) -> None:
    """RFC 9700 §4.16 (clickjacking); Content Security Policy."""
    for page in (scene.device.browser.get("/device"), scene.device.confirmation()):
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "form-action 'self';" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert "<script" not in page.text


def test_the_name_of_a_client_is_text(scene: Scene) -> None:
    """CWE-79."""
    party = scene.world.register(
        "<b>Kho bạc</b>", grant_types=(GrantType.DEVICE,), redirect_uris=()
    )
    page = Device(scene.device.browser, party).begin().confirmation()
    assert "&lt;b&gt;Kho bạc" in page.text
    assert "<b>Kho" not in page.text


def test_the_row_of_a_refused_device_holds_no_grant(scene: Scene) -> None:
    scene.device.decide("deny")
    with scene.world.services.db.read() as session:
        row = session.scalars(select(DeviceRequest)).one()
    assert row.decided_at is not None
    assert row.grant_id is None
