"""Access tokens at our own APIs (RFC 6750, RFC 9449 §7): who asks, or a refusal with its challenge.

A token is taken where it is meant for this resource (RFC 8707), carries the scopes, and rests on
a sign-in that is strong and new enough for them (RFC 9470). What a challenge says tells the
client what to ask for instead.

A token that belongs to a key is taken only with a proof of that key: one bound by DPoP with the
scheme ``DPoP`` and a fresh proof, which costs one INSERT; one bound to a certificate over a
connection with that certificate. Each scheme refuses the other's tokens (RFC 9449 §7.2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749 import OAuth2Error
from sqlalchemy import Connection

from connectors.tools import Tools
from directory.base.audit import Actor
from directory.base.config import Settings
from directory.base.errors import DinhdanhError
from idp import assurance, demands
from idp.assurance import StepUp
from idp.demands import Operation, Rules, Situation
from idp.oidc import resources
from idp.oidc.active import Active, token_type
from idp.oidc.connection import Arrival, arrival
from idp.oidc.proofs import dpop, mtls
from idp.oidc.proofs.mtls import BadCertificate
from idp.oidc.tokens import Tokens
from idp.web import gate, threshold
from idp.web.exchange import HttpRequest

if TYPE_CHECKING:
    from flask import Response

REALM = "dinhdanh"
BEARER, DPOP = "Bearer", "DPoP"


class Refused(DinhdanhError):
    """Not let in. ``challenge`` is the value of WWW-Authenticate."""

    def __init__(
        self,
        status: int,
        error: str = "",
        scopes: Sequence[str] = (),
        *,
        sentence: str | None = None,
        said: Mapping[str, str] | None = None,
        scheme: str = BEARER,
    ) -> None:
        usual = {
            401: "Cần mã truy cập còn hiệu lực.",
            403: "Mã truy cập không có phạm vi cần thiết.",
            400: "Yêu cầu không hợp lệ.",
        }[status]
        super().__init__(error or "token_missing", sentence or usual)
        self.status = status
        # §3.1: who sent no token is told nothing but how to.
        self._said = {"error": error} if error else {}
        if scopes:
            self._said["scope"] = " ".join(scopes)
        self._said |= said or {}
        self._scheme = scheme

    @property
    def challenge(self) -> str:
        """For a resource without metadata of its own."""
        return self.challenge_of(None)

    def challenge_of(self, metadata: str | None) -> str:
        """The value of WWW-Authenticate, naming where the resource describes itself (RFC 9728
        §5.1).
        """
        said = {"realm": REALM, **self._said}
        if metadata is not None:
            said["resource_metadata"] = metadata
        algs = {"algs": " ".join(dpop.ALGORITHMS)}
        if self._scheme == DPOP:
            return _challenge(DPOP, said | algs)
        # RFC 9449 §7.2: whoever comes without a key is told of both ways.
        return f"{_challenge(BEARER, said)}, {_challenge(DPOP, algs)}"


def _challenge(scheme: str, said: Mapping[str, str]) -> str:
    return scheme + " " + ", ".join(f'{name}="{value}"' for name, value in said.items())


class StepUpNeeded(Refused):
    """RFC 9470 §3: the sign-in behind the token is too weak, or too long ago."""

    def __init__(self, wanted: StepUp, scheme: str) -> None:
        said = {"error_description": "A stronger or more recent sign-in is required."}
        if wanted.acr_values:
            said["acr_values"] = " ".join(wanted.acr_values)
        if wanted.max_age is not None:
            said["max_age"] = str(wanted.max_age)
        super().__init__(
            401,
            "insufficient_user_authentication",
            sentence="Cần đăng nhập lại, gần đây hơn hoặc với mức xác thực cao hơn.",
            said=said,
            scheme=scheme,
        )


@dataclass(frozen=True)
class PresentedToken:
    """A token as a request brings it, and what came with the request."""

    text: str = field(repr=False)
    scheme: str
    arrival: Arrival


def presented(
    asked: HttpRequest, settings: Settings, *, in_body: bool = False
) -> PresentedToken | None:
    """The token of a request: from the header, or a POST's body where that is allowed (§2.2).

    Never from the query: it would end up in logs. Raises Refused for two at once.
    """
    header = asked.get("Authorization")
    body = asked.form.getlist("access_token") if in_body and asked.method == "POST" else []
    if "access_token" in asked.args or len(body) > 1 or (header is not None and body):
        raise Refused(400, "invalid_request")
    if body:
        return PresentedToken(body[0], BEARER, arrival(asked, settings))
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    known = {name.lower(): name for name in (BEARER, DPOP)}.get(scheme.lower())
    return PresentedToken(text.strip(), known, arrival(asked, settings)) if known else None


def active(
    connection: Connection,
    tokens: Tokens,
    brought: PresentedToken | None,
    *,
    tools: Tools,
    now: datetime,
    with_person: bool = False,
) -> Active:
    """The token a request brings, if it is good and belongs to whoever brings it. Raises Refused.

    Whether the proof is presented for the first time is asked last, so that no rubbish is
    remembered.
    """
    if brought is None:
        raise Refused(401)
    found = tokens.active(connection, brought.text, now=now, with_person=with_person)
    if found is None or token_type(found.bound_to) != brought.scheme:
        raise Refused(401, "invalid_token", scheme=brought.scheme)
    if brought.scheme == DPOP:
        _require_proof(connection, brought, found, tools=tools, now=now)
    elif found.bound_to is not None:
        _require_certificate(brought, found)
    return found


def _require_proof(
    connection: Connection, brought: PresentedToken, token: Active, *, tools: Tools, now: datetime
) -> None:
    """RFC 9449 §7.1. One INSERT."""
    try:
        proof = dpop.read(
            tools,
            brought.arrival,
            now=now,
            nonce_wanted=token.fapi or tools.settings.dpop_nonce_required,
            access_token=brought.text,
        )
        if proof is not None and proof.bound_to == token.bound_to:
            proof.spend(connection)
            return
    except OAuth2Error as exc:
        raise Refused(401, str(exc.error), scheme=DPOP) from exc
    raise Refused(401, "invalid_dpop_proof" if proof is None else "invalid_token", scheme=DPOP)


def _require_certificate(brought: PresentedToken, token: Active) -> None:
    """RFC 8705 §3: the same certificate; its dates were judged when the token was given."""
    try:
        found = mtls.certificate(brought.arrival)
    except BadCertificate:
        found = None
    if found is None or mtls.bound_to(found) != token.bound_to:
        raise Refused(401, "invalid_token")


def require(
    token: Active,
    scopes: Sequence[str],
    *,
    here: Iterable[str],
    settings: Settings,
    now: datetime,
    at: Situation | None = None,
) -> None:
    """Raises Refused unless the token is meant for one of the names this resource goes by,
    carries all of the scopes, and rests on a sign-in that is good enough for them, and for what is
    done there, ``at``.
    """
    scheme = token_type(token.bound_to)
    if not resources.meant_for(token.resources, here):
        raise Refused(401, "invalid_token", scheme=scheme)
    if not set(scopes) <= set(token.scopes):
        raise Refused(403, "insufficient_scope", scopes, scheme=scheme)
    require_sign_in(token, scopes, settings=settings, now=now, at=at)


def require_sign_in(
    token: Active,
    scopes: Iterable[str],
    *,
    settings: Settings,
    now: datetime,
    at: Situation | None = None,
) -> None:
    """Raises StepUpNeeded unless the sign-in is strong and new enough for these scopes, and for what is
    done.
    """
    # A client on its own account has not signed in; what it may do is in its registration.
    if token.grant is not None:
        wanted = assurance.step_up(
            token.grant.acr,
            assurance.asked_at(token.grant.auth_time, token.grant.amr),
            scopes=scopes,
            scope_acr=settings.scope_acr,
            scope_max_age=settings.scope_max_age,
            now=now,
            also=_also(at, settings),
        )
        if wanted is not None:
            raise StepUpNeeded(wanted, token_type(token.bound_to))


def _also(at: Situation | None, settings: Settings) -> StepUp:
    """What is asked of whoever does this, beside its scopes."""
    if at is None:
        return StepUp()
    levels = demands.levels(demands.of(Rules.of(settings), at))
    if at.operation is None:
        return StepUp(levels)
    ages, usual = settings.operation_max_age, settings.sudo_window
    return StepUp(levels, ages.get(at.operation, usual))


def check(
    connection: Connection,
    tokens: Tokens,
    brought: PresentedToken | None,
    *,
    scopes: Sequence[str],
    tools: Tools,
    now: datetime,
    operation: Operation | None = None,
) -> Actor:
    """Who a token speaks for: a client on its own account, or a person, who is held to what is asked
    of administrators, and of whoever does this. Raises Refused.
    """
    posts_matter = bool(tools.settings.position_acr)
    found = active(connection, tokens, brought, tools=tools, now=now, with_person=posts_matter)
    here = (resources.api(tools.settings.issuer),)
    at = Situation(present=True, administers=True, position=_position(found), operation=operation)
    require(found, scopes, here=here, settings=tools.settings, now=now, at=at)
    if found.grant is not None:
        under = found.grant.assignment_id
        posts = frozenset() if under is None else frozenset((under,))
        return Actor("user", found.grant.user_id, found.grant.username, posts=posts)
    return Actor("client", found.client_id, found.public_client_id)


def _position(token: Active) -> str:
    """The code of the position that she acts in."""
    person = token.grant.person if token.grant is not None else None
    return person.held.position_code if person is not None and person.held is not None else ""


def authenticate(
    asked: HttpRequest,
    *,
    scopes: Sequence[str],
    tools: Tools,
    operation: Operation | None = None,
) -> Actor:
    """Who asks at one of our APIs. One SELECT. Raises Refused."""
    brought, now = presented(asked, tools.settings), tools.clock()
    with tools.db.hot() as connection:
        found = check(
            connection,
            Tokens(tools),
            brought,
            scopes=scopes,
            tools=tools,
            now=now,
            operation=operation,
        )
    ip, port = threshold.client_address(asked, tools.settings.trusted_proxies)
    return replace(found, ip=ip, port=port)


def next_nonce(asked: HttpRequest, tools: Tools) -> list[tuple[str, str]]:
    """RFC 9449 §8.2: whoever sends a proof is given the nonce for the next one."""
    if asked.get("DPoP") is None:
        return []
    return [("DPoP-Nonce", dpop.nonce(tools, now=tools.clock()))]


def offer_nonce(response: "Response") -> "Response":
    """The same, for Flask's ``after_request``."""
    for name, value in next_nonce(gate.this_request(), gate.services()):
        response.headers.setdefault(name, value)
    return response
