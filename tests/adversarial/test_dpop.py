"""Proofs of possession under attack (RFC 9449 §4.3 check by check, §11): at userinfo, where a
stolen token would be used, and at the token endpoint, where a stolen code would.

Every case ends in the refusal the standard names. The token or the code it was aimed at still
works for whoever holds the key, right after it.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from directory.base.replay_cache import UsedOnce
from idp.oidc.clients import AuthMethod, GrantType, TokenFormat
from idp.oidc.grants import Grant
from tests.proving import TOKEN, USERINFO, Holding, b64, hs256, segment, thumbprint_of, unsigned
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import ISSUER, key_for

MALLORY = ECKey.generate_key("P-256")
CHANGES = "/api/v1/changes"


@dataclass
class Scene:
    """A client with a DPoP key, a token and a code of that key; a thief who has read both."""

    world: World
    flow: Holding
    text: str
    code: str

    @property
    def now(self) -> int:
        """The moment."""
        return int(self.world.clock().timestamp())

    def use(self, proof: str | None, *, scheme: str = "DPoP") -> Any:
        """Ask userinfo with the token and this proof."""
        headers = {"Authorization": f"{scheme} {self.text}"}
        if proof is not None:
            headers["DPoP"] = proof
        return self.flow.browser.get(USERINFO, headers=headers)

    def proof(self, **changes: Any) -> str:
        """The honest proof for that, changed."""
        return self.flow.proof("GET", USERINFO, token=changes.pop("token", self.text), **changes)

    def changed(self, **changes: Any) -> Any:
        """Ask userinfo with the honest proof, changed."""
        return self.use(self.proof(**changes))

    def raw(self, header: dict[str, Any], signature: bytes | None = None) -> str:
        """A proof with any header and any signature; the honest one by default."""
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk} | header
        text = f"{segment(head)}.{self.proof().split('.')[1]}"
        if signature is None:
            signature = _signature(text, self.flow.key)
        return f"{text}.{b64(signature)}"

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key."""
        assert self.flow.key is not None
        jwk = self.flow.key.as_dict(private=False)
        return {k: v for k, v in jwk.items() if k != "kid"}

    def redeem(self, proof: str | None, **form: str) -> Any:
        """Present the code with this proof."""
        asked = {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.flow.verifier,
            "client_id": self.flow.party.client_id,
        }
        headers = {} if proof is None else {"DPoP": proof}
        return self.flow.browser.post(TOKEN, data=asked | form, headers=headers)

    def token_proof(self, **changes: Any) -> str:
        """The honest proof for that, changed."""
        return self.flow.proof("POST", TOKEN, **changes)


