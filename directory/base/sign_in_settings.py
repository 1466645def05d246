"""Settings of signing in: sessions, what is asked of whom, guessing, passkeys, passwords, certificates."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from directory.base.hosts import Host

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class SignInSettings(BaseModel):
    """The part of ``Settings`` that is about signing in. Durations are seconds."""

    session_idle: int = 15 * MINUTE
    """Seconds after which a session is over that nothing was asked with."""
    admin_idle: int = 5 * MINUTE
    """Seconds after which the console, where nothing was done, asks for a new sign-in."""
    session_lifetime: int = 12 * HOUR
    """Seconds after which a session is over, however busy."""
    sudo_window: int = 10 * MINUTE
    """Seconds for which the console does not ask for the password again."""
    flow_lifetime: int = 15 * MINUTE
    scope_acr: dict[str, str] = {}
    """Scope → the least assurance whoever uses it must have signed in with."""
    scope_max_age: dict[str, int] = {}
    """Scope → how long ago she may have signed in, in seconds (RFC 9470)."""
    position_acr: dict[str, str] = {}
    """Code of a position → the least assurance of whoever acts in it."""
    operation_acr: dict[str, str] = {}
    """Operation (``idp.demands.Operation``) → the least assurance of whoever does it."""
    operation_max_age: dict[str, int] = {}
    """Operation → how long ago she may have proven herself for it at the changes API, in seconds; those
    that are not named: ``sudo_window``."""
    lock_after: int = Field(default=5, ge=1)
    """Wrong passwords of a name from an address, or in a session; then ``lock_for`` without a look."""
    lock_for: int = 12 * HOUR
    name_failures: int = Field(default=20, ge=1)
    """Wrong passwords of one name in a day, over all browsers in which that person has never signed in."""
    browser_failures: int = Field(default=10, ge=1)
    """Wrong passwords of one name from a browser in which she has signed in, after which it counts
    as one that is not known."""
    known_browser_days: int = Field(default=90, ge=1)
    """So long it is known in which browsers somebody has signed in."""
    source_failures: int = Field(default=30, ge=1)
    """Names that go wrong at one address in ten minutes before nothing more is looked at from there;
    from half of them on each further attempt waits."""
    code_lock_after: int = Field(default=5, ge=1)
    """Wrong codes of one person, over all sign-ins and addresses, after which no more of that kind
    are looked at for ``lock_for``. Passwords have a counter of their own."""
    second_factor: Literal["everybody", "outside", "administrators", "nobody"] = "outside"
    """Of whom two factors are asked: of everybody; of administrators always and of others from
    outside ``inside_networks``; of administrators alone; of nobody."""
    inside_networks: list[str] = []
    """The agency's own networks, as addresses or with the length of a prefix. Empty: none is."""
    network_names: dict[str, str] = {}
    """A network, written as those are, and what people call it: shown beside their sessions instead of
    the bare address. Of several that hold an address the narrowest."""
    unfinished_visits: int = Field(default=60, ge=1)
    """Visits to upstreams and to the host of certificates, from one address or one browser in which somebody has
    signed in, that have led to no sign-in in ten minutes, after which nobody is led there until they are over."""
    eid_start_addresses: bool = False
    """Whether ``/login/eid/<name>/start`` begins a sign-in without a click: for test programs."""
    passkey_rp_id: str = ""
    """The name that passkeys belong to: the issuer's host (empty) or a parent of it. Whoever changes
    it makes all of them useless."""
    passkey_related_origins: list[str] = []
    """Origins beside ours whose pages may ask for passkeys of that name: told to browsers at
    ``/.well-known/webauthn``. Empty: there is no such document."""
    passkey_user_verification: Literal["preferred", "required"] = "preferred"
    """Whether a passkey that asked for neither PIN nor finger is believed as one factor, or not at
    all."""
    passkey_attestation: Literal["none", "direct"] = "none"
    """Whether a new passkey says who made its authenticator; recorded only."""
    password_min: int = Field(default=14, ge=8, le=128)
    """Characters of a password that is all that is asked of somebody."""
    password_min_beside_second: int = Field(default=8, ge=8, le=128)
    """Of one beside which a second factor is demanded wherever its owner comes from."""
    admin_password_days: int = Field(default=60, ge=0)
    """After so many days whoever administers anything chooses another one at the sign-in. 0: never."""
    admin_password_history: int = Field(default=10, ge=0, le=24)
    """How many of her passwords, the present one among them, whoever administers anything does not take
    again. 0 or 1: only the present one."""
    password_blocklist: Path | None = None
    """Where ``dinhdanh passwords blocklist`` keeps passwords that leaked, for each node; default
    ``data_dir/passwords.blocklist``."""
    activation_lifetime: int = 7 * DAY
    break_glass: Literal["off", "one", "two"] = "off"
    """Whether an administrator may sign in by a sealed envelope, and whether it is one code or two halves that two
    people keep. What was sealed under another value is no good."""
    break_glass_lifetime: int = Field(default=HOUR, ge=5 * MINUTE)
    """Seconds after which a session that was begun with an envelope is over, however busy."""
    break_glass_days: int = Field(default=400, ge=1)
    """How old an envelope may be."""
    certificate_site: str = ""
    """The base URL where people sign in with a certificate: a host of its own, at which a trusted proxy
    asks for one. Empty: nobody can."""
    certificate_level: int = Field(default=1, ge=1, le=2)
    """What a certificate of our own authority proves: 1, that its key is held; 2, where each is issued
    to a key in a token that asks for a PIN. Other hierarchies say so themselves."""
    certificate_list_grace: int = Field(default=0, ge=0, le=7 * DAY)
    """So long beyond its end a list of another authority that was brought in is still used."""

    @field_validator("passkey_rp_id")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        host = Host.read(value)
        if value and (host is None or host.port is not None or host.name != value):
            raise ValueError(f"{value!r} is no name like dangnhap.thanhhoa.gov.vn")
        return value

    @field_validator("passkey_related_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        for each in value:
            scheme, _, rest = each.partition("://")
            host = Host.read(rest)
            if scheme not in ("http", "https") or host is None or host.spelt != rest:
                raise ValueError(f"{each!r} is no origin like https://dangnhap.thanhhoa.gov.vn")
        return value
