"""``dinhdanh eid``: an upstream is configuration, and its secrets are in no clear text anywhere."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from connectors.eid.upstreams import Upstream
from directory.base.audit import Actor
from directory.base.clock import system_clock
from directory.people import User
from idp.commands import eid
from idp.factors import enrolled, second_factors
from tests import eid_world, machine_time, upstream
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.upstream import CLIENT, SECRET, pem

BASE = ("--client-id", CLIENT, "--issuer", "https://dinhdanh.example")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> upstream.Upstream:
    """What is at the other end of the outward client."""
    made = upstream.Upstream(system_clock)
    opened = eid.opened

    def reaching(settings: Any) -> Any:
        from dataclasses import replace

        return replace(opened(settings), outbound=made)

    monkeypatch.setattr(eid, "opened", reaching)
    return made


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n", "utf-8")
    return str(file)


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key.pem"
    file.write_bytes(pem())
    return str(file)


@pytest.mark.both_databases
def test_an_upstream_is_added_listed_disabled_and_tested(
    operator: Operator,  # noqa: F811
    at: upstream.Upstream,
    secret: str,
    key: str,
    database: Any,
) -> None:
    added = operator(
        "eid", "add", "bo", *BASE, "--profile", "standard", "--secret-file", secret,
        "--acr", "loa:2=urn:vn:aal:2", "--title", "Bộ Nội vụ", language="vi",
    )  # fmt: skip
    assert added.code == 0, added.said
    assert "http://localhost:8000/login/back/eid-bo" in added.out
    assert "GIẢ ĐỊNH urn:vn:aal:1" in added.out
    assert at.calls == ["metadata", "keys"]
    sealed = operator(
        "eid", "add", "vneid", *BASE, "--profile", "vneid2026", "--secret-file", secret,
        "--key-file", key,     )  # fmt: skip
    assert sealed.code == 0, sealed.said
    assert "ASSUMED urn:vn:aal:2" in sealed.out
    assert operator("eid", "disable", "bo").code == 0
    listed = operator("eid", "list").out.splitlines()
    assert [line.split("\t")[:3] for line in listed] == [
        ["bo", "standard", "off"],
        ["vneid", "vneid2026", "on"],
    ]
    assert operator("eid", "enable", "bo").code == 0
    assert operator("eid", "test", "bo").code == 0
    assert operator("eid", "test", "vneid").code == 0
    with database.read() as session:
        stored = " ".join(str(row) for row in session.execute(text("SELECT * FROM eid_upstream")))
        assert SECRET not in stored
        assert "PRIVATE" not in stored
        row = session.query(Upstream).filter_by(name="bo").one()
        assert row.settings["leads_to"] == "https://dinhdanh.example/authorize"
        said = session.execute(text("SELECT data FROM audit_entry WHERE tag = 'eid.upstream'"))
        assert len(said.all()) == 4


WRONG = [
    (("add", "Bộ", *BASE, "--profile", "standard"), "chữ thường"),
    (("add", "bo", *BASE, "--profile", "vneid2026"), "cần khóa riêng"),
    (("add", "bo", *BASE, "--profile", "standard", "--acr", "x"), "TÊN=GIÁ TRỊ"),
    (("add", "bo", *BASE, "--profile", "standard", "--acr", "x=cao"), "urn:vn:aal:1"),
    (("add", "bo", *BASE, "--profile", "standard", "--algorithm", "none"), "RS256"),
    (("add", "bo", *BASE, "--profile", "standard", "--claim", "tuoi=age"), "claims.tuoi"),
    (("add", "bo", *BASE, "--profile", "standard", "--endpoint", "token=xa"), "http"),
    (("add", "bo", "--client-id", "x", "--issuer", "xa", "--profile", "standard"), "issuer"),
    (
        ("add", "bo", *BASE, "--profile", "standard", "--assume", "urn:vn:aal:3"),
        "assume is above ceiling",
    ),
    (("disable", "bo"), "Không có nơi xác thực bo"),
    (("test", "bo"), "Không có nơi xác thực bo"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=lambda v: " ".join(v)[:60])
def test_what_is_wrong_is_said(
    operator: Operator,  # noqa: F811
    at: upstream.Upstream,
    database: Any,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    done = operator("eid", *arguments, language="vi")
    assert done.code == 1
    assert said in done.err, done.said
    with database.read() as session:
        assert session.query(Upstream).count() == 0


def test_one_that_cannot_be_spoken_to_is_not_added(
    operator: Operator,  # noqa: F811
    at: upstream.Upstream,
    database: Any,
) -> None:
    at.down.add("metadata")
    done = operator(
        "eid", "add", "bo", *BASE, "--profile", "standard", "--title", "Bộ", language="vi"
    )
    assert done.code == 1
    assert "Bộ không trả lời" in done.err
    with database.read() as session:
        assert session.query(Upstream).count() == 0
    untested = operator("eid", "add", "bo", *BASE, "--profile", "standard", "--untested")
    assert untested.code == 0, untested.said
    again = operator(
        "eid", "add", "bo", *BASE, "--profile", "standard", "--untested", language="vi"
    )
    assert "Đã có nơi xác thực tên bo" in again.err


@pytest.mark.both_databases
def test_a_link_is_taken_away_and_what_rests_on_it_ends(
    operator: Operator,  # noqa: F811
    services: Any,
    clock: Any,
    app: Flask,
) -> None:
    """A subject that upstream has given her anew, which the old link would refuse for ever."""
    clock.set(machine_time.now())  # the command has no other
    world = eid_world.build(services, clock, app)
    browser = world.browser()
    world.link(browser)
    name = str(world.world.one(User, world.user_id).username)
    with services.db.write() as session:
        enrolled.enrol(
            session,
            world.user_id,
            kind="passkey",
            name="Máy",
            origin="một",
            now=clock(),
            actor=eid_world.OPERATOR,
        )
        lost = enrolled.enrol(
            session,
            world.user_id,
            kind="totp",
            name="Máy",
            origin="hai",
            now=clock(),
            actor=eid_world.OPERATOR,
        )
        whose, me = [world.user_id], Actor("user", world.user_id)
        enrolled.end(session, whose, why="lost", only=lost, now=clock(), actor=me)
    clock.advance(seconds=1)
    assert operator("eid", "unlink", name).code == 0
    with services.db.read() as session:
        assert enrolled.held(session, world.user_id) == []
        assert second_factors.of(session, world.user_id).may_begin()  # nor does the loss stand
    assert world.links() == []
    assert browser.get("/portal/profile").status_code == 303
    assert world.trail("eid.unlink")[-1].data["why"] == "operator"
    world.at.subject = "chủ-thể-2"
    world.link()
    assert operator("eid", "unlink", "khong-co-ai").code == 1
