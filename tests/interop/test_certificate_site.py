"""Signing in with a certificate behind Debian's nginx, as docs/signing-in.md sets it up.

The house and its certificates are made by ``openssl``, the connection by ``curl``: nothing here is ours
but the provider.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from connectors.pki import foreign_lists, hierarchies
from dinhdanh import ports
from tests.interop import nginx
from tests.interop import provider as providers
from tests.interop.openssl import House
from tests.interop.person import Contents
from tests.interop.provider import PASSWORD, Provider

pytestmark = pytest.mark.slow  # a foreign server in front of a provider of its own: 15 s

NAME = "Ban Cơ yếu"


@dataclass
class Site:
    """nginx in front of a provider, and the house it believes."""

    provider: Provider
    house: House
    port: int
    folder: Path
    browsers: list[httpx2.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def curl(self, where: str, *more: str, shown: str | None = None) -> tuple[int, str]:
        """Status and redirect of one visit, with the certificate of that name."""
        files = self.house.folder
        with_it = ["--cert", f"{files}/{shown}.pem", "--key", f"{files}/{shown}.key"]
        asked = ["curl", "-sS", "-o", "/dev/null", "--cacert", str(self.folder / "ca.pem")]
        told = ["-w", "%{http_code} %{redirect_url}"]
        command = [*asked, *told, *(with_it if shown else []), *more, where]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode() + self.log()
        status, _, to = done.stdout.decode().partition(" ")
        return int(status), to

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", errors="replace")[-3000:]

    def browser(self) -> httpx2.Client:
        self.browsers.append(httpx2.Client(timeout=120))
        return self.browsers[-1]

    # ---- the provider's own pages ----

    def at(self, browser: httpx2.Client, path: str) -> httpx2.Response:
        """A page, by way of redirects of the issuer's own host."""
        return browser.get(urljoin(self.provider.issuer, path), follow_redirects=True)

    def send(self, browser: httpx2.Client, page: httpx2.Response, **filled: str) -> Any:
        """Its form with these fields, or the first; where that leads, not followed."""
        forms = [form for form in Contents(page).forms if not form.action.endswith("/logout")]
        form = next(one for one in forms if one.fields.keys() >= filled.keys())
        return browser.post(form.action, data=form.fields | filled)

    def offered(self, browser: httpx2.Client) -> str:
        """Begin a sign-in with a certificate; where the browser is sent to show it."""
        page = self.at(browser, "/login?return_to=/portal/profile")
        page = browser.get(f"{page.url}?way=certificate")
        away = self.send(browser, page)
        assert away.status_code == 303, away.text
        assert away.headers["Location"].startswith(f"{self.url}/certificate?for=")
        return str(away.headers["Location"])

    def sign_in(self, *more: str, shown: str | None) -> tuple[httpx2.Client, httpx2.Response]:
        """A new browser, and the page it ends on."""
        browser = self.browser()
        status, back = self.curl(self.offered(browser), *more, shown=shown)
        assert status == 303, self.log()
        assert back.startswith(f"{self.provider.issuer}/login/back/certificate?"), back
        return browser, browser.get(back, follow_redirects=True)

    def add(self, shown: str) -> httpx2.Response:
        """Add a certificate to her password; the page that answers."""
        browser = self.browser()
        page = self.at(browser, "/login?return_to=/portal/ways/certificate")
        given = {"username": self.provider.username, "password": PASSWORD}
        ended = self.send(browser, page, **given)
        page = self.at(browser, ended.headers["Location"])
        away = self.send(browser, page)
        status, back = self.curl(away.headers["Location"], shown=shown)
        assert status == 303, self.log()
        page = browser.get(back)
        assert page.status_code == 200, page.text
        return browser.get(
            urljoin(back, self.send(browser, page, name="Token").headers["Location"]),
            follow_redirects=True,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    house = House.build(tmp_path_factory.mktemp("house"))
    house.issue("lan")
    (edge,) = ports.reserve(1)
    folder = tmp_path_factory.mktemp("provider")
    with providers.running(folder, certificate_site=f"https://localhost:{edge}") as provider:
        own = provider.authority.server("localhost")
        has = provider.services
        with has.db.write() as session:
            found = hierarchies.certificates_in(house.bundle)
            how: dict[str, Any] = {"level": 2, "lenient": False, "now": has.clock()}
            hierarchies.bring_in(session, NAME, found, **how)
            foreign_lists.bring_in(session, house.crl(), now=has.clock())
        servers = nginx.certificates(edge, provider.settings.port)
        with nginx.running(servers, own, port=edge) as running:
            (running / "ca.pem").write_text(provider.authority.pem)
            made = Site(provider, house, edge, running)
            page = made.add("lan")
            assert page.status_code == 200, page.text
            yield made
            for browser in made.browsers:
                browser.close()


def test_a_real_certificate_lets_her_in(site: Site) -> None:
    browser, page = site.sign_in(shown="lan")
    assert page.status_code == 200, page.text
    assert site.provider.full_name in page.text
    assert str(page.url).endswith("/portal/profile")
    ways = site.at(browser, "/portal/ways").text
    assert "<h2>Token</h2>" in ways


def test_without_a_certificate_our_own_page_says_so(site: Site) -> None:
    _, page = site.sign_in(shown=None)
    assert page.status_code == 422
    assert "Trình duyệt không gửi chứng thư nào" in page.text


def test_a_header_of_the_clients_own_is_taken_away(site: Site) -> None:
    der = (site.house.folder / "lan.pem").read_text()
    forged = "".join(der.splitlines()[1:-1])
    for name in ("Client-Cert", "client-cert", "Client_Cert"):
        _, page = site.sign_in("-H", f"{name}: {forged}", shown=None)
        assert page.status_code == 422
        assert "Trình duyệt không gửi chứng thư nào" in page.text


def test_an_expired_one_is_told_by_our_own_page(site: Site) -> None:
    """nginx by itself: a bare 400 (kubernetes/ingress-nginx#8229)."""
    site.house.issue_long_ago("old", key="lan")
    _, page = site.sign_in(shown="old")
    assert page.status_code == 422, site.log()
    assert "Chứng thư này đã hết hạn" in page.text


def test_of_nobody_we_know_and_of_another_key(site: Site) -> None:
    site.house.issue("own", by=None, key="lan")
    _, page = site.sign_in(shown="own")
    assert "chưa được hệ thống tin cậy" in page.text
    site.house.issue("double")
    _, page = site.sign_in(shown="double")
    assert "chưa được thêm ở đây" in page.text


def test_for_servers_only(site: Site) -> None:
    server = "basicConstraints = critical, CA:false\nextendedKeyUsage = serverAuth\n"
    site.house.issue("server", key="lan", extensions=server)
    _, page = site.sign_in(shown="server")
    assert page.status_code == 422, site.log()
    assert "không dùng để đăng nhập được" in page.text


def test_every_visit_is_a_handshake_of_its_own(site: Site) -> None:
    """nginx/nginx#493: a resumed session shows a certificate whose token is gone."""
    kept = site.house.folder / "session"
    asked = [
        "openssl",
        "s_client",
        "-connect",
        f"localhost:{site.port}",
        "-servername",
        "localhost",
    ]
    for version in ("-tls1_2", "-tls1_3"):
        kept.unlink(missing_ok=True)
        said = ""
        for how in (["-sess_out", str(kept)], ["-sess_in", str(kept)]):
            if how[0] == "-sess_in" and not kept.exists():
                said = "New"  # nothing was given that could be resumed
                break
            request = b"GET /certificate HTTP/1.1\r\nHost: localhost\r\n\r\n"
            done = subprocess.run(
                [*asked, version, "-ign_eof", *how], input=request, capture_output=True, timeout=120
            )
            said = done.stdout.decode("utf-8", errors="replace")
        assert "Reused" not in said
        assert "New" in said
    visits = [f"{site.url}/certificate?for=x", f"{site.url}/certificate?for=y"]
    more = ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "--cacert"]
    done = subprocess.run(
        [*more, str(site.folder / "ca.pem"), "-w", "%{num_connects} ", *visits],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.decode().split() == ["1", "1"]


def test_nothing_else_is_answered_there(site: Site) -> None:
    for path in ("/", "/login", "/oauth2/token", "/static/app.css", "/certificate/x"):
        assert site.curl(f"{site.url}{path}", shown="lan")[0] == 404


def test_revoked_in_a_list_of_openssl(site: Site) -> None:
    """One of two certificates of a key."""
    site.house.issue("renewed", key="lan")
    assert site.sign_in(shown="renewed")[1].status_code == 200
    site.house.revoke("renewed")
    has = site.provider.services
    with has.db.write() as session:
        foreign_lists.bring_in(session, site.house.crl(), now=has.clock())
    _, page = site.sign_in(shown="renewed")
    assert page.status_code == 422
    assert "Chứng thư này đã bị thu hồi" in page.text
    assert site.sign_in(shown="lan")[1].status_code == 200
