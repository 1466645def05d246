"""The LDAP connector against a real OpenLDAP server."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.accounts.contract import Action, Connector, Operation
from connectors.accounts.ldap import LdapConnector, LdapSettings, Security
from connectors.errors import Misconfigured, Rejected
from connectors.outbound import Outbound
from dinhdanh import ports
from directory.base.config import Settings
from tests.contract.connector_contract import ConnectorContract, but, disabled, wanted
from tests.slapd_fixture import PASSWORD, Authority, PrivateSlapd

MakeConnector = Callable[..., LdapConnector]


@pytest.fixture
def connect(slapd: PrivateSlapd, authority: Authority) -> Iterator[MakeConnector]:
    """Make connectors to the server; what is given differs from settings that work."""
    made: list[tuple[LdapConnector, Outbound]] = []

    def make(*, password: str = PASSWORD, allowed: bool = True, **others: Any) -> LdapConnector:
        settings = LdapSettings(
            **{
                "host": "localhost",
                "port": slapd.ldaps_port,
                "ca_file": authority.file,
                "bind_dn": slapd.root_dn,
                "base": slapd.suffix,
                "container": "ou={department},ou={organization},ou=people",
                "page_size": 3,
            }
            | others
        )
        outbound = Outbound(
            Settings(outbound_allow=[f"{settings.host}:{settings.port}"] if allowed else [])
        )
        connector = LdapConnector(settings, password, outbound)
        made.append((connector, outbound))
        return connector

    yield make
    for connector, outbound in made:
        connector.close()
        outbound.close()


class TestLdap(ConnectorContract):
    @pytest.fixture
    def connector(self, connect: MakeConnector) -> Connector:
        return connect()

    @pytest.fixture
    def wrong_secret(self, connect: MakeConnector) -> Connector:
        return connect(password="sai")

    @pytest.fixture
    def away(self, connect: MakeConnector) -> Connector:
        return connect(port=ports.reserve().first)

    @pytest.fixture
    def silent(self, connect: MakeConnector, silent_port: int) -> Connector:
        return connect(port=silent_port, timeout=1)


class TestLdapPlain(TestLdap):
    """The same over an unprotected connection, which the settings must name."""

    @pytest.fixture
    def connector(self, connect: MakeConnector, slapd: PrivateSlapd) -> Connector:
        return connect(security=Security.PLAIN, port=slapd.port)

    @pytest.fixture
    def silent(self, connect: MakeConnector, silent_port: int) -> Connector:
        return connect(security=Security.PLAIN, port=silent_port, timeout=1)


class TestLdapWithAPlaceForTheDisabled(TestLdap):
    """The same where disabled entries move to a container of their own, over StartTLS."""

    @pytest.fixture
    def connector(self, connect: MakeConnector, slapd: PrivateSlapd) -> Connector:
        return connect(
            security=Security.STARTTLS, port=slapd.port, disabled_container="ou=disabled"
        )

    def test_a_disabled_entry_lies_among_the_disabled(self, connector: Connector) -> None:
        state = wanted()
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        connector.apply(Operation(disabled(state), key))
        assert ",ou=disabled," in self.shown(connector, key).evidence["dn"]
        connector.apply(Operation(state, key))
        assert ",ou=people," in self.shown(connector, key).evidence["dn"]


@pytest.mark.parametrize("security", [Security.LDAPS, Security.STARTTLS])
def test_a_certificate_for_another_host_is_refused(
    security: Security, connect: MakeConnector, slapd: PrivateSlapd
) -> None:
    port = slapd.ldaps_port if security is Security.LDAPS else slapd.port
    with pytest.raises(Misconfigured) as refused:
        connect(host="127.0.0.1", port=port, security=security).test()
    assert "Chứng thư" in refused.value.reason


@pytest.mark.parametrize("security", [Security.LDAPS, Security.STARTTLS])
def test_a_certificate_of_an_unknown_authority_is_refused(
    security: Security, connect: MakeConnector, slapd: PrivateSlapd, tmp_path: Any
) -> None:
    stranger = Authority.create(tmp_path / "stranger", "Stranger")
    port = slapd.ldaps_port if security is Security.LDAPS else slapd.port
    with pytest.raises(Misconfigured) as refused:
        connect(port=port, security=security, ca_file=stranger.file).test()
    assert "Chứng thư" in refused.value.reason


def test_a_missing_bundle_of_authorities_is_named(connect: MakeConnector, tmp_path: Any) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(Misconfigured) as refused:
        connect(ca_file=missing).test()
    assert "missing.pem" in refused.value.reason


def test_a_private_address_must_be_listed(connect: MakeConnector) -> None:
    with pytest.raises(Misconfigured) as refused:
        connect(allowed=False).test()
    assert "mạng nội bộ" in refused.value.reason


def test_a_base_that_does_not_exist_is_reported(connect: MakeConnector) -> None:
    with pytest.raises(Rejected):
        connect(base="ou=khong-co,dc=thanhhoa,dc=example").test()


def test_a_disabled_entry_has_no_password_left(connect: MakeConnector, slapd: PrivateSlapd) -> None:
    connector, state = connect(), wanted()
    key = connector.apply(Operation(state)).remote_id
    assert key is not None
    entry = connector.probe(key)
    assert entry is not None
    name = entry.evidence["dn"]
    slapd.ldapmodify(f"dn: {name}\nchangetype: modify\nadd: userPassword\nuserPassword: m\n")
    assert connect(bind_dn=name, password="m").test()
    connector.apply(Operation(disabled(state), key))
    with pytest.raises(Misconfigured):
        connect(bind_dn=name, password="m").test()


def test_an_entry_moves_between_units_and_keeps_its_key(connect: MakeConnector) -> None:
    connector, state = connect(), wanted()
    key = connector.apply(Operation(state)).remote_id
    outcome = connector.apply(
        Operation(but(state, department="Phòng Kinh tế", organization="UBND xã Yên Định"), key)
    )
    assert (outcome.action, outcome.remote_id) == (Action.MOVED, key)
    assert "ou=UBND xã Yên Định,ou=people," in outcome.evidence["dn"]


def test_a_renamed_account_keeps_its_key(connect: MakeConnector) -> None:
    connector, state = connect(), wanted()
    key = connector.apply(Operation(state)).remote_id
    assert key is not None
    renamed = replace(state, username=state.username + "2")
    assert connector.apply(Operation(renamed, key)).remote_id == key
    seen = connector.probe(key)
    assert seen is not None
    assert seen.username == state.username + "2"
    assert connector.differences(renamed, seen) == ()


def test_an_entry_made_by_hand_is_taken_over_only_where_that_is_allowed(
    connect: MakeConnector, slapd: PrivateSlapd
) -> None:
    state = wanted()
    slapd.ldapadd(
        f"dn: uid={state.username},{slapd.suffix}\nobjectClass: inetOrgPerson\n"
        f"uid: {state.username}\ncn: Lan\nsn: Lan\n"
    )
    plain = {"container": ""}
    with pytest.raises(Rejected):
        connect(**plain).apply(Operation(state))
    connector = connect(**plain, adopt_by_username=True)
    key = connector.apply(Operation(state)).remote_id
    assert key is not None
    connector.apply(Operation(disabled(state), key))
    seen = connector.probe(key)
    assert seen is not None
    assert not seen.active  # it got shadowAccount as well


def test_two_entries_that_claim_one_owner_are_left_to_a_person(
    connect: MakeConnector, slapd: PrivateSlapd
) -> None:
    state = wanted()
    for name in ("a", "b"):
        slapd.ldapadd(
            f"dn: uid={name}{state.username},{slapd.suffix}\nobjectClass: inetOrgPerson\n"
            f"uid: {name}{state.username}\ncn: Lan\nsn: Lan\n"
            f"employeeNumber: {state.external_id}\n"
        )
    with pytest.raises(Rejected) as refused:
        connect().apply(Operation(state))
    assert "2 tài khoản" in refused.value.reason


def test_a_connection_at_rest_is_used_again(connect: MakeConnector) -> None:
    connector = connect()
    connector.test()
    (first, _), *rest = connector._pool._rest.queue
    assert not rest
    connector.apply(Operation(wanted()))
    ((again, _),) = connector._pool._rest.queue
    assert again is first


def test_nothing_secret_reaches_the_log(
    connect: MakeConnector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        connect().apply(Operation(wanted()))
        with pytest.raises(Misconfigured) as refused:
            connect(password="sai-mat-khau").test()
    assert PASSWORD not in caplog.text
    assert "sai-mat-khau" not in caplog.text + str(refused.value)
