"""Nothing is "verified" that a thief could still use: targets that lie or were edited by hand."""

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import ldap3
import pytest
from sqlalchemy import text
from werkzeug.wrappers import Request, Response

from tests import hr_world
from tests.odd_scim import ABSENT, ENTERPRISE, TOKEN, OddScim, odd_scim
from tests.scim_fixture import serving
from tests.slapd_fixture import PASSWORD, Authority, PrivateSlapd, authority, slapd  # noqa: F401
from tests.targets import Stage, done, entry, ldap_liar, on_stage

Open = Callable[..., AbstractContextManager[tuple[Stage, OddScim]]]


@pytest.fixture
def at_scim(make_settings: Callable[..., Any], clock: Any) -> Open:
    """An installation whose application is an odd SCIM service."""

    @contextmanager
    def opened(**oddities: Any) -> Iterator[tuple[Stage, OddScim]]:
        with (
            odd_scim(**oddities) as service,
            on_stage(
                make_settings,
                clock,
                "scim",
                {"url": service.url},
                TOKEN,
                port=service.port,
            ) as stage,
        ):
            yield stage, service

    return opened


@pytest.fixture
def at_ldap(
    make_settings: Callable[..., Any],
    clock: Any,
    slapd: PrivateSlapd,  # noqa: F811
    authority: Authority,  # noqa: F811
) -> Callable[..., AbstractContextManager[Stage]]:
    """An installation whose application is a real OpenLDAP server, in a place of its own."""

    def opened(**others: Any) -> AbstractContextManager[Stage]:
        root = f"ou=stage-{secrets.token_hex(4)},{slapd.suffix}"
        slapd.ldapadd(f"dn: {root}\nobjectClass: organizationalUnit\n")
        settings = {
            "host": "localhost",
            "port": slapd.ldaps_port,
            "ca_file": str(authority.file),
            "bind_dn": slapd.root_dn,
            "base": root,
            "container": "ou=people",
        }
        return on_stage(
            make_settings,
            clock,
            "ldap",
            settings | others,
            PASSWORD,
            port=slapd.ldaps_port,
            host="localhost",
        )

    return opened


class ByHand:
    """Somebody who edits the directory server behind our back."""

    def __init__(self, server: PrivateSlapd) -> None:
        self.server = server
        self.ldap = ldap3.Connection(
            ldap3.Server("127.0.0.1", port=server.port, get_info=ldap3.NONE),
            server.root_dn,
            PASSWORD,
            auto_bind=True,
            raise_exceptions=True,
        )

    def name(self, uid: str) -> str:
        """Where her entry is, wherever that may be."""
        self.ldap.search(self.server.suffix, f"(uid={uid})", attributes=["1.1"])
        (found,) = [r["dn"] for r in self.ldap.response if r["type"] == "searchResEntry"]
        return str(found)

    def set_password(self, uid: str) -> None:
        """She asked the help desk."""
        self.ldap.modify(self.name(uid), {"userPassword": [(ldap3.MODIFY_REPLACE, ["matkhau"])]})

    def mark(self, uid: str) -> None:
        """Only the marker."""
        self.ldap.modify(self.name(uid), {"shadowExpire": [(ldap3.MODIFY_REPLACE, ["1"])]})

    def marked(self, uid: str) -> bool:
        """Whether who reads the marker refuses her."""
        self.ldap.search(self.server.suffix, f"(uid={uid})", attributes=["shadowExpire"])
        (found,) = [r for r in self.ldap.response if r["type"] == "searchResEntry"]
        return bool(found["raw_attributes"].get("shadowExpire"))

    def move(self, uid: str, place: str) -> None:
        """Tidy up."""
        rdn = self.name(uid).split(",")[0]
        self.ldap.modify_dn(self.name(uid), rdn, new_superior=place)

    def binds(self, uid: str) -> bool:
        """What a thief tries."""
        other = ldap3.Connection(
            ldap3.Server("127.0.0.1", port=self.server.port, get_info=ldap3.NONE),
            self.name(uid),
            "matkhau",
        )
        try:
            return bool(other.bind())
        finally:
            other.unbind()


@pytest.fixture
def by_hand(slapd: PrivateSlapd) -> Iterator[ByHand]:  # noqa: F811
    hand = ByHand(slapd)
    yield hand
    hand.ldap.unbind()


