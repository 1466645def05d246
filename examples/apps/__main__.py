"""``python -m examples.apps CONFIG.json``: serve one application until told to stop.

Werkzeug's threaded server, because it is one process without children: SQLite wants one writer,
and whoever starts the application ends all of it with one signal. It also ends when the process
that started it is gone, so that an interrupted demonstration leaves nothing listening. A real
application runs ``create_app`` under a production server.
"""

import gc
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

if __name__ == "__main__":
    gc.disable()  # until all is read: it stays, and nobody need look through it again and again

from werkzeug.serving import WSGIRequestHandler, make_server

from examples.apps.relying_party import create_app
from examples.apps.settings import Settings


class QuietHandler(WSGIRequestHandler):
    """Twenty thousand accounts would be twenty thousand lines; ``/activity`` keeps the last."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def follow_parent(parent: int) -> None:
    """End this process soon after its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def stop(*_: object) -> NoReturn:
    """Leave ``serve_forever`` and end normally."""
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Read the configuration and serve."""
    if len(arguments) != 1:
        print("usage: python -m examples.apps CONFIG.json", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    parent = os.getppid()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    settings = Settings.read(Path(arguments[0]))
    app = create_app(settings)
    port = settings.port or urlsplit(settings.base_url).port or 80
    server = make_server(settings.host, port, app, threaded=True, request_handler=QuietHandler)
    if parent > 1:
        threading.Thread(target=follow_parent, args=(parent,), daemon=True).start()
    print(f"{settings.profile}: {settings.base_url}", flush=True)
    try:
        server.serve_forever()
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main(sys.argv[1:]))
