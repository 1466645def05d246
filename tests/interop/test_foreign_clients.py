"""Applications' libraries that others wrote, with the defaults they come with.

Each is set up as its own documentation shows and registered as a client that was told nothing but
a name and an address; what more it needs is one box of the console's form (docs/interop.md). A
person signs in through it and out of it.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from idp.oidc.clients import AuthMethod, Options
from tests.browser.window import CHROMIUM, DRIVER, Window
from tests.conftest import missing
from tests.crash.installation import wait_for
from tests.interop import scripts
from tests.interop.person import Contents, Person

HERE = Path(__file__).parent
PYTHON = HERE / "foreign" / ".venv" / "bin" / "python"
OAUTH2_PROXY = HERE / "foreign" / "bin" / "oauth2-proxy-v7.15.6"
SPRING = HERE / "foreign" / "spring" / "target" / "spring-client.jar"
NO_PKCE = {"options": Options(require_pkce=False)}
"""The box "Ứng dụng này không gửi PKCE"."""

pytestmark = [pytest.mark.slow, pytest.mark.serial]


@dataclass(frozen=True)
class Application:
    """How an application starts, and where it lets people in and out."""

    command: Callable[[Path], list[str]]
    callback: str
    sign_in: str
    sign_out: str
    box: dict[str, Any] = field(default_factory=dict)
    """What is ticked in the form."""
    ends_session: bool = False
    """Whether signing out there signs her out here (OpenID Connect RP-Initiated Logout)."""
    posts: bool = False
    """Whether it asks first, with a form of its own."""


def python(script: str) -> Callable[[Path], list[str]]:
    def command(config: Path) -> list[str]:
        if not PYTHON.exists():
            missing(f"{PYTHON} (scripts/test-services slow)")
        return [str(PYTHON), str(HERE / "foreign" / script), str(config)]

    return command


def node(script: str) -> Callable[[Path], list[str]]:
    def command(config: Path) -> list[str]:
        early = str(scripts.NODE / "webcrypto.mjs")
        program = str(scripts.NODE / "foreign" / script)
        return [scripts.require_node(), "--import", early, program, str(config)]

    return command


def oauth2_proxy(config: Path) -> list[str]:
    """The proxy in front of a page that says who she is, by its documented options."""
    if not OAUTH2_PROXY.exists():
        pytest.skip("oauth2-proxy is built where Go is new enough (scripts/test-clients)")
    said = json.loads(config.read_text("utf-8"))
    return [
        str(OAUTH2_PROXY),
        "--provider=oidc",
        f"--oidc-issuer-url={said['issuer']}",
        f"--client-id={said['client_id']}",
        f"--client-secret={said['client_secret']}",
        f"--redirect-url={said['redirect_uri']}",
        f"--http-address=127.0.0.1:{said['port']}",
        f"--cookie-secret={said['client_secret'][:32]}",
        "--cookie-secure=false",
        "--email-domain=*",
        "--upstream=static://202",
        "--skip-provider-button",
    ]


def spring(config: Path) -> list[str]:
    """Spring Boot's own properties of a client and a provider."""
    if not SPRING.exists():
        missing(f"{SPRING} (scripts/test-services slow)")
    said = json.loads(config.read_text("utf-8"))
    client = "spring.security.oauth2.client"
    return [
        "java",
        "-jar",
        str(SPRING),
        f"--server.port={said['port']}",
        f"--{client}.registration.dinhdanh.client-id={said['client_id']}",
        f"--{client}.registration.dinhdanh.client-secret={said['client_secret']}",
        f"--{client}.registration.dinhdanh.scope=openid,profile,email",
        f"--{client}.provider.dinhdanh.issuer-uri={said['issuer']}",
    ]


APPLICATIONS = {
    "mozilla-django-oidc": Application(
        python("mozilla_django_oidc_app.py"),
        "/oidc/callback/",
        "/oidc/authenticate/",
        "/oidc/logout/",
        box=NO_PKCE,
        ends_session=True,
    ),
    "django-allauth": Application(
        python("allauth_app.py"),
        "/accounts/oidc/dinhdanh/login/callback/",
        "/accounts/oidc/dinhdanh/login/",
        "/accounts/logout/",
        box=NO_PKCE,
        posts=True,
    ),
    "python-social-auth": Application(
        python("social_auth_app.py"),
        "/complete/oidc/",
        "/login/oidc/",
        "/out",
        box=NO_PKCE,
        posts=True,
    ),
    "flask-oidc": Application(
        python("flask_oidc_app.py"), "/authorize", "/in", "/logout", box=NO_PKCE
    ),
    "passport-openidconnect": Application(
        node("passport.mjs"), "/callback", "/in", "/out", box=NO_PKCE
    ),
    "Spring Security": Application(
        spring,
        "/login/oauth2/code/dinhdanh",
        "/oauth2/authorization/dinhdanh",
        "/logout",
        box=NO_PKCE,
        ends_session=True,
        posts=True,
    ),
    "express-openid-connect": Application(
        node("express_openid_connect.mjs"), "/callback", "/login", "/logout", ends_session=True
    ),
}


