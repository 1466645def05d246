"""The HR officer in the console: finds the official, previews, confirms, reads the proof."""

import re
from dataclasses import dataclass
from typing import Any

from examples.demo.story.browser import Page, at
from examples.demo.story.scene import Scene
from examples.demo.story.telling import NotSo


@dataclass(frozen=True)
class Preview:
    """A preview as the page shows it."""

    page: Page
    effects: list[tuple[str, str]]
    """(kind of effect, target), sorted; sessions and grants too."""

    @property
    def fingerprint(self) -> str:
        """What confirming it would promise."""
        return self.page.form("fingerprint").fields["fingerprint"]


class Officer:
    """The HR officer of the whole province, in a browser of his own."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.browser = scene.browser()
        self.seen: Preview | None = None
        self._person = ""

    def arrive(self, page: Page) -> None:
        """He is in the console."""
        if not page.path.startswith("/console"):
            raise NotSo("the HR officer signs in to the console", "/console", page.brief)

    def preview(self) -> Preview:
        """Find the official by user name, fill in the form of a transfer, look at the preview."""
        scene = self._scene
        page = self.browser.get(f"{scene.issuer}/console/people")
        form = page.form("q")
        page = self.browser.submit(page, form, {"q": scene.username})
        person = self._link(page, r"/console/people/\d+$", scene.official["name"])
        page = self.browser.get(person)
        page = self.browser.get(self._link(page, r"/console/people/\d+/transfer"))
        page = self._fill(page)
        self.seen = read_preview(page)
        return self.seen

    def _link(self, page: Page, pattern: str, text: str = "") -> str:
        for href, shown in page.links:
            if re.search(pattern, href) and text in shown:
                return at(page, href)
        raise NotSo(f"the page {page.path}", f"a link {pattern} {text}", page.brief)

    def _fill(self, page: Page) -> Page:
        scene, decision = self._scene, self._scene.decision
        form = page.form("unit_words", "position", "number", "issued_on", "issuer")
        words = scene.goal["unit"].partition(":")[2]
        page = self.browser.submit(page, form, {"unit_words": words}, press=("step", "search"))
        form = page.form("to_unit", "position", "number", "issued_on", "issuer")
        unit = str(scene.seen.goal_unit)
        if unit not in form.choices["to_unit"]:
            raise NotSo("the console finds the unit", unit, form.choices["to_unit"])
        year, month, day = decision["issued_on"].split("-")
        values = {
            "to_unit": unit,
            "position": scene.goal["position"],
            "number": decision["number"],
            "issued_on": f"{day}/{month}/{year}",
            "issuer": decision["issuer"],
        }
        return self.browser.submit(page, form, values, press=("step", "preview"))

    def confirm(self, preview: Preview, *, other_form: bool = False) -> "Preview | str":
        """Confirm with the password: the id of the change, or the preview that came instead.

        With ``other_form`` as from another page that asks for the same: the console then has not
        seen this form before, and only the Idempotency-Key tells.
        """
        page = preview.page
        form = page.form("fingerprint", "decision")
        values = {"form_key": ""} if other_form else {}
        if "password" in form.fields:
            values["password"] = self._scene.hr_officer["password"]
        answer = self.browser.submit_once(page, form, values, press=("decision", "allow"))
        if answer.location is not None:
            found = re.search(r"/console/changes/([\w-]+)$", answer.location)
            if found:
                return found.group(1)
            answer = self.browser.follow(answer)
        return read_preview(answer)

    def proof(self, change_id: str) -> Page:
        """The page of the proof."""
        return self.browser.get(f"{self._scene.issuer}/console/changes/{change_id}")


def read_preview(page: Page) -> Preview:
    """What the page announces."""
    if not page.has_form("fingerprint"):
        raise NotSo("the console's preview", "a form to confirm it", page.brief)
    return Preview(page, effect_rows(page))


def effect_rows(page: Page) -> list[tuple[str, str]]:
    """Kind and target of every effect on a page."""
    return sorted((effect["effect"], effect["target"]) for effect in page.effects)


def rows_of(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """The same of a plan or a proof as the API gives it."""
    return sorted((effect["kind"], effect["target"]) for effect in plan["effects"])
