"""Settings: one TOML file and the environment (``DINHDANH_*`` wins).

The file is named by ``DINHDANH_CONFIG`` (default ``dinhdanh.toml`` in the working directory).
Every setting has a safe default except where the installation must decide: then ``check``
reports it together with everything else that is wrong, at once. Those of signing in and of telling
people stand in files of their own.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from directory.base import hosts
from directory.base.errors import Misconfigured
from directory.base.hosts import Host
from directory.base.notice_settings import NoticeSettings
from directory.base.sign_in_settings import DAY, HOUR, MINUTE, SignInSettings

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class Settings(SignInSettings, NoticeSettings, BaseSettings):
    """All settings of one installation. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix="DINHDANH_", extra="forbid")

    issuer: str = "http://localhost:8000"
    """The public base URL; also the OIDC issuer. No path, no trailing slash."""
    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path("var")
    """Where the embedded database, the keyring and the instance lock live."""
    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite in ``data_dir``."""
    keyring_file: Path | None = None
    """The keyring, outside the database and its backup; default ``data_dir/keyring.json``."""
    web_connections: int = Field(default=10, ge=2, le=500)
    """Connections to PostgreSQL that a web process keeps at most; one more looks whether all is
    well. ``check`` compares what the processes may open with what the server allows."""
    worker_connections: int = Field(default=5, ge=2, le=500)
    """The same of a worker process, which hears of work on one besides."""
    web_database_seconds: float = Field(default=10, ge=1, le=60)
    """How long one statement for a person or a program that waits may take."""
    worker_database_seconds: float = Field(default=60, ge=1, le=3600)
    """How long one statement of a job may take. ``migrate`` and the other commands: no limit."""
    database_connect_seconds: float = Field(default=5, ge=2, le=60)
    """How long a new connection to the database may take."""
    database_pool_seconds: float = Field(default=5, ge=1, le=60)
    """How long a thread waits for a connection that others of its process have."""
    database_prepared: bool = True
    """Whether PostgreSQL keeps statements for a connection (``PREPARE``). Off behind a pooler that
    gives each transaction another connection."""
    worker_threads: int = Field(default=8, ge=1, le=64)
    worker_poll_seconds: float = Field(default=2, ge=0.1, le=3600)
    """How long an idle worker waits before it looks for work again. It is rung for when there is
    some; this is for what nobody has rung for, or where it was not heard."""
    worker_listen_url: str = ""
    """Where a worker hears of work (``LISTEN``), if not at ``database_url``: the PostgreSQL server
    itself behind a PgBouncer that lends its connections for one transaction. Without it, and with
    ``database_prepared`` off, a worker only looks."""
    web_processes: int = Field(default=1, ge=1, le=64)
    """More than one only with PostgreSQL."""
    web_threads: int = Field(default=16, ge=1, le=256)
    """Requests a web process works on at once; who waits for a password hash is not among them."""
    web_open_connections: int = Field(default=1000, ge=50, le=100_000)
    """Connections a web process holds open; when they are short, the longest idle are closed."""
    web_header_seconds: float = Field(default=10, ge=1, le=300)
    """How long a request may take to begin and to bring its headers; a body that goes on must
    bring 4 KB a second on the average."""
    web_keep_alive_seconds: float = Field(default=75, ge=1, le=3600)
    """How long a connection may stay open after an answer without another request."""
    tls_certificate: Path | None = None
    """PEM chain for serving https ourselves; empty: plain http, TLS ends at a proxy in front."""
    tls_key: Path | None = None

    trusted_proxies: list[str] = []
    """Addresses whose forwarding headers are believed. Empty: nobody's."""
    outbound_allow: list[str] = []
    """``host:port`` pairs at private or loopback addresses that may be called."""
    outbound_ca_file: Path | None = None
    """PEM bundle for calling out; empty means the system's."""
    outbound_timeout: float = 10.0
    """Whole-call limit for one outward request; a job may make several within ``job_timeout``."""
    job_timeout: float = Field(default=25.0, gt=0, le=50)
    """Whole-job limit for all that one job asks of a target."""

    code_lifetime: int = Field(default=60, ge=5, le=60)
    """A minute at most (FAPI 2.0 §5.3.2.1 item 11)."""
    access_token_lifetime: int = 5 * MINUTE
    id_token_lifetime: int = 5 * MINUTE
    refresh_lifetime: int = 30 * DAY
    registration: Literal["closed", "token", "open"] = "token"
    """Who may register clients over HTTP (RFC 7591): nobody, holders of a token, or anybody."""
    registrations_per_source: int = Field(default=300, ge=1)
    """How many registrations one address may try in ten minutes where anybody may register."""
    response_types: list[str] = ["code"]
    """Response types clients may register. The implicit and hybrid ones are off: their tokens
    pass through the browser (RFC 9700 §2.1.2)."""
    pushed_request_lifetime: int = Field(default=60, ge=5, le=599)
    """How long a pushed request may wait for its browser."""
    device_lifetime: int = Field(default=10 * MINUTE, ge=60, le=30 * MINUTE)
    device_interval: int = Field(default=5, ge=1, le=60)
    dpop_nonce_required: bool = False
    """Whether every DPoP proof must carry our nonce; those of FAPI clients always must."""
    client_certificates: bool = False
    """Whether a trusted proxy tells us of client certificates in the header Client-Cert."""
    client_certificate_ca_file: Path | None = None
    """PEM bundle of the authorities, intermediate ones too, whose certificates
    ``tls_client_auth`` accepts (RFC 8705 §2.1). None: only self-signed ones are."""
    mtls_base: str = ""
    """The base URL where that proxy asks for certificates (RFC 8705 §5); empty: the issuer's."""
    mail_domains: list[str] = []
    """Mail domains of the agency's own: addresses at them are told as ``email_verified: true``.
    Exact names; a subdomain is another one."""
    signing_key_days: int = Field(default=90, ge=1)
    """After how many days a signing key is replaced."""
    change_approval_people: int = 500
    """A change of more people than this needs a second person."""
    change_approval_accounts: int = Field(default=100, ge=0)
    change_approval_percent: int = Field(default=10, ge=0, le=100)
    """So does one after which more accounts of an application would be lost within a day than this
    number and this share of them."""
    approval_lifetime: int = Field(default=DAY, ge=1, le=30 * DAY)
    """How long a proposal waits for the second person."""
    approval_apart_days: int = Field(default=30, ge=0)
    """Whoever was given a slip or a role by the other within so many days is no second person."""
    approval_kept_days: int = Field(default=30, ge=0)
    """So long after its end it is known whom a proposal was about."""
    idempotency_days: int = 7
    audit_checkpoint_file: Path | None = None
    """Where the audit trail's head is written down outside the database, by each node for itself;
    default ``data_dir/audit-checkpoints.log``."""
    audit_syslog: str = ""
    """Where checkpoints go besides, as RFC 5424 messages: a socket's path (``/dev/log``) or
    ``host:port`` by UDP. Empty: nowhere."""
    crl_every: int = HOUR
    ocsp_life: int = Field(default=60, ge=1, le=DAY)
    """How long others may keep an answer about a certificate; as long at most they may go on
    believing one that was revoked."""
    pki_base: str = ""
    """The base URL that certificates name for lists and OCSP, ``/pki`` follows; empty: the
    issuer's host over plain http, which is what the programs that check certificates speak."""
    pki_port: int = Field(default=0, ge=0, le=65535)
    """Where ``serve`` answers ``/pki`` over plain http beside the https it speaks itself; 0: nowhere,
    a proxy in front does."""
    certificate_days: int = 365
    certificate_signer: str = "local"
    """Who signs people's certificates: a name in ``connectors.pki.signers``."""

    @field_validator("issuer", "mtls_base", "pki_base", "certificate_site")
    @classmethod
    def _is_a_base_url(cls, value: str, field: ValidationInfo) -> str:
        parts = urlsplit(value)
        if field.field_name != "issuer" and not value:
            return value
        host = Host.of(value)
        if parts.scheme not in ("http", "https") or host is None or set("?#@") & set(value):
            raise ValueError("must be an http(s) URL without user, query and fragment")
        if not value.isascii():
            # Everybody compares it byte for byte, and browsers write it so.
            raise ValueError(f"must be in ASCII: {parts.scheme}://{host.spelt}")
        return value.rstrip("/")

    @field_validator("host")
    @classmethod
    def _is_where_to_listen(cls, value: str) -> str:
        return hosts.listening(value)

    @field_validator("trusted_proxies", "inside_networks", "network_names")
    @classmethod
    def _are_networks(cls, value: list[str] | dict[str, str]) -> list[str] | dict[str, str]:
        for each in value:
            try:
                hosts.network(each)
            except ValueError as exc:
                said = f"{each!r} is no address like 10.0.0.5 or 2001:db8::/32"
                raise ValueError(said) from exc
        return value

    @field_validator("outbound_allow")
    @classmethod
    def _are_hosts_with_ports(cls, value: list[str]) -> list[str]:
        for each in value:
            host = Host.read(each.strip())
            if host is None or host.port is None:
                raise ValueError(f"{each!r} is no host:port like 10.0.0.5:8443 or [fd00::1]:8443")
        return value

    @field_validator("audit_syslog")
    @classmethod
    def _is_a_log_service(cls, value: str) -> str:
        host = None if value.startswith("/") else Host.read(value)
        if value and not value.startswith("/") and (host is None or host.port is None):
            raise ValueError(f"{value!r} is neither a path like /dev/log nor host:port")
        return value

    @field_validator("mail_domains")
    @classmethod
    def _are_domains(cls, value: list[str]) -> list[str]:
        found = [each.strip().lower().rstrip(".") for each in value]
        if wrong := [each for each in found if not _DOMAIN.fullmatch(each)]:
            raise ValueError(f"not a mail domain like thanhhoa.gov.vn: {', '.join(wrong)}")
        return found

    @model_validator(mode="after")
    def _issuer_is_a_whole_host(self) -> Self:
        # Links, redirects, cookies and content policies of the pages all begin at the root; under
        # a path, whoever serves the rest of the host would share its origin with them besides.
        if urlsplit(self.issuer).path:
            raise Misconfigured(
                "issuer_path",
                "issuer {issuer} có đường dẫn sau tên miền. Hãy dành cho hệ thống một tên miền "
                "riêng, ví dụ https://dangnhap.example.gov.vn.",
                issuer=self.issuer,
            )
        return self

    @model_validator(mode="after")
    def _sqlite_runs_one_process(self) -> Self:
        if self.web_processes > 1 and self.database.startswith("sqlite"):
            raise ValueError("web_processes > 1 needs PostgreSQL")
        return self

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'dinhdanh.db'}"

    @property
    def keyring(self) -> Path:
        """The keyring file in force."""
        return self.keyring_file or self.data_dir / "keyring.json"

    @property
    def sender(self) -> str:
        """The address that mails come from."""
        host = Host.of(self.issuer)
        return self.notice_from or f"no-reply@{host.name if host is not None else 'localhost'}"

    @property
    def blocklist(self) -> Path:
        """The file of leaked passwords in force."""
        return self.password_blocklist or self.data_dir / "passwords.blocklist"

    @property
    def checkpoint_file(self) -> Path:
        """The file of audit checkpoints in force."""
        return self.audit_checkpoint_file or self.data_dir / "audit-checkpoints.log"

    @property
    def pki(self) -> str:
        """Where certificates send those who check them."""
        if self.pki_base:
            return f"{self.pki_base}/pki"
        if not self.secure:
            return f"{self.issuer}/pki"
        # The port of https is not one where http is spoken.
        host = Host.of(self.issuer)
        name = Host(host.name).spelt if host is not None else ""
        port = f":{self.pki_port}" if self.pki_port not in (0, 80) else ""
        return f"http://{name}{port}/pki"

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over HTTPS; decides cookie prefixes and HSTS."""
        return self.issuer.startswith("https://")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values arrive as init arguments."""
        return env_settings, init_settings


