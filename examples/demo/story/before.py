"""Acts 1-3: the directory is there; one sign-in for two applications; a certificate."""

import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from examples.demo.story import console, factors
from examples.demo.story.app_side import Application, created, work
from examples.demo.story.browser import Browser, Page, query_of
from examples.demo.story.relying import claims
from examples.demo.story.scene import Scene, place
from examples.demo.story.telling import NotSo

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----", re.DOTALL)
ACCOUNTS_WITHIN = 60.0
"""Seconds the listed people's accounts may take after the demonstration has started."""


def directory(scene: Scene) -> None:
    """Act 1: a whole province is loaded, through the same door as every change after it."""
    t = scene.telling
    t.act("The directory is loaded")
    joins = _joins(scene)
    t.check(
        "1 the directory is loaded",
        joins > 0,
        expected="changes of kind join in the changes API",
        observed=joins,
    )
    t.step("the changes API lists how people came in", f"{joins}+ batches of kind join")
    official = scene.official
    t.step(
        "an official is drawn by lot",
        f"{official['name']} ({scene.username}), {place(scene.present)}",
    )
    t.step("and will be transferred to", f"{place(scene.future)} ({scene.goal['unit']})")
    t.step(
        "by the HR officer of the whole province",
        f"{scene.hr_officer['name']} ({scene.hr_officer['username']})",
    )


def _joins(scene: Scene) -> int:
    """How many of the changes the API lists brought people in."""
    found, after = 0, None
    for _ in range(5):
        query = {"limit": "200", **({"after": after} if after else {})}
        answer = scene.personnel.changes(**query)
        if answer.status != 200:
            raise NotSo("1 the changes API lists changes", "200", (answer.status, answer.body))
        found += sum(1 for change in answer.body["changes"] if change["kind"] == "join")
        after = answer.body["after"]
        if found or not after:
            break
    return found


def arrival(scene: Scene) -> Browser:
    """Act 2: the official opens A, is sent to Dinhdanh, comes back; opens B and is not asked again."""
    t, seen = scene.telling, scene.seen
    t.act("One sign-in")
    entitled = _accounts_before(scene)
    hers = scene.browser()
    # Somebody of a service centre works with B; A would say that it is not for such a post.
    first, second = sorted(scene.apps, key=lambda app: app.code not in entitled)
    page = _sent_to_provider(scene, hers, first)
    page = factors.level_1_is_refused(scene, hers, page)
    began = time.monotonic()
    page = factors.by_vneid(scene, hers, page, stop=first.url)
    page = factors.linked(scene, hers, page, stop=first.url)
    if page.location is None and page.has_form("assignment"):
        choices = page.form("assignment").choices["assignment"]
        t.step("several posts are held: one is chosen to act in", f"{len(choices)} offered")
        page = factors.capacity(hers, page, stop=first.url)
    page = hers.follow(page)
    who = hers.json(f"{first.url}/whoami")
    t.same(f"2 the official is signed in at {first.name}", who["signed_in"], True)  # noqa: FBT003
    for claim in ("sub", "name", "unit", "position", "sid"):
        t.check(
            f"2 the claims at {first.name}",
            bool(who[claim]),
            expected=f"a claim for {claim}",
            observed=who,
        )
    t.same("2 the name in the claims", who["name"], scene.official["name"])
    seen.sub, seen.sid = who["sub"], who["sid"]
    seen.signed_in.append(first.code)
    seen.unit_before, seen.position_before = who["unit"], who["position"]
    t.step(
        f"back in {first.code} by VNeID with name, unit, position",
        f"{who['name']}, {who['position']}, {who['unit']}",
        seconds=time.monotonic() - began,
    )
    _not_asked_again(scene, hers, second, entitled)
    return hers


