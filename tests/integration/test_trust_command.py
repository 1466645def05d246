"""``dinhdanh cert trust``: whose certificates people may sign in with, as an operator says it."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.pki import hierarchies, presented
from connectors.pki.presented import Presented, Refusal
from directory.base.audit import AuditEntry, Tag
from tests import machine_time
from tests.command_line import Operator, operator
from tests.hierarchy import House

__all__ = ["operator"]
NAME = "Ban Cơ yếu"


@pytest.fixture
def house(clock: Any) -> House:
    """Its dates are those of today: commands ask the system's clock."""
    clock.set(machine_time.now())
    return House(clock)


@pytest.fixture
def files(house: House, tmp_path: Path) -> dict[str, str]:
    made = {
        "bundle": house.bundle,
        "half": house.issuing.pem,
        "crl": house.issuing.crl(house.clock()),
        "late": house.issuing.crl(house.clock(), days=1),
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in made}


def judged(services: Any, one: Any) -> Presented | Refusal:
    with services.db.read() as session:
        return presented.judge(session, services.settings, one, now=services.clock())


@pytest.mark.both_databases
def test_from_adding_to_removing(
    operator: Operator, house: House, files: dict[str, str], services: Any
) -> None:
    one = house.issue()
    half = operator("cert", "trust", "add", NAME, files["half"], "--level", "2", language="en")
    assert half.code == 1
    assert "the certificate of the authority that issued" in half.err.lower()
    added = operator("cert", "trust", "add", NAME, files["bundle"], "--level", "2")
    assert added.code == 0, added.said
    assert "aal:2" in added.out
    assert judged(services, one) is Refusal.STALE
    assert operator("cert", "trust", "crl", files["crl"]).code == 0
    assert isinstance(judged(services, one), Presented)
    listed = operator("cert", "trust", "list").out
    assert "CA phục vụ G2" in listed
    assert "CRL" in listed
    number = f"{one.serial_number:X}"
    assert operator("cert", "trust", "distrust", NAME, number).code == 0
    assert judged(services, one) is Refusal.DISTRUSTED
    assert operator("cert", "trust", "believe", NAME, number).code == 0
    services.clock.set(machine_time.now())
    assert isinstance(judged(services, one), Presented)
    assert operator("cert", "trust", "believe", NAME, number).code == 1
    assert operator("cert", "trust", "distrust", NAME, "không phải số").code == 1
    assert operator("cert", "trust", "remove", NAME).code == 0
    assert judged(services, one) is Refusal.UNKNOWN
    assert operator("cert", "trust", "remove", NAME).code == 1
    with services.db.read() as session:
        told = session.scalars(
            select(AuditEntry.data)
            .where(AuditEntry.tag == Tag.CERTIFICATE_TRUST)
            .order_by(AuditEntry.id)
        )
        assert [row["what"] for row in told] == ["add", "disable", "enable", "remove"]


def test_a_level_must_be_said(operator: Operator, files: dict[str, str]) -> None:
    """What a token asks for is nothing that we could know."""
    for level in ([], ["--level", "3"]):
        assert operator("cert", "trust", "add", NAME, files["bundle"], *level).code == 2


def test_check_says_what_will_have_certificates_refused(
    operator: Operator, house: House, files: dict[str, str], services: Any
) -> None:
    proxies = '["127.0.0.1"]'
    site: dict[str, str] = {"certificate_site": "http://cert.localhost:8000"}
    none = operator("check", language="en", **site)
    assert "certificate_site needs trusted_proxies" in none.out
    same = operator("check", certificate_site="http://localhost:8000", trusted_proxies=proxies)
    assert "certificate_site must be a host of its own" in same.out
    site["trusted_proxies"] = proxies
    assert operator("cert", "trust", "add", NAME, files["bundle"], "--level", "2").code == 0
    assert "there is no revocation list of" in operator("check", language="en", **site).out
    assert operator("cert", "trust", "crl", files["late"]).code == 0
    assert "is good until" in operator("check", language="en", **site).out
    assert operator("cert", "trust", "crl", files["crl"]).code == 0
    assert "CA phục vụ G2" not in operator("check", language="en", **site).out
    with services.db.write() as session:
        [shown] = hierarchies.every(session)
        shown.authorities[0].not_after = services.clock()
    assert "the certificate of CN=Root CA" in operator("check", language="en", **site).out
    assert "CN=Root CA" not in operator("check", language="en").out
