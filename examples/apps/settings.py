"""The configuration file of one application."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an application must be told: where it stands, who signs its people in, its secrets."""

    profile: str
    base_url: str
    issuer: str
    client_id: str
    client_secret: str
    scim_token: str
    store: Path
    port: int = 0
    host: str = "127.0.0.1"
    ca_file: Path | None = None
    """Certificates to trust for the provider, when its CA is not a public one."""

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret", "scim_token"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        for name in ("base_url", "issuer"):
            if urlsplit(getattr(self, name)).scheme not in ("http", "https"):
                raise ValueError(f"{name} must be an http or https URL")
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a JSON file; keys meant for other programs are left alone."""
        known = {field.name for field in fields(cls)}
        values = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if k in known}
        missing = {"profile", "base_url", "issuer", "store"} - values.keys()
        if missing:
            raise ValueError(f"{path.name} lacks {', '.join(sorted(missing))}")
        for name in ("store", "ca_file"):
            if values.get(name):
                values[name] = Path(values[name])
        return cls(**values)

    @property
    def secure(self) -> bool:
        """Whether browsers reach this application by https."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def issuer_origin(self) -> str:
        """Scheme, host and port of the provider, as a content security policy wants them."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"
