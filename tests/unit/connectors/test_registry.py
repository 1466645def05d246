"""What is known of a kind of connector without loading what is behind it."""

import subprocess
import sys

import pytest

from connectors.accounts import registry
from directory.changes.effects import State

ENDS = {"scim": State.VERIFIED, "ldap": State.VERIFIED, "manual": State.ACKNOWLEDGED}


def test_what_completes_an_account_is_known_while_a_transaction_waits() -> None:
    """A commit asks it: no library of a target is read in for that."""
    asked = (
        "import sys; from connectors.accounts import registry;"
        "before = set(sys.modules);"
        "print([registry.final_of(kind).value for kind in registry.kinds()]);"
        "print(sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    finals, read_in = ran.stdout.splitlines()
    assert finals == str([ENDS[kind].value for kind in sorted(ENDS)])
    assert read_in == "[]"


@pytest.mark.parametrize("kind", [None, "no such"])
def test_what_is_no_kind_is_verified_like_most(kind: str | None) -> None:
    assert registry.final_of(kind) is State.VERIFIED
