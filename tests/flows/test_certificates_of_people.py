"""Signing in with a certificate: shown at a host of its own, known by its key, judged by us.

The proxy is played here: it takes the header from whoever else sends it, and tells of the certificate
of its connection. The real one is in tests/interop/test_certificate_site.py. What is right is said by
RFC 8705's neighbours, NIST SP 800-63B and by what went wrong for others.
"""

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from sqlalchemy import select, text, update

from connectors.pki import foreign_distrust, hierarchies, issued, requests, revocations
from connectors.pki.foreign_distrust import serial_of
from connectors.pki.tables import RevocationReason
from directory.base.audit import Actor, AuditEntry
from directory.people import User, UserStatus
from idp import sessions
from idp.factors import throttle
from idp.factors.enrolled import EnrolledFactor
from tests import hr_world
from tests.bent import bent
from tests.browser_client import open_login, shown, submit
from tests.certificates import csr
from tests.hierarchy import (
    BELIEVED,
    FOR_SERVERS,
    SITE,
    House,
    believe,
    crl,
    escaped,
    new_key,
    shown_there,
    way_back,
)
from tests.hr_world import PASSWORD, Hr
from tests.proving import as_header
from tests.relying_party import counted
from tests.someone import OUTSIDE, PAPER, Someone, trail

AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
WAYS = "/portal/ways"
NEW = f"{WAYS}/certificate"


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marked = request.node.get_closest_marker("settings")
    own = {
        "second_factor": "outside",
        "inside_networks": ["10.0.0.0/8"],
        "certificate_site": SITE,
        "trusted_proxies": ["127.0.0.1"],
    }
    return make_settings(**(own | (marked.kwargs if marked else {})))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def house(hr: Hr, clock: Any) -> House:
    made = House(clock)
    believe(hr.services, made)
    crl(hr.services, made.issuing.crl(clock(), days=30))
    return made


@dataclass
class Holder:
    """Somebody with a token, and the proxy between her and us."""

    person: Someone
    house: House
    key: Any = field(default_factory=new_key)
    one: x509.Certificate | None = None

    def __post_init__(self) -> None:
        self.one = self.one or self.house.issue(key=self.key)

    @property
    def client(self) -> Any:
        return self.person.client

    # ---- the host of certificates ----

    def show(self, where: str, header: str | None = "", **how: Any) -> Any:
        """Follow a redirect to the host where certificates are shown; its answer."""
        told = escaped(self.one) if header == "" and self.one else header
        return shown_there(self.person.hr.app, where, told, **how)

    def back(self, answer: Any) -> str:
        """Where the certificates' host sends her, as a path of the issuer's."""
        return way_back(answer)

    # ---- signing in ----

    def open(self, where: str = "/portal/profile") -> Any:
        page = open_login(self.client, where)
        at = page.request.path
        return self.client.get(at, query_string={"way": "certificate"})

    def leave(self, page: Any) -> str:
        """Press the button; where it leads."""
        answer = submit(self.client, page)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def sign_in(self, where: str = "/portal/profile", **how: Any) -> Any:
        """The answer to whoever is back."""
        return self.client.get(self.back(self.show(self.leave(self.open(where)), **how)))

    def session(self) -> Any:
        """The session of this very browser."""
        cookie = self.client.get_cookie("dinhdanh")
        if cookie is None:
            return None
        has = self.person.hr.services
        with has.db.hot() as connection:
            return sessions.resolve(
                connection, has.keyring, cookie.value, now=has.clock(), settings=has.settings
            )

    def elsewhere(self, network: dict[str, str] | None = None) -> "Holder":
        return Holder(self.person.again(network), self.house, self.key, self.one)

    # ---- adding ----

    def look(self, **how: Any) -> Any:
        """The page that shows what would be added."""
        page = self.client.get(NEW)
        answer = submit(self.client, page, f"{NEW}/show")
        assert answer.status_code == 303, answer.text
        return self.client.get(self.back(self.show(answer.headers["Location"], **how)))

    def add(self, **fields: str) -> Any:
        return submit(self.client, self.look(), NEW, **fields)


def signed_in_with(one: Holder) -> Holder:
    """Somebody who has just added her certificate to her password."""
    one.person.password()
    answer = one.add(name="Token của tôi")
    assert answer.status_code in (200, 303), answer.text
    return one


