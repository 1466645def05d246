"""An OAuth request as our grants see it: each parameter once, from one place.

Authlib reads query and body together and takes the first of several equal parameters. RFC 6749
§3.1 and §3.2: parameters must not be repeated, and one without a value counts as left out; the
token endpoint's belong in the body. Only ``resource`` may come several times (RFC 8707 §2).
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from directory.base.storable import is_text
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.refusals import NewRefusal, Reason, Refusals
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import Arrival

REPEATABLE = frozenset({"resource"})
LONGEST = 8192
"""Characters of all parameters together."""


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


class Headers(Protocol):
    """What is asked of a request's headers."""

    def get(self, name: str, /) -> str | None:
        """One header by its name, however it is spelt."""


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
    bound_to: str | None = None
    """The key the tokens of the answer belong to, once it has been proven."""

    def __init__(
        self,
        method: str,
        values: Mapping[str, str],
        headers: Headers,
        *,
        connection: Connection,
        now: datetime,
        arrival: Arrival | None = None,
    ) -> None:
        # Authlib refuses what did not arrive over TLS by looking at the URL, which behind a
        # proxy is the inner one. The issuer's scheme is the installation's matter (``check``).
        super().__init__(method, "https://localhost/")
        self.headers = headers
        self.arrival = arrival or Arrival(method, ())
        self.payload = Payload(values)
        self.connection = connection
        self.now = now

    def identified(self, client: ClientView, method: AuthMethod) -> None:
        """Who sends it has been proven. Authlib hands nothing but the request from step to step:
        what one has found out, the next reads here.
        """
        self.client, self.auth_method = client, method.value

    def bind(self, key: str | None) -> None:
        """This is the key the tokens of the answer will belong to."""
        self.bound_to = key

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
        refusals.note(self.connection, client, NewRefusal(reason, self.place, detail), now=self.now)
