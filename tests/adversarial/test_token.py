"""The token endpoint under attack: codes, refresh tokens, exchange, machines, and the request itself.

Every case is one forged, stolen, stale or malformed request. It is refused with the error the
standard names and gives no token; and where the attack must cost the honest client nothing, her
own code and refresh token are used right after it.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from directory.base.crypto import Keyring
from directory.entitlements import Application, Installation, Rule, installation
from directory.people import User
from idp.oidc.authorization import consent
from idp.oidc.clients import AuthMethod, Client, GrantType, Options, TokenFormat
from idp.oidc.grants import Grant
from idp.oidc.opaque_tokens import Access, Code, Handles, Machine, Refresh
from idp.oidc.tokens import Tokens
from tests.device_flow import DEVICE
from tests.forgeries import FORGERIES as BENT
from tests.forgeries import Genuine
from tests.relying_party import OPERATOR, REDIRECT, Flow, World, build_world

EXCHANGE = GrantType.EXCHANGE.value
TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS = TYPE + "access_token"
EVERY = (GrantType.CODE, GrantType.REFRESH, GrantType.EXCHANGE)


@dataclass
class Scene:
    """An honest client with a code in hand and tokens in use, and a thief beside it."""

    world: World
    flow: Flow
    thief: Flow
    machine: Flow
    code: str
    held: dict[str, Any]
    other_keyring: Keyring

    @property
    def tokens(self) -> Tokens:
        """What makes this installation's tokens."""
        return Tokens(self.world.services)

    @property
    def code_form(self) -> dict[str, str]:
        """The honest redemption."""
        return {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.flow.verifier,
        }

    @property
    def refresh_form(self) -> dict[str, str]:
        """The honest refresh."""
        return {"grant_type": "refresh_token", "refresh_token": self.held["refresh_token"]}

    @property
    def exchange_form(self) -> dict[str, str]:
        """The honest exchange."""
        return {
            "grant_type": EXCHANGE,
            "subject_token": self.held["access_token"],
            "subject_token_type": ACCESS,
        }

    def redeem(self, **changes: str | None) -> Any:
        """The honest redemption, changed."""
        return self.flow.token(**(self.code_form | changes))

    def refresh(self, **changes: str | None) -> Any:
        """The honest refresh, changed."""
        return self.flow.token(**(self.refresh_form | changes))

    def exchange(self, **changes: str | None) -> Any:
        """The honest exchange, changed."""
        return self.flow.token(**(self.exchange_form | changes))

    def raw(
        self, body: str | bytes, content_type: str = "application/x-www-form-urlencoded"
    ) -> Any:
        """Any body, as the honest client."""
        return self.flow.browser.post(
            "/oauth2/token", data=body, content_type=content_type, headers=self.flow.party.basic
        )

    def twice(self, form: dict[str, str], name: str) -> Any:
        """The form with one parameter repeated."""
        return self.raw(urlencode([*form.items(), (name, form[name])]))

    def elsewhere(self) -> Handles:
        """Handles of another installation under the same keys."""
        return Handles(self.world.services.keyring, "https://idp.other.example")

    def grants(self) -> dict[str, Any]:
        """What the honest client holds: nothing of it may change by an attack."""
        return {
            g.id: (g.code_used_at, g.refresh_generation, g.revoked_at)
            for g in self.world.all(Grant)
            if g.client_id == self.flow.party.id
        }

    def grant_id(self) -> str:
        """The grant behind the tokens in use."""
        held = self.tokens.handles.open_access(self.held["access_token"])
        assert held is not None
        return held.grant_id


def _goes_on(scene: Scene) -> None:
    """The attack has cost the honest client nothing."""
    assert scene.flow.introspect(scene.held["access_token"])["active"] is True
    assert scene.refresh().status_code == 200
    assert scene.redeem().status_code == 200


def _code_goes_on(scene: Scene) -> None:
    assert scene.redeem().status_code == 200


def _all_dead(scene: Scene) -> None:
    """What hangs on the grant in use is gone."""
    assert scene.flow.introspect(scene.held["access_token"]) == {"active": False}
    assert scene.refresh().status_code in (400, 401)


def _nothing(_scene: Scene) -> None:
    """The case itself has ended what it was about."""


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str = "invalid_grant"
    status: int = 400
    then: Callable[[Scene], None] = _goes_on


def _bits(text: str, at: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(text[4:] + "=" * (-len(text[4:]) % 4)))
    raw[at % len(raw)] ^= 1 << at % 8
    return text[:4] + base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


