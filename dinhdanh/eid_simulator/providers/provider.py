"""What every profile does alike: ask who signs in, send the code back, redeem it, tell who it is.

    authorize ── page, or a choice made beforehand ──▶ answered ──▶ callback with the code
    token     ── code, client, redirect URI, PKCE ──▶ token body
    userinfo  ── Bearer ──▶ the person's claims

A profile says which parameters it understands, how the callback looks, and what the two bodies
hold; faults change each of these on its way out.
"""

import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from werkzeug import Request, Response

from dinhdanh.eid_simulator import jose
from dinhdanh.eid_simulator.artefacts import Answer, Callback, in_json, refused
from dinhdanh.eid_simulator.faults.fault import Stage
from dinhdanh.eid_simulator.faults.registry import misbehave
from dinhdanh.eid_simulator.pages import Pages
from dinhdanh.eid_simulator.providers import authentication, requests
from dinhdanh.eid_simulator.providers.requests import ForClient, Understood
from dinhdanh.eid_simulator.sign_ins import (
    ABSENT,
    AS_RECORDED,
    Asked,
    Choice,
    Session,
    Shown,
    SignIn,
    soon,
)
from dinhdanh.eid_simulator.simulation import Mount, Simulation

TOKEN_LIFE = 300
Handler = Callable[[Request], Answer | Response]


@dataclass(frozen=True)
class Endpoint:
    """An address of a provider."""

    name: str
    path: str
    """Below the provider's prefix."""
    handler: Handler
    methods: tuple[str, ...] = ("GET",)