def load_settings(file: Path | None = None, **overrides: Any) -> Settings:
    """Read the file and the environment. Raises Misconfigured naming every wrong setting, and
    for an issuer with a path, which is looked at when each setting is right by itself.

    A file that is named must be there: with another than the operator's settings, a command
    would work on another installation, or make one.
    """
    named = file or Path(os.environ.get("DINHDANH_CONFIG") or "")
    file = named if named != Path() else Path("dinhdanh.toml")
    values = _read(file) if named != Path() or file.exists() else {}
    unknown = [*_unknown(values, list(Settings.model_fields)), *_unknown_in_environment()]
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    problems = ""
    try:
        settings = Settings(**(known | overrides))
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in exc.errors()
        )
        if not unknown:
            raise Misconfigured("config", "Cấu hình sai: {problems}", problems=problems) from exc
    if problems:
        raise Misconfigured(
            "config",
            "Không có cài đặt {names}. Cấu hình sai: {problems}",
            names=", ".join(unknown),
            problems=problems,
        )
    if unknown:
        raise Misconfigured("config", "Không có cài đặt {names}.", names=", ".join(unknown))
    return settings


def _read(file: Path) -> dict[str, Any]:
    """The file's values. A byte order mark, as some editors write one, is no part of it."""
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured("config", "Tệp cấu hình sai cú pháp: {why}", why=exc) from exc
    except UnicodeDecodeError as exc:
        raise Misconfigured(
            "config", "Tệp cấu hình {file} không phải là UTF-8.", file=file
        ) from exc
    except OSError as exc:
        raise Misconfigured(
            "config",
            "Không đọc được tệp cấu hình {file}: {why}.",
            file=file,
            why=exc.strerror or type(exc).__name__,
        ) from exc


_PREFIX = "DINHDANH_"
_NOT_SETTINGS = ("CONFIG", "FAILPOINTS_DIR")
"""What else the environment may say: where the file is; and what the crash tests need."""


def _unknown_in_environment() -> list[str]:
    known = [_PREFIX + name.upper() for name in (*Settings.model_fields, *_NOT_SETTINGS)]
    given = [name for name in os.environ if name.upper().startswith(_PREFIX)]
    return _unknown([name for name in given if name.upper() not in known], known)


def _unknown(given: Iterable[str], known: Sequence[str]) -> list[str]:
    """Those that are not known, each with the name it comes nearest to."""
    found = []
    for name in given:
        if name not in known:
            upper = name.upper() if known[0].isupper() else name
            near = difflib.get_close_matches(upper, known, n=1, cutoff=0.5)
            found.append(f"{name} ({near[0]}?)" if near else name)
    return found
