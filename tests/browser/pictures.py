"""Pictures for the documents, taken on the way of a test: what people read is what was just tested.

    PICTURES=docs/images/signing-in pytest tests/browser/test_walkthrough.py     (make pictures)

Without that variable nothing is taken.
"""

import base64
import json
import os
from pathlib import Path

from tests.browser.window import Window

FOLDER = os.environ.get("PICTURES", "")
WIDTH = 820
"""Of the window in which they are taken: every page is wide, and nothing is lost at its sides."""
_AROUND = 10
"""Of the page around a card."""
_BOX = """
const found = document.querySelector(arguments[0]).getBoundingClientRect();
return JSON.stringify([found.left + scrollX, found.top + scrollY, found.width, found.height]);
"""


def take(window: Window, name: str, language: str, *, css: str = "main") -> None:
    """A picture of an element, as WebP."""
    if not FOLDER:
        return
    left, top, width, height = json.loads(window.driver.execute_script(_BOX, css))
    around = 0 if css in ("main", "body") else _AROUND
    clip = {
        "x": left - around,
        "y": top - around,
        "width": width + 2 * around,
        "height": height + 2 * around,
        "scale": 1,
    }
    shown = window.driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"format": "webp", "quality": 60, "clip": clip, "captureBeyondViewport": True},
    )
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{language}.webp").write_bytes(base64.b64decode(shown["data"]))
