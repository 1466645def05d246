"""``dinhdanh cert``: the certification authority at the command line."""

import getpass
import os
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import select

from connectors.pki import (
    authority,
    crl,
    for_servers,
    issuance,
    issued,
    naming,
    offline_root,
    requests,
    revocations,
)
from connectors.pki.authority import Algorithm
from connectors.pki.tables import (
    REVOCABLE_FOR,
    Authority,
    AuthorityKind,
    RequestReason,
    RevocationReason,
)
from directory import people
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import VIETNAM
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import error_text, gettext
from idp.web.labels import label


class _Commands(click.Group):
    """Shows our own errors as a sentence instead of a trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DinhdanhError as exc:
            raise click.ClickException(error_text(exc)) from exc


@click.group(cls=_Commands)
def cert() -> None:
    """Bộ chứng thực và chứng thư. / The certification authority and its certificates."""


def _services() -> Services:
    return opened(load_settings())


def _operator() -> Actor:
    return Actor.operator(getpass.getuser())


@cert.command("init")
@click.option("--name", help="Organisation in the authority's DN; the installation's by default.")
@click.option(
    "--algorithm",
    type=click.Choice([a.value for a in Algorithm]),
    default=Algorithm.ES256.value,
    show_default=True,
)
def init(name: str | None, algorithm: str) -> None:
    """Make the root and the issuing authority, and publish the first list."""
    services = _services()
    now = services.clock()
    with services.db.write() as session:
        made = authority.create(
            session,
            services.keyring,
            services.settings,
            organization=name or issuance.installation_name(session),
            now=now,
            algorithm=Algorithm(algorithm),
        )
        for number in (made.id, made.parent_id):
            assert number is not None  # noqa: S101 (an issuing authority has a root)
            crl.publish(session, services.keyring, services.settings, number, now=now)
        for certificate in authority.chain(session, made):
            click.echo(certificate.subject.rfc4514_string())
    click.echo(f"{services.settings.pki}/ca.pem")


@cert.command("reissue")
def reissue() -> None:
    """Sign the issuing authority's certificate anew: same name, same key, today's addresses.

    Needed once after an upgrade from a version whose root had no list, and when ``issuer`` or
    ``pki_base`` changes. What it has signed stays good; hand out the new /pki/ca.pem.
    """
    services = _services()
    now = services.clock()
    with services.db.write() as session:
        made = authority.reissue(session, services.keyring, services.settings, now=now)
        certificate = authority.certificate_of(made)
        audit.record(
            session,
            Tag.CERTIFICATE_ISSUE,
            at=now,
            actor=_operator(),
            subject=("certificate", f"{certificate.serial_number:032x}"),
            data={"profile": made.kind},
        )
        click.echo(certificate.subject.rfc4514_string())
    click.echo(f"{services.settings.pki}/ca.pem")


@cert.command("list")
@click.argument("user")
def list_(user: str) -> None:
    """List the certificates and open requests of USER (username or id)."""
    services = _services()
    with services.db.read() as session:
        found = people.by_ref(session, user)
        for view in issued.certificates_of(session, found.id, now=services.clock()):
            until = view.not_after.astimezone(VIETNAM)
            reason = f" ({label('reason', view.held.reason)})" if view.held else ""
            click.echo(
                f"{view.serial}  {view.profile}  {until:%d/%m/%Y}  "
                f"{label('state', view.standing)}{reason}  {view.title}"
            )
        for waiting in requests.open_requests(session, found.id):
            since = waiting.opened_at.astimezone(VIETNAM)
            click.echo(
                f"{label('state', 'requested')}  {waiting.profile}  {since:%d/%m/%Y}  "
                f"{label('request', waiting.reason)}"
            )


@cert.command("request")
@click.argument("user")
def request(user: str) -> None:
    """Open a request, so that USER may have a certificate."""
    services = _services()
    with services.db.write() as session:
        found = people.by_ref(session, user)
        requests.open_request(
            session, user_id=found.id, reason=RequestReason.REPLACEMENT, now=services.clock()
        )


@cert.command("service")
@click.argument("hosts", nargs=-1, required=True)
@click.option("--csr", type=click.Path(exists=True, path_type=Path), required=True)
def service(hosts: tuple[str, ...], csr: Path) -> None:
    """Issue a certificate for a server with the DNS names HOSTS; PEM with its chain."""
    services = _services()
    issued = for_servers.issue(
        services.db,
        services.keyring,
        services.settings,
        hosts=hosts,
        csr_pem=csr.read_text("utf-8", errors="replace"),
        now=services.clock(),
        actor=_operator(),
    )
    click.echo(issued, nl=False)


@cert.command("crl")
def publish() -> None:
    """Publish new revocation lists now: the issuing authority's, and the root's if its key is
    at hand.
    """
    services = _services()
    now = services.clock()
    with services.db.write() as session:
        ours = authority.issuing(session)
        authority.complete(session, services.keyring, services.settings, now=now)
        for row in (ours, session.get_one(Authority, ours.parent_id)):
            if row.key_sealed is None:
                continue
            made = crl.publish(session, services.keyring, services.settings, row.id, now=now)
            until = made.next_update.astimezone(VIETNAM)
            click.echo(f"CRL {made.number}, {until:%d/%m/%Y %H:%M} ({row.kind})")


@cert.command("revoke")
@click.argument("serial")
@click.option("--reason", type=click.Choice(sorted(r.value for r in REVOCABLE_FOR)), required=True)
def revoke(serial: str, reason: str) -> None:
    """Revoke the certificate with this SERIAL, at once and for good."""
    services = _services()
    now = services.clock()
    with services.db.write() as session:
        found = issued.by_serial(session, serial)
        if found is None:
            raise click.ClickException(gettext("Không có chứng thư với số sê-ri này."))
        revocations.revoke(
            session, found, reason=RevocationReason(reason), at=now, now=now, actor=_operator()
        )
        # Another's list is its own to publish: the job tells it.
        if session.get_one(Authority, found.authority_id).key_sealed is not None:
            crl.publish(session, services.keyring, services.settings, found.authority_id, now=now)


@cert.command("export-root")
@click.argument("file", type=click.Path(path_type=Path))
@click.password_option("--passphrase")
def export_root(file: Path, passphrase: str) -> None:
    """Move the root's key to FILE, encrypted, and remove it from the database.

    Before, it signs a list and a responder's certificate that are good for a year: bring it back
    (import-root) and take it away again within that time.
    """
    services = _services()
    now = services.clock()
    with services.db.write() as session:
        root_id = authority.issuing(session).parent_id
        assert root_id is not None  # noqa: S101 (an issuing authority has a root)
        if session.get_one(Authority, root_id).key_sealed is not None:
            keyring, settings = services.keyring, services.settings
            authority.complete(session, keyring, settings, now=now, anew=True)
            crl.publish(session, keyring, settings, root_id, now=now)
        body = offline_root.export_root(session, services.keyring, passphrase)
        # On the disk before it leaves the database: the transaction commits after this.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())


@cert.command("import-root")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--passphrase", prompt=True, hide_input=True)
def import_root(file: Path, passphrase: str) -> None:
    """Bring the root's key back from FILE, to sign another issuing authority."""
    services = _services()
    with services.db.write() as session:
        offline_root.import_root(session, services.keyring, file.read_bytes(), passphrase)


