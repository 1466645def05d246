"""Where the demonstration stands: its folder, its ports, and the settings of the product in it."""

import json
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from directory.base.config import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT / "var" / "demo"


@dataclass(frozen=True)
class App:
    """One of the two demonstration applications."""

    code: str
    name: str
    description: str
    port: int
    scheme: str
    open_to_all: bool

    @property
    def url(self) -> str:
        """Its address in a browser."""
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def scim_url(self) -> str:
        """Where it receives accounts."""
        return f"{self.url}/scim/v2"


@dataclass(frozen=True)
class Ground:
    """One demonstration. What the environment says in ``DINHDANH_*`` wins over all of it."""

    folder: Path
    port: int
    people: int
    tls: bool = False
    beside: int | None = None
    """The first of two ports for what the applications know nothing of; else those after theirs."""

    @property
    def config_file(self) -> Path:
        """The product's own configuration file; ``DINHDANH_CONFIG`` of every process here."""
        return self.folder / "dinhdanh.toml"

    @property
    def credentials_file(self) -> Path:
        """Passwords and secrets, readable by the owner alone."""
        return self.folder / "credentials.json"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.folder / "logs"

    @property
    def sample(self) -> Path:
        """The province as the feed reads it, invented people included."""
        return self.folder / "thanh-hoa"

    @property
    def tls_folder(self) -> Path:
        """The demonstration's own certification authority and its server certificate."""
        return self.folder / "tls"

    @property
    def scheme(self) -> str:
        """How browsers reach everything here."""
        return "https" if self.tls else "http"

    @property
    def ca_file(self) -> Path | None:
        """Whom to trust for https; None without TLS."""
        return self.tls_folder / "ca.pem" if self.tls else None

    @property
    def apps(self) -> tuple[App, App]:
        """A and B, at the two ports after Dinhdanh's."""
        scheme = "http"
        return (
            App(
                "qlvb",
                "Quản lý văn bản và điều hành",
                "Văn bản đến, văn bản đi và công việc được giao của từng đơn vị.",
                self.port + 1,
                scheme,
                open_to_all=False,
            ),
            App(
                "motcua",
                "Một cửa điện tử",
                "Tiếp nhận và trả kết quả giải quyết thủ tục hành chính.",
                self.port + 2,
                scheme,
                # An official without an account may come in and is told that she has none.
                open_to_all=True,
            ),
        )

    @property
    def eid_port(self) -> int:
        """Where the simulator of VNeID listens."""
        return self.beside or self.port + 3

    @property
    def eid_url(self) -> str:
        """Its address in a browser."""
        return f"http://localhost:{self.eid_port}"

    @property
    def eid_folder(self) -> Path:
        """Its people, its clients and its keys."""
        return self.folder / "eid"

    @property
    def mail(self) -> Path:
        """Where mails to the sample people lie, a file each."""
        return self.folder / "mail"

    @property
    def guide_port(self) -> int:
        """Where the page with what to try is."""
        return self.eid_port + 1

    @property
    def fixed_ports(self) -> dict[int, str]:
        """Ports that other programs know beforehand, and who listens there."""
        return {self.port: "Dinhdanh", **{app.port: app.name for app in self.apps}}

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every process of the demonstration is started with."""
        env = dict(os.environ)
        env["DINHDANH_CONFIG"] = str(self.config_file)
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
        env["PYTHONUNBUFFERED"] = "1"
        given = json.loads(env.get("DINHDANH_OUTBOUND_ALLOW", "[]"))
        # An outside test suite lists its own hosts; our own pairs must stay reachable beside them.
        issuer = urlsplit(env.get("DINHDANH_ISSUER", f"{self.scheme}://localhost:{self.port}"))
        issuer_port = issuer.port or (443 if issuer.scheme == "https" else 80)
        ports = (self.port, *(app.port for app in self.apps), self.eid_port)
        own = [f"{host}:{port}" for port in ports for host in ("localhost", "127.0.0.1")]
        allowed = dict.fromkeys([*given, *own, f"{issuer.hostname}:{issuer_port}"])
        env["DINHDANH_OUTBOUND_ALLOW"] = json.dumps(list(allowed))
        return env

    @cached_property
    def settings(self) -> Settings:
        """The product's settings as its processes will read them."""
        os.environ["DINHDANH_OUTBOUND_ALLOW"] = self.environment["DINHDANH_OUTBOUND_ALLOW"]
        os.environ["DINHDANH_CONFIG"] = str(self.config_file)
        return load_settings(self.config_file)

    def prepare(self) -> None:
        """Make the folder and write the configuration file."""
        # Its parent is where `dinhdanh` itself keeps its data unless told otherwise.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.folder, self.logs, self.mail):
            folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        values: dict[str, str | int | list[str]] = {
            "issuer": f"{self.scheme}://localhost:{self.port}",
            "host": "127.0.0.1",
            "port": self.port,
            "data_dir": str(self.folder),
            # Officials at this machine sign in by password alone; administrators never do.
            "inside_networks": ["127.0.0.0/8", "::1"],
            # What people are told can be read there: nothing leaves this machine.
            "mail_drop": str(self.mail),
        }
        if self.ca_file:
            values |= {
                "outbound_ca_file": str(self.ca_file),
                "tls_certificate": str(self.tls_folder / "localhost.pem"),
                "tls_key": str(self.tls_folder / "localhost.key"),
            }
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        text = "# Written by `make demo` at every start.\n" + "\n".join(lines) + "\n"
        write_private(self.config_file, text)


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
