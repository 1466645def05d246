"""``dinhdanh notice``: whether messages arrive; and what ``check`` says of how people are told."""

import getpass
import os
from collections.abc import Iterator

import click
from sqlalchemy import select

from connectors import deadline
from connectors.errors import ConnectorError
from connectors.notices import Notice, channels
from connectors.notices.message import About, compose
from connectors.notices.told import Medium
from directory.base import private
from directory.base.audit import Actor
from directory.base.config import Settings, load_settings
from directory.base.crypto import random_id
from directory.base.errors import InvalidInput
from directory.base.outbox import Job, JobKind
from idp.console import pages_jobs
from idp.run import installation
from idp.web import speaking
from idp.web.i18n import error_text, gettext


@click.group("notice")
def notice() -> None:
    """Thông báo cho người dùng. / What people are told of their accounts."""


@notice.command("test")
@click.argument("address")
def test(address: str) -> None:
    """Gửi thử đến một địa chỉ thư hoặc số điện thoại. / Send a test to a mail address or a telephone
    number, by every channel that carries it.
    """
    services = installation.opened(load_settings())
    name = installation.require(services).name
    about = About(
        random_id(),
        Notice.TEST,
        {},
        services.clock(),
        "",
        0,
        name,
        services.settings.notice_contact,
    )
    message = compose(about, speaking.NOTICES)
    medium = Medium.MAIL if "@" in address else Medium.TEXT
    ways = [each for each in channels.configured(services.settings) if each.medium is medium]
    services.db.dispose()
    if not ways:
        raise InvalidInput(
            "no_channel", "Chưa cấu hình kênh nào gửi đến địa chỉ như vậy.", field="address"
        )
    failed = False
    for way in ways:
        try:
            with deadline.within(services.settings.job_timeout):
                way.send(message, address)
            click.echo(f"✓ {way.code}")
        except ConnectorError as error:
            failed = True
            click.echo(f"✗ {way.code}: {error_text(error)}")
    if failed:
        raise SystemExit(1)


@notice.command("retry")
def retry() -> None:
    """Gửi lại mọi thông báo đang chờ xử lý. / Send again whatever waits for somebody, once the fault is
    mended.
    """
    services = installation.opened(load_settings())
    now, actor = services.clock(), Actor.operator(getpass.getuser())
    with services.db.write() as session:
        waiting = session.scalars(
            select(Job.id).where(Job.kind == JobKind.NOTICE_SEND.value, Job.state == "parked")
        ).all()
        for job_id in waiting:
            pages_jobs.retry(session, job_id, actor=actor, now=now)
    services.db.dispose()
    click.echo(gettext("{count} thông báo sẽ được gửi lại.", count=len(waiting)))


def problems(settings: Settings) -> Iterator[str]:
    """What no notice would get past."""
    for folder in (settings.mail_drop, settings.text_drop):
        if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            yield gettext("Thư mục thông báo {folder} không có hoặc không ghi được.", folder=folder)
    file = settings.smtp_password_file
    if file is not None and not file.exists():
        yield gettext("Không tìm thấy tệp {file}.", file=file)
    elif file is not None and not private.is_private(file):
        yield gettext(
            "Chỉ chủ sở hữu được đọc {file}; hãy đặt quyền {mode:04o}.",
            file=file,
            mode=private.wanted(file),
        )


def weaknesses(settings: Settings) -> Iterator[str]:
    """Who is not told, or not well."""
    if not channels.configured(settings):
        yield gettext(
            "Chưa có kênh thông báo (smtp_host, mail_drop, text_drop): không ai được báo khi tài khoản của "
            "mình có thay đổi."
        )
        return
    if not settings.security_officers:
        yield gettext(
            "security_officers để trống: khi có người báo tài khoản bị người khác dùng, chỉ các quản trị "
            "viên toàn hệ thống được báo."
        )
    if not settings.notice_contact:
        yield gettext("notice_contact để trống: thông báo không ghi được nơi hỏi cụ thể.")
    if settings.smtp_host and settings.smtp_security == "none":
        yield gettext("smtp_security = none: thư đi đến máy chủ thư không được mã hóa.")


commands = (notice,)
