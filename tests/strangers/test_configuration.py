"""What an operator gets wrong: the file's name, a setting's name, the editor, the cluster, the mode.

Each is one sentence that names the thing, exit status 1, and nothing made: never a new, empty
installation beside the one that was meant.
"""

import io
import os
import re
import secrets
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import make_url, text

from directory.base.db import unpooled
from idp.commands import main
from tests.command_line import Outcome
from tests.conftest import SERVER, missing


@pytest.fixture
def dinhdanh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run one command line in an empty folder, in this process, into streams like a terminal's."""

    def run(*arguments: str, encoding: str = "utf-8", umask: int = 0o022, **env: str) -> Outcome:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        before = os.umask(umask)
        try:
            with monkeypatch.context() as patch:
                patch.chdir(tmp_path)
                patch.delenv("LC_ALL", raising=False)
                patch.setenv("LANG", "vi_VN")
                for name, value in env.items():
                    patch.setenv(name, value)
                patch.setattr(sys, "argv", ["dinhdanh", *arguments])
                patch.setattr(sys, "stdout", out)
                patch.setattr(sys, "stderr", err)
                with pytest.raises(SystemExit) as ended:
                    main.main()
        finally:
            os.umask(before)
        said = []
        for stream in (out, err):
            stream.flush()
            said.append(
                stream.buffer.getvalue().decode("utf-8" if encoding == "ascii" else encoding)
            )  # type: ignore[attr-defined]
        return Outcome(ended.value.code if isinstance(ended.value.code, int) else 1, *said)

    return run


def _refused(outcome: Outcome, *words: str) -> None:
    """One sentence with these words in it, and no crash."""
    assert outcome.code == 1, outcome.said
    assert "Traceback" not in outcome.said
    lines = [line for line in outcome.err.splitlines() if "(Ctrl-C" not in line]
    assert len(lines) == 1, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


# ---- the file --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("migrate",), ("check",), ("serve",), ("user", "admin")])
def test_a_configuration_file_that_is_named_must_be_there(
    dinhdanh: Any, tmp_path: Path, command: tuple[str, ...]
) -> None:
    _refused(dinhdanh(*command, DINHDANH_CONFIG="/etc/dinhdanh/dinhdan.toml"), "dinhdan.toml")
    assert list(tmp_path.iterdir()) == []  # no new, empty installation


def test_a_configuration_file_that_cannot_be_read_is_one_sentence(
    dinhdanh: Any, tmp_path: Path
) -> None:
    (tmp_path / "folder.toml").mkdir()
    _refused(dinhdanh("check", DINHDANH_CONFIG="folder.toml"), "folder.toml")
    (tmp_path / "utf16.toml").write_text('issuer = "http://localhost:8000"\n', "utf-16")
    _refused(dinhdanh("check", DINHDANH_CONFIG="utf16.toml"), "utf16.toml", "UTF-8")
    (tmp_path / "tcvn3.toml").write_bytes(b'# ghi ch\xfb\nissuer = "http://localhost:8000"\n')
    _refused(dinhdanh("check", DINHDANH_CONFIG="tcvn3.toml"), "tcvn3.toml", "UTF-8")


def test_an_editor_may_begin_the_file_with_a_byte_order_mark(dinhdanh: Any, tmp_path: Path) -> None:
    text = '# soạn bằng Notepad\r\ndata_dir = "ở đây"\r\n'
    (tmp_path / "dinhdanh.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    made = dinhdanh("migrate")
    assert made.code == 0, made.said
    assert (tmp_path / "ở đây" / "dinhdanh.db").exists()


# ---- the names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("DINHDANH_KEYRING", "DINHDANH_KEYRING_FILE"),
        ("DINHDANH_DATABSE_URL", "DINHDANH_DATABASE_URL"),
        ("DINHDANH_TRUSTED_PROXY", "DINHDANH_TRUSTED_PROXIES"),
        ("dinhdanh_isuer", "DINHDANH_ISSUER"),
    ],
)
def test_a_misspelt_setting_of_the_environment_is_refused_with_the_one_that_was_meant(
    dinhdanh: Any, tmp_path: Path, wrong: str, meant: str
) -> None:
    _refused(dinhdanh("migrate", **{wrong: "x"}), wrong, meant)
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_setting_of_the_file_is_refused_with_the_one_that_was_meant(
    dinhdanh: Any, tmp_path: Path
) -> None:
    file = tmp_path / "dinhdanh.toml"
    for wrong, meant in (("isuer", "issuer"), ("trusted_proxy", "trusted_proxies")):
        file.write_text(f'{wrong} = "x"\n')
        _refused(dinhdanh("migrate"), wrong, meant)
    file.write_text("[dinhdanh]\nissuer = 'x'\n")  # a table nobody asked for
    _refused(dinhdanh("migrate"), "dinhdanh")
    assert [each.name for each in tmp_path.iterdir()] == ["dinhdanh.toml"]


