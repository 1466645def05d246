"""``dinhdanh migrate | check``: making an installation, and whether it is in order."""

from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import exists, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from directory import entitlements
from directory.base import checkpoints, nodes, pooled, private
from directory.base.clock import local_day
from directory.base.config import Settings, load_settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import DinhdanhError
from directory.base.rows import not_over
from directory.permissions import AdminRole, Role
from idp.commands import demanded, hierarchies, level3, notices, passkeys, passwords, people, pki
from idp.run import health, installation, migrate, schema, wiring
from idp.services import Services
from idp.trail import anchor
from idp.web.i18n import error_text, gettext, moment


@click.command("migrate")
@click.option("--check", "only_check", is_flag=True, help="Only say whether there is work to do.")
@click.option("--name", default="Dinhdanh", help="Name of the installation, when it is new.")
def migrate_database(*, only_check: bool, name: str) -> None:
    """Khởi tạo hoặc nâng cấp. / Create or upgrade: tables, keyring, keys, CA."""
    settings = load_settings()
    if only_check:
        _require_newest(settings)
        return
    private.folder(settings.data_dir)
    # A database without its keyring can not be read; a new one would only hide the loss.
    keyring_may_be_new = not _has_tables(settings)
    services = wiring.build(settings, create_keyring=keyring_may_be_new)
    try:
        migrate.upgrade(services.db.engine)
        installation.prepare(services, name=name)
    finally:
        services.db.dispose()
    click.echo(gettext("Đã sẵn sàng: {url}", url=services.db.engine.url.render_as_string()))


def _has_tables(settings: Settings) -> bool:
    database = Database(settings.database, prepared=settings.database_prepared)
    try:
        with database.hot() as connection:
            return schema.current(connection) is not None
    finally:
        database.dispose()


def _require_newest(settings: Settings) -> None:
    database = Database(settings.database, prepared=settings.database_prepared)
    try:
        with database.hot() as connection:
            schema.require(connection)
    finally:
        database.dispose()
    click.echo(gettext("Cơ sở dữ liệu ở phiên bản mới nhất."))


@click.command("check")
@click.option(
    "--profile", type=click.Choice(["level3"]), default="level3", help="What to compare with."
)
def check(profile: str) -> None:
    """Liệt kê mọi vấn đề cùng lúc. / List every problem at once.

    Exit status 1 when the installation cannot work as it is; settings weaker than the profile
    are listed and do not change the status.
    """
    settings = load_settings()
    click.echo(passwords.price())
    problems = [
        *demanded.problems(settings),
        *passkeys.problems(settings),
        *hierarchies.problems(settings),
        *notices.problems(settings),
        *_problems(settings),
    ]
    for problem in problems:
        click.echo(f"✗ {problem}")
    for weakness in level3.weaker(settings):
        click.echo(f"! {profile}: {weakness}")
    weaker, weaknesses = _weaknesses(settings)
    for weakness in weaker:
        click.echo(f"! {profile}: {weakness}")
    for weakness in [
        *_addresses_untold(settings),
        *passkeys.weaknesses(settings),
        *notices.weaknesses(settings),
        *weaknesses,
    ]:
        click.echo(f"! {weakness}")
    if problems:
        raise SystemExit(1)
    click.echo(gettext("Cấu hình dùng được."))


def _addresses_untold(settings: Settings) -> Iterator[str]:
    if not settings.mail_domains:
        yield gettext(
            "mail_domains để trống: ứng dụng được báo email_verified = false với mọi địa chỉ thư, "
            "và một số ứng dụng (như oauth2-proxy) vì thế không cho đăng nhập."
        )


def _weaknesses(settings: Settings) -> tuple[list[str], list[str]]:
    """(than the profile, others) of what is stored. None while there is no database to look at: that is
    told already.
    """
    try:
        Keyring.open(settings.keyring)
    except DinhdanhError:
        return [], []
    services = wiring.build(settings)
    try:
        if not all(c.holds for c in health.checks(services)):
            return [], []
        others = [
            said
            for each in (pki, hierarchies, passwords, people)
            for said in each.weaknesses(services)
        ]
        return list(level3.weaker_stored(services)), others
    finally:
        services.db.dispose()


