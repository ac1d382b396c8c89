"""Where the truths about backups are kept: beside the receipts on disk, and in the evidence bucket.

A truth is the lists of the cluster from before and after one backup, see drills/objects/truth.py.
"""

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drills.backup.archive import fetched
from drills.backup.payload import READER
from drills.objects import truth_file
from drills.objects.truth import Truth
from drills.payload import Site
from s3.client import Credential, Session, StoreEndpoint
from s3.errors import Cause, StoreError

FOLDER = "truths"


class NotKeptError(Exception):
    """A truth could not be kept on this machine; the text is one sentence."""


@dataclass(frozen=True)
class Shelf:
    """The truths of one site in the evidence bucket. `prefix`: of the site's receipts there."""

    endpoint: StoreEndpoint
    bucket: str
    prefix: str
    reader: Credential
    writer: Credential

    def key(self, backup: str) -> str:
        return f"{self.prefix}{FOLDER}/{_file_name(backup)}"


@dataclass(frozen=True)
class Truths:
    """`directory`: of the receipts on this machine. `shelf`: None for a site without evidence."""

    directory: Path
    shelf: Shelf | None = None

    def place(self, backup: str) -> Path:
        return self.directory / FOLDER / _file_name(backup)

    def read(self, backup: str) -> Truth | None:
        """The truth about a backup, of the bucket or else of the disk; None if there is none.

        Raises:
            TruthError: the file there is no truth.
            StoreError: the bucket cannot be read.
        """
        if self.shelf is not None:
            found = _in_bucket(self.shelf, backup)
            if found is not None:
                return found
        try:
            with self.place(backup).open("rb") as file:
                return truth_file.read(file)
        except FileNotFoundError:
            return None

    def keep(self, truth: Truth) -> str:
        """Keeps a truth in both places; where it is, for people.

        Raises:
            NotKeptError: the disk refuses.
            StoreError: the bucket refuses.
        """
        out = io.BytesIO()
        truth_file.write(truth, out)
        backup = truth.head.backup
        place = self.place(backup)
        try:
            _write_private(place, out.getvalue())
        except OSError as error:
            raise NotKeptError(
                f"the truth about backup {backup} cannot be written to {place.parent} "
                f"({error.strerror}); make it writable and run this again"
            ) from None
        if self.shelf is None:
            return str(place)
        session = Session.open(self.shelf.endpoint, self.shelf.writer)
        session.put(self.shelf.bucket, self.shelf.key(backup), out.getvalue())
        return f"{self.shelf.bucket}/{self.shelf.key(backup)}"


def of_site(site: Site, directory: Path) -> Truths:
    """Where this site's truths are kept. Raises PayloadError if a client is missing."""
    evidence = site.evidence
    if evidence is None:
        return Truths(directory)
    return Truths(
        directory,
        Shelf(
            site.store(),
            evidence.bucket,
            f"{evidence.prefix}{site.site}/",
            site.client(READER).credential(),
            site.client(evidence.client).credential(),
        ),
    )


def _in_bucket(shelf: Shelf, backup: str) -> Truth | None:
    try:
        return truth_file.read(
            fetched(shelf.endpoint, shelf.reader, shelf.bucket, shelf.key(backup))
        )
    except StoreError as error:
        if error.cause is Cause.OBJECT_MISSING:
            return None
        raise


def _file_name(backup: str) -> str:
    return f"{backup}.json.gz"


def _write_private(place: Path, content: bytes) -> None:
    """Writes atomically with mode 0600. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".truth-")
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp opens with 0600
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    finally:
        Path(temporary).unlink(missing_ok=True)
