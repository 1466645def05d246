"""Clients: registered in under a minute, looked after, tried."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for

from directory.base.errors import DinhdanhError, InvalidInput, NotAllowed
from idp.console import client_forms, guard, pages_clients
from idp.console.client_forms import Use
from idp.console.guard import asker
from idp.console.snippets import SCOPES, Snippet, snippet
from idp.demands import Operation
from idp.oidc.authorization import test_sign_in
from idp.oidc.clients import (
    SECRET_OVERLAP,
    AuthMethod,
    Client,
    ClientKind,
    GrantType,
    Registration,
)
from idp.oidc.clients import view as client_view
from idp.oidc.clients.registration import vouched
from idp.oidc.clients.view import ClientView
from idp.oidc.routes.core import provider
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def listing() -> str:
    """The clients the asker answers for."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        rows = pages_clients.listed(session, who.rights)
    return render_template("console/clients.html", rows=rows)


# ---- registering -------------------------------------------------------------------------------


def new(*, error: DinhdanhError | None = None) -> Any:
    """The form to register a client: few fields, the rest under "more"."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        managed = pages_clients.managed(session, who.rights)
    chosen = client_forms.use(request.values)
    named = request.values.get("application_id", "")
    application = next((a for a in managed if str(a.id) == named), None)
    if application is None and len(managed) == 1 and not who.runs_installation:
        application = managed[0]
    answer = render_template(
        "console/client_new.html",
        uses=Use,
        use=chosen,
        applications=managed,
        application=application,
        entries=client_forms.entries(
            client_forms.begun(chosen, application),
            request.form if error else None,
            new=True,
            wide=who.runs_installation,
        ),
        error=error_text(error) if error else "",
        field=getattr(error, "field", ""),
    )
    return make_response(answer, error.status if error else 200)


def register() -> Any:
    """Register it, and show its secret this once."""
    has, who = services(), asker()
    try:
        guard.confirm(Operation.SECRET)
        with has.db.write() as session:
            client, secret = pages_clients.register(
                session,
                client_forms.registration(request.form),
                actor=who.actor,
                keyring=has.keyring,
                now=who.now,
            )
    except (InvalidInput, NotAllowed) as error:
        return new(error=error)
    return _secret(client, secret, client_forms.use(request.form))


def _secret(client: Client, secret: str | None, use: Use) -> str:
    """The one page that shows a secret."""
    return render_template(
        "console/secret.html",
        client=client,
        secret=secret,
        issuer=services().settings.issuer,
        snippets=_snippets(client, secret or "", use.snippets),
        old=pages_clients.old_secrets(client, now=asker().now),
    )


@dataclass(frozen=True)
class Piece:
    """A snippet of this client."""

    kind: Snippet
    text: str


def _snippets(client: Client, secret: str, kinds: Iterable[Snippet]) -> list[Piece]:
    """Snippets with the client's own values; only for whom they were made."""
    fits = (
        client.auth_method == AuthMethod.BASIC
        and client.kind == ClientKind.WEB
        and GrantType.CODE in client.grant_types
    )
    if not fits or not client.redirect_uris:
        return []
    after = client.post_logout_redirect_uris
    return [
        Piece(
            kind,
            snippet(
                kind,
                issuer=services().settings.issuer,
                client_id=client.client_id,
                client_secret=secret,
                redirect_uri=client.redirect_uris[0],
                post_logout_redirect_uri=after[0] if after else None,
                scopes=tuple(s for s in SCOPES if s in client.scopes) or ("openid",),
            ),
        )
        for kind in kinds
    ]


# ---- one client --------------------------------------------------------------------------------


def client(client_id: str) -> str:
    """One client."""
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_clients.whole(session, who.rights, client_id, now=who.now)
    return render_template(
        "console/client.html",
        page=page,
        c=page.client,
        facts=client_forms.facts(Registration.of(page.client)),
        issuer=has.settings.issuer,
        overlap=SECRET_OVERLAP.days,
        snippets=_snippets(page.client, gettext("MẬT-KHẨU-CỦA-ỨNG-DỤNG"), tuple(Snippet)),
    )


def edit(client_id: str, *, error: DinhdanhError | None = None) -> Any:
    """The form to change what a client is registered as."""
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_clients.whole(session, who.rights, client_id, now=who.now)
    answer = render_template(
        "console/client_edit.html",
        page=page,
        c=page.client,
        entries=client_forms.entries(
            Registration.of(page.client),
            request.form if error else None,
            new=False,
            wide=who.runs_installation,
        ),
        error=error_text(error) if error else "",
        field=getattr(error, "field", ""),
    )
    return make_response(answer, error.status if error else 200)


def save(client_id: str) -> Any:
    """Change it."""
    has, who = services(), asker()

    def wanted(found: Client) -> Any:
        return client_forms.edited(found, request.form)

    try:
        guard.confirm(Operation.CLIENT)
        with has.db.read() as session:
            asked = wanted(pages_clients.get(session, who.rights, client_id))
        vouched(asked, has.outbound)  # may call out, so before the transaction
        with has.db.write() as session:
            pages_clients.edit(
                session, client_id, wanted, actor=who.actor, keyring=has.keyring, now=who.now
            )
    except InvalidInput as error:
        return edit(client_id, error=error)
    flash(gettext("Đã lưu."), "good")
    return _back(client_id)


