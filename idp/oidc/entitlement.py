"""Whether a person in one capacity may sign in to a client's application.

    rules        her capacity earns the application, unless it is open to all
    eID level    her linked eID account has the level the client demands (Nghị định 69/2024)

A process remembers an application's rules under the revision they were read at, which comes with the
client's own SELECT: a changed rule counts at the next request.
"""

from datetime import date

from directory.assignments import Held
from directory.base.db import Database
from directory.entitlements import Rulebook, desired_accounts, rules_of
from directory.people import UserStatus
from idp.oidc.claims import ActingPerson, Capacity
from idp.oidc.clients.view import ClientView


def entitled(
    db: Database, client: ClientView, about: ActingPerson | Capacity | None, *, on: date
) -> bool:
    """Whether she may use the client in the capacity she acts in.

    The person's own state is not asked here: sessions and grants answer for that.
    """
    if not client.restricted:
        return True
    if about is None or (about.eid_level or 0) < (client.options.minimum_eid_level or 0):
        return False
    if client.application_id is None or client.open_to_all:
        return True
    return about.held is not None and _earned(
        db, client.application_id, client.rules_revision, about.held, on=on
    )


def _earned(db: Database, application_id: int, revision: int, held: Held, *, on: date) -> bool:
    def read() -> tuple[int, Rulebook]:
        with db.snapshot() as session:
            found = rules_of(session, application_id)
        return found.revision, found

    book = db.remembered.recall(("rules", application_id), revision, read)
    return application_id in desired_accounts(book.rules, [held], status=UserStatus.ACTIVE, on=on)
