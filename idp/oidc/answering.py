"""The authorization endpoint (OIDC Core §3.1.2) and the one where requests are pushed (RFC 9126):
their columns of ``order``, followed, and who is told of an error.

Until client and redirect_uri are known nothing is told to anybody but the browser's person, on a
page of our own (``PageError``; RFC 6749 §4.1.2.1). From then on the client is told, with ``iss`` and
``state``; what it had pushed or signed is used up by that.
"""

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error

from idp.oidc.authorization import authorize, pushing
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.outcomes import Answered, Outcome
from idp.oidc.authorization.page_error import PageError
from idp.oidc.authorization.pushing import PushedUri
from idp.oidc.order import AUTHORIZE, PAR, Section, follow
from idp.web import i18n


def decide(checked: CheckedRequest) -> Outcome:
    """What comes of the request for the person of this session. Raises PageError, OAuth2Error."""
    _read(checked)
    i18n.prefer(checked.request.get("ui_locales") or "")
    with checked.provider.tools.db.hot() as connection:
        checked.request.over(connection)
        _find_channel(checked)
        try:
            return _judged(checked)
        except OAuth2Error as error:
            checked.request.keep_error(checked.provider.refusals, error)
            return _refused(checked, error)


def denied(checked: CheckedRequest) -> Answered:
    """The person said no on our page. Raises PageError, OAuth2Error."""
    _read(checked)
    with checked.provider.tools.db.hot() as connection:
        checked.request.over(connection)
        _find_channel(checked)
        return _refused(checked, AccessDeniedError())


def push(checked: CheckedRequest) -> PushedUri:
    """Check the client's request, and remember it. Raises OAuth2Error."""
    follow(PAR, checked, Section.ASKING)
    try:
        follow(PAR, checked, Section.COUNTING)
        _told(checked)
        follow(PAR, checked, Section.BROUGHT, Section.WANTED, Section.PERSON, Section.SPENT)
    except OAuth2Error:
        pushing.proof_spent(checked)
        raise
    return pushing.keep(checked)


def _told(checked: CheckedRequest) -> None:
    try:
        follow(PAR, checked, Section.TELLING)
    except PageError as exc:
        # RFC 9126 §2.3.
        raise InvalidRequestError("The redirect_uri is missing or not registered.") from exc


def _read(checked: CheckedRequest) -> None:
    with checked.provider.tools.db.hot() as connection:
        checked.request.over(connection)
        follow(AUTHORIZE, checked, Section.ASKING)
    follow(AUTHORIZE, checked, Section.COUNTING)


def _find_channel(checked: CheckedRequest) -> None:
    try:
        follow(AUTHORIZE, checked, Section.TELLING)
    except OAuth2Error as error:
        checked.request.keep_error(checked.provider.refusals, error)
        raise


def _judged(checked: CheckedRequest) -> Outcome:
    asked = Section.BROUGHT, Section.WANTED, Section.PERSON, Section.SPENT
    page: Outcome | None = follow(AUTHORIZE, checked, *asked)
    return page or authorize.answered(checked)


def _refused(checked: CheckedRequest, error: OAuth2Error) -> Answered:
    tokens, now = checked.provider.tokens, checked.request.now
    answer = checked.channel.refusal(error, tokens=tokens, now=now)
    authorize.use_up(checked)
    return Answered(answer)
