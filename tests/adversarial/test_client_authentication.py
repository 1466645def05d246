"""Client authentication under attack: assertions forged, borrowed, replayed or misdirected, and
certificates that nobody has shown.

Every case ends in the refusal the standard names, gives no token and uses up nothing of the
honest client's: her own assertion works right after it.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from directory.base.replay_cache import UsedOnce
from idp.oidc.clients import AuthMethod, Options, Profile, TokenFormat
from tests.proving import (
    AWAY,
    TOKEN,
    Asserting,
    Authority,
    Certified,
    as_header,
    authority,
    b64,
    believing,
    hs256,
    segment,
    self_signed,
    unsigned,
)
from tests.relying_party import Flow, World, build_world
from tests.signed_requests import BY_ASSERTION, ISSUER, SECURE, dpop, key_for, public, sign

__all__ = ["authority"]

FORM = {"grant_type": "client_credentials"}
MALLORY = ECKey.generate_key("P-256", {"kid": "own-ec"})
"""An attacker's key that goes by the honest client's name for hers."""
FOR_ENCRYPTION = ECKey.generate_key("P-256", {"kid": "enc"})
FOR_PS256 = RSAKey.generate_key(2048, {"kid": "ps"})
REGISTERED = {
    "keys": [
        key_for("ES256").as_dict(private=False),
        key_for("RS256").as_dict(private=False),
        FOR_ENCRYPTION.as_dict(private=False) | {"use": "enc"},
        FOR_PS256.as_dict(private=False) | {"alg": "PS256"},
    ]
}


@dataclass
class Scene:
    """Honest clients of every method, and somebody who is none of them."""

    world: World
    browser: Any
    keyed: Asserting
    secret: Asserting
    fapi: Asserting
    thief: Asserting
    tls: Certified
    own: Certified
    authority: Authority

    def post(self, form: dict[str, str], path: str = TOKEN, **more: Any) -> Any:
        """A request for a token with nothing of the honest client's own."""
        return self.browser.post(path, data=FORM | form, **more)

    def send(self, text: str, **form: str) -> Any:
        """An assertion that the attacker has made."""
        return self.post({"client_assertion_type": BY_ASSERTION, "client_assertion": text} | form)

    def changed(self, **claims: Any) -> Any:
        """The honest client's own assertion with some claims changed: what a careless or
        deceived client might sign.
        """
        return self.send(self.keyed.asserted(**claims))

    def headed(self, **header: Any) -> Any:
        """The same with some header parameters changed."""
        return self.send(sign(self.keyed.claims(), **({"typ": "JWT"} | header)))


@dataclass(frozen=True)
class Case:
    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str = "invalid_client"
    status: int = 401


# ---- signatures ------------------------------------------------------------------------------


def _forged(scene: Scene, **header: Any) -> Any:
    """Signed by the attacker's own key, in the honest client's name."""
    return scene.send(sign(scene.keyed.claims(), by=MALLORY, **({"typ": "JWT"} | header)))


def _hmac(scene: Scene, secret: bytes, **header: Any) -> Any:
    head = {"alg": "HS256", "kid": key_for("RS256").kid} | header
    return scene.send(hs256(head, scene.keyed.claims(), secret))


def _der(alg: str) -> bytes:
    key: Any = key_for(alg).raw_value
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _pem(alg: str) -> bytes:
    key: Any = key_for(alg).raw_value
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _resigned(scene: Scene, signature: bytes) -> Any:
    head, body, _ = scene.keyed.asserted().split(".")
    return scene.send(f"{head}.{body}.{b64(signature)}")


def _flipped(scene: Scene) -> Any:
    head, body, signature = scene.keyed.asserted().split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[10] ^= 1
    return scene.send(f"{head}.{body}.{b64(bytes(raw))}")


def _other_claims(scene: Scene) -> Any:
    head, _, signature = scene.keyed.asserted().split(".")
    return scene.send(f"{head}.{segment(scene.keyed.claims(exp=4_000_000_000))}.{signature}")


def _as_der(scene: Scene) -> Any:
    head, body, signature = scene.keyed.asserted().split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return scene.send(f"{head}.{body}.{b64(encode_dss_signature(r, s))}")


