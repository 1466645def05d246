"""What the pages about proposals ask: lists of them, and who proposed and decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from directory.changes import proposals
from directory.changes.kinds import slip
from directory.changes.proposals import Agenda, Proposal, ProposalState
from directory.permissions import Rights
from idp import approving
from idp.console import entries
from idp.console.entries import Who


@dataclass(frozen=True)
class ProposalList:
    """One page of proposals, and the names of the people in it."""

    rows: list[Proposal]
    after: str | None
    people: dict[int, str]


@dataclass(frozen=True)
class HomeList:
    """What waits for the asker, and what she waits for."""

    agenda: Agenda
    people: dict[int, str]


def proposer(row: Proposal) -> Who:
    """Who proposed it."""
    return Who(row.proposer_kind, row.proposer_id, row.proposer_label)


def decider(row: Proposal) -> Who:
    """Who approved, declined or withdrew it."""
    return Who(row.decider_kind or "", row.decider_id, row.decider_label or "")


def names(session: Session, rows: Iterable[Proposal]) -> dict[int, str]:
    """Full names of those who proposed and decided."""
    return entries.names(session, [who for row in rows for who in (proposer(row), decider(row))])


def proposed_by(row: Proposal, people: Mapping[int, str]) -> str:
    """Who proposed it, in words."""
    return entries.actor(proposer(row), people)


def decided_by(row: Proposal, people: Mapping[int, str]) -> str:
    """Who decided it, in words; nothing where nobody has."""
    return entries.actor(decider(row), people) if row.decider_kind else ""


def to_print(row: Proposal, granted: Rights) -> int | None:
    """Whose slip its proposer may have been allowed to print; her page says whether she still may."""
    allowed = row.kind == slip.KIND.code and row.change_id is not None
    return next(iter(row.subjects), None) if allowed and row.is_of(granted.actor) else None


def listed(session: Session, granted: Rights, *, state: str, after: str | None) -> ProposalList:
    """One page, newest first. Raises InvalidInput for a mark that is none."""
    wanted = ProposalState(state) if state in list(ProposalState) else None
    page = proposals.listed(session, granted, state=wanted, after=after)
    return ProposalList(page.rows, page.after, names(session, page.rows))


def waiting(session: Session, granted: Rights, *, now: datetime) -> HomeList | None:
    """For the start page; None where nothing waits."""
    found = approving.agenda(session, granted, now=now)
    if found is None:
        return None
    return HomeList(found, names(session, [*found.to_decide, *found.own]))