@pytest.fixture
def lan(hr: Hr, house: House) -> Holder:
    """She has added it; her browser here is another one, where nobody is signed in."""
    one = Holder(Someone(hr, "lan"), house)
    return signed_in_with(one).elsewhere(OUTSIDE)


def rows(hr: Hr, who: str) -> list[tuple[str, str | None]]:
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people[who]
        found = session.scalars(select(EnrolledFactor).where(mine).order_by(EnrolledFactor.id))
        return [(row.kind, row.ended_as) for row in found]


def refused(one: Holder, sentence: str, why: str | None = None, **how: Any) -> Any:
    """She is told, nobody is signed in, and the trail says why."""
    answer = one.sign_in(**how)
    assert answer.status_code == 422, answer.headers
    assert sentence in answer.text
    assert "Đăng nhập bằng chứng thư" in answer.text  # once more
    assert one.session() is None
    if why is not None:
        told = trail(one.person.hr, "login.fail")[-1]
        assert told == {"factors": ["certificate"], "why": why}
    return answer


# ---- adding one ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_certificate_is_looked_at_added_and_lets_her_in(hr: Hr, house: House) -> None:
    one = Holder(Someone(hr, "lan"), house)
    one.person.password()
    page = one.look()
    assert "Nguyễn Thị Lan" in page.text
    assert "CA phục vụ G2" in page.text
    assert rows(hr, "lan") == []
    answer = submit(one.client, page, NEW, name="Token của tôi")
    assert len(set(PAPER.findall(shown(one.client, answer).text))) == 10
    assert rows(hr, "lan") == [("certificate", None), ("recovery_code", None)]
    told = one.client.get(WAYS).text
    assert "Token của tôi" in told
    assert "Chứng thư số (USB token)" in told
    other = one.elsewhere(OUTSIDE)
    came = other.sign_in()
    assert came.status_code == 303
    assert came.headers["Location"] == "/portal/profile"
    session = other.session()
    assert (session.acr, session.user_id) == (AAL2, hr.people["lan"])
    assert set(session.amr) == {"hwk", "pin", "mfa"}
    assert "chưa dùng" not in one.client.get(WAYS).text.split("Token của tôi")[1][:600]


def test_it_has_her_name_where_she_gives_it_none(hr: Hr, house: House) -> None:
    one = Holder(Someone(hr, "lan"), house)
    one.person.password()
    one.add()
    assert "<h2>Nguyễn Thị Lan</h2>" in one.client.get(WAYS).text


def test_a_house_that_says_nothing_of_tokens_gives_one_factor(hr: Hr, house: House) -> None:
    believe(hr.services, house, level=1)
    one = Holder(Someone(hr, "lan"), house)
    one.person.password()
    assert "vẫn cần mật khẩu" in shown(one.client, one.add()).text
    inside = one.elsewhere()
    inside.client.get(inside.sign_in().headers["Location"])
    assert (inside.session().acr, list(inside.session().amr)) == (AAL1, ["pop"])
    outside = one.elsewhere(OUTSIDE)
    page = outside.client.get(outside.sign_in().headers["Location"])
    assert outside.session() is None
    given = {"username": hr.names["lan"], "password": PASSWORD}
    ended = submit(outside.client, page, **given)
    outside.client.get(ended.headers["Location"])
    assert outside.session().acr == AAL2
    assert set(outside.session().amr) == {"pop", "pwd", "mfa"}


def test_adding_asks_for_as_much_as_she_has(lan: Holder, hr: Hr, clock: Any) -> None:
    """CVE-2026-3429 and its like: a stolen password adds no token of the thief's."""
    thief = Holder(Someone(hr, "lan"), lan.house)
    thief.person.password()
    assert thief.session().acr == AAL1
    for answer in (
        thief.client.get(NEW),
        thief.client.post(f"{NEW}/show", data={}),
        thief.client.get(f"{NEW}/shown"),
    ):
        assert answer.status_code in (303, 400)
        assert SITE not in answer.headers.get("Location", "")
    assert [kind for kind, _ in rows(hr, "lan")].count("certificate") == 1


