"""Applications, their rules, and clients."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for

from directory.base.errors import DinhdanhError, InvalidInput, NotAllowed
from directory.changes import rules
from directory.units import Bloc
from idp.console import guard, pages_applications
from idp.console.guard import asker
from idp.i18n import error_text, gettext
from idp.oidc.clients import (
    API_SCOPES,
    IDENTITY_SCOPES,
    AuthMethod,
    GrantType,
    Kind,
    Registration,
    TokenFormat,
)
from idp.security import services


def listing() -> str:
    """The applications the asker answers for."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        rows = pages_applications.listed(session, who.rights)
    return render_template("console/applications.html", rows=rows)


def application(application_id: int, *, error: DinhdanhError | None = None) -> Any:
    """One application: who gets it, and its clients."""
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_applications.whole(session, who.rights, application_id)
    answer = render_template(
        "console/application.html",
        page=page,
        blocs=Bloc,
        values=request.form,
        error=error_text(error) if error else "",
        field=getattr(error, "field", ""),
        confirmed=who.confirmed,
    )
    return make_response(answer, error.status if error else 200)


def add_rule(application_id: int) -> Any:
    """Add a rule after the password."""
    form = request.form
    priority = form.get("priority", "100").strip() or "100"
    wanted = rules.Wanted(
        role=form.get("role", "").strip(),
        unit=form.get("unit", "").strip() or None,
        unit_kind=form.get("unit_kind", "").strip() or None,
        bloc=form.get("bloc") or None,
        position=form.get("position") or None,
        leadership={"yes": True, "no": False}.get(form.get("leadership", "")),
        priority=int(priority) if priority.isdecimal() and len(priority) < 6 else 0,
    )
    has, who = services(), asker()
    try:
        guard.confirm_password()
        with has.db.write() as session:
            pages_applications.add_rule(
                session, application_id, wanted, actor=who.actor, now=who.now
            )
    except (InvalidInput, NotAllowed) as error:
        return application(application_id, error=error)
    flash(gettext("Đã thêm quy tắc. Tài khoản của những người liên quan đang được rà lại."), "good")
    return redirect(url_for("console.application", application_id=application_id), 303)


def remove_rule(rule_id: int) -> Any:
    """Remove a rule after the password."""
    has, who = services(), asker()
    back = request.form.get("application", "")
    try:
        guard.confirm_password()
        with has.db.write() as session:
            back = str(
                pages_applications.remove_rule(session, rule_id, actor=who.actor, now=who.now)
            )
    except InvalidInput as error:
        flash(error_text(error), "bad")
    else:
        flash(
            gettext("Đã bỏ quy tắc. Tài khoản của những người liên quan đang được rà lại."), "good"
        )
    if not (back.isdecimal() and len(back) < 16):
        return redirect(url_for("console.applications"), 303)
    return redirect(url_for("console.application", application_id=int(back)), 303)


# ---- clients ---------------------------------------------------------------------------------


def clients() -> str:
    """The clients the asker answers for."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        rows = pages_applications.clients_listed(session, who.rights)
    return render_template("console/clients.html", rows=rows, confirmed=who.confirmed)


def new_client(*, error: DinhdanhError | None = None) -> Any:
    """The form to register a client."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        managed = pages_applications.managed(session, who.rights)
    answer = render_template(
        "console/client_form.html",
        applications=managed,
        scopes=IDENTITY_SCOPES,
        api_scopes=API_SCOPES if who.runs_installation else (),
        chosen=request.form.getlist("scopes") or ["openid", "profile", "email", "org"],
        values=request.form,
        error=error_text(error) if error else "",
        field=getattr(error, "field", ""),
        confirmed=who.confirmed,
    )
    return make_response(answer, error.status if error else 200)


