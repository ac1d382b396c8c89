"""Restore drills as Command resources: what they prove triggers them, a red one fails the update.

The drills themselves are the package of that name; this module knows only their command line and
their JSON contract (docs/drills.md).
"""

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import command
from components.object_store.access import ClientAccess
from components.object_store.buckets import Bucket
from components.object_store.endpoint import StoreEndpoint
from components.settings import Drills

PAYLOAD_SCHEMA = 1


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


@dataclass
class StoreDrillArgs:
    """`proves`: plain data whose change makes an older proof worthless (server, policies, …)."""

    site: str
    endpoint: StoreEndpoint
    accesses: Sequence[ClientAccess]
    buckets: Sequence[Bucket]
    credentials: Mapping[str, pulumi.Output[dict[str, str]]]
    settings: Drills
    proves: object
    today: datetime.date
    after: Sequence[pulumi.Resource]


def store_payload(
    args: StoreDrillArgs, ca_pem: str, credentials: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the drill `store` reads from stdin. `credentials` by client name."""
    limits = args.settings
    evidence = next(access for access in args.accesses if access.role == "evidence")
    return {
        "schema": PAYLOAD_SCHEMA,
        "layer": "store",
        "site": args.site,
        "endpoint": args.endpoint.url,
        "region": args.endpoint.region,
        "caPem": ca_pem,
        "tlsNames": args.endpoint.names,
        "nodes": [
            {"endpoint": url, "tlsNames": names} for url, names in args.endpoint.nodes.items()
        ],
        "clients": [
            {
                "name": access.name,
                "role": access.role,
                "bucket": access.bucket,
                "prefix": access.prefix,
                **credentials[access.name],
            }
            for access in args.accesses
        ],
        "buckets": [bucket.wire() for bucket in args.buckets],
        "limits": {
            "certificateMinDays": limits.certificate_min_days,
            "clockSkewSeconds": limits.clock_skew_seconds,
            "rtoSeconds": limits.store_rto_seconds,
        },
        "evidence": {
            "bucket": evidence.bucket,
            "prefix": evidence.prefix,
            "client": evidence.name,
        },
        "receiptsDir": None,
        "onRed": limits.on_red,
        "control": "rotate",
    }


def verdict_summary(receipt: str) -> dict[str, Any]:
    """What a stack output shows of a receipt; the whole is on disk and in the evidence bucket."""
    content = json.loads(receipt)
    keys = ("layer", "verdict", "reason", "detail", "runId", "startedAt", "file")
    seconds = sum(phase["seconds"] for phase in content.get("phases", []))
    return {**{key: content[key] for key in keys if key in content}, "seconds": round(seconds, 1)}


class StoreDrill(pulumi.ComponentResource):
    """The drill of layer `store`. Output `verdict`: layer, verdict, reason, seconds."""

    verdict: pulumi.Output[dict[str, Any]]

    def __init__(
        self, name: str, args: StoreDrillArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:StoreDrill", name, None, opts)
        payload = pulumi.Output.all(args.endpoint.ca_pem, pulumi.Output.all(**args.credentials))
        run = command.on_operator(
            "drill-store",
            "sh ./run.sh drills run store --summary",
            stdin=payload.apply(
                lambda values: json.dumps(store_payload(args, values[0], values[1]), sort_keys=True)
            ),
            triggers=[digest(args.proves), period_name(args.settings.period, args.today)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.verdict = run.stdout.apply(verdict_summary)
        self.register_outputs({"verdict": self.verdict})