def test_what_was_shown_for_another_session_is_added_to_none(hr: Hr, house: House) -> None:
    """Somebody else's slip, and somebody else's way back: login forgery at enrolment."""
    eve, lan = Holder(Someone(hr, "mai"), house), Holder(Someone(hr, "lan"), house)
    for one in (eve, lan):
        one.person.password()
    way = submit(eve.client, eve.client.get(NEW), f"{NEW}/show").headers["Location"]
    back = eve.back(eve.show(way))
    answer = lan.client.get(back)
    assert answer.status_code == 422
    assert "không thuộc lượt này" in answer.text
    sealed = parse_qs(urlsplit(back).query)["shown"][0]
    page = lan.client.get(NEW)
    assert submit(lan.client, page, NEW, shown=sealed).status_code == 422
    assert rows(hr, "lan") == []


def test_a_key_has_one_owner_until_it_was_removed(lan: Holder, hr: Hr, clock: Any) -> None:
    mai = Holder(Someone(hr, "mai"), lan.house, lan.key, lan.one)
    mai.person.password()
    page = mai.look()
    assert page.status_code == 422
    assert "không phải của người đang đăng nhập" in page.text
    with hr.services.db.write() as session:
        session.execute(
            update(EnrolledFactor)
            .where(EnrolledFactor.user_id == hr.people["lan"])
            .values(ended_at=clock(), ended_as="removed", ended_by="user:1")
        )
    assert mai.add().status_code in (200, 303)
    assert ("certificate", None) in rows(hr, "mai")
    came = lan.sign_in()
    lan.client.get(came.headers["Location"])
    assert lan.session().user_id == hr.people["mai"]


def test_a_removed_one_may_be_added_again(hr: Hr, house: House) -> None:
    one = signed_in_with(Holder(Someone(hr, "lan"), house))
    inside = one.elsewhere()
    inside.client.get(inside.sign_in(WAYS).headers["Location"])
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people["lan"], EnrolledFactor.kind == "certificate"
        way = session.scalars(select(EnrolledFactor.id).where(*mine)).one()
    gone = submit(inside.client, inside.client.get(WAYS), f"{WAYS}/{way}/remove")
    assert gone.status_code == 303
    refused(one.elsewhere(), "đã bị bỏ khỏi cách đăng nhập", "ended")
    assert submit(inside.client, inside.look(), NEW).status_code in (200, 303)
    again = one.elsewhere()
    assert again.sign_in().status_code == 303


# ---- refusals --------------------------------------------------------------------------------


def test_the_header_is_believed_from_the_proxy_alone(lan: Holder) -> None:
    away = {"network": {"REMOTE_ADDR": "203.0.113.9"}}
    refused(lan, "Trình duyệt không gửi chứng thư nào", "certificate_none", **away)
    said = {"network": {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}}
    refused(lan, "Trình duyệt không gửi chứng thư nào", "certificate_none", **said)


def test_the_header_means_nothing_at_the_issuers_own_host(lan: Holder) -> None:
    """There nobody asks for certificates, and a proxy may let the header pass."""
    where = lan.leave(lan.open())
    assert lan.show(where, base="http://localhost:8000").status_code == 421
    for path in ("/login", "/", "/portal/profile", "/oauth2/token", "/static/app.css"):
        assert lan.client.get(path, base_url=SITE).status_code == 421, path


def test_nothing_shown_and_nothing_readable(lan: Holder) -> None:
    refused(lan, "Trình duyệt không gửi chứng thư nào", "certificate_none", header=None)
    refused(lan, "Trình duyệt không gửi chứng thư nào", "certificate_none", header="(null)")
    refused(
        lan, "Không đọc được chứng thư", "certificate_unreadable", header="gì đây".encode().hex()
    )
    long = ":" + "A" * 12_000 + ":"
    refused(lan, "Không đọc được chứng thư", "certificate_unreadable", header=long)


@pytest.mark.parametrize("spelt", [escaped, as_header, lambda one: as_header(one).strip(":")])
def test_proxies_spell_it_as_they_do(lan: Holder, spelt: Any) -> None:
    assert lan.sign_in(header=spelt(lan.one)).status_code == 303


def test_another_chain_with_the_same_names_and_the_same_key(lan: Holder, hr: Hr) -> None:
    """Even her own key, where nobody we believe says so."""
    lan.one = House(hr.clock).issue(key=lan.key)
    refused(lan, "chưa được hệ thống tin cậy", "unknown issuer")


def test_the_same_names_with_another_key_are_nobody(lan: Holder) -> None:
    lan.one = lan.house.issue()
    refused(lan, "chưa được thêm ở đây", "not enrolled")


