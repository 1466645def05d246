"""``dinhdanh client``: what an operator registers, looks at, and hands out."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from idp.commands import clients as commands
from idp.oidc import clients
from idp.oidc.clients import invites
from idp.oidc.clients import view as client_view

REDIRECT = ("--redirect-uri", "https://app.example/cb")


@pytest.fixture
def run(services: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DINHDANH_DATA_DIR", str(services.settings.data_dir))
    monkeypatch.setenv("DINHDANH_DATABASE_URL", services.settings.database_url)
    monkeypatch.setenv("DINHDANH_KEYRING_FILE", str(services.settings.keyring_file))

    def invoke(*args: str) -> Any:
        return CliRunner().invoke(commands.client, list(args))

    return invoke


@pytest.fixture
def keys(tmp_path: Path) -> str:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    return str(file)


def _registered(services: Any, done: Any) -> Any:
    assert done.exit_code == 0, done.output
    said = dict(line.split() for line in done.output.splitlines())
    with services.db.hot() as connection:
        return client_view.view(connection, said["client_id"])


def test_a_profile_and_the_keys_of_a_file(services: Any, run: Any, keys: str) -> None:
    method = ("--auth-method", "private_key_jwt", "--jwks", keys)
    found = _registered(services, run("register", "A", *REDIRECT, *method, "--profile", "fapi2"))
    assert found.options.profile is clients.Profile.FAPI2
    assert found.options.dpop_bound_access_tokens
    assert found.options.require_pushed_authorization_requests
    assert found.secrets == []
    assert len(found.options.jwks["keys"]) == 1


def test_every_switch_reaches_the_client(services: Any, run: Any, keys: str) -> None:
    done = run(
        "register",
        "A",
        *REDIRECT,
        *("--jwks", keys, "--par", "--dpop", "--signed-requests", "--no-pkce", "--pairwise"),
        *("--frontchannel-logout-uri", "https://app.example/out"),
        *("--resource", "https://api.example", "--minimum-acr", "urn:vn:aal:2"),
        *("--request-uri", "https://app.example/r.jwt"),
        *("--set", "userinfo_signed_response_alg=ES256"),
    )
    found = _registered(services, done)
    options = found.options
    assert found.sector == "app.example"
    assert not found.pkce_required
    assert options.par_required
    assert options.signed_request_required
    assert options.sender_constrained
    assert options.frontchannel_logout_uri == "https://app.example/out"
    assert options.resources == ("https://api.example",)
    assert options.minimum_acr == "urn:vn:aal:2"
    assert options.request_uris == ("https://app.example/r.jwt",)
    assert options.userinfo_signed_response_alg == "ES256"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "fapi2"), "auth_method"),
        (("--auth-method", "private_key_jwt"), "jwks"),
        (("--response-type", "id_token"), "id_token"),
        (("--set", "first_party=1"), "first_party"),
        (("--set", "userinfo_signed_response_alg=none"), "userinfo_signed_response_alg"),
        (("--application", "nowhere"), ""),
    ],
)
def test_what_is_refused_says_which_field(
    services: Any, run: Any, arguments: tuple[str, ...], said: str
) -> None:
    with services.db.read() as session:
        before = len(clients.all_clients(session))
    done = run("register", "A", *REDIRECT, *arguments)
    assert done.exit_code != 0
    assert said in done.output
    with services.db.read() as session:
        assert len(clients.all_clients(session)) == before


def test_show_tells_everything_but_secrets(services: Any, run: Any) -> None:
    done = run("register", "A", *REDIRECT, "--resource", "https://api.example", "--first-party")
    said = dict(line.split() for line in done.output.splitlines())
    shown = run("show", said["client_id"])
    assert said["client_secret"] not in shown.output
    found = json.loads(shown.output)
    assert found["first_party"] is True
    assert found["resources"] == ["https://api.example"]
    assert found["redirect_uris"] == ["https://app.example/cb"]
    assert found["manages_itself"] is False
    assert "hash" not in shown.output
    assert run("show", "nobody").exit_code == 1


def test_an_old_secret_works_as_long_as_was_said(services: Any, run: Any) -> None:
    done = run("register", "A", *REDIRECT)
    client_id, old = (line.split()[1] for line in done.output.splitlines())
    new = run("rotate", client_id, "--overlap-days", "2").output.split()[1]

    def fits(secret: str, *, days: int) -> bool:
        with services.db.hot() as connection:
            found = client_view.view(connection, client_id)
        assert found is not None
        now = services.clock() + timedelta(days=days)
        return found.secret_fits(secret, keyring=services.keyring, now=now)

    # The command's clock is the real one, years after that of the tests or before it.
    assert fits(new, days=0)
    assert run("retire-secrets", client_id).exit_code == 0
    assert not fits(old, days=0)
    assert fits(new, days=0)
    newer = run("rotate", client_id, "--overlap-days", "0").output.split()[1]
    assert fits(newer, days=0)


def test_an_invitation_is_printed_once_listed_and_withdrawn(services: Any, run: Any) -> None:
    done = run("invite", "--uses", "3", "--days", "2", "--note", "Sở Tài chính")
    assert done.exit_code == 0, done.output
    token = done.output.split()[1]
    listed = run("invites").output
    assert token not in listed
    number, uses, _until, note = listed.rstrip("\n").split("\t")
    assert (uses, note) == ("3", "Sở Tài chính")
    assert run("uninvite", number).exit_code == 0
    assert run("invites").output == ""
    with services.db.hot() as connection:
        assert not invites.good(connection, token, keyring=services.keyring, now=services.clock())
    assert run("uninvite", "77").exit_code == 1


@pytest.mark.parametrize("arguments", [("--uses", "0"), ("--days", "0"), ("--days", "99999")])
def test_an_invitation_has_bounds(run: Any, arguments: tuple[str, ...]) -> None:
    assert run("invite", *arguments).exit_code == 1
    assert run("invites").output == ""
