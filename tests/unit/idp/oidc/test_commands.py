"""``dinhdanh client`` and ``dinhdanh keys``."""

from typing import Any

import pytest
from click.testing import CliRunner
from joserfc import jwt

from idp.commands import clients as commands
from idp.commands import keys
from idp.oidc import clients
from idp.oidc.clients import view as client_view
from idp.oidc.tokens import Tokens


@pytest.fixture
def run(services: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DINHDANH_DATA_DIR", str(services.settings.data_dir))
    monkeypatch.setenv("DINHDANH_DATABASE_URL", services.settings.database_url)
    monkeypatch.setenv("DINHDANH_KEYRING_FILE", str(services.settings.keyring_file))

    def invoke(*args: str) -> Any:
        every = (*commands.commands, *keys.commands)
        group = next(c for c in every if c.name == args[0])
        return CliRunner().invoke(group, list(args[1:]))

    return invoke


def _view(services: Any, client_id: str) -> Any:
    with services.db.hot() as connection:
        return client_view.view(connection, client_id)


def test_register_prints_id_and_secret_once(services: Any, run: Any) -> None:
    done = run("client", "register", "Văn bản", "--redirect-uri", "https://app.example/cb")
    assert done.exit_code == 0, done.output
    said = dict(line.split() for line in done.output.splitlines())
    found = _view(services, said["client_id"])
    secret = said["client_secret"]
    assert found.secret_fits(secret, keyring=services.keyring, now=services.clock())
    assert found.id_token_alg == "RS256"
    listed = run("client", "list").output
    assert said["client_id"] in listed
    assert secret not in listed


def test_a_refused_registration_says_why(run: Any) -> None:
    done = run("client", "register", "Văn bản", "--redirect-uri", "http://app.example/cb")
    assert done.exit_code == 1
    assert "https" in done.output


def test_rotate_and_disable(services: Any, run: Any) -> None:
    said = run("client", "register", "A", "--redirect-uri", "https://app.example/cb").output
    client_id = said.split()[1]
    done = run("client", "rotate", client_id)
    assert done.exit_code == 0, done.output
    secret = done.output.split()[1]
    found = _view(services, client_id)
    assert found.secret_fits(secret, keyring=services.keyring, now=services.clock())
    assert run("client", "disable", client_id).exit_code == 0
    assert _view(services, client_id) is None
    with services.db.read() as session:
        assert clients.get(session, client_id).epoch == 2
    assert run("client", "disable", "nobody").exit_code == 1


def test_keys_rotate_refuses_a_key_nobody_knows_yet(run: Any) -> None:
    first = run("keys", "rotate", "ES256")
    second = run("keys", "rotate", "ES256")
    assert "→" in first.output
    assert second.exit_code == 1


def test_a_key_that_has_leaked_is_replaced_at_once(run: Any) -> None:
    run("keys", "rotate", "ES256")
    done = run("keys", "rotate", "ES256", "--at-once")
    assert done.exit_code == 0, done.output
    old, _, new = done.output.split()
    listed = run("keys", "list").output
    assert old not in listed
    assert new in listed


def test_what_a_leaked_key_signed_is_not_ours_any_more(services: Any, run: Any) -> None:
    tokens = Tokens(services)
    signer = tokens.keys.signer("ES256")
    said = {"iss": services.settings.issuer, "sub": "lan"}
    forged = jwt.encode(signer.header(typ="JWT"), said, signer.key, ["ES256"])
    assert run("keys", "rotate", "ES256", "--at-once").exit_code == 0
    keys = tokens.keys.now()
    assert tokens.signed_by_us(forged, typ="JWT", keys=keys, now=services.clock()) is None


def test_keys_list_shows_what_signs_what_comes_and_what_is_going(run: Any) -> None:
    assert len(run("keys", "list").output.splitlines()) == 6
    old, _, new = run("keys", "rotate", "ES256").output.split()
    rows = [line.split("\t") for line in run("keys", "list").output.splitlines()]
    after = {row[2]: row for row in rows}
    assert after[old][1] == "retired"
    assert after[old][4] != "-"
    assert after[new][1] == "current"
    assert {line[1] for line in after.values() if line[0] == "ES256"} == {
        "retired",
        "current",
        "next",
    }
