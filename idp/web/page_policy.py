"""What a page may load and where its forms may end: Content-Security-Policy and its like.

Nothing inline, nothing from elsewhere. A page that leads to a relying party allows the origin it
needs, for itself alone.
"""

import re
from collections.abc import Container, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Response, g

from idp.web import gate
from idp.web.exchange import HttpRequest

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_WRITTEN = re.compile(r"[A-Za-z0-9._:\[\]-]*")
# CSP3 §2.3.1: a host is letters, digits and hyphens; neither an IPv6 address nor an underscore.
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?(:[0-9]{1,5})?")
_SIGN_IN = ("/oauth2/", "/login")
"""Where an application's own window may stand (a sign-in in a pop-up), which must find its way back
to the window that opened it."""
_NOBODY: frozenset[str] = frozenset()
_NONE = "'none'"
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cache-Control", "no-store"),
)
"""On every answer that does not say otherwise itself."""


def allow_form_to(url: str | None) -> None:
    """Let this page's form end at the origin of a relying party's URL.

    Browsers apply ``form-action`` to the redirects that follow a submission (CSP3 section
    6.4.2), and a sign-in ends at the redirect URI.
    """
    if not url:
        return
    if source := _source(url):
        g.form_origins = g.get("form_origins", _NOBODY) | {source}


def _source(url: str) -> str | None:
    """The origin of a URL as a policy can say it: its scheme alone where it has no host, or one
    that a policy has no spelling for. None for what no page may lead to.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not _SCHEME.fullmatch(parts.scheme) or parts.scheme in ("javascript", "data", "blob"):
        return None
    if not _WRITTEN.fullmatch(parts.netloc):
        return None
    spelt = _HOST.fullmatch(parts.netloc)
    return f"{parts.scheme}://{parts.netloc}" if spelt else f"{parts.scheme}:"


def allow_image(url: str | None) -> None:
    """Let this page show a picture from the origin of a relying party's URL."""
    source = _source(url or "")
    if source is not None and source.startswith("http"):
        g.image_origins = g.get("image_origins", _NOBODY) | {source}


def allow_frames(urls: Iterable[str]) -> None:
    """Let this page open these addresses in frames, and those of no other origin."""
    sources = (_source(url) for url in urls)
    g.frame_origins = frozenset(s for s in sources if s is not None and s.startswith("http"))


@lru_cache(maxsize=256)
def _policy(forms: frozenset[str], images: frozenset[str], frames: frozenset[str]) -> str:
    return (
        f"default-src 'self'; img-src {_own(images, 'data:')}; object-src 'none'; "
        f"base-uri 'none'; form-action {_own(forms)}; "
        f"frame-src {' '.join(sorted(frames)) or _NONE}; frame-ancestors 'none'"
    )


def _own(origins: frozenset[str], *more: str) -> str:
    return " ".join(["'self'", *more, *sorted(origins)])


OWN = _policy(_NOBODY, _NOBODY, _NOBODY)
"""The policy of a page that leads nowhere else, and of every answer that is no page."""


def headers(
    asked: HttpRequest,
    there: Container[str],
    *,
    mimetype: str,
    secure: bool,
    policy: str = OWN,
) -> list[tuple[str, str]]:
    """What an answer to this request still lacks, beside these headers (in small letters)."""
    wanted = [*_ALWAYS, ("Content-Security-Policy", policy), ("X-Request-ID", asked.id)]
    if mimetype == "text/html" and not asked.path.startswith(_SIGN_IN):
        wanted.append(("Cross-Origin-Opener-Policy", "same-origin"))
    if secure:
        wanted.append(("Strict-Transport-Security", "max-age=31536000"))
    return [pair for pair in wanted if pair[0].lower() not in there]


def _headers(response: Response) -> Response:
    policy = _policy(
        g.get("form_origins", _NOBODY),
        g.get("image_origins", _NOBODY),
        g.get("frame_origins", _NOBODY),
    )
    more = headers(
        gate.this_request(),
        {name.lower() for name, _ in response.headers},
        mimetype=response.mimetype or "",
        secure=gate.services().settings.secure,
        policy=policy,
    )
    response.headers.extend(more)
    return response


def install(app: Flask) -> None:
    """Give every answer its headers, those apart that it has itself."""
    app.after_request(_headers)
