"""Whether a person in one capacity may sign in to a client's application.

    rules        her capacity earns the application, unless it is open to all
    eID level    her linked eID account has the level the client demands (Nghị định 69/2024)

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
from idp.oidc.claims import ActingPerson
from idp.oidc.clients.view import ClientView

_books: "WeakKeyDictionary[Database, Rulebook]" = WeakKeyDictionary()
_lock = threading.Lock()


def entitled(db: Database, client: ClientView, about: ActingPerson | None, *, on: date) -> bool:
    """Whether she may use the client in the capacity she acts in.

    The person's own state is not asked here: sessions and grants answer for that.
    """
    if not client.restricted:
        return True
    if about is None or (about.eid_level or 0) < (client.options.minimum_eid_level or 0):
        return False
    if client.application_id is None or client.open_to_all:
        return True
    return about.held is not None and _earned(db, client, about.held, on=on)


def _earned(db: Database, client: ClientView, held: Held, *, on: date) -> bool:
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