def _problems(settings: Settings) -> Iterator[str]:
    yield from _file_problems(settings)
    try:
        Keyring.open(settings.keyring)
    except DinhdanhError as error:
        yield error_text(error)
        return
    services = wiring.build(settings)
    try:
        failed = [c for c in health.checks(services) if not c.holds]
        yield from (f"{c.name}: {c.detail}" for c in failed)
        yield from _pool_problems(services)
        if not failed:
            try:
                anchor.require(services)
            except DinhdanhError as error:
                yield error_text(error)
            yield from _unconfirmed(services)
            yield from passkeys.moved(services)
            yield from demanded.positions_unknown(services)
        if not failed and not _has_administrator(services):
            yield gettext("Chưa có quản trị viên; hãy chạy: dinhdanh user admin")
    finally:
        services.db.dispose()


def _unconfirmed(services: Services) -> Iterator[str]:
    with services.db.read() as session:
        since = entitlements.unconfirmed_since(session)
    if since is not None:
        yield gettext(
            "Bản sao lưu khôi phục lúc {at} chưa được xác nhận: chỉ quản trị viên đăng nhập được. Hãy "
            "chạy: dinhdanh restored confirm",
            at=moment(since),
        )


def _secret(settings: Settings) -> Iterator[Path]:
    """What nobody but the owner may read."""
    yield from (settings.data_dir, settings.keyring, settings.checkpoint_file)
    yield checkpoints.aside(settings.checkpoint_file)
    if settings.database.startswith("sqlite"):
        file = make_url(settings.database).database or ""
        yield from (Path(file + suffix) for suffix in ("", "-wal", "-shm"))


def _pool_problems(services: Services) -> Iterator[str]:
    """Whether this node's processes can have all the connections they may open. Others of the
    server's clients, other nodes among them, come on top.
    """
    settings = services.settings
    try:
        pooled.require_right(settings.database, prepared=settings.database_prepared)
        with services.db.probe() as connection:
            if pooled.between(connection):
                return  # which lends few to many
            room = nodes.connections_allowed(connection)
    except DinhdanhError as error:
        yield error_text(error)
        return
    except SQLAlchemyError:
        return  # said by the check of the database itself
    beside = 1  # looks whether all is well
    web = settings.web_processes * (settings.web_connections + beside)
    ear = 1  # hears what others ring for
    needed = web + settings.worker_connections + beside + ear
    if room is not None and needed > room:
        yield gettext(
            "web_connections, worker_connections: các tiến trình có thể mở {needed} kết nối, "
            "máy chủ chỉ cho {room} (max_connections, giới hạn của tài khoản).",
            needed=needed,
            room=room,
        )


def _file_problems(settings: Settings) -> Iterator[str]:
    for path in _secret(settings):
        if not private.is_private(path):
            yield gettext(
                "Chỉ chủ sở hữu được đọc {file}; hãy đặt quyền {mode:04o}.",
                file=path,
                mode=private.wanted(path),
            )
    key = settings.tls_key
    if key is not None and key.exists() and key.stat().st_mode & 0o007:
        yield gettext(
            "Người ngoài đọc được khóa TLS {file}; hãy đặt quyền 0600 hoặc 0640.", file=key
        )
    for file in (
        settings.outbound_ca_file,
        settings.client_certificate_ca_file,
        settings.tls_certificate,
        settings.tls_key,
    ):
        if file is not None and not file.exists():
            yield gettext("Không tìm thấy tệp {file}.", file=file)
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        yield gettext("tls_certificate và tls_key phải đi cùng nhau.")
    if settings.tls_certificate is not None and not settings.secure:
        yield gettext("issuer phải bắt đầu bằng https khi tự phục vụ TLS.")
    if settings.client_certificates and not settings.trusted_proxies:
        yield gettext(
            "client_certificates cần trusted_proxies: chỉ proxy tin cậy mới báo chứng thư."
        )
    if settings.outbound_timeout > settings.job_timeout:
        yield gettext("outbound_timeout không được dài hơn job_timeout.")


def _has_administrator(services: Services) -> bool:
    today = local_day(services.clock())
    with services.db.read() as session:
        found = exists().where(
            AdminRole.role == Role.ADMINISTRATOR.value,
            AdminRole.unit_id.is_(None),
            not_over(AdminRole, today),
        )
        return bool(session.scalar(select(found)))


commands: list[click.Command] = [migrate_database, check]