def test_a_renewed_certificate_of_the_same_key_is_as_good(lan: Holder) -> None:
    lan.one = lan.house.issue("Nguyễn Thị Lan (gia hạn)", key=lan.key)
    assert lan.sign_in().status_code == 303


def test_dates_and_uses(lan: Holder) -> None:
    house = lan.house
    for one, sentence, why in (
        (house.issue(key=lan.key, days=20), "đã hết hạn", "expired"),
        (house.issue(key=lan.key, began=timedelta(hours=1)), "chưa đến ngày", "not yet valid"),
        (
            house.issue(key=lan.key, uses=[FOR_SERVERS]),
            "không dùng để đăng nhập được",
            "not for people",
        ),
    ):
        lan.one = one
        refused(lan, sentence, why)


@pytest.mark.both_databases
def test_revoked_by_an_imported_list(lan: Holder, hr: Hr, clock: Any) -> None:
    assert lan.one is not None
    crl(hr.services, lan.house.issuing.crl(clock(), lan.one.serial_number))
    refused(lan, "đã bị thu hồi", "revoked")


def test_a_list_that_has_ended_lets_nobody_in(lan: Holder, clock: Any) -> None:
    clock.advance(days=31)
    refused(lan, "danh sách thu hồi còn hạn", "no current list")


def distrust(hr: Hr, one: x509.Certificate) -> None:
    with hr.services.db.write() as session:
        hierarchy = hierarchies.named(session, BELIEVED)
        which = foreign_distrust.numbered(session, hierarchy.id, one.serial_number)
        now = hr.clock()
        foreign_distrust.add(session, which, cause="operator", at=now, now=now)


def test_distrusted_by_the_operator_between_showing_and_coming_back(lan: Holder, hr: Hr) -> None:
    assert lan.one is not None
    back = lan.back(lan.show(lan.leave(lan.open())))
    distrust(hr, lan.one)
    answer = lan.client.get(back)
    assert answer.status_code == 422
    assert "đang bị ngừng tin cậy" in answer.text
    assert lan.session() is None


def test_anothers_certificate_in_ones_own_sign_in(lan: Holder, hr: Hr) -> None:
    """w3c/webauthn#753, in another dress: knowing Lan's password, Mai shows her own token."""
    mai = signed_in_with(Holder(Someone(hr, "mai"), lan.house))
    browser = lan.elsewhere(OUTSIDE)
    page = open_login(browser.client, "/portal/profile")
    given = {"username": hr.names["lan"], "password": PASSWORD}
    page = browser.client.get(submit(browser.client, page, **given).headers["Location"])
    assert "Đăng nhập bằng chứng thư" in page.text
    where = browser.leave(page)
    answer = browser.client.get(browser.back(browser.show(where, escaped(mai.one))))
    assert answer.status_code == 422
    assert "không phải của người đang đăng nhập" in answer.text
    assert browser.session() is None
    mine = browser.leave(browser.client.get(page.request.path))
    came = browser.client.get(browser.back(browser.show(mine)))
    browser.client.get(came.headers["Location"])
    assert browser.session().acr == AAL2


# ---- the way there and back ------------------------------------------------------------------


def test_the_way_back_is_good_once_and_only_here(lan: Holder) -> None:
    back = lan.back(lan.show(lan.leave(lan.open())))
    stranger = lan.elsewhere(OUTSIDE)
    assert stranger.client.get(back).status_code == 404
    assert stranger.session() is None
    cookie = lan.client.get_cookie("dinhdanh-away")
    came = lan.client.get(back)
    assert came.status_code == 303
    lan.client.get(came.headers["Location"])
    assert lan.session() is not None
    assert lan.client.get(back).status_code == 404
    lan.client.set_cookie("dinhdanh-away", cookie.value)  # whoever has kept it
    again = lan.client.get(back)
    assert again.status_code in (303, 404, 409, 422)
    assert "Set-Cookie" not in again.headers or "dinhdanh=" not in again.headers["Set-Cookie"]


def test_two_tabs_do_not_lend_each_other_what_was_shown(lan: Holder) -> None:
    """The state of one visit, what was shown in another."""
    first = lan.back(lan.show(lan.leave(lan.open())))
    second = lan.back(lan.show(lan.leave(lan.open())))
    kept = parse_qs(urlsplit(first).query)["shown"][0]
    state = parse_qs(urlsplit(second).query)["state"][0]
    answer = lan.client.get(urlsplit(second).path, query_string={"state": state, "shown": kept})
    assert answer.status_code == 422
    assert "không thuộc lượt này" in answer.text
    assert lan.session() is None