class TestLdap:
    def test_a_password_beside_the_marker_is_taken_away_before_anything_is_proven(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        """The entry bears the marker of the disabled, and binds all the same."""
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            by_hand.set_password(uid)
            by_hand.mark(uid)
            assert by_hand.binds(uid)
            change = stage.suspend()
            stage.work(2)
            assert stage.state_of(change) == "verified"
            assert not by_hand.binds(uid)

    def test_a_password_set_again_after_the_cut_is_taken_away_by_the_next_job(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            stage.suspend()
            stage.work()
            by_hand.set_password(uid)
            assert by_hand.binds(uid)
            stage.job()
            stage.work(2)
            assert not by_hand.binds(uid)

    def test_a_password_set_between_the_write_and_the_look_is_not_proven(
        self, at_ldap: Any, by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from connectors.accounts import apply

        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            change = stage.suspend()

            def after(point: str) -> None:
                if point == "account.after_remote":
                    by_hand.set_password(uid)

            monkeypatch.setattr(apply, "failpoint", after)
            stage.work()
            assert stage.state_of(change) != "verified"
            monkeypatch.undo()
            stage.work(2)
            assert stage.state_of(change) == "verified"
            assert not by_hand.binds(uid)

    def test_an_entry_moved_out_of_sight_is_found_and_disabled(
        self,
        at_ldap: Any,
        by_hand: ByHand,
        slapd: PrivateSlapd,  # noqa: F811
    ) -> None:
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            by_hand.set_password(uid)
            by_hand.move(uid, slapd.suffix)
            change = stage.suspend()
            stage.work(2)
            assert not by_hand.binds(uid)
            assert stage.state_of(change) == "verified"

    def test_an_entry_moved_among_the_disabled_by_hand_is_disabled(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        with at_ldap(disabled_container="ou=nghi") as stage:
            stage.make()
            stage.make(stage.province.users[1])
            stage.suspend(stage.province.users[1])
            stage.work()
            uid = stage.person_row()["username"]
            by_hand.set_password(uid)
            other = by_hand.name(stage.person_row(stage.province.users[1])["username"])
            by_hand.move(uid, other.partition(",")[2])
            assert by_hand.binds(uid)
            change = stage.suspend()
            stage.work(2)
            assert stage.state_of(change) == "verified"
            assert not by_hand.binds(uid)

    def test_an_entry_that_was_deleted_is_gone_and_not_verified(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        with at_ldap() as stage:
            stage.make()
            by_hand.ldap.delete(by_hand.name(stage.person_row()["username"]))
            change = stage.suspend()
            stage.work()
            assert stage.state_of(change) == "gone"
            (found,) = stage.sql("SELECT state FROM change WHERE id = :id", id=change.id)
            assert found["state"] == "settled"

    def test_an_entry_written_under_a_new_number_is_the_same_account(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        """Restored from LDIF: another entryUUID, our external id, and the password is back."""
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            name = by_hand.name(uid)
            by_hand.ldap.search(name, "(objectClass=*)", ldap3.BASE, attributes=["*"])
            values = dict(by_hand.ldap.response[0]["raw_attributes"])
            by_hand.ldap.delete(name)
            by_hand.ldap.add(name, attributes=values | {"userPassword": "matkhau"})
            assert by_hand.binds(uid)
            change = stage.suspend()
            stage.work(2)
            assert stage.state_of(change) == "verified"
            assert not by_hand.binds(uid)

    def test_a_woken_account_bears_no_marker_whatever_was_done_by_hand(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            stage.suspend()
            stage.work()
            by_hand.set_password(uid)  # marked, and yet with a password
            change = stage.province.do(kind="resume", user=stage.person)
            stage.work()
            assert stage.state_of(change) == "verified"
            assert not by_hand.marked(uid)
            assert by_hand.binds(uid)

    def test_an_entry_handed_to_somebody_else_is_for_a_person_to_settle(
        self, at_ldap: Any, by_hand: ByHand
    ) -> None:
        with at_ldap() as stage:
            stage.make()
            uid = stage.person_row()["username"]
            by_hand.set_password(uid)
            by_hand.mark(uid)
            name = by_hand.name(uid)
            other = {"employeeNumber": [(ldap3.MODIFY_REPLACE, ["another"])]}
            by_hand.ldap.modify(name, other)
            change = stage.suspend()
            stage.work(2)
            assert stage.state_of(change) == "parked"
            assert by_hand.binds(uid)  # nobody wrote to what is not hers


class TestLyingLdap:
    """A server that shows the marker of the disabled, and does not mean it."""

    @pytest.mark.parametrize(
        ("modify", "bind", "proven"),
        [(16, 49, True), (16, 0, False), (0, 49, False), (50, 49, False)],
        ids=["honest", "any password", "a password again and again", "not ours to change"],
    )
    def test_only_a_refused_bind_and_no_password_are_proof(
        self, make_settings: Any, clock: Any, modify: int, bind: int, proven: bool
    ) -> None:
        her: dict[str, str] = {}
        ours: list[Any] = []

        def search(connection: Any, message: int) -> None:
            connection.sendall(entry(message, "uid=u,dc=x", **her) + done(message, 0x65))

        def on_bind(connection: Any, message: int) -> None:
            thief = connection in ours  # we bind first, on every connection
            ours.append(connection)
            connection.sendall(done(message, 0x61, bind if thief else 0))

        with (
            ldap_liar(search, bind=on_bind, others=modify) as liar,
            on_stage(
                make_settings,
                clock,
                "ldap",
                {
                    "host": "127.0.0.1",
                    "port": liar.port,
                    "security": "plain",
                    "bind_dn": "cn=admin",
                    "base": "dc=x",
                },
                "secret",
                port=liar.port,
            ) as stage,
        ):
            person = stage.person_row()
            her |= {
                "entryUUID": "b5b1e0c4-0000-103f-8000-000000000001",
                "uid": person["username"],
                "employeeNumber": person["sub"],
                "shadowExpire": "1",
            }
            change = stage.suspend()
            stage.work(13)
            assert stage.state_of(change) == ("verified" if proven else "parked"), stage.jobs(
                "parked"
            )


class TestScim:
    @pytest.mark.parametrize("said", ["False", "false", 0, "0", False])
    def test_switched_off_in_any_spelling_is_off(self, at_scim: Open, said: Any) -> None:
        with at_scim(shows_active=lambda on: True if on else said) as (stage, service):
            stage.make()
            change = stage.suspend()
            stage.work()
            assert stage.state_of(change) == "verified"
            (stored,) = service.accounts.values()
            assert stored["active"] is False
            assert stage.link()["state"] == "disabled"

    def test_somebody_elses_inactive_account_is_no_proof(self, at_scim: Open) -> None:
        with at_scim() as (stage, service):
            stage.make()
            (key,) = service.accounts
            mine = service.accounts[key]
            change = stage.suspend()
            # The service answers by this id with another person's account from now on.
            service.accounts[key] = mine | {
                "active": False,
                "externalId": "another",
                "userName": "another",
            }
            service.accounts["moved"] = mine | {"id": "moved"}
            stage.work(2)
            assert service.accounts["moved"]["active"] is False
            assert stage.state_of(change) == "verified"

    @pytest.mark.parametrize("theirs", [{"externalId": "another"}, {}])
    def test_a_number_given_to_somebody_else_is_for_a_person_to_settle(
        self, at_scim: Open, theirs: dict[str, str]
    ) -> None:
        with at_scim() as (stage, service):
            stage.make()
            other = {"id": "id-1", "userName": "another", "active": False} | theirs
            service.accounts["id-1"] = other
            change = stage.suspend()
            stage.work(20)
            assert stage.state_of(change) == "parked"
            assert service.accounts["id-1"] == other  # and nobody wrote to it

    def test_a_service_that_shows_somebody_else_after_the_write_is_not_believed(
        self, at_scim: Open
    ) -> None:
        switched = False

        def shows(user: dict[str, Any]) -> dict[str, Any]:
            other = {"externalId": "another", "userName": "another"}
            return user | other if switched and not user["active"] else user

        with at_scim(shows=shows) as (stage, _):
            stage.make()
            switched = True
            change = stage.suspend()
            stage.work(20)
            assert stage.state_of(change) == "parked"

    def test_a_service_that_calls_everybody_inactive_is_not_believed(self, at_scim: Open) -> None:
        lying = False
        with at_scim(shows_active=lambda on: on and not lying) as (stage, service):
            stage.make()
            stage.make(stage.province.users[1])
            lying = True
            change = stage.suspend()
            stage.work(20)
            assert service.accounts["id-1"]["active"] is True
            assert stage.state_of(change) == "parked"

    def test_an_account_found_inactive_is_believed_beside_an_active_one(
        self, at_scim: Open
    ) -> None:
        with at_scim() as (stage, service):
            stage.make()
            stage.make(stage.province.users[1])
            service.accounts["id-1"]["active"] = False  # by the application's own administrator
            change = stage.suspend()
            stage.work()
            assert stage.state_of(change) == "verified"
            # It says that there was a control, not whose account that was.
            assert stage.evidence(change)["control"] == "other"

    def test_a_service_that_never_shows_active_proves_nothing(self, at_scim: Open) -> None:
        with at_scim(shows_active=lambda on: ABSENT) as (stage, _):
            stage.make()
            change = stage.suspend()
            stage.work(20)
            assert stage.state_of(change) == "parked"

    @pytest.mark.both_databases
    def test_an_account_the_service_lost_is_gone_for_a_cut(self, at_scim: Open) -> None:
        with at_scim() as (stage, service):
            stage.make()
            stage.make(stage.province.users[1])
            del service.accounts["id-1"]
            change = stage.suspend()
            stage.work()
            assert stage.state_of(change) == "gone"
            (found,) = stage.sql("SELECT state FROM change WHERE id = :id", id=change.id)
            assert found["state"] == "settled"
            assert stage.link()["state"] == "gone"

    def test_an_account_the_service_lost_is_made_again_for_a_create(self, at_scim: Open) -> None:
        with at_scim() as (stage, service):
            stage.make()
            service.accounts.clear()
            change = stage.arrive(stage.person)
            stage.work()
            assert stage.state_of(change) == "verified"
            assert len(service.accounts) == 1

    def test_an_address_that_knows_nobody_is_no_proof_that_she_is_gone(self, at_scim: Open) -> None:
        """Somebody mistyped the base URL: every question is answered 404."""
        with at_scim() as (stage, _):
            stage.make()
            with stage.services.db.write() as session:
                session.execute(
                    text("UPDATE application SET connector_settings = :s"),
                    {"s": json.dumps({"url": _elsewhere(stage)})},
                )
            change = stage.suspend()
            stage.work(20)
            assert stage.state_of(change) == "parked"

    def test_gone_is_shown_apart_and_on_the_proof_page(self, at_scim: Open) -> None:
        from idp.run.app import create_app

        with at_scim() as (stage, service):
            stage.make()
            service.accounts.clear()
            change = stage.suspend()
            stage.work()
            described = create_app(stage.services).test_client().get("/api/openapi.json").json
            assert "gone" in json.dumps(described)
            assert stage.state_of(change) == "gone"


class TestSaid:
    """What is not as it was sent is said, and what never arrives is no proof."""

    def test_roles_that_never_arrive_park_with_their_name(self, at_scim: Open) -> None:
        def drop(user: dict[str, Any]) -> dict[str, Any]:
            return {k: v for k, v in user.items() if k != "roles"}

        with at_scim(stores=drop) as (stage, _):
            change = stage.arrive()
            stage.work(20)
            (effect,) = stage.account_effects(change)
            assert effect["state"] == "parked"
            assert "role" in effect["reason"]
            (job,) = stage.jobs("parked")
            assert job["attempts"] == 5  # not for an hour

    def test_text_that_was_cut_is_proven_and_told(self, at_scim: Open) -> None:
        def cut(user: dict[str, Any]) -> dict[str, Any]:
            part = user.get(ENTERPRISE)
            if part and part.get("organization"):
                user[ENTERPRISE] = part | {"organization": part["organization"][:20]}
            return user

        with at_scim(stores=cut) as (stage, _):
            change = stage.arrive()
            stage.work()
            assert stage.state_of(change) == "verified"
            assert stage.evidence(change)["cut"] == ["organization"]

    @pytest.mark.parametrize("mail", ["a@b.local", "ctv@thanhhoa", "a..b@x.vn"])
    def test_an_address_that_no_service_takes_is_not_dropped_silently(
        self, at_scim: Open, mail: str
    ) -> None:
        with at_scim() as (stage, service):
            with stage.services.db.write() as session:
                session.execute(text("UPDATE users SET email = :m"), {"m": mail})
            change = stage.arrive()
            stage.work()
            assert stage.state_of(change) == "verified"
            assert stage.evidence(change)["unsent"] == ["email"]
            (stored,) = service.accounts.values()
            assert not stored.get("emails")

    def test_an_address_of_two_people_is_given_to_neither(self, at_scim: Open) -> None:
        with at_scim() as (stage, service):
            with stage.services.db.write() as session:
                session.execute(text("UPDATE users SET email = 'van.thu@thanhhoa.gov.vn'"))
            change = stage.arrive()
            stage.work()
            assert stage.evidence(change)["unsent"] == ["email"]
            (stored,) = service.accounts.values()
            assert not stored.get("emails")


def _elsewhere(stage: Stage) -> str:
    (row,) = stage.sql("SELECT connector_settings AS s FROM application")
    said = row["s"] if isinstance(row["s"], dict) else json.loads(row["s"])
    return str(said["url"]).replace("/scim/v2", "/scim/v2/Users/nowhere")


@contextmanager
def strange_issuer(answers: Callable[[Request], Response]) -> Iterator[int]:
    with serving(Request.application(answers)) as port:
        yield port


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, "<html>proxy: sign in"), (401, '{"active": false}'), (401, "{}")],
)
@pytest.mark.parametrize("kind", ["session", "grant"])
def test_any_401_does_not_prove_an_end(
    make_settings: Any, clock: Any, status: int, body: str, kind: str
) -> None:
    """A proxy in front wants a password of its own, or drops our cookie."""
    from connectors.errors import ConnectorError
    from directory.base.outbox import Claim, JobKind
    from idp.oidc import jobs
    from idp.run import wiring

    with strange_issuer(lambda request: Response(body, status)) as port:
        services = wiring.build(
            make_settings(issuer=f"http://localhost:{port}", outbound_allow=[f"localhost:{port}"]),
            clock=clock,
        )
        claim = Claim(1, JobKind.ACCESS_PROBE, f"{kind}:none", {}, 1, clock())
        with pytest.raises(ConnectorError):
            jobs.probe_access(services, claim)
        services.outbound.close()
        services.db.dispose()


def test_a_service_that_calls_every_token_inactive_does_not_prove_an_end(
    make_settings: Any, clock: Any
) -> None:
    """The probe must see its own good token called active before it believes "inactive"."""
    from connectors.errors import ConnectorError
    from directory.base.outbox import Claim, JobKind
    from idp.oidc import jobs
    from idp.run import wiring

    asked = threading.Event()

    def says_no(request: Request) -> Response:
        asked.set()
        return Response('{"active": false}', 200, content_type="application/json")

    with strange_issuer(says_no) as port:
        services = wiring.build(
            make_settings(issuer=f"http://localhost:{port}", outbound_allow=[f"localhost:{port}"]),
            clock=clock,
        )
        claim = Claim(1, JobKind.ACCESS_PROBE, "grant:none", {}, 1, clock())
        with pytest.raises(ConnectorError):
            jobs.probe_access(services, claim)
        assert asked.is_set()
        services.outbound.close()
        services.db.dispose()


class TestShown:
    """What people see of it."""

    @pytest.fixture
    def hr(self, services: Any, clock: Any, app: Any) -> hr_world.Hr:
        return hr_world.build(services, clock, app)

    @pytest.mark.both_databases
    def test_gone_is_final_and_called_by_its_own_name(self, hr: hr_world.Hr) -> None:
        hr.browser("lan")
        api = hr.api(hr.token())
        change = api.commit(kind="suspend", user=hr.names["lan"]).json["id"]
        with hr.services.db.write() as session:
            session.execute(
                text("UPDATE effect SET state = 'gone', detail = :d WHERE change_id = :c"),
                {"c": change, "d": json.dumps({"probed_at": hr.clock().isoformat()})},
            )
        effects = api.get(f"/api/v1/changes/{change}").json["effects"]
        assert effects
        for effect in effects:
            assert (effect["state"], effect["done"]) == ("gone", True)
            assert effect["verified_at"] is None
        page = hr.browser("officer").get(f"/console/changes/{change}").text
        assert "Không còn ở hệ thống đích" in page
        assert 'data-state="verified"' not in page

    @pytest.mark.parametrize(
        ("mail", "warned"), [("a@b.local", True), ("a@thanhhoa.gov.vn", False), (None, False)]
    )
    def test_a_persons_page_warns_of_an_address_that_no_application_takes(
        self, hr: hr_world.Hr, mail: str | None, warned: bool
    ) -> None:
        lan = hr.user("lan").id
        with hr.services.db.write() as session:
            session.execute(
                text("UPDATE users SET email = :m WHERE id = :i"), {"m": mail, "i": lan}
            )
        page = hr.browser("officer").get(f"/console/people/{lan}").text
        assert ('data-unsent="email"' in page) is warned