def test_wrong_names_and_wrong_values_are_told_at_once(dinhdanh: Any) -> None:
    said = dinhdanh("check", DINHDANH_PROT="8000", DINHDANH_LOCK_AFTER="many")
    assert said.code == 1
    for word in ("DINHDANH_PROT", "DINHDANH_PORT", "lock_after"):
        assert word in said.err, said.err


# ---- secrets on the disk ---------------------------------------------------------------------


def _modes(folder: Path) -> dict[str, str]:
    return {
        each.name: oct(stat.S_IMODE(each.stat().st_mode))
        for each in [folder, *folder.rglob("*")]
        if each.name != "worker.beat"
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o007])
def test_what_is_secret_is_made_for_its_owner_alone_whatever_the_umask(
    dinhdanh: Any, tmp_path: Path, umask: int
) -> None:
    folder = tmp_path / "lib" / "dinhdanh"
    made = dinhdanh("migrate", umask=umask, DINHDANH_DATA_DIR=str(folder))
    assert made.code == 0, made.said
    assert dinhdanh("user", "admin", umask=umask, DINHDANH_DATA_DIR=str(folder)).code == 0
    modes = _modes(folder)
    assert {"dinhdanh.db", "keyring.json", "audit-checkpoints.log"} <= set(modes)
    assert modes.pop("dinhdanh") == "0o700"
    assert set(modes.values()) == {"0o600"}, modes
    assert stat.S_IMODE(folder.parent.stat().st_mode) & 0o022 == 0
    checked = dinhdanh("check", DINHDANH_DATA_DIR=str(folder))
    assert checked.code == 0, checked.said


@pytest.mark.usefixtures("new_installation")
@pytest.mark.parametrize(
    ("mode", "fits"),
    [(0o644, False), (0o604, False), (0o602, False), (0o666, False), (0o640, True), (0o600, True)],
    ids=oct,
)
def test_check_names_a_tls_key_that_others_may_read(
    dinhdanh: Any, tmp_path: Path, mode: int, fits: bool
) -> None:
    """A group may read it: that of the web server, as Debian's ``ssl-cert`` does."""
    key, chain = tmp_path / "tls.key", tmp_path / "tls.crt"
    key.touch()
    chain.touch(mode=0o644)
    key.chmod(mode)
    given = {
        "DINHDANH_TLS_KEY": str(key),
        "DINHDANH_TLS_CERTIFICATE": str(chain),
        "DINHDANH_ISSUER": "https://id.example.vn",
    }
    assert dinhdanh("user", "admin", **given).code == 0
    checked = dinhdanh("check", **given)
    assert checked.code == (0 if fits else 1), checked.said
    assert (str(key) in checked.out, "0640" in checked.out) == (not fits, not fits), checked.out


