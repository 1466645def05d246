"""What signs in or calls in: the two applications, a plain client, the personnel system."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from directory import entitlements
from directory.base.errors import NotFound
from examples.demo import cast, credentials, roles
from examples.demo.ground import App, Ground, write_private
from examples.demo.work import Work
from idp.oidc import clients
from idp.oidc.clients import GrantType, Registration, invites

SCOPES = ("openid", "profile", "email", "org", "offline_access")


def app_config(ground: Ground, app: App) -> Path:
    """The configuration file of one application."""
    return ground.folder / app.code / "config.json"


def register_all(work: Work, tokens: list[str]) -> dict[str, Any]:
    """Register the two applications, the plain client and the API client; write their files."""
    ground = work.ground
    apps, listed = [], []
    for app, token in zip(ground.apps, tokens, strict=True):
        wanted = Registration(
            client_id=app.code,
            name=app.name,
            redirect_uris=(f"{app.url}/callback",),
            post_logout_redirect_uris=(f"{app.url}/",),
            backchannel_logout_uri=f"{app.url}/backchannel-logout",
            application_id=_application_id(work, app.code),
            scopes=SCOPES,
            id_token_alg="ES256",
            first_party=True,
        )
        secret = _client(work, wanted)
        _write_app_config(work, app, secret, token)
        apps.append(
            {
                "name": app.name,
                "code": app.code,
                "url": app.url,
                "scim_url": app.scim_url,
                "scim_token": token,
                "client_id": app.code,
            }
        )
        listed.append(_listed(wanted, secret))
    # Nothing listens there: whoever tests reads the code from the address it is sent to.
    plain = Registration(
        client_id="demo-plain",
        name="Ứng dụng thử nghiệm",
        redirect_uris=(f"http://127.0.0.1:{ground.port + 9}/callback",),
        scopes=clients.IDENTITY_SCOPES,
        resource_server=True,
        first_party=True,
    )
    listed.append(_listed(plain, _client(work, plain)))
    api = Registration(
        client_id="demo-hr-system",
        name="Phần mềm nhân sự",
        grant_types=(GrantType.CLIENT,),
        scopes=clients.API_SCOPES,
    )
    secret = _client(work, api)
    roles.grant(work, cast.Reach("hr_officer", unit=cast.PROVINCE), client=api.client_id)
    return {
        "clients": listed,
        "api": {
            "name": api.name,
            "client_id": api.client_id,
            "client_secret": secret,
            "scopes": list(api.scopes),
        },
        "apps": apps,
    }


def initial_access_token(work: Work) -> str | None:
    """What clients may register themselves by, over HTTP: that of an earlier start while it is
    good. None where the installation lets nobody.
    """
    services, now = work.services, work.services.clock()
    if services.settings.registration == "closed":
        return None
    known: str = work.earlier.get("initial_access_token") or ""
    with services.db.hot() as connection:
        if invites.good(connection, known, keyring=services.keyring, now=now):
            return known
    with services.db.write() as session:
        return invites.issue(
            session,
            uses=invites.MOST_USES,
            lifetime=timedelta(days=365),
            note="demo",
            keyring=services.keyring,
            actor=work.actor,
            now=now,
        )


def _client(work: Work, wanted: Registration) -> str:
    """Register a client, or bring the one of an earlier start up to date; its secret."""
    services, now = work.services, work.services.clock()
    known = credentials.secret_of(work.earlier, wanted.client_id or "")
    with services.db.write() as session:
        try:
            found = clients.get(session, wanted.client_id or "")
        except NotFound:
            _, secret = clients.register(
                session, wanted, keyring=services.keyring, actor=work.actor, now=now
            )
            return secret or ""
        found.redirect_uris = list(wanted.redirect_uris)
        found.post_logout_redirect_uris = list(wanted.post_logout_redirect_uris)
        found.backchannel_logout_uri = wanted.backchannel_logout_uri
        return known or clients.rotate_secret(
            session,
            found,
            keyring=services.keyring,
            actor=work.actor,
            now=now,
            overlap=timedelta(0),
        )


def _listed(wanted: Registration, secret: str) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "client_id": wanted.client_id,
        "client_secret": secret,
        "redirect_uris": list(wanted.redirect_uris),
        "scopes": list(wanted.scopes),
    }


def _application_id(work: Work, code: str) -> int:
    with work.services.db.read() as session:
        return entitlements.application_by_code(session, code).id


def _write_app_config(work: Work, app: App, secret: str, token: str) -> None:
    file = app_config(work.ground, app)
    ca_file = work.services.settings.outbound_ca_file
    values = {
        "profile": app.code,
        "base_url": app.url,
        "port": app.port,
        "issuer": work.services.settings.issuer,
        "client_id": app.code,
        "client_secret": secret,
        "scim_token": token,
        "store": str(file.parent / "accounts.db"),
        **({"ca_file": str(ca_file)} if ca_file else {}),
    }
    write_private(file, json.dumps(values, indent=2) + "\n")
