"""What an account should say, and how SCIM and LDAP say it."""

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import EnterpriseUser

from connectors.accounts import mapping
from connectors.accounts.contract import Attribute, RemoteAccount, WantedAccount
from connectors.accounts.scim import mapping as scim_mapping
from directory.assignments import Held
from directory.entitlements import Desired
from directory.units import UnitView
from tests.factories import LONG_AGO

UNIT = UnitView(
    7, "Phòng Kinh tế", "P. KT", "room", "government", "internal", legal_person=False, path="/1/7/"
)
HELD = Held(11, 3, "primary", LONG_AGO, None, UNIT, 2, "TP", "Trưởng phòng", 10, leadership=True)
DESIRED = Desired(5, "signer", 11, 1, HELD)


class Person:
    """As much of a person as an account says."""

    sub = "sub-1"
    username = "hiennv"
    full_name = "Nguyễn Văn Hiển"
    family_name = "Nguyễn"
    middle_name = "Văn"
    given_name = "Hiển"
    email: str | None = "hiennv@thanhhoa.example"
    phone: str | None = "0912345678"
    citizen_masked = "038*****1234"
    citizen_hash = "f00d"


class Mononym(Person):
    full_name = given_name = "Hiển"
    family_name = middle_name = ""
    email = phone = None


def remote(wanted: WantedAccount, **changes: Any) -> RemoteAccount:
    shown = RemoteAccount(
        "1",
        wanted.external_id,
        wanted.username,
        wanted.active,
        wanted.attributes or {},
        wanted.role,
    )
    return replace(shown, **changes)


def test_an_account_says_the_unit_the_legal_person_and_the_title() -> None:
    wanted = mapping.wanted_account(Person(), DESIRED, organization="UBND xã Hà Trung")
    assert (wanted.external_id, wanted.username, wanted.active) == ("sub-1", "hiennv", True)
    assert wanted.role == "signer"
    assert wanted.attributes == {
        Attribute.DISPLAY_NAME: "Nguyễn Văn Hiển",
        Attribute.FAMILY_NAME: "Nguyễn",
        Attribute.MIDDLE_NAME: "Văn",
        Attribute.GIVEN_NAME: "Hiển",
        Attribute.EMAIL: "hiennv@thanhhoa.example",
        Attribute.PHONE: "0912345678",
        Attribute.TITLE: "Trưởng phòng",
        Attribute.DEPARTMENT: "Phòng Kinh tế",
        Attribute.ORGANIZATION: "UBND xã Hà Trung",
    }


def test_nothing_of_the_citizen_number_leaves() -> None:
    wanted = mapping.wanted_account(Person(), DESIRED, organization="x")
    said = scim_mapping.to_scim(wanted).model_dump_json()
    assert "038" not in said
    assert "f00d" not in said
    assert "employeeNumber" not in said


def test_without_entitlement_the_account_is_only_to_be_inactive() -> None:
    wanted = mapping.wanted_account(Person(), None, organization="")
    assert wanted == WantedAccount("sub-1", "hiennv", active=False)


def test_what_there_is_not_is_absent() -> None:
    wanted = mapping.wanted_account(Mononym(), DESIRED, organization="x")
    assert wanted.attributes is not None
    assert {Attribute.FAMILY_NAME, Attribute.MIDDLE_NAME, Attribute.EMAIL}.isdisjoint(
        wanted.attributes
    )


@pytest.mark.parametrize("person", [Person(), Mononym()])
def test_scim_gives_back_what_it_was_given(person: Person) -> None:
    wanted = mapping.wanted_account(person, DESIRED, organization="UBND xã Hà Trung")
    seen = scim_mapping.from_scim(scim_mapping.to_scim(wanted).model_dump(), {})
    assert mapping.differences(wanted, seen) == ()


