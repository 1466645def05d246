"""Deliberately broken builds of the product, for the story to find out.

    python tests/story/broken.py NAME serve --with-worker

The product has no switch for any of this: each build replaces a function or two of it and then
starts the ordinary command line. ``caught_at`` is the beginning of the step at which the story
must stop: a story that stops elsewhere, or not at all, does not watch what it claims to watch.

Each is a whole performance with its servers, and some wait until the story's patience is over: they
are performed by ``make test-slow``.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Build:
    """One broken build."""

    caught_at: str
    breaks: Callable[[], None]


BUILDS: dict[str, Build] = {}


def build(name: str, *, caught_at: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a build under a name."""

    def register(breaks: Callable[[], None]) -> Callable[[], None]:
        BUILDS[name] = Build(caught_at, breaks)
        return breaks

    return register


def _nothing_is_cut() -> None:
    """Whatever was issued stays good as long as the person is active."""
    from directory import access
    from directory.people import User, UserStatus

    access.still_good = lambda **_: User.status == UserStatus.ACTIVE.value


def _rows_stay() -> None:
    """The artefact marks neither sessions nor grants."""
    from idp import sessions
    from idp.oidc import cutter as artefact
    from idp.oidc import grants

    sessions.end_many = lambda *_, **__: []
    artefact.grants.revoke = grants.revoke = lambda *_, **__: []


# ---- signing in ------------------------------------------------------------------------------


@build("vneid_level_1_accepted", caught_at="2 a VNeID account of level 1 is refused")
def vneid_level_1_accepted() -> None:
    """Whoever has registered herself at VNeID is believed to be who she says."""
    from connectors.eid import vouched

    vouched.LEAST_LEVEL = 1


@build("vneid_level_lost", caught_at="3 the ID token's level")
def vneid_level_lost() -> None:
    """Applications are told of a sign-in by VNeID as of one by a password."""
    from connectors.eid.profiles import vneid2026

    vneid2026.strength = lambda *_: (1, True)


@build("code_not_asked", caught_at="2 the HR officer is asked for a code")
def code_not_asked() -> None:
    """Whoever administers anything comes in by password alone, from a listed network at least."""
    from idp import assurance

    honest = assurance.two_factors
    assurance.two_factors = lambda rule, **of: honest(rule, **of | {"administers": False})


@build("code_good_twice", caught_at="2 a code is good once")
def code_good_twice() -> None:
    """A code is looked at and not used up."""
    from idp.factors import enrolled

    enrolled.spend = lambda *_, **__: True


# ---- access ----------------------------------------------------------------------------------


@build("cut_skipped", caught_at="5 the session at Dinhdanh is dead")
def cut_skipped() -> None:
    """Neither epochs nor ended assignments count, and nothing is marked."""
    _nothing_is_cut()
    _rows_stay()


@build("refresh_survives", caught_at="5 the refresh token is dead")
def refresh_survives() -> None:
    """Sessions end; grants, and with them refresh tokens, live on."""
    import idp.sessions  # noqa: F401 (its condition is made while still_good is what it should be)

    _nothing_is_cut()
    from idp.oidc import cutter as artefact

    artefact.grants.revoke = lambda *_, **__: []


@build("introspection_cached", caught_at="5 introspection answers at the first request")
def introspection_cached() -> None:
    """Introspection remembers what it once found active."""
    from idp.oidc.introspection import Introspection

    _remember(Introspection, "authenticate_token", lambda request, _client: request.get("token"))


@build("userinfo_cached", caught_at="5 userinfo refuses at the first request")
def userinfo_cached() -> None:
    """Userinfo remembers what it once answered."""
    from idp.oidc import userinfo

    _remember(userinfo, "userinfo", lambda _connection, _tokens, text, **_: text)


