"""Another state of the tree is asked by its own command line, whatever its modules are called."""

import sys
from pathlib import Path

import pytest

from bench.installation import Installation, Tree
from bench.revision import locked


@pytest.fixture
def elsewhere(tmp_path: Path) -> Tree:
    """A tree whose ``idp`` shares its name with ours, and nothing else."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "dinhdanh"\n[project.scripts]\ndinhdanh = "idp.old:main"\n', "utf-8"
    )
    (tmp_path / "idp").mkdir()
    (tmp_path / "idp" / "__init__.py").touch()
    (tmp_path / "idp" / "old.py").write_text(
        "import os, sys\n"
        "def main():\n"
        "    if 'refused' in sys.argv: sys.exit('no')\n"
        "    print(__file__, *sys.argv[1:], os.environ['DINHDANH_CONFIG'])\n",
        "utf-8",
    )
    return Tree("old", tmp_path, sys.executable)


def test_its_command_is_that_of_its_own_modules(elsewhere: Tree, tmp_path: Path) -> None:
    made = Installation(elsewhere, tmp_path, "http://localhost:9", None)
    said = made.say("user", "slip", "lan").split()
    assert said == [str(tmp_path / "idp/old.py"), "user", "slip", "lan", str(made.config)]


def test_what_it_refuses_is_told(elsewhere: Tree, tmp_path: Path) -> None:
    made = Installation(elsewhere, tmp_path, "http://localhost:9", None)
    with pytest.raises(RuntimeError, match="old: refused: no"):
        made.say("refused")


def test_this_python_serves_a_tree_that_locks_no_more_than_is_installed(tmp_path: Path) -> None:
    lock, here = tmp_path / "requirements.lock", tmp_path / "requirements-dev.lock"
    lock.write_text("flask==3.1.3 \\\n    --hash=sha256:aa\nuvicorn[standard]==1.0 \\\n", "utf-8")
    assert locked(lock) == {"flask==3.1.3", "uvicorn[standard]==1.0"}
    here.write_text("flask==3.1.4 \\\n    --hash=sha256:bb\nuvicorn[standard]==1.0\n", "utf-8")
    assert not locked(lock) <= locked(here)
