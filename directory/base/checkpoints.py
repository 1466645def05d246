"""Checkpoints: the audit trail's head, signed and written down outside the database.

Whoever can write the database can cut the trail's end and put an older head back, which was
signed once as well. A line in a file that only grows, better still a copy of it elsewhere,
remembers how far the trail had come.

    {"seq": 17, "hash": "…", "at": "2026-03-02T02:00:00+00:00", "installation": "…", "key": "…",
     "signature": "…"}

One JSON object per line. The signature is Ed25519 over the other members as ``_said`` writes
them; ``key`` names the master key it was derived from. Each node appends to a file of its own.
"""

import base64
import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from directory.base.crypto import Keyring

PURPOSE = "audit-checkpoint"
LARGEST = 4 * 1024 * 1024
"""Bytes after which the file is put aside as ``….1`` and a new one begun: thirteen thousand lines,
which take some seconds to check. An older ``….1`` is replaced; the newest line vouches for all."""
_TAIL = 4096
"""Bytes from the end within which the last whole line is found."""


@dataclass(frozen=True)
class Checkpoint:
    """How far the trail had come at a moment."""

    seq: int
    hash: str
    at: datetime
    installation: str
    key: str
    signature: str


def make(keyring: Keyring, *, seq: int, digest: str, at: datetime, installation: str) -> Checkpoint:
    """A signed checkpoint."""
    said = _said(seq, digest, at, installation, keyring.current)
    signature = base64.b64encode(keyring.sign(PURPOSE, said)).decode()
    return Checkpoint(seq, digest, at, installation, keyring.current, signature)


@lru_cache(maxsize=4)
def genuine(keyring: Keyring, found: Checkpoint, *, installation: str) -> bool:
    """Whether this installation has signed exactly that. The newest line is asked about every two
    seconds, and to check a signature is half the cost of it.
    """
    said = _said(found.seq, found.hash, found.at, found.installation, found.key)
    try:
        signature = base64.b64decode(found.signature, validate=True)
    except ValueError:
        return False
    return found.installation == installation and keyring.signature_fits(
        found.key, PURPOSE, said, signature
    )


def _said(seq: int, digest: str, at: datetime, installation: str, key: str) -> bytes:
    return json.dumps([PURPOSE, seq, digest, at.isoformat(), installation, key]).encode()


def line(made: Checkpoint) -> str:
    """As it stands in the file, without the line's end."""
    return json.dumps(
        {
            "seq": made.seq,
            "hash": made.hash,
            "at": made.at.isoformat(),
            "installation": made.installation,
            "key": made.key,
            "signature": made.signature,
        }
    )


def parse(text: str) -> Checkpoint | None:
    """The checkpoint a line holds; None for a line that a crash or a full disk cut short."""
    try:
        said = json.loads(text)
        fields = (said["seq"], said["hash"], said["installation"], said["key"], said["signature"])
        at = datetime.fromisoformat(said["at"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    seq, *words = fields
    if type(seq) is not int or not all(isinstance(w, str) for w in words) or at.tzinfo is None:
        return None
    digest, installation, key, signature = words
    return Checkpoint(seq, digest, at, installation, key, signature)


def read(file: Path) -> Iterator[tuple[int, Checkpoint]]:
    """(line number, checkpoint) of every whole line. Raises OSError."""
    with file.open("r", encoding="utf-8", errors="replace") as lines:
        for number, text in enumerate(lines, start=1):
            found = parse(text)
            if found is not None:
                yield number, found


def last(file: Path) -> Checkpoint | None:
    """The last whole line, without reading the rest; None where there is no file or no line."""
    try:
        with file.open("rb") as content:
            end = content.seek(0, os.SEEK_END)
            content.seek(max(0, end - _TAIL))
            lines = content.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    return next((found for text in reversed(lines) if (found := parse(text))), None)


@contextlib.contextmanager
def held(file: Path) -> Iterator[int]:
    """The file, made (mode 0600) when it is missing, to append to while nobody else on this
    machine does. Raises OSError.
    """
    fd = _locked(file)
    try:
        if os.fstat(fd).st_size >= LARGEST:
            file.replace(aside(file))
            os.close(fd)
            fd = _locked(file)
        yield fd
    finally:
        os.close(fd)


def aside(file: Path) -> Path:
    """Where a full file is put."""
    return file.with_name(file.name + ".1")


def _locked(file: Path) -> int:
    while True:
        fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if file.exists() and os.fstat(fd).st_ino == file.stat().st_ino:
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # put aside by somebody else while we waited


def append(fd: int, made: Checkpoint) -> None:
    """Write one line to what ``held`` gave, and wait until the disk has it. Raises OSError."""
    end = os.fstat(fd).st_size
    broken = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
    os.write(fd, (("\n" if broken else "") + line(made) + "\n").encode())
    os.fsync(fd)