def register() -> Any:
    """Register it, and show its secret this once."""
    has, who = services(), asker()
    try:
        guard.confirm_password()
        with has.db.write() as session:
            client, secret = pages_applications.register(
                session, _registration(), actor=who.actor, keyring=has.keyring, now=who.now
            )
    except (InvalidInput, NotAllowed) as error:
        return new_client(error=error)
    return render_template(
        "console/secret.html", client=client, secret=secret, issuer=has.settings.issuer
    )


def _registration() -> Registration:
    form = request.form
    machine = form.get("use") == "machine"
    native = form.get("use") == "native"
    application = form.get("application_id", "")
    return Registration(
        name=form.get("name", ""),
        application_id=int(application)
        if application.isdecimal() and len(application) < 16
        else None,
        kind=Kind.NATIVE if native else Kind.WEB,
        auth_method=AuthMethod.NONE if native else AuthMethod.BASIC,
        grant_types=(GrantType.CLIENT,) if machine else (GrantType.CODE, GrantType.REFRESH),
        redirect_uris=_lines("redirect_uris"),
        post_logout_redirect_uris=_lines("post_logout_redirect_uris"),
        backchannel_logout_uri=form.get("backchannel_logout_uri", "").strip() or None,
        scopes=tuple(form.getlist("scopes")),
        id_token_alg="RS256" if form.get("alg") == "RS256" else "ES256",
        access_token_format=TokenFormat.JWT if form.get("format") == "jwt" else TokenFormat.OPAQUE,
        first_party=form.get("first_party") == "yes",
        resource_server=form.get("resource_server") == "yes",
    )


def _lines(name: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in request.form.get(name, "").splitlines() if line.strip())


def client(client_id: str) -> str:
    """One client."""
    has, who = services(), asker()
    with has.db.read() as session:
        row = pages_applications.client(session, who.rights, client_id)
    return render_template("console/client.html", row=row, confirmed=who.confirmed)


def rotate(client_id: str) -> Any:
    """A new secret, shown this once."""
    has, who = services(), asker()
    try:
        guard.confirm_password()
        with has.db.write() as session:
            found, secret = pages_applications.rotate(
                session, client_id, actor=who.actor, keyring=has.keyring, now=who.now
            )
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return redirect(url_for("console.client", client_id=client_id), 303)
    return render_template(
        "console/secret.html", client=found, secret=secret, issuer=has.settings.issuer
    )


def disable(client_id: str) -> Any:
    """The client is as good as unknown from now on."""
    return _switch(client_id, pages_applications.disable, gettext("Đã ngừng ứng dụng khách."))


def enable(client_id: str) -> Any:
    """The client may ask again."""
    return _switch(client_id, pages_applications.enable, gettext("Đã cho phép lại ứng dụng khách."))


def _switch(client_id: str, act: Callable[..., None], said: str) -> Any:
    has, who = services(), asker()
    try:
        guard.confirm_password()
        with has.db.write() as session:
            act(session, client_id, actor=who.actor, now=who.now)
    except InvalidInput as error:
        flash(error_text(error), "bad")
    else:
        flash(said, "good")
    return redirect(url_for("console.client", client_id=client_id), 303)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    pages: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
        ("/applications", "applications", listing, "GET"),
        (
            "/applications/<int(max=999999999999999):application_id>",
            "application",
            application,
            "GET",
        ),
        (
            "/applications/<int(max=999999999999999):application_id>/rules",
            "add_rule",
            add_rule,
            "POST",
        ),
        ("/rules/<int(max=999999999999999):rule_id>/remove", "remove_rule", remove_rule, "POST"),
        ("/clients", "clients", clients, "GET"),
        ("/clients/new", "new_client", new_client, "GET"),
        ("/clients/new", "register_client", register, "POST"),
        ("/clients/<client_id>", "client", client, "GET"),
        ("/clients/<client_id>/rotate", "rotate_client", rotate, "POST"),
        ("/clients/<client_id>/disable", "disable_client", disable, "POST"),
        ("/clients/<client_id>/enable", "enable_client", enable, "POST"),
    )
    for rule, name, view, method in pages:
        blueprint.add_url_rule(rule, name, view, methods=[method])
