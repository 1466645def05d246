"""``dinhdanh audit verify | key``: whether the audit trail is the one that was written."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from directory.base import checkpoints, verification
from directory.base.config import load_settings
from directory.base.crypto import Keyring
from directory.base.verification import Verdict
from idp.run import wiring
from idp.trail import anchor
from idp.trail.anchor import Gathered
from idp.web.i18n import gettext, moment

LATE = timedelta(minutes=1)
"""A sealed entry is written down within a second or two; after this somebody has stopped."""


@click.group("audit")
def audit() -> None:
    """Nhật ký kiểm toán. / The audit trail."""


@audit.command("verify")
@click.option(
    "--checkpoints",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Checkpoints kept elsewhere, of any node; instead of this machine's own file.",
)
def verify(files: tuple[Path, ...]) -> None:
    """Kiểm tra chuỗi nhật ký. / Verify the chain; exit status 1 when it is broken."""
    services = wiring.build(load_settings())
    try:
        gathered = anchor.gather(services, files)
        verdict = verification.verify(services.db, services.keyring, gathered.checkpoints)
    finally:
        services.db.dispose()
    for sentence in _found(verdict):
        click.echo(sentence)
    late = (
        verdict.unwitnessed_since is not None
        and services.clock() - verdict.unwitnessed_since > LATE
    )
    wrong = [*_wrong(verdict), *_files(gathered)]
    if not wrong and late:
        wrong.append(
            gettext(
                "{count} mục từ {at} không có điểm kiểm tra: tệp đã bị cắt ngắn, hoặc không còn "
                "tiến trình nào ghi vào đó.",
                count=verdict.sealed - (verdict.witnessed.seq if verdict.witnessed else 0),
                at=moment(verdict.unwitnessed_since),
            )
        )
    for sentence in wrong:
        click.echo(sentence, err=True)
    if wrong:
        raise SystemExit(1)


@audit.command("key")
def key() -> None:
    """Khóa kiểm tra. / Print the public key that checks checkpoints (Ed25519, base64)."""
    keyring = Keyring.open(load_settings().keyring)
    public = base64.b64encode(keyring.public_key(checkpoints.PURPOSE)).decode()
    click.echo(f"{keyring.current} {public}")


def _found(verdict: Verdict) -> Iterator[str]:
    yield gettext(
        "{sealed} mục đã niêm phong, {unsealed} mục chưa.",
        sealed=verdict.sealed,
        unsealed=verdict.unsealed,
    )
    if verdict.witnessed is not None:
        yield gettext(
            "Khớp điểm kiểm tra #{seq} ghi lúc {at}.",
            seq=verdict.witnessed.seq,
            at=moment(verdict.witnessed.at),
        )
    for restore, reached in verdict.lost:
        yield gettext(
            "Các mục #{first}–#{last} có trong điểm kiểm tra không còn nữa: {who} đã khôi phục một "
            "bản sao lưu lúc {at} (mục #{seq}).",
            first=restore.kept + 1,
            last=reached,
            who=restore.by,
            at=moment(restore.at),
            seq=restore.seq,
        )


def _wrong(verdict: Verdict) -> Iterator[str]:
    if verdict.broken_at is not None:
        yield gettext("Chuỗi bị đứt ở mục {seq}.", seq=verdict.broken_at)
    elif not verdict.head_fits:
        yield gettext("Phần cuối của chuỗi đã bị cắt hoặc sửa.")
    if verdict.disputed is not None:
        yield gettext(
            "Nhật ký không khớp điểm kiểm tra #{seq} ghi lúc {at}: phần cuối của chuỗi đã bị cắt "
            "hoặc sửa. Nếu vừa khôi phục bản sao lưu, hãy chạy: dinhdanh restored",
            seq=verdict.disputed.seq,
            at=moment(verdict.disputed.at),
        )


def _files(gathered: Gathered) -> Iterator[str]:
    for file in gathered.missing:
        yield gettext(
            "Không có tệp điểm kiểm tra {file}: không thể biết phần cuối của chuỗi có bị cắt không.",
            file=file,
        )
    for file in gathered.empty:
        yield gettext("Tệp điểm kiểm tra {file} không còn dòng nào.", file=file)
    for file, line in gathered.forged[:3]:
        yield gettext(
            "Dòng {line} của {file} không mang chữ ký của hệ thống này.", line=line, file=file
        )


commands: list[click.Command] = [audit]
