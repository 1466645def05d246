"""A sign-in without its pages: what they check and write, in the same order.

Most tests of pages begin behind the sign-in, and its four pages cost more than what they ask then.
The pages themselves are tested by tests/flows/test_login.py and its neighbours.
"""

from directory.base import signed_values
from directory.base.crypto import random_id
from idp.assurance import Demand
from idp.factors import by_password
from idp.factors.factor import Answer, Asking, Source
from idp.login import finishing
from idp.login import flow as flows
from idp.services import Services
from idp.web import threshold

SOURCE = Source("127.0.0.1", None, "Werkzeug")


def cookies_of(
    has: Services, username: str, password: str, *, assignment: int | None = None
) -> dict[str, str]:
    """The cookies of a new session and of its browser, where a password is enough.

    Raises DinhdanhError where a page would refuse, or ask more.
    """
    now, browser, factor = has.clock(), random_id(), by_password.Password()
    asking = Asking("", None, Demand(), "", SOURCE, now, str, "")
    passed = factor.check(has, asking, Answer({"username": username, "password": password}))
    with has.db.write() as session:
        passed.settle(session)
        flow_id = flows.begin(
            session,
            return_to="/portal/profile",
            client_id=None,
            request={},
            now=now,
            settings=has.settings,
            browser=browser,
        )
        flows.record(session, flows.load(session, flow_id, browser=browser, now=now), passed)
        if assignment is not None:
            flow = flows.load(session, flow_id, browser=browser, now=now)
            hers = [held.id for held in flows.capacities(session, passed.user_id, now=now)]
            flows.record_capacity(session, flow, assignment, capacities=hers)
        done = finishing.finish(
            session,
            flow_id,
            browser=browser,
            ways=(factor,),
            acting=None,
            source=SOURCE,
            now=now,
            settings=has.settings,
            keyring=has.keyring,
        )
    return {
        threshold.cookie_name(has.settings): done.cookie_value,
        threshold.cookie_name(has.settings, "browser"): signed_values.seal(
            has.keyring, "browser", browser
        ),
    }
