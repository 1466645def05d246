"""Another state of the tree, checked out for as long as it is measured."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.installation import ROOT, Tree

_PINNED = re.compile(r"^[A-Za-z0-9._-]+(?:\[[^\]]*\])?==\S+", re.MULTILINE)


def present() -> str:
    """What this tree is called: its commit, and whether something was changed since."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return _git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


@contextmanager
def checked_out(revision: str) -> Iterator[Tree]:
    """The tree of ``revision`` in a temporary folder. Raises LookupError for no such revision.

    This tree's Python serves it where everything it locks is installed here in the same version;
    else it is given a .venv of its own.
    """
    try:
        commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise LookupError(f"--against {revision}: no such revision") from error
    with tempfile.TemporaryDirectory(prefix="dinhdanh-bench-tree-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield Tree(revision, tree, _python(tree))
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _python(tree: Path) -> str:
    if locked(tree / "requirements.lock") <= locked(ROOT / "requirements-dev.lock"):
        return sys.executable
    subprocess.run([str(tree / "scripts" / "setup")], cwd=tree, check=True)
    return str(tree / ".venv" / "bin" / "python")


def locked(file: Path) -> set[str]:
    """``name==version`` of everything in a lock file."""
    return set(_PINNED.findall(file.read_text("utf-8")))


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