def _with_edwards(scene: Scene) -> Any:
    key = OKPKey.generate_key("Ed25519")
    text = f"{segment({'alg': 'EdDSA'})}.{segment(scene.keyed.claims())}"
    private: Any = key.raw_value
    return scene.send(f"{text}.{b64(private.sign(text.encode()))}")


def _by_key_for_encryption(scene: Scene) -> Any:
    return scene.send(sign(scene.keyed.claims(), by=FOR_ENCRYPTION, typ="JWT"))


def _by_key_of_another_algorithm(scene: Scene) -> Any:
    return scene.send(sign(scene.keyed.claims(), alg="RS256", by=FOR_PS256, typ="JWT"))


def _unencoded(scene: Scene) -> Any:
    """RFC 7797: the claims stand in the text as they are."""
    header = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": key_for("ES256").kid}
    body = json.dumps(scene.keyed.claims())
    assert "." not in body
    text = f"{segment(header)}.{body}"
    key: Any = key_for("ES256").raw_value
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return scene.send(f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}")


SIGNATURES = [
    Case(
        "no signature",
        "a JWT without a signature proves nothing",
        "RFC 8725 §3.2",
        lambda s: s.send(unsigned({"alg": "none"}, s.keyed.claims())),
    ),
    Case(
        "no signature, spelt otherwise",
        "names of algorithms are compared as they are",
        "RFC 7515 §4.1.1",
        lambda s: s.send(unsigned({"alg": "nOnE"}, s.keyed.claims())),
    ),
    Case(
        "no algorithm",
        "a JWT must name its algorithm",
        "RFC 7515 §4.1.1",
        lambda s: s.send(unsigned({"typ": "JWT"}, s.keyed.claims())),
    ),
    Case(
        "an algorithm that is no text",
        "a header of the wrong type is refused, not converted",
        "RFC 7515 §4.1.1",
        lambda s: s.send(unsigned({"alg": ["ES256"]}, s.keyed.claims())),
    ),
    *(
        Case(
            f"HMAC under the public key as {form}",
            "a public key is no secret",
            "RFC 8725 §2.1, CVE-2015-9235, CVE-2017-11424",
            lambda s, secret=secret: _hmac(s, secret),
        )
        for form, secret in (
            ("PEM", _pem("RS256")),
            ("PEM without its last line break", _pem("RS256").strip()),
            ("DER", _der("RS256")),
            ("JSON", json.dumps(key_for("RS256").as_dict(private=False)).encode()),
        )
    ),
    Case(
        "HMAC by a client of keys",
        "the registration decides between key and secret, not the header",
        "RFC 8725 §3.1",
        lambda s: _hmac(s, b"x" * 43),
    ),
    Case(
        "HMAC under nothing",
        "an empty secret is none",
        "CWE-321",
        lambda s: s.send(hs256({"alg": "HS256"}, s.secret.claims(), b"")),
    ),
    Case(
        "HMAC under the client's name",
        "a secret is not guessed from what is public",
        "CWE-521",
        lambda s: s.send(
            hs256({"alg": "HS256"}, s.secret.claims(), s.secret.party.client_id.encode())
        ),
    ),
    Case(
        "HMAC under another client's secret",
        "a secret belongs to one client",
        "CWE-287",
        lambda s: s.send(
            hs256({"alg": "HS256"}, s.secret.claims(), str(s.world.machine().secret).encode())
        ),
    ),
    Case(
        "a longer HMAC than the secret allows",
        "a key is at least as long as the digest",
        "RFC 7518 §3.2",
        lambda s: s.send(unsigned({"alg": "HS512"}, s.secret.claims()) + "AAAA"),
    ),
    Case(
        "a key of one's own by a client of secrets",
        "the registration decides between key and secret, not the header",
        "RFC 8725 §3.1",
        lambda s: s.send(sign(s.secret.claims(), typ="JWT")),
    ),
    Case(
        "another's key under the same name",
        "a name of a key is no proof of it",
        "RFC 7515 §4.1.4",
        lambda s: _forged(s),
    ),
    Case(
        "an embedded key",
        "a key in the header is not believed",
        "RFC 8725 §3.10, CVE-2018-0114",
        lambda s: _forged(s, jwk=MALLORY.as_dict(private=False)),
    ),
    Case(
        "the honest key, embedded",
        "keys come from the registration and nowhere else",
        "RFC 7523 §3, RFC 8725 §3.10",
        lambda s: s.headed(jwk=key_for("ES256").as_dict(private=False)),
    ),
    Case(
        "an address of keys",
        "an address of keys in the header is not believed",
        "RFC 8725 §3.10, CWE-918",
        lambda s: _forged(s, jku="https://evil.example/keys"),
    ),
    Case(
        "an address of a certificate",
        "an address of a certificate in the header is not believed",
        "RFC 8725 §3.10, CWE-918",
        lambda s: _forged(s, x5u="https://evil.example/cert"),
    ),
    Case(
        "an embedded certificate",
        "a certificate in the header is not believed",
        "RFC 8725 §3.10",
        lambda s: _forged(
            s, x5c=[as_header(self_signed(ec.generate_private_key(ec.SECP256R1()))).strip(":")]
        ),
    ),
    Case(
        "the name of a file for a key",
        "a name of a key is looked up among the client's keys and nowhere else",
        "RFC 8725 §3.10, CWE-22",
        lambda s: _hmac(s, b"", kid="../../../../dev/null"),
    ),
    Case(
        "a statement for a key's name",
        "a name of a key is looked up among the client's keys and nowhere else",
        "RFC 8725 §3.10, CWE-89",
        lambda s: _forged(s, kid="' OR '1'='1"),
    ),
    Case(
        "a name of a key that is no text",
        "a header of the wrong type is refused, not converted",
        "RFC 7515 §4.1.4",
        lambda s: s.send(unsigned({"alg": "ES256", "kid": {}}, s.keyed.claims()) + "AAAA"),
    ),
    Case(
        "a critical extension",
        "what is critical and not understood is refused",
        "RFC 7515 §4.1.11",
        lambda s: s.headed(crit=["kid"]),
    ),
    Case(
        "an unencoded payload",
        "what is critical and not understood is refused",
        "RFC 7797 §6, RFC 7515 §4.1.11",
        _unencoded,
    ),
    Case(
        "a signature of zeros",
        "zero is no signature",
        "CVE-2022-21449",
        lambda s: _resigned(s, bytes(64)),
    ),
    Case(
        "an empty signature",
        "a JWT without a signature proves nothing",
        "RFC 8725 §3.2",
        lambda s: _resigned(s, b""),
    ),
    Case(
        "half a signature",
        "a signature has its whole length",
        "RFC 7518 §3.4",
        lambda s: _resigned(s, bytes(32)),
    ),
    Case("a bit turned over", "a signature fits or does not", "RFC 7515 §5.2", _flipped),
    Case("other claims", "a signature covers the claims", "RFC 7515 §5.2", _other_claims),
    Case(
        "a signature in DER",
        "a signature is encoded as the standard says",
        "RFC 7518 §3.4",
        _as_der,
    ),
    Case(
        "an algorithm that is not offered",
        "only what the metadata offers is taken",
        "RFC 8414 §2",
        _with_edwards,
    ),
    Case(
        "a key for encryption",
        "a key is used for what it is registered for",
        "RFC 7517 §4.2",
        _by_key_for_encryption,
    ),
    Case(
        "a key of another algorithm",
        "a key is used with its own algorithm",
        "RFC 7517 §4.4, RFC 8725 §3.1",
        _by_key_of_another_algorithm,
    ),
    Case(
        "RS256 by a client of FAPI",
        "FAPI leaves PS256 and ES256",
        "FAPI 2.0 SP §5.4.1",
        lambda s: s.send(sign(s.fapi.claims(), alg="RS256", typ="JWT")),
    ),
]

