"""One sign-in from its beginning to its end, as the scripts in node/ tell it, for either library."""

from typing import Any

from tests.interop import scripts

REDIRECT = "https://vanban.thanhhoa.example/callback"
GOODBYE = "https://vanban.thanhhoa.example/"
"""Nothing is there: the browser stops where it would go."""
LIBRARIES = ("openid-client", "oauth4webapi")


def sign_in(library: str, provider: Any, person: Any, party: Any, **how: Any) -> dict[str, Any]:
    """The whole story of one sign-in by one of the libraries."""
    config = party.config | {
        "issuer": provider.issuer,
        "redirect_uri": REDIRECT,
        "post_logout_redirect_uri": GOODBYE,
    }
    return scripts.run(f"{library}/flow.mjs", config | how, person)


def party(provider: Any, **columns: Any) -> Any:
    return provider.register(
        "Văn bản", redirect_uris=(REDIRECT,), post_logout_redirect_uris=(GOODBYE,), **columns
    )


def check(
    found: dict[str, Any], provider: Any, person: Any, *, forms: tuple[str, ...] = ("password",)
) -> None:
    """Whoever signed in is she, and nothing is left of it in the end."""
    assert found["claims"]["sub"] == provider.sub
    for told in (found["userinfo"], found["renewed"]):
        assert told["name"] == provider.full_name
    assert found["after_revocation"] == "invalid_grant"
    assert found["goodbye"] == "tạm biệt"
    assert person.filled_in == [*forms]
    after = person.page(f"{provider.issuer}/session/status")
    assert after.status_code == 401