def _last_letter(text: str) -> str:
    """Another spelling of the same bytes: base64 leaves bits unused in the last letter."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) ^ 1]


def _sealed_by(keyring: Keyring, scene: Scene) -> Handles:
    return Handles(keyring, scene.world.services.settings.issuer)


def _later(seconds: int) -> Callable[[Scene], None]:
    return lambda scene: scene.world.clock.advance(seconds=seconds)


def _after(change: Callable[[Scene], Any], act: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    def both(scene: Scene) -> Any:
        change(scene)
        return act(scene)

    return both


def _change(row: type, key: Callable[[Scene], Any], **values: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.world.change(row, key(scene), **values)


def _me(scene: Scene) -> int:
    return scene.world.user_id


def _client(scene: Scene) -> int:
    return scene.flow.party.id


CODES = [
    Case(
        "code of another client",
        "a code is good for the client it was issued to",
        "RFC 6749 §4.1.3",
        lambda s: s.thief.token(**s.code_form),
    ),
    Case(
        "code injected by the thief's own verifier",
        "a code is good with the verifier of the request it answers",
        "RFC 9700 §4.5",
        lambda s: s.redeem(code_verifier=s.thief.verifier),
    ),
    Case(
        "no verifier",
        "a challenge cannot be answered by silence",
        "CVE-2023-48228 (authentik)",
        lambda s: s.redeem(code_verifier=None),
        "invalid_grant",
    ),
    Case(
        "empty verifier",
        "an empty parameter counts as left out",
        "RFC 6749 §3.2",
        lambda s: s.redeem(code_verifier=""),
        "invalid_grant",
    ),
    Case(
        "the challenge itself as verifier",
        "PKCE is S256, never plain",
        "RFC 9700 §2.1.1",
        lambda s: s.redeem(code_verifier=s.flow.query["code_challenge"]),
    ),
    Case(
        "verifier with its own challenge",
        "a challenge is given with the authorization request and nowhere else",
        "RFC 7636 §4.3",
        lambda s: s.redeem(
            code_verifier="a" * 43, code_challenge="a" * 43, code_challenge_method="plain"
        ),
    ),
    Case(
        "one-letter verifier",
        "a verifier has 43 to 128 letters, so that guessing it is no way in",
        "CVE-2026-41213 (node-oauth2-server)",
        lambda s: s.redeem(code_verifier="a"),
        "invalid_request",
    ),
    Case(
        "verifier of 129 letters",
        "a verifier has 43 to 128 letters, so that guessing it is no way in",
        "RFC 7636 §4.1",
        lambda s: s.redeem(code_verifier="a" * 129),
        "invalid_request",
    ),
    Case(
        "verifier in other letters",
        "a verifier is made of unreserved characters",
        "RFC 7636 §4.1",
        lambda s: s.redeem(code_verifier="ă" * 43),
        "invalid_request",
    ),
    Case(
        "verifier for a code without challenge",
        "who takes the challenge away is noticed by the verifier that is left",
        "CVE-2024-23647 (authentik), RFC 9700 §4.8.2",
        lambda s: _downgraded(s),
        "invalid_request",
    ),
    Case(
        "other redirect URI",
        "the redirect URI is the one of the authorization request",
        "RFC 6749 §4.1.3",
        lambda s: s.redeem(redirect_uri="http://localhost:9001/other"),
    ),
    Case(
        "another registered redirect URI",
        "the redirect URI is the one of the authorization request",
        "RFC 9700 §4.1.3",
        lambda s: s.redeem(redirect_uri=REDIRECT + "/second"),
    ),
    Case(
        "redirect URI with a slash more",
        "redirect URIs are compared letter by letter",
        "RFC 9700 §2.1",
        lambda s: s.redeem(redirect_uri=REDIRECT + "/"),
    ),
    Case(
        "no redirect URI",
        "the redirect URI is repeated where the request named one",
        "RFC 6749 §4.1.3",
        lambda s: s.redeem(redirect_uri=None),
    ),
    Case(
        "stale code",
        "a code lives a minute",
        "RFC 6749 §4.1.2",
        _after(_later(61), lambda s: s.redeem()),
        then=_nothing,
    ),
    Case(
        "code used twice",
        "a code used twice takes back what it gave",
        "RFC 6749 §4.1.2",
        lambda s: _replayed(s),
        then=_nothing,
    ),
    Case(
        "code replayed by a thief",
        "whoever only saw a used code ends nothing",
        "RFC 6749 §4.1.2",
        lambda s: _replayed(s, by=s.thief),
        then=_nothing,
    ),
    Case(
        "code of a session that has ended",
        "signing out ends what is on its way",
        "CVE-2022-3916 (Keycloak)",
        _after(lambda s: _sign_out(s), lambda s: s.redeem()),
        then=_nothing,
    ),
    Case(
        "code of somebody suspended since",
        "a code is judged when it is used",
        "CWE-613",
        _after(lambda s: s.world.do(kind="suspend", user=s.world.user_id), lambda s: s.redeem()),
        then=_all_dead,
    ),
    Case(
        "code under an old epoch",
        "what raced an open change is dead",
        "CWE-367",
        _after(_change(User, _me, access_epoch=User.access_epoch + 1), lambda s: s.redeem()),
        then=_all_dead,
    ),
    Case(
        "code whose entitlement has gone",
        "rules are asked again when the code is redeemed",
        "CWE-863",
        lambda s: _unentitled(s),
        then=_nothing,
    ),
]


def _downgraded(scene: Scene) -> Any:
    party = scene.world.register("Cũ", options=Options(require_pkce=False))
    old = Flow(scene.flow.browser, party)
    code = old.code(code_challenge=None, code_challenge_method=None)
    form = scene.code_form | {"code": code}
    response = old.token(**form)
    assert old.token(**(form | {"code_verifier": None})).status_code == 200
    return response


def _replayed(scene: Scene, by: Flow | None = None) -> Any:
    answer = scene.redeem().get_json()
    response = (by or scene.flow).token(**scene.code_form)
    assert scene.flow.introspect(answer["access_token"])["active"] is (by is not None)
    return response


def _sign_out(scene: Scene) -> None:
    from tests.browser_client import hidden_fields

    page = scene.flow.browser.get("/portal/sessions")
    scene.flow.browser.post("/logout", data=hidden_fields(page.text))


def _unentitled(scene: Scene) -> Any:
    party = scene.world.restricted()
    restricted = Flow(scene.flow.browser, party)
    assert restricted.tokens()
    code = restricted.code()
    with scene.world.services.db.write() as session:
        session.query(Rule).delete()
        installation(session).rules_revision += 1
    return restricted.redeem(code)


FORGERIES = (
    [
        Case(
            f"code, bit {at} flipped",
            "a handle with any bit changed is nothing",
            "CWE-347",
            lambda s, at=at: s.redeem(code=_bits(s.code, at)),
        )
        for at in (0, 7, 15, 16, 31)
    ]
    + [
        Case(
            f"code, {what}",
            rule,
            source,
            lambda s, bent=bent: s.redeem(code=bent(s.code)),
            error,
        )
        for what, rule, source, bent, error in (
            (
                "cut short",
                "a truncated handle is nothing",
                "CWE-345",
                lambda c: c[:-2],
                "invalid_grant",
            ),
            (
                "its prefix alone",
                "a truncated handle is nothing",
                "CWE-345",
                lambda c: c[:4],
                "invalid_grant",
            ),
            (
                "spelt otherwise",
                "one token has one spelling",
                "RFC 4648 §3.5",
                _last_letter,
                "invalid_grant",
            ),
            (
                "padded",
                "one token has one spelling",
                "RFC 4648 §3.2",
                lambda c: c + "=",
                "invalid_grant",
            ),
            (
                "in capitals",
                "one token has one spelling",
                "RFC 6749 Appendix A",
                str.upper,
                "invalid_grant",
            ),
            (
                "in full-width letters",
                "a code is ASCII",
                "RFC 6749 Appendix A.11",
                lambda c: "ｄｄｃ" + c[3:],
                "invalid_grant",
            ),
            (
                "with a NUL behind it",
                "no parameter holds a NUL",
                "CWE-158",
                lambda c: c + "\0",
                "invalid_request",
            ),
            (
                "with a line break",
                "one token has one spelling",
                "CWE-93",
                lambda c: c + "\r\n",
                "invalid_grant",
            ),
            (
                "nine thousand letters long",
                "what is too long is not looked at",
                "CWE-770, CVE-2025-61920 (Authlib)",
                lambda c: c * 200,
                "invalid_request",
            ),
            (
                "asking the database something",
                "a handle is opened before the database is asked",
                "CWE-89",
                lambda c: c[:4] + "' OR 1=1 --",
                "invalid_grant",
            ),
            (
                "empty",
                "an empty parameter counts as left out",
                "RFC 6749 §3.2",
                lambda c: "",
                "invalid_request",
            ),
        )
    ]
    + [
        Case(
            "code of another installation",
            "a handle is good at the issuer that made it",
            "RFC 9700 §4.4",
            lambda s: s.redeem(code=s.elsewhere().code(Code(s.grant_id()))),
        ),
        Case(
            "code under another key",
            "a handle is good under our keys alone",
            "CWE-347",
            lambda s: s.redeem(code=_sealed_by(s.other_keyring, s).code(Code(s.grant_id()))),
        ),
        Case(
            "refresh token under another key",
            "a handle is good under our keys alone",
            "CWE-347",
            lambda s: s.refresh(
                refresh_token=_sealed_by(s.other_keyring, s).refresh(Refresh(s.grant_id(), 0))
            ),
        ),
        Case(
            "refresh token of another installation",
            "a handle is good at the issuer that made it",
            "RFC 9700 §4.4",
            lambda s: s.refresh(refresh_token=s.elsewhere().refresh(Refresh(s.grant_id(), 0))),
        ),
        Case(
            "refresh token, a bit flipped",
            "a handle with any bit changed is nothing",
            "CWE-347",
            lambda s: s.refresh(refresh_token=_bits(s.held["refresh_token"], 19)),
        ),
        Case(
            "a generation nobody was given",
            "a refresh token of the future is nothing",
            "RFC 6749 §10.4",
            lambda s: s.refresh(refresh_token=s.tokens.handles.refresh(Refresh(s.grant_id(), 7))),
        ),
    ]
)

KINDS = (
    [
        Case(
            f"{name} as a code",
            "each token is good for one thing only",
            "RFC 9700 §4.9",
            lambda s, pick=pick: s.redeem(code=pick(s)),
        )
        for name, pick in (
            ("access token", lambda s: s.held["access_token"]),
            ("refresh token", lambda s: s.held["refresh_token"]),
            ("ID token", lambda s: s.held["id_token"]),
            ("device code", lambda s: s.tokens.handles.device(s.grant_id())),
            ("pushed request", lambda s: s.tokens.handles.pushed(s.grant_id())),
        )
    ]
    + [
        Case(
            f"{name} as a refresh token",
            "each token is good for one thing only",
            "RFC 6749 §1.5",
            lambda s, pick=pick: s.refresh(refresh_token=pick(s)),
        )
        for name, pick in (
            ("access token", lambda s: s.held["access_token"]),
            ("ID token", lambda s: s.held["id_token"]),
            ("code", lambda s: s.code),
            ("machine's token", lambda s: _machine_token(s)),
        )
    ]
    + [
        Case(
            f"{name} as a subject token",
            "only an access token is exchanged",
            "RFC 8693 §3",
            lambda s, pick=pick: s.exchange(subject_token=pick(s)),
            "invalid_request",
        )
        for name, pick in (
            ("refresh token", lambda s: s.held["refresh_token"]),
            ("ID token", lambda s: s.held["id_token"]),
            ("code", lambda s: s.code),
            ("device code", lambda s: s.tokens.handles.device(s.grant_id())),
        )
    ]
    + [
        Case(
            "code at the device grant",
            "a code is named by the parameter of its grant",
            "RFC 8628 §3.4",
            lambda s: _device_client(s).token(grant_type=DEVICE, device_code=s.code),
        ),
        Case(
            "code with the grant of refresh",
            "a grant reads its own parameters only",
            "RFC 6749 §6",
            lambda s: s.redeem(grant_type="refresh_token"),
            "invalid_request",
        ),
        Case(
            "refresh token with the grant of codes",
            "a grant reads its own parameters only",
            "RFC 6749 §4.1.3",
            lambda s: s.refresh(grant_type="authorization_code"),
            "invalid_request",
        ),
    ]
)


def _machine_token(scene: Scene) -> str:
    return str(scene.machine.token(grant_type="client_credentials").get_json()["access_token"])


def _device_client(scene: Scene) -> Flow:
    party = scene.world.register("Máy", grant_types=(GrantType.DEVICE,), redirect_uris=())
    return Flow(scene.flow.browser, party)


REFRESH = [
    Case(
        "refresh token of another client",
        "a refresh token is good for the client it was issued to",
        "RFC 6749 §6",
        lambda s: s.thief.token(**s.refresh_form),
    ),
    Case(
        "wider scope",
        "a refresh never widens the scope",
        "RFC 6749 §6",
        lambda s: s.refresh(scope="openid email org"),
        "invalid_scope",
    ),
    Case(
        "unknown scope",
        "a refresh never widens the scope",
        "RFC 6749 §6",
        lambda s: s.refresh(scope="root"),
        "invalid_scope",
    ),
    Case(
        "reuse after the retry's ten seconds",
        "a refresh token used twice ends the whole family",
        "RFC 9700 §4.14.2",
        lambda s: _reused(s, wait=11),
        then=_all_dead,
    ),
    Case(
        "reuse of one two generations old",
        "a refresh token used twice ends the whole family",
        "RFC 9700 §4.14.2",
        lambda s: _reused(s, times=2),
        then=_all_dead,
    ),
    Case(
        "reuse by a thief within ten seconds",
        "whoever only saw a used token ends nothing",
        "RFC 9700 §4.14.2",
        lambda s: _reused(s, by=s.thief),
        then=_nothing,
    ),
    Case(
        "refresh token of a code never redeemed",
        "no refresh before the code was redeemed",
        "RFC 6749 §1.5",
        lambda s: _before_the_code(s),
    ),
    Case(
        "after thirty days",
        "a refresh token expires",
        "RFC 9700 §4.14.2",
        _after(_later(31 * 24 * 3600), lambda s: s.refresh()),
        then=_nothing,
    ),
    Case(
        "after giving it back",
        "what was revoked is dead",
        "RFC 7009 §2.1",
        _after(
            lambda s: s.flow.post("/oauth2/revoke", {"token": s.held["refresh_token"]}),
            lambda s: s.refresh(),
        ),
        then=_code_goes_on,
    ),
    Case(
        "after signing out",
        "an online grant ends with its session",
        "CVE-2022-3916 (Keycloak)",
        _after(_sign_out, lambda s: s.refresh()),
        then=_nothing,
    ),
    Case(
        "after the consent was withdrawn",
        "a withdrawn consent ends the grants that rest on it",
        "OpenID Connect Core §11",
        _after(lambda s: _withdraw(s), lambda s: s.refresh()),
        then=_all_dead,
    ),
    Case(
        "after a restore from backup",
        "a restored installation honours nothing old",
        "CWE-672",
        _after(
            _change(Installation, lambda s: 1, epoch=Installation.epoch + 1), lambda s: s.refresh()
        ),
        then=_all_dead,
    ),
    Case(
        "after the client was disabled and enabled again",
        "disabling a client ends what it holds for good",
        "CVE-2024-47000 (Zitadel)",
        _after(_change(Client, _client, epoch=Client.epoch + 1), lambda s: s.refresh()),
        then=_all_dead,
    ),
]


def _reused(scene: Scene, *, by: Flow | None = None, wait: int = 0, times: int = 1) -> Any:
    text = scene.held["refresh_token"]
    answer = scene.refresh().get_json()
    for _ in range(times - 1):
        answer = scene.refresh(refresh_token=answer["refresh_token"]).get_json()
    scene.world.clock.advance(seconds=wait)
    response = (by or scene.flow).token(grant_type="refresh_token", refresh_token=text)
    kept = by is not None
    assert scene.flow.introspect(answer["access_token"])["active"] is kept
    again = scene.refresh(refresh_token=answer["refresh_token"])
    assert again.status_code == (200 if kept else 400)
    return response


def _before_the_code(scene: Scene) -> Any:
    opened = scene.tokens.handles.open_code(scene.code)
    assert opened is not None
    return scene.refresh(refresh_token=scene.tokens.handles.refresh(Refresh(opened.grant_id, 0)))


def _withdraw(scene: Scene) -> None:
    with scene.world.services.db.write() as session:
        consent.withdraw(
            session,
            user_id=scene.world.user_id,
            client_id=scene.flow.party.id,
            actor=OPERATOR,
            now=scene.world.clock(),
        )


EXCHANGES = [
    Case(
        "token of another client",
        "only the client it was issued to exchanges a token",
        "CVE-2022-1245 (Keycloak)",
        lambda s: s.thief.token(**s.exchange_form),
        "invalid_request",
    ),
    Case(
        "for another client's audience",
        "no token is issued for another audience",
        "RFC 8693 §2.2.2",
        lambda s: s.exchange(audience=s.thief.party.client_id),
        "invalid_target",
    ),
    Case(
        "for its own audience",
        "what is not honoured is refused, not ignored",
        "RFC 8693 §2.1",
        lambda s: s.exchange(audience=s.flow.party.client_id),
        "invalid_target",
    ),
    Case(
        "for a resource that was never granted",
        "resources only ever become fewer",
        "RFC 8707 §2.2",
        lambda s: s.exchange(resource="https://luong.example/"),
        "invalid_target",
    ),
    Case(
        "on behalf of an actor",
        "nobody acts for anybody else",
        "RFC 8693 §2.1",
        lambda s: s.exchange(actor_token=s.held["access_token"], actor_token_type=ACCESS),
        "invalid_request",
    ),
    Case(
        "an actor's type without an actor",
        "nobody acts for anybody else",
        "RFC 8693 §2.1",
        lambda s: s.exchange(actor_token_type=ACCESS),
        "invalid_request",
    ),
    Case(
        "wanting a refresh token",
        "exchange gives access tokens only",
        "RFC 8693 §2.2.1",
        lambda s: s.exchange(requested_token_type=TYPE + "refresh_token"),
        "invalid_request",
    ),
    Case(
        "wanting an ID token",
        "exchange gives access tokens only",
        "RFC 8693 §3",
        lambda s: s.exchange(requested_token_type=TYPE + "id_token"),
        "invalid_request",
    ),
    Case(
        "an access token called an ID token",
        "a subject token is what its type says",
        "RFC 8693 §2.1",
        lambda s: s.exchange(subject_token_type=TYPE + "id_token"),
        "invalid_request",
    ),
    Case(
        "a handle called a JWT",
        "a subject token is what its type says",
        "RFC 8693 §3",
        lambda s: s.exchange(subject_token_type=TYPE + "jwt"),
        "invalid_request",
    ),
    Case(
        "wider scope for an exchanged token",
        "exchange never widens the scope",
        "RFC 8693 §5",
        lambda s: s.exchange(scope="openid email org"),
        "invalid_scope",
    ),
    Case(
        "a child's way back to its parent's scope",
        "exchange never widens the scope",
        "RFC 8693 §5",
        lambda s: s.exchange(
            subject_token=s.exchange(scope="openid").get_json()["access_token"],
            scope="openid email",
        ),
        "invalid_scope",
    ),
    Case(
        "an expired token",
        "a dead token is exchanged for nothing",
        "RFC 8693 §2.2.2",
        _after(_later(301), lambda s: s.exchange()),
        "invalid_request",
        then=_nothing,
    ),
    Case(
        "a revoked token",
        "a dead token is exchanged for nothing",
        "RFC 8693 §2.2.2",
        _after(
            lambda s: s.flow.post("/oauth2/revoke", {"token": s.held["access_token"]}),
            lambda s: s.exchange(),
        ),
        "invalid_request",
        then=_code_goes_on,
    ),
    Case(
        "a token of another installation",
        "a handle is good at the issuer that made it",
        "RFC 9700 §4.4",
        lambda s: s.exchange(
            subject_token=s.elsewhere().access(
                replace(_opened(s), expires_at=s.world.clock.advance(seconds=0))
            )
        ),
        "invalid_request",
    ),
    Case(
        "by a client without the grant",
        "a client uses the grants it has registered",
        "RFC 6749 §5.2",
        lambda s: _plain_client(s, s.exchange_form),
        "unauthorized_client",
    ),
    Case(
        "by a public client",
        "who keeps no secret exchanges nothing",
        "RFC 8693 §5",
        lambda s: _public_exchange(s),
        "unauthorized_client",
    ),
]


FORGED = [
    Case(
        f"subject token: {each.id}",
        each.rule,
        each.source,
        lambda s, each=each: _exchange_forged(s, each.forge),
        "invalid_request",
    )
    for each in BENT
]


def _exchange_forged(scene: Scene, forge: Callable[[Genuine], str]) -> Any:
    party = scene.world.register(
        "JWT", grant_types=EVERY, access_token_format=TokenFormat.JWT, id_token_alg="RS256"
    )
    flow = Flow(scene.flow.browser, party)
    genuine = Genuine(flow.tokens()["access_token"], flow.browser.get("/oauth2/jwks").get_json())
    form = scene.exchange_form | {"subject_token_type": TYPE + "jwt"}
    assert flow.token(**(form | {"subject_token": genuine.text})).status_code == 200
    return flow.token(**(form | {"subject_token": forge(genuine)}))


def _opened(scene: Scene) -> Access:
    held = scene.tokens.handles.open_access(scene.held["access_token"])
    assert held is not None
    return held


def _plain_client(scene: Scene, form: dict[str, str]) -> Any:
    return Flow(scene.flow.browser, scene.world.register("Thường")).token(**form)


def _public_exchange(scene: Scene) -> Any:
    """Even if its row came to name the grant."""
    party = scene.world.register("Công khai", auth_method=AuthMethod.NONE)
    scene.world.change(Client, party.id, grant_types=[g.value for g in EVERY])
    public = Flow(scene.flow.browser, party)
    form = scene.exchange_form | {"subject_token": public.tokens()["access_token"]}
    return public.token(**form)


MACHINES = [
    Case(
        f"a machine asks for {scope}",
        "a machine gets no scope about a person",
        "RFC 6749 §4.4.2",
        lambda s, scope=scope: s.machine.token(grant_type="client_credentials", scope=scope),
        "invalid_scope",
    )
    for scope in ("openid", "offline_access", "changes:read profile", "changes:write", "root")
] + [
    Case(
        "a web client on its own account",
        "a client uses the grants it has registered",
        "RFC 6749 §5.2",
        lambda s: s.flow.token(grant_type="client_credentials"),
        "unauthorized_client",
    ),
    Case(
        "a machine redeems a code",
        "a client uses the grants it has registered",
        "RFC 6749 §5.2",
        lambda s: s.machine.token(**s.code_form),
        "unauthorized_client",
    ),
    Case(
        "a machine's token under old counters",
        "a machine's token ends with what it was issued under",
        "CVE-2023-0091 (Keycloak)",
        lambda s: _old_machine(s),
        "invalid_request",
    ),
    Case(
        "a machine's token with counters of its own making",
        "a handle is good under our keys alone",
        "CWE-347",
        lambda s: _forged_machine(s),
        "invalid_request",
    ),
]


def _exchanging_machine(scene: Scene) -> Flow:
    grants = (GrantType.CLIENT, GrantType.EXCHANGE)
    party = scene.world.register(
        "Máy đổi", grant_types=grants, redirect_uris=(), scopes=("changes:read",)
    )
    return Flow(scene.flow.browser, party)


def _old_machine(scene: Scene) -> Any:
    machine = _exchanging_machine(scene)
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    form = scene.exchange_form | {"subject_token": text}
    assert machine.token(**form).status_code == 200
    scene.world.change(Client, machine.party.id, epoch=Client.epoch + 1)
    return machine.token(**form)


def _forged_machine(scene: Scene) -> Any:
    machine = _exchanging_machine(scene)
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    held = scene.tokens.handles.open_machine(text)
    assert isinstance(held, Machine)
    more = replace(held, scopes=("changes:read", "changes:write"))
    forged = _sealed_by(scene.other_keyring, scene).machine(more)
    return machine.token(**(scene.exchange_form | {"subject_token": forged}))


REQUESTS = (
    [
        Case(
            f"{name} twice",
            "no parameter may be repeated",
            "RFC 6749 §3.2",
            lambda s, name=name: s.twice(s.code_form, name),
            "invalid_request",
        )
        for name in ("grant_type", "code", "redirect_uri", "code_verifier")
    ]
    + [
        Case(
            "refresh_token twice",
            "no parameter may be repeated",
            "CWE-235",
            lambda s: s.twice(s.refresh_form, "refresh_token"),
            "invalid_request",
        ),
        Case(
            "scope twice, the second one wider",
            "no parameter may be repeated",
            "CWE-235",
            lambda s: s.raw(
                urlencode([*s.refresh_form.items(), ("scope", "openid"), ("scope", "org")])
            ),
            "invalid_request",
        ),
        Case(
            "subject_token twice",
            "no parameter may be repeated",
            "RFC 8693 §2.1",
            lambda s: s.twice(s.exchange_form, "subject_token"),
            "invalid_request",
        ),
        Case(
            "in the query",
            "parameters stand in the body",
            "RFC 6749 §3.2",
            lambda s: s.flow.browser.post(
                "/oauth2/token?" + urlencode(s.code_form),
                data={},
                headers=s.flow.party.basic,
                content_type="application/x-www-form-urlencoded",
            ),
            "invalid_request",
        ),
        Case(
            "the code in the query, the rest in the body",
            "parameters stand in the body",
            "RFC 9700 §4.3.1",
            lambda s: s.flow.browser.post(
                f"/oauth2/token?code={s.code}",
                data={k: v for k, v in s.code_form.items() if k != "code"},
                headers=s.flow.party.basic,
            ),
            "invalid_request",
        ),
        Case(
            "as JSON",
            "the body is a form",
            "RFC 6749 §4.1.3",
            lambda s: s.raw(json.dumps(s.code_form), "application/json"),
            "invalid_request",
        ),
        Case(
            "as multipart",
            "the body is a form",
            "RFC 6749 Appendix B",
            lambda s: s.flow.browser.post(
                "/oauth2/token",
                data=s.code_form,
                headers=s.flow.party.basic,
                content_type="multipart/form-data",
            ),
            "invalid_request",
        ),
        Case(
            "as plain text",
            "the body is a form",
            "RFC 6749 Appendix B",
            lambda s: s.raw(urlencode(s.code_form), "text/plain"),
            "invalid_request",
        ),
        Case(
            "no grant type",
            "a request names its grant",
            "RFC 6749 §5.2",
            lambda s: s.redeem(grant_type=None),
            "invalid_request",
        ),
        Case(
            "no code",
            "a grant needs its parameters",
            "RFC 6749 §5.2",
            lambda s: s.redeem(code=None),
            "invalid_request",
        ),
        Case(
            "no refresh token",
            "a grant needs its parameters",
            "RFC 6749 §6",
            lambda s: s.refresh(refresh_token=None),
            "invalid_request",
        ),
        Case(
            "letters that are no UTF-8",
            "what cannot be read is refused, not a fault",
            "CWE-20",
            lambda s: s.raw(b"grant_type=authorization_code&code=%ff%fe"),
        ),
        Case(
            "ten thousand parameters",
            "what is too long is not looked at",
            "CWE-770",
            lambda s: s.raw("&".join(f"p{n}=1" for n in range(900)) + "&" + "x=" + "y" * 9000),
            "invalid_request",
        ),
    ]
    + [
        Case(
            f"grant type {kind!r}",
            rule,
            source,
            lambda s, kind=kind: s.redeem(
                grant_type=kind, username="lan", password="x", assertion="x"
            ),
            "unsupported_grant_type",
        )
        for kind, rule, source in (
            ("password", "passwords are typed on our own page only", "RFC 9700 §2.4"),
            ("implicit", "only the token endpoint's own grants are answered", "RFC 6749 §5.2"),
            ("Authorization_Code", "names are compared letter by letter", "RFC 6749 §1.4"),
            ("authorization_code ", "names are compared letter by letter", "RFC 6749 §1.4"),
            (
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertions are no grant here",
                "RFC 7523 §2.1",
            ),
            (
                "urn:ietf:params:oauth:grant-type:saml2-bearer",
                "assertions are no grant here",
                "RFC 7522 §2.1",
            ),
            (
                "urn:openid:params:grant-type:ciba",
                "what is not advertised is refused",
                "RFC 8414 §2",
            ),
            ("__class__", "only the token endpoint's own grants are answered", "CWE-470"),
        )
    ]
)

CLIENTS = [
    Case(
        "nobody",
        "a confidential client proves who it is",
        "RFC 6749 §3.2.1",
        lambda s: s.flow.browser.post("/oauth2/token", data=s.code_form),
        "invalid_client",
        401,
    ),
    Case(
        "its name without its secret",
        "a confidential client proves who it is",
        "RFC 6749 §3.2.1",
        lambda s: s.flow.browser.post(
            "/oauth2/token", data=s.code_form | {"client_id": s.flow.party.client_id}
        ),
        "invalid_client",
        401,
    ),
    Case(
        "a wrong secret",
        "a wrong secret is refused like an unknown client",
        "RFC 6749 §5.2",
        lambda s: _as(s, replace(s.flow.party, secret="x" * 43)),
        "invalid_client",
        401,
    ),
    Case(
        "another client's secret",
        "a secret belongs to one client",
        "CWE-287",
        lambda s: _as(s, replace(s.flow.party, secret=s.thief.party.secret)),
        "invalid_client",
        401,
    ),
    Case(
        "its secret in the body",
        "a client authenticates as it has registered",
        "OpenID Connect Core §9",
        lambda s: s.flow.browser.post(
            "/oauth2/token",
            data=s.code_form
            | {"client_id": s.flow.party.client_id, "client_secret": s.flow.party.secret},
        ),
        "invalid_client",
        401,
    ),
    Case(
        "its secret in the query",
        "a secret never stands in an address",
        "RFC 6749 §2.3.1",
        lambda s: s.flow.browser.post(
            "/oauth2/token",
            query_string={
                "client_id": s.flow.party.client_id,
                "client_secret": s.flow.party.secret,
            },
            data=s.code_form,
        ),
        "invalid_client",
        401,
    ),
    Case(
        "two ways at once",
        "one way of authentication per request",
        "RFC 6749 §2.3",
        lambda s: s.redeem(client_id=s.flow.party.client_id, client_secret=s.flow.party.secret),
        "invalid_request",
    ),
    Case(
        "two clients at once",
        "one client per request",
        "RFC 9700 §4.4",
        lambda s: s.redeem(client_id=s.thief.party.client_id),
        "invalid_request",
    ),
    Case(
        "a bearer token instead",
        "a client authenticates by its method, not by a token",
        "RFC 6749 §2.3",
        lambda s: s.flow.browser.post(
            "/oauth2/token",
            data=s.code_form,
            headers={"Authorization": f"Bearer {s.held['access_token']}"},
        ),
        "invalid_client",
        401,
    ),
    Case(
        "a disabled client",
        "a disabled client is as good as unknown",
        "CVE-2024-47000 (Zitadel)",
        _after(_change(Client, _client, enabled=False), lambda s: s.redeem()),
        "invalid_client",
        401,
        then=_nothing,
    ),
    Case(
        "a client of a disabled application",
        "a disabled application's clients are as good as unknown",
        "CWE-613",
        lambda s: _of_disabled(s),
        "invalid_client",
        401,
    ),
]


def _as(scene: Scene, party: Any) -> Any:
    return Flow(scene.flow.browser, party).token(**scene.code_form)


def _of_disabled(scene: Scene) -> Any:
    party = scene.world.restricted()
    linked = Flow(scene.flow.browser, party)
    code = linked.code()
    scene.world.change(Application, party.application_id, enabled=False)
    return linked.redeem(code)


TABLES = {
    "codes": CODES,
    "forged handles": FORGERIES,
    "the wrong kind of token": KINDS,
    "refresh tokens": REFRESH,
    "exchange": EXCHANGES,
    "forged subject tokens": FORGED,
    "machines": MACHINES,
    "requests": REQUESTS,
    "clients": CLIENTS,
}
CASES = [case for table in TABLES.values() for case in table]


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, tmp_path: Any) -> Scene:
    world = build_world(services, clock)
    honest = world.register(
        grant_types=EVERY,
        redirect_uris=(REDIRECT, REDIRECT + "/second"),
        options=Options(pin_auth_method=True),
    )
    flow = Flow(client, honest, scope="openid email")
    world.sign_in(client)
    machine = Flow(client, world.machine("changes:read", "openid"))
    return Scene(
        world,
        flow,
        Flow(client, world.register("Kẻ trộm", grant_types=EVERY)),
        machine,
        held=flow.tokens(),
        code=flow.code(),
        other_keyring=Keyring.open(tmp_path / "other.json", create=True),
    )


def test_the_honest_requests_succeed(scene: Scene) -> None:
    assert scene.exchange(scope="openid").status_code == 200
    assert scene.machine.token(grant_type="client_credentials").status_code == 200
    assert scene.thief.tokens()["access_token"]
    _goes_on(scene)


def _refused(case: Case, response: Any) -> None:
    assert response.status_code == case.status, response.get_data(as_text=True)
    body = response.get_json()
    assert body["error"] == case.error
    assert body.keys() <= {"error", "error_description"}
    assert response.headers["Cache-Control"] == "no-store"
    # RFC 6749 §5.2: whoever could have used the Authorization header is told how.
    assert ("WWW-Authenticate" in response.headers) == (case.status == 401)


@pytest.mark.parametrize("table", TABLES)
def test_the_attack_gets_nothing_and_costs_nothing(
    scene: Scene, table: str, subtests: pytest.Subtests
) -> None:
    before = scene.grants()
    for case in TABLES[table]:
        if case.then is _goes_on:
            with subtests.test(case.id):
                _refused(case, case.act(scene))
                assert scene.grants() == before
    _goes_on(scene)


ENDS = [case for case in CASES if case.then is not _goes_on]


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.id)
def test_the_attack_gets_nothing(scene: Scene, case: Case) -> None:
    _refused(case, case.act(scene))
    case.then(scene)


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_answered(scene: Scene, method: str) -> None:
    """RFC 6749 §3.2."""
    response = getattr(scene.flow.browser, method)(
        "/oauth2/token", query_string=scene.code_form, headers=scene.flow.party.basic
    )
    assert response.status_code == 405
    _goes_on(scene)


def test_the_same_answer_for_every_wrong_client(scene: Scene) -> None:
    """CWE-204: nobody learns which clients exist."""
    browser = scene.flow.browser
    unknown = Flow(browser, replace(scene.flow.party, client_id="nobody"))
    wrong = Flow(browser, replace(scene.flow.party, secret="wrong"))
    scene.world.change(Client, scene.thief.party.id, enabled=False)
    answers = {
        (r.status_code, r.get_data(), r.headers["WWW-Authenticate"])
        for r in (each.token(**scene.code_form) for each in (unknown, wrong, scene.thief))
    }
    assert len(answers) == 1


def test_a_challenge_is_the_standards_own(scene: Scene) -> None:
    """RFC 7636 Appendix B: so that the cases above test S256, not the tests' idea of it."""
    code = scene.flow.code(code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert scene.redeem(code=code, code_verifier=verifier).status_code == 200