# ---- claims ----------------------------------------------------------------------------------


def _nested(depth: int) -> str:
    head = segment({"alg": "ES256", "kid": key_for("ES256").kid})
    return f"{head}.{b64(b'[' * depth)}.{b64(bytes(64))}"


def _twice(scene: Scene, again: str = TOKEN, **form: str) -> Any:
    fields = scene.keyed.fields()
    assert scene.post(fields).status_code == 200
    return scene.post(fields | form, again)


def _nobody_elses(scene: Scene, **claims: Any) -> Any:
    """Signed by a client of its own, who wants to be another."""
    return scene.send(scene.thief.asserted(**claims))


def _now(scene: Scene) -> int:
    return int(scene.world.clock().timestamp())


CLAIMS = [
    Case("no iss", "an assertion names its issuer", "RFC 7523 §3", lambda s: s.changed(iss=None)),
    Case("no sub", "an assertion names its subject", "RFC 7523 §3", lambda s: s.changed(sub=None)),
    Case(
        "another's name as subject",
        "a client speaks of itself",
        "RFC 7523 §3, OIDC Core §9",
        lambda s: _nobody_elses(s, sub=s.keyed.party.client_id),
    ),
    Case(
        "another's name as issuer",
        "a client speaks of itself",
        "RFC 7523 §3, OIDC Core §9",
        lambda s: _nobody_elses(s, iss=s.keyed.party.client_id),
    ),
    Case(
        "another's name as both",
        "a client is believed by its own key alone",
        "RFC 7523 §3",
        lambda s: _nobody_elses(s, iss=s.keyed.party.client_id, sub=s.keyed.party.client_id),
    ),
    Case(
        "names that are no text",
        "a claim of the wrong type is refused, not converted",
        "RFC 7519 §4.1",
        lambda s: s.changed(iss=[s.keyed.party.client_id], sub=[s.keyed.party.client_id]),
    ),
    Case("no aud", "an assertion is meant for us", "RFC 7523 §3", lambda s: s.changed(aud=None)),
    *(
        Case(
            f"meant for {audience}",
            "an assertion is meant for us and not for our like",
            "RFC 7523 §3, CVE-2025-27370, CVE-2025-27371",
            lambda s, audience=audience: s.changed(aud=audience),
        )
        for audience in (
            "https://other.example",
            ISSUER + "/",
            ISSUER + ".evil.example",
            ISSUER.upper(),
            ISSUER + TOKEN + "?x=y",
            ISSUER + "/oauth2/authorize",
            {"url": ISSUER},
            [[ISSUER]],
            [],
            "",
        )
    ),
    Case(
        "meant for the token endpoint, of FAPI",
        "FAPI takes the issuer alone for an audience",
        "FAPI 2.0 SP §5.3.2.1-8, CVE-2025-27370",
        lambda s: s.send(s.fapi.asserted(aud=ISSUER + TOKEN)),
    ),
    Case(
        "meant for several, of FAPI",
        "FAPI takes one audience, as a string",
        "FAPI 2.0 SP §5.3.2.1-8, CVE-2025-27370",
        lambda s: s.send(s.fapi.asserted(aud=[ISSUER])),
    ),
    Case("no exp", "an assertion ends", "RFC 7523 §3", lambda s: s.changed(exp=None)),
    Case(
        "too late",
        "an assertion that has ended is worth nothing",
        "RFC 7523 §3",
        lambda s: s.changed(exp=_now(s) - 31),
    ),
    Case(
        "good for a day",
        "an assertion does not live for long",
        "RFC 7523 §3 item 4",
        lambda s: s.changed(exp=_now(s) + 86400),
    ),
    *(
        Case(
            f"exp {shown}",
            "a time that is no number is none",
            "RFC 7519 §2",
            lambda s, value=value: s.changed(exp=value),
        )
        for shown, value in (
            ("as text", "4000000000"),
            ("true", True),
            ("without end", float("inf")),
            ("not a number", float("nan")),
            ("below nought", -1),
            ("past all calendars", 10**30),
            ("a list", [4_000_000_000]),
        )
    ),
    Case(
        "made tomorrow",
        "an assertion is not from the future",
        "FAPI 2.0 SP §5.3.2.1-13",
        lambda s: s.changed(iat=_now(s) + 61),
    ),
    Case(
        "not good before tomorrow",
        "an assertion is not used before its time",
        "RFC 7523 §3, RFC 7519 §4.1.5",
        lambda s: s.changed(nbf=_now(s) + 61),
    ),
    Case(
        "no jti",
        "an assertion can be told from others",
        "OIDC Core §9",
        lambda s: s.changed(jti=None),
    ),
    Case(
        "an empty jti",
        "an assertion can be told from others",
        "OIDC Core §9",
        lambda s: s.changed(jti=""),
    ),
    Case(
        "a jti that is no text",
        "a claim of the wrong type is refused, not converted",
        "RFC 7519 §4.1.7",
        lambda s: s.changed(jti=7),
    ),
    Case(
        "an endless jti",
        "what we must remember is bounded",
        "CWE-400",
        lambda s: s.changed(jti="x" * 257),
    ),
    Case("a second time", "an assertion is good once", "RFC 7523 §3 item 7", _twice),
    Case(
        "a second time, elsewhere",
        "an assertion is good once, wherever it is brought",
        "RFC 7523 §3 item 7, RFC 9126 §2",
        lambda s: _twice(s, "/oauth2/revoke", token="x"),
    ),
]

