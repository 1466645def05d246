"""The structured log: one JSON object per line on standard error.

It tells what the product did and what went wrong; who did what to whom is the audit's business.
Nothing here may carry a secret, a token or a citizen number.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from idp.web import exchange

LONGEST = 2000
"""Characters of what is told of one exception."""
MESSAGE = 300
FRAMES = 12
CAUSES = 4
_ROOT = str(Path(__file__).parents[2]) + "/"


def _of_request(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The name of the request that is worked on, where one is."""
    asked = exchange.current()
    if asked is not None:
        event.setdefault("request_id", asked.id)
    return event


def _told(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as a bounded text of one line: what, and the innermost calls that led there,
    the innermost first; then what it came of. A whole traceback is ten kilobytes of which the
    frameworks have nine, for each request while something is broken.
    """
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = _line(error)
    return event


def _line(error: BaseException) -> str:
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < CAUSES:
        said = " ".join(str(seen).split())[:MESSAGE]
        frames = traceback.extract_tb(seen.__traceback__)[::-1]
        ours = [f for f in frames if f.filename.startswith(_ROOT) and "/.venv/" not in f.filename]
        shown = frames[:1] + [f for f in ours if f is not frames[0]][: FRAMES - 1]
        calls = " < ".join(f"{_short(f.filename)}:{f.lineno} {f.name}" for f in shown)
        share = LONGEST // CAUSES if seen is not error else LONGEST // 2
        parts.append(f"{type(seen).__name__}: {said} | {calls}"[:share])
        hidden = seen.__suppress_context__
        seen = seen.__cause__ or (None if hidden else seen.__context__)
    return " ⇐ ".join(parts)[:LONGEST]


def _short(file: str) -> str:
    return file.removeprefix(_ROOT).rpartition("site-packages/")[2]


_SHARED: list[structlog.typing.Processor] = [
    _of_request,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    _told,
]


def structure() -> None:
    """Send structlog's events through the standard library's loggers."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def configure() -> None:
    """Write structlog's and the standard library's events as JSON lines, times in UTC."""
    structure()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("httpx2", "httpcore2", "alembic", "ldap3", "flask_wtf"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
