"""What is still being made when somebody leaves, moves or is suspended is cut like what is there.

A certificate is made in two transactions with a signature between them; a decision about its
person may be committed before the first, between the two, or never be noticed by the second
because the process died. Whatever the order, once the decision counts nobody is told "good", no
worker having run in between.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from flask import Flask

from tests import hr_world
from tests.browser_client import open_login, shown, submit
from tests.certificates import csr, ocsp_request
from tests.hr_world import Hr

pytestmark = pytest.mark.both_databases

DECISION = {"number": "12/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"}
DAYS = 10
DAY = "2026-03-12"
EFFECTIVE = datetime(2026, 3, 11, 17, 0, tzinfo=UTC)
"""Midnight in Viet Nam at the beginning of that day."""


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """Two communes and officers over them."""
    return hr_world.build(services, clock, app)


@pytest.fixture
def while_signing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Do something between "this will be signed" and "this was signed", once."""

    def arrange(act: Callable[[], Any]) -> None:
        sign = x509.CertificateBuilder.sign
        todo = [act]

        def slowly(*args: Any, **more: Any) -> x509.Certificate:
            if todo:
                with ThreadPoolExecutor(
                    1
                ) as elsewhere:  # another request knows nothing of this one
                    elsewhere.submit(todo.pop()).result()
            return sign(*args, **more)

        monkeypatch.setattr(x509.CertificateBuilder, "sign", slowly)

    return arrange


def decide(hr: Hr, kind: str, day: str | None = None, **more: Any) -> str:
    """Preview and commit a decision about Lan; its id."""
    body = {
        "kind": kind,
        "user": hr.names["lan"],
        "effective_on": day or f"{hr.clock() + timedelta(hours=7):%Y-%m-%d}",
        "decision": DECISION,
    }
    made = hr.api(hr.token()).commit(**body, **more)
    assert made.status_code in (200, 201), made.text
    return str(made.json["id"])


LEAVE: dict[str, Any] = {"kind": "leave", "reason": "dismiss"}
TRANSFER: dict[str, Any] = {"kind": "transfer", "position": "CV"}


def order(hr: Hr, what: dict[str, Any], day: str | None = None) -> str:
    """A leave, or a transfer to the other commune."""
    more = {"to_unit": hr.units["b"]} if what is TRANSFER else {}
    return decide(hr, day=day, **(what | more))


def ask(hr: Hr) -> Any:
    """Lan sends her request for a certificate from the portal."""
    browser = hr.browser("lan")
    page = browser.get("/portal/certificates")
    return shown(browser, submit(browser, page, csr=csr(), **{"as": "file"}))


def leaf(answer: Any) -> x509.Certificate | None:
    """The certificate she was given, if she was given one."""
    if answer.status_code != 200:
        assert answer.status_code == 409, answer.text
        return None
    return x509.load_pem_x509_certificates(answer.data)[0]


def status(hr: Hr, certificate: x509.Certificate) -> tuple[str, str | None]:
    """What the responder says now, and why."""
    browser = hr.app.test_client()
    issuer = x509.load_der_x509_certificate(browser.get("/pki/ca.crt").data)
    said = browser.post("/pki/ocsp", data=ocsp_request(issuer, certificate.serial_number))
    answer = ocsp.load_der_ocsp_response(said.data)
    reason = answer.revocation_reason if answer.certificate_status.name == "REVOKED" else None
    return answer.certificate_status.name, reason.value if reason else None


def listed(hr: Hr, certificate: x509.Certificate) -> bool:
    """Whether the list handed out now has it."""
    published = x509.load_der_x509_crl(hr.app.test_client().get("/pki/crl.der").data)
    return published.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def assert_bad(hr: Hr, certificate: x509.Certificate, reason: str) -> None:
    assert status(hr, certificate) == ("REVOKED", reason)
    assert listed(hr, certificate)


@pytest.mark.parametrize(
    ("what", "reason"),
    [(LEAVE, "cessationOfOperation"), (TRANSFER, "affiliationChanged")],
    ids=["leave", "transfer"],
)
@pytest.mark.parametrize("when", ["before", "during"])
def test_asked_for_about_a_decision_of_a_later_day(
    hr: Hr, while_signing: Any, what: dict[str, Any], reason: str, when: str
) -> None:
    if when == "before":
        order(hr, what, DAY)
    else:
        while_signing(lambda: order(hr, what, DAY))
    made = leaf(ask(hr))
    if made is None:
        return  # refused: nothing is good
    assert status(hr, made) == ("GOOD", None)
    assert not listed(hr, made)
    hr.clock.set(EFFECTIVE - timedelta(seconds=1))
    assert status(hr, made)[0] == "GOOD"
    hr.clock.set(EFFECTIVE)
    assert_bad(hr, made, reason)


