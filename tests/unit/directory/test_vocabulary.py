"""The words of the console are those of docs/vocabulary.md, and every code has one."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from connectors.accounts import account_changes as accounts
from connectors.accounts.contract import Action
from connectors.pki import orders as certificates
from connectors.pki.tables import CertificateStanding, RequestReason, RevocationReason
from directory.assignments import HeldAs
from directory.base.audit import Tag
from directory.base.outbox import JobKind
from directory.changes import kind, roles
from directory.changes.effects import State
from directory.changes.leaves import leaves
from directory.changes.model import ChangeState
from directory.changes.proposals import ProposalState
from directory.changes.table import Column
from directory.entitlements import AccountState
from directory.people import UserStatus
from directory.permissions import Role
from directory.units import Bloc, Tier
from idp.factors.slip_cutter import VOID
from idp.web.i18n import CATALOGS
from idp.web.labels import LABELS

DOCUMENT = (Path(__file__).parents[3] / "docs/vocabulary.md").read_text("utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = {(code, vietnamese): english for code, vietnamese, english in ROW.findall(DOCUMENT)}


@pytest.mark.parametrize("group", sorted(LABELS))
def test_every_label_stands_in_the_vocabulary_with_its_english(group: str) -> None:
    for code, words in LABELS[group].items():
        assert ROWS.get((code, words)) == CATALOGS["en"][words], (group, code)


def test_every_word_of_the_vocabulary_is_one_of_the_labels() -> None:
    said = {(code, words) for group in LABELS.values() for code, words in group.items()}
    assert {row for row in ROWS if row not in said} == set()


def test_everything_that_a_change_can_do_has_a_label() -> None:
    kinds = {
        *accounts.AccountEffect,
        *certificates.CertificateEffect,
        roles.END,
        roles.RESTORE,
        VOID,
    }
    assert {str(kind) for kind in kinds} <= set(LABELS["effect"])


@pytest.mark.parametrize(
    ("group", "codes"),
    [
        ("role", Role),
        ("status", UserStatus),
        ("kind", HeldAs),
        ("change", [one.code for one in kind.every()]),
        ("artefact", Column),
        ("bloc", Bloc),
        ("job", JobKind),
        ("tag", Tag),
        ("tier", Tier),
        ("reason", RevocationReason),
        ("request", RequestReason),
        ("action", Action),
    ],
)
def test_every_code_of_a_closed_set_has_a_label(group: str, codes: object) -> None:
    assert {str(c) for c in codes} == set(LABELS[group])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "states", [State, ChangeState, ProposalState, AccountState, CertificateStanding]
)
def test_wherever_something_stands_has_a_label(states: type[StrEnum]) -> None:
    assert {state.value for state in states} <= set(LABELS["state"])


@pytest.mark.parametrize("one", kind.every(), ids=lambda one: one.code)
def test_everything_that_a_kind_of_change_says_has_its_english(one: kind.Kind) -> None:
    asked = [leaf.ask for leaf in leaves(one.asks)]
    said = {
        w for ask in asked for w in (ask.label, ask.help, ask.empty, *ask.missing[1:], ask.wrong)
    }
    assert {words for words in {one.title, *said} if words and words not in CATALOGS["en"]} == set()
    assert all(ask.says for ask in asked)


def test_words_for_users_and_accounts_are_kept_apart() -> None:
    for group in LABELS.values():
        for words in group.values():
            assert not re.search(r"người dùng.*tài khoản|xóa tài khoản", words.lower())
