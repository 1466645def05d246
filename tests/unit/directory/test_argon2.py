"""Two implementations of argon2id (RFC 9106) that read each other's strings."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from directory.base import argon2
from directory.base.argon2 import LIBSODIUM, Argon2, Cost
from directory.base.hashing import PasswordHasher
from directory.base.workers import Workers

ROOT = Path(__file__).parents[3]
CHEAP = Cost(passes=1, memory=8192)
FOREIGN = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
"""Of ``password``: from the reference implementation's own tests (src/test.c)."""


def implementations() -> list[Any]:
    built = [one for one in argon2.present() if one is not LIBSODIUM]
    skipped = pytest.mark.skip(reason="libargon2 was not built here: no compiler, or no AVX2")
    return [
        pytest.param(LIBSODIUM, id="libsodium"),
        pytest.param(built[0], id="libargon2")
        if built
        else pytest.param(None, id="libargon2", marks=skipped),
    ]


by = pytest.mark.parametrize("by", implementations())


@by
def test_it_reads_what_others_have_written(by: Argon2) -> None:
    assert by.verify(FOREIGN, b"password")
    assert not by.verify(FOREIGN, b"Password")


@by
@pytest.mark.parametrize("password", ["", "mật khẩu của Lan", "a\0b", "x" * 4096])
def test_each_reads_what_the_other_writes(by: Argon2, password: str) -> None:
    given = password.encode()
    written = by.hash(given, CHEAP)
    for one in argon2.present():
        assert one.verify(written, given)
        assert not one.verify(written, given + b"x")


@by
def test_the_string_is_that_of_the_standard_with_a_salt_of_its_own(by: Argon2) -> None:
    """PHC string format: 16 bytes of salt, 32 of hash, unpadded base64."""
    form = r"\$argon2id\$v=19\$m=8,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}"
    made = {by.hash(b"x", CHEAP) for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(form, one) for one in made)


@by
@pytest.mark.parametrize(
    "stored", ["", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "$2b$12$" + "a" * 53, "ă"]
)
def test_what_is_no_string_of_its_kind_fits_nothing(by: Argon2, stored: str) -> None:
    assert not by.verify(stored, b"x")


def test_a_machine_that_is_short_of_memory_says_nothing_about_a_password() -> None:
    class Short:
        ARGON2_OK, ARGON2_MEMORY_ALLOCATION_ERROR, ARGON2_THREAD_FAIL, Argon2_id = 0, -22, -33, 2

        @staticmethod
        def argon2_verify(*_: Any) -> int:
            return -22

    with pytest.raises(MemoryError):
        argon2.Libargon2(Short, None).verify(FOREIGN, b"password")


def test_what_was_built_for_another_processor_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An image built elsewhere would end the process at its first hash."""
    monkeypatch.setattr(argon2, "lib", object())
    monkeypatch.setattr(argon2.processors, "can", lambda _feature: False)
    assert argon2.present() == [LIBSODIUM]


def test_without_bindings_there_is_libsodium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argon2, "lib", None)
    assert argon2.present() == [LIBSODIUM]


def test_the_quicker_is_found_once_by_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    prices = iter([9.0, 7.0, 5.0, 6.0] + [8.0, 7.0] * 3)
    monkeypatch.setattr(argon2, "present", lambda: [Named("slow at first"), Named("other")])
    monkeypatch.setattr(argon2, "_price", lambda _one: next(prices))
    found = argon2.quickest.__wrapped__()
    assert (found.by.name, found.price) == ("slow at first", 5.0)


@by
def test_other_threads_go_on_while_it_hashes(by: Argon2) -> None:
    """A hash that kept Python's lock would be seen by nobody else until it is done."""
    code = (
        "import sys, threading\n"
        "from directory.base import argon2\n"
        "by = next(one for one in argon2.present() if one.name == sys.argv[1])\n"
        "sys.setswitchinterval(1000)\n"
        "done = threading.Event(); seen = []\n"
        "def hashing():\n"
        "    by.hash(b'x', argon2.Cost(passes=8, memory=64 * 1024 * 1024)); done.set()\n"
        "thread = threading.Thread(target=hashing); thread.start()\n"
        "while not done.wait(0.001): seen.append(1)\n"
        "thread.join(); print(len(seen) > 3)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, by.name], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "True\n", ran.stderr


def test_a_hasher_reads_what_another_implementation_wrote_and_renews_nothing() -> None:
    one, other = PasswordHasher(CHEAP, workers=Workers(1)), PasswordHasher(CHEAP)
    other.get_ready()
    written = other.hash("mật khẩu")
    assert one.verify(written, "mật khẩu")
    assert not one.needs_rehash(written)
    assert not one.verify(None, "mật khẩu")


def test_what_builds_it_is_locked_and_agrees_with_what_it_runs_beside() -> None:
    lines = (ROOT / "requirements-native.lock").read_text("utf-8").splitlines()
    locked = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert "argon2-cffi-bindings==25.1.0" in locked
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", each) for each in locked)
    assert all(
        re.fullmatch(r"\s+--hash=sha256:[0-9a-f]{64}( \\)?", x) for x in lines if x[0] == " "
    )
    beside = (ROOT / "requirements.lock").read_text("utf-8")
    assert [each for each in locked if each.startswith("cffi==") and f"{each} " in beside]
