"""The drill of layer `longhorn`: Longhorn's backups, read from the store, and restored by it."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.drills.digests import reader
from components.drills.drill import PAYLOAD_SCHEMA, Drill, digest, evidence_place, period_name
from components.longhorn.places import Place
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings import Drills
from components.settings.longhorn import Longhorn as LonghornSettings
from components.settings.longhorn import all_places
from components.settings.longhorn_drill import (
    DAYS_BETWEEN,
    rpo_by_job,
    rpo_seconds,
)
from components.settings.longhorn_drill import (
    LonghornDrill as DrillSettings,
)
from components.settings.longhorn_targets import DEFAULT_TARGET
from kube.kubeconfig import Kubeconfig

LAYER = "longhorn"
# Who reads the backups, and who keeps the receipt.
CLIENTS = ("drill", "evidence")
NO_KEY = "it lies in another store, of which the drill has no key"
# A control takes a part of a drill's time at most; then comes the receipt.
CLOSING_SECONDS = 1800


@dataclass
class LonghornDrillArgs:
    """`clients`: by name, among them longhorn, drill and evidence; `credentials`: theirs.
    `cluster_uid`: of the cluster that the preflight let through. `first_backups`: what the command
    prints that makes them, None without one. `canary`: where the site's canary is and where its
    truths lie. `proves`: plain data whose change makes an older proof worthless. `beside`: targets
    with a URL that lie in this store all the same, and that the client drill may read.
    """

    site: str
    endpoint: StoreEndpoint
    clients: Mapping[str, ClientAccess]
    credentials: Mapping[str, pulumi.Output[dict[str, str]]]
    kubeconfig: Kubeconfig
    cluster_uid: str
    longhorn: LonghornSettings
    drills: Drills
    settings: DrillSettings
    first_backups: pulumi.Output[str] | None
    canary: Mapping[str, Any] | None
    proves: object
    today: datetime.date
    after: Sequence[pulumi.Resource]
    beside: Mapping[str, Place] = field(default_factory=dict)


def longhorn_payload(
    args: LonghornDrillArgs, ca_pem: str, credentials: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the drill `longhorn` reads from stdin. `credentials` by client name."""
    settings, longhorn = args.settings, args.longhorn
    bucket, region = args.clients["longhorn"].bucket, args.endpoint.region
    places = all_places(longhorn, args.site, bucket, region)
    return {
        "schema": PAYLOAD_SCHEMA,
        "layer": LAYER,
        "site": args.site,
        "endpoint": args.endpoint.url,
        "region": region,
        "caPem": ca_pem,
        "clients": [{"name": name, **credentials[name]} for name in CLIENTS],
        "cluster": {
            "kubeconfig": args.kubeconfig.text,
            "context": args.kubeconfig.context,
            "uid": args.cluster_uid,
        },
        "namespace": longhorn.namespace,
        "target": _target(DEFAULT_TARGET, places),
        **_further_targets(args, places),
        "limits": {
            "rtoSeconds": settings.rto_seconds,
            "rpoSeconds": rpo_seconds(settings, longhorn),
            "rpoByJob": rpo_by_job(settings, longhorn),
            "drillSeconds": settings.drill_seconds,
        },
        "canary": None if args.canary is None else dict(args.canary),
        "depth": settings.depth,
        "days": settings.days_of(args.drills.period),
        "every": DAYS_BETWEEN[args.drills.period],
        "exceptions": [one.model_dump(mode="json", by_alias=True) for one in settings.exceptions],
        "workers": settings.workers,
        "scratch": settings.scratch,
        "rebuildLimit": settings.rebuild_limit,
        "path": settings.live.path,
        "live": _live(args),
        "evidence": evidence_place(args.clients["evidence"]),
        "receiptsDir": None,
        "onRed": args.drills.on_red_of(settings),
        "control": settings.control,
    }


def _target(name: str, places: Mapping[str, Place]) -> dict[str, str]:
    return {"name": name, "bucket": places[name].bucket, "prefix": places[name].prefix}


def _further_targets(args: LonghornDrillArgs, places: Mapping[str, Place]) -> dict[str, Any]:
    """Those beside the target `default`, read and not read. What is empty is left out: it would be
    a change of the command on every site that has none."""
    targets = args.longhorn.targets
    elsewhere = [name for name, one in targets.items() if one.foreign and name not in args.beside]
    read = [_target(name, places) for name in targets if name not in elsewhere]
    unread = [{"name": name, "why": NO_KEY} for name in elsewhere]
    return {key: held for key, held in (("targets", read), ("unread", unread)) if held}


def _live(args: LonghornDrillArgs) -> dict[str, Any] | None:
    """How Longhorn is to bring volumes back; None where it is not to."""
    live = args.settings.live
    if not live.enabled:
        return None
    return {
        "reader": reader(args.drills),
        "volumes": live.volumes,
        "restoreSeconds": live.restore_seconds,
        "readSeconds": live.read_seconds,
        "mostBytes": live.most_bytes,
        "parameters": dict(live.parameters),
    }


def _triggers(args: LonghornDrillArgs) -> list[pulumi.Input[str]]:
    """What runs the drill again: another thing to prove, other first backups, another period."""
    settings = args.settings.model_dump(mode="json")
    proven = digest([args.proves, settings, args.canary, _live(args)])
    period = period_name(args.drills.period, args.today)
    if args.first_backups is None:
        return [proven, period]
    # Names of backups are no secret, whatever the command that made them was given.
    return [proven, pulumi.Output.unsecret(args.first_backups.apply(digest)), period]


class LonghornDrill(Drill):
    """The drill of layer `longhorn`."""

    def __init__(
        self, name: str, args: LonghornDrillArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        pairs = {one: args.credentials[one] for one in CLIENTS}
        known = pulumi.Output.all(args.endpoint.ca_pem, pulumi.Output.all(**pairs))
        super().__init__(
            "LonghornDrill",
            name,
            layer=LAYER,
            payload=known.apply(lambda values: longhorn_payload(args, values[0], values[1])),
            triggers=_triggers(args),
            after=args.after,
            seconds=args.settings.drill_seconds + CLOSING_SECONDS,
            opts=opts,
        )
