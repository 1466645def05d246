"""Passwords that leaked somewhere: the collection of Have I Been Pwned, kept compactly in a file.

It is published as text, one line for each password: its SHA-1 in hexadecimal, a colon, how often it was
found; a billion lines. Of each hash the first six bytes are kept, in order: 6 GB, of which a question
reads some thirty records. One in three hundred thousand passwords is taken for leaked by mistake.

Neither building nor asking ever holds the file in memory: lines are read as they come, sorted in pieces
where they are not in order, and the pieces merged.
"""

import hashlib
import heapq
import os
import struct
import tempfile
from binascii import Error, unhexlify
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from directory.base.errors import InvalidInput, Misconfigured

SIZE = 6
"""Bytes kept of a hash."""
_RECORD = struct.Struct(f"{SIZE}s")
_MARK = b"dinhdanh leaked passwords 1\n"
_PIECE = 500_000
"""Lines that are sorted in memory: 24 MB."""
_FAN = 64
"""Pieces that are merged at once."""
_AT_ONCE = 4096
"""Records that are read of each at once."""

Progress = Callable[[int], None]


# ---- asking ----------------------------------------------------------------------------------


def holds(file: Path, spellings: Iterable[str]) -> bool:
    """Whether any of these is in the file; not where there is no such file. Raises Misconfigured for
    one that is none of ours.
    """
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise _unusable(file) from exc
    try:
        count = _records(fd, file)
        return any(_found(fd, count, _key_of(each)) for each in spellings)
    finally:
        os.close(fd)


def require(file: Path) -> int | None:
    """How many passwords the file holds; None where there is none. Raises Misconfigured."""
    if not file.exists():
        return None
    with file.open("rb") as opened:
        return _records(opened.fileno(), file)


def _key_of(spelling: str) -> bytes:
    # The collection is made of SHA-1; nothing is protected by it here.
    return hashlib.sha1(spelling.encode("utf-8", "replace"), usedforsecurity=False).digest()[:SIZE]


def _records(fd: int, file: Path) -> int:
    size = os.fstat(fd).st_size - len(_MARK)
    if size < 0 or size % SIZE or os.pread(fd, len(_MARK), 0) != _MARK:
        raise _unusable(file)
    return size // SIZE


def _unusable(file: Path) -> Misconfigured:
    return Misconfigured(
        "blocklist", "Không dùng được danh sách mật khẩu đã lộ {file}; hãy nạp lại.", file=file
    )


def _found(fd: int, count: int, key: bytes) -> bool:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        record = os.pread(fd, SIZE, len(_MARK) + middle * SIZE)
        if record == key:
            return True
        low, high = (middle + 1, high) if record < key else (low, middle)
    return False


# ---- building --------------------------------------------------------------------------------


def build(lines: Iterable[bytes], file: Path, *, progress: Progress = lambda _done: None) -> int:
    """Make the file of these lines, in whichever order they come; how many passwords it holds. The old
    one stays until the new one is whole. Raises InvalidInput naming a line that is none.
    """
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".leaked-") as folder:
        pieces = _Pieces(Path(folder))
        for keys in _in_pieces(lines, progress):
            pieces.add(keys)
        whole = Path(folder) / "whole"
        count = _write(whole, _once(pieces.merged()), mark=_MARK)
        whole.chmod(0o640)
        whole.replace(file)
    return count


def _in_pieces(lines: Iterable[bytes], progress: Progress) -> Iterator[list[bytes]]:
    keys: list[bytes] = []
    number = 0
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped:
            keys.append(_read(stripped, number))
        if len(keys) == _PIECE:
            progress(number)
            yield sorted(keys)
            keys = []
    progress(number)
    yield sorted(keys)


def _read(line: bytes, number: int) -> bytes:
    digest, colon, count = line.partition(b":")
    try:
        key = unhexlify(digest)
    except Error:
        key = b""
    if len(key) != hashlib.sha1(usedforsecurity=False).digest_size or (
        colon and not count.strip().isdigit()
    ):
        raise InvalidInput(
            "leaked_line",
            "Dòng {line} không có dạng SHA-1 và số lần, như tệp của Have I Been Pwned.",
            field="file",
            row=number,
            line=number,
        )
    return key[:SIZE]


class _Pieces:
    """Sorted files. One goes on where the last ended, as they do when the lines come in order; of the
    others so many are merged into one that few are ever open.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._levels: list[list[Path]] = [[]]
        self._made = 0
        self._last = b""

    def add(self, keys: list[bytes]) -> None:
        """Keys in order."""
        if not keys:
            return
        newest = self._levels[0][-1] if self._levels[0] else None
        if newest is not None and keys[0] >= self._last:
            with newest.open("ab") as out:
                out.write(b"".join(keys))
        else:
            self._level(0, self._file(iter(keys)))
        self._last = keys[-1]

    def merged(self) -> Iterator[bytes]:
        """All keys in order."""
        with ExitStack() as opened:
            files = [file for level in self._levels for file in level]
            yield from heapq.merge(*(_keys(opened, file) for file in files))

    def _level(self, level: int, file: Path) -> None:
        if level == len(self._levels):
            self._levels.append([])
        pieces = self._levels[level]
        if len(pieces) == _FAN:
            with ExitStack() as opened:
                merged = self._file(heapq.merge(*(_keys(opened, each) for each in pieces)))
            for each in pieces:
                each.unlink()
            pieces.clear()
            self._level(level + 1, merged)
        pieces.append(file)

    def _file(self, keys: Iterator[bytes]) -> Path:
        self._made += 1
        file = self._folder / str(self._made)
        _write(file, keys)
        return file


def _keys(opened: ExitStack, file: Path) -> Iterator[bytes]:
    source = opened.enter_context(file.open("rb"))
    while block := source.read(SIZE * _AT_ONCE):
        yield from (key for (key,) in _RECORD.iter_unpack(block))


def _once(keys: Iterator[bytes]) -> Iterator[bytes]:
    return (key for key, _ in groupby(keys))


def _write(file: Path, keys: Iterator[bytes], *, mark: bytes = b"") -> int:
    count = 0
    with file.open("wb") as out:
        out.write(mark)
        for key in keys:
            out.write(key)
            count += 1
        out.flush()
        os.fsync(out.fileno())
    return count
