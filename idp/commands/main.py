"""``dinhdanh …``: the third composition root. Each part brings its commands; errors end here.

A part is loaded when one of its commands is asked for: nobody who rotates a key waits for the web
server to be read, and the parent of a node's processes holds nothing it does not use.

What the product refuses on purpose is one sentence on standard error and exit status 1, in the
language of the environment (LC_ALL, LC_MESSAGES, LANG): English where it says so, else Vietnamese.
"""

import gc
import importlib
import os
import sys

import click

from idp.commands import terminal

PARTS = {
    "app": ("applications",),
    "audit": ("trail", "restored"),
    "backup": ("restored",),
    "cert": ("pki", "hierarchies"),
    "change": ("changes",),
    "check": ("ops",),
    "client": ("clients",),
    "effects": ("directory",),
    "eid": ("eid",),
    "eid-simulator": ("eid_simulator",),
    "feed": ("directory",),
    "keys": ("keys",),
    "migrate": ("ops",),
    "notice": ("notices",),
    "order-of-checks": ("order_of_checks",),
    "passwords": ("passwords",),
    "proposal": ("proposals",),
    "restored": ("restored",),
    "role": ("applications",),
    "serve": ("serving",),
    "user": ("people",),
    "worker": ("serving",),
}
"""Every command and the modules of this package that bring it: groups of one name become one."""


class Commands(click.Group):
    """Knows its commands by name, and each of them when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, for the list of ``--help``."""
        return sorted(PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with its modules loaded; None where there is none of that name, and then
        all are loaded: what is meant may be one of them.
        """
        for name in [cmd_name] if cmd_name in PARTS else PARTS:
            if name not in self.commands:
                self._load(name)
        return self.commands.get(cmd_name)

    def _load(self, name: str) -> None:
        for part in PARTS[name]:
            for found in importlib.import_module(f"idp.commands.{part}").commands:
                if found.name == name:
                    _add(self, found)


@click.group(cls=Commands)
def cli() -> None:
    """Dinhdanh: định danh và truy cập. / Identity and access."""
    # The command's modules have been read by now, and stay: see ``start``.
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _add(group: click.Group, command: click.Command) -> None:
    """Add a command; two groups of one name become one."""
    present = group.commands.get(command.name or "")
    if isinstance(present, click.Group) and isinstance(command, click.Group):
        for inner in command.commands.values():
            _add(present, inner)
    else:
        group.add_command(command)


def _language() -> str:
    wanted = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = next((value for value in wanted if value), "")
    return "en" if chosen.lower().startswith("en") else "vi"


def main() -> None:
    """Run one command line."""
    # Only here, for they bring the database's library and the web's: see ``start``.
    i18n = importlib.import_module("idp.web.i18n")
    refused = importlib.import_module("idp.commands.refused")
    i18n.use(_language())
    terminal.accept((sys.stdout, sys.stderr))
    if wrong := terminal.unreadable(sys.argv[1:]):
        sentence = i18n.gettext(
            "Không đọc được chữ đã gõ: {words}. Hãy dùng bảng mã UTF-8.", words=", ".join(wrong)
        )
        click.echo(sentence, err=True)
        sys.exit(1)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = 130
    except refused.KINDS as error:
        for sentence in refused.sentences(error):
            click.echo(sentence, err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def start() -> None:
    """Be the process of one command line.

    Until the command begins the collector rests, and what has been read by then it never looks
    through: modules stay as long as the process. Looking was 0.8 s of 1.9, some of it at the end.
    """
    gc.disable()
    main()


if __name__ == "__main__":
    start()
