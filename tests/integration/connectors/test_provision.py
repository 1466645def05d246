"""Accounts follow the directory, end to end: the door, the job, a real SCIM application."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors.accounts import apply as provision
from connectors.accounts import mapping, registry
from connectors.accounts.apply import recompute
from connectors.accounts.contract import Operation
from connectors.accounts.registry import connector_for, save_secret
from connectors.accounts.scim.connector import ScimConnector
from connectors.errors import Misconfigured, Rejected, Transient
from directory import entitlements
from directory.base import audit, claiming, outbox
from directory.base.clock import day_start, next_day
from directory.base.outbox import Claim, Job, JobKind
from directory.changes import effects
from directory.changes.effects import Effect, State
from directory.changes.model import Change
from directory.entitlements import Account, Application, Installation, Rule
from directory.people import User
from idp.run import performing, wiring
from tests.factories import make_application, make_rule, make_user
from tests.properties.conftest import Province, build_province
from tests.scim_fixture import TOKEN, ScimServer, scim_server  # noqa: F401 (a fixture)


@pytest.fixture
def services(
    make_settings: Callable[..., Any],
    clock: Any,
    scim_server: ScimServer,  # noqa: F811
) -> Iterator[Any]:
    """Everything a job needs, allowed to call the application."""
    built = wiring.build(make_settings(outbound_allow=[scim_server.allow]), clock=clock)
    yield built
    built.outbound.close()
    built.db.dispose()


@pytest.fixture
def province(services: Any, clock: Any) -> Province:
    """Three communes, four people."""
    return build_province(services, clock)


@pytest.fixture
def application(
    services: Any,
    province: Province,
    scim_server: ScimServer,  # noqa: F811
) -> Application:
    """An application that everyone in the first commune has: specialists edit, leaders sign."""
    with services.db.write() as session:
        made = make_application(
            session, "qlvb", connector="scim", connector_settings={"url": scim_server.url}
        )
        save_secret(session, made, TOKEN, keyring=services.keyring)
        commune = entitlements.OrgUnit
        first = session.get_one(commune, province.units[0])
        make_rule(session, made, "signer", unit_id=first.parent_id, leadership=True, priority=1)
        make_rule(session, made, "editor", unit_id=first.parent_id, priority=2)
    return made


@pytest.fixture
def work(services: Any) -> Callable[[], int]:
    """Do what is due and say how many account jobs that were; other parts' jobs do nothing."""
    done: list[str] = []

    def apply(tools: Any, claim: Claim) -> Callable[[Session], set[str]]:
        done.append(claim.key)
        return provision.apply_account(tools, claim)

    handlers: dict[JobKind, performing.Handler] = dict.fromkeys(JobKind, nothing)
    handlers[JobKind.ACCOUNT_APPLY] = apply
    handlers[JobKind.SUBJECT_BOUNDARY] = performing.take_effect

    def drain() -> int:
        done.clear()
        performing.drain(services, handlers=handlers)
        return len(done)

    return drain


def nothing(tools: Any, claim: Claim) -> Callable[[Session], set[str]]:
    """A job of somebody else's."""
    return lambda session: set()


def enqueue(services: Any, user_id: int, application: Application) -> None:
    with services.db.write() as session:
        outbox.enqueue_rows(
            session,
            [entitlements.account_job(user_id, application.id, now=services.clock())],
        )


def link(services: Any, user_id: int) -> Account | None:
    with services.db.read() as session:
        found: Account | None = session.scalars(
            select(Account).where(Account.user_id == user_id)
        ).one_or_none()
        return found


def account_effects(services: Any, change: Change) -> list[Effect]:
    with services.db.read() as session:
        return [e for e in effects.of_change(session, change.id) if e.column == "accounts"]


def foreseen(province: Province, **body: Any) -> list[tuple[str, str]]:
    plan = province.plan(province.spec(**body))
    return [(f.kind, f.target) for f in plan.foreseen if f.column == "accounts"]


