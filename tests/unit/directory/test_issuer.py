"""The issuer names a whole host: what else a URL can hold would end up inside every address."""

from pathlib import Path

import pytest

from directory.base.config import Settings, load_settings
from directory.base.errors import Misconfigured


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "dinhdanh.toml"
    file.touch()
    return file


@pytest.mark.parametrize("name", ["issuer", "mtls_base"])
@pytest.mark.parametrize(
    "rest", ["?", "?a=b", "#", "#top", "/#top", "@other.example", ":65536", ":x"]
)
def test_a_base_url_has_neither_query_nor_fragment_nor_user(
    empty: Path, name: str, rest: str
) -> None:
    """OpenID Connect Discovery §3, RFC 8414 §2; CWE-20."""
    with pytest.raises(Misconfigured, match=name):
        load_settings(empty, **{name: "https://dangnhap.example.gov.vn" + rest})


@pytest.mark.parametrize("rest", ["", "/", ":8443", ":8443/"])
def test_a_base_url_may_have_a_port(empty: Path, rest: str) -> None:
    found: Settings = load_settings(empty, issuer="https://dangnhap.example.gov.vn" + rest)
    assert found.issuer == "https://dangnhap.example.gov.vn" + rest.rstrip("/")
