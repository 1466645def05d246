"""Handles: what is stored nowhere must say itself who made it and for what."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.base.crypto import Keyring, random_id
from idp.oidc.handles import Access, Code, Handles, Machine, Refresh, mask

MOMENT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
RING = Keyring.generate()
HANDLES = Handles(RING, "https://id.example")


def _all(handles: Handles) -> dict[str, str]:
    grant = random_id()
    machine = Machine(7, 1, 2, 3, MOMENT, MOMENT, ("changes:read",), random_id())
    return {
        "code": handles.code(Code(grant)),
        "refresh": handles.refresh(Refresh(grant, 3)),
        "access": handles.access(Access(grant, 3, MOMENT, 5)),
        "machine": handles.machine(machine),
    }


@pytest.mark.parametrize("made", ["code", "refresh", "access", "machine"])
@pytest.mark.parametrize("opened", ["code", "refresh", "access", "machine"])
def test_a_handle_opens_as_what_it_is_and_nothing_else(made: str, opened: str) -> None:
    found = getattr(HANDLES, "open_" + opened)(_all(HANDLES)[made])
    assert (found is not None) == (made == opened)


@pytest.mark.parametrize("kind", ["code", "refresh", "access", "machine"])
def test_a_body_under_another_prefix_is_not_ours(kind: str) -> None:
    own = {"code": "ddc_", "refresh": "ddr_", "access": "dda_", "machine": "ddm_"}
    text = _all(HANDLES)[kind]
    for name, prefix in own.items():
        if name != kind:
            assert getattr(HANDLES, "open_" + name)(prefix + text[4:]) is None


def test_handles_of_another_installation_or_keyring_are_not_ours() -> None:
    for other in (
        Handles(RING, "https://else.example"),
        Handles(Keyring.generate(), "https://id.example"),
    ):
        for kind, text in _all(other).items():
            assert getattr(HANDLES, "open_" + kind)(text) is None


@given(st.text(max_size=80))
def test_arbitrary_text_opens_nothing_and_never_raises(text: str) -> None:
    for prefix in ("", "ddc_", "ddr_", "dda_", "ddm_"):
        for kind in ("code", "refresh", "access", "machine"):
            assert getattr(HANDLES, "open_" + kind)(prefix + text) is None


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
)
def test_what_goes_in_comes_out(generation: int, seconds: int, bits: int) -> None:
    token = Access(random_id(), generation, datetime.fromtimestamp(seconds, UTC), bits)
    assert HANDLES.open_access(HANDLES.access(token)) == token


def test_tokens_of_one_grant_and_second_differ_by_generation() -> None:
    grant = random_id()
    assert HANDLES.access(Access(grant, 0, MOMENT, 1)) != HANDLES.access(
        Access(grant, 1, MOMENT, 1)
    )


def test_a_mask_counts_along_the_granted_scopes() -> None:
    granted = ["openid", "email", "org"]
    token = Access("x" * 22, 0, MOMENT, mask(["org", "openid", "unknown"], granted))
    assert token.scopes(granted) == ["openid", "org"]
