"""Applications A and B, the rules that give them to people, and their connectors."""

import secrets

from sqlalchemy import func, select

from connectors.accounts.registry import save_secret
from directory.changes import rules
from directory.entitlements import Application, Rule
from examples.demo import cast
from examples.demo.ground import App
from examples.demo.work import Work

OFFICES = (
    "peoples_committee",
    "office",
    "economic_division",
    "culture_social_division",
    "department",
    "division",
    "party_committee",
    "party_office",
)
"""Kinds of units that work with documents: application A. Service centres have B instead."""

RULES: dict[str, tuple[rules.Wanted, ...]] = {
    "qlvb": tuple(
        rules.Wanted(
            role, unit=f"sample:{cast.PROVINCE}", unit_kind=kind, priority=priority, **more
        )
        for kind in OFFICES
        for role, priority, more in (
            ("lanh_dao", 10, {"leadership": True}),
            ("van_thu", 50, {"position": "VT"}),
            ("chuyen_vien", 100, {}),
        )
        if role != "van_thu" or kind in ("office", "party_office")
    ),
    "motcua": tuple(
        rules.Wanted(
            role,
            unit=f"sample:{cast.PROVINCE}",
            unit_kind="service_centre",
            priority=priority,
            **more,
        )
        for role, priority, more in (
            ("lanh_dao", 10, {"leadership": True}),
            ("tiep_nhan", 50, {"position": "VT"}),
            ("chuyen_vien", 100, {}),
        )
    ),
}


def register(work: Work, app: App) -> str:
    """Make sure of the application, its connector and its rules; its SCIM token."""
    services, now = work.services, work.services.clock()
    token = next(
        (a["scim_token"] for a in work.earlier.get("apps", []) if a["code"] == app.code),
        secrets.token_urlsafe(32),
    )
    with services.db.write() as session:
        found = session.scalars(
            select(Application).where(Application.code == app.code)
        ).one_or_none()
        if found is None:
            found = rules.create_application(
                session,
                code=app.code,
                name=app.name,
                description=app.description,
                launch_url=f"{app.url}/login",
                open_to_all=app.open_to_all,
                connector="scim",
                connector_settings={"url": app.scim_url},
                actor=work.actor,
                now=now,
            )
        # Another PORT than last time: the same application at another address.
        found.launch_url = f"{app.url}/login"
        found.connector_settings = {"url": app.scim_url}
        save_secret(session, found, token, keyring=services.keyring)
        known = session.scalar(
            select(func.count()).select_from(Rule).where(Rule.application_id == found.id)
        )
        if not known:
            for wanted in RULES[app.code]:
                rules.set_rule(session, found.id, wanted, actor=work.actor, now=now)
    return token
