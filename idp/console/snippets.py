"""What an application owner copies into her application: a whole, small program that signs in.

Each is a template under ``templates/snippets``, with PKCE S256 and the client's own values filled
in as literals of its language, and each is run by a test (tests/interop).
"""

import json
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idp.web.i18n import gettext

SCOPES = ("openid", "profile", "email", "org")
_FOLDER = Path(__file__).parents[1] / "templates" / "snippets"


class Snippet(StrEnum):
    """What there is a snippet for."""

    FLASK = "flask"
    EXPRESS = "express"
    APACHE = "apache"

    @property
    def file(self) -> str:
        """The name of the file it goes into."""
        return {"flask": "app.py", "express": "app.mjs", "apache": "dinhdanh.conf"}[self.value]


def _code(value: str) -> str:
    """A string literal of Python and of JavaScript."""
    return json.dumps(value)


def _quoted(value: str) -> str:
    """An argument of an Apache directive."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# What comes out is a program's text, not a page: the page that shows it escapes it.
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=False,  # noqa: S701
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters.update(code=_code, quoted=_quoted)
_TEMPLATES.globals["_"] = gettext


def snippet(
    kind: Snippet | str,
    *,
    issuer: str,
    client_id: str,
    client_secret: str,
    redirect_uri: str,
    post_logout_redirect_uri: str | None = None,
    scopes: tuple[str, ...] = SCOPES,
) -> str:
    """The text of one snippet, its comments in the language in force.

    The client authenticates by client_secret_basic. Without ``post_logout_redirect_uri`` a
    sign-out ends on our own page; with it the address must be registered. Raises ValueError
    for a kind there is none for.
    """
    chosen = Snippet(kind)
    parts = urlsplit(redirect_uri)
    standard = {"http": 80, "https": 443}.get(parts.scheme, 0)
    return _TEMPLATES.get_template(f"{chosen.value}.j2").render(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        path=parts.path or "/",
        port=parts.port or standard,
        local=parts.scheme == "http",
        insecure=urlsplit(issuer).scheme == "http",
        post_logout_redirect_uri=post_logout_redirect_uri,
        scope=" ".join(scopes),
    )