# ---- texts that are something else -----------------------------------------------------------


def _id_token(scene: Scene) -> Any:
    world = scene.world
    world.sign_in(scene.browser)
    flow = Flow(scene.browser, world.register())
    return scene.send(flow.tokens()["id_token"])


def _access_token(scene: Scene) -> Any:
    machine = Flow(
        scene.browser,
        scene.world.machine(access_token_format=TokenFormat.JWT, id_token_alg="ES256"),
    )
    return scene.send(machine.token(**FORM).get_json()["access_token"])


TEXTS = [
    Case("nothing", "an assertion is a signed JWT", "RFC 7523 §3", lambda s: s.send("")),
    Case("rubbish", "an assertion is a signed JWT", "RFC 7523 §3", lambda s: s.send("a.b.c")),
    Case("two parts", "an assertion is a signed JWT", "RFC 7523 §3", lambda s: s.send("e30.e30")),
    Case(
        "encrypted",
        "an assertion is a signed JWT",
        "RFC 7523 §3",
        lambda s: s.send(segment({"alg": "dir", "enc": "A128GCM"}) + "..e30.e30.e30"),
    ),
    Case(
        "a list for a header",
        "a header is an object",
        "RFC 7515 §4",
        lambda s: s.send(segment([{"alg": "ES256"}]) + ".e30.e30"),
    ),
    Case(
        "bytes that are no text",
        "a header is UTF-8",
        "RFC 7515 §4, CWE-20",
        lambda s: s.send(f"{b64(bytes([255, 254, 123]))}.e30.e30"),
    ),
    Case(
        "a list for claims",
        "claims are an object",
        "RFC 7519 §7.2",
        lambda s: s.send(f"{segment({'alg': 'ES256'})}.{segment([1])}.{b64(bytes(64))}"),
    ),
    Case(
        "lists in lists",
        "deep nesting costs an answer, not a process",
        "CWE-674",
        lambda s: s.send(_nested(4000)),
    ),
    Case(
        "lists in lists, in the header",
        "deep nesting costs an answer, not a process",
        "CWE-674",
        lambda s: s.send(f"{b64(b'[' * 4000)}.e30.e30"),
    ),
    Case(
        "outsized",
        "a request has a size",
        "CWE-770",
        lambda s: s.send(s.keyed.asserted(padding="x" * 9000)),
        "invalid_request",
        400,
    ),
    Case(
        "an ID token",
        "a token of ours is no assertion",
        "RFC 8725 §2.8",
        _id_token,
    ),
    Case(
        "an access token",
        "a token of ours is no assertion",
        "RFC 8725 §2.8, RFC 9068 §4",
        _access_token,
    ),
    Case(
        "a request object",
        "a signed request is no assertion",
        "RFC 9101 §10.8",
        lambda s: s.send(
            sign(
                s.keyed.claims(sub=s.keyed.party.client_id),
                typ="oauth-authz-req+jwt",
            )
        ),
    ),
    Case(
        "a proof of possession",
        "what is typed as something else is something else",
        "RFC 8725 §3.11, RFC 9449 §4.2",
        lambda s: s.send(dpop("POST", TOKEN, now=_now(s), **s.keyed.claims())),
    ),
]

