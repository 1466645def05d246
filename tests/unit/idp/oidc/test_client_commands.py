"""``dinhdanh client``: what an operator registers, looks at, and hands out."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from directory.entitlements import Application
from idp.commands import clients as commands
from idp.console.snippets import Snippet
from idp.oidc import clients
from idp.oidc.clients import invites
from idp.oidc.clients import view as client_view

AAL2 = "urn:vn:aal:2"
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
    with services.db.read() as session:
        assert session.get_one(clients.Client, found.id).sector == "app.example"
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
    assert "hash" not in shown.output.replace(said["client_id"], "")  # which is drawn
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


def _client_id(run: Any, *more: str) -> str:
    return str(run("register", "A", *REDIRECT, *more).output.split()[1])


def _shown(run: Any, client_id: str) -> Any:
    return json.loads(run("show", client_id).output)


def test_set_changes_what_is_named_and_nothing_else(run: Any, keys: str) -> None:
    client_id = _client_id(run, "--resource", "https://api.example")
    before = _shown(run, client_id)
    done = run(
        "set",
        client_id,
        "name=Một cửa",
        "redirect_uris=https://app.example/cb?a=1,2,https://app.example/two",
        "redirect_uris=https://app.example/three",
        "post_logout_redirect_uris=https://app.example/",
        "backchannel_logout_uri=https://app.example/behind",
        "frontchannel_logout_uri=https://app.example/out",
        "scope=openid profile",
        "minimum_acr=urn:vn:aal:2",
        "minimum_eid_level=2",
        f"jwks={keys}",
        "require_pkce=false",
        "first_party=true",
    )
    assert done.exit_code == 0, done.output
    assert done.output == f"{client_id} changed\n"
    after = _shown(run, client_id)
    assert len(after.pop("jwks")["keys"]) == 1
    assert {name: value for name, value in after.items() if before.get(name) != value} == {
        "client_name": "Một cửa",
        "redirect_uris": [
            "https://app.example/cb?a=1,2",
            "https://app.example/two",
            "https://app.example/three",
        ],
        "post_logout_redirect_uris": ["https://app.example/"],
        "backchannel_logout_uri": "https://app.example/behind",
        "backchannel_logout_session_required": True,
        "frontchannel_logout_uri": "https://app.example/out",
        "frontchannel_logout_session_required": True,
        "scope": "openid profile",
        "minimum_acr": "urn:vn:aal:2",
        "minimum_eid_level": 2,
        "require_pkce": False,
        "first_party": True,
    }


def test_set_takes_away_what_is_said_empty(run: Any) -> None:
    out = ("--frontchannel-logout-uri", "https://app.example/out")
    client_id = _client_id(run, *out, "--resource", "https://api.example", "--minimum-acr", AAL2)
    names = ("frontchannel_logout_uri=", "resources=", "minimum_acr=", "minimum_eid_level=")
    assert run("set", client_id, *names).exit_code == 0
    found = _shown(run, client_id)
    assert "frontchannel_logout_uri" not in found
    assert found["frontchannel_logout_session_required"] is False
    assert found["resources"] == []
    assert found["minimum_acr"] is None


def test_set_chooses_a_profile_and_prints_a_secret_that_is_new(run: Any, keys: str) -> None:
    client_id = _client_id(run)
    method = "token_endpoint_auth_method=private_key_jwt"
    done = run("set", client_id, method, f"jwks={keys}", "profile=fapi2")
    assert done.output == f"{client_id} changed\n"
    found = _shown(run, client_id)
    assert found["fapi_profile"] == "fapi2"
    assert found["dpop_bound_access_tokens"] is True
    assert found["secrets"] == []
    done = run("set", client_id, "auth_method=client_secret_basic", "profile=standard")
    assert done.output.splitlines()[1].startswith("client_secret ")
    assert len(_shown(run, client_id)["secrets"]) == 1


@pytest.mark.parametrize(
    ("pair", "field"),
    [
        ("redirect_uris=https://app.example/cb#x", "redirect_uris"),
        ("redirect_uris=", "redirect_uris"),
        ("name=", "name"),
        ("scopes=openid,everything", "scopes"),
        ("profile=fapi2", "auth_method"),
        ("profile=fapi3", "profile"),
        ("frontchannel_logout_uri=https://elsewhere.example/out", "frontchannel_logout_uri"),
        ("minimum_acr=highest", "minimum_acr"),
        ("minimum_eid_level=3", "minimum_eid_level"),
        ("minimum_eid_level=two", "minimum_eid_level"),
        ("require_pkce=no", "require_pkce"),
        ("require_pkce=", "require_pkce"),
        ("response_types=id_token", "id_token"),
        ("jwks=/nowhere/keys.json", "jwks"),
        ("application=nowhere", ""),
        ("introspect_all=true", "introspect_all"),
        ("client_id=other", "client_id"),
        ("name", "name"),
    ],
)
def test_set_refuses_by_field_and_changes_nothing(run: Any, pair: str, field: str) -> None:
    client_id = _client_id(run)
    before = _shown(run, client_id)
    done = run("set", client_id, "first_party=true", pair)
    assert done.exit_code != 0
    assert field in done.output
    assert _shown(run, client_id) == before


SAID = {
    "default_max_age": ("3600", 3600),
    "contacts": ("lan@app.example,mai@app.example", ["lan@app.example", "mai@app.example"]),
    "default_acr_values": (AAL2, [AAL2]),
    "require_auth_time": ("true", True),
    "tos_uri": ("https://app.example/tos", "https://app.example/tos"),
    "request_uris": ("https://app.example/r.jwt", ["https://app.example/r.jwt"]),
    "backchannel_logout_session_required": ("false", None),
    "minimum_acr": (AAL2, AAL2),
    "pin_auth_method": ("true", True),
    "subject_type": ("pairwise", "pairwise"),
    "access_token_format": ("jwt", "jwt"),
    "response_types": ("code", ["code"]),
}


@pytest.mark.parametrize("name", SAID)
def test_register_takes_by_name_what_set_takes_and_show_tells_it(run: Any, name: str) -> None:
    text, value = SAID[name]
    client_id = _client_id(run, "--set", f"{name}={text}")
    other = _client_id(run)
    assert run("set", other, f"{name}={text}").exit_code == 0
    assert _shown(run, client_id).get(name) == _shown(run, other).get(name) == value


def test_show_tells_the_application_and_what_nobody_sets(services: Any, run: Any) -> None:
    with services.db.write() as session:
        session.add(Application(code="vanban", name="Văn bản"))
    shown = _shown(run, _client_id(run, "--application", "vanban"))
    assert (shown["application"], shown["introspect_all"]) == ("vanban", False)
    client_id = _client_id(run, "--set", "application=vanban")
    assert _shown(run, client_id)["application"] == "vanban"
    assert run("set", client_id, "application=").exit_code == 0
    assert _shown(run, client_id)["application"] is None


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--set", "name=B"), "name"),
        (("--jwt", "--set", "access_token_format=opaque"), "access_token_format"),
        (("--application", "a", "--set", "application=b"), "application"),
        (("--id-token-alg", "ES256", "--id-token-alg", "PS256"), "id_token_alg"),
        (("--jwks", __file__), "body"),
        (("--jwks", "/nowhere/keys.json"), "jwks"),
    ],
)
def test_what_is_said_twice_or_cannot_be_read_is_refused(
    run: Any, arguments: tuple[str, ...], field: str
) -> None:
    done = run("register", "A", *REDIRECT, *arguments)
    assert done.exit_code in (1, 2)
    assert "Error: " in done.output
    assert field in done.output
    assert run("list").output.count("\n") == run("list").output.count("dinhdanh-probe")


def test_the_words_of_a_response_type_come_in_any_order(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DINHDANH_RESPONSE_TYPES", '["code", "code id_token"]')
    client_id = _client_id(run)
    pairs = ("response_types=code,id_token code", "grant_types=authorization_code,implicit")
    done = run("set", client_id, *pairs)
    assert done.exit_code == 0, done.output
    assert _shown(run, client_id)["response_types"] == ["code", "code id_token"]


def test_set_leaves_the_installations_own_client_alone(services: Any, run: Any) -> None:
    with services.db.write() as session:
        clients.ensure_probe_client(session, services.keyring, services.clock())
    assert run("show", clients.PROBE).exit_code == 0
    assert run("set", clients.PROBE, "first_party=true").exit_code == 1
    assert run("set", "nobody", "first_party=true").exit_code == 1


def test_a_client_is_enabled_again(services: Any, run: Any) -> None:
    client_id = _client_id(run)

    def known() -> bool:
        with services.db.hot() as connection:
            return client_view.view(connection, client_id) is not None

    assert run("disable", client_id).exit_code == 0
    assert not known()
    assert run("enable", client_id).output == f"{client_id} enabled\n"
    assert known()
    assert run("enable", "nobody").exit_code == 1


@pytest.mark.parametrize("kind", list(Snippet))
def test_a_snippet_has_all_but_the_secret(services: Any, run: Any, kind: Snippet) -> None:
    two = "https://app.example/two"
    registered = run("register", "A", *REDIRECT, "--redirect-uri", two).output.split()
    client_id, secret = registered[1], registered[3]
    done = run("snippet", client_id, "--kind", kind.value)
    assert done.exit_code == 0, done.output
    for there in (client_id, "<client_secret>", services.settings.issuer, REDIRECT[1]):
        assert there in done.output
    assert secret not in done.output
    assert two in run("snippet", client_id, "--kind", kind.value, "--redirect-uri", two).output


@pytest.mark.parametrize(
    ("registered", "asked", "field"),
    [
        ((), ("--redirect-uri", "https://evil.example/cb"), "redirect_uri"),
        (("--native", "--auth-method", "none"), (), "auth_method"),
        (("--native",), (), "kind"),
    ],
)
def test_a_snippet_that_would_not_work_is_refused_by_field(
    run: Any, registered: tuple[str, ...], asked: tuple[str, ...], field: str
) -> None:
    done = run("snippet", _client_id(run, *registered), "--kind", "flask", *asked)
    assert done.exit_code == 1
    assert f"{field}: " in done.output
