"""Runs the scripts in node/, and is their person's hands: see node/talk.mjs."""

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.conftest import missing
from tests.interop.person import Person, Unexpected

NODE = Path(__file__).parent / "node"
PATIENCE = 120
"""Seconds for a script from its first word to its last."""


def require_node() -> str:
    """The program, if it and the packages are there."""
    node = shutil.which("node")
    if node is None:
        missing("Node.js")
    if not (NODE / "node_modules" / ".dinhdanh").exists():
        missing("tests/interop/node/node_modules (scripts/test-services)")
    return node or ""


def run(script: str, config: dict[str, Any], person: Person | None = None) -> dict[str, Any]:
    """What the script found. Whatever it prints besides is the failure's message."""
    with subprocess.Popen(
        [require_node(), str(NODE / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        try:
            return _talk(process, config, person)
        finally:
            late.cancel()
            process.kill()


def _talk(
    process: "subprocess.Popen[str]", config: dict[str, Any], person: Person | None
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    reply: dict[str, Any] = config
    while True:
        process.stdin.write(json.dumps(reply) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            process.kill()
            raise AssertionError(f"the script gave up:\n{process.stderr.read()}")
        said = json.loads(line)
        if "done" in said:
            found: dict[str, Any] = said["done"]
            return found
        assert person is not None, said
        reply = {"landed": _landed(person, said)}


def _landed(person: Person, said: dict[str, Any]) -> str:
    """Do what the script asks of the person; where that ends."""
    if "visit" in said:
        return person.landed(said["visit"], until=said["until"])
    person.shown = said["type"]
    page = person.page(said["page"])
    if page.status_code != 200:
        raise Unexpected(f"{page.status_code} {page.url}\n{page.text}")
    return str(page.url)
