"""Registration: each field is checked, and what is stored cannot be used to sign in."""

from datetime import timedelta
from typing import Any

import pytest

from directory.base.audit import Actor
from directory.base.errors import InvalidInput, NotFound
from idp.oidc import clients
from idp.oidc.clients import AuthMethod, ClientKind, GrantType, Registration, redirects
from idp.oidc.clients import view as client_view

OPERATOR = Actor.operator("kiểm thử")
GOOD: dict[str, Any] = {"name": "Văn bản", "redirect_uris": ("https://app.example/cb",)}


def _register(services: Any, clock: Any, **values: Any) -> Any:
    with services.db.write() as session:
        return clients.register(
            session,
            Registration(**(GOOD | values)),
            keyring=services.keyring,
            actor=OPERATOR,
            now=clock(),
        )


BAD = [
    ({"name": "  "}, "name"),
    ({"name": "n" * 201}, "name"),
    ({"redirect_uris": ()}, "redirect_uris"),
    ({"redirect_uris": ("https://app.example/cb#x",)}, "redirect_uris"),
    ({"redirect_uris": ("https://*.example/cb",)}, "redirect_uris"),
    ({"redirect_uris": ("http://app.example/cb",)}, "redirect_uris"),
    ({"redirect_uris": ("https://đ.example/cb",)}, "redirect_uris"),
    ({"redirect_uris": ("https://app.example/đ",)}, "redirect_uris"),
    ({"redirect_uris": ("https://a:b@app.example/",)}, "redirect_uris"),
    ({"redirect_uris": ("https://app.example:x/",)}, "redirect_uris"),
    ({"redirect_uris": ("/cb",)}, "redirect_uris"),
    ({"redirect_uris": ("javascript:alert(1)",)}, "redirect_uris"),
    ({"redirect_uris": ("vn.example.app:/cb",)}, "redirect_uris"),
    ({"kind": ClientKind.NATIVE, "redirect_uris": ("app:/cb",)}, "redirect_uris"),
    ({"redirect_uris": ("https://app.example/ cb",)}, "redirect_uris"),
    ({"redirect_uris": ("https://app.example/\n",)}, "redirect_uris"),
    ({"post_logout_redirect_uris": ("http://app.example/",)}, "post_logout_redirect_uris"),
    ({"backchannel_logout_uri": "http://app.example/out"}, "backchannel_logout_uri"),
    ({"grant_types": ()}, "grant_types"),
    ({"grant_types": (GrantType.REFRESH,), "redirect_uris": ()}, "grant_types"),
    ({"auth_method": AuthMethod.NONE, "grant_types": tuple(GrantType)}, "auth_method"),
    ({"scopes": ("openid", "root")}, "scopes"),
    ({"id_token_alg": "none"}, "id_token_alg"),
    ({"id_token_alg": "HS256"}, "id_token_alg"),
    ({"application_id": 404}, "application_id"),
    ({"resource_server": True, "auth_method": AuthMethod.NONE}, "resource_server"),
]


@pytest.mark.parametrize(("values", "field"), BAD)
def test_a_wrong_field_is_named(
    services: Any, clock: Any, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        _register(services, clock, **values)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "uri", ["https://app.example/cb?x=1", "http://localhost:9001/cb", "http://[::1]/cb"]
)
def test_ordinary_addresses_are_taken(services: Any, clock: Any, uri: str) -> None:
    made, _ = _register(services, clock, redirect_uris=(uri,))
    assert made.redirect_uris == [uri]


def test_a_native_application_may_use_its_own_scheme(services: Any, clock: Any) -> None:
    uri = "vn.example.app:/cb"
    made, secret = _register(
        services, clock, kind=ClientKind.NATIVE, auth_method=AuthMethod.NONE, redirect_uris=(uri,)
    )
    assert made.redirect_uris == [uri]
    assert secret is None


def test_the_secret_itself_is_not_stored(services: Any, clock: Any) -> None:
    made, secret = _register(services, clock)
    assert secret is not None
    assert secret not in repr(made.secrets)
    with services.db.hot() as connection:
        found = client_view.view(connection, made.client_id)
    assert found is not None
    assert found.secret_fits(secret, keyring=services.keyring, now=clock())
    assert not found.secret_fits(secret[:-1], keyring=services.keyring, now=clock())
    assert secret not in repr(found)


def test_a_second_rotation_keeps_only_the_last_two(services: Any, clock: Any) -> None:
    made, first = _register(services, clock)
    secrets = [first]
    for _ in range(2):
        with services.db.write() as session:
            secrets.append(
                clients.rotate_secret(
                    session,
                    clients.get(session, made.id),
                    keyring=services.keyring,
                    actor=OPERATOR,
                    now=clock(),
                    overlap=timedelta(hours=1),
                )
            )
    with services.db.hot() as connection:
        found = client_view.view(connection, made.client_id)
    assert found is not None
    fits = [found.secret_fits(s, keyring=services.keyring, now=clock()) for s in secrets]
    assert fits == [False, True, True]


def test_the_probe_client_is_made_once_with_a_derived_secret(services: Any, clock: Any) -> None:
    for _ in range(2):
        with services.db.write() as session:
            clients.ensure_probe_client(session, services.keyring, clock())
    with services.db.hot() as connection:
        found = client_view.view(connection, clients.PROBE)
    assert found is not None
    secret = clients.probe_secret(services.keyring)
    assert found.secret_fits(secret, keyring=services.keyring, now=clock())


def test_an_unknown_client_is_not_found(services: Any) -> None:
    with services.db.read() as session, pytest.raises(NotFound):
        clients.get(session, "nobody")


@pytest.mark.parametrize(
    ("uri", "native", "fits"),
    [
        ("http://127.0.0.1/cb", False, True),
        ("http://127.0.0.1:5000/cb", False, False),
        ("http://127.0.0.1:5000/cb", True, True),
        ("http://127.0.0.1:5000/cb?x", True, False),
        ("http://localhost:5000/cb", True, False),
        ("http://evil@127.0.0.1:5000/cb", True, False),
        ("https://app.example:444/", True, False),
    ],
)
def test_only_the_port_of_a_native_loopback_may_differ(uri: str, native: bool, fits: bool) -> None:
    known = ["http://127.0.0.1/cb", "https://app.example/"]
    assert redirects.registered(uri, known, native=native) is fits


def test_parameters_are_added_without_touching_what_was_registered() -> None:
    assert redirects.with_query("https://a.example/cb?x=%2f", [("s", "a b")]).endswith(
        "x=%2f&s=a+b"
    )