def _signature(text: str, key: Any) -> bytes:
    """ES256 over any text, as no library would make it."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = decode_dss_signature(key.raw_value.sign(text.encode(), ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class Case:
    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str = "invalid_dpop_proof"
    status: int = 401


# ---- at a resource, in the order of RFC 9449 §4.3 ---------------------------------------------


def _twice(scene: Scene) -> Any:
    proof = scene.proof()
    assert scene.use(proof).status_code == 200
    return scene.use(proof)


def _same_identifier(scene: Scene) -> Any:
    assert scene.changed(jti="the same").status_code == 200
    return scene.changed(jti="the same", iat=scene.now + 1)


def _two_headers(scene: Scene) -> Any:
    headers = [
        ("Authorization", f"DPoP {scene.text}"),
        ("DPoP", scene.proof()),
        ("DPoP", scene.proof()),
    ]
    return scene.flow.browser.get(USERINFO, headers=headers)


def _private_jwk(scene: Scene) -> Any:
    assert scene.flow.key is not None
    private = {k: v for k, v in scene.flow.key.as_dict(private=True).items() if k != "kid"}
    return scene.use(scene.proof(header={"jwk": private}))


def _hmac(scene: Scene) -> Any:
    jwk = {"kty": "oct", "k": b64(b"secret" * 8)}
    head = {"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk}
    body = json.loads(base64.urlsafe_b64decode(scene.proof().split(".")[1] + "=="))
    return scene.use(hs256(head, body, b"secret" * 8))


def _hmac_with_public_key(scene: Scene) -> Any:
    head = {"typ": "dpop+jwt", "alg": "HS256", "jwk": scene.jwk}
    body = json.loads(base64.urlsafe_b64decode(scene.proof().split(".")[1] + "=="))
    return scene.use(hs256(head, body, json.dumps(scene.jwk).encode()))


def _unsigned(scene: Scene) -> Any:
    body = json.loads(base64.urlsafe_b64decode(scene.proof().split(".")[1] + "=="))
    return scene.use(unsigned({"typ": "dpop+jwt", "alg": "none", "jwk": scene.jwk}, body))


def _edwards(scene: Scene) -> Any:
    key = OKPKey.generate_key("Ed25519")
    jwk = {k: v for k, v in key.as_dict(private=False).items() if k != "kid"}
    text = (
        f"{segment({'typ': 'dpop+jwt', 'alg': 'EdDSA', 'jwk': jwk})}.{scene.proof().split('.')[1]}"
    )
    private: Any = key.raw_value
    return scene.use(f"{text}.{b64(private.sign(text.encode()))}")


def _rs256(scene: Scene) -> Any:
    return scene.use(scene.proof(by=key_for("RS256"), header={"alg": "RS256"}))


def _short_rsa(scene: Scene) -> Any:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    numbers = key.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": b64(numbers.n.to_bytes(128, "big")),
        "e": b64(numbers.e.to_bytes(3, "big")),
    }
    text = (
        f"{segment({'typ': 'dpop+jwt', 'alg': 'PS256', 'jwk': jwk})}.{scene.proof().split('.')[1]}"
    )
    pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    return scene.use(f"{text}.{b64(key.sign(text.encode(), pss, SHA256()))}")


def _other_body(scene: Scene) -> Any:
    head, body, signature = scene.proof(htm="POST").split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "==")) | {"htm": "GET"}
    return scene.use(f"{head}.{segment(said)}.{signature}")


def _hash(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest())


RESOURCE = [
    Case("two proofs", "a request carries one proof", "RFC 9449 §4.3-1", _two_headers),
    Case(
        "two proofs in one header",
        "a request carries one proof",
        "RFC 9449 §4.3-1",
        lambda s: s.use(f"{s.proof()}, {s.proof()}"),
    ),
    Case("no JWT", "a proof is one well-formed JWT", "RFC 9449 §4.3-2", lambda s: s.use("proof")),
    Case("nothing", "a proof is one well-formed JWT", "RFC 9449 §4.3-2", lambda s: s.use("")),
    Case(
        "a part too few",
        "a proof is one well-formed JWT",
        "RFC 9449 §4.3-2",
        lambda s: s.use(s.proof().rpartition(".")[0]),
    ),
    Case(
        "a part too many",
        "a proof is one well-formed JWT",
        "RFC 9449 §4.3-2",
        lambda s: s.use(s.proof() + ".e30"),
    ),
    Case(
        "a header that is no object",
        "a proof is one well-formed JWT",
        "RFC 9449 §4.3-2",
        lambda s: s.use(f"{segment(['ES256'])}.e30.e30"),
    ),
    *(
        Case(
            f"no {claim}",
            "a proof says all it must",
            "RFC 9449 §4.3-3",
            lambda s, claim=claim: s.changed(**{claim: None}),
        )
        for claim in ("jti", "htm", "htu", "iat")
    ),
    Case(
        "an empty jti",
        "a proof can be told from others",
        "RFC 9449 §4.2",
        lambda s: s.changed(jti=""),
    ),
    Case(
        "a jti that is no text",
        "a claim of the wrong type is refused, not converted",
        "RFC 7519 §4.1.7",
        lambda s: s.changed(jti={"a": 1}),
    ),
    Case(
        "an endless jti",
        "what we must remember is bounded",
        "RFC 9449 §11.1",
        lambda s: s.changed(jti="x" * 257),
    ),
    Case(
        "no typ", "a proof is typed", "RFC 9449 §4.3-4", lambda s: s.changed(header={"typ": None})
    ),
    Case(
        "another typ",
        "a proof is typed",
        "RFC 9449 §4.3-4",
        lambda s: s.changed(header={"typ": "JWT"}),
    ),
    Case(
        "the typ of a client assertion",
        "a JWT made for something else is no proof",
        "RFC 8725 §3.11",
        lambda s: s.changed(header={"typ": "client-authentication+jwt"}),
    ),
    Case("no signature", "a proof is signed", "RFC 9449 §4.3-5", _unsigned),
    Case("a secret key", "a proof is signed by a key pair", "RFC 9449 §4.3-5", _hmac),
    Case(
        "HMAC under the public key",
        "a public key is no secret",
        "RFC 8725 §2.1, CVE-2015-9235",
        _hmac_with_public_key,
    ),
    Case(
        "RS256",
        "only what the metadata offers is taken",
        "RFC 9449 §4.3-5, FAPI 2.0 SP §5.4.1",
        _rs256,
    ),
    Case("EdDSA", "only what the metadata offers is taken", "RFC 9449 §4.3-5", _edwards),
    Case("a short RSA key", "a key is long enough", "RFC 7518 §3.5, CWE-326", _short_rsa),
    Case(
        "another's signature",
        "the key in the header has signed",
        "RFC 9449 §4.3-6",
        lambda s: s.changed(by=MALLORY, header={"jwk": s.jwk}),
    ),
    Case(
        "a signature of zeros",
        "zero is no signature",
        "CVE-2022-21449",
        lambda s: s.use(s.raw({}, bytes(64))),
    ),
    Case(
        "no signature at all",
        "the key in the header has signed",
        "RFC 9449 §4.3-6",
        lambda s: s.use(s.raw({}, b"")),
    ),
    Case("other claims", "a signature covers the claims", "RFC 9449 §4.3-6", _other_body),
    Case(
        "no jwk",
        "a proof brings its key",
        "RFC 9449 §4.3-3",
        lambda s: s.changed(header={"jwk": None}),
    ),
    Case(
        "a jwk that is no object",
        "a proof brings its key",
        "RFC 9449 §4.2",
        lambda s: s.use(s.raw({"jwk": "key"})),
    ),
    Case(
        "an address instead of a key",
        "a key is brought, not fetched",
        "RFC 9449 §4.2, CWE-918",
        lambda s: s.changed(header={"jwk": None, "jku": "https://evil.example/keys"}),
    ),
    Case(
        "a point on no curve",
        "a key is a key",
        "RFC 7518 §6.2.1, CWE-354",
        lambda s: s.use(s.raw({"jwk": s.jwk | {"y": s.jwk["x"]}})),
    ),
    Case(
        "a curve of another algorithm",
        "a key is used with its own algorithm",
        "RFC 7518 §3.4",
        lambda s: s.use(s.raw({"jwk": s.jwk | {"crv": "P-384"}})),
    ),
    Case(
        "a key for encryption",
        "a key is used for what it says",
        "RFC 7517 §4.2",
        lambda s: s.use(s.raw({"jwk": s.jwk | {"use": "enc"}})),
    ),
    Case(
        "the private key", "a proof does not bring a private key", "RFC 9449 §4.3-7", _private_jwk
    ),
    *(
        Case(
            f"made for {method!r}",
            "a proof is for one method",
            "RFC 9449 §4.3-8",
            lambda s, method=method: s.changed(htm=method),
        )
        for method in ("POST", "get", ["GET"], "GET,POST")
    ),
    *(
        Case(
            f"made for {htu!r}",
            "a proof is for one address",
            "RFC 9449 §4.3-9, §11.8",
            lambda s, htu=htu: s.changed(htu=htu),
        )
        for htu in (
            "https://other.example/oauth2/userinfo",
            ISSUER + "/oauth2/token",
            ISSUER + "/oauth2/userinfo/",
            ISSUER + "/oauth2/../oauth2/userinfo",
            "https://localhost:8000/oauth2/userinfo",
            "http://localhost/oauth2/userinfo",
            "http://localhost:8000@evil.example/oauth2/userinfo",
            "http://x@localhost:8000/oauth2/userinfo",
            "/oauth2/userinfo",
            "//localhost:8000/oauth2/userinfo",
            "http://localhost:99999/oauth2/userinfo",
            "http://[::1/oauth2/userinfo",
            ISSUER,
            [ISSUER + USERINFO],
            ISSUER + USERINFO + "#" + "x" * 3000,
        )
    ),
    Case(
        "made for another host, asked under its name",
        "the address is ours, not what the Host header says",
        "RFC 9449 §4.3-9, CWE-644",
        lambda s: s.flow.browser.get(
            USERINFO,
            headers={
                "Authorization": f"DPoP {s.text}",
                "DPoP": s.proof(htu="http://evil.example/oauth2/userinfo"),
                "X-Forwarded-Host": "evil.example",
                "Forwarded": "host=evil.example",
            },
        ),
    ),
    Case(
        "a nonce of nobody's",
        "a nonce is ours",
        "RFC 9449 §4.3-10",
        lambda s: s.changed(nonce="A" * 27),
        "use_dpop_nonce",
    ),
    Case(
        "a nonce that is no text",
        "a nonce is ours",
        "RFC 9449 §4.3-10",
        lambda s: s.changed(nonce=7),
        "use_dpop_nonce",
    ),
    Case(
        "a nonce in other letters",
        "a nonce is ours",
        "CWE-176",
        lambda s: s.changed(nonce="é" * 27),
        "use_dpop_nonce",
    ),
    Case("too old", "a proof is fresh", "RFC 9449 §4.3-11", lambda s: s.changed(iat=s.now - 91)),
    Case(
        "of tomorrow",
        "a proof is not from the future",
        "RFC 9449 §11.1, FAPI 2.0 SP §5.3.2.1-13",
        lambda s: s.changed(iat=s.now + 61),
    ),
    *(
        Case(
            f"iat {shown}",
            "a time that is no number is none",
            "RFC 7519 §2",
            lambda s, value=value: s.changed(iat=value),
        )
        for shown, value in (
            ("as text", "1772416800"),
            ("true", True),
            ("without end", float("inf")),
            ("not a number", float("nan")),
            ("past all calendars", 10**40),
        )
    ),
    Case("a second time", "a proof is used once", "RFC 9449 §4.3-11, §11.1", _twice),
    Case(
        "another proof of the same name",
        "a name of a proof is used once",
        "RFC 9449 §11.1",
        _same_identifier,
    ),
    Case("no ath", "a proof is for one token", "RFC 9449 §4.3-12", lambda s: s.changed(ath=None)),
    Case(
        "the hash of another token",
        "a proof is for one token",
        "RFC 9449 §4.3-12, §11.9",
        lambda s: s.changed(token="another"),
    ),
    Case(
        "the token itself",
        "a proof is for one token",
        "RFC 9449 §4.2",
        lambda s: s.changed(ath=s.text),
    ),
    Case(
        "the hash in hexadecimal",
        "a hash is written as the standard says",
        "RFC 9449 §4.2",
        lambda s: s.changed(ath=hashlib.sha256(s.text.encode()).hexdigest()),
    ),
    Case(
        "by another key",
        "a token belongs to its key",
        "RFC 9449 §4.3-12, §7.1",
        lambda s: s.changed(by=MALLORY),
        "invalid_token",
    ),
    Case(
        "a proof made for the token endpoint",
        "a proof is for one address",
        "RFC 9449 §2",
        lambda s: s.use(s.flow.proof("POST", TOKEN)),
    ),
    Case(
        "no proof",
        "a bound token is nothing without a proof",
        "RFC 9449 §7.1",
        lambda s: s.use(None),
    ),
    Case(
        "as a bearer token",
        "a bound token is no bearer token",
        "RFC 9449 §7.2",
        lambda s: s.use(None, scheme="Bearer"),
        "invalid_token",
    ),
    Case(
        "as a bearer token, with a proof",
        "the scheme is not talked down",
        "RFC 9449 §7.2",
        lambda s: s.use(s.proof(), scheme="Bearer"),
        "invalid_token",
    ),
    Case(
        "in the body",
        "a bound token stands in the header alone",
        "RFC 9449 §7.1",
        lambda s: s.flow.browser.post(
            USERINFO,
            data={"access_token": s.text},
            headers={"DPoP": s.flow.proof("POST", USERINFO, token=s.text)},
        ),
        "invalid_token",
    ),
    Case(
        "a critical extension",
        "what is critical and not understood is refused",
        "RFC 7515 §4.1.11",
        lambda s: s.use(s.raw({"crit": ["x"], "x": 1})),
    ),
    Case(
        "a critical parameter that is understood anyway",
        "what the standard itself defines is never critical",
        "RFC 7515 §4.1.11",
        lambda s: s.use(s.raw({"crit": ["typ"]})),
    ),
    Case(
        "an unencoded payload",
        "what is critical and not understood is refused",
        "RFC 7797 §6",
        lambda s: s.use(s.raw({"b64": False})),
    ),
    Case(
        "outsized",
        "a proof has a size",
        "CWE-770",
        lambda s: s.changed(padding="x" * 20_000),
    ),
    Case(
        "lists in lists",
        "deep nesting costs an answer, not a process",
        "CWE-674",
        lambda s: s.use(f"{b64(b'[' * 5000)}.e30.e30"),
    ),
]

# ---- at the token endpoint -------------------------------------------------------------------


def _used_at_token(scene: Scene) -> Any:
    proof = scene.token_proof()
    assert scene.redeem(proof, code="ddc_" + "A" * 43).get_json()["error"] == "invalid_grant"
    return scene.redeem(proof)


def _for_userinfo(scene: Scene) -> Any:
    """A proof read on its way to userinfo, brought to the token endpoint."""
    return scene.redeem(scene.proof())


def _from_the_future(scene: Scene) -> Any:
    first = scene.use(scene.proof())
    nonce = first.headers["DPoP-Nonce"]
    return scene.redeem(scene.token_proof(nonce=nonce, iat=scene.now + 3600))


def _refresh(scene: Scene, proof: str | None) -> Any:
    held = scene.flow.tokens()["refresh_token"]
    headers = {} if proof is None else {"DPoP": proof}
    form = {
        "grant_type": "refresh_token",
        "refresh_token": held,
        "client_id": scene.flow.party.client_id,
    }
    return scene.flow.browser.post(TOKEN, data=form, headers=headers)


AT_TOKEN = [
    Case(
        "another key than the code's",
        "a code belongs to the key it was asked for with",
        "RFC 9449 §10",
        lambda s: s.redeem(s.token_proof(by=MALLORY)),
        "invalid_grant",
        400,
    ),
    Case(
        "no proof for a code of a key",
        "a code belongs to the key it was asked for with",
        "RFC 9449 §10",
        lambda s: s.redeem(None),
        "invalid_grant",
        400,
    ),
    Case(
        "a proof for another endpoint",
        "a proof is for one address",
        "RFC 9449 §4.3-9",
        _for_userinfo,
        status=400,
    ),
    Case(
        "a proof by GET",
        "a proof is for one method",
        "RFC 9449 §4.3-8",
        lambda s: s.redeem(s.token_proof(htm="GET")),
        status=400,
    ),
    Case(
        "a second time, at the token endpoint",
        "a proof is used once",
        "RFC 9449 §11.1",
        _used_at_token,
        status=400,
    ),
    Case(
        "another's signature, at the token endpoint",
        "the key in the header has signed",
        "RFC 9449 §4.3-6",
        lambda s: s.redeem(s.token_proof(by=MALLORY, header={"jwk": s.jwk})),
        status=400,
    ),
    Case(
        "rubbish, at the token endpoint",
        "a proof is one well-formed JWT",
        "RFC 9449 §5",
        lambda s: s.redeem("rubbish"),
        status=400,
    ),
    Case(
        "of tomorrow, with a nonce",
        "an authorization server takes no JWT from the future",
        "FAPI 2.0 SP §5.3.2.1-13",
        _from_the_future,
        status=400,
    ),
    Case(
        "a nonce of nobody's, at the token endpoint",
        "a nonce is ours",
        "RFC 9449 §8",
        lambda s: s.redeem(s.token_proof(nonce="A" * 27)),
        "use_dpop_nonce",
        400,
    ),
    Case(
        "a stolen refresh token with a key of one's own",
        "a public client's refresh token belongs to its key",
        "RFC 9449 §5",
        lambda s: _refresh(s, s.token_proof(by=MALLORY)),
        "invalid_grant",
        400,
    ),
    Case(
        "a stolen refresh token without a key",
        "a public client's refresh token belongs to its key",
        "RFC 9449 §5, RFC 9700 §4.14.2",
        lambda s: _refresh(s, None),
        "invalid_request",
        400,
    ),
    Case(
        "a dpop_jkt that is none",
        "a thumbprint is one",
        "RFC 9449 §10",
        lambda s: _told_error(s, dpop_jkt="x"),
        "invalid_request",
        302,
    ),
]


def _told_error(scene: Scene, **changes: str) -> Any:
    return scene.flow.ask(**changes)


CASES = [*RESOURCE, *AT_TOKEN]


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def scene(world: World, client: Any) -> Scene:
    world.sign_in(client)
    flow = Holding(client, world.register(auth_method=AuthMethod.NONE), clock=world.clock)
    text = flow.tokens()["access_token"]
    assert flow.key is not None
    return Scene(world, flow, text, flow.code(dpop_jkt=thumbprint_of(flow.key)))


def _goes_on(scene: Scene) -> None:
    """The honest client's token and code still work."""
    assert scene.use(scene.proof()).status_code == 200
    answer = scene.redeem(scene.token_proof())
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["token_type"] == "DPoP"


