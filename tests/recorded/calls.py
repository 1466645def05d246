"""What every endpoint refuses before it looks at what was meant, and what scenes share."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from idp.oidc.clients import Client, GrantType
from tests.recorded.faults import away, broken
from tests.recorded.recorder import FORM, Answer, Recorder
from tests.relying_party import Party
from tests.signed_requests import BY_ASSERTION, sign

TOKEN, INTROSPECT, REVOKE = "/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"
USERINFO, PAR, BEGIN = "/oauth2/userinfo", "/oauth2/par", "/oauth2/device_authorization"
AUTHORIZE = "/oauth2/authorize"
CODE, REFRESH = GrantType.CODE, GrantType.REFRESH
EXCHANGE = GrantType.EXCHANGE.value
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ENGLISH = {"accept-language": "en"}
ELSEWHERE = {"origin": "https://elsewhere.example"}
NOBODYS = "https://nobody.example"
MTLS = "mtls.localhost:8443"
TOO_MUCH = 1024 * 1024 + 1
EVERY_GRANT = (CODE, REFRESH, GrantType.DEVICE, GrantType.EXCHANGE)


def basic(text: str | bytes) -> dict[str, str]:
    """An Authorization header that may say anything."""
    raw = text.encode() if isinstance(text, str) else text
    return {"authorization": "Basic " + b64encode(raw).decode()}


def bearer(text: str) -> dict[str, str]:
    """The Authorization header."""
    return {"authorization": f"Bearer {text}"}


def refusals(at: Recorder, path: str, form: dict[str, str], party: Party) -> None:
    """Of an endpoint that clients call with a form and their credentials."""
    at.part("who asks")
    credentials(at, path, form, party)
    at.part("what is sent")
    bodies(at, path, form, party)
    at.part("how it is sent")
    ways(at, path, form, party)


def credentials(at: Recorder, path: str, form: dict[str, str], party: Party) -> None:
    """Nobody, somebody else, or in too many ways at once."""
    known = party.client_id
    both = {"client_id": known, "client_secret": party.secret or ""}

    def ask(title: str, headers: dict[str, str], **fields: str) -> Answer:
        return at.ask(title, "POST", path, form=form | fields, headers=headers)

    ask("nobody", {})
    ask("a client by its name alone", {}, client_id=known)
    ask("a wrong secret", basic(f"{known}:wrong"))
    ask("a wrong secret in the body", {}, client_id=known, client_secret="wrong")
    ask("a client nobody knows", basic("nobody:secret"))
    ask("its secret in the body", {}, **both)
    ask("two ways at once", party.basic, **both)
    ask("another client in the body", party.basic, client_id="another")
    ask("credentials that are no base64", {"authorization": "Basic !!!"})
    ask("credentials without a colon", basic("nocolon"))
    ask("credentials that are no text", basic(b"\xff\xfe:\xff"))
    ask("credentials with a NUL", basic(f"{known}\0:x"))
    ask("no credentials behind the scheme", {"authorization": "Basic"})
    ask("an empty Authorization header", {"authorization": ""})
    ask("another scheme", {"authorization": "Bearer x"})
    ask("an assertion that is none", {}, client_assertion_type=BY_ASSERTION, client_assertion="x")
    ask("an assertion of another type", {}, client_assertion_type="x", client_assertion="x")
    stranger = sign({"iss": known, "sub": known, "aud": "x", "exp": 1}, typ="JWT")
    ask(
        "an assertion of a client that makes none",
        {},
        client_assertion_type=BY_ASSERTION,
        client_assertion=stranger,
    )
    disabled = at.party("disabled", grant_types=EVERY_GRANT)
    at.world.change(Client, disabled.id, enabled=False)
    ask("a client that is disabled", disabled.basic)


def bodies(at: Recorder, path: str, form: dict[str, str], party: Party) -> None:
    """No form, or one that says too much."""
    first = next(iter(form), "x")

    def ask(title: str, body: bytes, kind: str | None = FORM) -> None:
        at.ask(title, "POST", path, body=body, kind=kind, headers=party.basic)

    ask("JSON", b'{"grant_type": "client_credentials"}', "application/json")
    ask("a form without its type", b"grant_type=client_credentials", None)
    ask("text", b"grant_type=client_credentials", "text/plain")
    part = b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nx\r\n--x--\r\n'
    ask("a form in parts", part, "multipart/form-data; boundary=x")
    ask("a type in capitals", b"x=1", "APPLICATION/X-WWW-FORM-URLENCODED; charset=UTF-8")
    ask("nothing", b"")
    at.post("a parameter twice", path, form | {"x": ["a", "b"]}, party)
    at.post("a parameter that counts twice", path, form | {first: ["a", "b"]}, party)
    at.post("two resources", path, form | {"resource": [NOBODYS, NOBODYS + "/x"]}, party)
    at.post("a parameter that is too long", path, form | {"x": "x" * 100_000}, party)
    at.post("a value with a NUL", path, form | {first: "a\0b"}, party)
    at.post("a name with a NUL", path, form | {"a\0b": "x"}, party)
    ask("a value that is no text", first.encode() + b"=%FF%FE")
    ask("bytes that are no text", first.encode() + b"=\xff\xfe")
    ask("a name that is no text", b"%FF=x")
    ask("a broken escape", first.encode() + b"=%zz%4")
    at.post("a blank value", path, form | {first: ""}, party)
    at.ask("all of it in the query", "POST", path, query=form, form={}, headers=party.basic)
    ask("a body above the limit", b"x=" + b"x" * TOO_MUCH)
    ask("a body above the limit, of another type", b"x" * TOO_MUCH, "application/json")
    names = "&".join(f"x{n}=1" for n in range(1001)).encode()
    ask("very many parameters", names)


def ways(at: Recorder, path: str, form: dict[str, str], party: Party) -> None:
    """Other methods, hosts, origins and places."""

    def ask(title: str, headers: dict[str, str], where: str = path, method: str = "POST") -> None:
        sent = form if method == "POST" else None
        at.ask(title, method, where, form=sent, headers=party.basic | headers)

    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"):
        ask(f"by {method}", {}, method=method)
    ask("by GET, in English", ENGLISH, method="GET")
    ask("by OPTIONS", {}, method="OPTIONS")
    asks = {"access-control-request-method": "POST"}
    ask("what a browser asks first", ELSEWHERE | asks, method="OPTIONS")
    ask("from a page of another origin", ELSEWHERE)
    ask("from a page of no origin", {"origin": "null"})
    ask("to another host", {"host": "elsewhere.example"})
    ask("to another host, in English", ENGLISH | {"host": "elsewhere.example"})
    ask("to another port", {"host": "localhost:9999"})
    ask("to no host", {"host": ""})
    ask("to a host that is none", {"host": "a b"})
    ask("by GET to another host", {"host": "elsewhere.example"}, method="GET")
    ask("to the host where certificates are asked for", {"host": MTLS})
    ask("by GET to that host", {"host": MTLS}, method="GET")
    ask("with a slash behind", {}, path + "/")
    ask("below it", {}, path + "/x")
    ask("below it, in English", ENGLISH, path + "/x")
    ask("in capitals", {}, path.upper())
    ask("with two slashes", {}, path.replace("/oauth2/", "/oauth2//"))
    ask("with a NUL behind", {}, path + "%00")
    ask("with bytes behind that are no text", {}, path + "%ff")
    ask("spelt with an escape", {}, path.replace("oauth2", "%6Fauth2"))
    ask("with a proof that is none", {"dpop": "x"})
    ask("with two proofs", {"dpop": "x, y"})
    at.ask("from elsewhere", "POST", path, form=form, headers=party.basic, peer="203.0.113.9")


def not_their_fault(at: Recorder, ask: Callable[[str], Any]) -> None:
    """What is told while there is no database, and where something is wrong with ourselves."""
    at.part("when we cannot")
    with at.failing(away()):
        ask("the database is away")
    with at.failing(broken()):
        ask("something is wrong with ourselves")
