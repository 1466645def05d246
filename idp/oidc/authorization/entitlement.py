"""Whether a person in one capacity may sign in to a client's application.

The rules are read once per revision and process; the revision comes with the client's own
SELECT, so that a changed rule counts at the next request.
"""

import threading
from datetime import date
from weakref import WeakKeyDictionary

from directory.assignments import Held
from directory.base.db import Database
from directory.entitlements import Rulebook, desired_accounts, rulebook
from directory.people import UserStatus
from idp.oidc.clients.view import ClientView

_books: "WeakKeyDictionary[Database, Rulebook]" = WeakKeyDictionary()
_lock = threading.Lock()


def entitled(db: Database, client: ClientView, held: Held | None, *, on: date) -> bool:
    """Whether this capacity earns the client's application; open applications admit everyone.

    The person's own state is not asked here: sessions and grants answer for that.
    """
    if not client.restricted:
        return True
    if held is None:
        return False
    book = _book(db, client.rules_revision)
    wanted = desired_accounts(book.rules, [held], status=UserStatus.ACTIVE, on=on)
    return client.application_id in wanted


def _book(db: Database, revision: int) -> Rulebook:
    with _lock:
        book = _books.get(db)
        if book is None or book.revision != revision:
            with db.read() as session:
                book = rulebook(session)
            _books[db] = book
        return book