@pytest.mark.parametrize("person", [Person(), Mononym()])
def test_an_ldap_entry_gives_back_what_it_was_given(person: Person) -> None:
    wanted = mapping.wanted_account(person, DESIRED, organization="UBND xã Hà Trung")
    values = mapping.ldap_values(wanted.attributes or {})
    assert {"cn", "sn"} <= values.keys()  # RFC 4519: an inetOrgPerson must have both
    assert mapping.ldap_values(mapping.from_ldap(values)) == values


def test_the_given_name_of_an_entry_is_all_but_the_surname() -> None:
    wanted = mapping.wanted_account(Person(), DESIRED, organization="x")
    values = mapping.ldap_values(wanted.attributes or {})
    assert (values["sn"], values["givenName"], values["cn"]) == (
        "Nguyễn",
        "Văn Hiển",
        "Nguyễn Văn Hiển",
    )


@pytest.mark.parametrize(
    "said",
    ["TEL:", "tel:;ext=2", "Tel:(", "tel:x", "tel:0", "TEL: 0;x", "tel:+84-91", "tel:tel:1", "tel"],
)
def test_a_number_that_looks_like_its_uri_survives_both_ways(said: str) -> None:
    """RFC 3966 §3: behind the scheme stands a number; where none does it is no URI."""
    wanted = WantedAccount("s", "u", True, {Attribute.PHONE: said}, "r")  # noqa: FBT003
    scim = scim_mapping.to_scim(wanted).model_dump()
    assert mapping.differences(wanted, scim_mapping.from_scim(scim, {})) == ()


def test_another_number_in_a_uri_is_another_number() -> None:
    ours, theirs = "+84912345678", "tel:+84-912-345-679"
    assert not mapping.same(Attribute.PHONE, ours, theirs)
    assert mapping.same(Attribute.PHONE, ours, theirs.replace("679", "678;ext=1"))


