"""What a page may load and where its forms may end: Content-Security-Policy and its like.

Nothing inline, nothing from elsewhere. A page that leads to a relying party allows the origin it
needs, for itself alone.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Response, g

from idp import security

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*:(//[A-Za-z0-9.\-\[\]:]+)?")
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
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
    if ORIGIN.fullmatch(origin) and parts.scheme not in ("javascript", "data"):
        g.form_origins = g.get("form_origins", _NOBODY) | {origin}


def allow_image(url: str | None) -> None:
    """Let this page show a picture from the origin of a relying party's URL."""
    parts = urlsplit(url or "")
    origin = f"{parts.scheme}://{parts.netloc}"
    if ORIGIN.fullmatch(origin) and parts.scheme in ("http", "https"):
        g.image_origins = g.get("image_origins", _NOBODY) | {origin}


def allow_frames(urls: Iterable[str]) -> None:
    """Let this page open these addresses in frames, and those of no other origin."""
    origins = ("{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls)
    g.frame_origins = frozenset(o for o in origins if ORIGIN.fullmatch(o) and o.startswith("http"))


@lru_cache(maxsize=256)
def _policy(forms: frozenset[str], images: frozenset[str], frames: frozenset[str]) -> str:
    return (
        f"default-src 'self'; img-src {_own(images, 'data:')}; object-src 'none'; "
        f"base-uri 'none'; form-action {_own(forms)}; "
        f"frame-src {' '.join(sorted(frames)) or _NONE}; frame-ancestors 'none'"
    )


def _own(origins: frozenset[str], *more: str) -> str:
    return " ".join(["'self'", *more, *sorted(origins)])


def _headers(response: Response) -> Response:
    policy = _policy(
        g.get("form_origins", _NOBODY),
        g.get("image_origins", _NOBODY),
        g.get("frame_origins", _NOBODY),
    )
    wanted = [
        *_ALWAYS,
        ("Content-Security-Policy", policy),
        ("X-Request-ID", security.request_id()),
    ]
    if security.services().settings.secure:
        wanted.append(("Strict-Transport-Security", "max-age=31536000"))
    # Asking for each in turn raises and catches an exception for each that is not there.
    there = {name.lower() for name, _ in response.headers}
    response.headers.extend([pair for pair in wanted if pair[0].lower() not in there])
    return response


def install(app: Flask) -> None:
    """Give every answer its headers, those apart that it has itself."""
    app.after_request(_headers)
