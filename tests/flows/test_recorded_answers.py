"""Every hot endpoint answers byte for byte as recorded, but for what differs from run to run.

The record (``tests/recorded/*.txt``) was made from the tree of commit 7f57585, when Flask and
Authlib's Flask integration answered all of it: a comparison for whoever moves these endpoints, not
a statement that each of its answers is the best there could be. Where an answer is to change, write
it anew and look at the difference:

    RECORD_ANSWERS=1 pytest tests/flows/test_recorded_answers.py && git diff tests/recorded
"""

import difflib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from idp.oidc.clients import ResponseType
from tests.proving import Authority, authority, believing
from tests.recorded.recorder import Recorder
from tests.relying_party import build_world

__all__ = ["authority"]

RECORD = Path(__file__).parents[1] / "recorded"
SCENES = (
    "authorize",
    "device_authorization",
    "documents",
    "https",
    "introspection",
    "nowhere",
    "par",
    "revocation",
    "token",
    "userinfo",
)


@pytest.fixture
def settings(make_settings: Any, authority: Authority, tmp_path: Any, request: Any) -> Any:
    secure = request.node.callspec.params["scene"] == "https"
    return make_settings(
        issuer="https://dangnhap.example.gov.vn" if secure else "http://localhost:8000",
        response_types=[kind.value for kind in ResponseType],
        **believing(authority, tmp_path, mtls_base="https://mtls.localhost:8443"),
    )


@pytest.mark.parametrize("scene", SCENES)
def test_answers_are_as_recorded(
    scene: str, services: Any, clock: Any, app: Flask, client: Any, authority: Authority
) -> None:
    app.testing = False
    at = Recorder(app.wsgi_app, build_world(services, clock), client, authority.issue())
    import_module(f"tests.recorded.{scene}").scene(at)
    file, found = RECORD / f"{scene}.txt", at.text()
    if os.environ.get("RECORD_ANSWERS"):
        file.write_text(found, "utf-8")
    known = file.read_text("utf-8")
    if known != found:
        both = known.splitlines(), found.splitlines()
        differ = difflib.unified_diff(*both, str(file), "answered now", lineterm="", n=12)
        pytest.fail("\n".join(differ), pytrace=False)