def test_what_was_shown_is_good_for_two_minutes(lan: Holder, clock: Any) -> None:
    back = lan.back(lan.show(lan.leave(lan.open())))
    clock.advance(minutes=2)
    assert lan.client.get(back).status_code == 422
    where = lan.leave(lan.open())
    clock.advance(minutes=10)
    assert lan.show(where).status_code == 404


def test_nothing_in_the_address_signs_in_by_itself(lan: Holder) -> None:
    where = lan.leave(lan.open())
    for wrong in ("", "x", bent(where.partition("for=")[2], 40)):
        assert lan.show(f"{SITE}/certificate?for={wrong}").status_code == 404
    back = lan.back(lan.show(where))
    assert "Nguyễn" not in unquote(back)
    tampered = bent(back, back.index("shown=") + 40)
    answer = lan.client.get(tampered)
    assert answer.status_code in (404, 422)
    assert lan.session() is None


def test_who_looks_at_links_gives_nothing_away(lan: Holder) -> None:
    where = urlsplit(lan.leave(lan.open()))
    answer = lan.client.head(f"{where.path}?{where.query}", base_url=SITE)
    assert answer.status_code == 405


# ---- what cuts it ----------------------------------------------------------------------------


def test_suspended_between_showing_and_the_end(lan: Holder, hr: Hr) -> None:
    back = lan.back(lan.show(lan.leave(lan.open())))
    with hr.services.db.write() as session:
        mine = User.id == hr.people["lan"]
        session.execute(update(User).where(mine).values(status=UserStatus.SUSPENDED.value))
    came = lan.client.get(back)
    page = lan.client.get(came.headers["Location"])
    assert page.status_code == 403
    assert lan.session() is None


def test_cut_between_the_proof_and_the_session(lan: Holder, hr: Hr) -> None:
    came = lan.client.get(lan.back(lan.show(lan.leave(lan.open()))))
    with hr.services.db.write() as session:
        mine = User.id == hr.people["lan"]
        session.execute(update(User).where(mine).values(access_epoch=User.access_epoch + 1))
    lan.client.get(came.headers["Location"])
    assert lan.session() is None


def test_a_lock_for_wrong_passwords_neither_stops_it_nor_grows_by_it(lan: Holder, hr: Hr) -> None:
    """keycloak#41476: failed keys locked people."""
    # Visits that came to nothing are counted of the address, and lock nobody.
    guesses = select(throttle.Throttle).where(throttle.Throttle.key.not_like("visits%"))
    for _ in range(hr.services.settings.lock_after + 1):
        browser = lan.elsewhere(OUTSIDE)
        page = open_login(browser.client)
        submit(browser.client, page, username=hr.names["lan"], password="sai bét nhè rồi")
    with hr.services.db.read() as session:
        before = session.scalars(guesses).all()
    good = lan.one
    lan.one = lan.house.issue()
    for _ in range(8):
        refused(lan, "chưa được thêm ở đây")
    with hr.services.db.read() as session:
        assert len(session.scalars(guesses).all()) == len(before)
    lan.one = good
    assert lan.sign_in().status_code == 303


def test_a_reported_loss_cuts_it_at_once(hr: Hr, house: House) -> None:
    one = signed_in_with(Holder(Someone(hr, "lan"), house))
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people["lan"], EnrolledFactor.kind == "certificate"
        way = session.scalars(select(EnrolledFactor.id).where(*mine)).one()
    assert submit(one.client, one.client.get(WAYS), f"{WAYS}/{way}/lost").status_code == 303
    refused(one.elsewhere(), "đã bị bỏ khỏi cách đăng nhập", "ended")


def test_the_trail_holds_no_certificate(lan: Holder, hr: Hr) -> None:
    lan.sign_in()
    other = lan.elsewhere()
    other.one = lan.house.issue()
    refused(other, "chưa được thêm ở đây")
    with hr.services.db.read() as session:
        told = str([row.data for row in session.scalars(select(AuditEntry))])
    body = base64.b64encode(other.one.public_bytes(Encoding.DER)).decode()
    for secret in (body[:20], "BEGIN CERT", serial_of(other.one.serial_number)):
        assert secret not in told


