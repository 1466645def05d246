"""After a backup was put back: the installation is in the past, and does not know what it lost.

    begin      one transaction: everything issued is dead, slips are void, only administrators are
               let in, the chain says so, every account is to be looked at again, new CRLs
    compare    what targets show of accounts that the directory no longer knows
    confirm    an administrator or the operator says by what the staff list was compared

Whoever was dismissed after the backup was taken has a valid password in it. Nothing but people
can tell; until they have, nobody but administrators of the installation signs in, no client gets
a token of its own, and nothing is created or enabled at a target (what is to be disabled, is).
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from connectors.accounts import listing, withholding
from connectors.accounts.apply import recompute
from connectors.accounts.contract import Capability
from connectors.accounts.registry import connector_for
from connectors.errors import ConnectorError
from connectors.pki import crl
from connectors.pki.tables import Authority, AuthorityKind
from directory import entitlements
from directory.base import audit, outbox, verification
from directory.base.audit import Actor, AuditEntry, AuditHead, Tag
from directory.base.errors import Conflict, InvalidInput
from directory.base.outbox import Job, JobKind
from directory.base.rows import batches
from directory.entitlements import Application, Installation
from directory.people import User
from idp import sessions
from idp.factors import slips
from idp.factors.slip_rows import Activation, open_at
from idp.login.flow_rows import LoginFlow
from idp.oidc import logout
from idp.oidc.authorization.pushed import PushedRequest
from idp.oidc.clients.invites import Invite
from idp.oidc.grant_types.device import DeviceRequest
from idp.services import Services
from idp.sessions import SsoSession
from idp.trail import anchor

_JUMP = 1_000_000
"""The epoch rises by up to this, at random: counted on, it would repeat the one that the lost
future of this backup, or an earlier restore of it, has already given out."""
REFERENCE = 200
"""Characters of what a confirmation rests on."""


@dataclass(frozen=True)
class LastShared:
    """Where the present trail and the lost one part."""

    seq: int
    """The last entry both have."""
    hash: str


@dataclass(frozen=True)
class Begun:
    """What ``begin`` did."""

    kept: int
    lost_to: int | None
    """The furthest entry a checkpoint speaks of; None without one."""
    sessions: int
    slips: int
    jobs: int
    lists: int


def base(services: Services) -> LastShared:
    """The last entry that this database shares with what was lost, as far as checkpoints tell.

    Raises Misconfigured for a checkpoint file that cannot be read.
    """
    gathered = anchor.gather(services, ())
    with services.db.snapshot() as session:
        head = session.execute(select(AuditHead.seq, AuditHead.hash)).first()
        found = LastShared(head.seq, head.hash) if head is not None else LastShared(0, "")
        if entitlements.unconfirmed_since(session) is not None:
            # Restored once already, and nothing happened since that could be told from it.
            found = _earlier(services, session) or found
        ahead = [c for c in gathered.checkpoints if c.seq > found.seq]
        if not ahead and found.hash in {c.hash for c in gathered.checkpoints if c.seq == found.seq}:
            return found
        for each in sorted(gathered.checkpoints, key=lambda c: -c.seq):
            if each.seq <= found.seq and each.hash == _hash(session, each.seq):
                return LastShared(each.seq, each.hash)
    return found if not gathered.checkpoints else LastShared(0, "")


def _earlier(services: Services, session: Session) -> LastShared | None:
    told = verification.restores(session.connection(), services.keyring)
    kept = max(told, key=lambda each: each.seq).kept if told else None
    return LastShared(kept, _hash(session, kept)) if kept is not None else None


def _hash(session: Session, seq: int) -> str:
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == seq)) or ""


def begin(services: Services, *, at: LastShared, actor: Actor, now: datetime) -> Begun:
    """Cut everything that the backup would revive, and write down that it was put back."""
    lost_to = max((c.seq for c in anchor.gather(services, ()).checkpoints), default=None)
    with services.db.write() as session:
        row = session.scalars(select(Installation).with_for_update()).one()
        row.epoch += 1 + secrets.randbelow(_JUMP)
        row.unconfirmed_since = now
        ended = _end_sessions(session, now=now, actor=actor)
        voided = _void(session, now=now, actor=actor)
        jobs = sum(
            recompute(session, application.id, now=now)
            for application in entitlements.applications(session)
            if application.connector is not None
        )
        lists = _publish(services, session, now=now)
        audit.record(
            session,
            Tag.INSTALLATION_RESTORED,
            at=now,
            actor=actor,
            subject=("installation", row.id),
            data=verification.restored(services.keyring, kept=at.seq, at=now)
            | {"lost_to": lost_to},
        )
        while audit.seal(session, services.keyring):
            pass
    anchor.written(services, now)
    return Begun(at.seq, lost_to, ended, voided, jobs, lists)


def _end_sessions(session: Session, *, now: datetime, actor: Actor) -> int:
    """The epoch has killed them; this tells the applications behind them and the trail."""
    open_ones = list(
        session.scalars(
            select(SsoSession.id).where(SsoSession.ended_at.is_(None), SsoSession.expires_at > now)
        )
    )
    ended = sessions.end_many(session, open_ones, now=now, reason="restored", actor=actor)
    logout.enqueue_logout(session, ended, now=now, reason="restored")
    return len(ended)


def _void(session: Session, *, now: datetime, actor: Actor) -> int:
    """Slips, invitations and whatever was under way; how many slips."""
    people = list(session.scalars(select(Activation.user_id).where(open_at(now)).distinct()))
    slips.void(session, people, why="restored", now=now, actor=actor)
    session.execute(update(Invite).where(Invite.uses_left > 0).values(uses_left=0))
    for table in (LoginFlow, PushedRequest, DeviceRequest):
        session.execute(delete(table))
    return len(people)


def _publish(services: Services, session: Session, *, now: datetime) -> int:
    issuing = session.scalars(
        select(Authority.id).where(
            Authority.kind == AuthorityKind.ISSUING.value, Authority.key_sealed.is_not(None)
        )
    ).all()
    for authority in issuing:
        crl.publish(session, services.keyring, services.settings, authority, now=now)
    return len(issuing)


@dataclass(frozen=True)
class Compared:
    """What a target shows beside what the directory knows."""

    application: str
    strangers: int
    """Active accounts of nobody the directory knows: of people who came after the backup."""
    queued: int
    failed: str | None
    """Why it could not be asked; then everybody's account there is looked at."""


