"""START HERE: the options, who takes part, and the seven acts in order."""

import argparse
import json
import random
import secrets
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from examples.demo.story import after, before, decision, proof, scene
from examples.demo.story.app_side import Application
from examples.demo.story.hr_system import PersonnelSystem
from examples.demo.story.openssl import Checker
from examples.demo.story.relying import RelyingParty
from examples.demo.story.scene import Scene
from examples.demo.story.telling import NotSo, Telling, shown

DEFAULT = Path(__file__).resolve().parents[3] / "var" / "demo" / "credentials.json"


def main(arguments: list[str] | None = None) -> int:
    """Tell the story: 0 when all of it is so, 1 at the first thing that is not."""
    parser = argparse.ArgumentParser(
        description="One transfer, from the first sign-in to the proof."
    )
    parser.add_argument(
        "--seed", type=int, help="draws the same official from the same demonstration"
    )
    parser.add_argument("--base", help="address of Dinhdanh, where it is not the issuer's")
    parser.add_argument("--credentials", type=Path, default=DEFAULT)
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else secrets.randbelow(10**6)
    telling = Telling()
    print(f"The story of one transfer, seed {seed}")
    try:
        credentials = read(given.credentials)
        staged = stage(telling, credentials, given.base, random.Random(seed))
        try:
            play(staged)
        finally:
            staged.close()
    except NotSo as found:
        print(f"\nNOT SO at step {found.step}", file=sys.stderr)
        print(f"  expected: {found.expected}", file=sys.stderr)
        print(f"  observed: {shown(found.observed)}", file=sys.stderr)
        return 1
    except httpx2.TransportError as error:
        print(f"\nNOT SO: nobody answers ({error}); is `make demo` running?", file=sys.stderr)
        return 1
    print(f"\nAll of it is so: {telling.checks} checks in {telling.seconds:.1f} s (seed {seed})")
    return 0


def read(file: Path) -> dict[str, Any]:
    """What `make demo` wrote. Raises NotSo."""
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except OSError:
        raise NotSo(
            "the demonstration's credentials", f"{file}; run `make demo`", "no file"
        ) from None
    return found


def stage(
    telling: Telling, credentials: dict[str, Any], base: str | None, rng: random.Random
) -> Scene:
    """Bring everybody who takes part to their places."""
    issuer = (base or credentials["issuer"]).rstrip("/")
    ca_file = credentials.get("ca_file")
    verify = (
        ssl.create_default_context(cafile=ca_file)
        if ca_file
        else httpx2.create_ssl_context(trust_env=False)
    )
    personnel = PersonnelSystem(issuer, credentials["api"], verify=verify)
    drawn = scene.choose(credentials, personnel, rng)
    officers = [
        u
        for u in credentials["users"]
        if "hr_officer" in u["roles"] and u.get("reach", "TH") == "TH"
    ]
    plain = next(
        c for c in credentials["clients"] if c["redirect_uris"][0].startswith("http://127.0.0.1")
    )
    first, second = (Application(entry) for entry in credentials["apps"])
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date()
    return Scene(
        telling=telling,
        credentials=credentials,
        issuer=issuer,
        official=drawn.official,
        goal=drawn.goal,
        present=drawn.present,
        future=drawn.future,
        hr_officer=officers[0],
        apps=(first, second),
        plain=RelyingParty(issuer, plain, verify=verify),
        personnel=personnel,
        checker=Checker(issuer, verify=verify),
        verify=verify,
        decision={
            "number": f"{rng.randrange(100, 9999)}/QĐ-UBND",
            "issued_on": today.isoformat(),
            "issuer": "Ủy ban nhân dân tỉnh Thanh Hóa",
        },
    )


def play(staged: Scene) -> None:
    """The seven acts. Raises NotSo at the first thing that is not so."""
    before.directory(staged)
    hers = before.arrival(staged)
    officer = before.morning(staged)
    before.certificate(staged, hers)
    decision.decide(staged, officer, hers)
    after.aftermath(staged, hers)
    proof.prove(staged, officer)
    proof.new_post(staged)


if __name__ == "__main__":
    sys.exit(main())
