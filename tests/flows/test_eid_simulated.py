"""Against the simulator, over real HTTP: each fault of its registry, in each of its profiles, ends as the
registry says a correct relying party ends it; a refusal says what to do, is audited, and leaves nothing.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from connectors.eid import calling, upstreams
from dinhdanh.eid_simulator.faults.fault import Expected
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.people import PEOPLE
from dinhdanh.eid_simulator.running import Simulator, simulate
from directory.base.clock import system_clock
from directory.people import User, citizen_columns
from tests.eid_world import OPERATOR, EidWorld
from tests.relying_party import build_world
from tests.upstream import Upstream, pem


def _turned(profiles: tuple[str, ...], by: int) -> tuple[str, ...]:
    at = by % len(profiles)
    return profiles[at:] + profiles[:at]


PROFILES = ("standard", "dvcqg", "vneid2026")
WHO = next(one for one in PEOPLE if one.key == "thuy")
CLIENT, SECRET = "dinhdanh", "mot-bi-mat-cua-ben-dung"
NEEDS_A_LINK = ("number_changed", "subject_recycled", "subject_changed")
"""What is wrong only with somebody who has come before."""
TABLE = [
    pytest.param(
        profile, code, id=f"{profile}-{code}", marks=[pytest.mark.slow] * (at > 0 or turn % 4 > 0)
    )
    for turn, (code, fault) in enumerate(FAULTS.items())
    for at, profile in enumerate(_turned(fault.profiles, turn))
]
"""Every fourth fault in one of its profiles, all else with the slow tests: there are 250, and
``test_eid_faults`` makes most of them without a socket."""


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from tests.upstream import ours

    public = ours().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    back = [f"http://localhost:8000/login/back/eid-{profile}" for profile in PROFILES]
    entry = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": back,
        "public_key": public.decode(),
    }
    with simulate(client_entries=[entry]) as made:
        yield made


@pytest.fixture(autouse=True)
def _cleared(sim: Simulator) -> Iterator[None]:
    yield
    sim.control.clear()


@pytest.fixture
def settings(make_settings: Any, sim: Simulator) -> Any:
    return make_settings(outbound_allow=[urlsplit(sim.base).netloc])


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask, sim: Simulator) -> EidWorld:
    clock.set(system_clock())
    world = build_world(services, clock)
    world.change(
        User,
        world.user_id,
        full_name="Lê Thị Thủy",  # the tone where the simulator does not put it
        birth_date=WHO.birth_date,
        **citizen_columns(services.keyring, WHO.citizen_number),
    )
    made = EidWorld(world, app, Upstream(clock, number=WHO.citizen_number))
    with services.db.write() as session:
        for profile in PROFILES:
            row = upstreams.made(
                services.keyring,
                name=profile,
                title="VNeID",
                profile=profile,
                issuer=f"{sim.base}/{profile}",
                said={"client_id": CLIENT, "acr": {"urn:vn:aal:2": "urn:vn:aal:2"}},
                secret=SECRET,
                key=pem() if profile == "vneid2026" else None,
                now=clock(),
            )
            upstreams.add(session, row, actor=OPERATOR)
    return made


def at_the_simulator(eid: EidWorld, location: str) -> str | None:
    """Where the simulator sends the browser; None where it answers with a page of its own."""
    answer = eid.world.services.outbound.request("GET", location)
    return answer.headers.get("Location")


def visit(eid: EidWorld, browser: Any, profile: str) -> Any:
    page = browser.get("/login?return_to=/portal/profile", follow_redirects=True)
    over = eid.press(browser, page.request.path, profile)
    if over.status_code != 303:
        return over
    back = at_the_simulator(eid, over.headers["Location"])
    if back is None:
        # An answer by POST, which we have not asked for.
        return browser.post(f"/login/back/eid-{profile}", data={"code": "x", "state": "y"})
    parts = urlsplit(back)
    return browser.get(f"{parts.path}?{parts.query}")


@pytest.mark.parametrize(("profile", "code"), TABLE)
def test_a_fault_ends_as_the_registry_says(
    eid: EidWorld,
    sim: Simulator,
    profile: str,
    code: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = FAULTS[code]
    # What is slow takes half a minute here; nothing else does, however busy the machine is.
    monkeypatch.setattr(calling, "SLOWEST", 0.5 if code.endswith("_slow") else 60.0)
    monkeypatch.setattr(calling, "LONGEST", 60.0)
    if code in NEEDS_A_LINK:
        sim.control.next(person=WHO.key)
        browser = eid.browser()
        browser.get(eid.confirm(browser, visit(eid, browser, profile)).headers["Location"])
        assert len(eid.links()) == 1
    before = eid.session_of()
    if fault.per_sign_in:
        sim.control.next(person=WHO.key, faults=[code], seconds=30)
    else:
        sim.control.next(person=WHO.key)
        sim.control.always([code])
    browser = eid.browser()
    answer = visit(eid, browser, profile)
    let_in = answer.status_code == 303 and "way=eid-" in answer.headers["Location"]
    if fault.expected is Expected.REFUSE:
        assert not let_in, answer.text
    if fault.expected is Expected.ACCEPT:
        assert let_in, answer.text
    if let_in:
        done = eid.confirm(browser, answer)
        browser.get(done.headers["Location"])
        assert eid.session_of() is not None
    else:
        assert answer.status_code in (400, 404, 405, 422), answer.status_code
        assert len(eid.links()) == (code in NEEDS_A_LINK)
        after = eid.session_of()
        assert (after and after.id) == (before and before.id)
    if answer.status_code == 422:
        assert "Hãy" in answer.text
        assert eid.trail("eid.refuse")[-1].data["upstream"] == profile
    eid.no_number_anywhere()
    assert WHO.citizen_number not in caplog.text
