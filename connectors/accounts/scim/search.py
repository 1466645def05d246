"""Finding the one account at a SCIM service that may filter, filter some, or only seem to.

    filter     asked first; what it gives is checked, what it refuses or ignores is not asked again
    by name    where externalId cannot be filtered by: the name, then the externalId is compared
    walk       where nothing can be filtered by: all pages, bounded; only a whole reading counts

"Nobody" is believed of a look-up that could have found somebody. A filter that finds nobody has
to find one whom we know to be there before that counts as proof (``surely``); 404 for an empty
list is believed of a service that has shown in some other way that it is one.
"""

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from connectors.accounts.scim import mapping
from connectors.accounts.scim.wire import Json, ScimAnswer, Wire
from connectors.errors import Misconfigured, Rejected

EXTERNAL_ID, USER_NAME = "externalId", "userName"
_PLAIN = re.compile(r"[A-Za-z0-9._@-]+")
WALK_PAGES = 500
"""Pages of one reading of all accounts."""
WALK_LIMIT = 50_000
"""Accounts of one reading."""


class Search:
    """Look-ups at one service; remembers what it can do."""

    def __init__(self, wire: Wire, page_size: int) -> None:
        self._wire = wire
        self._page_size = page_size
        self._filters: dict[str, bool] = {}
        self._lock = threading.Lock()
        self.is_scim = False
        """Whether it has answered anything as a SCIM service does."""

    def by_external_id(
        self, external_id: str, username: str, *, surely: bool = False
    ) -> Json | None:
        """The account with this externalId; ``username`` helps where that cannot be asked for."""
        found = self._filtered(EXTERNAL_ID, external_id)
        if found is None and not surely:
            named = self._filtered(USER_NAME, username)
            if named is not None:
                return _one([u for u in named if _says(u, EXTERNAL_ID, external_id)])
        if found is None or (not found and surely and not self._works(EXTERNAL_ID)):
            found = self._walked(EXTERNAL_ID, external_id)
        return _one(found)

    def by_username(self, username: str, *, surely: bool = False) -> Json | None:
        """The account with this name."""
        found = self._filtered(USER_NAME, username)
        if found is None or (not found and surely and not self._works(USER_NAME)):
            found = self._walked(USER_NAME, username)
        return _one(found)

    def page(self, start: int, count: int) -> tuple[list[Json], int | None]:
        """Accounts from a position on, and how many there are in all, if that is said."""
        query = {"startIndex": start, "count": count}
        return self._read(self._wire.ask("GET", "/Users", query=query, bear={404}))

    def _read(self, answer: ScimAnswer) -> tuple[list[Json], int | None]:
        if answer.status == 404:
            if not self.is_scim:
                raise Misconfigured(
                    "Hệ thống đích trả lời 404 cho mọi câu hỏi; hãy xem lại địa chỉ."
                )
            return [], 0
        try:
            users, total = mapping.listed(answer.object())
        except ValueError as exc:
            raise Rejected("Hệ thống đích trả lời không đúng chuẩn SCIM.") from exc
        self.is_scim = True
        return users, total

    def _filtered(self, attribute: str, value: str) -> list[Json] | None:
        """Those with this value by a filter; None where the service has no such filter."""
        with self._lock:
            if self._filters.get(attribute) is False:
                return None
        quoted = json.dumps(value, ensure_ascii=False)
        query = {"filter": f"{attribute} eq {quoted}"}
        answer = self._wire.ask("GET", "/Users", query=query, bear={400, 404, 501})
        if answer.status in (400, 501):
            if _PLAIN.fullmatch(value):  # it may be the value that it refuses
                self._learn(attribute, works=False)
            return None
        if answer.status == 404:
            return []
        users, _ = self._read(answer)
        fits = [user for user in users if _says(user, attribute, value)]
        if len(fits) != len(users):
            self._learn(attribute, works=False)
            return None
        if fits:
            self._learn(attribute, works=True)
        return fits

    def _learn(self, attribute: str, *, works: bool) -> None:
        with self._lock:
            self._filters[attribute] = works

    def _works(self, attribute: str) -> bool:
        """Whether a filter finds somebody whom it must find; True where nobody is there at all."""
        with self._lock:
            known = self._filters.get(attribute)
        if known is not None:
            return known
        users, _ = self.page(1, self._page_size)
        some = next((value for u in users if (value := _value(u, attribute))), None)
        if some is None:
            return not users
        if self._filtered(attribute, some):
            return True
        self._learn(attribute, works=False)
        return False

    def _walked(self, attribute: str, value: str) -> list[Json]:
        return [user for user in self._everybody() if _says(user, attribute, value)]

    def _everybody(self) -> Iterator[Json]:
        """Every account. Raises Misconfigured unless the reading is whole."""
        seen: set[str] = set()
        start = 1
        for _ in range(WALK_PAGES):
            users, total = self.page(start, self._page_size)
            new = [u for u in users if (mapping.identifier(u.get("id")) or "") not in seen]
            yield from new
            seen |= {mapping.identifier(user.get("id")) or "" for user in new}
            start += len(users)
            whole = total is not None and len(seen) >= total and len(users) != self._page_size
            if not users or whole:
                return
            if not new or len(seen) > WALK_LIMIT:
                break
        raise Misconfigured(
            "Hệ thống đích không lọc được tài khoản và không cho đọc hết danh sách."
        )


def _value(user: Json, attribute: str) -> str | None:
    return mapping.identifier(next((v for k, v in user.items() if _is(k, attribute)), None))


def _is(name: Any, attribute: str) -> bool:
    return str(name).casefold() == attribute.casefold()


def _says(user: Json, attribute: str, value: str) -> bool:
    # RFC 7643 §3.1, §4.1.1: externalId minds upper and lower case, userName does not.
    account = mapping.from_scim(user, {})
    if attribute == EXTERNAL_ID:
        return account.external_id == value
    return account.username.casefold() == value.casefold()


def _one(users: list[Json]) -> Json | None:
    if len(users) > 1:
        raise Rejected("Có {count} tài khoản cùng thuộc về một người.", count=len(users))
    return users[0] if users else None
