"""The order of checks: one table, which the endpoints follow.

Rows are checks, from the first to the last; what stands behind each says at which endpoints it is
made. ``follow`` goes down a column: a check refuses by raising, notes what it has found out in the
one value that all of a column share, and at the authorization endpoint may give the page that ends
it. The table as a page: docs/order-of-checks.md, made from this one by ``dinhdanh order-of-checks``.

Why in this order:

    nothing is believed before it is read whole, and nothing asked before it is known who asks
    nobody is redirected before client and redirect_uri are known (RFC 6749 §4.1.2.1)
    what the client may not do at all comes before what it wants, what costs little before what
    costs more; an address is counted before a row is written for it
    what is brought (a code, a token) is proven to be the caller's before it is asked what for
    what may be used once is used up when everything else has passed; a proof of possession, which
    is remembered even of what is refused (RFC 9449 §11.1) and costs nothing to renew, before it
"""

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Any

from idp.oidc import rate_limit, request, resources
from idp.oidc.authorization import authorize, incoming, parameters, pushing, response_types
from idp.oidc.grant_types import client_credentials, code, device, exchange, issuing, refresh
from idp.oidc.proofs import authentication, possession

Check = Callable[[Any], Any]


class Column(StrEnum):
    """Where checks are made: an endpoint, or the token endpoint with one grant type."""

    AUTHORIZE = "authorize"
    PAR = "PAR"
    DEVICE = "device"
    CODE = "code"
    REFRESH = "refresh"
    CLIENT = "client"
    DEVICE_CODE = "device code"
    EXCHANGE = "exchange"


class Section(StrEnum):
    """Parts of the table that are followed one after the other, and who is told of an error."""

    SENT = "What was sent"
    """By the call's answer; at the authorization endpoint on a page of ours."""
    ASKING = "Who asks"
    COUNTING = "What counts"
    """Here we may call out: at the authorization endpoint, where anybody may make us, no connection
    to the database is held."""
    TELLING = "Where the client is told"
    BROUGHT = "What is brought"
    """From here on the authorization endpoint tells the client."""
    WANTED = "What is wanted"
    PERSON = "Whether she may"
    SPENT = "What is used up"


Columns = frozenset[Column]
AUTHORIZE, PAR, DEVICE = (Columns({each}) for each in (Column.AUTHORIZE, Column.PAR, Column.DEVICE))
CODE, REFRESH, CLIENT, DEVICE_CODE, EXCHANGE = (
    Columns({each})
    for each in (
        Column.CODE,
        Column.REFRESH,
        Column.CLIENT,
        Column.DEVICE_CODE,
        Column.EXCHANGE,
    )
)
REQUESTS = AUTHORIZE | PAR
TOKEN = CODE | REFRESH | CLIENT | DEVICE_CODE | EXCHANGE
CALLED = PAR | DEVICE | TOKEN
EVERYWHERE = AUTHORIZE | CALLED

