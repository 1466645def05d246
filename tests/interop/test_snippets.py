"""The snippets an application owner copies: each runs as it stands and shows who has signed in."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.console.snippets import Snippet, snippet
from tests.crash.installation import PATIENCE, answers, wait_for
from tests.interop import apache, scripts
from tests.interop.apache import shown


def text(provider: Any, kind: Snippet, port: int, *, path: str = "/callback") -> str:
    """The snippet of a client registered for it."""
    base = f"http://localhost:{port}"
    addresses = {"redirect_uri": base + path, "post_logout_redirect_uri": f"{base}/"}
    party = provider.register(
        "Ứng dụng của sở",
        redirect_uris=(addresses["redirect_uri"],),
        post_logout_redirect_uris=(addresses["post_logout_redirect_uri"],),
    )
    return snippet(
        kind,
        issuer=provider.issuer,
        client_id=party.client_id,
        client_secret=party.secret,
        **addresses,
    )


@contextlib.contextmanager
def program(folder: Path, port: int, *command: str) -> Iterator[str]:
    """The application serves until the end; its address."""
    url = f"http://localhost:{port}"
    log = folder / "log"
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:

        def serves() -> bool:
            assert process.poll() is None, log.read_text("utf-8")
            return answers(url)

        wait_for(url, serves)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


def flask(provider: Any, folder: Path) -> contextlib.AbstractContextManager[str]:
    port = next(provider.ports)
    (folder / "app.py").write_text(text(provider, Snippet.FLASK, port), "utf-8")
    return program(folder, port, sys.executable, "app.py")


def express(provider: Any, folder: Path) -> contextlib.AbstractContextManager[str]:
    node = scripts.require_node()
    port = next(provider.ports)
    (folder / "app.mjs").write_text(text(provider, Snippet.EXPRESS, port), "utf-8")
    (folder / "node_modules").symlink_to(scripts.NODE / "node_modules")
    early = str(scripts.NODE / "webcrypto.mjs")
    return program(folder, port, node, "--import", early, "app.mjs")


@pytest.mark.parametrize("run", [flask, express])
def test_a_program_signs_a_person_in_shows_her_name_and_signs_her_out(
    provider: Any,
    person: Any,
    tmp_path: Path,
    run: Callable[[Any, Path], contextlib.AbstractContextManager[str]],
) -> None:
    with run(provider, tmp_path) as url:
        assert provider.full_name not in person.page(f"{url}/").text
        home = person.page(f"{url}/login")
        assert home.url == f"{url}/", home.text
        assert provider.full_name in home.text
        assert person.filled_in == ["password"]
        away = person.page(f"{url}/logout")
        assert away.url == f"{url}/", away.text
        assert provider.full_name not in away.text
    assert person.browser.get(f"{provider.issuer}/session/status").status_code == 401


def test_apache_names_whoever_has_signed_in_and_signs_her_out(provider, person):
    apache.require()
    port = next(provider.ports)
    with apache.running(port, text(provider, Snippet.APACHE, port)) as httpd:
        told = shown(person.page(f"{httpd.url}/"))
        assert told["REMOTE_USER"] == provider.username, httpd.log()
        assert told["OIDC_CLAIM_name"] == provider.full_name
        assert person.filled_in == ["password"]
        person.page(f"{httpd.url}/callback?logout={httpd.url}/")
        assert person.filled_in == ["password", "password"], "she is asked anew"