@pytest.mark.usefixtures("new_installation")
@pytest.mark.parametrize(
    "name",
    [
        ".",
        "dinhdanh.db",
        "dinhdanh.db-wal",
        "keyring.json",
        "audit-checkpoints.log",
    ],
)
def test_check_names_what_others_may_read(dinhdanh: Any, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "var"
    assert dinhdanh("user", "admin").code == 0
    loose = folder / name
    if name.endswith("-wal"):
        loose.touch()
    loose.chmod(0o755 if loose.is_dir() else 0o640)
    checked = dinhdanh("check")
    assert checked.code == 1, checked.said
    assert str(loose.relative_to(tmp_path)) in checked.out, checked.out
    if loose.exists():  # SQLite removes its own when the last one leaves
        loose.chmod(0o700 if loose.is_dir() else 0o600)
    assert dinhdanh("check").code == 0


# ---- clusters --------------------------------------------------------------------------------


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def foreign_cluster(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A database of another encoding than UTF8: (encoding, URL)."""
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name, engine = f"test_{secrets.token_hex(6)}", unpooled(SERVER)
    with engine.connect() as connection:
        connection.execute(
            text(
                f"CREATE DATABASE \"{name}\" ENCODING '{request.param}' "
                "LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
            )
        )
    yield request.param, make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.mark.parametrize(
    "command", [("migrate",), ("migrate", "--check"), ("serve",), ("worker",), ("audit", "verify")]
)
def test_a_cluster_that_cannot_hold_vietnamese_is_refused_in_one_sentence(
    dinhdanh: Any, tmp_path: Path, foreign_cluster: tuple[str, str], command: tuple[str, ...]
) -> None:
    encoding, url = foreign_cluster
    dinhdanh("migrate")  # a keyring, so that nothing is missing but the right cluster
    _refused(dinhdanh(*command, DINHDANH_DATABASE_URL=url), encoding, "UTF8")


def test_what_the_client_library_is_told_to_speak_does_not_matter(dinhdanh: Any) -> None:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name, engine = f"test_{secrets.token_hex(6)}", unpooled(SERVER)
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    try:
        for arguments in (("migrate", "--name", "Tỉnh Thừa Thiên"), ("audit", "verify")):
            said = dinhdanh(*arguments, DINHDANH_DATABASE_URL=url, PGCLIENTENCODING="LATIN1")
            assert said.code == 0, said.said
        own = unpooled(url)
        with own.connect() as connection:
            assert connection.scalar(text("SELECT name FROM installation")) == "Tỉnh Thừa Thiên"
        own.dispose()
    finally:
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        engine.dispose()


# ---- terminals -------------------------------------------------------------------------------


def _commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, (*path, name)
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_no_command_ends_in_a_traceback_for_want_of_letters(
    dinhdanh: Any, tmp_path: Path, encoding: str
) -> None:
    for path in _commands(main.cli):
        helped = dinhdanh(*path, "--help", encoding=encoding)
        assert helped.code == 0, (path, helped.said)
    for arguments, code in (
        (("migrate", "--name", "Tỉnh Thanh Hóa"), 0),
        (("user", "admin", "quantri", "--name", "Lê Thị Hường"), 0),
        (("user", "slip", "khongco"), 1),
        (("check",), 0),
        (("audit", "verify"), 0),
        (("keys", "list"), 0),
        (("client", "register", "Văn bản", "--redirect-uri", "http://localhost:9/cb"), 0),
        (("client", "list"), 0),
        (("role", "list"), 0),
        (("change", "leave", "quantri", "--reason", "retire", "--json"), 0),
    ):
        said = dinhdanh(*arguments, encoding=encoding)
        assert said.code == code, (arguments, said.said)
        assert "Traceback" not in said.said
    refused = dinhdanh("user", "slip", "khongco", encoding=encoding)
    # Without the marks it can still be read.
    bare = unicodedata.normalize("NFD", refused.err).encode("ascii", "ignore").decode().lower()
    assert "khong tim thay nguoi" in bare


@pytest.mark.slow
def test_a_real_terminal_of_another_encoding_is_spoken_to(tmp_path: Path) -> None:
    program = "import sys; sys.argv[0] = 'dinhdanh'; from idp.commands.main import main; main()"
    own = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PYTHON", "LANG"))}
    for env in (
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, "check"],
            env=own
            | env
            | {"DINHDANH_DATA_DIR": str(tmp_path / "none"), "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr, done.stderr.decode("latin-1")
        assert b"level3" in done.stdout


@pytest.mark.usefixtures("new_installation")
def test_a_file_of_another_encoding_given_to_a_command_is_one_sentence(
    dinhdanh: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"m\xe3 kh\xf3a")
    scim = ("--connector", "scim", "--set", "url=https://scim.example.vn")
    asked = ("app", "create", "vanban", "Văn bản", *scim, "--secret-file", "secret")
    _refused(dinhdanh(*asked), "UTF-8")
    # Others are read as bytes, and refused by what reads them.
    keys = ("client", "register", "Văn bản", "--redirect-uri", "http://localhost:9/cb")
    for arguments in (
        (*keys, "--jwks", "secret"),
        ("cert", "service", "vanban", "--csr", "secret"),
        ("restored", "--log", "secret"),
        ("feed", "load", "secret"),
    ):
        outcome = dinhdanh(*arguments)
        assert outcome.code in (1, 2), (arguments, outcome.said)
        assert "Traceback" not in outcome.said


@pytest.mark.usefixtures("new_installation")
def test_what_was_typed_in_another_encoding_is_refused_in_one_sentence(dinhdanh: Any) -> None:
    broken = os.fsdecode(b"L\xea V\xe3n")  # as a latin-1 terminal sends it to a UTF-8 program
    for arguments in (
        ("user", "admin", "quantri", "--name", broken),
        ("user", "slip", broken),
        ("client", "register", broken),
    ):
        outcome = dinhdanh(*arguments)
        _refused(outcome)
        assert not re.search("[\udc80-\udcff]", outcome.err)
