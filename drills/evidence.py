"""Where receipts are kept: on this machine's disk, and appended to the evidence bucket."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from drills.payload import Payload, Site
from drills.receipt import Receipt
from s3.client import Session
from s3.errors import StoreError


def receipts_dir(payload: Site, environment: Mapping[str, str], home: Path) -> Path:
    """Where receipts are kept on disk: the payload's word, the environment's, or a default."""
    if payload.receipts_dir:
        return Path(payload.receipts_dir)
    if environment.get("BACKSTOP_RECEIPTS"):
        return Path(environment["BACKSTOP_RECEIPTS"])
    return home / ".local" / "state" / "backstop" / payload.site / "receipts"


def earlier_receipts(directory: Path, layer: str) -> int:
    """How many receipts of a layer this machine holds."""
    return sum(1 for _ in directory.glob(f"*Z-{layer}-*.json"))


def keep(receipt: Receipt, payload: Payload, directory: Path) -> tuple[Receipt, Path | None]:
    """Stores the receipt on disk and in the evidence bucket; a place that fails spoils it.

    The disk comes first and is written again if the bucket refuses, so that the two places never
    disagree in a direction that looks better than it is.
    """
    place = directory / receipt.file_name
    try:
        write_private(place, receipt)
        kept: Path | None = place
    except OSError as error:
        kept = None
        why = f"the receipt cannot be written to {directory} ({error.strerror}); make it writable"
        receipt = receipt.spoiled(why)
    stored = _append(receipt, payload)
    if stored != receipt:
        receipt = stored
        if kept is not None:
            write_private(kept, receipt)
    return receipt, kept


def write_private(place: Path, receipt: Receipt) -> None:
    """Writes atomically with mode 0600. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".receipt-")
    try:
        with os.fdopen(handle, "w") as file:  # mkstemp opens with 0600
            file.write(receipt.text())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _append(receipt: Receipt, payload: Payload) -> Receipt:
    """Appends the receipt to the evidence bucket with the evidence client's own credential."""
    evidence = payload.evidence
    if evidence is None:
        return receipt
    key = f"{evidence.prefix}{payload.site}/{receipt.layer}/{receipt.file_name}"
    writer = payload.client(evidence.client)
    kept = replace(receipt, evidence={"bucket": evidence.bucket, "key": key, "stored": True})
    try:
        session = Session.open(payload.store(), writer.credential())
        session.put(evidence.bucket, key, kept.text().encode())
    except StoreError as error:
        lost = replace(receipt, evidence={"bucket": evidence.bucket, "key": key, "stored": False})
        return lost.spoiled(f"the receipt cannot be appended to {evidence.bucket}: {error}")
    return kept