@pytest.mark.settings(certificate_site="")
def test_without_a_host_of_its_own_there_is_none(hr: Hr, client: Any) -> None:
    assert "Chứng thư số" not in open_login(client).text
    assert client.get("/certificate").status_code == 404
    lan = Someone(hr, "lan")
    lan.password()
    assert lan.client.get(NEW).status_code == 404
    assert "Thêm chứng thư số" not in lan.client.get(WAYS).text


# ---- of our own authority --------------------------------------------------------------------


def own(hr: Hr, who: str, key: Any) -> x509.Certificate:
    """A certificate that our authority issues to somebody for a key of hers."""
    has, now = hr.services, hr.clock()
    with has.db.write() as session:
        requests.request(session, hr.people[who], now=now)
    pem = requests.fulfil(has.db, has.keyring, has.settings, hr.people[who], csr(key), now=now)
    return x509.load_pem_x509_certificates(pem.encode())[0]


@pytest.mark.both_databases
def test_one_of_ours_is_added_used_and_ended_by_our_own_rows(hr: Hr, house: House) -> None:
    key = new_key()
    one = Holder(Someone(hr, "lan"), house, key, own(hr, "lan", key))
    signed_in_with(one)
    assert one.elsewhere().sign_in().status_code == 303
    now, why = hr.clock(), RevocationReason.KEY_COMPROMISE
    assert one.one is not None
    with hr.services.db.write() as session:
        row = issued.by_serial(session, serial_of(one.one.serial_number))
        assert row is not None
        actor = Actor.operator("kiểm thử")
        revocations.revoke(session, row, reason=why, at=now, now=now, actor=actor)
    refused(one.elsewhere(OUTSIDE), "đã bị thu hồi", "revoked")


def test_that_ours_was_issued_to_somebody_lets_nobody_in_by_itself(hr: Hr, house: House) -> None:
    """It is issued to whoever has a session: that may be less than her second factor gives."""
    key = new_key()
    one = Holder(Someone(hr, "lan"), house, key, own(hr, "lan", key))
    refused(one, "chưa được thêm ở đây", "not enrolled")


def test_one_that_ours_issued_to_another_is_added_by_nobody_else(hr: Hr, house: House) -> None:
    key = new_key()
    eve = Holder(Someone(hr, "mai"), house, key, own(hr, "lan", key))
    eve.person.password()
    page = eve.look()
    assert page.status_code == 422
    assert "không phải của người đang đăng nhập" in page.text


def test_a_transfer_ends_ours_with_its_revocation(hr: Hr, house: House) -> None:
    key = new_key()
    one = signed_in_with(Holder(Someone(hr, "lan"), house, key, own(hr, "lan", key)))
    change(hr, kind="transfer", to_unit=hr.units["b"])
    refused(one.elsewhere(OUTSIDE), "đã bị thu hồi", "revoked")


def test_she_is_told_of_it(hr: Hr, house: House) -> None:
    signed_in_with(Holder(Someone(hr, "lan"), house))
    with hr.services.db.read() as session:
        told = session.scalars(text("SELECT what FROM notice ORDER BY id")).all()
    assert "factor.added" in told


# ---- what happens to her ---------------------------------------------------------------------


def change(hr: Hr, **body: Any) -> Any:
    answer = hr.api(hr.token()).commit(user=hr.names["lan"], **body)
    assert answer.status_code == 201, answer.json
    return answer.json


def told_of(hr: Hr, done: Any) -> list[tuple[str, str]]:
    effects = hr.api(hr.token()).get(f"/api/v1/changes/{done['id']}").json["effects"]
    return [
        (one["kind"], one["state"]) for one in effects if one["kind"].startswith("certificate.")
    ]


@pytest.mark.both_databases
def test_a_suspension_holds_it_back_and_its_end_gives_it_back(lan: Holder, hr: Hr) -> None:
    lan.client.get(lan.sign_in().headers["Location"])
    assert lan.session() is not None
    held = change(hr, kind="suspend")
    assert told_of(hr, held) == [("certificate.distrust", "acknowledged")]
    assert lan.session() is None
    refused(lan.elsewhere(), "đang bị ngừng tin cậy", "distrusted")
    given = change(hr, kind="resume")
    assert told_of(hr, given) == [("certificate.restore", "acknowledged")]
    assert lan.elsewhere().sign_in().status_code == 303


