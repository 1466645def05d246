"""SSO sessions: server-side rows, one SELECT to resolve one, dead the moment the directory says so.

The cookie is a handle ``id.generation.mac``: nothing secret is stored, and what does not carry
our MAC never reaches the database. A session is good while its row has not ended, it is neither
idle nor too old, and ``directory.access.still_good`` holds; the epochs it carries are those read
when the person proved who she was, so that a sign-in that raced an open commit is dead.

A session acts in one capacity. ``switch`` ends the row and starts another under the same ``sub``;
``renew`` keeps the row (and what hangs on it) but changes the cookie after a fresh sign-in.
Whoever ends sessions tells the relying parties: these functions return what they ended.

    lifecycle       start, renew, switch, lower, end
    opening         what is written when one begins
    answers         what forms were answered with, until it may be forgotten
    devices         a browser by the name its owner knows
    networks        a network by the name people know
    session_rows    the table, the one condition, peek, resolve, living
"""

from idp.sessions.devices import describe_browser
from idp.sessions.lifecycle import cut_others, end, end_many, lower, renew, start, switch
from idp.sessions.opening import Capacity, Opening, opening
from idp.sessions.session_rows import (
    COLUMNS,
    GOOD,
    SessionView,
    SsoSession,
    at,
    control,
    good_ones,
    handle,
    is_control,
    living,
    named,
    peek,
    resolve,
    touch,
    view_of,
)

__all__ = [
    "COLUMNS",
    "GOOD",
    "Capacity",
    "Opening",
    "SessionView",
    "SsoSession",
    "at",
    "control",
    "cut_others",
    "describe_browser",
    "end",
    "end_many",
    "good_ones",
    "handle",
    "is_control",
    "living",
    "lower",
    "named",
    "opening",
    "peek",
    "renew",
    "resolve",
    "start",
    "switch",
    "touch",
    "view_of",
]
