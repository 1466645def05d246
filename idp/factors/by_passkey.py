"""Passkeys (W3C Web Authentication Level 3): a sign-in may begin with one, or be made stronger by it.

What she proves follows from what her authenticator says of this very signature: with a PIN, a finger
or a face two factors, without one that she holds the key. Either way it was signed for our own page,
and for no other.

``webauthn`` does not look whose a key is (w3c/webauthn#753): here it must belong to the person of the
sign-in, and to the one whom the authenticator takes her for. What somebody presents can be guessed by
nobody: it neither counts towards a lock nor is stopped by one. A challenge is good for one page of one
sign-in, once. A count that does not go on means that there are two of a key: it is refused, and
audited; synced keys stay at 0.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_bytes

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base import audit, base64url, replay_cache
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.db import core
from directory.base.errors import Conflict, InvalidInput, Misconfigured
from directory.base.remembered import Remembered
from idp.assurance import Means, Strength
from idp.factors import enrolled, enrolled_keys, passkey_ceremony, passkey_site
from idp.factors.enrolled_keys import Named
from idp.factors.factor import Answer, Asking, Epochs, Factor, Field, Form, Passed, Proven
from idp.factors.passkey_ceremony import Asserted, Credential, Given, Unverified
from idp.factors.passkey_site import Site, require_same, site
from idp.services import Services

CODE = passkey_site.CODE
SCRIPT = "passkey.js"
CREDENTIAL = "credential"
"""The field that the script fills in."""
_HELD, _BOTH = 1, 2
_ENROL = "passkey-offer"
_OFFERED = timedelta(minutes=15)
"""How long a page that offers to make a key may stay open."""


class Flaw(StrEnum):
    """Why a key was refused; told to the audit."""

    ENDED = "ended"
    """It was removed, lost or reset."""
    ANOTHERS = "anothers"
    """It belongs to somebody else than signs in, or than the authenticator says."""
    UNVERIFIED = "unverified"
    """Not signed for this page, or not by the key."""
    NO_PIN = "no_pin"
    COPIED = "copied"
    """Its count did not go on."""


def proven(at: datetime, epochs: Epochs, *, verified: bool) -> Proven:
    """What a signature proves; ``verified`` is what the authenticator says of this one."""
    return Proven(
        CODE,
        at,
        epochs,
        level=_BOTH if verified else _HELD,
        # RFC 8176 §2: "pop" where nobody knows whether hardware keeps the key.
        amr=("pop", "user", "mfa") if verified else ("pop", "user"),
        # PIN or finger, nobody says which: neither is counted together with what else she proves.
        means=(Means.POSSESSION,),
        phishing_resistant=True,
    )


def made(at: datetime, epochs: Epochs) -> Proven:
    """What the making of a key proves: that she holds it. Nothing was signed yet."""
    return Proven(CODE, at, epochs, level=_HELD, amr=("pop",), means=(Means.POSSESSION,))


class Passkey:
    """A key of hers, on this device or on another."""

    code = CODE
    title = "Khóa đăng nhập (passkey)"
    first = True
    gives = Strength(_BOTH, frozenset({Means.POSSESSION}), phishing_resistant=True)

    def __init__(self, site: Site) -> None:
        self._site = site

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """To everybody while nobody knows who she is; then to whom has one."""
        return asking.user_id is None or CODE in asking.enrolled

    def begin(self, has: Services, asking: Asking) -> Form:
        """A button; the browser asks for the rest."""
        challenge, keys = token_bytes(32), []
        if asking.user_id is not None:
            with has.db.hot() as connection:
                keys = credentials(connection, asking.user_id)
        return Form(
            lead="Dùng vân tay, khuôn mặt hoặc mã PIN của thiết bị, hoặc khóa bảo mật USB.",
            button="Đăng nhập bằng passkey",
            fields=(Field(CREDENTIAL, "", "hidden"),),
            kept={"challenge": base64url.encode(challenge)},
            script=SCRIPT,
            asks=passkey_ceremony.to_get(
                self._site,
                challenge,
                keys,
                verification=has.settings.passkey_user_verification,
            ),
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed:
        """Raises InvalidInput; where it is about a key that we know, audited with the reason."""
        kept = answer.kept.get("challenge")
        if kept is None:
            raise spent()
        given = passkey_ceremony.read(answer.values.get(CREDENTIAL, ""))
        with has.db.hot() as connection:
            found = enrolled_keys.named_by(connection, origin(has.keyring, given.id), CODE)
        if found is None:
            raise _unknown()
        told = self._judged(has, asking, kept, given, found)
        if isinstance(told, Flaw):
            _audit(has, asking, found, told)
            raise _SAID[told]()
        public = replace(
            Credential.read(found.public), synced=told.synced, backed_up=told.backed_up
        ).stored
        until = asking.now + timedelta(seconds=has.settings.flow_lifetime)

        def settle(session: Session) -> None:
            once(session, asking.flow_id, kept, until=until)
            if not enrolled_keys.use(
                session, found.id, told.counter, public=public, now=asking.now
            ):
                raise _unknown()

        shown = proven(asking.now, found.epochs, verified=told.verified)
        return Passed(found.user_id, shown, settle)

    def _judged(
        self, has: Services, asking: Asking, challenge: str, given: Given, found: Named
    ) -> Asserted | Flaw:
        if not found.live:
            return Flaw.ENDED
        if asking.user_id not in (None, found.user_id):
            return Flaw.ANOTHERS
        # §7.2 step 6: who did not say who she is must be named by her authenticator.
        needless = asking.user_id is not None and given.handle is None
        if not needless and given.handle != handle(has.keyring, found.user_id):
            return Flaw.ANOTHERS
        key = Credential.read(found.public).public_key
        try:
            told = passkey_ceremony.asserted(self._site, base64url.decode(challenge), given, key)
        except Unverified:
            return Flaw.UNVERIFIED
        if has.settings.passkey_user_verification == "required" and not told.verified:
            return Flaw.NO_PIN
        if (told.counter or found.counter) and told.counter <= found.counter:
            return Flaw.COPIED
        return told


class Passkeys:
    """The factor, where browsers know passkeys at all."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """One, or none at an address that cannot have any."""
        found = site(has.settings)
        return (Passkey(found),) if found is not None else ()

    def known(self, remembered: Remembered) -> tuple[Strength, ...]:
        """Nothing that a password and a code do not reach as well."""
        return ()

    def gone(self, code: str) -> Factor | None:
        """Nobody comes back from it."""
        return None


def handle(keyring: Keyring, user_id: int) -> bytes:
    """Whom authenticators know her as: one for each person and for ever, so that a second enrolment
    takes no first one's place; it tells nobody anything (§14.6.1).
    """
    return keyring.mac("passkey-user", str(user_id).encode(), size=32)


def origin(keyring: Keyring, credential_id: str) -> str:
    """What a key's row is found by: nobody's id is registered twice (§7.1 step 26)."""
    return keyring.keyed_hash("enrolled", f"{CODE}:{credential_id}")


def credentials(where: Connection | Session, user_id: int) -> list[Credential]:
    """Her keys."""
    return [Credential.read(one) for one in enrolled_keys.publics_of(where, user_id, CODE)]


def once(session: Session, whose: str, challenge: str, *, until: datetime) -> None:
    """A challenge is used up. Raises InvalidInput for the second who comes with it."""
    digest = replay_cache.digest(CODE, whose, challenge)
    if not replay_cache.first(core(session), digest, until=until):
        raise spent()


def _audit(has: Services, asking: Asking, found: Named, why: Flaw) -> None:
    with has.db.write() as session:
        audit.record(
            session,
            Tag.LOGIN_FAIL,
            at=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
            subject=("user", found.user_id),
            data={"factors": [CODE], "why": why.value},
        )


def spent() -> InvalidInput:
    """Of a page that was used, or of another sign-in's."""
    return InvalidInput(
        "passkey_spent", "Trang này đã dùng rồi hoặc để quá lâu. Hãy bấm nút một lần nữa.", field=""
    )


