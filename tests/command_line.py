"""The command line as an operator meets it, run in this process; fixtures to import.

operator    a function that runs one command line on the installation of ``settings``
migrate     an installation in a folder (``new_installation`` in tests/conftest.py is a copy of one)
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from directory.base.config import Settings
from idp.commands import main
from idp.web import i18n


@dataclass(frozen=True)
class Outcome:
    """How one command line ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of it, for the message of a failed assertion."""
        return f"[{self.code}] {self.out}{self.err}"


class Operator(Protocol):
    """Runs ``dinhdanh ARGUMENTS…``; ``settings`` are set as ``DINHDANH_*`` for this one line."""

    def __call__(self, *arguments: str, language: str = ..., **settings: str) -> Outcome: ...


def migrate(folder: Path) -> None:
    """Make an installation there, as ``dinhdanh migrate`` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["dinhdanh", "migrate"])
        patch.setenv("DINHDANH_DATA_DIR", str(folder))
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert not ended.value.code
    i18n.use(None)


@pytest.fixture
def operator(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operator]:
    """The operator of the installation under test."""
    own = {
        "data_dir": settings.data_dir,
        "database_url": settings.database_url,
        "keyring_file": settings.keyring_file,
        "issuer": settings.issuer,
    }

    def run(*arguments: str, language: str = "en_GB.UTF-8", **others: Any) -> Outcome:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dinhdanh", *arguments])
            patch.delenv("LC_ALL", raising=False)
            patch.setenv("LANG", language)
            for name, value in (own | others).items():
                patch.setenv(f"DINHDANH_{name.upper()}", str(value))
            with pytest.raises(SystemExit) as ended:
                main.main()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 1, *capsys.readouterr())

    yield run
    i18n.use(None)
