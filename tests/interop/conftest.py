"""One provider, really served, for all clients of a test process."""

from collections.abc import Iterator

import pytest

from tests.interop import provider as providers
from tests.interop.person import Person
from tests.interop.provider import Provider


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider that answers."""
    with providers.running(tmp_path_factory.mktemp("provider")) as made:
        yield made


@pytest.fixture
def person(provider: Provider) -> Person:
    """The official, not signed in yet."""
    return provider.person()
