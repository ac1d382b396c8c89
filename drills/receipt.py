"""The receipt: what one drill found, as JSON, on disk and in the evidence bucket.

It holds no secret: checks carry names, keys of probes and digests of random content only.
"""

import datetime
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from drills.frame import Record
from drills.payload import Payload
from drills.verdict import Judgement, Reason, Verdict
from s3.client import Session
from s3.errors import StoreError

SCHEMA = 1
SUMMARY_CHECKS = 10


@dataclass(frozen=True)
class ControlResult:
    """One control: what was planted, what it should have led to, what it did lead to.

    `killed` is the word of mutation testing: the drill noticed the planted fault. Name "none" means
    that no control ran, and `planted` then says why.
    """

    name: str
    planted: str
    expected: str = ""
    verdict: str = ""
    reason: str = ""
    killed: bool = False


@dataclass(frozen=True)
class Receipt:
    """The signed-off record of one drill; `reason` is "" when proven."""

    run_id: str
    layer: str
    site: str
    judgement: Judgement
    started_at: datetime.datetime
    record: Record
    control: ControlResult
    versions: Mapping[str, str]
    evidence: Mapping[str, object] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return f"{self.started_at:%Y%m%dT%H%M%SZ}-{self.layer}-{self.run_id}.json"

    @property
    def proven(self) -> bool:
        return self.judgement.verdict is Verdict.PROVEN

    def to_json(self) -> dict[str, object]:
        """Schema 1, as docs/drills.md describes it."""
        return {
            "schema": SCHEMA,
            "runId": self.run_id,
            "layer": self.layer,
            "site": self.site,
            "verdict": str(self.judgement.verdict),
            "reason": str(self.judgement.reason or ""),
            "detail": self.judgement.detail,
            "startedAt": f"{self.started_at:%Y-%m-%dT%H:%M:%SZ}",
            "phases": [asdict(phase) for phase in self.record.phases],
            "checks": [
                {
                    "client": check.client,
                    "check": check.check,
                    "expected": check.expected,
                    "observed": check.observed,
                    "ok": check.ok,
                    "reason": str(check.reason or ""),
                }
                for check in self.record.checks
            ],
            "left": self.record.left,
            "control": asdict(self.control),
            "versions": dict(self.versions),
            "evidence": dict(self.evidence),
        }

    def summary(self) -> dict[str, object]:
        """The receipt with only the checks that failed; the whole one is where `file` says."""
        whole = self.to_json()
        failed = [asdict(check) for check in self.record.checks if not check.ok]
        kept = ("schema", "runId", "layer", "site", "verdict", "reason", "detail", "startedAt")
        return {
            **{key: whole[key] for key in kept},
            "phases": [
                {"name": phase.name, "seconds": phase.seconds} for phase in self.record.phases
            ],
            "checks": {"total": len(self.record.checks), "failed": failed[:SUMMARY_CHECKS]},
            "control": whole["control"],
            "file": self.file_name,
        }

    def spoiled(self, why: str) -> "Receipt":
        """The same receipt, no longer proven because it could not be kept."""
        if not self.proven:
            return self
        judgement = Judgement(Verdict.UNPROVEN, Reason.EVIDENCE_UNWRITABLE, why)
        return replace(self, judgement=judgement)


def versions_of(server: str) -> dict[str, str]:
    """What took part, for readers years later."""
    return {"drill": f"store/{SCHEMA}", "server": server, "python": platform.python_version()}


def receipts_dir(payload: Payload, environment: Mapping[str, str], home: Path) -> Path:
    """Where receipts are kept on disk: the payload's word, the environment's, or a default."""
    if payload.receipts_dir:
        return Path(payload.receipts_dir)
    if environment.get("BACKSTOP_RECEIPTS"):
        return Path(environment["BACKSTOP_RECEIPTS"])
    return home / ".local" / "state" / "backstop" / payload.site / "receipts"


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
            file.write(_text(receipt))
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
    writer = next(client for client in payload.clients if client.name == evidence.client)
    endpoint = payload.store()
    kept = replace(receipt, evidence={"bucket": evidence.bucket, "key": key, "stored": True})
    try:
        session = Session.open(endpoint, writer.credential())
        session.put(evidence.bucket, key, _text(kept).encode())
    except StoreError as error:
        lost = replace(receipt, evidence={"bucket": evidence.bucket, "key": key, "stored": False})
        return lost.spoiled(f"the receipt cannot be appended to {evidence.bucket}: {error}")
    return kept


def _text(receipt: Receipt) -> str:
    return json.dumps(receipt.to_json(), indent=1, sort_keys=True) + "\n"
