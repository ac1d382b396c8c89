"""The drill of layer `store`: every client, bucket and server of the object store."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.drills.drill import PAYLOAD_SCHEMA, Drill, digest, evidence_place, period_name
from components.object_store.access import ClientAccess
from components.object_store.buckets import Bucket
from components.object_store.endpoint import StoreEndpoint
from components.settings import Drills

LAYER = "store"


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
        "layer": LAYER,
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
        "evidence": evidence_place(evidence),
        "receiptsDir": None,
        "onRed": limits.on_red,
        "control": "rotate",
        "admin": None,
    }


class StoreDrill(Drill):
    """The drill of layer `store`."""

    def __init__(
        self, name: str, args: StoreDrillArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        known = pulumi.Output.all(args.endpoint.ca_pem, pulumi.Output.all(**args.credentials))
        super().__init__(
            "StoreDrill",
            name,
            layer=LAYER,
            payload=known.apply(lambda values: store_payload(args, values[0], values[1])),
            triggers=[digest(args.proves), period_name(args.settings.period, args.today)],
            after=args.after,
            opts=opts,
        )
