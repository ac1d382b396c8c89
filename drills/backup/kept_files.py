"""Files about backups beside the truths: on disk, and in the evidence bucket, as streams."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drills.backup.archive import PIECE_BYTES, fetched
from drills.backup.truths import FOLDER, NotKeptError, Shelf, Truths
from s3.client import Session, connect
from s3.errors import SDK_ERRORS, Cause, StoreError, classify

# A longer file is sent in parts of this size, of which one is held at a time.
PART_BYTES = 16 << 20


@dataclass(frozen=True)
class KeptFiles:
    """`name` is a path below the folder of the truths: `<backup>.volumes.json`."""

    truths: Truths

    def keep(self, name: str, content: Path) -> str:
        """Keeps a copy of the file in both places; where it is, for people.

        Raises:
            NotKeptError: the disk refuses.
            StoreError: the bucket refuses.
        """
        place = self._place(name)
        try:
            _copy_private(content, place)
        except OSError as error:
            raise NotKeptError(
                f"{name} cannot be written below {self._place('')} ({error.strerror}); make it "
                "writable and run this again"
            ) from None
        shelf = self.truths.shelf
        if shelf is None:
            return str(place)
        _put(shelf, _key(shelf, name), content)
        return f"{shelf.bucket}/{_key(shelf, name)}"

    def pieces(self, name: str) -> Iterator[bytes] | None:
        """The file, of the bucket or else of the disk; None if it is in neither.

        Raises StoreError, OSError, also while it is iterated.
        """
        shelf = self.truths.shelf
        if shelf is not None:
            found = fetched(shelf.endpoint, shelf.reader, shelf.bucket, _key(shelf, name))
            try:
                first = next(found, b"")
            except StoreError as error:
                if error.cause is not Cause.OBJECT_MISSING:
                    raise
            else:
                return _begun(first, found)
        place = self._place(name)
        return _of_disk(place) if place.is_file() else None

    def _place(self, name: str) -> Path:
        return self.truths.directory / FOLDER / name


def _key(shelf: Shelf, name: str) -> str:
    return f"{shelf.prefix}{FOLDER}/{name}"


def _begun(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _of_disk(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _put(shelf: Shelf, key: str, content: Path) -> None:
    if content.stat().st_size <= PART_BYTES:
        session = Session.open(shelf.endpoint, shelf.writer)
        session.put(shelf.bucket, key, content.read_bytes())
        return
    try:
        connect(shelf.endpoint, shelf.writer).fput_object(
            shelf.bucket, key, str(content), part_size=PART_BYTES
        )
    except SDK_ERRORS as error:
        raise classify(error, shelf.endpoint.url, f"{shelf.bucket}/{key}") from error


def _copy_private(content: Path, place: Path) -> None:
    """Copies atomically with mode 0600. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".kept-")
    try:
        with os.fdopen(handle, "wb") as file, content.open("rb") as source:  # mkstemp: 0600
            shutil.copyfileobj(source, file, PIECE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    finally:
        Path(temporary).unlink(missing_ok=True)
