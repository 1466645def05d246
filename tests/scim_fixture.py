"""The demonstration application as a real SCIM server on a free port."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from examples.apps.database import Database
from examples.apps.relying_party import create_app
from examples.apps.settings import Settings

TOKEN = "token-of-the-tests"


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[int]:
    """Serve a WSGI application from a thread; its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class ScimServer:
    """A running application that receives accounts."""

    port: int
    database: Database

    @property
    def url(self) -> str:
        """Its SCIM base URL."""
        return f"http://127.0.0.1:{self.port}/scim/v2"

    @property
    def allow(self) -> str:
        """What ``outbound_allow`` must list to reach it."""
        return f"127.0.0.1:{self.port}"

    def accounts(self) -> list[dict[str, Any]]:
        """What it stores, read from its own database."""
        with self.database.transaction() as connection:
            rows = connection.execute("SELECT resource FROM account ORDER BY rowid").fetchall()
        return [json.loads(row["resource"]) for row in rows]


@pytest.fixture
def scim_server(tmp_path: Path) -> Iterator[ScimServer]:
    """The application ``qlvb`` with no account in it yet."""
    app = create_app(
        Settings(
            profile="qlvb",
            base_url="http://127.0.0.1:1",
            issuer="http://127.0.0.1:2",
            client_id="qlvb",
            client_secret="secret",
            scim_token=TOKEN,
            store=tmp_path / "app.db",
        )
    )
    database: Database = app.extensions["relying_party"].database
    with serving(app) as port:
        yield ScimServer(port, database)
    database.close()
