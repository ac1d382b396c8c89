"""Members of a tar.gz, read once from front to back in bounded memory.

The standard library's reader trusts what it reads: it takes a cut-off archive for a whole one, and
reads an extended header of any claimed size into memory. A backup is read by a drill because it may
be damaged, so this reader says what is wrong and never holds more than one member.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from drills.objects.gunzip import CHUNK, GunzipError, Source, unpacked
from drills.objects.keys import shortened

BLOCK = 512
_ZERO_BLOCK = bytes(BLOCK)
# Field offsets of a POSIX ustar header (pax, IEEE Std 1003.1); `x` and `g` are pax headers, `L` is
# GNU's long name. Go's writer uses ustar where a name fits, and pax where not.
_REGULAR = frozenset({b"0", b"\0", b"7"})
_FOLDER, _PAX, _PAX_GLOBAL, _LONG_NAME = b"5", b"x", b"g", b"L"
_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb"[0-7]+\Z")
_PAX_DIGITS = 9
_SHOWN_CHARACTERS = 120


class Cause(StrEnum):
    """What is wrong with an archive. Holds every value of `gunzip.Fault`."""

    NOT_GZIP = "not-gzip"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    HOSTILE = "hostile"
    TOO_LARGE = "too-large"
    NOT_JSON = "not-json"
    WRONG_API_VERSION = "wrong-api-version"
    WRONG_OBJECT = "wrong-object"
    UNKNOWN_FORMAT = "unknown-format"


class TarballError(Exception):
    """A backup's archive that cannot be read: `cause` for decisions, the text for people."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


@dataclass(frozen=True)
class Limits:
    """Bounds, each far above what a real backup needs.

    member_bytes: of one object; etcd refuses requests above 1.5 MiB unless told otherwise.
    total_bytes: of everything unpacked. members: files and folders.
    header_bytes: of one extended header.
    """

    member_bytes: int = 16 * 1024 * 1024
    total_bytes: int = 32 * 1024**3
    members: int = 4_000_000
    header_bytes: int = 16 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive with its whole content."""

    path: str
    content: bytes


def members(source: Source, limits: Limits | None = None) -> Iterator[Member]:
    """Every regular file, in order. Folders are skipped.

    Raises:
        TarballError: NOT_GZIP, TRUNCATED, DAMAGED, HOSTILE or TOO_LARGE. What was yielded before
            is then worth nothing: a checksum at the end covers all of it.
    """
    limits = limits or Limits()
    stream = _Blocks(unpacked(source, limits.total_bytes))
    count, long_name = 0, ""
    while True:
        header = stream.take(BLOCK)
        if header == _ZERO_BLOCK:
            stream.finish()
            return
        count += 1
        if count > limits.members:
            raise TarballError(
                Cause.TOO_LARGE, f"the archive has more than {limits.members} entries"
            )
        kind, size, name = _header(header)
        if kind in (_PAX, _PAX_GLOBAL, _LONG_NAME):
            text = _extended(stream, size, limits)
            if kind == _LONG_NAME:
                long_name = _text(text.rstrip(b"\0"))
            elif kind == _PAX:
                long_name = _pax_path(text) or long_name
            continue
        path, long_name = long_name or name, ""
        if kind == _FOLDER:
            stream.skip(size)
        elif kind in _REGULAR:
            if size > limits.member_bytes:
                raise TarballError(
                    Cause.TOO_LARGE,
                    f"the archive's file {_shown(path)} has {size} bytes, more than"
                    f" {limits.member_bytes}",
                )
            yield Member(path, stream.padded(size))
        else:
            raise TarballError(
                Cause.HOSTILE,
                f"the archive's entry {_shown(path)} is neither a file nor a folder; Velero writes"
                " no links and no devices",
            )


class _Blocks:
    """The unpacked archive, taken from the front."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._position = 0

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises TarballError."""
        end = self._position + size
        if end > len(self._buffer):
            held = [self._buffer[self._position :]]
            missing = end - len(self._buffer)
            while missing > 0:
                piece = self._next()
                if piece is None:
                    raise TarballError(Cause.TRUNCATED, "the archive ends within a file")
                held.append(piece)
                missing -= len(piece)
            self._buffer, self._position, end = b"".join(held), 0, size
        taken = self._buffer[self._position : end]
        self._position = end
        return taken

    def padded(self, size: int) -> bytes:
        """A member's content, and past the filling up to the next block."""
        return self.take(-(-size // BLOCK) * BLOCK)[:size]

    def skip(self, size: int) -> None:
        left = -(-size // BLOCK) * BLOCK
        while left > 0:
            left -= len(self.take(min(left, CHUNK)))

    def finish(self) -> None:
        """Reads to the end, so that the checksum is proven; only filling may follow the end mark.

        An archive ends with two blocks of zeros; some writers fill up to a record.
        """
        if self.take(BLOCK) != _ZERO_BLOCK:
            raise TarballError(Cause.DAMAGED, "the archive goes on after its end mark")
        rest: bytes | None = self._buffer[self._position :]
        while rest is not None:
            if rest.strip(b"\0"):
                raise TarballError(Cause.HOSTILE, "the archive holds more after its end mark")
            rest = self._next()

    def _next(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except GunzipError as error:
            raise TarballError(Cause(error.fault), f"the archive {error}") from None


def _header(block: bytes) -> tuple[bytes, int, str]:
    """Kind, size and name of an entry."""
    if _octal(block[_CHECKSUM]) != _sum(block) - _sum(block[_CHECKSUM]) + 8 * 32:
        raise TarballError(Cause.DAMAGED, "the archive is damaged: a header's checksum is wrong")
    name = block[:100].split(b"\0", 1)[0]
    if block[257:262] == b"ustar" and block[345:346] != b"\0":
        name = block[345:500].split(b"\0", 1)[0] + b"/" + name
    return block[156:157], _octal(block[124:136]), _text(name)


def _sum(piece: bytes) -> int:
    """The bytes added up. Adler-32 holds that in its low half, as long as it is below 65521."""
    half = len(piece) // 2
    return sum((zlib.adler32(part) & 0xFFFF) - 1 for part in (piece[:half], piece[half:]))


def _octal(field: bytes) -> int:
    text = field.split(b"\0", 1)[0].strip() or b"0"
    # GNU's binary numbers are for files beyond 8 GiB, which no object is.
    if not _OCTAL.match(text):
        raise TarballError(Cause.DAMAGED, "the archive is damaged: a header's number is none")
    return int(text, 8)


def _extended(stream: _Blocks, size: int, limits: Limits) -> bytes:
    if size > limits.header_bytes:
        raise TarballError(
            Cause.TOO_LARGE,
            f"the archive has an extended header of {size} bytes, more than {limits.header_bytes}",
        )
    return stream.padded(size)


def _pax_path(records: bytes) -> str:
    """The `path` of a pax header, empty if it has none. A record is `<length> <key>=<value>\\n`."""
    position, path = 0, ""
    while position < len(records):
        space = records.find(b" ", position)
        digits = records[position:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() and len(digits) <= _PAX_DIGITS else 0
        record = records[space + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise TarballError(Cause.DAMAGED, "the archive is damaged: an extended header is none")
        if key == b"path":
            path = _text(value[:-1])
        elif key == b"size":
            raise TarballError(
                Cause.HOSTILE, "the archive has an extended header that changes a file's size"
            )
        position += length
    return path


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise TarballError(Cause.HOSTILE, "the archive has a file name that is no UTF-8") from None


def _shown(path: str) -> str:
    return ascii(shortened(path, _SHOWN_CHARACTERS))
