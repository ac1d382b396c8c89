"""A sample site with Velero, recorded without an engine: its settings and its registrations."""

import asyncio
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime

from components.cluster import Cluster, ClusterArgs, SeenCluster
from components.drills import FirstBackup, VeleroSite
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.recorded import Recorded
from components.settings.velero import Velero as VeleroSettings
from components.velero.component import Velero, VeleroArgs
from kube.facts import ClusterFacts
from kube.kubeconfig import Kubeconfig
from tests.support import recorder
from tests.support.recorder import CA_PEM, Registered

SITE = "dev"
UID = "3f0c8f0e-0000-4000-8000-000000000001"
PASSWORD = "SENTINEL-repository-password"
PAIR = {"accessKey": "SENTINEL-access", "secretKey": "SENTINEL-secret"}
KUBECONFIG = Kubeconfig('{"SENTINEL": "kubeconfig"}', "admin", "https://10.77.0.11:6443")


def velero_settings(**given: Any) -> VeleroSettings:
    return VeleroSettings.model_validate(given)


def cluster_facts(ours: frozenset[tuple[str, str, str]] = frozenset()) -> ClusterFacts:
    return ClusterFacts(UID, KUBECONFIG.server, "v1.34.3", ours=ours)


def _arguments(settings: VeleroSettings, more: dict[str, Any]) -> VeleroArgs:
    canary = more.pop("canary", None)
    seen = SeenCluster(KUBECONFIG, cluster_facts(more.pop("ours", frozenset())), Recorded())
    endpoint = StoreEndpoint(
        url="https://10.77.0.10:9091",
        region="eu-west-1",
        ca_pem=pulumi.Output.from_input(more.pop("ca_pem", CA_PEM)),
        root_user=pulumi.Output.secret("SENTINEL-root"),
        root_password=pulumi.Output.secret("SENTINEL-root-password"),
        names=["store1"],
    )
    evidence = ClientAccess(
        "evidence", "evidence", "dev-evidence", "receipts/", 1, keep_previous=False
    )
    of = VeleroSite(
        site=SITE,
        endpoint=endpoint,
        clients={"evidence": evidence},
        credentials={name: pulumi.Output.secret(PAIR) for name in ("drill", "evidence")},
        kubeconfig=KUBECONFIG,
        cluster_uid=UID,
        velero=settings,
    )
    given = {
        "client": ClientAccess("velero", "velero", "dev-velero", "", 1, keep_previous=False),
        "csi": False,
        **more,
    }
    return VeleroArgs(
        site=SITE,
        settings=settings,
        cluster=Cluster("cluster", ClusterArgs(SITE, seen)),
        kubeconfig=KUBECONFIG,
        endpoint=endpoint,
        credential=pulumi.Output.secret(PAIR),
        evidence_bucket="dev-evidence",
        escrow_passphrase="SENTINEL-passphrase",
        first=FirstBackup(of, canary=canary),
        **given,
    )


class _Answers(recorder._Answers):
    def _stdout(self, name: str) -> str:
        answers = {
            "velero-repository-password": PASSWORD,
            "velero-first-backup": '{"backup": "daily-20261121120000", "phase": "Completed"}',
        }
        return answers.get(name) or super()._stdout(name)


def record(
    settings: VeleroSettings | None = None, *, preview: bool = False, **more: Any
) -> list[Registered]:
    """Every registration of Velero alone. `more`: fields of VeleroArgs, `ours`, `ca_pem`, and
    `canary` as the drills are told of it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answers = _Answers()
    monitor = recorder._Monitor(answers)
    runtime.reset_options()
    mocks.set_mocks(answers, "backstop", "dev", preview=preview, monitor=monitor)

    @pulumi.runtime.test
    def run() -> None:
        Velero("velero", _arguments(settings or velero_settings(profile="demo"), dict(more)))

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