def rotate(client_id: str) -> Any:
    """A new secret, shown this once."""
    has, who = services(), asker()
    try:
        guard.confirm(Operation.SECRET)
        with has.db.write() as session:
            found, secret = pages_clients.rotate(
                session, client_id, actor=who.actor, keyring=has.keyring, now=who.now
            )
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return _back(client_id)
    return _secret(found, secret, Use.WEB)


def retire(client_id: str) -> Any:
    """The old secret works no longer."""
    return _switch(client_id, pages_clients.retire, gettext("Mật khẩu cũ không còn dùng được."))


def disable(client_id: str) -> Any:
    """The client is as good as unknown from now on."""
    return _switch(client_id, pages_clients.disable, gettext("Đã ngừng ứng dụng khách."))


def enable(client_id: str) -> Any:
    """The client may ask again."""
    return _switch(client_id, pages_clients.enable, gettext("Đã cho phép lại ứng dụng khách."))


def _switch(client_id: str, act: Callable[..., None], said: str) -> Any:
    has, who = services(), asker()
    try:
        guard.confirm(Operation.CLIENT)
        with has.db.write() as session:
            act(session, client_id, actor=who.actor, now=who.now)
    except InvalidInput as error:
        flash(error_text(error), "bad")
    else:
        flash(said, "good")
    return _back(client_id)


def _back(client_id: str) -> Any:
    return redirect(url_for("console.client", client_id=client_id), 303)


# ---- trying it ---------------------------------------------------------------------------------


def try_it(client_id: str) -> Any:
    """Send the owner through the real endpoints; see ``idp.oidc.authorization.test_sign_in``."""
    found = _trial_client(client_id)
    if found is None:
        flash(
            gettext("Ứng dụng khách hoặc ứng dụng của nó đang ngừng: không ai đăng nhập được."),
            "bad",
        )
        return _back(client_id)
    if not test_sign_in.possible(found):
        flash(gettext("Ứng dụng khách này không dùng mã cấp quyền (code) để đăng nhập."), "wait")
        return _back(client_id)
    who = asker()
    with services().db.hot() as connection:
        path = test_sign_in.begin(provider(), connection, found, who.view, now=who.now)
    return redirect(path, 303)


def tried(client_id: str) -> Any:
    """What came of it."""
    has, who = services(), asker()
    found = _trial_client(client_id)
    told = failed = None
    if found is None:
        failed = test_sign_in.Failed("client_disabled")
    else:
        with has.db.hot() as connection:
            try:
                told = test_sign_in.finish(
                    provider(), connection, found, who.view, request.args.to_dict(), now=who.now
                )
            except test_sign_in.Failed as error:
                failed = error
    with has.db.read() as session:
        page = pages_clients.whole(session, who.rights, client_id, now=who.now)
    return render_template(
        "console/trial.html",
        page=page,
        c=page.client,
        told=told and {"ID token": _flat(told.id_token), "UserInfo": _flat(told.userinfo)},
        failed=failed,
        entitled=found is not None and pages_clients.entitled(has, found, who.view, now=who.now),
        view=who.view,
    )


def _flat(told: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Claims by name, those inside others as ``org.unit.name`` and ``org.posts[0].unit.name``."""
    found: list[tuple[str, str]] = []
    for name, value in told.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            found += _flat({f"{name}[{n}]": one for n, one in enumerate(value)}, prefix)
        elif isinstance(value, list):
            found.append((prefix + name, ", ".join(map(str, value))))
        else:
            found.append((prefix + name, value if isinstance(value, str) else json.dumps(value)))
    return found


def _trial_client(client_id: str) -> ClientView | None:
    """The client as the endpoints see it, if the asker answers for it. Raises NotFound."""
    has, who = services(), asker()
    with has.db.read() as session:
        pages_clients.get(session, who.rights, client_id)
    with has.db.hot() as connection:
        return client_view.view(connection, client_id)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    pages: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
        ("/clients", "clients", listing, "GET"),
        ("/clients/new", "new_client", new, "GET"),
        ("/clients/new", "register_client", register, "POST"),
        ("/clients/<client_id>", "client", client, "GET"),
        ("/clients/<client_id>/edit", "edit_client", edit, "GET"),
        ("/clients/<client_id>/edit", "save_client", save, "POST"),
        ("/clients/<client_id>/rotate", "rotate_client", rotate, "POST"),
        ("/clients/<client_id>/retire", "retire_secret", retire, "POST"),
        ("/clients/<client_id>/disable", "disable_client", disable, "POST"),
        ("/clients/<client_id>/enable", "enable_client", enable, "POST"),
        ("/clients/<client_id>/test-sign-in", "try_client", try_it, "POST"),
        ("/clients/<client_id>/test-sign-in/answer", "client_tried", tried, "GET"),
    )
    for rule, name, view, method in pages:
        blueprint.add_url_rule(rule, name, view, methods=[method])