def _accounts_before(scene: Scene) -> set[str]:
    """Accounts exist before their owner has ever come: nobody waits at the counter.

    Gives the codes of the applications the official is entitled to.
    """
    t, seen = scene.telling, scene.seen
    wanted = _entitled(scene)
    for app in scene.apps:
        account, _ = t.until(
            f"2 the account in {app.code} before the first visit",
            partial(app.account, scene.username),
            _is_open if app.code in wanted else _is_shut,
            expected="an active account" if app.code in wanted else "no active account",
            within=ACCOUNTS_WITHIN,
        )
        seen.accounts_before[app.code] = account
        if account is not None and app.code in wanted:
            now = datetime.now(UTC)
            t.check(
                f"2 the account in {app.code} is older than the first visit",
                created(account) < now,
                expected=f"created before {now.isoformat()}",
                observed=created(account).isoformat(),
            )
            made = work(account)
            t.step(
                f"the account in {app.code} is there before the first visit",
                f"{made['role']}, {made['department']}, since {created(account):%H:%M:%S}Z",
            )
        else:
            t.step(f"no account is open in {app.code}", "as the rules say")
    return wanted


def _is_open(account: dict[str, Any] | None) -> bool:
    return account is not None and account["active"] is True


def _is_shut(account: dict[str, Any] | None) -> bool:
    return not _is_open(account)


def _entitled(scene: Scene) -> set[str]:
    """Applications the rules give the official now, as the preview of the changes API tells."""
    answer = scene.personnel.preview(scene.body)
    scene.telling.same("2 the preview tells what the official may use", answer.status, 200)
    scene.seen.goal_unit = answer.body["people"][0]["after"][0]["unit"]["id"]
    return {
        row["application"]["code"]
        for row in answer.body["applications"]
        if row["access"] in ("kept", "lost")
    }


def _sent_to_provider(scene: Scene, browser: Browser, app: Application) -> Page:
    """A's redirect is an authorization request for a code, with PKCE."""
    t = scene.telling
    page = browser.get_once(f"{app.url}/login")
    t.check(
        f"2 {app.name} sends the browser to Dinhdanh",
        page.location is not None and page.location.startswith(f"{scene.issuer}/oauth2/authorize"),
        expected=f"a redirect to {scene.issuer}/oauth2/authorize",
        observed=page.location or page.brief,
    )
    query = query_of(page.location or "")
    t.same("2 the request asks for a code", query.get("response_type"), "code")
    t.same("2 the request is bound by PKCE", query.get("code_challenge_method"), "S256")
    t.check(
        "2 the request carries state, nonce and a challenge",
        all(query.get(name) for name in ("state", "nonce", "code_challenge")),
        expected="state, nonce, code_challenge",
        observed=sorted(query),
    )
    t.step(
        f"{app.code} sends the browser to Dinhdanh", "response_type=code, PKCE S256, state, nonce"
    )
    page = browser.follow(page)
    t.check(
        "2 Dinhdanh asks for name and password",
        page.has_form("username", "password"),
        expected="the sign-in form",
        observed=page.brief,
    )
    return page


def _not_asked_again(scene: Scene, browser: Browser, app: Application, entitled: set[str]) -> None:
    t, seen = scene.telling, scene.seen
    began = time.monotonic()
    page = browser.get(f"{app.url}/login")
    t.check(
        f"2 {app.name} opens without asking again",
        not page.has_form("username", "password"),
        expected="no sign-in form",
        observed=page.brief,
    )
    who = browser.json(f"{app.url}/whoami")
    if not who["signed_in"]:
        t.check(
            f"2 {app.name} refuses only whom no rule admits",
            app.code not in entitled and page.status == 403,
            expected="to be signed in, or 403 for somebody without a rule",
            observed=page.brief,
        )
        t.step(f"{app.code}: not for this post, said without asking a password", str(page.status))
        return
    seen.signed_in.append(app.code)
    t.same(f"2 the same person at {app.name}", who["sub"], seen.sub)
    t.same(f"2 the same sign-in at {app.name}", who["sid"], seen.sid)
    account = who["account"]
    what = (
        f"account active, {account['role']}"
        if account and account["active"]
        else "signed in; no account, as the rules say"
    )
    t.step(f"{app.code} opens without asking again", what, seconds=time.monotonic() - began)


