"""The command line knows its commands by name and loads what brings them when they are asked for."""

import importlib
import pkgutil
import subprocess
import sys
from collections import defaultdict

import click
import pytest
from click.testing import CliRunner

from idp import commands
from idp.commands.main import PARTS, cli

INNER = {"client_changes"}
"""Bring commands of another part's group."""


def _brought() -> dict[str, set[str]]:
    """What the modules themselves say they bring: command → modules."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in pkgutil.iter_modules(commands.__path__):
        part = importlib.import_module(f"idp.commands.{module.name}")
        for command in () if module.name in INNER else getattr(part, "commands", ()):
            found[command.name].add(module.name)
    return found


def test_every_command_of_every_part_is_known() -> None:
    assert {name: set(parts) for name, parts in PARTS.items()} == _brought()
    context = click.Context(cli)
    assert [cli.get_command(context, name).name for name in cli.list_commands(context)] == sorted(
        PARTS
    )


def test_groups_of_one_name_are_one() -> None:
    shown = CliRunner().invoke(cli, ["audit", "--help"]).output
    parts = [importlib.import_module(f"idp.commands.{part}") for part in PARTS["audit"]]
    groups = [c for part in parts for c in part.commands if c.name == "audit"]
    assert len(groups) == 2
    inner = {name for group in groups for name in group.commands}
    assert all(f"  {name} " in shown for name in inner), shown


@pytest.mark.parametrize("mistyped", ["chek", "migrat"])
def test_a_mistyped_command_is_told_what_was_meant(mistyped: str) -> None:
    fresh = type(cli)("dinhdanh")  # nothing loaded yet
    said = CliRunner().invoke(fresh, [mistyped])
    assert said.exit_code == 2
    assert {"chek": "check", "migrat": "migrate"}[mistyped] in said.output.partition("No such")[2]


def test_a_command_does_not_load_the_web_server() -> None:
    program = (
        "import sys; from idp.commands.main import cli; cli(['keys', '--help'],"
        " standalone_mode=False); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1]
    for heavy in ("idp.run.app", "idp.console", "granian", "alembic", "ldap3", "psycopg"):
        assert f"'{heavy}'" not in loaded, heavy


def test_the_collector_does_not_look_through_what_a_command_reads() -> None:
    program = (
        "import gc, sys; sys.argv = ['dinhdanh', 'keys', '--help']; looked = []\n"
        "gc.callbacks.append(lambda phase, told: looked.append(told['generation']))\n"
        "from idp.commands.main import start\n"
        "try: start()\n"
        "finally: print(2 in looked, gc.get_freeze_count() > 100_000, gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False True True", done.stderr