def _unknown() -> InvalidInput:
    return InvalidInput(
        "passkey_unknown",
        "Khóa này chưa được thêm ở đây hoặc đã bị bỏ. Hãy chọn khóa khác hoặc cách đăng nhập khác.",
        field="",
    )


def _anothers() -> InvalidInput:
    return InvalidInput(
        "passkey_anothers",
        "Khóa này không phải của người đang đăng nhập. Hãy chọn khóa khác.",
        field="",
    )


def _unverified() -> InvalidInput:
    return InvalidInput(
        "passkey_wrong",
        "Khóa không xác nhận được cho trang này. Hãy bấm nút một lần nữa, hoặc chọn cách khác.",
        field="",
    )


def _no_pin() -> InvalidInput:
    return InvalidInput(
        "passkey_no_pin",
        "Khóa phải hỏi mã PIN, vân tay hoặc khuôn mặt. Hãy đặt mã PIN cho khóa rồi thử lại.",
        field="",
    )


def _copied() -> InvalidInput:
    return InvalidInput(
        "passkey_copied",
        "Khóa này có dấu hiệu bị sao chép nên không được nhận. Hãy đăng nhập bằng cách khác, bỏ khóa "
        "này và thêm lại.",
        field="",
    )


_SAID: dict[Flaw, Callable[[], InvalidInput]] = {
    Flaw.ENDED: _unknown,
    Flaw.ANOTHERS: _anothers,
    Flaw.UNVERIFIED: _unverified,
    Flaw.NO_PIN: _no_pin,
    Flaw.COPIED: _copied,
}


