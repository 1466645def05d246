"""``dinhdanh backup``, ``dinhdanh restored``, ``dinhdanh restored confirm``, ``audit export``."""

import getpass
import os
import sqlite3
from pathlib import Path

import click
from sqlalchemy import make_url

from directory import people
from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError, InvalidInput, Misconfigured, NotFound
from idp.run import installation, schema, wiring
from idp.services import Services
from idp.trail import anchor, restoring, shipped_log
from idp.trail.shipped_log import Known
from idp.web.i18n import gettext, moment
from idp.web.labels import label


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Sao lưu. / Copy the embedded database to FILE while it is in use; the keyring is not in it."""
    settings = load_settings()
    if not settings.database.startswith("sqlite"):
        raise Misconfigured(
            "backup_postgresql",
            "PostgreSQL có công cụ riêng: pg_dump, hoặc pg_basebackup với WAL. Hãy sao lưu tệp khóa "
            "ở nơi khác.",
        )
    try:
        # Made before anything is in it, so that nobody else ever reads it.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as exc:
        raise InvalidInput(
            "backup_file",
            "Không tạo được tệp {file}: {why}.",
            field="file",
            file=file,
            why=exc.strerror or type(exc).__name__,
        ) from exc
    source = sqlite3.connect(make_url(settings.database).database or "", timeout=30)
    try:
        # One read transaction: it neither waits for writers nor starts again because of them, as
        # the backup interface does.
        source.execute("VACUUM INTO ?", (os.fspath(file),))
    except sqlite3.Error as exc:
        file.unlink(missing_ok=True)
        raise Misconfigured("backup_failed", "Không sao lưu được: {why}.", why=str(exc)) from exc
    finally:
        source.close()
    with file.open("rb") as written:
        os.fsync(written.fileno())
    click.echo(gettext("Đã sao lưu vào {file}. Hãy sao lưu tệp khóa ở nơi khác.", file=file))


@click.group("restored", invoke_without_command=True)
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The audit trail as JSON lines (dinhdanh audit export), newer than the backup.",
)
@click.pass_context
def restored(context: click.Context, log_file: Path | None) -> None:
    """Sau khi khôi phục bản sao lưu. / Say that a backup was put back.

    Everything issued before is void, slips too; every account is compared with its target; only
    administrators are let in until "restored confirm". To be run before anything is started.
    """
    if context.invoked_subcommand is not None:
        return
    services = _opened()
    try:
        _begin(services, log_file)
    finally:
        services.outbound.close()
        services.db.dispose()


def _opened() -> Services:
    services = wiring.build(load_settings())
    try:
        with services.db.hot() as connection:
            schema.require(connection)
        installation.require(services)
    except DinhdanhError:
        services.db.dispose()
        raise
    return services


def _begin(services: Services, log_file: Path | None) -> None:
    at, known = restoring.base(services), None
    if log_file is not None:
        witnesses = anchor.gather(services, ()).checkpoints
        known = shipped_log.read(log_file, after=at.seq, previous=at.hash, checkpoints=witnesses)
    actor = Actor.operator(getpass.getuser())
    begun = restoring.begin(services, at=at, actor=actor, now=services.clock())
    click.echo(
        gettext(
            "Đã vô hiệu mọi phiên, mã và phiếu cấp trước đây ({sessions} phiên, {slips} phiếu); đã "
            "phát hành {lists} danh sách thu hồi; {jobs} tài khoản sẽ được đối chiếu.",
            sessions=begun.sessions,
            slips=begun.slips,
            lists=begun.lists,
            jobs=begun.jobs,
        )
    )
    if begun.lost_to is not None and begun.lost_to > begun.kept:
        click.echo(
            gettext(
                "Nhật ký còn đến mục #{kept}; các mục đến #{lost} đã mất.",
                kept=begun.kept,
                lost=begun.lost_to,
            )
        )
    for each in restoring.compare(services, now=services.clock()):
        if each.failed is not None:
            click.echo(
                gettext(
                    "{application}: chưa hỏi được ({why}); sẽ xem lại tài khoản của mọi người.",
                    application=each.application,
                    why=each.failed,
                )
            )
        elif each.strangers:
            click.echo(
                gettext(
                    "{application}: {count} tài khoản đang hoạt động mà danh bạ không biết chủ.",
                    application=each.application,
                    count=each.strangers,
                )
            )
    _print_known(services, known)
    click.echo(
        gettext(
            "Chỉ quản trị viên của hệ thống đăng nhập được, cho đến khi bộ phận tổ chức cán bộ xác "
            "nhận danh sách nhân sự: trên trang quản trị, hoặc dinhdanh restored confirm "
            "--reference …"
        )
    )


def _print_known(services: Services, known: Known | None) -> None:
    if known is None:
        click.echo(
            gettext(
                "Không có tệp nhật ký (--log): không biết ai đã nghỉ, ai bị đình chỉ sau bản sao lưu."
            )
        )
        return
    if known.vouched < known.reached:
        click.echo(
            gettext("Chưa có điểm kiểm tra nào xác nhận nhật ký sau mục #{seq}.", seq=known.vouched)
        )
    gone = shipped_log.people(known.entries)
    click.echo(gettext("Đã nghỉ hoặc bị đình chỉ sau bản sao lưu: {count} người.", count=len(gone)))
    with services.db.read() as session:
        for user_id, entry in sorted(gone.items()):
            try:
                person = people.get(session, user_id)
                name = f"{person.username}, {person.full_name}"
            except NotFound:
                name = gettext("người #{id}, danh bạ hiện không biết", id=user_id)
            click.echo(f"  {name}: {label('tag', entry.tag)}, {moment(entry.at)}")
    for entry in known.entries:
        if entry.tag in shipped_log.ENDED:
            what = f"{label('subject', entry.subject_kind)} {entry.subject_id}"
            click.echo(f"  {what}: {label('tag', entry.tag)}, {moment(entry.at)}")


@restored.command("confirm")
@click.option("--reference", required=True, help="The paper or person of HR that confirms it.")
def confirm(reference: str) -> None:
    """Xác nhận danh sách nhân sự. / The staff list was compared: let everybody in again."""
    services = _opened()
    try:
        with services.db.write() as session:
            actor, now = Actor.operator(getpass.getuser()), services.clock()
            count = restoring.confirm(session, reference=reference, actor=actor, now=now)
    finally:
        services.db.dispose()
    click.echo(gettext("Đã xác nhận. {count} tài khoản chờ cấp sẽ được xử lý ngay.", count=count))


@click.group("audit")
def audit() -> None:
    """Nhật ký kiểm toán. / The audit trail."""


@audit.command("export")
@click.option("--after", default=0, help="Only entries after this number.")
def export(after: int) -> None:
    """Xuất nhật ký. / Print sealed entries as JSON lines, without personal values."""
    services = wiring.build(load_settings())
    try:
        with services.db.snapshot() as session:
            for line in shipped_log.export(session, after=after):
                click.echo(line)
    finally:
        services.db.dispose()


commands: list[click.Command] = [backup, restored, audit]