@pytest.mark.both_databases
def test_a_transfer_to_another_legal_person_ends_what_the_old_one_says(lan: Holder, hr: Hr) -> None:
    lan.client.get(lan.sign_in().headers["Location"])
    change(hr, kind="transfer", to_unit=hr.units["b"])
    assert lan.session() is None
    refused(lan.elsewhere(), "đang bị ngừng tin cậy", "distrusted")
    other = lan.elsewhere()
    other.one = lan.house.issue("Nguyễn Thị Lan", key=lan.key)  # issued anew for the same token
    assert other.sign_in().status_code == 303


def test_a_transfer_of_a_later_day_counts_on_its_day_without_any_worker(
    lan: Holder, hr: Hr, clock: Any
) -> None:
    on = (clock() + timedelta(days=5)).date().isoformat()
    waiting = change(hr, kind="transfer", to_unit=hr.units["b"], effective_on=on)
    assert told_of(hr, waiting) == []
    assert lan.elsewhere().sign_in().status_code == 303
    clock.advance(days=6)
    refused(lan.elsewhere(), "đang bị ngừng tin cậy", "distrusted")


def test_a_transfer_that_is_called_off_takes_nothing_away(lan: Holder, hr: Hr, clock: Any) -> None:
    on = (clock() + timedelta(days=5)).date().isoformat()
    waiting = change(hr, kind="transfer", to_unit=hr.units["b"], effective_on=on)
    api, path = hr.api(hr.token()), f"/api/v1/changes/{waiting['id']}/undo"
    body = {"fingerprint": api.post(f"{path}/preview").json["fingerprint"]}
    assert api.post(path, body, key="u").status_code == 201
    clock.advance(days=6)
    assert lan.elsewhere().sign_in().status_code == 303


def test_whoever_has_left_is_let_in_by_no_certificate(lan: Holder, hr: Hr, clock: Any) -> None:
    lan.client.get(lan.sign_in().headers["Location"])
    change(hr, kind="leave", reason="resign", effective_on=clock().date().isoformat())
    assert lan.session() is None
    other = lan.elsewhere()
    refused(other, "đang bị ngừng tin cậy", "distrusted")
    other.one = lan.house.issue(key=lan.key)
    page = other.client.get(other.sign_in().headers["Location"])
    assert page.status_code == 403
    assert other.session() is None


@pytest.mark.both_databases
def test_what_was_shown_costs_three_statements_to_judge_and_three_to_keep(
    lan: Holder, hr: Hr
) -> None:
    """Beside those of any end: the sign-in and the person read, the session begun (by one statement on
    PostgreSQL).
    """
    lan.elsewhere().sign_in()  # its list is read once per process
    back = lan.back(lan.show(lan.leave(lan.open())))
    with counted(hr.services) as cost:
        assert lan.client.get(back).status_code == 303
    kept = {"UPDATE": 1, "INSERT": 2}  # the key is used, what was shown is spent, the visit is over
    at_once = {"SELECT": 5, "WITH": 1, **kept}
    assert cost in (at_once, {"SELECT": 5, **kept, "INSERT": 5})


@pytest.mark.settings(unfinished_visits=3)
def test_visits_that_lead_to_no_sign_in_are_bounded(hr: Hr, house: House, lan: Holder) -> None:
    """Each would be an entry of the trail; what leads to one counts for nothing."""
    for _ in range(5):
        assert lan.elsewhere(OUTSIDE).sign_in().status_code == 303
    stranger = Holder(Someone(hr, "hien", OUTSIDE), house)
    where = stranger.back(stranger.show(stranger.leave(stranger.open())))
    cookie = stranger.client.get_cookie("dinhdanh-away")
    answers = []
    for _ in range(5):
        stranger.client.set_cookie("dinhdanh-away", cookie.value)
        answers.append(stranger.client.get(where).status_code)
    assert answers == [422, 422, 429, 429, 429]
    assert submit(stranger.client, stranger.open()).status_code == 429
    told = [one["why"] for one in trail(hr, "login.fail")]
    assert told == ["not enrolled", "not enrolled", "too_many"]
    assert lan.elsewhere({"REMOTE_ADDR": "198.51.100.7"}).sign_in().status_code == 303
