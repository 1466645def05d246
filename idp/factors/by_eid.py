"""An electronic identity as a factor: an upstream vouches, at another address, for who she is.

Each upstream is a factor of its own, ``eid-<name>``, at its own way back, so that the answer of one is
never taken for another's (RFC 9700 §4.4). Its first use shows what would be linked and asks for a
POST; what is asked then holds upstream, subject, number and epochs, and is sealed for this sign-in in
this browser. Nothing here can be guessed: it neither counts towards a lock nor is stopped by one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from connectors import notices
from connectors.eid import upstreams
from connectors.eid import visits as there
from connectors.eid.calling import Calls
from connectors.eid.profiles import Party, Visit
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.upstreams import Offered
from connectors.eid.visits import Known
from connectors.eid.vouched import Vouched
from connectors.notices import Notice
from directory import eid_links
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.errors import InvalidInput, NotFound
from directory.base.remembered import Remembered
from directory.eid_links import Identity
from idp.assurance import UNASKED, Strength
from idp.factors import visits
from idp.factors.factor import (
    Answer,
    Asking,
    Elsewhere,
    Epochs,
    Factor,
    Form,
    Further,
    Parting,
    Passed,
    Proven,
)
from idp.factors.second_factors import EID
from idp.services import Services

LONGEST_PARTING = 1700
"""Characters of an address of logout; one with a longer hint is not offered."""
CONFIRM = timedelta(minutes=5)
"""How long what would be linked may be looked at."""


class ByEid:
    """One upstream."""

    first = True

    def __init__(self, upstream: Offered) -> None:
        self._upstream = upstream
        self.code = EID + upstream.name
        self.title = upstream.title
        # Rests on nothing here: its word is never raised by ours.
        self.gives = Strength(upstream.most)

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """Not where somebody wants to know that she was asked anew and upstream cannot say so; unless
        we have asked her ourselves, and upstream only adds to that.
        """
        fresh = asking.demand.anew or asking.demand.max_age is not None
        return self._upstream.tells_when or not fresh or asking.user_id is not None

    def begin(self, _has: Services, asking: Asking) -> Form:
        """A button that leads there; after the first visit what would be linked."""
        if asking.kept:
            return self._confirmation(asking.kept)
        return Form(
            lead="Bạn sẽ được đưa tới nơi xác thực rồi quay lại đây.",
            button=self.title,
            leads_to=self._upstream.leads_to,
        )

    def _confirmation(self, kept: Mapping[str, str]) -> Form:
        known = json.loads(kept["known"])
        return Form(
            lead="Đây là lần đầu bạn dùng tài khoản này. Hãy xem có đúng là bạn không, rồi liên kết.",
            button="Đúng là tôi, liên kết",
            help="Không phải bạn? Đừng liên kết. Hãy chọn cách đăng nhập khác và báo bộ phận tổ chức"
            " cán bộ.",
            facts=(
                ("Nơi xác thực", self.title),
                ("Họ tên ở nơi xác thực", kept["full_name"]),
                ("Hồ sơ được liên kết", f"{known['full_name']} ({known['username']})"),
                ("Số định danh cá nhân", known["masked"]),
            ),
            kept=dict(kept),
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed | Elsewhere | Further:
        """Raises InvalidInput: with the reason, and audited with more of it."""
        try:
            if answer.returned:
                return self._back(has, asking, answer)
            if answer.kept:
                return self._confirmed(has, asking, answer.kept)
            self._count(has, asking)
            return self._leave(has, asking)
        except EidRefused as refused:
            self._count(has, asking, refused.why.value, refused.detail)
            raise InvalidInput(
                refused.code, refused.message, field="", title=self.title
            ) from refused

    def _leave(self, has: Services, asking: Asking) -> Elsewhere:
        profile, party = there.spoken_to(has.db, has.keyring, self._upstream.name)
        # Who was asked here for this sign-in need not be asked there, where nobody can say that she was.
        asked = asking.user_id is not None and not self._upstream.tells_when
        demand = (
            replace(asking.demand, prompt=frozenset(), max_age=None) if asked else asking.demand
        )
        age = None if demand.max_age is None else int(demand.max_age.total_seconds())
        wanted = Visit(
            asking.back(self.code),
            asking.state,
            anew=demand.anew or age == 0,
            max_age=age or None,
            levels=(*demand.least, *demand.essential, *demand.voluntary),
        )
        begun = there.begin(_calls(has, asking), profile, party, wanted)
        return Elsewhere(begun.url, begun.kept)

    def _back(self, has: Services, asking: Asking, answer: Answer) -> Passed | Further:
        profile, party = there.spoken_to(has.db, has.keyring, self._upstream.name)
        found = there.vouched(
            has.db,
            _calls(has, asking),
            profile,
            party,
            redirect_uri=asking.back(self.code),
            query=answer.query,
            state=asking.state,
            kept=answer.kept,
        )
        known = there.correlate(
            has.db,
            has.keyring,
            party,
            found,
            expected=asking.user_id,
            now=asking.now,
            actor=_actor(asking),
        )
        home = f"{has.settings.issuer}/signed-out"
        parting = profile.leave(_calls(has, asking), party, found.logout, home)
        fits = len(parting) <= LONGEST_PARTING  # in the cookie that waits for her POST
        kept = _kept(known, found, asking.now) | {"parting": parting if fits else ""}
        if known.linked:
            return self._passed(has, asking, party, known, kept)
        return Further(kept)

    def _confirmed(self, has: Services, asking: Asking, kept: Mapping[str, str]) -> Passed:
        """She has seen it and pressed the button."""
        _, party = there.spoken_to(has.db, has.keyring, self._upstream.name)
        if asking.now >= datetime.fromisoformat(kept["seen"]) + CONFIRM:
            raise EidRefused(Why.TOO_LATE)
        told = json.loads(kept["known"])
        known = Known(**told | {"identity": Identity(**told["identity"])})
        if known.identity.upstream != party.name or known.identity.issuer != party.issuer:
            raise EidRefused(Why.UNTRUSTED, "confirmation of another upstream")
        if asking.user_id not in (None, known.user_id):
            raise EidRefused(Why.OTHER_PERSON)
        return self._passed(has, asking, party, known, kept)

    def _passed(
        self,
        has: Services,
        asking: Asking,
        party: Party,
        known: Known,
        kept: Mapping[str, str],
    ) -> Passed:
        proven = Proven(
            self.code,
            datetime.fromisoformat(kept["at"]),
            Epochs(known.user_epoch, known.installation_epoch),
            int(kept["level"]),
            ("eid",) if kept.get("asked") else ("eid", UNASKED),
        )

        def settle(session: Session) -> None:
            _require_enabled(session, party.name)
            actor = Actor(
                "user", known.user_id, known.username, asking.source.ip, asking.source.port
            )
            if known.linked:
                eid_links.use(session, known.user_id, known.identity, now=asking.now)
            else:
                eid_links.make(session, known.user_id, known.identity, now=asking.now, actor=actor)
                notices.tell(
                    session,
                    known.user_id,
                    Notice.LINKED,
                    now=asking.now,
                    actor=actor,
                    upstream=party.title,
                )
            visits.led_in(session, has, asking)

        parting = Parting(party.title, kept["parting"]) if kept["parting"] else None
        return Passed(known.user_id, proven, settle, parting=parting)

    def _count(self, has: Services, asking: Asking, why: str = "", detail: str = "") -> None:
        """One more who leaves, or is refused: in the trail with the reason. Raises Locked."""

        def tell(session: Session, told: str) -> None:
            more = {"detail": detail} if detail and told == why else {}
            audit.record(
                session,
                Tag.EID_REFUSE,
                at=asking.now,
                actor=_actor(asking),
                subject=("eid", self._upstream.name),
                data={"upstream": self._upstream.name, "why": told, **more},
            )

        visits.count(has, asking, tell, why)


def _kept(known: Known, found: Vouched, now: datetime) -> dict[str, str]:
    return {
        "known": json.dumps(asdict(known)),
        "full_name": found.full_name,
        "level": str(found.strength),
        "at": (found.at or now).isoformat(),
        "asked": "yes" if found.at else "",
        "seen": now.isoformat(),
    }


def _require_enabled(session: Session, name: str) -> None:
    """Raises Conflict for one that has been disabled since."""
    try:
        enabled = upstreams.get(session, name).enabled
    except NotFound:
        enabled = False
    if not enabled:
        raise eid_links.overtaken()


def _calls(has: Services, asking: Asking) -> Calls:
    return Calls(has.outbound, has.db.remembered, asking.now)


def _actor(asking: Asking) -> Actor:
    return Actor("anonymous", None, "", asking.source.ip, asking.source.port)


class Eid:
    """The upstreams there are, each a factor."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """Those that people may choose now."""
        return tuple(map(ByEid, upstreams.offered(where, has.db.remembered, now)))

    def known(self, remembered: Remembered) -> tuple[Strength, ...]:
        """The most of each that was there when anybody last looked."""
        return tuple(Strength(one.most) for one in upstreams.newest(remembered))

    def gone(self, code: str) -> Factor | None:
        """One that cannot be chosen any more, by its code: it says so itself."""
        name = code.removeprefix(EID)
        if name == code or not upstreams.NAME.fullmatch(name):
            return None
        return ByEid(Offered(name, name, 1, "", tells_when=False))
