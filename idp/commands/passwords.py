"""``dinhdanh passwords import | blocklist``: what comes from elsewhere."""

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from directory.base import argon2
from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError, InvalidInput
from idp.factors import passwords
from idp.factors.passwords import known, leaked
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import error_text, gettext

_SHOWN = 20


@click.group("passwords")
def group() -> None:
    """Mật khẩu từ hệ thống khác, mật khẩu đã lộ. / Passwords of other systems; those that leaked."""


@group.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--must-change", is_flag=True, help="Everybody chooses another at the first sign-in.")
def bring_in(file: Path, *, must_change: bool) -> None:
    """Nạp mã băm mật khẩu từ tệp CSV. / Bring in password hashes of another system.

    FILE has the columns username,hash: bcrypt, PBKDF2 (Django, PHC, {PBKDF2-…}), {SSHA…},
    SHA-512-crypt ($6$) or argon2id. All rows are taken or none; nobody's password is replaced.
    Each hash gives way to ours when its owner signs in.
    """
    services = opened(load_settings())
    try:
        with services.db.write() as session:
            count = passwords.bring_in(
                session,
                file,
                must_change=must_change,
                now=services.clock(),
                actor=Actor.operator(getpass.getuser()),
            )
    except passwords.RowsRefused as refused:
        for error in refused.every[:_SHOWN]:
            click.echo(f"{file.name}:{error.row}: {error.field}: {error_text(error)}", err=True)
        click.echo(
            gettext("Số dòng sai: {count}. Chưa nạp gì.", count=len(refused.every)), err=True
        )
        raise SystemExit(1) from None
    finally:
        services.db.dispose()
    click.echo(gettext("Đã nạp mật khẩu của {count} người.", count=count))


@group.command("blocklist")
@click.argument("file", type=click.File("rb"))
def blocklist(file: BinaryIO) -> None:
    """Nạp danh sách mật khẩu đã lộ. / Read a list of passwords that leaked (Have I Been Pwned).

    FILE has a line for each: the SHA-1, a colon, how often it was found; "-" reads it from a pipe.
    Lines in the order of their hashes are read once; in any other they are sorted first.
    """
    settings = load_settings()
    try:
        count = leaked.build(file, settings.blocklist, progress=_tell)
    except InvalidInput as error:
        click.echo(err=True)
        click.echo(error_text(error), err=True)
        raise SystemExit(1) from None
    click.echo(err=True)
    click.echo(
        gettext("Danh sách có {count} mật khẩu: {file}", count=count, file=settings.blocklist)
    )


def price() -> str:
    """By what passwords are hashed here, and what one hash costs."""
    found = argon2.quickest()
    return gettext(
        "Mật khẩu được băm bằng {name}: {price} ms bộ xử lý mỗi lần.",
        name=found.by.name,
        price=round(found.price),
    )


def weaknesses(services: Services) -> Iterator[str]:
    """What ``check`` says of passwords."""
    with services.db.read() as session:
        left = passwords.of_other_systems(session)
    if left:
        yield gettext(
            "Còn {count} mật khẩu của hệ thống cũ chưa được băm lại; từng cái được băm lại khi người "
            "dùng đăng nhập. Khi nhập sai, máy chủ trả lời chậm hơn với những người này.",
            count=left,
        )
    if not known.has_ranked_lists():
        yield gettext("Thiếu danh sách mật khẩu thông dụng: gói zxcvbn chưa được cài.")
    try:
        leaked.require(services.settings.blocklist)
    except DinhdanhError as error:
        yield error_text(error)


def _tell(done: int) -> None:
    click.echo(f"\r{done:,}", nl=False, err=True)


commands: list[click.Command] = [group]
