"""The set-up, step by step, through the product's own functions.

Every step looks at what is there first, so that an interrupted set-up is simply begun again and
a second start keeps passwords and everything that has happened since. The order matters:
applications and rules come before the people, so that joining them already orders their
accounts; the listed people's are then moved to the head of the queue.
"""

import contextlib
import csv
import getpass
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import update

from directory import entitlements
from directory.base.audit import Actor
from directory.base.outbox import Job, JobKind, Priority
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.people import User
from examples.demo import (
    applications,
    cast,
    clients,
    credentials,
    guide,
    identities,
    roles,
    second_factors,
)
from examples.demo.ground import ROOT, Ground
from examples.demo.processes import CannotStart
from examples.demo.roles import user_of
from examples.demo.terminal import Progress, step
from examples.demo.work import Work
from idp.commands import ops
from idp.factors import passwords
from idp.run.wiring import build

SAMPLE = ROOT / "examples" / "thanh-hoa"
REFERENCE_FILES = ("positions.csv", "units.csv", "posts.csv")


def set_up(ground: Ground) -> dict[str, Any]:
    """Do what is missing; the contents of credentials.json."""
    earlier = credentials.read(ground.credentials_file)
    with step("Cấu trúc dữ liệu / schema"):
        _migrate(ground)
    services = build(ground.settings)
    work = Work(ground, services, Actor.operator(getpass.getuser()), earlier)
    people = earlier.get("people") or ground.people
    if not earlier:
        with step("Sinh dữ liệu mẫu / sample") as progress:
            _sample(ground, people)
            progress.note = f"{people:,} người / people"
        with step("Đơn vị, chức vụ / units, positions") as progress:
            progress.note = _load(work, ground.sample / "reference", progress)
    with step("Ứng dụng, quy tắc / apps, rules") as progress:
        tokens = [applications.register(work, app) for app in ground.apps]
        progress.note = f"{sum(map(len, applications.RULES.values()))} quy tắc / rules"
    if not earlier:
        with step("Cán bộ / people") as progress:
            progress.note = _load(work, ground.sample / "people", progress)
    found = cast.choose(ground.sample / "people")
    players = found.players
    with step("Vai trò / roles") as progress:
        roles.grant_all(work, players)
        _hasten(work, [*players, found.newcomer])
        progress.note = f"{sum(len(p.reaches) for p in players)}"
    with step("Mật khẩu / passwords") as progress:
        users = _users(work, players, progress)
        slip = second_factors.slip_of(work, found.newcomer)
        progress.note = f"{len(users)} người / people"
    with step("VNeID (mô phỏng / simulated)") as progress:
        eid = identities.ensure(work, [*players, found.newcomer])
        progress.note = f"{len(eid['people'])} người / people"
    with step("Ứng dụng khách / clients"):
        registered = clients.register_all(work, tokens)
        invitation = clients.initial_access_token(work)
    values = {
        "issuer": ground.settings.issuer,
        "people": people,
        "config": str(ground.config_file),
        "users": users,
        **registered,
        "eid": eid,
        "slip": slip,
        "guide": guide.address(ground, earlier.get("guide", "")),
    }
    if invitation is not None:
        values["initial_access_token"] = invitation
    if ground.ca_file:
        values["ca_file"] = str(ground.ca_file)
    credentials.write(ground.credentials_file, values)
    services.db.dispose()
    return values


# ---- the directory ---------------------------------------------------------------------------


def _migrate(ground: Ground) -> None:
    """``dinhdanh migrate --name "Tỉnh Thanh Hóa"``, in this process: another would read the whole
    product once more.
    """
    assert ground.settings  # the command reads the same file, which they have named
    with contextlib.redirect_stdout(io.StringIO()):
        ops.migrate_database.main(["--name", "Tỉnh Thanh Hóa"], standalone_mode=False)


def _sample(ground: Ground, people: int) -> None:
    """The reference data and as many invented people as wanted, in two folders for two loads."""
    reference = ground.sample / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    for name in REFERENCE_FILES:
        shutil.copyfile(SAMPLE / name, reference / name)
    subprocess.run(
        [
            sys.executable,
            str(SAMPLE / "generate.py"),
            "--people",
            str(people),
            "--out",
            str(ground.sample / "people"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _load(work: Work, folder: Path, progress: Progress) -> str:
    services = work.services
    report = load(
        Feed(
            services.db,
            services.door,
            work.actor,
            services.clock,
            lambda _file, done, total: progress.to(done, total),
            Report(),
        ),
        folder,
    )
    if report.errors:
        first = report.errors[0]
        raise CannotStart(f"{first.file}:{first.row}: {first.field}: {first.message}")
    added, known = (sum(part.values()) for part in (report.added, report.unchanged))
    return f"+{added:,}" + (f" ={known:,}" if known else "")


# ---- the listed people -----------------------------------------------------------------------


def _hasten(work: Work, players: list[cast.Player]) -> None:
    """The listed people's accounts first; everybody else's in the background."""
    with work.services.db.write() as session:
        keys = [
            f"{user_of(session, player.source_key).id}:{application.id}"
            for player in players
            for application in entitlements.applications(session)
        ]
        waiting = (Job.kind == JobKind.ACCOUNT_APPLY.value, Job.state == "ready")
        session.execute(update(Job).where(*waiting).values(priority=Priority.BULK))
        session.execute(
            update(Job).where(*waiting, Job.key.in_(keys)).values(priority=Priority.URGENT)
        )


def _users(work: Work, players: list[cast.Player], progress: Progress) -> list[dict[str, Any]]:
    """The listed people with their passwords: generated once, then kept."""
    services = work.services
    known = credentials.passwords(work.earlier)
    names = _unit_names(work.ground)
    listed = []
    for number, player in enumerate(players, start=1):
        with services.db.read() as session:
            user = user_of(session, player.source_key)
        password = known.get(user.username)
        if password is None:
            password = passwords.generate_password()
            phc = passwords.hashed(services.passwords, password)
            with services.db.write() as session:
                passwords.store(
                    session,
                    user.id,
                    phc,
                    must_change=False,
                    now=services.clock(),
                    actor=work.actor,
                )
        progress.to(number, len(players))
        entry = _shown(player, user, password, names)
        if player.reaches:
            entry["totp"] = second_factors.app_of(work, player)
        listed.append(entry)
    return listed


def _shown(player: cast.Player, user: User, password: str, names: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "username": user.username,
        "password": password,
        "roles": player.roles,
        "name": player.name,
        "unit": f"sample:{player.post.unit}",
        "position": player.post.position,
        "part": player.part,
    }
    over = next((r.unit or r.application for r in player.reaches if r.unit or r.application), None)
    if over:
        entry |= {"reach": over, "over": names.get(over, over)}
    if player.transfer_to:
        goal = player.transfer_to
        entry["transfer_to"] = {"unit": f"sample:{goal.unit}", "position": goal.position}
    return entry


def _unit_names(ground: Ground) -> dict[str, str]:
    with (ground.sample / "reference" / "units.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["short_name"] or row["name"] for row in csv.DictReader(file)}
