"""Two languages. The message id is the Vietnamese sentence; English comes from locale/en/*.po.

Every part of the product keeps its own ``.po`` file; they are merged when the process starts. A
sentence without a translation is shown in Vietnamese. The language of a request is that of the
``lang`` cookie, else the best match of Accept-Language, else Vietnamese.
"""

from contextvars import ContextVar
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from babel.messages.pofile import read_po
from flask import Flask, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from directory.base.clock import VIETNAM
from directory.base.errors import DinhdanhError
from idp.web import exchange

LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}
DEFAULT = "vi"
COOKIE = "lang"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)
_UNDECIDED = ""
"""A request has begun; which language it is in is asked when somebody speaks."""
_FOLDER = Path(__file__).parents[1] / "locale"


def _load(language: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for part in sorted((_FOLDER / language).glob("*.po")):
        with part.open("rb") as file:
            catalog = read_po(file, locale=language, charset="utf-8")
        for message in catalog:
            if message.id and message.string and not message.fuzzy:
                merged.setdefault(cast("str", message.id), cast("str", message.string))
    return merged


CATALOGS: dict[str, dict[str, str]] = {code: _load(code) for code in LANGUAGES if code != DEFAULT}


def language() -> str:
    """The language in force: ``vi`` or ``en``."""
    code = _language.get()
    if code == _UNDECIDED:
        use(code := _of_request())
    return code


def use(code: str | None) -> None:
    """Speak this language from here on in this request or job; an unknown one is Vietnamese."""
    _language.set(code if code in LANGUAGES else DEFAULT)


def prefer(locales: str) -> None:
    """Speak the first of these language tags that we know (``ui_locales``, OIDC Core §3.1.2.1),
    unless the person has chosen one herself.
    """
    tags = (tag.partition("-")[0].lower() for tag in locales.split())
    known = next((tag for tag in tags if tag in LANGUAGES), None)
    if known is not None and _chosen() is None:
        use(known)


def gettext(message: str, /, **args: Any) -> str:
    """The sentence in the language in force, its ``{names}`` filled in."""
    text = CATALOGS.get(language(), {}).get(message, message)
    return text.format(**args) if args else text


def in_language(code: str, message: str, /) -> str:
    """The sentence in a language, whichever is in force, its ``{names}`` still to be filled in."""
    return CATALOGS.get(code, {}).get(message, message)


class Lazy:
    """A sentence that is translated when it is shown; for labels made when a module loads."""

    def __init__(self, message: str, args: dict[str, Any]) -> None:
        self._message = message
        self._args = args

    def __str__(self) -> str:
        return gettext(self._message, **self._args)


def lazy_gettext(message: str, /, **args: Any) -> Lazy:
    """Like ``gettext``, decided later."""
    return Lazy(message, args)


def error_text(error: DinhdanhError) -> str:
    """What an error says to a person, in the language in force."""
    return gettext(error.message, **error.message_args)


def day(value: date | datetime | None) -> str:
    """dd/mm/yyyy in Viet Nam; nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.astimezone(VIETNAM).date()
    return value.strftime("%d/%m/%Y")


def birth(value: str | None) -> str:
    """A day of birth as it is stored: dd/mm/yyyy, or the year where only that is known."""
    return day(date.fromisoformat(value)) if value and len(value) > len("1980") else value or ""


def moment(value: datetime | None) -> str:
    """dd/mm/yyyy HH:MM in Viet Nam; nothing for nothing."""
    return value.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M") if value else ""


def not_before(value: datetime) -> str:
    """The first whole minute that is not before ``value``, as ``moment`` says it."""
    over = timedelta(seconds=value.second, microseconds=value.microsecond)
    return moment(value + (timedelta(minutes=1) - over if over else over))


def instant(value: datetime | None) -> str:
    """dd/mm/yyyy HH:MM:SS.mmm in Viet Nam, for proofs; nothing for nothing."""
    if value is None:
        return ""
    local = value.astimezone(VIETNAM)
    return f"{local:%d/%m/%Y %H:%M:%S}.{local.microsecond // 1000:03d}"


def duration(value: timedelta | None) -> str:
    """A latency people can compare: ``340 ms``, ``2,1 s``, ``3 phút``; nothing for nothing."""
    if value is None:
        return ""
    seconds = value.total_seconds()
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)} ms"
    if seconds < 120:
        text = f"{seconds:.1f} s"
        return text.replace(".", ",") if language() == "vi" else text
    minutes, hours = ("phút", "giờ") if language() == "vi" else ("min", "h")
    return f"{seconds / 60:.0f} {minutes}" if seconds < 7200 else f"{seconds / 3600:.0f} {hours}"


def begin() -> None:
    """A request has begun; nobody has spoken."""
    _language.set(_UNDECIDED)


def _begin() -> None:
    exchange.at_flask(request.environ)
    if exchange.handed(request.environ) is None:
        begin()


def _chosen() -> str | None:
    """The language that this browser's person has chosen herself."""
    asked = exchange.current()
    code = asked.cookies.get(COOKIE) if asked is not None else None
    return code if code in LANGUAGES else None


def _of_request() -> str:
    asked = exchange.current()
    if asked is None:
        return DEFAULT
    accepted = parse_accept_header(asked.get("Accept-Language"), LanguageAccept)
    return _chosen() or accepted.best_match(list(LANGUAGES), default=DEFAULT)


def install(app: Flask) -> None:
    """Give templates ``_``, the date filters and the language; each request has its own."""
    app.before_request(_begin)
    app.jinja_env.globals.update(
        _=gettext, gettext=gettext, language=language, languages=LANGUAGES, error_text=error_text
    )
    app.jinja_env.filters.update(
        day=day,
        birth=birth,
        moment=moment,
        not_before=not_before,
        instant=instant,
        duration=duration,
    )
