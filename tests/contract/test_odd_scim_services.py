"""Every oddity of SCIM services seen in the wild, answered rightly through the connector.

Each row is one oddity; each is put through the same life of an account: made, found again without
doubling, updated, moved, disabled, proven disabled, and woken. What is right is read from the
service's own store, not from the connector.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.accounts.contract import Action, Operation, WantedAccount
from connectors.accounts.scim.connector import ScimConnector, ScimSettings
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Outbound
from directory.base.config import Settings
from tests.contract.connector_contract import but, disabled, wanted
from tests.odd_scim import ABSENT, BASE, ENTERPRISE, TOKEN, OddScim, decomposed, odd_scim

Connect = Callable[..., ScimConnector]


@pytest.fixture
def connect() -> Iterator[Connect]:
    made: list[Outbound] = []

    def make(service: OddScim, **others: Any) -> ScimConnector:
        outbound = Outbound(Settings(outbound_allow=[f"127.0.0.1:{service.port}"]))
        made.append(outbound)
        return ScimConnector(ScimSettings(url=service.url, **others), TOKEN, outbound)

    yield make
    for outbound in made:
        outbound.close()


def lower_mail(user: dict[str, Any]) -> dict[str, Any]:
    for mail in user.get("emails") or []:
        mail["value"] = mail["value"].lower()
    return user


def tel(user: dict[str, Any]) -> dict[str, Any]:
    for phone in user.get("phoneNumbers") or []:
        phone["value"] = "tel:" + phone["value"].replace(" ", "-")
    return user


ODDITIES: dict[str, dict[str, Any]] = {
    "ordinary": {},
    "active False as text": {"shows_active": lambda on: "True" if on else "False"},
    "active false as text": {"shows_active": lambda on: "true" if on else "false"},
    "active as number": {"shows_active": int},
    "active as a digit": {"shows_active": lambda on: str(int(on))},
    "active absent once off": {"shows_active": lambda on: True if on else ABSENT},
    "active null once off": {"shows_active": lambda on: True if on else None},
    "Resources null": {"resources": lambda found: found or None},
    "Resources absent": {"resources": lambda found: found or ABSENT},
    "totalResults as text": {"total": str},
    "totalResults as float": {"total": float},
    "totalResults absent": {"total": lambda count: ABSENT},
    "totalResults null": {"total": lambda count: None},
    "totalResults always 0": {"total": lambda count: 0},
    "no discovery: 403": {"discovery": 403},
    "no discovery: 404": {"discovery": 404},
    "no discovery: 501": {"discovery": 501},
    "no discovery: 302": {"discovery": 302},
    "no discovery: a page": {"discovery": 203},
    "404 for an empty search": {"empty": 404},
    "404 for an empty search, no discovery": {"empty": 404, "discovery": 404},
    "200 for a create": {"created": 200},
    "202 and nothing for a create": {"created": 202, "created_body": False},
    "204 for a create": {"created": 204, "created_body": False},
    "400 uniqueness": {"taken": (400, "uniqueness")},
    "409 without scimType": {"taken": (409, "")},
    "/Users redirects to /Users/": {"slash": True},
    "PUT only": {"patch": False},
    "PUT only, and silent about it": {"patch": False, "discovery": 404},
    "no filter on externalId": {"filters": "names"},
    "no filter at all": {"filters": "none"},
    "filters ignored": {"filters": "ignored"},
    "filters and pages ignored": {"filters": "ignored", "paging": False},
    "filters that find nobody": {"filters": "blind"},
    "e-mails lower-cased": {"stores": lower_mail},
    "phones as tel:": {"shows": tel},
    "text in NFD": {"shows": decomposed},
    "gzip": {"zipped": True},
    "ids with slashes": {"name": lambda number: f"people/{number}"},
    "ids with blanks": {"name": lambda number: f"người số {number}"},
    "ids with what URLs mind": {"name": lambda number: f"a?b#c%2F&d={number}"},
    "ids with dots only at first": {"name": lambda number: f"..{number}"},
    "ids that are numbers": {"name": lambda number: number},
}


def sure(connector: ScimConnector, state: WantedAccount, key: str) -> tuple[str, ...]:
    """What a fresh look does not show as wanted."""
    seen = connector.probe(key)
    assert seen is not None
    assert seen.key == key
    return connector.differences(state, seen)


@pytest.mark.parametrize("name", ODDITIES)
def test_the_life_of_an_account(name: str, connect: Connect) -> None:
    with odd_scim(**ODDITIES[name]) as service:
        service.add(userName="quan.tri", externalId="somebody-else")
        connector = connect(service)
        assert connector.test()
        state = replace(
            but(wanted(), email="Anh.NTN@ThanhHoa.example"), external_id="sub-1", username="anhntn"
        )

        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        (stored,) = service.mine("sub-1")
        assert str(stored["id"]) == key
        assert (stored["userName"], stored["active"]) == ("anhntn", True)
        assert stored["roles"][0]["value"] == "editor"
        assert sure(connector, state, key) == ()

        again = connect(service).apply(Operation(state))  # another process, key forgotten
        assert (again.remote_id, again.action) == (key, Action.UNCHANGED)
        assert len(service.mine("sub-1")) == 1

        moved = replace(but(state, department="Phòng Kinh tế", phone=None), role="viewer")
        assert connector.apply(Operation(moved, key)).action is Action.UPDATED
        assert stored is not service.mine("sub-1")[0] or stored["roles"]
        (stored,) = service.mine("sub-1")
        assert stored["roles"][0]["value"] == "viewer"
        assert stored[ENTERPRISE]["department"] == "Phòng Kinh tế"
        assert sure(connector, moved, key) == ()

        off = connector.apply(Operation(disabled(state), key))
        assert (off.remote_id, off.action) == (key, Action.DISABLED)
        assert service.mine("sub-1")[0]["active"] is False
        assert sure(connector, disabled(state), key) == ()
        # A process that has seen nothing yet reads it the same way.
        fresh = connect(service)
        assert fresh.apply(Operation(disabled(state), key)).action is Action.UNCHANGED
        assert sure(fresh, disabled(state), key) == ()
        forgetful = connect(service).apply(Operation(disabled(state)))
        assert (forgetful.remote_id, forgetful.action) == (key, Action.UNCHANGED)

        woken = connector.apply(Operation(moved, key))
        assert (woken.remote_id, woken.action) == (key, Action.ENABLED)
        assert service.mine("sub-1")[0]["active"] is True
        # The others were left alone.
        (other,) = service.mine("somebody-else")
        assert (other["userName"], other["active"]) == ("quan.tri", True)


@pytest.mark.parametrize("name", ODDITIES)
def test_nobody_is_made_for_a_cut_and_nobody_is_taken_over(name: str, connect: Connect) -> None:
    with odd_scim(**ODDITIES[name]) as service:
        service.add(userName="anhntn", externalId="somebody-else")
        connector = connect(service)
        absent = disabled(replace(wanted(), external_id="sub-2", username="hoa"))
        assert connector.apply(Operation(absent)).action is Action.ABSENT
        state = replace(wanted(), external_id="sub-1", username="ANHNTN")
        with pytest.raises((Rejected, Misconfigured)):
            connector.apply(Operation(state))
        assert len(service.accounts) == 1


@pytest.mark.parametrize("name", ODDITIES)
def test_a_lost_account_is_told_from_one_that_cannot_be_seen(name: str, connect: Connect) -> None:
    with odd_scim(**ODDITIES[name]) as service:
        service.add(userName="quan.tri", externalId="somebody-else")
        state = replace(wanted(), external_id="sub-1", username="anhntn")
        key = connect(service).apply(Operation(state)).remote_id
        assert key is not None
        account = service.accounts.pop(key)
        assert connect(service).apply(Operation(disabled(state), key)).action is Action.ABSENT
        # It comes back under another number, as from a backup: hers by our id.
        service.accounts["restored"] = account | {"id": "restored"}
        found = connect(service).apply(Operation(disabled(state), key))
        assert (found.action, found.remote_id) == (Action.DISABLED, "restored")
        assert service.accounts["restored"]["active"] is False


@pytest.mark.parametrize("name", [n for n in ODDITIES if "pages ignored" not in n])
def test_a_listing_shows_everybody_once(name: str, connect: Connect) -> None:
    with odd_scim(**ODDITIES[name]) as service:
        ids = [str(service.add(userName=f"u{n}", externalId=f"e{n}")["id"]) for n in range(7)]
        connector = connect(service, page_size=3)
        listed: list[str] = []
        cursor: str | None = None
        for _ in range(10):
            page = connector.fetch(cursor)
            listed += [account.key for account in page.accounts]
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(listed) == sorted(ids)


def test_a_person_of_one_name_where_a_family_name_is_required(connect: Connect) -> None:
    with odd_scim(needs_family_name=True) as service:
        connector = connect(service)
        state = but(
            replace(wanted(), external_id="sub-1"),
            display_name="Hiển",
            family_name=None,
            middle_name=None,
            given_name="Hiển",
        )
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        (stored,) = service.mine("sub-1")
        assert stored["name"]["givenName"] == "Hiển"
        assert stored["name"]["familyName"] == "Hiển"
        assert sure(connector, state, key) == ()
        assert connect(service).apply(Operation(state, key)).action is Action.UNCHANGED
        assert connector.apply(Operation(disabled(state), key)).action is Action.DISABLED


@pytest.mark.parametrize("patch", [True, False])
def test_a_family_name_is_not_made_up_where_none_is_required(connect: Connect, patch: bool) -> None:
    with odd_scim(patch=patch) as service:
        state = but(wanted(), family_name=None, middle_name=None)
        connect(service).apply(Operation(state))
        (stored,) = service.accounts.values()
        assert not stored["name"].get("familyName")


def test_a_redirect_to_another_host_is_not_followed(connect: Connect) -> None:
    with odd_scim() as other, odd_scim() as service:
        service.odd.redirects_to = f"http://127.0.0.1:{other.port}{BASE}/Users/"
        with pytest.raises(Misconfigured):
            connect(service).apply(Operation(wanted()))
        assert other.asked == []  # nobody was handed our token


@pytest.mark.parametrize("place", ["/login", "//elsewhere.example/scim/v2/Users/", "https:///", ""])
def test_a_redirect_out_of_the_service_is_for_the_owner_to_mend(
    connect: Connect, place: str
) -> None:
    with odd_scim() as service:
        service.odd.redirects_to = place or " "
        with pytest.raises(Misconfigured):
            connect(service).apply(Operation(wanted()))


def test_roles_that_never_arrive_are_named_and_never_right(connect: Connect) -> None:
    def drop(user: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in user.items() if k != "roles"}

    with odd_scim(stores=drop) as service:
        connector = connect(service)
        state = wanted()
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        assert sure(connector, state, key) == ("role",)
        # Where its owner says that it keeps no roles, they are neither sent nor missed.
        without = connect(service, roles=False)
        assert sure(without, state, key) == ()
        assert without.apply(Operation(state, key)).action is Action.UNCHANGED


def test_text_that_was_cut_is_written_again_and_told_apart(connect: Connect) -> None:
    def cut(user: dict[str, Any]) -> dict[str, Any]:
        return user | {"title": user["title"][:20]} if user.get("title") else user

    with odd_scim(stores=cut) as service:
        connector = connect(service)
        state = but(wanted(), title="Phó Trưởng phòng phụ trách Văn hóa - Xã hội")
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        assert sure(connector, state, key) == ("title",)


def test_an_address_that_answers_404_to_everything_is_wrong(connect: Connect) -> None:
    with odd_scim() as service:
        wrong = replace_url(service, "/scim/v2/Users/nowhere")
        connector = connect(wrong)
        for state in (wanted(), disabled(wanted())):
            with pytest.raises(Misconfigured):
                connector.apply(Operation(state))


def replace_url(service: OddScim, base: str) -> OddScim:
    class Elsewhere(OddScim):
        @property
        def url(self) -> str:
            return f"http://127.0.0.1:{service.port}{base}"

    return Elsewhere(port=service.port)


def test_a_service_that_refuses_everything_for_a_while_is_tried_again(connect: Connect) -> None:
    with odd_scim(empty=503) as service, pytest.raises(Transient):
        connect(service).apply(Operation(wanted()))
