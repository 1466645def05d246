"""``dinhdanh user admin | slip | reset | break-glass``: the first administrator, what people come to the
counter for, and the envelope for the day when no administrator comes in.
"""

import getpass
from collections.abc import Iterator
from datetime import timedelta

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import people
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import load_settings
from directory.base.errors import NotFound
from directory.base.sign_in_settings import HOUR
from directory.changes.granting import Holder, grant_role
from directory.changes.model import Spec
from directory.changes.newcomer import person_row
from directory.people import User
from directory.permissions import Role
from idp import sessions
from idp.factors import apart, envelopes, paper_code, resetting, slips, throttle
from idp.oidc.logout import enqueue_logout
from idp.run import installation
from idp.services import Services
from idp.web.i18n import gettext, moment


@click.group("user")
def user() -> None:
    """Người dùng. / People."""


@user.command("admin")
@click.argument("username", default="admin")
@click.option("--name", default="Quản trị hệ thống", help="Full name, when the person is new.")
def user_admin(username: str, name: str) -> None:
    """Cấp quyền quản trị. / Make USERNAME an administrator and print her activation link.

    A person who is not known yet is created, without a post. The link works once, for one hour;
    there is no other way to the first password.
    """
    services = installation.opened(load_settings())
    now, actor = services.clock(), Actor.operator(getpass.getuser())
    with services.db.write() as session:
        person = people.by_username(session, username)
        if person is None:
            person = _join(session, services, username, name, actor)
        _grant(session, person, actor, services)
        slips.require_use(session, person.id, on=local_day(now))
        apart.require_slip(session, person.id, actor, now=now)
        code = slips.issue(
            session, services.keyring, person.id, now=now, lifetime=HOUR, actor=actor
        )
        username = person.username
    services.db.dispose()
    _print_slip(services.settings.issuer, username, code, until=moment(now + timedelta(hours=1)))


ALONE = click.option(
    "--alone",
    is_flag=True,
    help="Be the one who replaces password and second factor within a day: where nobody else is there.",
)


@user.command("slip")
@click.argument("username")
@ALONE
def user_slip(username: str, *, alone: bool) -> None:
    """In phiếu kích hoạt. / Print a slip with which USERNAME sets a new password, once.

    Whoever has reset her second factor prints none within 24 hours.
    """
    services = installation.opened(load_settings())
    now, actor = services.clock(), Actor.operator(getpass.getuser())
    lifetime = services.settings.activation_lifetime
    with services.db.write() as session:
        person = people.by_username(session, username)
        if person is None:
            raise NotFound("user_unknown", "Không tìm thấy người dùng.")
        slips.require_use(session, person.id, on=local_day(now))
        people.lock(session, [person.id])
        if not alone:
            apart.require_slip(session, person.id, actor, now=now)
        code = slips.issue(
            session, services.keyring, person.id, now=now, lifetime=lifetime, actor=actor
        )
        username = person.username
    services.db.dispose()
    until = moment(now + timedelta(seconds=lifetime))
    _print_slip(services.settings.issuer, username, code, until=until)


@user.command("reset")
@click.argument("username")
@ALONE
def user_reset(username: str, *, alone: bool) -> None:
    """Đặt lại cách xác thực thứ hai. / End what USERNAME has enrolled, her password and her
    sessions; she begins anew with a slip.
    """
    services = installation.opened(load_settings())
    now, actor = services.clock(), Actor.operator(getpass.getuser())
    with services.db.write() as session:
        person = people.by_username(session, username)
        if person is None:
            raise NotFound("user_unknown", "Không tìm thấy người dùng.")
        epoch = people.lock(session, [person.id])[0].access_epoch
        if not alone:
            apart.require_reset(session, person.id, actor, now=now)
        done = resetting.reset(session, person.id, now=now, actor=actor)
        if done:
            throttle.unlock(session, person.id, now=now, actor=actor)
            _, gone = sessions.cut_others(
                session, person.id, epoch=epoch, keep=None, now=now, actor=actor, reason="factor"
            )
            enqueue_logout(session, gone, now=now, reason="factor")
        username = person.username
    services.db.dispose()
    if not done:
        click.echo(gettext("Người này không có cách xác thực thứ hai nào."))
        return
    click.echo(
        gettext(
            "Đã đặt lại cách xác thực thứ hai và hủy mật khẩu. Người khác in phiếu kích hoạt mới bằng "
            "lệnh: dinhdanh user slip {username} (chính bạn thì sau 24 giờ, hoặc thêm --alone)",
            username=username,
        )
    )