def as_stored(text: str) -> str:
    """Composed (UAX #15, NFC), single spaces: as whatever is said to others is kept. (Characters that
    nobody sees are not kept either.)
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


@given(
    st.dictionaries(
        st.sampled_from([a for a in Attribute if a is not Attribute.EMAIL]),
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=20)
        .map(as_stored)
        .filter(bool),
    )
)
def test_any_attributes_survive_both_ways(said: dict[Attribute, str]) -> None:
    wanted = WantedAccount("s", "u", True, said, "r")  # noqa: FBT003
    scim = scim_mapping.to_scim(wanted).model_dump()
    assert mapping.differences(wanted, scim_mapping.from_scim(scim, {})) == ()
    values = mapping.ldap_values(said)
    assert mapping.ldap_values(mapping.from_ldap(values)) == values


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ()),
        ({"active": False}, ("active",)),
        ({"external_id": "other"}, ("externalId",)),
        ({"external_id": "SUB-1"}, ("externalId",)),
        ({"username": "HienNV"}, ()),
        ({"username": "hiennv2"}, ("userName",)),
        ({"role": None}, ("role",)),
        ({"attributes": {}}, ("displayName", "department")),
    ],
)
def test_differences_name_what_is_wrong(changes: dict[str, Any], wrong: tuple[str, ...]) -> None:
    said = {Attribute.DISPLAY_NAME: "Hiển", Attribute.DEPARTMENT: "P"}
    wanted = WantedAccount("sub-1", "hiennv", active=True, attributes=said, role="r")
    assert mapping.differences(wanted, remote(wanted, **changes)) == wrong


def test_only_what_is_managed_counts() -> None:
    wanted = WantedAccount("s", "u", active=True, attributes={Attribute.DEPARTMENT: "P"}, role="r")
    seen = remote(wanted, attributes={Attribute.TITLE: "x"})
    managed = frozenset({Attribute.TITLE})
    assert mapping.differences(wanted, seen, managed=managed) == ("title",)


def test_a_disabled_account_is_right_whatever_it_says() -> None:
    wanted = WantedAccount("s", "u", active=False)
    assert mapping.differences(wanted, remote(wanted, username="other", role="admin")) == ()


def test_a_patch_mends_what_is_wrong_and_nothing_else() -> None:
    wanted = WantedAccount("s", "u", active=True, attributes={Attribute.DEPARTMENT: "P"}, role="r")
    patch = scim_mapping.scim_patch(wanted, ["department", "phone", "active"])
    assert [(o.op.value, str(o.path)) for o in patch.operations or []] == [
        ("replace", f"{EnterpriseUser.__schema__}:department"),
        ("remove", "phoneNumbers"),
        ("replace", "active"),
    ]


def test_without_the_enterprise_extension_nothing_of_it_is_said() -> None:
    wanted = mapping.wanted_account(Person(), DESIRED, organization="x")
    said = scim_mapping.to_scim(wanted, managed=mapping.EVERYTHING - mapping.ENTERPRISE)
    assert "enterprise" not in said.model_dump_json()


def test_an_account_without_active_is_active() -> None:
    assert scim_mapping.from_scim({"id": "1", "userName": "u"}, {}).active


def test_an_account_that_breaks_the_schema_can_still_be_read() -> None:
    seen = scim_mapping.from_scim(
        {
            "ID": "1",
            "username": "u",
            "Active": False,
            "emails": [{"value": "admin@localhost"}, "x", {"primary": True}],
            "phoneNumbers": "0912",
            "roles": [{"value": "a"}, {"value": "b", "primary": True}],
            "title": 5,
            "name": None,
        },
        {},
    )
    assert (seen.key, seen.username, seen.active, seen.role) == ("1", "u", False, "b")
    assert seen.attributes == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Lan.LE@ThanhHoa.Gov.VN", "lan.le@thanhhoa.gov.vn"),
        ("không có", None),
        ("a@b@c.vn", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_has_one_form_and_what_is_none_is_left_out(
    given: str | None, kept: str | None
) -> None:
    assert mapping.email_address(given) == kept


def test_a_replacement_keeps_what_the_application_has_of_its_own() -> None:
    wanted = WantedAccount(
        "s",
        "u",
        active=True,
        attributes={Attribute.DEPARTMENT: "P", Attribute.GIVEN_NAME: "Lan"},
        role=None,
    )
    enterprise = str(EnterpriseUser.__schema__)
    merged = scim_mapping.merged_scim(
        {
            "schemas": ["urn:own"],
            "id": "1",
            "urn:own": {"colour": "red"},
            "nickName": "Lan",
            "name": {"givenName": "x", "familyName": "y", "honorificPrefix": "Bà"},
            "phoneNumbers": [{"value": "1"}],
            "roles": [{"value": "old"}],
            enterprise: {"costCenter": "7", "organization": "old"},
        },
        wanted,
    )
    assert merged["urn:own"] == {"colour": "red"}
    assert merged["nickName"] == "Lan"
    assert merged["name"] == {"givenName": "Lan", "honorificPrefix": "Bà"}
    assert merged[enterprise] == {"costCenter": "7", "department": "P"}
    assert "phoneNumbers" not in merged
    assert "roles" not in merged
    assert {"urn:own", enterprise} <= set(merged["schemas"])
    assert mapping.differences(wanted, scim_mapping.from_scim(merged, {})) == ()


def test_a_replacement_that_disables_changes_nothing_else() -> None:
    current = {"id": "1", "userName": "u", "active": True, "roles": [{"value": "a"}]}
    assert scim_mapping.merged_scim(current, WantedAccount("s", "u", active=False)) == current | {
        "active": False
    }


def test_a_digest_changes_with_everything_that_is_wanted() -> None:
    wanted = mapping.wanted_account(Person(), DESIRED, organization="x")
    others = [
        replace(wanted, role="other"),
        replace(wanted, active=False),
        replace(wanted, username="other"),
        replace(wanted, external_id="other"),
        replace(wanted, attributes=None),
        replace(wanted, attributes={}),
    ]
    digests = {mapping.digest(w) for w in [wanted, *others]}
    assert len(digests) == len(others) + 1
    assert mapping.digest(wanted) == mapping.digest(replace(wanted))
