"""A certificate in a header, in every spelling that a proxy has (traps: all are read alike)."""

import base64
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.pki import edge_header
from directory.base.clock import system_clock
from tests.hierarchy import House, escaped

ONE = House(system_clock).issue()
DER = base64.b64encode(ONE.public_bytes(Encoding.DER)).decode()
PEM = ONE.public_bytes(Encoding.PEM).decode()
SPELT = {
    "RFC 9440": f":{DER}:",
    "HAProxy": DER,
    "nginx, escaped": escaped(ONE),
    "nginx, its plus left": quote(PEM, safe="+/="),
    "Apache, blanks for lines": PEM.replace("\n", " "),
    "nginx, tabs before lines": PEM.strip().replace("\n", "\n\t"),
    "as it is": PEM,
}


@pytest.mark.parametrize("how", sorted(SPELT))
def test_all_are_read_alike(how: str) -> None:
    assert edge_header.read(SPELT[how]) == ONE


@pytest.mark.parametrize("how", sorted(set(SPELT) - {"RFC 9440"}))
def test_programs_spell_it_as_the_rfc_says(how: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        edge_header.sequence(SPELT[how])
    assert edge_header.sequence(f":{DER}:") == ONE


@pytest.mark.parametrize(
    "value",
    [
        "::",
        ":AAAA:",
        ":***:",
        f'"{DER}"',
        f":{DER}",
        f":{DER}:;a=b",
        f":{DER}:, :{DER}:",
        PEM + PEM,
        escaped(ONE) + escaped(ONE),
        PEM.replace("-----END CERTIFICATE-----", ""),
        "%FF%FE",
        "%00",
        "A" * 20_000,
        'Hash=00;Cert="x"',
        PEM.replace("CERTIFICATE", "PRIVATE KEY"),
    ],
)
def test_anything_else_is_no_certificate(value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        edge_header.read(value)


@pytest.mark.parametrize("value", [None, "", "  ", "-", "(null)"])
def test_what_proxies_write_for_nothing_is_nothing(value: str | None) -> None:
    assert edge_header.is_empty(value)
    assert not edge_header.is_empty(f":{DER}:")


def test_a_key_that_nobody_knows_is_no_certificate() -> None:
    """A curve without a name here: cryptography raises what is no ValueError."""
    der = ONE.public_bytes(Encoding.DER)
    broken = der.replace(
        bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03010f")
    )
    assert broken != der
    with pytest.raises(ValueError, match=r".*"):
        edge_header.read(base64.b64encode(broken).decode())
