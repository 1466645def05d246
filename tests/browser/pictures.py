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
_BOX = """
const found = document.querySelector(arguments[0]).getBoundingClientRect();
return JSON.stringify([found.left + scrollX, found.top + scrollY, found.width, found.height]);
"""


def take(window: Window, name: str, language: str, *, css: str = "main") -> None:
    """A picture of an element, as WebP."""
    if not FOLDER:
        return
    left, top, width, height = json.loads(window.driver.execute_script(_BOX, css))
    clip = {
        "x": max(0, left - _AROUND),
        "y": max(0, top - _AROUND),
        "width": width + 2 * _AROUND,
        "height": height + 2 * _AROUND,
        "scale": 1,
    }
    shown = window.driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"format": "webp", "quality": 70, "clip": clip, "captureBeyondViewport": True},
    )
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{language}.webp").write_bytes(base64.b64decode(shown["data"]))