@contextlib.contextmanager
def running(application: Application, provider: Any, folder: Path, **columns: Any) -> Iterator[str]:
    """The application serves until the end; its address."""
    port = next(provider.ports)
    base = f"http://localhost:{port}"
    party = provider.register(
        "Ứng dụng của bên khác",
        redirect_uris=(f"{base}{application.callback}",),
        post_logout_redirect_uris=(f"{base}/", base),
        **application.box,
        **columns,
    )
    metadata = httpx2.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            metadata
            | {
                "client_id": party.client_id,
                "client_secret": party.secret,
                "redirect_uri": f"{base}{application.callback}",
                "base_url": base,
                "port": port,
                "database": str(folder / "application.db"),
            }
        ),
        "utf-8",
    )
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            application.command(config), cwd=folder, env=environment, stdout=out, stderr=out
        )
    try:

        def serves() -> bool:
            assert process.poll() is None, log.read_text("utf-8")
            return _listens(base)

        wait_for(base, serves)
        yield base
    except AssertionError as failed:
        raise AssertionError(f"{failed}\n{log.read_text('utf-8')[-3000:]}") from failed
    finally:
        process.terminate()
        process.wait(60)


def _listens(base: str) -> bool:
    try:
        httpx2.get(base, timeout=2, follow_redirects=False)
    except httpx2.TransportError:
        return False
    return True


def go(person: Person, url: str, *, posts: bool) -> httpx2.Response:
    """Visit a page of the application's; where it asks first, say yes."""
    if not posts:
        return person.page(url)
    page = person.browser.get(url, follow_redirects=False)
    forms = Contents(page).forms
    if page.status_code == 405:  # its pages have the form
        answer = person.browser.post(url, follow_redirects=False)
    elif forms:
        last = forms[-1]
        answer = person.browser.post(last.action, data=last.fields, follow_redirects=False)
    else:
        return person.page(url)
    if answer.next_request is not None:
        return person.page(str(answer.next_request.url))
    return answer


def user(person: Person, base: str) -> Any:
    return person.browser.get(f"{base}/").json()["user"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_person_signs_in_to_an_application_of_others_and_out(
    provider: Any, person: Person, tmp_path: Path, name: str
) -> None:
    application = APPLICATIONS[name]
    with running(application, provider, tmp_path) as base:
        assert user(person, base) is None
        landed = go(person, f"{base}{application.sign_in}", posts=application.posts)
        assert str(landed.url).startswith(base), landed.text
        assert landed.status_code == 200, landed.text
        assert user(person, base), landed.text
        assert person.filled_in.count("password") == 1

        go(person, f"{base}{application.sign_out}", posts=application.posts)
        assert user(person, base) is None
        go(person, f"{base}{application.sign_in}", posts=application.posts)
        assert user(person, base)
        # Where signing out was told to us, her password is asked for again.
        assert person.filled_in.count("password") == (2 if application.ends_session else 1)


def test_a_person_signs_in_through_oauth2_proxy_and_out(
    provider: Any, person: Person, tmp_path: Path
) -> None:
    proxy = Application(oauth2_proxy, "/oauth2/callback", "/", "/oauth2/sign_out", box=NO_PKCE)
    with running(proxy, provider, tmp_path) as base:
        landed = person.page(f"{base}/")
        assert (landed.status_code, str(landed.url).rstrip("/")) == (202, base), landed.text
        assert person.browser.get(f"{base}/oauth2/userinfo").json()["user"] == provider.sub
        person.browser.get(f"{base}/oauth2/sign_out")
        assert person.browser.get(f"{base}/oauth2/userinfo").status_code == 401


def test_a_person_signs_in_to_a_page_with_oidc_client_ts_and_out(
    provider: Any, person: Person, tmp_path: Path
) -> None:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    page = Application(node("oidc_client_ts.mjs"), "/callback", "/", "/")
    with (
        running(page, provider, tmp_path, auth_method=AuthMethod.NONE) as base,
        Window() as window,
    ):
        window.open(f"{base}/")
        window.wait("#user[data-who=nobody]")
        window.one("#in").click()
        window.wait("#username")
        window.sign_in({"username": person.username, "password": person.password})
        window.wait("#user[data-who]")
        assert window.text("#user") == provider.sub
        window.one("#out").click()
        window.wait("[value=logout], #user[data-who=nobody]")
        if window.all("[value=logout]"):
            window.click("[value=logout]")
        window.wait("#user[data-who=nobody]")
        window.open(f"{provider.issuer}/")
        assert window.all("#username")
