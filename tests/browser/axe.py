"""axe-core in a window: what it holds against the page that stands there.

Injected by the driver, which a page's Content-Security-Policy does not stop; the page itself is as
people get it.
"""

import json
from collections.abc import Iterable
from functools import cache

from tests.browser.window import PHONE, Window
from tests.conftest import missing
from tests.interop.scripts import NODE

SOURCE = NODE / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""Every level A and AA rule up to WCAG 2.2; advice ("best-practice") is not among them."""
BY_COLOUR = ["color-contrast", "link-in-text-block"]
"""What the colour scheme can change."""
BY_WIDTH = ["color-contrast", "target-size", "scrollable-region-focusable"]
"""What the width of the window can change."""
_RUN = """
const [only, done] = arguments;
for (const each of document.querySelectorAll('details')) each.open = true;
axe.run({runOnly: only, resultTypes: ['violations'], elementRef: false, preload: false})
  .then(found => done(JSON.stringify(found.violations.flatMap(one => one.nodes.map(node =>
    `${one.id}: ${node.target.join(' ')}\\n  ${node.html.slice(0, 200)}\\n  ${node.failureSummary}`)))))
  .catch(error => done(JSON.stringify(['axe: ' + error])));
"""


@cache
def source() -> str:
    """The program, where scripts/test-node has brought it in."""
    if not SOURCE.exists():
        missing("axe-core (scripts/test-services)")
    return SOURCE.read_text("utf-8")


def violations(window: Window, *, looks: Iterable[str] = ("desk", "dark", "phone")) -> list[str]:
    """What is wrong with the page: element and reason. With every part of it folded out; on a desk by
    every rule, in the dark and on a phone by those that may say something else there.
    """
    window.driver.execute_script(source())
    found = []
    for look in looks:
        _look(window, look)
        only = {"desk": ("tag", TAGS), "dark": ("rule", BY_COLOUR), "phone": ("rule", BY_WIDTH)}
        kind, values = only[look]
        said = window.driver.execute_async_script(_RUN, {"type": kind, "values": values})
        found += [f"({look}) {one}" for one in json.loads(said)]
    _look(window, "desk")
    return found


def _look(window: Window, look: str) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if look == "dark" else "light"}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = (PHONE, 844) if look == "phone" else (1280, 1000)
    window.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
    )
