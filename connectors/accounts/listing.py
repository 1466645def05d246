"""Every account of a target, page by page and within bounds, whatever its cursors say."""

from collections.abc import Iterator

from connectors.accounts.contract import Connector, RemoteAccount
from connectors.errors import Rejected

PAGES = 20_000
"""More pages than any target of a province has."""


def accounts(connector: Connector) -> Iterator[RemoteAccount]:
    """All accounts, as they come. Raises Rejected for a listing that does not end: too many pages,
    or a cursor for the second time; and what the connector raises.
    """
    asked: set[str] = set()
    cursor: str | None = None
    for _ in range(PAGES):
        page = connector.fetch(cursor)
        yield from page.accounts
        cursor = page.cursor
        if cursor is None:
            return
        if cursor in asked:
            break
        asked.add(cursor)
    raise Rejected("Hệ thống đích liệt kê tài khoản không dừng.")