def _remember(owner: Any, name: str, key: Callable[..., Any]) -> None:
    honest = getattr(owner, name)
    known: dict[Any, Any] = {}
    method = isinstance(owner, type)

    def cached(*args: Any, **options: Any) -> Any:
        asked = key(*args[1:], **options) if method else key(*args, **options)
        if asked not in known:
            found = honest(*args, **options)
            if found is None:
                return None
            known[asked] = found
        return known[asked]

    setattr(owner, name, cached)


@build("code_survives", caught_at="5 a code issued before the commit")
def code_survives() -> None:
    """A code is judged by the day it is redeemed, not by the day it was issued."""
    from sqlalchemy import and_, select, update

    from directory.people import User
    from idp.oidc.grants import Grant
    from idp.oidc.server import CodeGrant
    from idp.sessions import SsoSession

    honest = CodeGrant.validate_token_request

    def renewed(self: Any) -> None:
        handle = self.server.provider.tokens.handles.open_code(self.request.get("code") or "")
        if handle is not None:
            mine = and_(Grant.id == handle.grant_id, Grant.revoked_at.is_not(None))
            session_id = select(Grant.session_id).where(mine).scalar_subquery()
            epoch = select(User.access_epoch).where(User.id == Grant.user_id).scalar_subquery()
            connection = self.request.connection
            connection.execute(
                update(SsoSession).where(SsoSession.id == session_id).values(ended_at=None)
            )
            connection.execute(
                update(Grant)
                .where(mine)
                .values(user_epoch=epoch, revoked_at=None, assignment_id=None)
            )
        honest(self)

    CodeGrant.validate_token_request = renewed


# ---- applications ----------------------------------------------------------------------------


@build("logout_not_delivered", caught_at="5 Quản lý văn bản và điều hành drops its session")
def logout_not_delivered() -> None:
    """The logout token is made, noted as received, and never sent."""
    from connectors import delivery

    delivery.deliver = lambda *_: 200


