"""A token in a computer, as a site sees it: each connection of the browser goes on with the certificate
of the token that is plugged in, or with none.

Browsers ask people which certificate, in a window of the operating system that no test can steer. So
this stands between browser and site and holds the key: to the site it is a client like any other.
"""

import contextlib
import select
import socket
import ssl
import threading
from pathlib import Path

from tests.interop.tls import Credential


class Token:
    """Listens for a browser until ``stop``."""

    def __init__(self, own: Credential, site: int, folder: Path) -> None:
        self.plugged_in: Path | None = None
        """A PEM file of certificate and key."""
        (folder / "own.pem").write_text(own.pem + own.key_pem)
        self._accepts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._accepts.load_cert_chain(folder / "own.pem")
        # Later nothing comes but what is to be handed on: a ticket would be waited behind.
        self._accepts.maximum_version = ssl.TLSVersion.TLSv1_2
        self._site = site
        self._listens = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listens.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listens.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listens.accept()
                threading.Thread(target=self._carry, args=(plain,), daemon=True).start()

    def _carry(self, plain: socket.socket) -> None:
        shows = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        shows.check_hostname, shows.verify_mode = False, ssl.CERT_NONE
        shows.maximum_version = ssl.TLSVersion.TLSv1_2
        if self.plugged_in is not None:
            shows.load_cert_chain(self.plugged_in)
        with contextlib.suppress(OSError), plain:
            browser = self._accepts.wrap_socket(plain, server_side=True)
            onward = socket.create_connection(("127.0.0.1", self._site), 20)
            with browser, shows.wrap_socket(onward) as site:
                _pump(browser, site)


def _pump(one: ssl.SSLSocket, other: ssl.SSLSocket) -> None:
    """Hand on what either says, until one of them has no more; in one thread, as OpenSSL asks."""
    beyond = {one: other, other: one}
    while True:
        ready = [each for each in beyond if each.pending()]
        for each in ready or select.select(list(beyond), [], [], 60)[0]:
            said = each.recv(65536)
            if not said:
                return
            beyond[each].sendall(said)
