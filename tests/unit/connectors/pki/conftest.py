"""An office with an authority, without a network."""

from typing import Any

import pytest

from connectors.outbound import Outbound
from tests.certificates import Office, Tools


@pytest.fixture
def tools(settings: Any, clock: Any, database: Any, keyring: Any) -> Tools:
    """What handlers and views are given."""
    return Tools(settings, clock, database, keyring, Outbound(settings))


@pytest.fixture
def office(tools: Tools) -> Office:
    """A province with an authority."""
    return Office.open(tools)
