"""One request, what it takes to answer it, and what its checks find out (``order``).

    Provider    what the process answers with, handed down as one value
    Sent        what came, before anything of it has been believed
    Request     an OAuth request as our grants see it: each parameter once, from one place
    Call        a request to one of the endpoints that clients call

Authlib reads query and body together and takes the first of several equal parameters. RFC 6749
§3.1 and §3.2: parameters must not be repeated, and one without a value counts as left out; the
token endpoint's belong in the body. Only ``resource`` may come several times (RFC 8707 §2).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
)
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from connectors.tools import Tools
from directory.base.config import Settings
from directory.base.storable import is_text
from idp.oidc import connection, grants
from idp.oidc.asking import Asking
from idp.oidc.clients.keyset import ClientKeys
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.refusals import BY_ERROR, NewRefusal, Reason, Refusals
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView
from idp.oidc.tokens import Tokens
from idp.web import threshold
from idp.web.exchange import FORM, HttpRequest

REPEATABLE = frozenset({"resource"})
LONGEST = 8192
"""Characters of all parameters together."""


@dataclass(frozen=True)
class Provider:
    """What it takes to answer as the provider, below the server that answers. One per process."""

    tools: Tools
    tokens: Tokens
    client_keys: ClientKeys
    refusals: Refusals

    @classmethod
    def of(cls, tools: Tools) -> Self:
        """The provider that these tools make."""
        return cls(tools, Tokens(tools), ClientKeys(tools), Refusals())


@dataclass
class Sent:
    """What came, before anything of it has been believed."""

    mimetype: str
    values: "MultiDict[str, str]"
    parameters: dict[str, str] = field(init=False)
    """Each once."""


def form_encoded(sent: Sent) -> None:
    """The body is a form; what stands in the query does not count (RFC 6749 §3.2)."""
    if sent.mimetype != FORM:
        raise InvalidRequestError("The body must be form-encoded.")


def each_once(sent: Sent) -> None:
    """Each parameter once, all of it text and not too long (RFC 6749 §3.1, §3.2)."""
    sent.parameters = parameters(sent.values)


def parameters(values: "MultiDict[str, str]") -> dict[str, str]:
    """Each parameter once. Raises InvalidRequestError for a repeated one and for too many."""
    found = {}
    for name, several in values.lists():
        if len(several) > 1 and name not in REPEATABLE:
            raise InvalidRequestError("A parameter is repeated.")
        # A space stands in no URI: the several are told apart again where they are judged.
        if value := " ".join(filter(None, several)):
            found[name] = value
    return bounded(found)


def bounded(found: dict[str, str]) -> dict[str, str]:
    """These parameters. Raises InvalidRequestError for too many, and for one no database holds."""
    if sum(len(k) + len(v) for k, v in found.items()) > LONGEST:
        raise InvalidRequestError("The request is too long.")
    if not all(is_text(name) and is_text(value) for name, value in found.items()):
        raise InvalidRequestError("A parameter holds what is no text.")
    return found


class Payload(OAuth2Payload):  # type: ignore[misc]
    """Parameters that have passed ``parameters``."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @property
    def data(self) -> dict[str, str]:
        """The parameters."""
        return self._values

    @property
    def datalist(self) -> "defaultdict[str, list[str]]":
        """The parameters as Authlib counts them: one each."""
        return defaultdict(list, {name: [value] for name, value in self._values.items()})


