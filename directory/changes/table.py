"""Event × artefact: what each HR event does to what a person holds.

``TABLE`` is the whole policy as data (rendered to docs/effects.md by ``dinhdanh effects``).
The door does not know sessions, accounts or certificates; each column is implemented by a
``Cutter``, and ``commit`` refuses to run while a required column has none.
"""

from enum import StrEnum


class Event(StrEnum):
    """What happens to a person, as the table's rows tell it apart."""

    JOIN = "join"
    TRANSFER_OTHER = "transfer.other"
    """to another legal person"""
    TRANSFER_WITHIN = "transfer.within"
    """inside the same legal person"""
    APPOINT = "appoint"
    RELIEVE = "relieve"
    REJOIN = "rejoin"
    """somebody who had left is in service again"""
    SECOND = "second"
    RETURN = "return"
    SUSPEND = "suspend"
    RESUME = "resume"
    LEAVE = "leave"
    DIE = "die"
    RENAME = "rename"
    """Name or day of birth."""
    CONTACT = "contact"
    NUMBER = "number"
    """another citizen number: she was taken for somebody else, or is"""
    NUMBER_ADDED = "number.added"
    """a citizen number, where none was known"""
    SESSIONS_END = "sessions.end"
    """an officer signs her out everywhere"""
    SLIP = "slip"
    """two have agreed that she is given a slip"""
    UNDO = "undo"
    CANCEL = "cancel"
    """undo of a change that has not taken effect yet"""


ENDS_POSTS = frozenset({Event.TRANSFER_OTHER, Event.LEAVE, Event.DIE})
"""Events by which every post ends that is in force on the day."""


class Column(StrEnum):
    """What a person holds."""

    ACCESS = "access"
    """SSO sessions, grants and everything that hangs on them."""
    ACCOUNTS = "accounts"
    TRUST = "certificate.trust"
    """Whether we accept a certificate; immediate."""
    CASE = "certificate.case"
    """What is asked of the certificate's issuer."""
    DEVICE = "device"
    ROLES = "roles"
    SLIPS = "slips"
    """Printed slips and links by which somebody could set this person's password; where she begins
    anew, the password too."""


REQUIRED = frozenset(Column) - {Column.DEVICE}
"""DEVICE joins when the inventory of devices exists: nothing of it is stored yet."""


class Action(StrEnum):
    """What a cell of the table orders."""

    NONE = "none"
    END_ALL = "end all"
    END_ACTING = "end those acting in the ended post"
    RECOMPUTE = "recompute"
    ADD = "add gained"
    UPDATE = "update"
    """Name or address is sent to every account that there is to be."""
    DISABLE = "disable"
    ENABLE = "enable"
    DISTRUST = "distrust now"
    DISTRUST_IF_NAMED = "distrust if the certificate names the old unit"
    RESTORE = "restore"
    REPLACE = "revoke and request a new one (affiliationChanged)"
    REPLACE_IF_NAMED = "revoke and request a new one if it names the old unit"
    RENEW_IF_NAMED = "request a new one if it names her otherwise"
    REVOKE = "revoke (cessationOfOperation)"
    HAND_OVER = "hand over"
    CARRY = "carried"
    COLLECT = "collect"
    GIVE_BACK = "give back"
    ANEW = "begins anew: what there was is void at the commit"
    END = "end"
    SLEEP = "kept, inactive"


_COLUMNS = tuple(Column)
_A = Action


def _row(*actions: Action) -> dict[Column, Action]:
    return dict(zip(_COLUMNS, actions, strict=True))