def weaknesses(services: Services) -> Iterator[str]:
    """What will have programs elsewhere refuse good certificates, now or before long."""
    now, settings = services.clock(), services.settings
    with services.db.read() as session:
        ours = session.scalars(
            select(Authority)
            .where(Authority.kind == AuthorityKind.ISSUING.value)
            .order_by(Authority.id.desc())
            .limit(1)
        ).one_or_none()
        if ours is None:
            return
        wanted = f"{settings.pki}/root.crl"
        if wanted not in naming.lists_of(authority.certificate_of(ours)):
            yield gettext(
                "Chứng thư của CA cấp phát không ghi địa chỉ {address}; "
                "hãy chạy: dinhdanh cert reissue",
                address=wanted,
            )
        root = session.get_one(Authority, ours.parent_id)
        listed = crl.newest(session, root.id)
        answering = authority.responder(session, root.id, now=now)
        ends = [
            listed.next_update if listed else now,
            answering.not_after if answering else now,
        ]
        if root.key_sealed is None and min(ends) < now + crl.ROOT_GOOD / 2:
            yield gettext(
                "Danh sách thu hồi của CA gốc chỉ dùng được đến ngày {day}; "
                "hãy chạy: dinhdanh cert import-root, rồi dinhdanh cert export-root",
                day=f"{min(ends).astimezone(VIETNAM):%d/%m/%Y}",
            )


commands: list[click.Command] = [cert]
