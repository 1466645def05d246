"""A naive model of dated facts about one person: what is right, worked out the slow way.

It imports nothing of the product. Days are whole numbers, 0 is the day everything begins. A decision
is a fact with a day; what holds on a day is read off the list of decisions that stand, every time
anew. Nothing is ever stored "as it is now", so that nothing can be overwritten.
"""

from dataclasses import dataclass, field

ACTIVE, SUSPENDED, LEFT = "active", "suspended", "left"
STATUS = {"suspend": SUSPENDED, "resume": ACTIVE}
"""Kinds that say how she stands, from the day on which they are decided."""
MOVES = ("join", "transfer", "rejoin")
"""Kinds that give her a primary post, from their day on."""
RETURN = "rejoin"
"""The kind by which she serves again after she has left: from then on nothing of before counts."""
ENDS = ("leave",)
"""Kinds after whose day she serves nowhere."""
HOME, AWAY, NEXT = "home", "away", "next"
"""Her unit, a unit of another legal person, and another room of her own legal person."""
COUNCIL, SIDE, HOST = "council", "side", "host"
"""Units of other legal persons: of the concurrent post she began with, of one she is appointed to, and
where she is seconded to.
"""
TAKES = {"appoint": SIDE, "second": HOST}
"""Kinds that give her a further post, from their day on, and where."""
GIVES_UP = {"relieve": (COUNCIL, SIDE), "return": (HOST,)}
"""Kinds that end a further post on their day, and where she may have one; in the first she has one
before anything is decided.
"""
DATED = (*MOVES, *ENDS, *TAKES, *GIVES_UP)
"""Kinds that may wait for their day. Any other, but those of a status, says what is known of her, at
once, and touches nothing else.
"""
FOR_GOOD = ("number", "sessions.end")
"""Kinds that are never taken back."""
LEAVES_NOTHING = ("sessions.end",)
"""Kinds after which nothing of hers is otherwise than before: nothing is built on them."""
LONG_BEFORE, HORIZON = -10, 70
"""Nothing in the table is dated earlier, or later."""
WHOLLY, AS_SHE_WAS, NOTHING = "wholly", "as she was", "nothing"
"""What an office sees of her: everything, what she was while she was theirs, or not that she is."""


def plain(kind: str) -> bool:
    """Whether a kind only says what is known of her."""
    return kind not in DATED and kind not in STATUS


@dataclass
class Decision:
    """One decision about her, as it was made."""

    number: int
    """In the order in which they were made."""
    kind: str
    """One of those above."""
    day: int
    made_on: int
    to: str | None = None
    elsewhere: bool = False
    """A transfer to another legal person: every post ends, not only the primary one."""
    undone: bool = False
    happened: bool = False
    """Its day came while it stood."""