# fmt: off
TABLE: dict[Event, dict[Column, Action]] = {
    #                           access         accounts      trust                 case                 device        roles         slips
    Event.JOIN:            _row(_A.NONE,       _A.ADD,       _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.NONE),
    Event.REJOIN:          _row(_A.ANEW,       _A.RECOMPUTE, _A.NONE,              _A.NONE,             _A.NONE,      _A.ANEW,      _A.ANEW),
    Event.TRANSFER_OTHER:  _row(_A.END_ALL,    _A.RECOMPUTE, _A.DISTRUST,          _A.REPLACE,          _A.HAND_OVER, _A.RECOMPUTE, _A.END_ALL),
    Event.TRANSFER_WITHIN: _row(_A.END_ACTING, _A.RECOMPUTE, _A.DISTRUST_IF_NAMED, _A.REPLACE_IF_NAMED, _A.CARRY,     _A.RECOMPUTE, _A.END_ALL),
    Event.APPOINT:         _row(_A.NONE,       _A.ADD,       _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.END_ALL),
    Event.RELIEVE:         _row(_A.END_ACTING, _A.RECOMPUTE, _A.NONE,              _A.NONE,             _A.HAND_OVER, _A.RECOMPUTE, _A.END_ALL),
    Event.SECOND:          _row(_A.END_ACTING, _A.RECOMPUTE, _A.NONE,              _A.NONE,             _A.CARRY,     _A.RECOMPUTE, _A.END_ALL),
    Event.RETURN:          _row(_A.END_ACTING, _A.RECOMPUTE, _A.NONE,              _A.NONE,             _A.CARRY,     _A.RECOMPUTE, _A.END_ALL),
    Event.SUSPEND:         _row(_A.END_ALL,    _A.DISABLE,   _A.DISTRUST,          _A.NONE,             _A.COLLECT,   _A.SLEEP,     _A.END_ALL),
    Event.RESUME:          _row(_A.NONE,       _A.ENABLE,    _A.RESTORE,           _A.NONE,             _A.GIVE_BACK, _A.RECOMPUTE, _A.END_ALL),
    Event.LEAVE:           _row(_A.END_ALL,    _A.DISABLE,   _A.DISTRUST,          _A.REVOKE,           _A.COLLECT,   _A.END,       _A.END_ALL),
    Event.DIE:             _row(_A.END_ALL,    _A.DISABLE,   _A.DISTRUST,          _A.REVOKE,           _A.COLLECT,   _A.END,       _A.END_ALL),
    Event.RENAME:          _row(_A.NONE,       _A.UPDATE,    _A.NONE,              _A.RENEW_IF_NAMED,   _A.NONE,      _A.NONE,      _A.NONE),
    Event.CONTACT:         _row(_A.NONE,       _A.UPDATE,    _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.NONE),
    Event.NUMBER:          _row(_A.END_ALL,    _A.NONE,      _A.DISTRUST,          _A.REPLACE,          _A.NONE,      _A.NONE,      _A.END_ALL),
    Event.NUMBER_ADDED:    _row(_A.NONE,       _A.NONE,      _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.NONE),
    Event.SESSIONS_END:    _row(_A.END_ALL,    _A.NONE,      _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.END_ALL),
    Event.SLIP:            _row(_A.NONE,       _A.NONE,      _A.NONE,              _A.NONE,             _A.NONE,      _A.NONE,      _A.NONE),
    Event.UNDO:            _row(_A.END_ALL,    _A.RECOMPUTE, _A.NONE,              _A.NONE,             _A.NONE,      _A.RECOMPUTE, _A.END_ALL),
    Event.CANCEL:          _row(_A.NONE,       _A.NONE,      _A.RESTORE,           _A.NONE,             _A.NONE,      _A.RESTORE,   _A.NONE),
}
# fmt: on


def render_table() -> str:
    """The table as Markdown."""
    lines = [
        "| event | " + " | ".join(c.value for c in _COLUMNS) + " |",
        "|---" * (len(_COLUMNS) + 1) + "|",
    ]
    lines += [
        f"| {event.value} | " + " | ".join(cells[c].value for c in _COLUMNS) + " |"
        for event, cells in TABLE.items()
    ]
    return "\n".join(lines) + "\n"
