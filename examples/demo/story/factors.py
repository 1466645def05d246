"""How people sign in: by VNeID, by password, by password and code; and what must not be enough."""

import base64
import hashlib
import hmac
import struct
import time
from typing import Any

from examples.demo.story.browser import Browser, Form, Page, at
from examples.demo.story.scene import Scene
from examples.demo.story.telling import NotSo

_SPENT = "đã dùng"
_BELOW = "chưa đạt mức độ 2"


def by_vneid(
    scene: Scene, browser: Browser, page: Page, *, level: str = "recorded", stop: str = ""
) -> Page:
    """From the sign-in page to VNeID, and back as the official with an account of that level."""
    page = _to_vneid(scene, browser, page)
    form = page.form("person", "level")
    if scene.username not in form.choices["person"]:
        raise NotSo("VNeID knows the official", scene.username, form.choices["person"])
    chosen = {"person": scene.username, "level": level}
    page = browser.submit_once(page, form, chosen, press=("decision", "sign_in"))
    return browser.follow(page, stop=stop)


def _to_vneid(scene: Scene, browser: Browser, page: Page) -> Page:
    eid = scene.credentials["eid"]
    step = f"eid-{eid['upstream']}"
    if _asking(page, step) is None:
        found = next((href for href, _ in page.links if f"way={step}" in href), None)
        if found is None:
            raise NotSo("the sign-in page offers VNeID", eid["title"], page.brief)
        page = browser.get(at(page, found))
    form = _asking(page, step)
    if form is None:
        raise NotSo("the way to VNeID", "a button that leads there", page.brief)
    page = browser.submit(page, form)
    if not page.url.startswith(eid["url"]):
        raise NotSo("the button leads to VNeID", eid["url"], page.brief)
    return page


def _asking(page: Page, step: str) -> Form | None:
    """The form that asks for this step."""
    return next((form for form in page.forms if form.fields.get("step") == step), None)


def linked(scene: Scene, browser: Browser, page: Page, *, stop: str = "") -> Page:
    """The first time: what would be linked is shown, and nothing happens until it is confirmed."""
    t = scene.telling
    form = _asking(page, f"eid-{scene.credentials['eid']['upstream']}")
    if form is None:
        return page
    t.check(
        "2 the page shows whose record would be linked",
        scene.username in page.text and scene.official["name"] in page.text,
        expected=f"{scene.official['name']} ({scene.username})",
        observed=page.brief,
    )
    t.step("the first time it shows what would be linked", f"{scene.official['name']}: confirmed")
    return browser.follow(browser.submit_once(page, form), stop=stop)


def level_1_is_refused(scene: Scene, browser: Browser, page: Page) -> Page:
    """The same person with an account of level 1: refused with a reason. The page she is left at."""
    t = scene.telling
    page = by_vneid(scene, browser, page, level="1")
    home = browser.get_once(f"{scene.issuer}/")
    t.check(
        "2 a VNeID account of level 1 is refused",
        _BELOW in page.text and home.location is not None and "/login" in home.location,
        expected=f"“{_BELOW}”, and no session",
        observed=page.brief,
    )
    t.step("VNeID with an account of level 1 is refused", "told why, no session")
    return page


def password(browser: Browser, page: Page, user: dict[str, Any], *, stop: str = "") -> Page:
    """Fill in ``#username`` and ``#password``."""
    form = page.form("username", "password")
    name, secret = form.ids.get("username"), form.ids.get("password")
    if name is None or secret is None:
        raise NotSo("the sign-in page", "#username and #password", form.ids)
    page = browser.submit_once(page, form, {name: user["username"], secret: user["password"]})
    return browser.follow(page, stop=stop)


def code(scene: Scene, browser: Browser, page: Page) -> tuple[Page, str]:
    """The HR officer's code, typed where it is asked for; the page it leads to, and the code."""
    app = scene.hr_officer["totp"]
    t = scene.telling
    t.check(
        "2 the HR officer is asked for a code beside the password",
        page.has_form("code"),
        expected="a page that asks for a code",
        observed=page.brief,
    )
    # Whoever has just signed in elsewhere has used the code of this moment: then the next will do.
    for moment in range(int(time.time()), int(time.time()) + 2 * app["period"], app["period"]):
        shown = _code(app, moment)
        page = browser.submit(page, page.form("code"), {"code": shown})
        if not (page.has_form("code") and _SPENT in page.text):
            return page, shown
    raise NotSo("2 the HR officer's code is accepted", "one of two codes", page.brief)


def code_is_good_once(scene: Scene, used: str) -> None:
    """Whoever has seen password and code over a shoulder does not get in with them."""
    t, other = scene.telling, scene.browser()
    page = password(other, other.get(f"{scene.issuer}/console/"), scene.hr_officer)
    page = other.submit(page, page.form("code"), {"code": used})
    home = other.get_once(f"{scene.issuer}/console/")
    t.check(
        "2 a code is good once",
        page.has_form("code") and home.status != 200,
        expected="asked for another code, no session",
        observed=page.brief,
    )
    t.step("the same code again, in another browser", "refused")


def _code(app: dict[str, Any], moment: int) -> str:
    """What her phone shows (RFC 6238 with SHA-1; RFC 4226 §5.3)."""
    counter = struct.pack(">Q", moment // app["period"])
    digest = hmac.digest(base64.b32decode(app["secret"]), counter, hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10 ** app['digits']:0{app['digits']}}"


def capacity(browser: Browser, page: Page, *, stop: str = "") -> Page:
    """Choose what to act as: what the page proposes first."""
    form = page.form("assignment")
    chosen = form.fields.get("assignment") or form.choices["assignment"][0]
    return browser.follow(browser.submit_once(page, form, {"assignment": chosen}), stop=stop)


def chosen(browser: Browser, page: Page, *, stop: str = "") -> Page:
    """The same, where it is asked for."""
    if page.location is None and page.has_form("assignment"):
        return capacity(browser, page, stop=stop)
    return page