@user.command("break-glass")
@click.argument("username")
def user_break_glass(username: str) -> None:
    """Làm phong bì khẩn cấp. / Print, once, the sealed code with which the administrator USERNAME comes in
    when every other way is away: on one sheet, or in halves on two (the setting break_glass).

    Her earlier envelope is void.
    """
    services = installation.opened(load_settings())
    now, actor, settings = services.clock(), Actor.operator(getpass.getuser()), services.settings
    with services.db.write() as session:
        person = people.by_username(session, username)
        if person is None:
            raise NotFound("user_unknown", "Không tìm thấy người dùng.")
        codes = envelopes.seal(
            session, services.keyring, person.id, now=now, settings=settings, actor=actor
        )
        username = person.username
    services.db.dispose()
    until = moment(now + timedelta(days=settings.break_glass_days))
    for part, code in zip("AB", codes, strict=False):
        click.echo("-" * 64)
        click.echo(
            gettext("PHONG BÌ KHẨN CẤP – mở tài khoản quản trị {username}", username=username)
        )
        if len(codes) > 1:
            click.echo(gettext("Phần {part} của 2: cần cả hai phần, do hai người giữ.", part=part))
        click.echo(gettext("Mã: {code}", code=code))
        click.echo(gettext("Làm lúc {at}, dùng được đến {until}.", at=moment(now), until=until))
        click.echo(gettext(_SHEET, issuer=settings.issuer))


_SOON = timedelta(days=30)
_SHEET = (
    "Chỉ mở khi không còn cách nào khác để vào quản trị. Ghi sổ: ai mở, lúc nào, vì sao.\n"
    "1. Mở {issuer}/login, chọn “Phong bì khẩn cấp”.\n"
    "2. Gõ tên đăng nhập và mã. Phong bì dùng được một lần; quản trị viên được báo qua các kênh "
    "thông báo đã cài.\n"
    "3. Xong việc: đăng xuất, làm phong bì mới bằng dinhdanh user break-glass."
)


def _print_slip(issuer: str, username: str, code: str, *, until: str) -> None:
    click.echo(gettext("Tên đăng nhập: {username}", username=username))
    click.echo(gettext("Mã kích hoạt: {code}", code=paper_code.grouped(code)))
    click.echo(gettext("Liên kết dùng một lần, đến {until}:", until=until))
    click.echo(f"{issuer}/activate/{code}")


def _join(session: Session, services: Services, username: str, name: str, actor: Actor) -> User:
    """Enter the person through the door, as every change of the directory."""
    now = services.clock()
    person = person_row(
        {"full_name": name, "username": username}, services.keyring, today=local_day(now)
    )
    spec = Spec(
        "join",
        local_day(now),
        rows=({"row": None, "person": person, "assignments": []},),
    )
    plan = services.door.plan(session, spec, actor, now=now)
    services.door.commit(session, spec, actor, now=now, fingerprint=plan.fingerprint)
    return session.scalars(select(User).where(User.username == plan.people[0].username)).one()


def _grant(session: Session, person: User, actor: Actor, services: Services) -> None:
    """Give the role of administrator over the whole installation, unless she holds it."""
    grant_role(
        session,
        Role.ADMINISTRATOR,
        Holder(user_id=person.id),
        actor=actor,
        now=services.clock(),
    )


def weaknesses(services: Services) -> Iterator[str]:
    """What is wrong with the envelopes, where the installation keeps some."""
    settings, now = services.settings, services.clock()
    if settings.break_glass == "off":
        return
    with services.db.read() as session:
        kept = envelopes.kept(session, now=now, settings=settings)
        used = envelopes.last_used(session)
    if not kept:
        yield gettext(
            "Không có phong bì khẩn cấp nào dùng được. Hãy chạy: dinhdanh user break-glass TÊN"
        )
    if not kept and used is not None:
        yield gettext("Phong bì khẩn cấp gần nhất đã mở lúc {at}.", at=moment(used))
    for one in kept:
        if one.until - now < _SOON:
            yield gettext(
                "Phong bì khẩn cấp của {name} hết hạn lúc {until}: hãy làm phong bì mới.",
                name=one.username,
                until=moment(one.until),
            )


commands: list[click.Command] = [user]
