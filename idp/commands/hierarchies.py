"""``dinhdanh cert trust``: whose certificates people may sign in with, beside our own."""

import getpass
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy.orm import Session

from connectors.pki import foreign_distrust, foreign_lists, hierarchies
from connectors.pki.foreign_distrust import OPERATOR, Foreign
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import VIETNAM
from directory.base.config import Settings, load_settings
from directory.base.errors import InvalidInput
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import gettext, moment

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("cert")
def cert() -> None:
    """Bộ chứng thực và chứng thư. / The certification authority and its certificates."""


@cert.group("trust")
def trust() -> None:
    """Chứng thư của nơi khác dùng để đăng nhập. / Certificates of others that people sign in with."""


def _services() -> Services:
    return opened(load_settings())


def _told(session: Session, has: Services, hierarchy: str, **data: object) -> None:
    audit.record(
        session,
        Tag.CERTIFICATE_TRUST,
        at=has.clock(),
        actor=Actor.operator(getpass.getuser()),
        subject=("hierarchy", hierarchy),
        data=data,
    )


@trust.command("add")
@click.argument("name")
@click.argument("file", type=_FILE)
@click.option(
    "--level",
    type=click.IntRange(1, 2),
    required=True,
    help="1: whoever signs in holds the key. 2: it is kept in a token that asks for a PIN, as the"
    " rules demand by which this house issues: an ASSUMPTION of yours.",
)
@click.option(
    "--lenient",
    is_flag=True,
    help="Take certificates for mail, documents or smart-card sign-in, too.",
)
def add(name: str, file: Path, level: int, *, lenient: bool) -> None:
    """Believe the authorities in FILE (PEM, DER or P7B), the root among them, as hierarchy NAME.

    Another FILE of the same NAME adds to it; --level and --lenient are those of the last.
    """
    has = _services()
    found = hierarchies.certificates_in(file.read_bytes())
    with has.db.write() as session:
        shown = hierarchies.bring_in(
            session, name, found, level=level, lenient=lenient, now=has.clock()
        )
        prints = " ".join(one.fingerprint for one in shown.authorities)
        _told(session, has, shown.hierarchy.name, what="add", level=level, detail=prints)
        _print(shown)


def _print(shown: hierarchies.Shown) -> None:
    row = shown.hierarchy
    click.echo(f"{row.name}  aal:{row.level}" + ("  lenient" if row.lenient else ""))
    for one in shown.authorities:
        until = one.not_after.astimezone(VIETNAM)
        click.echo(f"  {one.fingerprint}  {until:%d/%m/%Y}  {one.subject}")


@trust.command("list")
def list_() -> None:
    """List the hierarchies with their authorities, and how long their lists are good."""
    has = _services()
    with has.db.read() as session:
        for shown in hierarchies.every(session):
            _print(shown)
            for one in shown.authorities:
                known = foreign_lists.of(session, one.id)
                if known is not None:
                    click.echo(f"  CRL {moment(known.next_update)}  {one.subject}")


@trust.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Believe no certificate of hierarchy NAME any more. Sessions that were begun go on."""
    has = _services()
    with has.db.write() as session:
        hierarchies.remove(session, name, now=has.clock())
        _told(session, has, name, what="remove")


@trust.command("crl")
@click.argument("files", type=_FILE, nargs=-1, required=True)
def crl(files: tuple[Path, ...]) -> None:
    """Bring in revocation lists (PEM or DER) of authorities that are believed."""
    has = _services()
    for file in files:
        with has.db.write() as session:
            made = foreign_lists.bring_in(session, file.read_bytes(), now=has.clock())
            click.echo(f"{file.name}  CRL {moment(made.next_update)}")


@trust.command("distrust")
@click.argument("name")
@click.argument("serial")
def distrust(name: str, serial: str) -> None:
    """Believe the certificate of hierarchy NAME with this SERIAL (hexadecimal) no more, at once,
    whatever its issuer says of it.
    """
    has = _services()
    now = has.clock()
    with has.db.write() as session:
        which = _numbered(session, name, serial)
        foreign_distrust.add(session, which, cause=OPERATOR, at=now, now=now)
        _told(session, has, name, what="disable", serial=which[0].serial)


@trust.command("believe")
@click.argument("name")
@click.argument("serial")
def believe(name: str, serial: str) -> None:
    """Take ``distrust`` back, and what a change of its holder has ordered: she may keep it."""
    has = _services()
    with has.db.write() as session:
        which = _numbered(session, name, serial)
        if not foreign_distrust.lift(session, which, at=has.clock()):
            raise click.ClickException(gettext("Chứng thư này không bị ngừng tin cậy."))
        _told(session, has, name, what="enable", serial=which[0].serial)


def _numbered(session: Session, name: str, serial: str) -> list[Foreign]:
    """Raises NotFound, InvalidInput."""
    hierarchy = hierarchies.named(session, name)
    try:
        number = int(serial.replace(":", "").strip(), 16)
    except ValueError as exc:
        raise InvalidInput("serial", "Số sê-ri là một số viết theo hệ 16.", field="serial") from exc
    return foreign_distrust.numbered(session, hierarchy.id, number)


# ---- check -----------------------------------------------------------------------------------


def problems(settings: Settings) -> Iterator[str]:
    """What would let nobody in, or somebody who must not be."""
    if not settings.certificate_site:
        return
    if not settings.trusted_proxies:
        yield gettext("certificate_site cần trusted_proxies: chỉ proxy tin cậy mới báo chứng thư.")
    if settings.certificate_site in (settings.issuer, settings.mtls_base):
        yield gettext(
            "certificate_site phải là một tên miền riêng, khác issuer và mtls_base: ở đó mỗi lần "
            "đăng nhập là một lần bắt tay TLS mới."
        )
    if settings.secure and not settings.certificate_site.startswith("https:"):
        yield gettext("certificate_site phải bắt đầu bằng https.")


def weaknesses(has: Services) -> Iterator[str]:
    """What will have good certificates refused, now or before long."""
    if not has.settings.certificate_site:
        return
    now = has.clock()
    with has.db.read() as session:
        for shown in hierarchies.every(session):
            for one in shown.authorities:
                if one.not_after <= now + foreign_lists.SOON:
                    yield gettext(
                        "{hierarchy}: chứng thư của {name} hết hạn {at}; hãy nạp chứng thư mới: "
                        "dinhdanh cert trust add",
                        hierarchy=shown.hierarchy.name,
                        name=one.subject,
                        at=moment(one.not_after),
                    )
        for late in foreign_lists.overdue(session, now=now):
            said = {"hierarchy": late.hierarchy, "name": late.authority}
            if late.next_update is None:
                yield gettext(
                    "{hierarchy}: chưa có danh sách thu hồi của {name}, chứng thư của nơi này bị từ "
                    "chối; hãy nạp: dinhdanh cert trust crl",
                    **said,
                )
            else:
                yield gettext(
                    "{hierarchy}: danh sách thu hồi của {name} chỉ dùng được đến {at}; hãy nạp bản "
                    "mới: dinhdanh cert trust crl",
                    at=moment(late.next_update),
                    **said,
                )


commands: list[click.Command] = [cert]