def test_the_honest_requests_succeed(scene: Scene) -> None:
    _goes_on(scene)


def test_the_proofs_made_by_hand_are_like_the_others(scene: Scene) -> None:
    """So that the cases above fail for their one fault, not for how they were made."""
    assert scene.use(scene.raw({})).status_code == 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_attack_gets_nothing(scene: Scene, case: Case) -> None:
    response = case.act(scene)
    assert response.status_code == case.status, response.get_data(as_text=True)
    if case.status == 302:
        assert scene.flow.told(response)["error"] == case.error
    else:
        body = response.get_json()
        assert body["error"] == case.error
        assert body.keys() <= {"error", "error_description"}
    if case.status == 401:
        challenge = response.headers["WWW-Authenticate"]
        assert f'error="{case.error}"' in challenge
        assert 'algs="PS256 ES256"' in challenge
    if case.error == "use_dpop_nonce":
        assert response.headers["DPoP-Nonce"]
    _goes_on(scene)


def test_rubbish_is_not_remembered(scene: Scene) -> None:
    """CWE-400: a proof is remembered after everything else about it was right."""
    before = len(scene.world.all(UsedOnce))
    for case in RESOURCE:
        if case.id not in ("a second time", "another proof of the same name"):
            case.act(scene)
    assert len(scene.world.all(UsedOnce)) == before


