"""Discovery and keys."""

from tests.recorded.calls import ELSEWHERE, MTLS
from tests.recorded.recorder import Recorder


def scene(at: Recorder) -> None:
    places = {
        "discovery": "/.well-known/openid-configuration",
        "metadata": "/.well-known/oauth-authorization-server",
        "keys": "/oauth2/jwks",
        "our API": "/.well-known/oauth-protected-resource/api/v1",
    }
    for title, path in places.items():
        at.part(title)
        found = at.ask("read", "GET", path)
        etag = found.header("etag")
        if etag:
            at.name(etag, "etag") if title == "keys" else None
            at.ask("read again", "GET", path, headers={"if-none-match": etag})
            at.ask("read again, by HEAD", "HEAD", path, headers={"if-none-match": etag})
        at.ask("another one is known", "GET", path, headers={"if-none-match": '"x"'})
        at.ask("by HEAD", "HEAD", path)
        at.ask("with a query", "GET", path + "?x=1")
        at.ask("from a page of another origin", "GET", path, headers=ELSEWHERE)
        at.ask("by POST", "POST", path, form={})
        at.ask("by OPTIONS", "OPTIONS", path, headers=ELSEWHERE)
        at.ask("to another host", "GET", path, headers={"host": "elsewhere.example"})
        at.ask(
            "by POST to another host", "POST", path, form={}, headers={"host": "elsewhere.example"}
        )
        at.ask("where certificates are asked for", "GET", path, headers={"host": MTLS})
        at.ask("with a slash behind", "GET", path + "/")
        at.ask("below it", "GET", path + "/x")
