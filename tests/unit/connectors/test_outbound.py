"""Which addresses may be called, and what an answer's status means."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx2
import pytest

from connectors.addresses import is_public
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import LONGEST_WAIT, Outbound, Response
from directory.base.config import Settings
from directory.base.errors import Misconfigured as InstallationMisconfigured

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:db8::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "203.113.131.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


class Names:
    """A resolver that a test fills, and that remembers what it was asked."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        if host in self.known:
            return self.known[host]
        raise OSError("no such host")


@pytest.fixture
def outbound() -> Iterator[Callable[..., Outbound]]:
    made: list[Outbound] = []

    def make(*, allow: tuple[str, ...] = (), **known: list[str]) -> Outbound:
        made.append(Outbound(Settings(outbound_allow=list(allow)), resolve=Names(**known)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_some_private_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_anyone_can_reach_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(
    address: str, outbound: Callable[..., Outbound]
) -> None:
    with pytest.raises(Misconfigured) as refused:
        outbound(inside=[address]).request("GET", "http://inside/")
    assert "inside:80" in refused.value.reason


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    outbound: Callable[..., Outbound],
) -> None:
    with pytest.raises(Misconfigured):
        outbound(mixed=["8.8.8.8", "10.0.0.1"]).addresses("mixed", 443)


def test_public_addresses_are_given_in_the_resolvers_order(
    outbound: Callable[..., Outbound],
) -> None:
    assert outbound(app=["1.1.1.1", "8.8.8.8"]).addresses("app", 443) == ["1.1.1.1", "8.8.8.8"]


def test_listing_one_port_of_a_host_does_not_open_the_others(
    outbound: Callable[..., Outbound],
) -> None:
    made = outbound(allow=("app.local:8443",), **{"app.local": ["10.0.0.5"]})
    assert made.addresses("App.Local.", 8443) == ["10.0.0.5"]
    with pytest.raises(Misconfigured):
        made.addresses("app.local", 443)


def test_another_name_for_a_listed_address_is_not_listed(
    outbound: Callable[..., Outbound],
) -> None:
    made = outbound(allow=("127.0.0.1:8000",), evil=["127.0.0.1"])
    with pytest.raises(Misconfigured):
        made.addresses("evil", 8000)


def test_an_ipv6_pair_is_listed_with_brackets(outbound: Callable[..., Outbound]) -> None:
    made = outbound(allow=("[::1]:8000",), **{"::1": ["::1"]})
    assert made.addresses("::1", 8000) == ["::1"]


def test_a_name_without_address_is_tried_again_later(outbound: Callable[..., Outbound]) -> None:
    with pytest.raises(Transient):
        outbound().request("GET", "http://nowhere.example/")
    with pytest.raises(Transient):
        outbound(empty=[]).addresses("empty", 80)


def test_a_resolver_that_hangs_does_not_hold_the_call() -> None:
    over = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        over.wait(60)
        return ["8.8.8.8"]

    outbound = Outbound(Settings(), resolve=hang)
    begun = time.monotonic()
    with pytest.raises(Transient):
        outbound.request("GET", "http://slow.example/", timeout=0.2)
    assert time.monotonic() - begun < 30
    over.set()
    outbound.close()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://app.example/",
        "gopher://app.example/",
        "//app.example/",
        "app.example",
        "http://",
        "http:///path",
        "http://user:password@app.example/",
        "https://user@app.example/",
        "http://app.example:99999/",
        "",
    ],
)
def test_only_plain_web_addresses_are_called(url: str, outbound: Callable[..., Outbound]) -> None:
    made = outbound(**{"app.example": ["8.8.8.8"]})
    with pytest.raises(Misconfigured) as refused:
        made.request("GET", url)
    assert "password" not in refused.value.reason


def test_the_rules_hold_for_a_librarys_client_as_well(
    outbound: Callable[..., Outbound],
) -> None:
    client = outbound(inside=["10.0.0.1"]).client(base_url="http://inside/scim")
    with pytest.raises(Misconfigured):
        client.get("/Users")
    with pytest.raises(Misconfigured):
        client.get("http://user:pw@elsewhere/")


def test_an_unreadable_bundle_is_reported_at_start(tmp_path: object) -> None:
    with pytest.raises(InstallationMisconfigured) as refused:
        Outbound(Settings(outbound_ca_file=f"{tmp_path}/missing.pem"))
    assert "missing.pem" in refused.value.text()


def answer(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, httpx2.Headers(named), b"")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Misconfigured),
        (400, Rejected),
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Rejected),
        (408, Transient),
        (409, Rejected),
        (422, Rejected),
        (425, Transient),
        (429, Transient),
        (500, Transient),
        (503, Transient),
    ],
)
def test_a_status_means_one_kind_of_failure(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        answer(status).require_ok()


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_gives_the_answer_itself(status: int) -> None:
    given = answer(status)
    assert given.require_ok() is given


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry_After": "120"}, timedelta(seconds=120)),
        (
            {
                "Retry_After": "Mon, 02 Mar 2026 02:01:30 GMT",
                "Date": "Mon, 02 Mar 2026 02:00:00 GMT",
            },
            timedelta(seconds=90),
        ),
        (
            {
                "Retry_After": "Mon, 02 Mar 2026 01:00:00 GMT",
                "Date": "Mon, 02 Mar 2026 02:00:00 GMT",
            },
            timedelta(0),
        ),
        ({"Retry_After": "Mon, 02 Mar 2026 02:01:30 GMT"}, None),
        ({"Retry_After": "999999"}, LONGEST_WAIT),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "9" * 30}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(
    headers: dict[str, str], wait: timedelta | None
) -> None:
    with pytest.raises(Transient) as put_off:
        answer(503, **headers).require_ok()
    assert put_off.value.retry_after == wait


def test_a_body_that_is_no_json_is_refused() -> None:
    with pytest.raises(Rejected):
        Response(200, httpx2.Headers(), b"<html>").json()
