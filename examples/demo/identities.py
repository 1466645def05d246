"""VNeID, simulated: who has an account there, and Dinhdanh as a relying party of it.

The listed people have the numbers, names and birth dates that HR has entered, and level 2; one
stranger has an account and nobody here knows her number. Written anew at every start: the port may be
another, the links that people have made stay good.
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import serialization
from sqlalchemy import select

from connectors.eid import upstreams
from connectors.eid.upstreams import Upstream
from dinhdanh.eid_simulator import kept
from dinhdanh.eid_simulator.people import PEOPLE
from examples.demo import cast
from examples.demo.ground import Ground, write_private
from examples.demo.roles import user_of
from examples.demo.work import Work
from idp.factors.second_factors import EID

NAME = "vneid"
TITLE = "VNeID (mô phỏng)"
PROFILE = "vneid2026"
CLIENT = "dinhdanh"
_KNOWN = ("full_name", "citizen_number", "birth_date", "gender")
"""What HR and VNeID know of the same people."""


def command(ground: Ground) -> tuple[str, ...]:
    """What runs the simulator, behind the name of the Python that runs it."""
    folder = ground.eid_folder
    files = ("--people", str(folder / "people.json"), "--clients", str(folder / "clients.json"))
    listens = ("--port", str(ground.eid_port), "--keep", str(folder / "keys"))
    return ("-m", "dinhdanh.eid_simulator", *listens, *files)


def ensure(work: Work, players: Sequence[cast.Player]) -> dict[str, Any]:
    """Write the simulator's files and let it vouch; what credentials.json tells of it."""
    ground = work.ground
    ground.eid_folder.mkdir(mode=0o700, exist_ok=True)
    people = _people(work, players)
    accounts = [
        {"note": one.get("username", "")} | {k: v for k, v in one.items() if k != "username"}
        for one in people
    ]
    _write(ground, "people.json", accounts)
    _let_it_vouch(work)
    shown = ("key", "username", *_KNOWN, "level")
    return {
        "url": ground.eid_url,
        "control": f"{ground.eid_url}/control",
        "upstream": NAME,
        "profile": PROFILE,
        "title": TITLE,
        "people": [{name: one.get(name) for name in shown} for one in people],
    }


def _people(work: Work, players: Sequence[cast.Player]) -> list[dict[str, Any]]:
    """Those one tries it with first, then everybody else who is listed, then the stranger."""
    wanted = sorted(players, key=lambda p: (bool(p.reaches), p.transfer_to is None))
    found: list[dict[str, Any]] = []
    with work.services.db.read() as session:
        for player in wanted:
            username = user_of(session, player.source_key).username
            known = {name: player.record[name] for name in _KNOWN}
            found.append({"key": username, "username": username, **known, "level": 2})
    stranger = {name: getattr(PEOPLE[0], name) for name in ("key", *_KNOWN, "level")}
    return [*found, stranger | {"note": "HR không có số này / HR does not know this number"}]


def _let_it_vouch(work: Work) -> None:
    services, ground = work.services, work.ground
    key, secret = kept.encryption_key(ground.eid_folder / "keys"), secrets.token_urlsafe(32)
    issuer = services.settings.issuer
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    client = {
        "client_id": CLIENT,
        "client_secret": secret,
        "redirect_uris": [f"{issuer}/login/back/{EID}{NAME}"],
        "post_logout_redirect_uris": [f"{issuer}/signed-out"],
        "public_key": public.decode(),
    }
    _write(ground, "clients.json", [client])
    with services.db.write() as session:
        known = session.scalars(select(Upstream).where(Upstream.name == NAME)).one_or_none()
        base = f"{ground.eid_url}/{PROFILE}"
        paths = {"authorization": "auth", "token": "token", "userinfo": "userinfo"}
        paths["end_session"] = "logout"
        row = upstreams.made(
            services.keyring,
            name=NAME,
            title=TITLE,
            profile=PROFILE,
            # Links are of an issuer: it stays what it was at another PORT, its addresses do not.
            issuer=known.issuer if known else base,
            said={
                "client_id": CLIENT,
                "asks_anew": True,
                "endpoints": {name: f"{base}/{path}" for name, path in paths.items()},
            },
            secret=secret,
            key=kept.in_pem(key).encode(),
            now=services.clock(),
        )
        if known is None:
            upstreams.add(session, row, actor=work.actor)
            return
        known.settings = row.settings
        known.secret_sealed, known.key_sealed = row.secret_sealed, row.key_sealed


def _write(ground: Ground, name: str, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write_private(ground.eid_folder / name, text)
