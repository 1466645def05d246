"""Logout tokens: what the demonstration applications believe, and what they do then."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from examples.apps.backchannel import EVENT, LogoutRefused, Refusal, check
from examples.apps.provider import Provider, Tokens
from examples.apps.relying_party import RelyingParty, create_app
from examples.apps.settings import Settings
from tests.bent import bent

CLIENT_ID = "qlvb"
ISSUER = "http://op.invalid"
NOW = 1_780_000_000
KEY = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, private=True)
STRANGER = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256"}, private=True)
SUCCESSOR = ECKey.generate_key("P-256", {"kid": "k2", "alg": "ES256"}, private=True)


def claims(**changes: Any) -> dict[str, Any]:
    """A logout token that holds; a change to None leaves the claim out."""
    given = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "iat": NOW,
        "exp": NOW + 120,
        "jti": "j1",
        "sub": "sub-1",
        "sid": "sid-1",
        "events": {EVENT: {}},
    } | changes
    return {key: value for key, value in given.items() if value is not None}


REFUSED = {
    "wrong issuer": ({"iss": "http://other.invalid"}, Refusal.ISSUER),
    "no issuer": ({"iss": None}, Refusal.ISSUER),
    "wrong audience": ({"aud": "motcua"}, Refusal.AUDIENCE),
    "an audience beside us": ({"aud": [CLIENT_ID, "motcua"]}, Refusal.AUDIENCE),
    "no audience": ({"aud": None}, Refusal.AUDIENCE),
    "issued in the future": ({"iat": NOW + 31}, Refusal.ISSUED_AT),
    "no issue time": ({"iat": None}, Refusal.ISSUED_AT),
    "expired": ({"exp": NOW - 30}, Refusal.EXPIRED),
    "no expiry": ({"exp": None}, Refusal.EXPIRED),
    "expiry that is no time": ({"exp": True}, Refusal.EXPIRED),
    "neither sub nor sid": ({"sub": None, "sid": None}, Refusal.NOBODY),
    "empty sub and no sid": ({"sub": "", "sid": None}, Refusal.NOBODY),
    "no events": ({"events": None}, Refusal.EVENTS),
    "another event": ({"events": {"http://example.org/other": {}}}, Refusal.EVENTS),
    "an event that is no object": ({"events": {EVENT: True}}, Refusal.EVENTS),
    "a nonce": ({"nonce": "n"}, Refusal.NONCE),
    "no jti": ({"jti": None}, Refusal.NO_JTI),
}


@pytest.mark.parametrize(("changes", "refusal"), REFUSED.values(), ids=REFUSED)
def test_a_logout_token_is_refused_for(changes: dict[str, Any], refusal: Refusal) -> None:
    with pytest.raises(LogoutRefused) as refused:
        check({}, claims(**changes), issuer=ISSUER, client_id=CLIENT_ID, now=NOW)

    assert refused.value.refusal is refusal


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", ""])
def test_a_token_of_another_type_is_refused(typ: str) -> None:
    with pytest.raises(LogoutRefused) as refused:
        check({"typ": typ}, claims(), issuer=ISSUER, client_id=CLIENT_ID, now=NOW)

    assert refused.value.refusal is Refusal.TYPE


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "logout+jwt"}])
@pytest.mark.parametrize("changes", [{}, {"sub": None}, {"sid": None}, {"aud": [CLIENT_ID]}])
def test_a_sound_logout_token_is_believed(header: dict[str, str], changes: dict[str, Any]) -> None:
    token = check(header, claims(**changes), issuer=ISSUER, client_id=CLIENT_ID, now=NOW)

    assert token.jti == "j1"


# Below: through the application, with signatures.


class PublishedKeys:
    """A provider of which only the discovery document and the keys are asked for."""

    def __init__(self) -> None:
        self.keys = [KEY]
        self.status = 200
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.url.path == "/jwks":
            keys = [key.as_dict(private=False) for key in self.keys]
            return httpx2.Response(self.status, json={"keys": keys})
        discovery = {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/jwks",
            # A careless provider may offer these; the application must not take them.
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        }
        return httpx2.Response(self.status, json=discovery)


@pytest.fixture
def published() -> PublishedKeys:
    return PublishedKeys()


@pytest.fixture
def app_client(published: PublishedKeys, tmp_path: Path) -> FlaskClient:
    settings = Settings(
        profile="qlvb",
        base_url="http://localhost",
        issuer=ISSUER,
        client_id=CLIENT_ID,
        client_secret="secret",
        scim_token="scim-token",
        store=tmp_path / "store.sqlite",
    )
    transport = httpx2.MockTransport(published)
    provider = Provider(settings, transport=transport, pause=lambda _: None)
    clock = partial(datetime.fromtimestamp, NOW, UTC)
    return create_app(settings, clock=clock, provider=provider).test_client()


@pytest.fixture
def sign_in(app_client: FlaskClient) -> Callable[..., str | None]:
    party: RelyingParty = app_client.application.extensions["relying_party"]

    def start(sub: str, sid: str, *, iat: int | None = None) -> str | None:
        issued = iat or NOW - 60
        return party.sessions.start(
            Tokens("at", "rt", "idt", {"sub": sub, "sid": sid, "iat": issued})
        )

    return start


def signed(key: ECKey = KEY, **changes: Any) -> str:
    body = claims(**changes)
    return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "logout+jwt"}, body, key)


def send(client: FlaskClient, token: str) -> int:
    return client.post("/backchannel-logout", data={"logout_token": token}).status_code


def alive(client: FlaskClient, cookie: str | None) -> bool:
    party: RelyingParty = client.application.extensions["relying_party"]
    return party.sessions.find(cookie) is not None


def test_a_logout_token_with_sid_ends_that_session_only(
    app_client: FlaskClient, sign_in: Callable[..., str | None]
) -> None:
    ended, other = sign_in("sub-1", "sid-1"), sign_in("sub-1", "sid-2")

    assert send(app_client, signed()) == 200

    assert not alive(app_client, ended)
    assert alive(app_client, other)


def test_a_logout_token_without_sid_ends_every_session_of_the_person(
    app_client: FlaskClient, sign_in: Callable[..., str | None]
) -> None:
    hers = [sign_in("sub-1", "sid-1"), sign_in("sub-1", "sid-2")]
    another = sign_in("sub-2", "sid-3")

    assert send(app_client, signed(sid=None)) == 200

    assert [alive(app_client, cookie) for cookie in hers] == [False, False]
    assert alive(app_client, another)


def test_a_sid_of_somebody_else_ends_nothing(
    app_client: FlaskClient, sign_in: Callable[..., str | None]
) -> None:
    cookie = sign_in("sub-2", "sid-1")

    assert send(app_client, signed()) == 200

    assert alive(app_client, cookie)


def test_a_replayed_logout_token_is_refused(app_client: FlaskClient) -> None:
    token = signed()

    assert [send(app_client, token), send(app_client, token)] == [200, 400]


def test_a_sign_in_that_the_logout_overtook_opens_no_session(
    app_client: FlaskClient, sign_in: Callable[..., str | None]
) -> None:
    send(app_client, signed())

    assert sign_in("sub-1", "sid-1") is None
    assert sign_in("sub-1", "sid-1", iat=NOW + 1) is not None


def compact(header: dict[str, str], sign: Callable[[bytes], bytes]) -> str:
    """A JWT put together by hand, as a forger would: libraries refuse to."""
    parts = (header, claims())
    content = b".".join(urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts)
    return (content + b"." + urlsafe_b64encode(sign(content)).rstrip(b"=")).decode()


def unsigned() -> str:
    return compact({"alg": "none"}, lambda _: b"")


def by_the_public_key_as_secret() -> str:
    secret = KEY.as_pem(private=False)
    header = {"alg": "HS256", "kid": "k1"}
    return compact(header, lambda content: hmac.digest(secret, content, "sha256"))


def not_json() -> str:
    return jws.serialize_compact({"alg": "ES256", "kid": "k1"}, b"not json", KEY)


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        by_the_public_key_as_secret,
        not_json,
        lambda: signed(key=STRANGER),
        lambda: signed(key=SUCCESSOR),
        lambda: bent(signed(), -4),
        lambda: "not.a.token",
        lambda: "",
    ],
    ids=[
        "no signature",
        "HMAC with the public key",
        "not JSON",
        "another key under the same id",
        "an unknown key",
        "a changed signature",
        "no token",
        "nothing",
    ],
)
def test_what_the_provider_did_not_sign_is_refused_and_ends_nothing(
    app_client: FlaskClient,
    sign_in: Callable[..., str | None],
    forge: Callable[[], str],
) -> None:
    cookie = sign_in("sub-1", "sid-1")

    assert send(app_client, forge()) == 400

    assert alive(app_client, cookie)


def test_a_key_that_came_after_a_rotation_is_fetched(
    app_client: FlaskClient, published: PublishedKeys
) -> None:
    assert send(app_client, signed()) == 200
    published.keys.append(SUCCESSOR)

    assert send(app_client, signed(key=SUCCESSOR, jti="j2")) == 200


def test_unknown_key_ids_do_not_make_us_hammer_the_provider(
    app_client: FlaskClient, published: PublishedKeys
) -> None:
    for _ in range(5):
        send(app_client, signed(key=SUCCESSOR))

    assert published.asked.count("/jwks") == 2


def test_without_the_keys_of_the_provider_the_sender_is_asked_to_come_again(
    app_client: FlaskClient, published: PublishedKeys
) -> None:
    published.status = 503

    response = app_client.post("/backchannel-logout", data={"logout_token": signed()})

    assert response.status_code == 503
    assert "Retry-After" in response.headers


def test_the_activity_list_tells_what_was_ended_and_what_was_refused(
    app_client: FlaskClient, sign_in: Callable[..., str | None]
) -> None:
    sign_in("sub-1", "sid-1")
    send(app_client, signed())
    send(app_client, signed(jti="j2", nonce="n"))

    done, refused = app_client.get(
        "/activity", headers={"Authorization": "Bearer scim-token"}
    ).get_json()

    assert (done["kind"], done["status"]) == ("backchannel_logout", 200)
    assert done["detail"] == {"jti": "j1", "sub": "sub-1", "sid": "sid-1", "sessions_ended": 1}
    assert (refused["status"], refused["detail"]) == (400, {"refused": "nonce"})


def test_the_answer_may_not_be_kept(app_client: FlaskClient) -> None:
    response = app_client.post("/backchannel-logout", data={"logout_token": signed()})

    assert response.headers["Cache-Control"] == "no-store"
