"""``dinhdanh.testing``, as an application owner would use it: with the sample application."""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from dinhdanh import ports, testing
from dinhdanh.testing import Provider, RelyingParty
from tests.crash.installation import answers, wait_for

pytestmark = pytest.mark.serial
ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/callback"


@pytest.fixture(scope="module")
def dinhdanh() -> Iterator[Provider]:
    with testing.provider() as made:
        yield made


@pytest.fixture
def application(dinhdanh: Provider, tmp_path: Path) -> Iterator[str]:
    """The address of a running application that signs in with the provider."""
    port = ports.reserve().first
    url = f"http://localhost:{port}"
    client = dinhdanh.register(
        "Quản lý văn bản",
        redirect_uri=f"{url}/callback",
        backchannel_logout_uri=f"{url}/backchannel-logout",
    )
    config = {
        "profile": "qlvb",
        "base_url": url,
        "issuer": dinhdanh.issuer,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "scim_token": "unused",
        "store": str(tmp_path / "app.db"),
    }
    (tmp_path / "app.json").write_text(json.dumps(config))
    with (tmp_path / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.apps", str(tmp_path / "app.json")],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for("the application", lambda: answers(f"{url}/healthz"))
        yield url
    finally:
        process.terminate()
        process.wait()


def test_the_sample_application_survives_a_transfer(dinhdanh: Provider, application: str) -> None:
    lan = dinhdanh.join("Lê Thị Lan", unit="XA1")
    browser = dinhdanh.browser(lan)
    page = browser.get(f"{application}/login")
    assert "Lê Thị Lan" in page.text
    assert "Lê Thị Lan" in browser.visit(f"{application}/").text
    dinhdanh.transfer(lan, to_unit="XA2")
    assert "Lê Thị Lan" not in browser.visit(f"{application}/").text
    again = browser.get(f"{application}/login")
    assert "Thử Hai" in again.text


def _tokens(dinhdanh: Provider, client: RelyingParty, person: testing.Person) -> dict[str, str]:
    verifier = secrets.token_urlsafe(32)
    challenge = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": client.client_id,
        "response_type": "code",
        "scope": "openid profile org",
        "redirect_uri": NOWHERE,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    url = f"{client.issuer}/oauth2/authorize?{urlencode(query)}"
    back = dinhdanh.browser(person).callback(url, NOWHERE)
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = httpx2.post(
        f"{client.issuer}/oauth2/token",
        auth=(client.client_id, client.client_secret or ""),
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": NOWHERE,
            "code_verifier": verifier,
        },
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


@pytest.mark.parametrize("event", ["leave", "suspend", "transfer"])
def test_what_an_application_holds_is_dead_after(dinhdanh: Provider, event: str) -> None:
    client = dinhdanh.register("Thử nghiệm", redirect_uri=NOWHERE)
    person = dinhdanh.join("Hà Văn Thống")
    tokens = _tokens(dinhdanh, client, person)
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = f"{dinhdanh.issuer}/oauth2/userinfo"
    assert httpx2.get(userinfo, headers=header).json()["name"] == "Hà Văn Thống"
    if event == "transfer":
        dinhdanh.transfer(person, to_unit="XA2")
    else:
        getattr(dinhdanh, event)(person)
    assert httpx2.get(userinfo, headers=header).status_code == 401


def test_consent_is_given_where_it_is_asked(dinhdanh: Provider) -> None:
    client = dinhdanh.register("Của người khác", redirect_uri=NOWHERE, first_party=False)
    assert "id_token" in _tokens(dinhdanh, client, dinhdanh.join("Lò Thị Mai"))


def test_nothing_is_left_when_it_ends() -> None:
    with testing.provider() as made:
        folder, issuer = made.folder, made.issuer
        assert httpx2.get(f"{issuer}/healthz").status_code == 200
    assert not folder.exists()
    with suppress(httpx2.TransportError), closing(httpx2.Client()) as http:
        pytest.fail(f"still answers: {http.get(f'{issuer}/healthz').status_code}")
