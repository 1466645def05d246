"""Handles: what is stored nowhere must say itself who made it and for what."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.base.crypto import Keyring, random_id
from idp.oidc.opaque_tokens import Access, Code, Handles, Machine, Refresh, mask, serial

MOMENT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
KINDS = ["code", "refresh", "access", "machine", "pushed", "device"]
PREFIXES = dict(zip(KINDS, ["ddc_", "ddr_", "dda_", "ddm_", "ddp_", "ddd_"], strict=True))
RING = Keyring.generate()
HANDLES = Handles(RING, "https://id.example")


def _all(handles: Handles) -> dict[str, str]:
    grant = random_id()
    machine = Machine(7, 1, 2, 3, MOMENT, MOMENT, ("changes:read",), random_id())
    return {
        "code": handles.code(Code(grant)),
        "refresh": handles.refresh(Refresh(grant, 3)),
        "access": handles.access(Access(grant, serial(), MOMENT, MOMENT, 5)),
        "machine": handles.machine(machine),
        "pushed": handles.pushed(grant),
        "device": handles.device(grant),
    }


@pytest.mark.parametrize("made", KINDS)
@pytest.mark.parametrize("opened", KINDS)
def test_a_handle_opens_as_what_it_is_and_nothing_else(made: str, opened: str) -> None:
    found = getattr(HANDLES, "open_" + opened)(_all(HANDLES)[made])
    assert (found is not None) == (made == opened)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_under_another_prefix_is_not_ours(kind: str) -> None:
    text = _all(HANDLES)[kind]
    for name, prefix in PREFIXES.items():
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
    for prefix in ("", *PREFIXES.values()):
        for kind in KINDS:
            assert getattr(HANDLES, "open_" + kind)(prefix + text) is None


KEYS = st.sampled_from([None, "jkt:" + "A" * 43, "x5t:" + "B" * 42 + "E"])


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**15 - 1),
    st.integers(0, 2**8 - 1),
    KEYS,
    st.booleans(),
)
def test_what_goes_in_comes_out(
    issued: int, expiry: int, scopes: int, resources: int, key: str | None, child: bool
) -> None:
    token = Access(
        random_id(),
        serial(),
        datetime.fromtimestamp(issued, UTC),
        datetime.fromtimestamp(expiry, UTC),
        scopes,
        resources,
        key,
        child,
    )
    assert HANDLES.open_access(HANDLES.access(token)) == token


@given(st.lists(st.sampled_from(["https://a.example/api", "urn:x:y"]), unique=True), KEYS)
def test_a_clients_own_token_keeps_resources_and_key(resources: list[str], key: str | None) -> None:
    token = Machine(
        7, 1, 2, 3, MOMENT, MOMENT, ("changes:read",), random_id(), tuple(resources), key
    )
    assert HANDLES.open_machine(HANDLES.machine(token)) == token


def test_tokens_of_one_grant_and_second_differ_by_serial() -> None:
    grant = random_id()
    one, other = (Access(grant, serial(), MOMENT, MOMENT, 1) for _ in range(2))
    assert HANDLES.access(one) != HANDLES.access(other)


def test_a_mask_counts_along_the_granted_scopes() -> None:
    granted = ["openid", "email", "org"]
    token = Access("x" * 22, serial(), MOMENT, MOMENT, mask(["org", "openid", "unknown"], granted))
    assert token.scopes(granted) == ["openid", "org"]
