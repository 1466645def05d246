"""An OAuth request as our grants see it: each parameter once, from one place.

Authlib reads query and body together and takes the first of several equal parameters. RFC 6749
§3.1 and §3.2: parameters must not be repeated, and one without a value counts as left out; the
token endpoint's belong in the body.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from idp.oidc.clients.kinds import ResponseType
from idp.oidc.clients.view import ClientView

LONGEST = 8192
"""Characters of all parameters together."""


def parameters(values: "MultiDict[str, str]") -> dict[str, str]:
    """Each parameter once. Raises InvalidRequestError for a repeated one and for too many."""
    found = {}
    for name, several in values.lists():
        if len(several) > 1:
            raise InvalidRequestError("A parameter is repeated.")
        if several[0] != "":
            found[name] = several[0]
    if sum(len(k) + len(v) for k, v in found.items()) > LONGEST:
        raise InvalidRequestError("The request is too long.")
    if any("\0" in value for value in found.values()):
        raise InvalidRequestError("A parameter holds a NUL.")
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
    response_type: ResponseType | None = None

    def __init__(
        self,
        method: str,
        values: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        connection: Connection,
        now: datetime,
    ) -> None:
        # Authlib refuses what did not arrive over TLS by looking at the URL, which behind a
        # proxy is the inner one. The issuer's scheme is the installation's matter (``check``).
        super().__init__(method, "https://localhost/", headers=headers)
        self.payload = Payload(values)
        self.connection = connection
        self.now = now

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
