"""Names, parents and codes of units against a naive model of dated facts.

The model is a list of what was decided, in the order in which it was decided. What is so on a day is what
the last decision for that day or an earlier one says, of those that stand; a decision is possible when
then, on every day anybody speaks of, no unit lies below itself and no code is borne by two. Nothing of
the product is used to work that out.

Random decisions, in the past and ahead, undone and cancelled, while days go by; after each, the product
is asked on random days through its pages and its API.
"""

import random  # noqa: TID251 (a seed must give the same decisions again)
import re
import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask

from directory.base.clock import day_start, local_day
from directory.permissions import Role
from directory.units import OrgUnit
from tests import hr_world
from tests.factories import LONG_AGO, make_unit
from tests.hr_world import Hr

pytestmark = pytest.mark.both_databases

NAMES = ["Phòng Nội vụ", "Phòng Kinh tế", "Ban Dân vận", "Văn phòng", "Ban Tổ chức"]
CODES = ["10001", "10002", "10003"]
STEPS = 40


@dataclass
class Decided:
    """One decision as somebody would write it on a card."""

    about: str
    unit: str
    says: Any
    day: date
    change: str = ""
    stands: bool = True


@dataclass
class Model:
    """The cards, oldest first."""

    cards: list[Decided] = field(default_factory=list)

    def on(self, about: str, unit: str, day: date) -> Any:
        found: Any = None
        best = date.min
        for card in self.cards:
            mine = card.stands and card.about == about and card.unit == unit
            if mine and best <= card.day <= day:
                best, found = card.day, card.says
        return found

    def units(self) -> set[str]:
        return {card.unit for card in self.cards}

    def above(self, unit: str, day: date) -> list[str]:
        """From the parent upwards; a unit twice where it lies below itself."""
        up: list[str] = []
        at = self.on("parent", unit, day)
        while at is not None:
            up.append(at)
            if up.count(at) > 1:
                break
            at = self.on("parent", at, day)
        return up

    def wrong(self) -> str:
        """What could not be on some day: a ``ring``, or one ``code`` borne by two; else nothing."""
        for day in {card.day for card in self.cards}:
            borne = [self.on("code", unit, day) for unit in self.units()]
            borne = [code for code in borne if code]
            if len(borne) != len(set(borne)):
                return "code"
            for unit in self.units():
                up = self.above(unit, day)
                if unit in up or len(up) != len(set(up)):
                    return "ring"
        return ""

    def bearer(self, code: str, day: date) -> str | None:
        return next((u for u in sorted(self.units()) if self.on("code", u, day) == code), None)