class Request(OAuth2Request):  # type: ignore[misc]
    """One request, with the connection and the moment it is answered at."""

    client: ClientView | None
    asking: Asking | None = None
    """Who asks, once that has been proven, and what was read with it."""
    connection: Connection
    """Not there before ``over`` has given one."""
    bound_to: str | None = None
    """The key the tokens of the answer belong to, once it has been proven."""
    explained: bool = False
    """Whether its owner is told already why it was refused."""

    def __init__(
        self,
        asked: HttpRequest,
        values: Mapping[str, str],
        *,
        settings: Settings,
        now: datetime,
    ) -> None:
        # Authlib refuses what did not arrive over TLS by looking at the URL, which behind a
        # proxy is the inner one. The issuer's scheme is the installation's matter (``check``).
        super().__init__(asked.method, "https://localhost/")
        self.headers = self.http = asked
        self.arrival = connection.arrival(asked, settings)
        self.payload = Payload(values)
        self.now = now
        self._proxies = settings.trusted_proxies

    def over(self, connection: Connection) -> None:
        """From now on the database is asked over this connection."""
        self.connection = connection

    def counts(self, values: Mapping[str, str]) -> None:
        """These are its parameters, whatever came with it (RFC 9101 §6.3, RFC 9126 §4)."""
        self.payload = Payload(values)

    def identified(self, client: ClientView, method: AuthMethod | None) -> None:
        """Who sends it is known, and how it was proven, where it was. Authlib hands nothing but the
        request from step to step: what one has found out, the next reads here.
        """
        self.client, self.auth_method = client, method and method.value

    def grant_named(self, grant_id: str) -> GrantView | None:
        """The grant of a code or token that it brings, as it was read with its client, at the token
        endpoint with the person; where it was not, one SELECT.
        """
        known = self.asking
        if known is not None and known.named.grant_id == grant_id:
            return known.grant
        return grants.read_with_person(self.connection, grant_id, now=self.now)

    def bind(self, key: str | None) -> None:
        """This is the key the tokens of the answer will belong to."""
        self.bound_to = key

    def belongs(self, grant: GrantView) -> None:
        """What it brings is of this grant, under every name by which Authlib asks for it."""
        self.user = self.authorization_code = self.refresh_token = self.credential = grant

    @property
    def source(self) -> tuple[str, int | None]:
        """(address, port) it came from."""
        return threshold.client_address(self.http, self._proxies)

    @property
    def place(self) -> str:
        """The path it was sent to."""
        return urlsplit(next(iter(self.arrival.urls), "")).path

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a POST."""
        return self.payload.data

    @property
    def args(self) -> dict[str, str]:
        """The parameters of a GET."""
        return self.payload.data

    def get(self, name: str) -> str | None:
        """One parameter, None when it is missing or empty."""
        value: Any = self.payload.data.get(name)
        return value if isinstance(value, str) else None

    def keep_refusal(
        self, refusals: Refusals, client: ClientView | str, reason: Reason, detail: str = ""
    ) -> None:
        """Keep for the client's owner why this request was refused."""
        self.explained = True
        refusals.note(self.connection, client, NewRefusal(reason, self.place, detail), now=self.now)

    def keep_error(self, refusals: Refusals, error: OAuth2Error) -> None:
        """Keep it, if the client is known by now, it is its own doing, and nothing has been kept
        that says more than the error does.
        """
        reason = getattr(error, "reason", None) or BY_ERROR.get(str(error.error))
        if self.client is not None and reason is not None and not self.explained:
            self.keep_refusal(refusals, self.client, reason, _told(error, reason, self))


@dataclass
class Call:
    """A request to one of the endpoints that clients call, and what its checks have found out: each
    field is there once the check has passed that finds it.
    """

    provider: Provider
    request: Request
    endpoint: str
    """As ``connection.ENDPOINTS`` names it."""
    scopes: list[str] = field(init=False)
    """Those that will be granted."""
    resources: list[str] = field(init=False)
    """Those that will be granted."""

    @property
    def client(self) -> ClientView:
        """Who calls. Raises InvalidClientError before that has been proven."""
        if self.request.client is None:
            raise InvalidClientError
        return self.request.client

    @property
    def grant(self) -> GrantView:
        """What it brings is of this grant. Raises InvalidGrantError before that is known."""
        if self.request.user is None:
            raise InvalidGrantError
        found: GrantView = self.request.user
        return found


_SENT = {
    Reason.RESPONSE_TYPE: "response_type",
    Reason.GRANT_TYPE: "grant_type",
    Reason.SCOPE: "scope",
    Reason.RESOURCE: "resource",
    Reason.PKCE: "code_challenge_method",
}
"""What was sent says more than the error about it."""


def _told(error: OAuth2Error, reason: Reason, request: Request) -> str:
    """What the owner reads beside the sentence: nothing of it is secret."""
    if reason in _SENT:
        return request.get(_SENT[reason]) or ""
    return f"{error.error}: {error.get_error_description() or ''}".rstrip(": ")