@dataclass
class Facts:
    """Everything decided about one person."""

    born_in_post: bool = True
    """False for somebody who is only to join."""
    term: int | None = None
    """The day on which the post she began with runs out by itself."""
    decisions: list[Decision] = field(default_factory=list)

    # ---- what stands ----

    def standing(self) -> list[Decision]:
        return [d for d in self.decisions if not d.undone and not self.put_aside(d)]

    def put_aside(self, one: Decision) -> bool:
        """A leave, made while this was still to come, takes her away on its day or before."""
        return one.kind in DATED and any(
            d.kind in ENDS
            and not d.undone
            and d.number > one.number
            and d.day <= one.day
            and d.made_on < one.day
            for d in self.decisions
        )

    def back(self) -> Decision | None:
        """The decision by which she came back last, also one that a later leave has put aside."""
        found = [d for d in self.decisions if d.kind == RETURN and not d.undone]
        return max(found, key=lambda d: d.number, default=None)

    def _lives(self) -> "list[Facts]":
        """Her time here; of somebody who has come back the two, and what was decided in each."""
        back = self.back()
        if back is None:
            return [self]
        earlier = [d for d in self.decisions if d.number < back.number]
        later = [d for d in self.decisions if d.number >= back.number]
        return [
            Facts(born_in_post=self.born_in_post, term=self.term, decisions=earlier),
            Facts(born_in_post=False, decisions=later),
        ]

    def leaves(self) -> int | None:
        back = self.back()
        ends = [d for d in self.standing() if d.kind in ENDS]
        return min((d.day for d in ends if back is None or d.number > back.number), default=None)

    def gone(self, day: int) -> bool:
        never_joined = any(d.kind == "join" and d.undone for d in self.decisions)
        leaving = self.leaves()
        return never_joined or (leaving is not None and leaving <= day)

    # ---- what holds on a day ----

    def status(self, day: int) -> str:
        if self.gone(day):
            return LEFT
        back = self.back()
        last = [d for d in self.standing() if d.kind in STATUS and d.day <= day]
        last = [d for d in last if back is None or d.number > back.number]
        return STATUS[max(last, key=lambda d: d.number).kind] if last else ACTIVE

    def post(self, day: int) -> str | None:
        """Her primary post."""
        return next((p for life in self._lives() if (p := life._post(day))), None)

    def _post(self, day: int) -> str | None:
        if self.gone(day):
            return None
        moves = [d for d in self.standing() if d.kind in MOVES and d.day <= day]
        if moves:
            return max(moves, key=lambda d: (d.day, d.number)).to
        if not self.born_in_post or (self.term is not None and self.term <= day):
            return None
        return HOME

    def second_post(self, day: int) -> bool:
        """The concurrent post she began with."""
        return any(life._second_post(day) for life in self._lives())

    def _second_post(self, day: int) -> bool:
        ended = any(
            (d.elsewhere or (d.kind, d.to) == ("relieve", COUNCIL)) and d.day <= day
            for d in self.standing()
        )
        return self.born_in_post and not self.gone(day) and not ended

    def further(self, unit: str, day: int) -> bool:
        """A further post there that she has taken up."""
        return any(life._further(unit, day) for life in self._lives())

    def _further(self, unit: str, day: int) -> bool:
        if self.gone(day):
            return False
        taken = [d for d in self.standing() if d.kind in TAKES and d.to == unit and d.day <= day]
        return any(
            not any(self._ends(end, one) and end.day <= day for end in self.standing())
            for one in taken
        )

    @staticmethod
    def _ends(end: Decision, one: Decision) -> bool:
        """Whether the one ends what the other has opened: by itself, or every post of hers with it."""
        meant = (end.kind in GIVES_UP and end.to == one.to) or end.elsewhere
        return meant and end.number > one.number and end.day >= one.day

    def holds(self, unit: str, day: int) -> bool:
        """The further post that is meant by its unit."""
        return self.second_post(day) if unit == COUNCIL else self.further(unit, day)

    def concerns(self, unit: str, day: int) -> bool:
        """Whether she serves that unit, or is going to, from that day on."""
        return any(self.post(later) == unit for later in range(day, HORIZON))

    def sight(self, unit: str, day: int) -> str:
        """What the officer of a unit sees of her. What was taken back never was."""
        if self.concerns(unit, day):
            return WHOLLY
        was = any(self.post(before) == unit for before in range(LONG_BEFORE, day))
        return AS_SHE_WAS if was else NOTHING

    def decides(self, unit: str, day: int) -> bool:
        """Whether a unit she may have gone to decides about her: she serves it, or, while she
        serves none, it is the last that she went to.
        """
        if self.post(day) is not None:
            return self.post(day) == unit
        moves = [d for d in self.standing() if d.kind in MOVES]
        return bool(moves) and max(moves, key=lambda d: (d.day, d.number)).to == unit

    def free_role(self, day: int) -> bool:
        """A role given for itself: ends with the day of a leave, and never comes back."""
        ended = any(d.happened and d.kind in ENDS for d in self.decisions)
        return self.born_in_post and self.status(day) == ACTIVE and not ended

    def bound_role(self, day: int) -> bool:
        """A role that came with the post she began with."""
        ended = any(d.happened and d.kind in (*ENDS, "transfer") for d in self.decisions)
        in_post = self.post(day) == HOME
        return self.born_in_post and self.status(day) == ACTIVE and in_post and not ended

    def state(self, one: Decision, day: int) -> str:
        """Where a decision stands."""
        if one.undone:
            return "undone"
        if self.put_aside(one):
            return "superseded"
        return "scheduled" if one.day > day else "done"

    # ---- what is impossible ----

    def refused(self, kind: str, day: int, today: int, to: str | None = None) -> str | None:
        """Why this cannot be decided today; None when it can."""
        status, leaving = self.status(today), self.leaves()
        if plain(kind):
            return None
        if kind in STATUS:
            change = {status, STATUS[kind]} == {ACTIVE, SUSPENDED}
            return None if change else "she is so already, or has left"
        if kind in GIVES_UP:
            began = any(d.kind in TAKES and d.to == to and d.day == day for d in self.standing())
            return None if self.holds(str(to), day) and not began else "no such post to end then"
        if kind == RETURN:
            before = leaving is not None and day < leaving
            return None if self.gone(today) and not before else "she is here, or was then"
        if status == LEFT or (leaving is not None and leaving <= day):
            return "she has left by then"
        if kind in TAKES:
            return self._taking_refused(kind, day, str(to), status)
        begun = [d.day for d in self.standing() if d.kind in (*MOVES, *TAKES)]
        if any(day < b <= today for b in begun):
            return "she has taken up another post since"
        return None if kind in ENDS else self._moving_refused(day, today, to, status)

    def _moving_refused(self, day: int, today: int, to: str | None, status: str) -> str | None:
        waiting = [d for d in self.standing() if d.kind in MOVES and d.day > today]
        if status != ACTIVE:
            return "she is suspended"
        if self.post(day) is None:
            return "she has no post then"
        if self.post(day) == to:
            return "she has that post then"
        if any(d.day == day for d in waiting):
            return "another move waits for that day"
        following = min((d for d in waiting if d.day > day), key=lambda d: d.day, default=None)
        if following is not None and following.to == to:
            return "the next move would lead nowhere"
        return None

    def _taking_refused(self, kind: str, day: int, to: str, status: str) -> str | None:
        if status != ACTIVE:
            return "she is suspended"
        if any(self.further(to, later) for later in range(day, HORIZON)):
            return "she has that post then, or later"
        return "she has no post then" if kind == "second" and self.post(day) is None else None

    def undo_refused(self, one: Decision, today: int) -> str | None:
        """Why this decision cannot be taken back today."""
        if one.undone or self.put_aside(one):
            return "it does not stand"
        later = [d for d in self.standing() if d.number > one.number]
        # What is put aside counts too: what put it aside stands on the same ground.
        promised = [d for d in self.decisions if not d.undone and d.number > one.number]
        if one.kind in ENDS and any(d.kind == RETURN for d in promised):
            return "she has come back since"
        if one.kind in ("join", RETURN):
            built = any(d.kind not in LEAVES_NOTHING for d in promised)
            return "something was built on it" if built else None
        if one.kind == "transfer":
            built = any(d.kind in ("transfer", *ENDS) and d.day >= one.day for d in promised)
            return "something was built on it" if built else None
        if one.kind in TAKES:
            built = any(
                self._ends(d, one) or (d.kind in ENDS and d.day >= one.day) for d in promised
            )
            return "something was built on it" if built else None
        if one.kind in GIVES_UP:
            again = any(d.kind in TAKES and d.to == one.to for d in later)
            return "she has taken it up again" if again else None
        if plain(one.kind):
            again = one.kind in FOR_GOOD or any(d.kind == one.kind for d in later)
            return "it was said anew, or is never taken back" if again else None
        standing = one.kind in STATUS
        over = any(d.kind in STATUS for d in later) or self.status(today) == LEFT
        return "something came over it" if standing and over else None

    # ---- what happens ----

    def decide(self, kind: str, day: int, today: int, to: str | None = None) -> Decision:
        """Write a decision down; ``refused`` has said that it can be made."""
        elsewhere = kind == "transfer" and not {self.post(day), to} <= {HOME, NEXT}
        made = Decision(len(self.decisions), kind, day, today, to, elsewhere)
        self.decisions.append(made)
        self.come(today)
        return made

    def undo(self, one: Decision, today: int) -> None:
        one.undone = True
        self.come(today)

    def come(self, today: int) -> None:
        """The day has come."""
        for one in self.standing():
            one.happened = one.happened or one.day <= today