# ---- requests --------------------------------------------------------------------------------


REQUESTS = [
    Case(
        "without its type",
        "an assertion comes with its type",
        "RFC 7521 §4.2",
        lambda s: s.post({"client_assertion": s.keyed.asserted()}),
    ),
    Case(
        "as another type",
        "an assertion of an unknown type is refused",
        "RFC 7521 §4.2",
        lambda s: s.post(
            s.keyed.fields()
            | {"client_assertion_type": BY_ASSERTION.replace("jwt-bearer", "saml2-bearer")}
        ),
    ),
    Case(
        "the type alone",
        "a type without an assertion proves nothing",
        "RFC 7521 §4.2",
        lambda s: s.post(
            {"client_assertion_type": BY_ASSERTION, "client_id": s.keyed.party.client_id}
        ),
    ),
    Case(
        "another client's name beside it",
        "client_id and assertion name the same client",
        "RFC 7521 §4.2",
        lambda s: s.post(s.keyed.fields() | {"client_id": s.thief.party.client_id}),
    ),
    Case(
        "with a secret",
        "one way of authentication per request",
        "RFC 6749 §2.3",
        lambda s: s.post(s.keyed.fields() | {"client_secret": "x"}),
        "invalid_request",
        400,
    ),
    Case(
        "with Basic",
        "one way of authentication per request",
        "RFC 6749 §2.3",
        lambda s: s.post(s.keyed.fields(), headers=s.world.machine().basic),
        "invalid_request",
        400,
    ),
    Case(
        "two assertions",
        "a parameter is not repeated",
        "RFC 6749 §3.2, CWE-235",
        lambda s: s.browser.post(
            TOKEN,
            data=FORM
            | {
                "client_assertion_type": BY_ASSERTION,
                "client_assertion": [s.keyed.asserted(), s.thief.asserted()],
            },
        ),
        "invalid_request",
        400,
    ),
    Case(
        "in the query",
        "what proves a client never stands in an address",
        "RFC 6749 §2.3.1",
        lambda s: s.browser.post(TOKEN, query_string=s.keyed.fields(), data=FORM),
    ),
    Case(
        "nothing but its name",
        "a client that can prove itself must",
        "RFC 6749 §3.2.1",
        lambda s: s.post({"client_id": s.keyed.party.client_id}),
    ),
    Case(
        "a client nobody knows",
        "an unknown client is refused like a wrong proof",
        "RFC 6749 §5.2, CWE-204",
        lambda s: s.send(s.keyed.asserted(iss="nobody", sub="nobody")),
    ),
    Case(
        "a name with a NUL",
        "what no database can hold is refused, not an error of ours",
        "CWE-158",
        lambda s: s.send(s.keyed.asserted(iss="a\0b", sub="a\0b")),
    ),
    Case(
        "a name of half a character",
        "what no database can hold is refused, not an error of ours",
        "CWE-176",
        lambda s: s.send(s.keyed.asserted(iss="\ud800", sub="\ud800")),
    ),
]

