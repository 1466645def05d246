"""Paths that are none."""

from tests.recorded.calls import ELSEWHERE, ENGLISH
from tests.recorded.recorder import Recorder


def scene(at: Recorder) -> None:
    at.part("paths that are none")
    for path in ("/oauth2", "/oauth2/", "/oauth2/nothing", "/oauth2/token/../userinfo"):
        for method in ("GET", "POST", "OPTIONS"):
            at.ask(f"by {method}", method, path)
    at.ask("in English", "GET", "/oauth2/nothing", headers=ENGLISH)
    at.ask("to another host", "GET", "/oauth2/nothing", headers={"host": "elsewhere.example"})
    at.ask("from a page of another origin", "POST", "/oauth2/nothing", form={}, headers=ELSEWHERE)
