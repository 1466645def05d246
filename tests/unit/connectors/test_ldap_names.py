"""Distinguished names as text, and the settings that hold patterns of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.accounts.ldap import LdapSettings, Security, names

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Phòng Kinh tế", "Phòng Kinh tế"),
        ("a,b", "a\\,b"),
        ("a\\b", "a\\\\b"),
        ('+"<>;=', '\\+\\"\\<\\>\\;\\='),
        ("#x", "\\#x"),
        (" x ", "\\ x\\ "),
        (" ", "\\ "),
        ("\\ ", "\\\\\\ "),
        ("a\0b", "a\\00b"),
    ],
)
def test_a_value_is_escaped_as_rfc_4514_says(value: str, escaped: str) -> None:
    assert names.escape(value) == escaped


@given(TEXT)
def test_what_was_escaped_comes_back(value: str) -> None:
    assert names.unescape(names.escape(value)) == value


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_no_value_adds_a_part_to_a_name(values: list[str]) -> None:
    name = ",".join(f"ou={names.escape(value)}" for value in values)
    assert len(names.split(name)) == len(values)
    assert len(names.split(names.parent(name))) == len(values) - 1


def test_spellings_of_one_name_compare_equal() -> None:
    assert names.comparable("OU=Phòng\\2C  Ban, dc=Example") == names.comparable(
        "ou=phòng\\, ban,DC=example"
    )
    assert names.comparable("ou=a,dc=b") != names.comparable("ou=a\\,dc=b")


def settings(**others: Any) -> LdapSettings:
    return LdapSettings(**({"host": "h", "bind_dn": "cn=a", "base": "dc=b"} | others))


def test_the_default_is_protected() -> None:
    assert settings().security is Security.LDAPS


@pytest.mark.parametrize(
    "container",
    ["", "ou=people", "ou={department},ou={organization},ou=people", "o={organization}"],
)
def test_a_container_may_name_the_unit(container: str) -> None:
    assert settings(container=container).container == container


@pytest.mark.parametrize(
    "wrong",
    [
        {"container": "cn=people"},
        {"container": "people"},
        {"container": "ou={unknown}"},
        {"container": "ou={0}"},
        {"container": "ou={department.__class__}"},
        {"container": "ou={"},
        {"disabled_container": "uid=x"},
        {"host": ""},
        {"base": ""},
        {"port": 0},
        {"security": "none"},
        {"timeout": 60},
        {"password": "x"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)
