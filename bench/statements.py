"""What the database is sent, heard while it is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def heard(act: Callable[[str], None], *engines: Engine) -> Iterator[None]:
    """Have ``act`` called with each statement that goes through these engines inside the block."""

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        act(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)
