"""How PostgreSQL is spoken to on each connection: text, times, plans. Each is told to an engine before it
connects.
"""

from typing import Any

from sqlalchemy import Engine, event

from directory.base.errors import Misconfigured

ONCE = "-c plan_cache_mode=force_generic_plan"
"""Hot statements look rows up by their keys. What the server would plan anew, as it does where a value
is NULL, comes to the same plan, and costs ten times the look."""
PLAINLY = "-c jit=off"
"""No statement of ours runs long enough to win back what compiling it costs: up to a second, which no
time limit ends. The server compiles by estimates, and of a table with one row it knows nothing."""


def plan(engine: Engine, how: str) -> None:
    """Have statements planned so."""

    @event.listens_for(engine, "do_connect")
    def _ask(_dialect: Any, _record: Any, _arguments: Any, options: Any) -> None:
        options["options"] = f"{options.get('options', '')} {how}".strip()


def prepare_nothing(engine: Engine) -> None:
    """Have the driver keep no statement for a connection."""

    @event.listens_for(engine, "do_connect")
    def _tell(_dialect: Any, _record: Any, _arguments: Any, options: Any) -> None:
        options["prepare_threshold"] = None


_WRITTEN = "-c datestyle=ISO -c timezone=UTC -c standard_conforming_strings=on"
"""How the server writes and reads times and texts for us, whatever its database or our role is set
to: in a zone east of UTC the last moment of the year 9999 would be one of a year that no date has.
"""


def require_utf8(engine: Engine) -> None:
    """Have texts and times written in one way. Connecting raises Misconfigured where the database
    cannot hold our texts.
    """

    @event.listens_for(engine, "do_connect")
    def _speak(_dialect: Any, _record: Any, _arguments: Any, options: Any) -> None:
        options["client_encoding"] = "utf8"  # whatever PGCLIENTENCODING says
        options["options"] = f"{options.get('options', '')} {_WRITTEN}".strip()

    # Before the dialect looks at the server: of SQL_ASCII the driver gives it bytes for text.
    @event.listens_for(engine, "connect", insert=True)
    def _opened(connection: Any, _record: Any) -> None:
        found = connection.info.parameter_status("server_encoding")
        if found != "UTF8":
            connection.close()
            raise Misconfigured(
                "database_encoding",
                "Cơ sở dữ liệu PostgreSQL có bảng mã {found}, không chứa được tiếng Việt. Hãy tạo cơ "
                "sở dữ liệu UTF8: createdb -E UTF8 -T template0.",
                found=found,
            )