@pytest.mark.parametrize("what", [LEAVE, TRANSFER], ids=["leave", "transfer"])
def test_asked_for_before_a_decision_that_counts_at_once(
    hr: Hr, while_signing: Any, what: dict[str, Any]
) -> None:
    while_signing(lambda: order(hr, what))
    answer = ask(hr)
    made = leaf(answer)
    if made is not None:
        assert status(hr, made)[0] == "REVOKED"


def test_asked_for_before_a_suspension_that_has_ended_again(hr: Hr, while_signing: Any) -> None:
    """What was asked for by a session that the suspension ended is not handed to it."""

    def suspend_and_resume() -> None:
        decide(hr, "suspend")
        decide(hr, "resume")

    while_signing(suspend_and_resume)
    assert ask(hr).status_code == 409
    again = leaf(ask(hr))
    assert again is not None
    assert status(hr, again) == ("GOOD", None)


def test_asked_for_before_a_suspension(hr: Hr, while_signing: Any) -> None:
    while_signing(lambda: decide(hr, "suspend"))
    assert ask(hr).status_code == 409


def test_nobody_is_told_good_of_one_the_process_died_over(hr: Hr, while_signing: Any) -> None:
    """Neither before the leave nor after; and she may ask again, dated like any other."""

    def die() -> None:
        raise Killed

    while_signing(die)
    with pytest.raises(Killed):
        ask(hr)
    order(hr, LEAVE, DAY)
    hr.clock.advance(minutes=20)
    made = leaf(ask(hr))
    if made is None:
        return
    hr.clock.set(EFFECTIVE)
    assert_bad(hr, made, "cessationOfOperation")


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_cancelled_leave_leaves_her_the_certificate(
    hr: Hr, while_signing: Any, when: str
) -> None:
    """A neighbour: what was dated ahead for it is taken back with the leave."""
    ids: list[str] = []
    if when == "before":
        ids.append(order(hr, LEAVE, DAY))
    else:
        while_signing(lambda: ids.append(order(hr, LEAVE, DAY)))
    made = leaf(ask(hr)) or leaf(ask(hr))  # refused once because of the leave
    hr.clock.advance(days=1)
    api = hr.api(hr.token())
    plan = api.post(f"/api/v1/changes/{ids[0]}/undo/preview").json
    undone = api.post(
        f"/api/v1/changes/{ids[0]}/undo", {"fingerprint": plan["fingerprint"]}, key="u"
    )
    assert undone.status_code in (200, 201), undone.text
    assert made is not None
    hr.clock.set(min(EFFECTIVE, made.not_valid_after_utc) - timedelta(seconds=1))
    assert status(hr, made) == ("GOOD", None)
    hr.clock.set(EFFECTIVE + timedelta(days=1))
    assert status(hr, made) == ("GOOD", None)
    assert not listed(hr, made)


def test_a_certificate_says_nothing_beyond_what_is_known(hr: Hr) -> None:
    """A neighbour: who looks only at the dates in it does not believe it after the leave."""
    order(hr, LEAVE, DAY)
    made = leaf(ask(hr))
    assert made is None or made.not_valid_after_utc <= EFFECTIVE


# ---- neighbours: a sign-in under way ----------------------------------------------------------


def signs_in_while(hr: Hr, decided: Callable[[], Any]) -> int:
    """Whether Lan is signed in where something is decided while her password is looked at."""
    browser, passwords = hr.app.test_client(), hr.services.passwords
    page, verify = open_login(browser), passwords.verify

    def looked_at(*given: Any, **how: Any) -> bool:
        del passwords.verify
        decided()
        return verify(*given, **how)

    passwords.verify = looked_at
    submit(browser, page, username=hr.names["lan"], password=hr_world.PASSWORD)
    return int(browser.get("/session/status").status_code)


def test_a_sign_in_under_way_goes_on_without_a_decision(hr: Hr) -> None:
    """The tests below can fail."""
    assert signs_in_while(hr, lambda: None) == 200


@pytest.mark.parametrize("kinds", [("suspend",), ("suspend", "resume")], ids="+".join)
def test_a_sign_in_under_way_ends_with_a_suspension(hr: Hr, kinds: tuple[str, ...]) -> None:
    assert signs_in_while(hr, lambda: [decide(hr, kind) for kind in kinds]) == 401


@pytest.mark.parametrize("what", [LEAVE, TRANSFER], ids=["leave", "transfer"])
def test_a_sign_in_under_way_ends_with_a_decision_that_counts_at_once(
    hr: Hr, what: dict[str, Any]
) -> None:
    assert signs_in_while(hr, lambda: order(hr, what)) == 401


@pytest.mark.parametrize("what", [LEAVE, TRANSFER], ids=["leave", "transfer"])
def test_a_sign_in_under_way_ends_at_the_midnight_of_a_decision(
    hr: Hr, what: dict[str, Any]
) -> None:
    order(hr, what, DAY)
    hr.clock.set(EFFECTIVE - timedelta(seconds=10))
    assert signs_in_while(hr, lambda: hr.clock.set(EFFECTIVE)) == 401
