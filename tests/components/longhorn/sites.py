"""A sample site with Longhorn, recorded without an engine: its settings and its registrations."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime

from components.cluster import Cluster, ClusterArgs, SeenCluster
from components.longhorn.bindings import Bindings
from components.longhorn.component import Longhorn, LonghornArgs
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.recorded import Recorded
from components.settings.longhorn import Longhorn as LonghornSettings
from kube.facts import ClusterFacts
from kube.kubeconfig import Kubeconfig
from tests.support import recorder
from tests.support.recorder import CA_PEM, Registered

ROOT = Path(__file__).resolve().parents[3]
SITE = "dev"
UID = "3f0c8f0e-0000-4000-8000-000000000001"
PAIR = {"accessKey": "SENTINEL-access", "secretKey": "SENTINEL-secret"}
FOREIGN = {"accessKey": "SENTINEL-other-access", "secretKey": "SENTINEL-other-secret"}
KUBECONFIG = Kubeconfig('{"SENTINEL": "kubeconfig"}', "admin", "https://10.77.0.11:6443")
# Every kind of thing that the config can declare, at once.
FULL: dict[str, Any] = {
    "target": {"prefix": "cluster-a", "pollInterval": "300s"},
    "targets": {
        "archive": {"prefix": "archive"},
        "offsite": {
            "url": "s3://second-copy@us-east-1/dev",
            "endpoint": "https://s3.example",
            "virtualHostedStyle": True,
        },
    },
    "jobs": {
        "backup-hourly": {
            "task": "backup", "cron": "15 * * * *", "groups": ["often"], "retain": 24,
            "concurrency": 3, "fullBackupInterval": 24, "labels": {"tier": "gold"},
        },
        "snapshots": {"task": "snapshot", "cron": "5 * * * *", "groups": ["often"], "retain": 4},
        "snapshot-delete": {
            "task": "snapshot-delete", "cron": "45 3 * * *", "groups": ["often"], "retain": 0,
        },
    },
    "volumes": [
        {"namespace": "shop", "claim": "data-db-0", "groups": ["often", "default"]},
        {"namespace": "wiki", "claim": "files", "jobs": ["backup-hourly", "backup-daily"]},
    ],
    "storageClasses": {
        "longhorn-often": {"replicas": 2, "groups": ["often"], "default": True, "fsType": "xfs"},
        "plain": {"replicas": 1, "parameters": {"dataLocality": "best-effort"}},
    },
    "settings": {"snapshotDataIntegrity": "enabled", "backupCompressionMethod": "gzip"},
}  # fmt: skip


def upstream() -> Path:
    """Longhorn's own definitions and chart values; skips the test where they are not there."""
    named = os.environ.get("BACKSTOP_UPSTREAM")
    folder = (Path(named) if named else ROOT.parent / "shared/upstream") / "longhorn-1.12.1"
    if not folder.is_dir():
        pytest.skip(f"Longhorn's own definitions are not in {folder}")
    return folder


def longhorn_settings(**given: Any) -> LonghornSettings:
    return LonghornSettings.model_validate(given)


def _arguments(settings: LonghornSettings, more: dict[str, Any]) -> LonghornArgs:
    ours = more.pop("ours", frozenset())
    facts = ClusterFacts(UID, KUBECONFIG.server, "v1.34.3", ours=ours)
    endpoint = StoreEndpoint(
        url="https://10.77.0.10:9091",
        region="eu-west-1",
        ca_pem=pulumi.Output.from_input(more.pop("ca_pem", CA_PEM)),
        root_user=pulumi.Output.secret("SENTINEL-root"),
        root_password=pulumi.Output.secret("SENTINEL-root-password"),
        names=["store1"],
        inside_url=more.pop("inside_url", None),
    )
    given: dict[str, Any] = {
        "bindings": Bindings(bound=settings.volumes),
        "client": ClientAccess("longhorn", "longhorn", "dev-longhorn", "", 1, keep_previous=False),
        "foreign": {"offsite": FOREIGN},
        **more,
    }
    return LonghornArgs(
        site=SITE,
        settings=settings,
        cluster=Cluster("cluster", ClusterArgs(SITE, SeenCluster(KUBECONFIG, facts, Recorded()))),
        kubeconfig=KUBECONFIG,
        cluster_uid=UID,
        endpoint=endpoint,
        credential=pulumi.Output.secret(PAIR),
        **given,
    )


def record(
    settings: LonghornSettings | None = None, *, preview: bool = False, **more: Any
) -> list[Registered]:
    """Every registration of Longhorn alone. `more`: fields of LonghornArgs, `ours`, `ca_pem`,
    `inside_url`.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answers = recorder._Answers()
    monitor = recorder._Monitor(answers)
    runtime.reset_options()
    mocks.set_mocks(answers, "backstop", "dev", preview=preview, monitor=monitor)

    @pulumi.runtime.test
    def run() -> None:
        made = Longhorn("longhorn", _arguments(settings or longhorn_settings(), dict(more)))
        made.first_backups([])

    try:
        run()
    finally:
        loop.close()
        runtime.reset_options()
    return [one for one in monitor.found if "cluster" not in one.name]


def named(found: list[Registered], name: str, kind: str = "") -> Registered:
    """The one registration of this name, and of a type that ends so."""
    (one,) = [one for one in found if one.name == name and one.type.endswith(kind)]
    return one


def depends(one: Registered) -> set[str]:
    """Names of what a registration waits for."""
    return {str(urn).rpartition("::")[2] for urn in one.request.dependencies}
