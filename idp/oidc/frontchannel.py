"""Front-Channel Logout 1.0: the addresses the browser itself opens, one frame each, so that the
applications of a session end theirs by their own cookies.

A browser that keeps third-party cookies back makes such a frame do nothing: back-channel logout
is what counts, this comes beside it.
"""

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from connectors.tools import Tools
from idp.oidc.authorization import test_sign_in
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.options import Options
from idp.oidc.clients.redirects import with_query
from idp.oidc.clients.sectors import PairwiseSubjects, salt_of
from idp.oidc.grants import Grant


@dataclass(frozen=True)
class Frame:
    """One application's logout address, as it is opened."""

    name: str
    url: str


def frames(session: Session, tools: Tools, session_id: str) -> list[Frame]:
    """The addresses of the applications that were signed in to in this session.

    §2: ``iss`` and ``sid`` for those that require them.
    """
    used = select(Grant.client_id).where(
        Grant.session_id == session_id,
        or_(Grant.front_channel, Grant.code_used_at.is_not(None)),
        # What a trial was given has never reached the application.
        or_(Grant.revoke_reason.is_(None), Grant.revoke_reason != test_sign_in.REASON),
    )
    rows = session.execute(
        select(Client.name, Client.options, salt_of(Client.sector).label("sector_salt"))
        .where(Client.id.in_(used), Client.enabled)
        .order_by(Client.id)
    )
    found, subjects = [], PairwiseSubjects(tools.keyring)
    for row in rows:
        options = Options.of(row.options)
        uri = options.frontchannel_logout_uri
        if uri is None:
            continue
        if options.frontchannel_logout_session_required:
            sid = subjects.session(session_id, row.sector_salt)
            uri = with_query(uri, [("iss", tools.settings.issuer), ("sid", sid)])
        found.append(Frame(row.name, uri))
    return found
