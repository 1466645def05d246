"""Names that Dinhdanh draws are given to commands by hand and pasted into sheets."""

from directory.base.crypto import random_id


def test_a_drawn_name_is_never_taken_for_an_option_or_a_formula() -> None:
    assert not [name for name in (random_id() for _ in range(5_000)) if name.startswith("-")]


def test_a_drawn_name_is_22_characters_and_its_own() -> None:
    drawn = {random_id() for _ in range(5_000)}
    assert len(drawn) == 5_000
    assert {len(name) for name in drawn} == {22}
