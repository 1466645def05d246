"""Servers that connectors are tried on."""

import socket
from collections.abc import Iterator

import pytest

from tests.scim_fixture import scim_server  # noqa: F401 (a fixture)
from tests.slapd_fixture import authority, slapd  # noqa: F401 (fixtures)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield int(listener.getsockname()[1])
