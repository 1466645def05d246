"""A served installation whose processors all hash: whoever asks for something else is answered first."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from directory.base.argon2 import LIBSODIUM, Cost
from tests.serving import Serving, until

pytestmark = pytest.mark.slow  # a whole installation is started

COSTLY = Cost(passes=16, memory=128 * 1024 * 1024)
"""The most that is taken from another system: a second and more for each look."""
AT_ONCE = 8
"""People whose passwords are looked at: more than there are processors here."""
_PRINTED = re.compile(r"^(?:client_id|client_secret) +(\S+)$", re.MULTILINE)
_WAITING = re.compile(r'dinhdanh_web_requests\{[^}]*state="waiting_for_hash"\} (\S+)')


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    loose = {"lock_after": 50, "name_failures": 50, "source_failures": 100, "web_threads": 2}
    with Serving(tmp_path, **loose) as made:
        made.migrate()
        assert made.command("user", "admin", "quantri").returncode == 0
        file = tmp_path / "hashes.csv"
        file.write_text(f'username,hash\nquantri,"{LIBSODIUM.hash(b"x", COSTLY)}"\n', "utf-8")
        done = made.command("passwords", "import", str(file))
        assert done.returncode == 0, done.stderr
        made.spawn("serve")
        assert until(lambda: made.get("/healthz")[0] == 200, within=120), made.log.read_text()
        yield made


def waiting(served: Serving) -> float:
    """How many wait for somebody else's hash."""
    found = _WAITING.search(served.get("/metrics")[2])
    return float(found[1]) if found else 0.0


def test_probes_and_programs_are_answered_while_everything_hashes(served: Serving) -> None:
    printed = served.command(
        "client", "register", "thử", "--redirect-uri", "https://app.example/cb"
    )
    basic = base64.b64encode(":".join(_PRINTED.findall(printed.stdout)).encode()).decode()
    asked = {
        "method": "POST",
        "body": urlencode({"token": "x"}),
        "Content_Type": "application/x-www-form-urlencoded",
        "Authorization": f"Basic {basic}",
    }
    with ThreadPoolExecutor(AT_ONCE) as people:
        tries = [people.submit(served.try_to_sign_in, "quantri") for _ in range(AT_ONCE)]
        assert until(lambda: waiting(served) > 0)
        answers = [
            status
            for _ in range(5)
            for status in (
                served.get("/healthz")[0],
                served.get("/oauth2/introspect", **asked)[0],  # type: ignore[arg-type]
                served.get("/oauth2/jwks")[0],
            )
        ]
        behind = waiting(served), sum(each.done() for each in tries)
    assert answers == [200] * 15
    assert behind[0] > 0, "the queue was empty before the answers came"
    assert behind[1] < AT_ONCE
    # Whoever waited for her turn for too long was told so.
    assert 422 in (heard := {each.result()[0] for each in tries})
    assert heard <= {422, 503}