@dataclass
class Play:
    """The product and the model, side by side."""

    hr: Hr
    model: Model
    dice: random.Random
    api: Any = None
    browser: Any = None
    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._sign_in()

    def _sign_in(self) -> None:
        self.api = self.hr.api(self.hr.token(Role.ADMINISTRATOR, None))
        self.browser = self.hr.browser("admin")

    @property
    def today(self) -> date:
        return local_day(self.hr.clock())

    def step(self) -> None:
        act = self.dice.random()
        if act < 0.15:
            self.hr.clock.set(day_start(self.today + timedelta(days=self.dice.randint(1, 25))))
            self._sign_in()
        elif act < 0.4:
            self._undo()
        else:
            self._decide()

    def _decide(self) -> None:
        about = self.dice.choice(["name", "parent", "parent", "code", "code"])
        unit = self.dice.choice(sorted(self.model.units() - {"root"}))
        day = self.today + timedelta(days=self.dice.randint(-40, 40))
        says: Any
        if about == "name":
            says = self.dice.choice(NAMES)
            body = {"kind": "unit.rename", "name": says, "short_name": says}
        elif about == "parent":
            says = self.dice.choice(sorted(self.model.units() - {unit}))
            body = {"kind": "unit.move", "parent": self.hr.units[says]}
        else:
            says = self.dice.choice([*CODES, ""])
            body = {"kind": "unit.code", "scheme": "gso", "value": says}
        body |= {"unit": self.hr.units[unit], "effective_on": day.isoformat()}
        same = (self.model.on(about, unit, day) or "") == (says or "")
        card = Decided(about, unit, says, day)
        self.model.cards.append(card)
        wrong = self.model.wrong()
        right = not wrong and not same
        self.refused.add(wrong)
        done = self._send("/api/v1/changes", body)
        if right:
            assert done.status_code == 201, (body, done.text)
            card.change = done.json["id"]
        else:
            self.model.cards.pop()
            assert done.status_code in (409, 422), (body, done.text)

    def _undo(self) -> None:
        made = [card for card in self.model.cards if card.change and card.stands]
        if not made:
            return
        card = self.dice.choice(made)
        card.stands = False
        wrong = self.model.wrong()
        right = not wrong
        self.refused.add(wrong)
        done = self._send(f"/api/v1/changes/{card.change}/undo", {})
        if right:
            assert done.status_code == 201, (card, done.text)
        else:
            card.stands = True
            assert done.status_code == 409, (card, done.text)

    def _send(self, path: str, body: dict[str, Any]) -> Any:
        preview = self.api.post(f"{path}/preview", body)
        if preview.status_code != 200:
            return preview
        refused = [c["code"] for c in preview.json["conflicts"]]
        asked = body | {"fingerprint": preview.json["fingerprint"]}
        done = self.api.post(path, asked, key=secrets.token_hex(8))
        # Preview and commit refuse the same things.
        assert bool(refused) == (done.status_code != 201), (body, refused, done.text)
        return done

    def compare(self) -> None:
        for _ in range(2):
            unit = self.dice.choice(sorted(self.model.units()))
            day = self.today + timedelta(days=self.dice.randint(-60, 60))
            page = self.browser.get(f"/console/units/{self.hr.units[unit]}?on={day:%d/%m/%Y}").text
            assert _heading(page) == self.model.on("name", unit, day), (unit, day)
            assert _crumbs(page) == [
                self.model.on("name", over, day) for over in reversed(self.model.above(unit, day))
            ], (unit, day)
            code = self.dice.choice(CODES)
            found = self.browser.get("/console/units", query_string={"q": f"gso:{code}@{day}"}).text
            bearer = self.model.bearer(code, day)
            ids = (
                re.findall(
                    r'href="/console/units/(\d+)"', found.split("<tbody")[1].split("</tb")[0]
                )
                if "<tbody" in found
                else []
            )
            assert [int(i) for i in ids] == ([self.hr.units[bearer]] if bearer else []), (code, day)
        self._today()

    def _today(self) -> None:
        """What the queries that run often read."""
        with self.hr.services.db.read() as session:
            for unit in self.model.units():
                row = session.get_one(OrgUnit, self.hr.units[unit])
                assert row.name == self.model.on("name", unit, self.today)
                up = [*reversed(self.model.above(unit, self.today)), unit]
                assert row.path == "/" + "".join(f"{self.hr.units[u]}/" for u in up)


def _heading(page: str) -> str:
    found = re.search(r"<h1[^>]*>([^<]+)</h1>", page)
    assert found, page
    return unescape(found[1]).strip()


def _crumbs(page: str) -> list[str]:
    if 'class="crumbs"' not in page:
        return []
    part = page.split('class="crumbs"', 1)[1].split("</nav>", 1)[0]
    return [unescape(name) for name in re.findall(r">([^<]+)</a>", part)]


@pytest.mark.parametrize("seed", [4, 5])  # with which every sort of refusal comes up
def test_units_are_what_was_decided_for_the_day(
    services: Any, clock: Any, app: Flask, seed: int
) -> None:
    hr = hr_world.build(services, clock, app)
    model = Model([Decided("name", "root", "Tỉnh Thanh Hóa", LONG_AGO)])
    with services.db.write() as session:
        root = session.get_one(OrgUnit, hr.units["root"])
        for number in range(4):
            key, name = f"u{number}", f"Đơn vị {number}"
            codes = {"gso": CODES[number]} if number < 2 else {}
            hr.units[key] = make_unit(session, name, parent=root, codes=codes).id
            model.cards += [
                Decided("name", key, name, LONG_AGO),
                Decided("parent", key, "root", LONG_AGO),
            ]
            if codes:
                model.cards.append(Decided("code", key, CODES[number], LONG_AGO))
    play = Play(hr, model, random.Random(seed))
    for number in range(STEPS):
        play.step()
        if number % 2:
            play.compare()
    made = [card for card in model.cards if card.change]
    assert len(made) > STEPS / 5
    assert any(not card.stands for card in made)
    assert {"ring", "code"} <= play.refused