# ---- certificates ----------------------------------------------------------------------------


def _tells(scene: Scene, value: str, **more: Any) -> Any:
    named = {"client_id": scene.tls.party.client_id}
    return scene.post(named, headers={"Client-Cert": value} | more.pop("headers", {}), **more)


def _true(scene: Scene) -> str:
    assert scene.tls.certificate is not None
    return as_header(scene.tls.certificate)


def _elsewhere(scene: Scene, name: str, value: str) -> Any:
    return scene.post({"client_id": scene.tls.party.client_id}, headers={name: value})


def _same_name(scene: Scene) -> Any:
    """The subject of the honest one, from nobody."""
    stranger = Authority.make()
    return _tells(scene, as_header(stranger.issue()))


def _same_key_name(scene: Scene) -> Any:
    stranger = self_signed(ec.generate_private_key(ec.SECP256R1()))
    return scene.post(
        {"client_id": scene.own.party.client_id}, headers={"Client-Cert": as_header(stranger)}
    )


CERTIFICATES = [
    Case(
        "told by somebody who is no proxy",
        "the header is believed from trusted proxies alone",
        "RFC 9440 §4",
        lambda s: _tells(s, _true(s), environ_base=AWAY),
    ),
    Case(
        "told by somebody who says he came through the proxy",
        "who speaks to us is told by the connection, not by a header",
        "RFC 9440 §4, CWE-290",
        lambda s: _tells(
            s,
            _true(s),
            environ_base=AWAY,
            headers={"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
        ),
    ),
    *(
        Case(
            f"told as {name}",
            "one header is read and no other",
            "RFC 8705 §6.3, CWE-290",
            lambda s, name=name, wrap=wrap: _elsewhere(s, name, wrap(_true(s))),
        )
        for name, wrap in (
            ("X-Client-Cert", str),
            ("X-SSL-Client-Cert", lambda t: t.strip(":")),
            ("X-Forwarded-Client-Cert", lambda t: f'Cert="{t.strip(":")}"'),
            ("SSL_CLIENT_VERIFY", lambda _t: "SUCCESS"),
            ("Client-Cert-Chain", str),
        )
    ),
    Case(
        "two certificates",
        "a connection has one certificate",
        "RFC 9440 §2.2",
        lambda s: s.post(
            {"client_id": s.tls.party.client_id},
            headers=[("Client-Cert", _true(s)), ("Client-Cert", _true(s))],
        ),
    ),
    *(
        Case(
            f"a header that is {what}",
            "the header is one byte sequence and nothing else",
            "RFC 9440 §2.1, RFC 9651 §3.3.5",
            lambda s, wrap=wrap: _tells(s, wrap(_true(s))),
        )
        for what, wrap in (
            ("bare base64", lambda t: t.strip(":")),
            ("quoted", lambda t: f'"{t.strip(":")}"'),
            ("not closed", lambda t: t[:-1]),
            ("with a parameter", lambda t: t + ";a=b"),
            ("no base64", lambda _t: ":***:"),
            ("no certificate", lambda _t: ":AAAA:"),
            ("empty", lambda _t: "::"),
            ("followed by more", lambda t: f":{t.strip(':')}AAAA:"),
        )
    ),
    Case(
        "the same subject from another authority",
        "a subject counts where one of our authorities has written it",
        "RFC 8705 §2.1, §7.3",
        _same_name,
    ),
    Case(
        "the same subject from nobody",
        "a subject counts where one of our authorities has written it",
        "RFC 8705 §2.1, §7.3",
        lambda s: _tells(
            s, as_header(self_signed(ec.generate_private_key(ec.SECP256R1()), "ung-dung"))
        ),
    ),
    Case(
        "another subject of our authority",
        "a certificate of our authority is not yet this client's",
        "RFC 8705 §2.1.2",
        lambda s: _tells(s, as_header(s.authority.issue("nguoi-khac"))),
    ),
    Case(
        "of our authority, to a client of its own keys",
        "a certificate is known by its key, whoever issued it",
        "RFC 8705 §2.2",
        lambda s: s.post({"client_id": s.own.party.client_id}, headers={"Client-Cert": _true(s)}),
    ),
    Case(
        "self-signed, of another key",
        "a certificate is known by its key, whatever it says",
        "RFC 8705 §2.2",
        _same_key_name,
    ),
    Case(
        "by a client of keys",
        "a client authenticates as it has registered",
        "OIDC Core §9",
        lambda s: s.post({"client_id": s.keyed.party.client_id}, headers={"Client-Cert": _true(s)}),
    ),
    Case(
        "its name without a certificate",
        "a client that can prove itself must",
        "RFC 8705 §2",
        lambda s: s.post({"client_id": s.tls.party.client_id}),
    ),
]

CASES = [*SIGNATURES, *CLAIMS, *TEXTS, *REQUESTS, *CERTIFICATES]


@pytest.fixture
def settings(make_settings: Any, authority: Authority, tmp_path: Any) -> Any:
    return make_settings(**believing(authority, tmp_path))


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, authority: Authority) -> Scene:
    world = build_world(services, clock)

    def asserting(options: Options, **columns: Any) -> Asserting:
        party = world.machine(auth_method=AuthMethod.KEY_JWT, options=options, **columns)
        return Asserting(client, party, clock=clock)

    own = ec.generate_private_key(ec.SECP256R1())
    by_subject = Options(tls_client_auth_subject_dn="CN=ung-dung,O=Sở Nội vụ,C=VN")
    by_key = Options(jwks=public(ECKey.import_key(own.public_key())))
    thief = asserting(Options(jwks=public(MALLORY)))
    thief.by = MALLORY
    return Scene(
        world,
        client,
        keyed=asserting(Options(jwks=REGISTERED)),
        secret=Asserting(
            client, world.machine(auth_method=AuthMethod.SECRET_JWT), clock=clock, alg="HS256"
        ),
        fapi=asserting(
            Options(jwks=public(key_for("ES256"), key_for("RS256")), profile=Profile.FAPI2),
            id_token_alg="ES256",
        ),
        thief=thief,
        tls=Certified(
            client,
            world.machine(auth_method=AuthMethod.TLS, options=by_subject),
            certificate=authority.issue(),
        ),
        own=Certified(
            client,
            world.machine(auth_method=AuthMethod.SELF_SIGNED_TLS, options=by_key),
            certificate=self_signed(own),
        ),
        authority=authority,
    )


