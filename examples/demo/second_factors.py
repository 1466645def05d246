"""What listed people have beside their passwords: an app for who needs one, a slip for the newcomer."""

from datetime import timedelta
from typing import Any

import pyotp

from examples.demo import cast
from examples.demo.roles import user_of
from examples.demo.work import Work
from idp.factors import by_totp, paper_code, slips
from idp.web.i18n import moment

_WITHIN = "make demo"
_NAME = "Điện thoại dùng thử"


def app_of(work: Work, player: cast.Player) -> dict[str, Any]:
    """The secret of her app, which is enrolled at the first start."""
    services = work.services
    with services.db.read() as session:
        user = user_of(session, player.source_key)
    known = next((u for u in work.earlier.get("users", []) if u["username"] == user.username), {})
    if "totp" in known:
        return dict(known["totp"])
    now = services.clock()
    offer = by_totp.offer(services, user.id, user.username, _WITHIN)
    # A code is good once: that of a moment ago, so that whoever signs in at once has her own.
    code = pyotp.TOTP(offer.secret).at(now - timedelta(seconds=by_totp.PERIOD))
    with services.db.write() as session:
        by_totp.confirm(
            session,
            services,
            user.id,
            _WITHIN,
            code,
            name=_NAME,
            now=now,
            actor=work.actor,
        )
    return {"secret": offer.secret, "digits": by_totp.DIGITS, "period": by_totp.PERIOD}


def slip_of(work: Work, newcomer: cast.Player) -> dict[str, Any]:
    """The newcomer's slip: that of an earlier start while it can be used, else another one."""
    services, now = work.services, work.services.clock()
    known = work.earlier.get("slip", {})
    lifetime = services.settings.activation_lifetime
    with services.db.write() as session:
        user = user_of(session, newcomer.source_key)
        code = known.get("code", "").replace(" ", "")
        with services.db.hot() as connection:
            good = bool(code) and slips.is_known(connection, services.keyring, code)
        if good:
            slip = slips.by_code(session, services.keyring, code)
            good = slips.standing_of(session, slip, now=now).owner is not None
        until = known.get("until", "")
        if not good:
            code = slips.issue(
                session, services.keyring, user.id, now=now, lifetime=lifetime, actor=work.actor
            )
            until = moment(now + timedelta(seconds=lifetime))
        username = user.username
    return {
        "username": username,
        "name": newcomer.name,
        "code": paper_code.grouped(code),
        "url": f"{services.settings.issuer}/activate/{code}",
        "until": until,
        "birth_date": newcomer.record["birth_date"],
        "number_ends": newcomer.record["citizen_number"][-4:],
    }