class Provider(ABC):
    """One simulated provider at one prefix."""

    profile: ClassVar[str]
    understood: ClassVar[Understood] = Understood()
    code_life: ClassVar[float] = 60
    paths: ClassVar[Mapping[str, str]]
    """Path of ``authorize``, ``token`` and ``userinfo``."""

    def __init__(self, simulation: Simulation, mount: Mount, pages: Pages) -> None:
        self.simulation, self.mount, self.pages = simulation, mount, pages
        self.prefix = mount.prefix
        self.keys = simulation.keys[mount.prefix]
        self.root = f"{simulation.base}/{mount.prefix}"

    # ---- addresses -----------------------------------------------------------------------------

    def address(self, name: str) -> str:
        """The whole address of one of ``paths``."""
        return f"{self.root}{self.paths[name]}"

    def endpoints(self) -> list[Endpoint]:
        """Every address this provider answers at."""
        return [
            Endpoint("authorize", self.paths["authorize"], self.authorize, ("GET", "POST")),
            Endpoint("choose", "/choose", self.choose, ("GET", "POST")),
            Endpoint("token", self.paths["token"], self.token, ("POST",)),
            Endpoint("userinfo", self.paths["userinfo"], self.userinfo, ("GET", "POST")),
            *self.further_endpoints(),
        ]

    def further_endpoints(self) -> list[Endpoint]:
        """What a profile has beside these."""
        return []

    # ---- in the browser ------------------------------------------------------------------------

    def authorize(self, request: Request) -> Response:
        """Answer at once if a choice was made beforehand; otherwise show the page."""
        try:
            asked, said = requests.read(request, self.simulation, self.prefix, self.understood)
        except ForClient as error:
            return self._error(error.asked, error.error, error.description)
        prepared = self.simulation.prepared_for(self.prefix, asked.client.client_id)
        if prepared is not None:
            return self.answered(asked, prepared, self.now)
        choice, at_once = requests.choice_in(said, request, self.simulation)
        if choice is not None and at_once:
            return self.answered(asked, choice, self.now)
        if self.understood.prompt and "none" in said.get("prompt", "").split():
            return self._silently(asked, request)
        waiting = self.simulation.memory.waiting.put(asked)
        return self.pages.to_choose(self.prefix, waiting, choice, said.get("ui_locales", ""))

    def choose(self, request: Request) -> Response:
        """The page on which somebody is chosen; what was chosen there."""
        waiting = request.values.get("id", "")
        if request.method == "GET":
            asked = self.simulation.memory.waiting.get(waiting)
            return self.pages.choose(request, self.mount, waiting, asked)
        asked = self.simulation.memory.waiting.take(waiting)
        if asked is None or asked.provider != self.prefix:
            return self.pages.choose(request, self.mount, waiting, None)
        choice = self.pages.chosen(request)
        response = self.answered(asked, choice, self.now)
        if not choice.declined:
            session = self.simulation.memory.sessions.put(Session(choice, self.now))
            self._cookie(response, session)
        return self.pages.remembering(response, choice)

    def _silently(self, asked: Asked, request: Request) -> Response:
        """``prompt=none``: whoever is signed in here, if that is recent enough."""
        session = self.simulation.memory.sessions.get(request.cookies.get(self.cookie))
        if session is None:
            return self._error(asked, "login_required")
        age = (self.now - session.auth_time).total_seconds()
        if asked.max_age is not None and age > asked.max_age:
            return self._error(asked, "login_required")
        return self.answered(asked, session.choice, session.auth_time)

    @property
    def cookie(self) -> str:
        """Name of the cookie that says who is signed in here."""
        return f"eid-sim-session-{self.prefix}"

    def _cookie(self, response: Response, session: str) -> None:
        response.set_cookie(
            self.cookie,
            session,
            path=f"{self.simulation.settings.path}/{self.prefix}",
            httponly=True,
            samesite="Lax",
            secure=self.simulation.settings.secure,
        )

    def _error(self, asked: Asked, error: str, description: str = "") -> Response:
        parameters = [("error", error)]
        parameters += [("error_description", description)] if description else []
        parameters += self.known(asked)
        return self.pages.back(asked, Callback(parameters, asked.by_post))

    # ---- a sign-in -----------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """This moment."""
        return self.simulation.clock()

    def answered(self, asked: Asked, choice: Choice, auth_time: datetime) -> Response:
        """Send the browser back with a code, or with what the faults make of it."""
        if choice.declined:
            return self._error(asked, "access_denied")
        sign_in = self._begun(asked, choice, auth_time)
        callback = self.callback(sign_in)
        callback.by_post = asked.by_post
        self.misbehave(Stage.CODE, sign_in, sign_in)
        self.simulation.memory.codes.put(sign_in, sign_in.code)
        self.misbehave(Stage.CALLBACK, sign_in, callback)
        self.misbehave(Stage.OUTAGE, sign_in, self.simulation)
        return self.pages.back(asked, callback)

    def _begun(self, asked: Asked, choice: Choice, auth_time: datetime) -> SignIn:
        person = self.simulation.person(choice.person)
        level: Any = person.level
        if choice.level != AS_RECORDED:
            level = ABSENT if choice.level == "none" else int(choice.level)
        shown = Shown(
            subject=self.subject(person.key),
            full_name=person.full_name,
            citizen_number=person.citizen_number,
            birth_date=person.birth_date,
            gender=person.gender,
            level=level,
        )
        sign_in = SignIn(
            asked=asked,
            choice=choice,
            person=person,
            other=self.simulation.other_than(person),
            shown=shown,
            auth_time=auth_time,
            code=self.new_code(),
            code_client=asked.client.client_id,
            code_until=soon(self.now, self.code_life),
        )
        self.misbehave(Stage.IDENTITY, sign_in, shown)
        return sign_in

    def subject(self, key: str) -> str:
        """A person's subject here: the same after a restart, another at another provider."""
        return hashlib.sha256(f"{self.prefix}\0{key}".encode()).hexdigest()[:32]

    def new_code(self) -> str:
        """A code as this profile writes it."""
        return secrets.token_urlsafe(24)

    def callback(self, sign_in: SignIn) -> Callback:
        """What goes back through the browser."""
        return Callback([("code", sign_in.code), *self.known(sign_in.asked)])

    def known(self, asked: Asked) -> list[tuple[str, str]]:
        """What goes back with every answer, an error included."""
        state = [] if asked.state is None else [("state", asked.state)]
        return [*state, *self.further_parameters()]

    def further_parameters(self) -> list[tuple[str, str]]:
        """What a profile adds to every callback."""
        return []

    # ---- the relying party's own calls ---------------------------------------------------------

    def token(self, request: Request) -> Answer:
        """A code for a token."""
        audiences = (self.address("token"), self.root, self.issuer)
        client = authentication.authenticated(request, self.simulation, audiences)
        if client is None:
            return refused("invalid_client", "client authentication", 401)
        if any(len(values) > 1 for _, values in request.form.lists()):
            return refused("invalid_request", "a parameter stands there twice")
        if request.form.get("grant_type") != "authorization_code":
            return refused("unsupported_grant_type", "authorization_code")
        found = self.simulation.memory.codes.get(request.form.get("code", ""))
        if found is None or found.code_client != client.client_id:
            return refused("invalid_grant", "code")
        if wrong := self._wrong_with(found, request.form):
            return refused("invalid_grant", wrong)
        sign_in = self.simulation.memory.redeem(found.code, self.now)
        if sign_in is None:
            return refused("invalid_grant", "code")
        return self._given(sign_in)

    def _given(self, sign_in: SignIn) -> Answer:
        sign_in.access_token = secrets.token_urlsafe(24)
        sign_in.token_until = soon(self.now, TOKEN_LIFE)
        self.simulation.memory.tokens.put(sign_in, sign_in.access_token)
        body = self.token_body(sign_in, sign_in.access_token)
        self.misbehave(Stage.TOKEN, sign_in, body)
        answer = in_json(self.sealed(Stage.TOKEN_ENVELOPE, sign_in, body))
        self.misbehave(Stage.TOKEN_TRANSPORT, sign_in, answer)
        return answer

    def _wrong_with(self, sign_in: SignIn, form: Mapping[str, str]) -> str:
        """What does not fit the request the code was given for; empty if all does."""
        if sign_in.asked.provider != self.prefix:
            return "code"
        if form.get("redirect_uri") != sign_in.asked.redirect_uri:
            return "redirect_uri"
        challenge, verifier = sign_in.asked.challenge, form.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        if (challenge or verifier) and jose.unpadded(digest) != challenge:
            return "code_verifier"
        return self.wrong_in_profile(sign_in, form)

    def wrong_in_profile(self, sign_in: SignIn, form: Mapping[str, str]) -> str:
        """What else a profile wants of a request for a token; empty if all is there."""
        return ""

    def userinfo(self, request: Request) -> Answer:
        """The person's claims for a token."""
        sign_in = self.simulation.memory.tokens.get(_bearer(request))
        gone = sign_in is None or sign_in.token_until is None or self.now >= sign_in.token_until
        if sign_in is None or gone or sign_in.asked.provider != self.prefix:
            answer = refused("invalid_token", "access token", 401)
            answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return answer
        claims = {name: v for name, v in self.claims(sign_in).items() if v is not ABSENT}
        self.misbehave(Stage.USERINFO, sign_in, claims)
        answer = in_json(self.sealed(Stage.USERINFO_ENVELOPE, sign_in, claims))
        self.misbehave(Stage.USERINFO_TRANSPORT, sign_in, answer)
        return answer

    # ---- what a profile says -------------------------------------------------------------------

    @property
    def issuer(self) -> str:
        """Who issues: in tokens and documents."""
        return self.root

    def token_body(self, sign_in: SignIn, access_token: str) -> dict[str, Any]:
        """The token endpoint's answer."""
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
            "scope": sign_in.asked.scope,
        }

    @abstractmethod
    def claims(self, sign_in: SignIn) -> dict[str, Any]:
        """What userinfo says; a value ``ABSENT`` is left out."""

    def sealed(self, stage: Stage, sign_in: SignIn, body: dict[str, Any]) -> dict[str, Any]:
        """The body as it leaves; only one profile encrypts."""
        return body

    def misbehave(self, stage: Stage, sign_in: SignIn, thing: Any) -> None:
        """Let this sign-in's faults of a stage change a thing on its way out."""
        faults = self.simulation.faults(sign_in.choice.faults)
        misbehave(stage, self.profile, faults, thing, sign_in)


def _bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return request.form.get("access_token") if request.method == "POST" else None
