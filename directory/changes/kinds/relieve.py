"""``relieve``: miễn nhiệm, thôi kiêm nhiệm; one further post ends, the others stay."""

from typing import Annotated

from sqlalchemy.orm import Session

from directory.assignments import HeldAs
from directory.changes import personal, posts, promises
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground, people_of
from directory.changes.field_types import HeldRef
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus
from directory.permissions import Do

FURTHER = frozenset({HeldAs.CONCURRENT.value, HeldAs.ACTING.value})


class Asks(Fields):
    """Which post ends."""

    post: Annotated[
        HeldRef,
        Ask(
            "Vị trí thôi giữ",
            says="The assignment that ends, by id; needed where she holds several further posts.",
            empty="Vị trí kiêm nhiệm duy nhất",
        ),
    ] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The post ends on the day; what acts in it ends with it. Whoever has the right over the post's
    unit may do so. Raises InvalidInput, NotAllowed.
    """
    asked, on = spec.ask(Asks), spec.effective_on
    personal.one_only(spec)
    draft = Draft(spec, ground)
    promised = promises.read(session, spec.users, now=ground.now)
    touched = set()
    for user, before in people_of(session, spec):
        post = posts.chosen(before, asked.post, FURTHER, on)
        ground.rights.require(Do.CHANGE, post.unit.path, missing="source")
        posts.not_begun_then(draft, user, post)
        touched.add(post.unit.id)
        draft.terms(user, [post], promised[user.id])
        draft.person(user, Event.RELIEVE, before, [post], promised=promised[user.id])
    return draft.done(units_touched=touched)


KIND = Kind(
    code="relieve",
    title="Miễn nhiệm, thôi kiêm nhiệm",
    summary="One further post of USER ends.",
    asks=Asks,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    of_posts=FURTHER,
    order=55,
)