def test_a_proof_by_another_key_does_not_use_up_the_honest_one(scene: Scene) -> None:
    """CWE-400: names of proofs are remembered per key."""
    proof = scene.proof(jti="known in advance")
    assert scene.changed(jti="known in advance", by=MALLORY).status_code == 401
    assert scene.use(proof).status_code == 200


def test_a_name_of_half_a_character_is_none(scene: Scene) -> None:
    """CWE-176: JSON can hold what UTF-8 cannot."""
    assert scene.use(scene.proof(jti="\ud800")).status_code == 401
    assert scene.use(scene.proof(jti="\u1ec7")).status_code == 200


def test_a_stolen_token_is_worth_nothing_at_our_other_api(world: World, client: Any) -> None:
    """RFC 9449 §1: what the whole of it is for."""
    machine = Holding(client, world.machine(), clock=world.clock)
    text = machine.token(grant_type=GrantType.CLIENT.value).get_json()["access_token"]
    assert machine.fetch(CHANGES, text).status_code == 200
    own, machine.key = machine.key, MALLORY
    assert machine.fetch(CHANGES, text).status_code == 401
    machine.key = own
    assert machine.fetch(CHANGES, text).status_code == 200


@pytest.mark.parametrize("shape", list(TokenFormat))
def test_the_key_cannot_be_taken_out_of_a_token(
    world: World, client: Any, shape: TokenFormat
) -> None:
    """RFC 9449 §6, CWE-345: what a token is bound to stands under our MAC or signature."""
    world.sign_in(client)
    flow = Holding(client, world.register(access_token_format=shape), clock=world.clock)
    text = flow.tokens()["access_token"]
    if shape == TokenFormat.JWT:
        head, body, signature = text.split(".")
        said = json.loads(base64.urlsafe_b64decode(body + "=="))
        del said["cnf"]
        bare = f"{head}.{segment(said)}.{signature}"
    else:
        raw = base64.urlsafe_b64decode(text[4:] + "==")
        bare = text[:4] + b64(raw[:35] + raw[-16:])
    assert Flow.userinfo(flow, bare).status_code == 401
    assert flow.userinfo(text).status_code == 200


def test_a_bound_grant_is_not_revoked_by_attempts_on_it(scene: Scene) -> None:
    """CWE-400: who holds a stolen refresh token and no key cannot end the grant with it."""
    held = scene.flow.tokens()["refresh_token"]
    for proof in (None, scene.token_proof(by=MALLORY)):
        headers = {} if proof is None else {"DPoP": proof}
        form = {"grant_type": "refresh_token", "refresh_token": held}
        named = {"client_id": scene.flow.party.client_id}
        assert scene.flow.browser.post(TOKEN, data=form | named, headers=headers).status_code == 400
    assert all(grant.revoked_at is None for grant in scene.world.all(Grant))
    assert scene.flow.refresh(held).status_code == 200


def test_the_keys_of_two_clients_are_not_each_others(world: World, client: Any) -> None:
    """RFC 9449 §11.1: the same key and the same name, another key: no clash."""
    first = Holding(client, world.machine(), clock=world.clock)
    other = Holding(client, world.machine(), clock=world.clock, key=RSAKey.generate_key(2048))
    form = {"grant_type": "client_credentials"}
    for flow in (first, other):
        assert flow.post(TOKEN, form, proof=flow.proof("POST", TOKEN, jti="1")).status_code == 200
