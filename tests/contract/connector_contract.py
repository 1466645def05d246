"""What every connector must do, whatever it speaks: subclass, give fixtures, inherit the tests."""

import secrets
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from connectors.accounts.contract import (
    Action,
    Attribute,
    Connector,
    Operation,
    RemoteAccount,
    WantedAccount,
)
from connectors.errors import Misconfigured, Rejected, Transient

SPECIALIST = {
    Attribute.DISPLAY_NAME: "Nguyễn Thị Ngọc Ánh",
    Attribute.FAMILY_NAME: "Nguyễn",
    Attribute.MIDDLE_NAME: "Thị Ngọc",
    Attribute.GIVEN_NAME: "Ánh",
    Attribute.EMAIL: "anh.ntn@thanhhoa.example",
    Attribute.PHONE: "+84 912 345 678",
    Attribute.TITLE: "Chuyên viên",
    Attribute.DEPARTMENT: "Phòng Văn hóa - Xã hội",
    Attribute.ORGANIZATION: "Ủy ban nhân dân xã Hà Trung",
}
INJECTIONS = [
    "*)(uid=*",
    'a" or userName pr or "',
    "x,ou=quản trị",
    "cn=admin+uid=x",
    "a\\2c b",
    "#thăng",
    "a/b?c=d&e",
    "<b>&'\"",
]


def wanted(**changes: object) -> WantedAccount:
    """An account nobody has had yet: a specialist with every attribute."""
    token = secrets.token_hex(6)
    values: dict[str, object] = {
        "external_id": f"sub_{token}-Z",
        "username": f"anhntn{token}",
        "active": True,
        "attributes": SPECIALIST,
        "role": "editor",
    }
    return WantedAccount(**(values | changes))  # type: ignore[arg-type]


def but(state: WantedAccount, **attributes: str | None) -> WantedAccount:
    """The same account saying something else; None takes an attribute away."""
    said = dict(state.attributes or {})
    for name, value in attributes.items():
        attribute = Attribute[name.upper()]
        said.pop(attribute, None)
        if value is not None:
            said[attribute] = value
    return WantedAccount(state.external_id, state.username, state.active, said, state.role)


def disabled(state: WantedAccount) -> WantedAccount:
    """The same person's account when nothing entitles her any more."""
    return WantedAccount(state.external_id, state.username, active=False)