def test_a_person_the_rules_match_gets_an_account_that_says_where_she_works(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    enqueue(services, province.users[0], application)
    work()
    (stored,) = scim_server.accounts()
    with services.db.read() as session:
        user = session.get_one(User, province.users[0])
    assert (stored["externalId"], stored["userName"]) == (user.sub, user.username)
    assert stored["roles"][0]["value"] == "editor"
    extension = stored["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
    assert extension["department"] == "Phòng Kinh tế"
    assert extension["organization"] == "Ủy ban nhân dân xã Hà Trung"
    noted = link(services, user.id)
    assert noted is not None
    assert (noted.state, noted.remote_id, noted.role) == ("active", stored["id"], "editor")
    assert noted.verified_at == services.clock()
    with services.db.read() as session:
        (entry,) = audit.of_subject(session, "user", user.id)
    assert entry.tag == "account.applied"
    assert entry.data["remote_id"] == stored["id"]


def test_a_person_no_rule_matches_gets_nothing(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    enqueue(services, province.users[3], application)
    work()
    assert scim_server.accounts() == []
    assert link(services, province.users[3]) is None


def test_a_transfer_into_the_commune_is_foreseen_ordered_and_proven(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    user = province.users[2]
    body = {"kind": "transfer", "user": user, "to_unit": province.units[1], "position": "TP"}
    assert foreseen(province, **body) == [("account.create", str(application.id))]
    change = province.do(**body)
    (ordered,) = account_effects(services, change)
    assert (ordered.state, ordered.final, ordered.label) == (
        "pending",
        "verified",
        application.name,
    )
    work()
    (proven,) = account_effects(services, change)
    (stored,) = scim_server.accounts()
    assert proven.state == State.VERIFIED
    assert proven.detail["remote_id"] == stored["id"]
    assert proven.detail["active"] is True
    assert proven.detail["department"] == "Phòng Văn hóa - Xã hội"
    assert proven.detail["role"] == "signer"
    assert proven.detail["http_status"] == 200
    assert proven.detail["unit"] == "Phòng Văn hóa - Xã hội"
    assert proven.latency == timedelta(0)


@pytest.mark.both_databases
def test_leaving_the_commune_disables_and_coming_back_wakes_the_same_account(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
    clock: Any,
) -> None:
    user = province.users[0]
    enqueue(services, user, application)
    work()
    (before,) = scim_server.accounts()
    away = {"kind": "transfer", "user": user, "to_unit": province.units[3]}
    assert foreseen(province, **away) == [("account.disable", str(application.id))]
    change = province.do(**away)
    work()
    (gone,) = scim_server.accounts()
    assert (gone["id"], gone["active"]) == (before["id"], False)
    assert account_effects(services, change)[0].detail["active"] is False
    noted = link(services, user)
    assert noted is not None
    assert noted.state == "disabled"
    clock.advance(days=3)
    back = {"kind": "transfer", "user": user, "to_unit": province.units[1]}
    assert foreseen(province, **back) == [("account.enable", str(application.id))]
    province.do(**back)
    work()
    (woken,) = scim_server.accounts()
    assert (woken["id"], woken["active"]) == (before["id"], True)


def test_a_move_inside_the_commune_keeps_the_account(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    user = province.users[0]
    enqueue(services, user, application)
    work()
    body = {"kind": "transfer", "user": user, "to_unit": province.units[1], "position": "TP"}
    assert foreseen(province, **body) == [("account.move", str(application.id))]
    (before,) = scim_server.accounts()
    change = province.do(**body)
    work()
    (after,) = scim_server.accounts()
    assert after["id"] == before["id"]
    assert after["title"] == "Trưởng phòng"
    assert after["roles"][0]["value"] == "signer"
    (proven,) = account_effects(services, change)
    assert (proven.detail["unit_before"], proven.detail["role_before"]) == (
        "Phòng Kinh tế",
        "editor",
    )


def test_an_unchanged_entitlement_is_not_mentioned(
    province: Province, application: Application
) -> None:
    assert (
        foreseen(province, kind="transfer", user=province.users[2], to_unit=province.units[5]) == []
    )


def test_suspending_disables_and_resuming_enables(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    user = province.users[0]
    enqueue(services, user, application)
    work()
    assert foreseen(province, kind="suspend", user=user)[0][0] == "account.disable"
    province.do(kind="suspend", user=user)
    work()
    assert scim_server.accounts()[0]["active"] is False
    assert foreseen(province, kind="resume", user=user)[0][0] == "account.enable"
    province.do(kind="resume", user=user)
    work()
    assert scim_server.accounts()[0]["active"] is True


def test_a_scheduled_leave_disables_on_its_day_and_not_before(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
    clock: Any,
) -> None:
    user = province.users[0]
    enqueue(services, user, application)
    work()
    day = province.today + timedelta(days=5)
    change = province.do(kind="leave", user=user, effective_on=day.isoformat(), reason="retire")
    work()
    assert scim_server.accounts()[0]["active"] is True
    clock.set(day_start(day))
    work()
    assert scim_server.accounts()[0]["active"] is False
    (proven,) = account_effects(services, change)
    assert (proven.kind, proven.state) == ("account.disable", "verified")


def test_a_rule_made_after_a_scheduled_transfer_counts_on_its_day(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
    clock: Any,
) -> None:
    day = next_day(province.today)
    change = province.do(
        kind="transfer",
        user=province.users[2],
        to_unit=province.units[5],
        effective_on=day.isoformat(),
    )
    assert account_effects(services, change) == []
    with services.db.write() as session:
        make_rule(session, application, "viewer", unit_id=province.units[5], priority=5)
    clock.set(day_start(day))
    work()
    (stored,) = scim_server.accounts()
    assert stored["roles"][0]["value"] == "viewer"
    (proven,) = account_effects(services, change)
    assert (proven.kind, proven.state) == ("account.create", "verified")


def test_doing_the_job_twice_doubles_nothing(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    for _ in range(3):
        enqueue(services, province.users[0], application)
        assert work() == 1
    assert len(scim_server.accounts()) == 1
    with services.db.read() as session:
        entries = audit.of_subject(session, "user", province.users[0])
    assert len(entries) == 1


@pytest.mark.both_databases
def test_a_crash_after_the_call_and_before_the_note_is_made_good_by_a_link(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
    clock: Any,
) -> None:
    body = {"kind": "transfer", "user": province.users[2], "to_unit": province.units[1]}
    change = province.do(**body)
    claim = claiming.claim(services.db, now=clock())
    while claim is not None and claim.kind is not JobKind.ACCOUNT_APPLY:
        with services.db.write() as session:
            outbox.finish(session, claim, now=clock())
        claim = claiming.claim(services.db, now=clock())
    assert claim is not None
    provision.apply_account(services, claim)  # and then the power fails: nobody notes it
    (stored,) = scim_server.accounts()
    assert link(services, province.users[2]) is None
    clock.advance(seconds=61)  # the lease runs out
    work()
    assert [a["id"] for a in scim_server.accounts()] == [stored["id"]]
    noted = link(services, province.users[2])
    assert noted is not None
    assert noted.remote_id == stored["id"]
    (proven,) = account_effects(services, change)
    assert (proven.state, proven.detail["action"]) == ("verified", "unchanged")


def test_an_account_changed_behind_our_back_is_put_right(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    user = province.users[0]
    enqueue(services, user, application)
    work()
    connector = connector_for(services, application)
    with services.db.read() as session:
        person = session.get_one(User, user)
    noted = link(services, user)
    assert noted is not None
    connector.apply(
        Operation(mapping.wanted_account(person, None, organization=""), noted.remote_id)
    )
    assert scim_server.accounts()[0]["active"] is False
    enqueue(services, user, application)
    work()
    assert scim_server.accounts()[0]["active"] is True


def test_an_account_deleted_at_the_target_is_made_again(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    enqueue(services, province.users[0], application)
    work()
    with scim_server.database.transaction() as connection:
        connection.execute("DELETE FROM account")
    enqueue(services, province.users[0], application)
    work()
    (stored,) = scim_server.accounts()
    noted = link(services, province.users[0])
    assert noted is not None
    assert noted.remote_id == stored["id"]


def test_what_does_not_show_is_not_proven(
    services: Any,
    province: Province,
    application: Application,
    work: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector = connector_for(services, application)
    monkeypatch.setattr(connector, "probe", lambda key: None)
    change = province.do(kind="transfer", user=province.users[2], to_unit=province.units[1])
    work()
    (waiting,) = account_effects(services, change)
    assert waiting.state == State.SENT
    assert "chưa cho thấy" in (waiting.reason or "")
    assert link(services, province.users[2]) is None


def test_a_wrong_secret_parks_with_a_reason_and_a_new_one_is_used_at_once(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    with services.db.write() as session:
        row = session.get_one(Application, application.id)
        save_secret(session, row, "wrong", keyring=services.keyring)
        assert "wrong" not in (row.connector_secret or "")
    enqueue(services, province.users[0], application)
    work()
    with services.db.read() as session:
        (job,) = session.scalars(select(Job).where(Job.state == "parked"))
    assert "thông tin kết nối" in (job.reason or "")
    with services.db.write() as session:
        save_secret(
            session,
            session.get_one(Application, application.id),
            TOKEN,
            keyring=services.keyring,
        )
        outbox.retry_parked(session, job.id, now=services.clock())
    work()
    assert len(scim_server.accounts()) == 1


def test_a_username_taken_at_the_target_parks_for_a_person(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    from connectors.accounts.contract import WantedAccount

    with services.db.read() as session:
        username = session.get_one(User, province.users[0]).username
    connector_for(services, application).apply(
        Operation(WantedAccount("somebody-else", username, active=True, attributes={}))
    )
    enqueue(services, province.users[0], application)
    work()
    with services.db.read() as session:
        (job,) = session.scalars(select(Job).where(Job.state == "parked"))
    assert username in (job.reason or "")
    assert len(scim_server.accounts()) == 1


@pytest.mark.both_databases
def test_a_changed_rule_is_worked_off_for_everyone_it_matches_or_matched(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    work: Callable[[], int],
) -> None:
    with services.db.write() as session:
        assert recompute(session, application.id, now=services.clock()) == 2
        # Again, before they ran: nothing doubles.
        recompute(session, application.id, now=services.clock())
    assert work() == 2
    assert len(scim_server.accounts()) == 2
    with services.db.write() as session:
        session.execute(update(Rule).values(enabled=False))
        session.execute(update(Installation).values(rules_revision=2))
        make_rule(session, application, "viewer", unit_id=province.units[3])
        assert recompute(session, application.id, now=services.clock()) == 3
    work()
    assert sorted(a["active"] for a in scim_server.accounts()) == [False, False, True]


@pytest.mark.both_databases
def test_nobody_who_may_not_act_is_recomputed_into_an_account(
    services: Any,
    province: Province,
    application: Application,
) -> None:
    with services.db.write() as session:
        session.execute(update(User).where(User.id == province.users[0]).values(status="left"))
        session.execute(
            update(User).where(User.id == province.users[1]).values(leaves_on=date(2026, 1, 1))
        )
        assert recompute(session, application.id, now=services.clock()) == 0


@pytest.mark.both_databases
def test_where_people_only_sign_in_no_account_is_ordered(
    services: Any, province: Province, application: Application
) -> None:
    with services.db.write() as session:
        session.execute(update(Application).values(connector=None))
        assert recompute(session, application.id, now=services.clock()) == 0
        services.door.take_effect(session, province.users[0], now=services.clock())
        assert (
            session.scalars(select(Job.key).where(Job.kind == JobKind.ACCOUNT_APPLY.value)).all()
            == []
        )


@pytest.mark.both_databases
def test_recomputed_jobs_are_those_the_door_would_enqueue(
    services: Any, province: Province, application: Application
) -> None:
    with services.db.write() as session:
        recompute(session, application.id, now=services.clock())
        rows = session.execute(
            select(
                Job.kind, Job.key, Job.lane, Job.due_day, Job.payload, Job.state, Job.attempts
            ).where(Job.kind == JobKind.ACCOUNT_APPLY.value)
        ).all()
    expected = [
        entitlements.account_job(user, application.id, now=services.clock())
        for user in province.users[:2]
    ]
    shown = ("kind", "key", "lane", "due_day", "payload", "state", "attempts")
    assert sorted(map(tuple, rows)) == sorted(tuple(row[n] for n in shown) for row in expected)


def test_an_application_without_connector_is_left_alone(
    services: Any, province: Province, application: Application
) -> None:
    with services.db.write() as session:
        session.execute(update(Application).values(connector=None))
    assert (
        foreseen(province, kind="transfer", user=province.users[2], to_unit=province.units[1]) == []
    )


@pytest.mark.parametrize("key", ["", "1", "a:b", "1:2:3", "999999:1"])
def test_a_job_that_names_nobody_is_parked(services: Any, key: str) -> None:
    claim = Claim(1, JobKind.ACCOUNT_APPLY, key, {}, 1, services.clock())
    with pytest.raises(Rejected):
        provision.apply_account(services, claim)


def test_connectors_are_kept_until_their_settings_change(
    services: Any, application: Application
) -> None:
    first = connector_for(services, application)
    assert connector_for(services, application) is first
    with services.db.write() as session:
        row = session.get_one(Application, application.id)
        row.connector_settings = row.connector_settings | {"page_size": 7}
    assert connector_for(services, row) is not first


def test_every_wrong_setting_is_named_and_no_value_shown(services: Any) -> None:
    settings = {"url": "ftp://x", "page_size": 0, "token": "s3cret"}
    with pytest.raises(Misconfigured) as wrong:
        registry.check("scim", settings)
    for name in ("url", "page_size", "token"):
        assert name in wrong.value.reason
    assert "s3cret" not in wrong.value.reason
    for kind in (None, "", "fax"):
        with pytest.raises(Misconfigured):
            registry.check(kind, {})


def test_a_missing_secret_is_named(services: Any, application: Application) -> None:
    with services.db.write() as session:
        row = session.get_one(Application, application.id)
        row.connector_secret = None
    with pytest.raises(Misconfigured) as wrong:
        connector_for(services, row)
    assert application.name in wrong.value.reason


def test_a_target_that_is_away_puts_the_job_off(
    services: Any, province: Province, application: Application
) -> None:
    with services.db.write() as session:
        stranger = make_user(session)
        row = session.get_one(Application, application.id)
        row.connector_settings = {"url": "http://nowhere.invalid/scim"}
    claim = Claim(
        1, JobKind.ACCOUNT_APPLY, f"{stranger.id}:{application.id}", {}, 1, services.clock()
    )
    with pytest.raises(Transient):
        provision.apply_account(services, claim)


def test_deaths_of_workers_do_not_use_up_the_patience_of_a_proof(
    services: Any,
    province: Province,
    application: Application,
    scim_server: ScimServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An outage kills workers; the first try that comes to an end is the first, not the last."""
    monkeypatch.setattr(ScimConnector, "probe", lambda *_: None)
    key = f"{province.users[0]}:{application.id}"
    for attempt, deaths, error in ((5, 4, Transient), (9, 4, Rejected), (5, 0, Rejected)):
        claim = Claim(1, JobKind.ACCOUNT_APPLY, key, {}, attempt, services.clock(), deaths=deaths)
        with pytest.raises(error):
            provision.apply_account(services, claim)
