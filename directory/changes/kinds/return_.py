"""``return``: hết biệt phái; she serves at home again."""

from typing import Annotated

from sqlalchemy.orm import Session

from directory.assignments import HeldAs
from directory.changes import personal, posts, promises
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.field_types import HeldRef
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus
from directory.permissions import Do

SENT = frozenset({HeldAs.SECONDMENT.value})


class Asks(Fields):
    """Which secondment ends."""

    post: Annotated[
        HeldRef,
        Ask(
            "Lần biệt phái kết thúc",
            says="The secondment that ends, by id; needed where there are several.",
            empty="Lần biệt phái duy nhất",
        ),
    ] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The post she was sent to ends; both sides must be the asker's. Raises InvalidInput, NotAllowed."""
    asked, on = spec.ask(Asks), spec.effective_on
    personal.one_only(spec)
    draft = Draft(spec, ground)
    promised = promises.read(session, spec.users, now=ground.now)
    touched = set()
    for user, before in people_of(session, spec):
        require_over(ground, before, on)
        post = posts.chosen(before, asked.post, SENT, on)
        ground.rights.require(Do.CHANGE, post.unit.path, missing="source")
        posts.not_begun_then(draft, user, post)
        touched.add(post.unit.id)
        draft.person(user, Event.RETURN, before, [post], promised=promised[user.id])
    return draft.done(units_touched=touched)


KIND = Kind(
    code="return",
    title="Hết biệt phái",
    summary="The secondment of USER ends; she serves at home again.",
    asks=Asks,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    of_posts=SENT,
    order=65,
)