class ConnectorContract:
    """Inherit this. Fixtures to give: ``connector``, ``wrong_secret``, ``away``, ``silent``."""

    @pytest.fixture
    def connector(self) -> Iterator[Connector]:
        """The connector, against a real target."""
        raise NotImplementedError

    @pytest.fixture
    def wrong_secret(self) -> Iterator[Connector]:
        """The same target, with a secret it does not accept."""
        raise NotImplementedError

    @pytest.fixture
    def away(self) -> Iterator[Connector]:
        """A target where nothing listens."""
        raise NotImplementedError

    @pytest.fixture
    def silent(self) -> Iterator[Connector]:
        """A target that takes connections and never answers, with a time limit of one second."""
        raise NotImplementedError

    @pytest.fixture
    def make(self, connector: Connector) -> Callable[[WantedAccount], str]:
        """Apply a state to an account that is looked up by its externalId; its key."""

        def apply(state: WantedAccount) -> str:
            outcome = connector.apply(Operation(state))
            assert outcome.remote_id is not None
            return outcome.remote_id

        return apply

    def shown(self, connector: Connector, key: str) -> RemoteAccount:
        """What a fresh look at the target shows."""
        seen = connector.probe(key)
        assert seen is not None
        return seen

    def test_a_working_connection_says_so(self, connector: Connector) -> None:
        assert connector.test()

    def test_a_created_account_shows_all_that_was_wanted(self, connector: Connector) -> None:
        state = wanted()
        outcome = connector.apply(Operation(state))
        assert outcome.action is Action.CREATED
        assert outcome.remote_id is not None
        seen = self.shown(connector, outcome.remote_id)
        assert connector.differences(state, seen) == ()
        assert (seen.external_id, seen.username) == (state.external_id, state.username)
        assert (seen.active, seen.role) == (True, "editor")
        assert seen.attributes[Attribute.DEPARTMENT] == SPECIALIST[Attribute.DEPARTMENT]

    def test_creating_twice_makes_one_account(self, connector: Connector) -> None:
        state = wanted()
        first = connector.apply(Operation(state))
        second = connector.apply(Operation(state))
        assert second.action is Action.UNCHANGED
        assert second.remote_id == first.remote_id
        assert [a.key for a in self.listed(connector) if a.external_id == state.external_id] == [
            first.remote_id
        ]

    def test_an_update_changes_what_differs_and_keeps_the_key(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        changed = but(state, title="Phó Chủ tịch", phone="0373 111 222")
        outcome = connector.apply(Operation(changed, key))
        assert (outcome.action, outcome.remote_id) == (Action.UPDATED, key)
        assert connector.differences(changed, self.shown(connector, key)) == ()
        assert connector.differences(state, self.shown(connector, key)) != ()

    def test_an_attribute_that_is_gone_is_taken_away(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        less = but(state, phone=None, email=None)
        connector.apply(Operation(less, key))
        seen = self.shown(connector, key)
        assert Attribute.PHONE not in seen.attributes
        assert Attribute.EMAIL not in seen.attributes
        assert connector.differences(less, seen) == ()

    def test_a_move_follows_the_unit_and_the_role(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        there = but(state, department="Phòng Kinh tế", organization="UBND xã Nga Sơn")
        moved = replace(there, role="viewer")
        outcome = connector.apply(Operation(moved, key))
        assert outcome.remote_id == key
        seen = self.shown(connector, key)
        assert connector.differences(moved, seen) == ()
        assert seen.attributes[Attribute.DEPARTMENT] == "Phòng Kinh tế"
        assert seen.role == "viewer"

    def test_disabling_keeps_the_account_and_what_it_says(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        outcome = connector.apply(Operation(disabled(state), key))
        assert (outcome.action, outcome.remote_id) == (Action.DISABLED, key)
        seen = self.shown(connector, key)
        assert not seen.active
        assert seen.attributes[Attribute.DISPLAY_NAME] == "Nguyễn Thị Ngọc Ánh"
        assert connector.apply(Operation(disabled(state), key)).action is Action.UNCHANGED

    def test_enabling_wakes_the_same_account(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        connector.apply(Operation(disabled(state), key))
        woken = but(state, department="Phòng Tư pháp")
        outcome = connector.apply(Operation(woken, key))
        assert (outcome.action, outcome.remote_id) == (Action.ENABLED, key)
        assert connector.differences(woken, self.shown(connector, key)) == ()

    def test_disabling_what_does_not_exist_creates_nothing(self, connector: Connector) -> None:
        state = disabled(wanted())
        outcome = connector.apply(Operation(state))
        assert (outcome.action, outcome.remote_id) == (Action.ABSENT, None)
        assert connector.find(state.external_id, state.username) is None

    def test_a_lost_answer_is_made_good_by_the_external_id(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        outcome = connector.apply(Operation(disabled(state)))  # nobody noted the key
        assert (outcome.action, outcome.remote_id) == (Action.DISABLED, key)

    def test_a_key_that_points_to_somebody_else_is_not_believed(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        other, state = wanted(), wanted()
        others_key = make(other)
        outcome = connector.apply(Operation(state, others_key))
        assert outcome.action is Action.CREATED
        assert outcome.remote_id != others_key
        assert connector.differences(other, self.shown(connector, others_key)) == ()

    def test_a_key_that_is_gone_leads_to_a_new_account(self, connector: Connector) -> None:
        gone = "00000000-0000-0000-0000-000000000000"
        assert connector.get(gone) is None
        assert connector.probe(gone) is None
        assert connector.apply(Operation(wanted(), gone)).action is Action.CREATED

    def test_it_finds_by_external_id_and_by_name(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        state = wanted()
        key = make(state)
        for external_id, username in (
            (state.external_id, "khong-co-ai"),
            ("khong-co-ai", state.username),
        ):
            found = connector.find(external_id, username)
            assert found is not None
            assert found.key == key
        assert connector.find("khong-co-ai", "khong-co-ai") is None

    def test_a_username_that_belongs_to_somebody_else_is_not_taken_over(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        other = wanted()
        key = make(other)
        with pytest.raises(Rejected) as refused:
            connector.apply(Operation(wanted(username=other.username)))
        assert other.username in refused.value.reason
        assert connector.differences(other, self.shown(connector, key)) == ()

    def test_vietnamese_comes_back_as_it_went_in(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        name = unicodedata.normalize("NFC", "Đặng Thị Tuyết Hường ẮẰẲẴẶ ỐỒỔỖỘ ỨỪỬỮỰ ỳỷỹỵ")
        state = but(wanted(), display_name=name, department="Đội Quản lý trật tự đô thị")
        seen = self.shown(connector, make(state))
        assert seen.attributes[Attribute.DISPLAY_NAME] == name
        assert connector.differences(state, seen) == ()

    @pytest.mark.parametrize("evil", INJECTIONS)
    def test_what_a_name_contains_stays_text(self, connector: Connector, evil: str) -> None:
        token = secrets.token_hex(4)
        state = but(
            wanted(username=f"{token}{evil}", external_id=f"{token}{evil}"),
            display_name=evil,
            department=evil,
            title=evil,
        )
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        assert connector.differences(state, self.shown(connector, key)) == ()
        assert connector.apply(Operation(state)).action is Action.UNCHANGED
        assert connector.apply(Operation(but(state, department="Phòng Nội vụ"))).remote_id == key
        found = connector.find(f"{token}{evil}", "khong-co-ai")
        assert found is not None
        assert found.username == f"{token}{evil}"

    def test_a_listing_shows_every_account_once(
        self, connector: Connector, make: Callable[[WantedAccount], str]
    ) -> None:
        keys = {make(wanted()) for _ in range(7)}
        listed = [account.key for account in self.listed(connector)]
        assert keys <= set(listed)
        assert len(listed) == len(set(listed))

    def listed(self, connector: Connector) -> Iterator[RemoteAccount]:
        """Every account, page by page."""
        cursor: str | None = None
        while True:
            page = connector.fetch(cursor)
            yield from page.accounts
            cursor = page.cursor
            if cursor is None:
                return

    def test_a_refused_secret_is_for_the_owner_to_mend(self, wrong_secret: Connector) -> None:
        for call in (wrong_secret.test, lambda: wrong_secret.apply(Operation(wanted()))):
            with pytest.raises(Misconfigured):
                call()

    def test_a_target_that_is_away_is_tried_again_later(self, away: Connector) -> None:
        with pytest.raises(Transient):
            away.apply(Operation(wanted()))

    @pytest.mark.timeout(60)
    def test_a_target_that_does_not_answer_is_given_up_in_time(self, silent: Connector) -> None:
        with pytest.raises(Transient):
            silent.apply(Operation(wanted()))

    def test_a_failed_call_does_not_spoil_the_next(self, connector: Connector) -> None:
        other = wanted()
        connector.apply(Operation(other))
        with pytest.raises(Rejected):
            connector.apply(Operation(wanted(username=other.username)))
        assert connector.apply(Operation(wanted())).action is Action.CREATED
