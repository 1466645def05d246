"""No page breaks a rule of WCAG 2.2 A or AA that axe-core can judge: on a desk, in the dark, on a phone.

The pages are those of every walk in tests/browser/every_page.py, kept as they were answered.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.browser import every_page
from tests.browser.answers import Keeping, Kept, showing
from tests.browser.axe import source, violations
from tests.browser.window import CHROMIUM, DRIVER, Window
from tests.conftest import missing

TEMPLATES = Path(__file__).parents[2] / "idp" / "templates"
OTHERS = re.compile(r"{%-?\s*(?:extends|include|import|from) \"([^\"]+)\"")
FRAGMENT = {"login/judged.html"}
"""Put into a page by a script while somebody types."""
FOR_MACHINES = ("api", "bootstrap", "health", "pki", "static")
"""Whoever answers there answers no person."""
NO_PAGE = {
    "console.people_csv": "a file",
    "console.stay": "asked by a script",
    "elsewhere.begun_at_once": "leads to an upstream",
    "login.enrolled_page": "leads to the form",
    "login.language": "leads back",
    "login.locked_page": "what the form was answered, looked at once more",
    "login.slip_with": "leads to the form",
    "oidc.document": "for machines",
    "oidc.registered": "for machines",
    "oidc.related_origins": "for machines",
    "oidc.resource_metadata": "for machines",
    "oidc.session_status": "asked by a script",
    "oidc.userinfo": "for machines",
    "portal.download_certificate": "a file",
    "portal.session_status": "asked by a script",
    "portal.stay": "asked by a script",
}
"""GET addresses that show nothing, and what they do instead."""
EVERY_DAY = ("login.record", "portal.end_sessions", "console.change_confirm", "console.save_client")
DIALOG = "document.getElementById('session-end')?.showModal()"


@dataclass
class Walked:
    """What was met on the way."""

    app: Flask
    keeping: Keeping


@pytest.fixture
def walk(
    make_settings: Any, another_app: Any, _sqlite_template: Path, tmp_path: Path
) -> Callable[[Iterable[str]], Walked]:
    """Take these walks."""
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    source()

    def take(names: Iterable[str]) -> Walked:
        keeping, app = Keeping(), None
        for n, name in enumerate(names):
            with every_page.anew(make_settings, _sqlite_template, tmp_path / str(n)) as services:
                app = another_app(services)
                with keeping.of(app):
                    every_page.WALKS[name](services, app)
        assert app is not None
        return Walked(app, keeping)

    return take


def found(app: Flask, pages: Iterable[Kept], before: str = "") -> list[str]:
    """What is wrong with these pages; ``before`` it is looked for a script may be run."""
    with showing(app, pages) as shown, Window() as window:
        wrong = []
        for page, address in shown:
            window.open(address)
            if before:
                window.driver.execute_script(before)
            wrong += [f"{page}\n{one}" for one in violations(window)]
        return wrong


@pytest.mark.slow  # a hundred pages in three looks
@pytest.mark.timeout(600)
def test_no_page_there_is_breaks_a_rule(walk: Any) -> None:
    walked = walk(every_page.WALKS)
    keeping = walked.keeping
    assert (unmet_templates(keeping), unmet_addresses(walked.app, keeping)) == (set(), set())
    assert [str(page) for page in keeping.pages if page.status >= 500] == []
    assert found(walked.app, keeping.telling()) == []


def unmet_templates(keeping: Keeping) -> set[str]:
    """Pages that no walk has led to."""
    files = {str(file.relative_to(TEMPLATES)): file for file in TEMPLATES.rglob("*.html")}
    pieces = {name for file in files.values() for name in OTHERS.findall(file.read_text("utf-8"))}
    return set(files) - pieces - FRAGMENT - {page.template for page in keeping.pages}


def unmet_addresses(app: Flask, keeping: Keeping) -> set[str]:
    """Addresses that show a page, to which no walk has led."""
    known = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] not in FOR_MACHINES
    }
    shows = (page for page in keeping.pages if page.status < 400 or page.status == 429)
    met = {page.endpoint for page in shows}
    assert not NO_PAGE.keys() & met
    return known - NO_PAGE.keys() - met


def test_pages_of_every_day_break_no_rule(walk: Any) -> None:
    walked = walk(EVERY_DAY)
    fullest: dict[str, Kept] = {}
    for page in walked.keeping.telling():
        fullest.setdefault(page.template, page)
    assert len(fullest) > 5
    assert found(walked.app, fullest.values()) == []
    home = next(page for name, page in fullest.items() if "session-end" in page.html)
    assert found(walked.app, [home], DIALOG) == []


PLANTED = {
    "image-alt": "main.append(new Image())",
    "label": "main.append(document.createElement('input'))",
    "color-contrast": "document.querySelector('h1').style.color = 'light-dark(#fff, #222)'",
    "target-size": """for (const words of ['x', 'y']) {
      const tiny = main.appendChild(document.createElement('button'));
      tiny.textContent = words;
      tiny.style = 'all: unset; display: inline-block; width: 9px; height: 9px; font-size: 8px';
    }""",
}
"""By the rule that they break."""


def test_what_is_wrong_is_found(walk: Any) -> None:
    walked = walk(["portal.end_sessions"])
    page = next(page for page in walked.keeping.telling() if "sessions.html" in page.template)
    script = ";".join(["const main = document.querySelector('main')", *PLANTED.values()])
    wrong = found(walked.app, [page], script)
    assert {re.findall(r"\) ([a-z-]+): ", one)[0] for one in wrong} == set(PLANTED)
    in_the_dark = [one for one in wrong if "(dark)" in one]
    assert in_the_dark
    assert all("color-contrast" in one for one in in_the_dark)
