"""The receipt: what one drill found, as JSON of schema 2.

It holds no secret: checks carry names, keys of probes and digests only. Every key is always there,
so that its absence is never read as "nothing of that".
"""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from drills.frame import Compared, NotCompared, Record
from drills.verdict import Check, Judgement, Reason, Verdict

SCHEMA = 2
SUMMARY_ENTRIES = 10

_TIME = "%Y-%m-%dT%H:%M:%SZ"


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
    """The signed-off record of one drill; `reason` is "" when proven.

    `versions` is what took part beside the drill and its interpreter, for readers years later.
    """

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
        """Schema 2, as docs/drills.md describes it."""
        record = self.record
        return {
            **self._heading(),
            "phases": [asdict(phase) for phase in record.phases],
            "checks": [{**_check(check), "ok": check.ok} for check in record.checks],
            "compared": [asdict(each) for each in record.compared],
            "notCompared": [asdict(each) for each in record.not_compared],
            "left": record.left,
            "control": asdict(self.control),
            "versions": {
                **self.versions,
                "drill": f"{self.layer}/{SCHEMA}",
                "python": platform.python_version(),
            },
            "evidence": dict(self.evidence),
        }

    def summary(self) -> dict[str, object]:
        """The receipt without what came out as expected; the whole one is where `file` says."""
        record = self.record
        failed = [_check(check) for check in record.checks if not check.ok]
        return {
            **self._heading(),
            "phases": [{"name": phase.name, "seconds": phase.seconds} for phase in record.phases],
            "checks": {"total": len(record.checks), "failed": failed[:SUMMARY_ENTRIES]},
            "compared": _first(record.compared),
            "notCompared": _first(record.not_compared),
            "control": asdict(self.control),
            "file": self.file_name,
        }

    def text(self) -> str:
        """The whole receipt as it is kept."""
        return json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n"

    def spoiled(self, why: str) -> "Receipt":
        """The same receipt, no longer proven because it could not be kept."""
        if not self.proven:
            return self
        judgement = Judgement(Verdict.UNPROVEN, Reason.EVIDENCE_UNWRITABLE, why)
        return replace(self, judgement=judgement)

    def _heading(self) -> dict[str, object]:
        """What is short and the same in both forms."""
        record, point = self.record, self.record.point
        return {
            "schema": SCHEMA,
            "runId": self.run_id,
            "layer": self.layer,
            "site": self.site,
            "verdict": str(self.judgement.verdict),
            "reason": str(self.judgement.reason or ""),
            "detail": self.judgement.detail,
            "startedAt": f"{self.started_at:{_TIME}}",
            "restorePoint": None
            if point is None
            else {
                "name": point.name,
                "time": f"{point.time.astimezone(datetime.UTC):{_TIME}}",
                "age": point.age_seconds,
            },
            "rpoSeconds": record.rpo_seconds,
            "rto": dict(record.rto),
        }


def _check(check: Check) -> dict[str, object]:
    return {**asdict(check), "reason": str(check.reason or "")}


def _first(entries: Sequence[Compared | NotCompared]) -> dict[str, object]:
    return {
        "total": len(entries),
        "first": [asdict(each) for each in entries[:SUMMARY_ENTRIES]],
    }
