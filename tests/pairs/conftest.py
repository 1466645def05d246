"""``--cells TEXT`` plays of the whole table only the cells whose names contain the text."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cells", default="", help="of the pair table, those whose names contain this"
    )