TABLE: dict[Section, tuple[tuple[Check, Columns], ...]] = {
    Section.SENT: (
        (request.form_encoded, CALLED),
        (request.each_once, EVERYWHERE),
        (issuing.grant_type_known, TOKEN),
    ),
    Section.ASKING: (
        (incoming.client_known, AUTHORIZE),
        (incoming.pushed_request_found, AUTHORIZE),
        (authentication.client_authenticated, CALLED),
        (device.device_flow_registered, DEVICE),
        (issuing.grant_type_registered, TOKEN),
        (exchange.keeps_a_secret, EXCHANGE),
        (rate_limit.source_counted, PAR | DEVICE),
        (rate_limit.proof_counted, TOKEN - EXCHANGE),
        (possession.key_proven, TOKEN),
        (client_credentials.backup_confirmed, CLIENT),
    ),
    Section.COUNTING: (
        (pushing.request_itself_pushed, PAR),
        (incoming.signed_parameters, PAR),
        (incoming.signed_parameters_or_fault, AUTHORIZE),
        (pushing.code_bound_to_key, PAR),
    ),
    Section.TELLING: ((parameters.redirect_uri_registered, REQUESTS),),
    Section.BROUGHT: (
        (incoming.faultless, AUTHORIZE),
        (parameters.pushed_where_it_must, AUTHORIZE),
        (parameters.signed_where_it_must, REQUESTS),
        (code.code_redeemable, CODE),
        (code.redirect_uri_same, CODE),
        (code.verifier_fits, CODE),
        (code.code_by_its_key, CODE),
        (refresh.refresh_token_usable, REFRESH),
        (refresh.refresh_token_by_its_key, REFRESH),
        (device.device_code_known, DEVICE_CODE),
        (device.decided, DEVICE_CODE),
        (device.device_code_redeemable, DEVICE_CODE),
        (exchange.understood, EXCHANGE),
        (exchange.subject_token_good, EXCHANGE),
        (exchange.subject_token_by_its_key, EXCHANGE),
    ),
    Section.WANTED: (
        (parameters.no_registration, REQUESTS),
        (parameters.response_mode_fits, REQUESTS),
        (response_types.response_type_known, REQUESTS),
        (response_types.response_type_registered, REQUESTS),
        (parameters.key_well_formed, REQUESTS),
        (parameters.claims_well_formed, REQUESTS),
        (response_types.scope_allowed, REQUESTS),
        (device.device_scope_allowed, DEVICE),
        (client_credentials.own_scope_allowed, CLIENT),
        (refresh.scope_granted, REFRESH),
        (exchange.scope_of_subject, EXCHANGE),
        (response_types.nonce_given, REQUESTS),
        (response_types.challenge_given, REQUESTS),
        (resources.resource_allowed, REQUESTS | DEVICE | CLIENT),
        (issuing.resource_granted, CODE | REFRESH | DEVICE_CODE),
        (exchange.resource_of_subject, EXCHANGE),
        (parameters.prompt_known, REQUESTS),
        (parameters.somebody_meant, REQUESTS),
        (parameters.max_age_well_formed, REQUESTS),
    ),
    Section.PERSON: (
        (authorize.just_agreed, AUTHORIZE),
        (authorize.signed_in, AUTHORIZE),
        (issuing.still_strong_enough, CODE | REFRESH | DEVICE_CODE),
        (authorize.entitled, AUTHORIZE),
        (issuing.still_entitled, CODE | REFRESH | DEVICE_CODE),
        (exchange.subject_still_fit, EXCHANGE),
        (authorize.consented, AUTHORIZE),
    ),
    Section.SPENT: (
        (authorize.request_used_up, AUTHORIZE),
        (code.code_used_up, CODE),
        (refresh.generation_used_up, REFRESH),
        (device.device_code_used_up, DEVICE_CODE),
    ),
}

CALL = tuple(section for section in Section if section is not Section.SENT)
"""What is looked at once the parameters have been read."""


def follow(where: Columns, checked: Any, *sections: Section) -> Any:
    """Make the checks of these sections, in order: the page that ends it, where a check gives one.
    Raises OAuth2Error; at the authorization endpoint PageError as well.
    """
    for check in checks(where, sections):
        outcome = check(checked)
        if outcome is not None:
            return outcome
    return None


@lru_cache(maxsize=64)
def checks(where: Columns, sections: tuple[Section, ...]) -> tuple[Check, ...]:
    """The checks of these sections that all of these columns make."""
    return tuple(check for each in sections for check, at in TABLE[each] if where <= at)


_PAGE = """# What is checked, and in which order

Made from `idp/oidc/order.py` by `dinhdanh order-of-checks`; a test keeps it true, and another one that of two
faults in one request the one that stands first is told.

Each column is followed downwards by the endpoint it names: `authorize` is `/oauth2/authorize`, `PAR`
`/oauth2/par`, `device` `/oauth2/device_authorization`; the others are `/oauth2/token` with one grant
type each. Before any of them host, method, size and origin have been looked at
(`idp/web/threshold.py`, `idp/run/admission.py`, `idp/oidc/endpoints/table.py`). Until *Where the client is told* has passed the authorization
endpoint tells nobody but the person, on a page of ours; from then on the client is told.

"""


def render_page() -> str:
    """docs/order-of-checks.md."""
    return _PAGE + _table()


def _table() -> str:
    heads = ["check", "what must be so", *(column.value for column in Column)]
    lines = [_line(heads), "|---" * len(heads) + "|"]
    for section, rows in TABLE.items():
        lines.append(_line([f"**{section.value}**", *("" for _ in heads[1:])]))
        lines += [_line(_cells(check, where)) for check, where in rows]
    return "\n".join(lines) + "\n"


def _cells(check: Check, where: Columns) -> list[str]:
    said = " ".join((check.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
    return [f"`{check.__name__}`", said, *("●" if each in where else "" for each in Column)]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