# ---- enrolling -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """What her browser is asked for to make a new key."""

    asks: str
    kept: str
    """The challenge, sealed: comes back with the form."""


@dataclass(frozen=True)
class Enrolled:
    """A new key of hers."""

    verified: bool
    """Whether its authenticator has asked for a PIN or the like; one that has not is one factor."""


def offer(
    has: Services,
    where: Connection | Session,
    user_id: int,
    within: str,
    *,
    username: str,
    full_name: str,
    now: datetime,
) -> Offer:
    """A new page's challenge. ``within`` names the sign-in or the session in which she enrols: it is
    good in no other. Raises Conflict where there can be no passkey.
    """
    there = _require_site(has, where)
    challenge = token_bytes(32)
    told = [user_id, within, base64url.encode(challenge), now.isoformat()]
    asks = passkey_ceremony.to_create(
        there,
        challenge,
        handle=handle(has.keyring, user_id),
        username=username,
        full_name=full_name,
        installation=there.rp_id,
        keys=credentials(where, user_id),
        verification=has.settings.passkey_user_verification,
        attestation=has.settings.passkey_attestation,
    )
    return Offer(asks, has.keyring.encrypt(_ENROL, json.dumps(told).encode()))


def confirm(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    has: Services,
    user_id: int,
    within: str,
    *,
    given: str,
    kept: str,
    name: str,
    now: datetime,
    actor: Actor,
) -> Enrolled:
    """Her browser has made a key for what was offered: it is hers from now on. Raises InvalidInput,
    and Conflict where there can be no passkey.
    """
    there = _require_site(has, session)
    challenge = _offered(has, user_id, within, kept, now)
    answer = passkey_ceremony.read(given)
    try:
        made = passkey_ceremony.created(there, base64url.decode(challenge), answer)
    except Unverified as exc:
        raise _unverified() from exc
    if has.settings.passkey_user_verification == "required" and not made.verified:
        raise _no_pin()
    once(session, within, challenge, until=now + _OFFERED)
    new = enrolled.enrol(
        session,
        user_id,
        kind=CODE,
        name=name,
        origin=origin(has.keyring, made.credential.id),
        public=made.credential.stored,
        counter=made.counter,
        now=now,
        actor=actor,
    )
    if new is None:
        raise InvalidInput("passkey_known", "Khóa này đã được thêm trước đây.", field="")
    return Enrolled(made.verified)


def _require_site(has: Services, where: Connection | Session) -> Site:
    there = site(has.settings)
    if there is None:
        raise Conflict("passkey_nowhere", "Ở địa chỉ này không dùng được khóa đăng nhập (passkey).")
    require_same(where, there)
    return there


def _offered(has: Services, user_id: int, within: str, kept: str, now: datetime) -> str:
    """The challenge of an offer that was made to her here, lately. Raises InvalidInput."""
    try:
        told = json.loads(has.keyring.decrypt(_ENROL, kept)) if kept else []
    except Misconfigured:
        told = []
    if told[:2] != [user_id, within] or now >= datetime.fromisoformat(told[3]) + _OFFERED:
        raise spent()
    return str(told[2])