def test_the_honest_requests_succeed(scene: Scene) -> None:
    for flow in (scene.keyed, scene.secret, scene.thief, scene.tls, scene.own):
        assert flow.token(**FORM).status_code == 200
    # A client of FAPI has proven who it is, and lacks nothing but a key for its token.
    assert scene.fapi.token(**FORM).get_json()["error"] == "invalid_request"
    proof = dpop("POST", TOKEN, now=_now(scene))
    first = scene.browser.post(TOKEN, data=FORM | scene.fapi.fields(), headers={"DPoP": proof})
    assert first.get_json()["error"] == "use_dpop_nonce"
    assert SECURE.startswith("https:")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_attack_gets_nothing(scene: Scene, case: Case) -> None:
    response = case.act(scene)
    assert response.status_code == case.status, response.get_data(as_text=True)
    body = response.get_json()
    assert body["error"] == case.error
    assert body.keys() <= {"error", "error_description"}
    assert response.headers["Cache-Control"] == "no-store"
    if case.status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Basic")
    remembered = len(scene.world.all(UsedOnce))
    assert remembered <= 1, "rubbish is remembered"
    for flow in (scene.keyed, scene.tls):
        assert flow.token(**FORM).status_code == 200


def test_every_wrong_proof_is_answered_alike(scene: Scene) -> None:
    """CWE-204: nobody learns which clients exist, or what was wrong."""
    answers = {
        (r.status_code, r.get_data(), r.headers["WWW-Authenticate"])
        for r in (
            scene.changed(aud="https://other.example"),
            scene.changed(exp=1),
            scene.send(scene.keyed.asserted(iss="nobody", sub="nobody")),
            _forged(scene),
            _tells(scene, ":AAAA:"),
            scene.post({"client_id": "nobody"}),
        )
    }
    assert len(answers) == 1


def test_a_forged_assertion_does_not_use_up_the_honest_one(scene: Scene) -> None:
    """CWE-400: the identifier is remembered after the signature was checked."""
    honest = scene.keyed.asserted(jti="known in advance")
    forged = sign(scene.keyed.claims(jti="known in advance"), by=MALLORY, typ="JWT")
    assert scene.send(forged).status_code == 401
    assert scene.send(honest).status_code == 200


def test_an_identifier_of_half_a_character_is_none(scene: Scene) -> None:
    """CWE-176: JSON can hold what UTF-8 cannot."""
    assert scene.send(scene.keyed.asserted(jti="\ud800")).status_code == 401
    assert scene.send(scene.keyed.asserted(jti="\u1ec7")).status_code == 200


def test_nothing_of_an_assertion_is_logged(scene: Scene, capsys: Any, caplog: Any) -> None:
    """CWE-532."""
    text = scene.keyed.asserted(exp=1)
    assert scene.send(text).status_code == 401
    written = capsys.readouterr()
    told = written.out + written.err + caplog.text
    assert text.split(".")[2] not in told