@build("logout_unsigned", caught_at="5 Quản lý văn bản và điều hành drops its session")
def logout_unsigned() -> None:
    """The logout token is sent without a signature, and any answer is taken for consent."""
    import base64
    import json
    from urllib.parse import urlencode

    from connectors import delivery

    def deliver(outbound: Any, url: str, token: str) -> int:
        header = json.dumps({"alg": "none", "typ": "logout+jwt"}).encode()
        unsigned = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
        body = urlencode({"logout_token": f"{unsigned}.{token.split('.')[1]}."}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        outbound.request("POST", url, headers=kind, content=body)
        return 200

    delivery.deliver = deliver


@build("account_not_disabled", caught_at="5 the account in Quản lý văn bản và điều hành")
def account_not_disabled() -> None:
    """Disabling is believed to have happened and is proven by the belief."""
    from connectors.accounts import proving
    from connectors.accounts.contract import Action, Outcome
    from connectors.accounts.scim.connector import ScimConnector

    honest = ScimConnector.apply

    def apply(self: Any, operation: Any) -> Any:
        if operation.wanted.active:
            return honest(self, operation)
        return Outcome(operation.key, Action.DISABLED)

    ScimConnector.apply = apply
    proving.look = _believed


@build("proof_without_look", caught_at="5 the provider looked at the account")
def proof_without_look() -> None:
    """The account is written rightly, and its proof is what we meant to write."""
    from connectors.accounts import proving

    proving.look = _believed


def _believed(_connector: Any, wanted: Any, outcome: Any, **_: Any) -> Any:
    from connectors.accounts.contract import RemoteAccount

    if outcome.remote_id is None:
        return None, {}
    believed = RemoteAccount(
        outcome.remote_id,
        wanted.external_id,
        wanted.username,
        wanted.active,
        wanted.attributes or {},
        wanted.role,
    )
    return believed, {}


@build("proof_of_another_application", caught_at="6 what was promised is what was done")
def proof_of_another_application() -> None:
    """The effects name the other application."""
    _on_account_effects(lambda due, other: replace(due, target=other.target, label=other.label))


@build("proof_before_the_work", caught_at="6 the account the proof names")
def proof_before_the_work() -> None:
    """Effects on accounts are verified at the commit, before anybody has done anything."""
    from directory.changes.effects import State

    _on_account_effects(lambda due, _other: replace(due, state=State.VERIFIED))


def _on_account_effects(change: Callable[[Any, Any], Any]) -> None:
    from connectors.accounts.apply import AccountCutter

    honest = AccountCutter.cut

    def cut(self: Any, session: Any, plan: Any, made: Any) -> Any:
        dues = list(honest(self, session, plan, made))
        return [change(due, dues[n - 1]) for n, due in enumerate(dues)]

    AccountCutter.cut = cut


# ---- certificates ----------------------------------------------------------------------------


@build("crl_not_published", caught_at="5 openssl refuses the certificate by the CRL")
def crl_not_published() -> None:
    """The list stays as it was, and the probe is content."""
    from connectors.pki import crl, jobs

    crl.stale = lambda *_, **__: False
    crl.publish = lambda session, _keyring, _settings, authority_id, **_: crl.newest(
        session, authority_id
    )
    jobs._visible = lambda *_: True


@build("ocsp_says_good", caught_at="5 openssl ocsp")
def ocsp_says_good() -> None:
    """The responder knows certificates, not what has become of them."""
    from connectors.pki import jobs, ocsp

    ocsp._status = lambda *_, **__: (None, True)
    jobs._visible = lambda *_: True


@build("new_request_missing", caught_at="7 a request for a new certificate")
def new_request_missing() -> None:
    """The request for a new certificate is reported and not written."""
    from connectors.pki import cutter as artefact

    honest = artefact.write

    def write(session: Any, orders: Any, *args: Any, **options: Any) -> None:
        kept = [order for order in orders if order.certificate is not None]
        honest(session, kept, *args, **options)

    artefact.write = write


# ---- the door --------------------------------------------------------------------------------


@build("idempotency_ignored", caught_at="4 the same commit twice")
def idempotency_ignored() -> None:
    """An Idempotency-Key is accepted and forgotten."""
    from directory.changes import repeats

    repeats.claim = lambda *_, **__: None


@build("stale_preview_accepted", caught_at="4 a stale preview is refused by the API")
def stale_preview_accepted() -> None:
    """Every plan has the same fingerprint."""
    from directory.changes.model import Plan

    Plan.fingerprint = property(lambda _: "0" * 64)


@build("preview_is_silent", caught_at="4 the preview announces what becomes of the account")
def preview_is_silent() -> None:
    """Accounts are changed without having been announced."""
    from connectors.accounts.apply import AccountCutter

    AccountCutter.preview = lambda *_: []


@build("console_hides_effects", caught_at="4 the console announces the same")
def console_hides_effects() -> None:
    """The console leaves certificates out of its preview."""
    from idp.console import views_changes

    honest = views_changes._preview

    def preview(plan: dict[str, Any], **options: Any) -> Any:
        kept = [e for e in plan["effects"] if not e["artefact"].startswith("certificate")]
        return honest(plan | {"effects": kept}, **options)

    views_changes._preview = preview


@build("proof_times_invented", caught_at="6 ")
def proof_times_invented() -> None:
    """The proof tells the times people like to read."""
    from directory.changes import present

    honest = present.effect_as_dict

    def shown(effect: Any) -> dict[str, Any]:
        early = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
        told = honest(effect)
        moments = ("due_at", "verified_at", "acknowledged_at")
        return told | {name: early for name in moments if told[name]} | {"latency_ms": 0}

    present.effect_as_dict = shown


@build("old_capacity", caught_at="7 the unit in the claims is the new one")
def old_capacity() -> None:
    """Claims about a person are made once."""
    from idp.oidc import claims

    _remember(claims, "claims", lambda about, scopes, **_: (about.sub, tuple(sorted(scopes))))


def main(name: str | None, arguments: list[str]) -> None:
    """Break the product, if there is a name, and run its command line."""
    if name is not None:
        BUILDS[name].breaks()
    from idp.commands import main as cli

    sys.argv = ["dinhdanh", *arguments]
    cli.start()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
