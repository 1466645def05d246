"""A state of this product, set up and served through what every state has: its command line, its
pages and its HTTP endpoints. Its modules are not imported, for another state names them otherwise.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

from bench import http
from bench.database import Database
from bench.load import Served
from bench.operations import REDIRECT, Parties, Party, Person
from dinhdanh import ports

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
"""Seconds that a server may take to answer."""

FEED = {
    "positions.csv": """\
code,name,group,rank,bloc,leadership,signing_authority,sensitivity
CV,Chuyên viên,,50,government,false,false,normal
""",
    "units.csv": """\
code,parent,name,short_name,kind,bloc,tier,legal_person,gso,qd20,valid_from
TINH,,Tỉnh thử nghiệm,Tỉnh,province,other,province,false,,,2025-07-01
XA,TINH,Ủy ban nhân dân xã Thử,Xã Thử,commune,government,commune,true,,,2025-07-01
""",
    "posts.csv": "unit,position,headcount\nXA,CV,1000\n",
}
_PEOPLE = "source_key,full_name,birth_date,gender,citizen_number,email,phone,username"
_POSTS = (
    "source_key,person,unit,position,kind,valid_from,valid_to,planned_end,"
    "decision_number,decision_issued_on,decision_issuer"
)
_PASSWORD_FIELD = re.compile(r'<input(?=[^>]*type="password")[^>]*\bname="([^"]+)"')
_CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]*)"')
_PRINTED = re.compile(r"^(client_id|client_secret) +(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Tree:
    """A state of the product's source, and the Python that has what it needs."""

    label: str
    path: Path = ROOT
    python: str = sys.executable

    def command(self) -> list[str]:
        """What ``dinhdanh`` is in it, by its own pyproject.toml."""
        project = tomllib.loads((self.path / "pyproject.toml").read_text("utf-8"))["project"]
        module, _, function = project["scripts"]["dinhdanh"].partition(":")
        return [self.python, "-c", f"from {module} import {function}; {function}()"]


class Installation:
    """One installation of a tree, in a folder of its own."""

    def __init__(
        self, tree: Tree, folder: Path, issuer: str, database: Database | None, **more: object
    ) -> None:
        """``more``: other settings by their names."""
        self.tree, self.folder, self.issuer = tree, folder, issuer
        self.config = folder / "dinhdanh.toml"
        settings = {
            "issuer": issuer,
            "port": urlsplit(issuer).port,
            "data_dir": str(folder / "data"),
            **more,
        }
        known = (tree.path / "directory/base").glob("*.py")  # where a revision keeps its settings
        if any("second_factor:" in each.read_text("utf-8") for each in known):
            settings["second_factor"] = "nobody"  # a full sign-in is one with a password
        if database is not None:
            settings["database_url"] = database.url.render_as_string(hide_password=False)
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
        self.config.write_text("".join(lines), "utf-8")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("DINHDANH_")}
        self._environment |= {"DINHDANH_CONFIG": str(self.config), "PYTHONPATH": str(tree.path)}

    def say(self, *words: str) -> str:
        """Run one command; what it printed. Raises RuntimeError with its complaint."""
        done = subprocess.run(
            [*self.tree.command(), *words],
            cwd=self.tree.path,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{self.tree.label}: {' '.join(words)}: {(done.stderr or done.stdout)[-2000:]}"
            )
        return done.stdout

    def prepare(self, people: int) -> tuple[Parties, dict[str, str]]:
        """Tables, a small province, clients and people; the slips by which they choose a password."""
        self.say("migrate", "--name", "Tỉnh thử nghiệm")
        names = [f"canbo{n}" for n in range(1, people + 1)]
        self._feed(names)
        with ThreadPoolExecutor(os.cpu_count()) as at_once:
            printed = at_once.map(lambda name: self.say("user", "slip", name), names)
            web = ("--redirect-uri", REDIRECT, "--first-party", "--id-token-alg", "ES256")
            parties = at_once.map(
                self._register,
                ("opaque", "jwt", "machine", "bound"),
                (
                    web,
                    (*web, "--jwt"),
                    ("--grant", "client_credentials", "--scope", "changes:read"),
                    (*web, "--par", "--dpop"),
                ),
            )
            slips = dict(zip(names, (text.split()[-1] for text in printed), strict=True))
            return Parties(self.issuer, *parties), slips

    def _feed(self, names: list[str]) -> None:
        folder = self.folder / "feed"
        folder.mkdir()
        people, posts = [_PEOPLE], [_POSTS]
        for n, name in enumerate(names):
            people.append(f"P{n},Lê Thị Lan,{_born(n)},female,,{name}@example.gov.vn,,{name}")
            posts.append(f"A{n},P{n},XA,CV,primary,2025-07-01,,,,,")
        tables = {"people.csv": people, "assignments.csv": posts}
        for file, text in (FEED | {f: "\n".join(t) + "\n" for f, t in tables.items()}).items():
            (folder / file).write_text(text, "utf-8")
        self.say("feed", "load", str(folder))

    def _register(self, name: str, options: tuple[str, ...]) -> Party:
        printed = dict(_PRINTED.findall(self.say("client", "register", name, *options)))
        return Party(printed["client_id"], printed["client_secret"])

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Server and worker for as long as the block lasts: the process all hang on."""
        log = self.folder / "server.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*self.tree.command(), "serve", "--with-worker"],
                cwd=self.tree.path,
                env=self._environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            self._wait(process, log)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with http.Connection(self.issuer) as asking:
                    if asking.send("GET", "/readyz").status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{self.tree.label}: {log.read_text('utf-8', 'replace')[-2000:]}")


@dataclass(frozen=True, kw_only=True)
class Installed(Served):
    """A served state of the product, and where its settings are."""

    config: Path


@contextmanager
def installed(tree: Tree, database: Database | None, people: int) -> Iterator[Installed]:
    """The tree, served with ``people`` people, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="dinhdanh-bench-") as folder, ports.reserve() as block:
        issuer = f"http://localhost:{block[0]}"
        made = Installation(tree, Path(folder), issuer, database)
        parties, slips = made.prepare(people)
        with made.serving() as pid:
            who = [with_password(issuer, name, link) for name, link in slips.items()]
            yield Installed(tree.label, parties, who, pid, database, config=made.config)


def with_password(issuer: str, username: str, link: str) -> Person:
    """She chooses a password by her slip."""
    path, password = urlsplit(link).path, secrets.token_urlsafe(18)
    with http.Connection(issuer) as browser:
        page = browser.send("GET", path).body.decode()
        if not _PASSWORD_FIELD.search(page):
            # The slip is opened first; releases before went on at once.
            page = browser.send("GET", "/activate").body.decode()
            born = _born(int(username.removeprefix("canbo")) - 1)
            form = {"code": path.rpartition("/")[2], "answer": born} | _token(page)
            path = urlsplit(browser.send("POST", "/activate", form=form).location).path
            page = browser.send("GET", path).body.decode()
        form = dict.fromkeys(_PASSWORD_FIELD.findall(page), password) | _token(page)
        answer = browser.send("POST", path, form=form)
    if answer.status not in (200, 303):
        raise RuntimeError(f"{issuer}{path}: {answer.status} {answer.body[:300]!r}")
    return Person(username, password)


def _born(n: int) -> str:
    """When the n-th of the people was born."""
    return f"{1970 + n // 28}-01-{1 + n % 28:02}"


def _token(page: str) -> dict[str, str]:
    """What a page's form proves where it comes from with."""
    found = _CSRF.search(page)
    return {"csrf_token": unescape(found[1])} if found else {}