def certificate(scene: Scene, hers: Browser) -> None:
    """Act 3: tokens of a plain client; a certificate by CSR; what a stranger makes of it."""
    t, seen = scene.telling, scene.seen
    t.act("Tokens and a certificate")
    _tokens(scene, hers)
    csr = scene.checker.request(scene.username)
    page = hers.get(f"{scene.issuer}/portal/certificates")
    if not page.form("csr"):
        raise NotSo("3 the portal's certificate page", "a form for a CSR", page.brief)
    began = time.monotonic()
    page = hers.submit(page, page.form("csr"), {"csr": csr})
    found = _PEM.search(page.html)
    t.check(
        "3 the portal issues the certificate",
        page.status == 200 and found is not None,
        expected="a certificate (PEM)",
        observed=page.brief,
    )
    seen.serial = scene.checker.keep(found.group() if found else "")
    t.step(
        "a CSR made by openssl is sent to the portal",
        f"serial {seen.serial}",
        seconds=time.monotonic() - began,
    )
    good, said = scene.checker.verify()
    t.check("3 openssl verify -crl_check", good, expected="OK", observed=said)
    status, _ = scene.checker.ocsp()
    t.same("3 openssl ocsp", status, "good")
    t.step("openssl verify -crl_check, openssl ocsp", "OK, good")


def _tokens(scene: Scene, hers: Browser) -> None:
    """A code and tokens for the plain client by the same session; all of them good."""
    t, seen, plain = scene.telling, scene.seen, scene.plain
    request = plain.request("openid profile org offline_access")
    code = authorize(scene, hers, request.url, request.state)
    tokens = plain.redeem(code, request)
    t.same("3 the plain client redeems its code", tokens.status, 200)
    told = claims(tokens.body["id_token"])
    t.same("3 the ID token's nonce", told.get("nonce"), request.nonce)
    t.same("3 the ID token's subject", told["sub"], seen.sub)
    t.same("3 the ID token's level is that of VNeID", told.get("acr"), "urn:vn:aal:2")
    seen.access_token = tokens.body["access_token"]
    renewed = plain.refresh(tokens.body["refresh_token"])
    t.same("3 the refresh token works", renewed.status, 200)
    seen.access_token = renewed.body["access_token"]
    seen.refresh_token = renewed.body["refresh_token"]
    answer = plain.introspect(seen.access_token)
    t.same("3 introspection before the decision", answer.body.get("active"), True)  # noqa: FBT003
    who = plain.userinfo(seen.access_token)
    t.same("3 userinfo before the decision", who.status, 200)
    t.step(
        "a plain client has tokens of the same sign-in",
        "level 2, refresh 200, introspection active, userinfo 200",
    )


def authorize(scene: Scene, browser: Browser, url: str, state: str) -> str:
    """The code of a silent authorization; consent is given where asked."""
    t = scene.telling
    stop = scene.plain.redirect_uri
    page = browser.follow(browser.get_once(url), stop=stop)
    if page.location is None and page.has_form("decision"):
        form = page.form("decision")
        page = browser.submit_once(page, form, press=("decision", "allow"))
        page = browser.follow(page, stop=stop)
    answer = query_of(page.location or "")
    t.check(
        "the plain client gets a code without asking again",
        "code" in answer,
        expected=f"a redirect to {urlsplit(stop).netloc} with a code",
        observed=page.location or page.brief,
    )
    t.same("the answer's state", answer.get("state"), state)
    return answer["code"]


def morning(scene: Scene) -> "console.Officer":
    """The HR officer signs in and looks at the transfer before the certificate exists."""
    t, officer = scene.telling, console.Officer(scene)
    began = time.monotonic()
    page = officer.browser.get(f"{scene.issuer}/console/")
    page = factors.password(officer.browser, page, scene.hr_officer)
    page, used = factors.code(scene, officer.browser, page)
    officer.arrive(factors.chosen(officer.browser, page))
    t.step(
        "the HR officer signs in by password and code",
        scene.hr_officer["name"],
        seconds=time.monotonic() - began,
    )
    factors.code_is_good_once(scene, used)
    officer.preview()
    return officer
