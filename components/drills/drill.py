"""What the drills of all layers share: the Command, when it runs again, and what it leaves."""

import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pulumi

from components import command
from components.object_store.access import ClientAccess

PAYLOAD_SCHEMA = 1

_SHOWN = (
    "layer", "verdict", "reason", "detail", "runId", "startedAt", "file",
    "restorePoint", "rpoSeconds", "rto",
)  # fmt: skip


def period_name(period: str, today: datetime.date) -> str:
    """The period that `today` belongs to: "none", "2026-11-21" or "2026-W47"."""
    match period:
        case "none":
            return "none"
        case "daily":
            return today.isoformat()
        case "weekly":
            year, week, _ = today.isocalendar()
            return f"{year}-W{week:02d}"
    raise ValueError(f"drills.period: {period} is no period")


def digest(parts: object) -> str:
    """Digest of what a drill proves; never of a secret, for triggers stand in clear."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verdict_summary(receipt: str) -> dict[str, Any]:
    """What a stack output shows of a receipt; the whole is on disk and in the evidence bucket."""
    content = json.loads(receipt)
    seconds = sum(phase["seconds"] for phase in content.get("phases", []))
    shown = {key: content[key] for key in _SHOWN if key in content}
    if "control" in content:
        shown["control"] = {key: content["control"].get(key) for key in ("name", "killed")}
    return {**shown, "seconds": round(seconds, 1)}


def evidence_place(access: ClientAccess) -> dict[str, str]:
    """Where receipts are appended, by the client whose access this is."""
    return {"bucket": access.bucket, "prefix": access.prefix, "client": access.name}


class Drill(pulumi.ComponentResource):
    """The drill of one layer. Outputs: `verdict` (see `verdict_summary`).

    `payload`: what the drill reads, a secret, so that it can be run by hand as well.
    """

    layer: str
    verdict: pulumi.Output[dict[str, Any]]
    payload: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        token: str,
        name: str,
        *,
        layer: str,
        payload: pulumi.Output[dict[str, Any]],
        triggers: Sequence[pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
        seconds: int | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"backstop:index:{token}", name, None, opts)
        self.layer = layer
        self.payload = pulumi.Output.secret(payload)
        run = command.on_operator(
            f"drill-{layer}",
            f"sh ./run.sh drills run {layer} --summary",
            stdin=payload.apply(lambda value: json.dumps(value, sort_keys=True)),
            triggers=list(triggers),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(after), custom_timeouts=_timeouts(seconds)
            ),
        )
        self.verdict = run.stdout.apply(verdict_summary)
        self.register_outputs({"verdict": self.verdict})


def _timeouts(seconds: int | None) -> pulumi.CustomTimeouts | None:
    if seconds is None:
        return None
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s")