def compare(services: Services, *, now: datetime) -> Iterator[Compared]:
    """Ask each target for all its accounts, and order a look at those that no rule and no link of
    ours would have led to: they were made after the backup.
    """
    with services.db.read() as session:
        known = dict(session.execute(select(User.sub, User.id)).all())
        applications = [a for a in entitlements.applications(session) if a.connector is not None]
    for application in applications:
        why = None
        try:
            owners, strangers = _shown(services, application, known)
        except ConnectorError as error:
            owners, strangers, why = set(known.values()), 0, error.text()
        with services.db.write() as session:
            rows = [
                entitlements.account_job(
                    user, application.id, now=now, priority=outbox.Priority.BULK
                )
                for user in sorted(owners)
            ]
            for some in batches(rows, 5000):
                outbox.enqueue_rows(session, some)
        yield Compared(application.name, strangers, len(rows), why)


def _shown(
    services: Services, application: Application, known: dict[str, int]
) -> tuple[set[int], int]:
    connector = connector_for(services, application)
    if Capability.FETCH not in connector.capabilities():
        return set(known.values()), 0
    owners: set[int] = set()
    strangers = 0
    for account in listing.accounts(connector):
        owner = known.get(account.external_id or "")
        if owner is not None:
            owners.add(owner)
        elif account.active:
            strangers += 1
    return owners, strangers


def confirm(session: Session, *, reference: str, actor: Actor, now: datetime) -> int:
    """Let everybody in again: HR has compared the staff list, as ``reference`` says. How many
    account jobs that waited run now. Raises InvalidInput, and Conflict where nothing waits.
    """
    reference = " ".join(reference.split())
    if not reference or len(reference) > REFERENCE:
        raise InvalidInput(
            "reference_missing",
            "Hãy ghi văn bản hoặc người của bộ phận tổ chức cán bộ đã xác nhận (tối đa {most} ký "
            "tự).",
            field="reference",
            most=REFERENCE,
        )
    row = session.scalars(select(Installation).with_for_update()).one()
    if row.unconfirmed_since is None:
        raise Conflict("nothing_to_confirm", "Không có việc khôi phục nào chờ xác nhận.")
    since, row.unconfirmed_since = row.unconfirmed_since, None
    audit.record(
        session,
        Tag.INSTALLATION_CONFIRMED,
        at=now,
        actor=actor,
        subject=("installation", row.id),
        data={"reference": reference, "since": since.isoformat()},
    )
    released = session.execute(
        update(Job)
        .where(
            Job.kind == JobKind.ACCOUNT_APPLY.value,
            Job.state == "ready",
            Job.reason == withholding.SENTENCE,
        )
        .values(run_at=now)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(released.all())
