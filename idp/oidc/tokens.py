"""Access tokens, made and opened: opaque handles by default, JWTs (RFC 9068) where a client asks.

Opening proves only that we made it and that it has not expired. ``active`` asks the database
whether it is still good, for opaque tokens and JWTs alike: whoever asks us is told the truth of
this moment; only an application that checks a JWT offline may be wrong for its last minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from sqlalchemy import Connection

from connectors.tools import Tools
from directory.base import jws
from directory.base.crypto import random_id
from directory.base.jws import Untrusted
from idp.oidc import grants
from idp.oidc.active import Active, bound, confirmation
from idp.oidc.asking import Asking
from idp.oidc.clients import sectors
from idp.oidc.clients import view as client_view
from idp.oidc.clients.kinds import TokenFormat
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import API
from idp.oidc.grants import GrantView
from idp.oidc.known_keys import KeyList, SigningKeys
from idp.oidc.opaque_tokens import Access, Handles, Machine, mask, serial
from idp.oidc.signing_keys import ALGORITHMS

ACCESS_TYPE = "at+jwt"
"""``typ`` of a JWT access token (RFC 9068 §2.1): it passes for no other kind of JWT."""
LONGEST = 8192
"""Characters of a JWT of ours."""


class Tokens:
    """Makes and opens the tokens of one installation."""

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings
        self.handles = Handles(tools.keyring, tools.settings.issuer)
        self.keys = SigningKeys(tools.db, tools.keyring)
        self.subjects = sectors.PairwiseSubjects(tools.keyring)

    def subject(self, grant: GrantView) -> str:
        """Who the grant's person is to the client it was given to (OIDC Core §8)."""
        return self.subjects.subject(grant.sub, grant.sector_salt)

    def expiry(self, now: datetime, until: datetime | None = None) -> datetime:
        """When an access token made now ends, if it may not outlive ``until``."""
        ends = now + timedelta(seconds=self._settings.access_token_lifetime)
        return (ends if until is None else min(ends, until)).replace(microsecond=0)

    def access(  # noqa: PLR0913 (one keyword per fact)
        self,
        client: ClientView,
        grant: GrantView,
        *,
        scopes: list[str],
        now: datetime,
        resources: Sequence[str] = (),
        bound_to: str | None = None,
        until: datetime | None = None,
        child: bool = False,
    ) -> tuple[str, datetime]:
        """An access token for a person's grant, and when it ends: at ``until`` at the latest."""
        expires_at = min(self.expiry(now, until), grant.expires_at.replace(microsecond=0))
        made = Access(
            grant.id,
            serial(),
            now,
            expires_at,
            mask(scopes, grant.scopes),
            mask(resources, grant.resources),
            bound_to,
            child,
        )
        if client.access_token_format != TokenFormat.JWT:
            return self.handles.access(made), expires_at
        body = {
            "sub": self.subject(grant),
            "jti": made.jti,
            "auth_time": int(grant.auth_time.timestamp()),
            "acr": grant.acr,
            "amr": grant.amr,
            **({"child": True} if child else {}),
        }
        named = resources or (self._default(client.audience),)
        return self._jwt(client, body, scopes, made, named), expires_at

    def machine(
        self,
        client: ClientView,
        *,
        scopes: list[str],
        now: datetime,
        resources: Sequence[str] = (),
        bound_to: str | None = None,
        until: datetime | None = None,
    ) -> tuple[str, datetime]:
        """A token for the client itself, and when it ends: at ``until`` at the latest. Nothing
        is stored.
        """
        made = Machine(
            client_id=client.id,
            client_epoch=client.epoch,
            application_epoch=client.application_epoch or 0,
            installation_epoch=client.installation_epoch,
            issued_at=now,
            expires_at=self.expiry(now, until),
            scopes=tuple(scopes),
            jti=random_id(),
            resources=tuple(resources),
            bound_to=bound_to,
        )
        if client.access_token_format != TokenFormat.JWT:
            return self.handles.machine(made), made.expires_at
        counters = [made.client_epoch, made.application_epoch, made.installation_epoch]
        body = {"sub": client.client_id, "jti": made.jti, "client": client.id, "epochs": counters}
        named = resources or (self._default(client.audience, api=True),)
        return self._jwt(client, body, scopes, made, named), made.expires_at

    def _default(self, audience: str, *, api: bool = False) -> str:
        """Whom a token is for that names no resource (RFC 9068 §3): its client's application, and
        else ourselves; ``api``: our API, the one use of a client's own token. Never the client,
        which is who presents it.
        """
        issuer = self._settings.issuer
        return audience or (issuer + API if api else issuer)

    def _jwt(
        self,
        client: ClientView,
        body: dict[str, Any],
        scopes: list[str],
        made: Access | Machine,
        named: Sequence[str],
    ) -> str:
        signer = self.keys.signer(client.id_token_alg, client.keys_stamp)
        cnf = confirmation(made.bound_to)
        claims = {
            "iss": self._settings.issuer,
            "aud": audience(named),
            "client_id": client.client_id,
            "iat": int(made.issued_at.timestamp()),
            "exp": int(made.expires_at.timestamp()),
            "scope": " ".join(scopes),
            **({"cnf": cnf} if cnf else {}),
            **body,
        }
        return jwt.encode(signer.header(typ=ACCESS_TYPE), claims, signer.key, [signer.alg])

    def signed_by_us(
        self, text: str, *, typ: str, keys: KeyList, now: datetime
    ) -> dict[str, Any] | None:
        """The claims of a JWT of ours of one type, expired or not; None if it is not."""
        if len(text) > LONGEST:
            return None
        try:
            found = jws.read(text, algorithms=ALGORITHMS)
            if found.header.get("typ") != typ:
                return None
            said = jws.claims(found, keys.verifying(found.kid, found.alg, now=now))
        except Untrusted:
            return None
        return said if said.get("iss") == self._settings.issuer else None

    def open(self, text: str, *, keys: KeyList, now: datetime) -> Access | Machine | None:
        """The access token, if we made it, by one of these keys where it is a JWT, and it has not
        expired.
        """
        found = (
            self.handles.open_access(text)
            or self.handles.open_machine(text)
            or (self._open_jwt(text, keys, now) if text.count(".") == 2 else None)
        )
        return found if found is not None and found.expires_at > now else None

    def _open_jwt(self, text: str, keys: KeyList, now: datetime) -> Access | Machine | None:
        body = self.signed_by_us(text, typ=ACCESS_TYPE, keys=keys, now=now)
        # Our key signs nothing of this type without them.
        if body is None or not {"iat", "exp", "scope", "aud", "jti"} <= body.keys():
            return None
        issued_at = datetime.fromtimestamp(body["iat"], UTC)
        expires_at = datetime.fromtimestamp(body["exp"], UTC)
        scopes = tuple(body["scope"].split())
        named = body["aud"] if isinstance(body["aud"], list) else [body["aud"]]
        bound_to = bound(body.get("cnf", {}))
        if "epochs" not in body:
            grant_id, _, number = body["jti"].partition(".")
            return _Offline(
                grant_id,
                number,
                issued_at,
                expires_at,
                0,
                bound_to=bound_to,
                child=body.get("child") is True,
                said=scopes,
                named=tuple(named),
            )
        client_epoch, application_epoch, installation_epoch = body["epochs"]
        return Machine(
            client_id=body["client"],
            client_epoch=client_epoch,
            application_epoch=application_epoch,
            installation_epoch=installation_epoch,
            issued_at=issued_at,
            expires_at=expires_at,
            scopes=scopes,
            jti=body["jti"],
            resources=tuple(uri for uri in named if ":" in uri),
            bound_to=bound_to,
        )

    def active(
        self, connection: Connection, text: str, *, now: datetime, with_person: bool = False
    ) -> Active | None:
        """The access token, if it is good at this moment. One SELECT.

        A JWT is judged first by the keys this process knows, so that rubbish is not looked up, and
        once more where the SELECT shows that they have changed.
        """
        keys = self.keys.naming(_kid(text) if text.count(".") == 2 else None)
        token = self.open(text, keys=keys, now=now)
        if token is None:
            return None
        if isinstance(token, Machine):
            client = client_view.view_by_id(connection, token.client_id)
            if client is None or not self._ours(text, keys, client.keys_stamp, now=now):
                return None
            return self._active_machine(client, token)
        read = grants.read_with_person if with_person else grants.read
        grant = read(connection, token.grant_id, now=now)
        if grant is None or not self._ours(text, keys, grant.keys_stamp, now=now):
            return None
        return self._active_grant(grant, token)

    def active_of(self, asking: Asking, text: str, *, now: datetime) -> Active | None:
        """The access token that was named when its client was read, if it was good then."""
        token = self.open(text, keys=self.keys.at(asking.client.keys_stamp), now=now)
        if token is None:
            return None
        if isinstance(token, Machine):
            found = asking.other
            return None if found is None else self._active_machine(found, token)
        return None if asking.grant is None else self._active_grant(asking.grant, token)

    def _active_grant(self, grant: GrantView, token: Access) -> Active | None:
        if not grant.living or not grant.gives_access:
            return None
        resources = tuple(token.resources(grant.resources))
        scopes = tuple(token.scopes(grant.scopes))
        return Active(
            grant.client_id,
            grant.public_client_id,
            grant.client_application_id,
            resources or (self._default(grant.audience),),
            scopes,
            token.issued_at,
            token.expires_at,
            token.jti,
            grant,
            resources=resources,
            bound_to=token.bound_to,
            fapi=grant.fapi,
            by_name=not token.child and set(grant.scopes) <= set(scopes),
        )

    def _ours(self, text: str, keys: KeyList, stamp: str, *, now: datetime) -> bool:
        """Whether what was judged by these keys holds under a stamp that was read since."""
        if stamp == keys.stamp:
            return True
        return self.open(text, keys=self.keys.at(stamp), now=now) is not None

    def _active_machine(self, client: ClientView, token: Machine) -> Active | None:
        if (
            client.epoch,
            client.application_epoch or 0,
            client.installation_epoch,
        ) != (token.client_epoch, token.application_epoch, token.installation_epoch):
            return None
        return Active(
            client.id,
            client.client_id,
            client.application_id,
            token.resources or (self._default(client.audience, api=True),),
            tuple(s for s in token.scopes if s in client.scopes),
            token.issued_at,
            token.expires_at,
            token.jti,
            resources=token.resources,
            bound_to=token.bound_to,
            fapi=client.options.profile.fapi,
        )

    def active_refresh(self, asking: Asking, text: str) -> Active | None:
        """The refresh token that was named when its client was read, if it could be used then. Using
        it is another matter.
        """
        token, grant = self.handles.open_refresh(text), asking.grant
        if (
            token is None
            or grant is None
            or not grant.living
            or not grant.refreshable
            or grant.code_used_at is None
            or grant.refresh_generation != token.generation
        ):
            return None
        return Active(
            grant.client_id,
            grant.public_client_id,
            grant.client_application_id,
            tuple(grant.resources) or (self._default(grant.audience),),
            tuple(grant.scopes),
            grant.refreshed_at or grant.code_used_at,
            grant.expires_at,
            f"{grant.id}.r{token.generation}",
            grant,
            refresh=True,
            resources=tuple(grant.resources),
            bound_to=grant.bound_to,
        )


def _kid(text: str) -> str | None:
    """The key a JWT names, read and not believed; None for every other token."""
    try:
        return jws.read(text, algorithms=ALGORITHMS).kid
    except Untrusted:
        return None


def audience(named: Sequence[str]) -> str | list[str]:
    """``aud``: whom a token is for (RFC 8707 §2), one as a string."""
    return list(named) if len(named) > 1 else named[0]


@dataclass(frozen=True)
class _Offline(Access):
    """A JWT access token: it says its scopes and resources itself."""

    said: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def scopes(self, granted: Sequence[str]) -> list[str]:
        return [scope for scope in granted if scope in self.said]

    def resources(self, granted: Sequence[str]) -> list[str]:
        return [uri for uri in granted if uri in self.named]
