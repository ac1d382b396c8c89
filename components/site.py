"""One site, wired in the order data flows: store, buckets, access, drills, outputs."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.canary.component import Canary, CanaryArgs
from components.canary.reach import reach
from components.cluster import Cluster, ClusterArgs, SeenCluster
from components.cluster import warnings as node_warnings
from components.drills import (
    Drill,
    DrilledVelero,
    FirstBackup,
    KubeObjectsDrill,
    KubeObjectsDrillArgs,
    LonghornDrill,
    LonghornDrillArgs,
    StoreDrill,
    StoreDrillArgs,
    VeleroSite,
    VolumesDrill,
    VolumesDrillArgs,
)
from components.drills.digests import digests_order
from components.host_facts import HostFacts, drift_findings
from components.longhorn import preflight as longhorn_preflight
from components.longhorn.bindings import bindings
from components.longhorn.component import Longhorn, LonghornArgs
from components.longhorn.own_store import in_own_store
from components.longhorn.places import Place
from components.object_store import advisories
from components.object_store.access import (
    ClientAccess,
    Folder,
    StoreAccess,
    StoreAccessArgs,
    client_accesses,
    policy_name,
    policy_text,
)
from components.object_store.addresses import store_addresses
from components.object_store.buckets import StoreBuckets, StoreBucketsArgs, declared_buckets
from components.object_store.endpoint import StoreEndpoint, provider
from components.object_store.existing import existing_endpoint
from components.object_store.host import HostedStore, HostedStoreArgs
from components.object_store.in_cluster import (
    ClusterStore,
    ClusterStoreArgs,
    objects,
    preflight,
)
from components.object_store.retire import RetiredUsersArgs, retire_users
from components.settings import HostsStore, InClusterStore, Settings
from components.settings.drills import kube_objects_of, volumes_of
from components.settings.longhorn_drill import longhorn_drill_of
from components.settings.longhorn_targets import credentials as foreign_credentials
from components.snapshots import SnapshotPlan, SnapshotSupport, SnapshotSupportArgs, warnings
from components.velero.component import Velero, VeleroArgs


@dataclass
class Observed:
    """What this run saw before it began: hosts, the day, and a value no earlier run used.

    `buckets`: those of the site that the store has and the state does not. `cluster`: None for one
    without a cluster. `snapshots`: what is installed for them, if anything.
    """

    facts: Mapping[str, HostFacts]
    today: datetime.date
    nonce: str
    buckets: frozenset[str] = frozenset()
    cluster: SeenCluster | None = None
    snapshots: SnapshotPlan | None = None


def _store(
    settings: Settings, observed: Observed, cluster: Cluster | None
) -> tuple[StoreEndpoint, pulumi.Output[str], object]:
    """The endpoint, the escrow of its CA, and what its server is, for the drill's trigger."""
    store = settings.object_store
    if isinstance(store, InClusterStore):
        return _store_in_cluster(settings.site, store, observed, cluster)
    if not isinstance(store, HostsStore):
        described = store.model_dump(mode="json")
        return existing_endpoint(settings, store), pulumi.Output.from_input(""), described
    for finding in drift_findings(observed.facts):
        pulumi.log.warn(finding)
    for warning in (advisories.warning(store.binary.version), _escrow_warning(settings, store)):
        if warning:
            pulumi.log.warn(warning)
    hosted = HostedStore(
        "object-store", HostedStoreArgs(settings, store, observed.facts, observed.nonce)
    )
    return hosted.endpoint, hosted.escrow, hosted.applied


def _store_in_cluster(
    site: str, store: InClusterStore, observed: Observed, cluster: Cluster | None
) -> tuple[StoreEndpoint, pulumi.Output[str], object]:
    if cluster is None or observed.cluster is None:
        raise ValueError("a store in the cluster without a cluster; the settings refuse that")
    for warning in preflight.warnings(site, store, observed.cluster):
        pulumi.log.warn(warning)
    made = ClusterStore(
        "object-store",
        ClusterStoreArgs(site, store, cluster, observed.cluster.kubeconfig, observed.today),
    )
    # No escrow: another CA serves as well, and whoever trusts it is given it by the same run.
    return made.endpoint, pulumi.Output.from_input(""), objects.objects(site, store)


def _escrow_warning(settings: Settings, store: HostsStore) -> str | None:
    if store.certificate.ca_home == "file" or settings.escrow_passphrase.get_secret_value():
        return None
    return (
        "config backstop:escrowPassphrase is empty: the CA's key has no copy outside "
        f"{store.hosts[0]}; set it with `pulumi config set --secret escrowPassphrase`"
    )


def _cluster(settings: Settings, observed: Observed) -> Cluster | None:
    """The cluster; None for a site without one."""
    if observed.cluster is None:
        return None
    for warning in node_warnings(observed.cluster.facts):
        pulumi.log.warn(warning)
    cluster = Cluster("cluster", ClusterArgs(settings.site, observed.cluster))
    pulumi.export("clusterUid", cluster.uid)
    return cluster


def _snapshots(
    settings: Settings,
    observed: Observed,
    *,
    cluster: Cluster | None,
    longhorn: Longhorn | None,
) -> list[pulumi.Resource]:
    """What a backup with snapshots waits for."""
    if cluster is None or observed.cluster is None:
        return []
    if settings.snapshots is None or observed.snapshots is None:
        return []
    for warning in warnings(settings.snapshots, observed.cluster.facts):
        pulumi.log.warn(warning)
    args = SnapshotSupportArgs(
        settings.site,
        settings.snapshots,
        observed.snapshots,
        cluster,
        into_store=longhorn.available if longhorn else (),
    )
    return SnapshotSupport("snapshots", args).ready


def _longhorn(
    settings: Settings,
    observed: Observed,
    *,
    cluster: Cluster | None,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
    after: Sequence[pulumi.Resource],
) -> Longhorn | None:
    """Longhorn's backups, if the site has them: what consumes the store's client longhorn."""
    if settings.longhorn is None or cluster is None or observed.cluster is None:
        return None
    facts, recorded = observed.cluster.facts, observed.cluster.recorded.resources
    for warning in longhorn_preflight.warnings(settings.longhorn, facts, recorded):
        pulumi.log.warn(warning)
    longhorn = Longhorn(
        "longhorn",
        LonghornArgs(
            site=settings.site,
            settings=settings.longhorn,
            cluster=cluster,
            kubeconfig=observed.cluster.kubeconfig,
            cluster_uid=facts.uid,
            endpoint=endpoint,
            client=clients["longhorn"],
            credential=access.credentials["longhorn"],
            bindings=bindings(settings.longhorn, facts.longhorn, recorded),
            foreign=foreign_credentials(settings.longhorn_credentials),
            after=after,
        ),
    )
    pulumi.export("longhornTarget", longhorn.url)
    return longhorn


def _canary(
    settings: Settings,
    *,
    cluster: Cluster | None,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
    after: Sequence[pulumi.Resource],
) -> Canary | None:
    """The workload whose data is known, if the site has one."""
    if settings.canary is None or cluster is None:
        return None
    return Canary(
        "canary",
        CanaryArgs(
            site=settings.site,
            settings=settings.canary,
            cluster=cluster,
            endpoint=endpoint,
            client=clients["truth"],
            credential=access.credentials["truth"],
            way=reach(settings),
            after=after,
        ),
    )


def _velero(
    settings: Settings,
    observed: Observed,
    *,
    canary: Canary | None,
    cluster: Cluster | None,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
    after: Sequence[pulumi.Resource],
) -> Velero | None:
    """Velero in the cluster, if the site has one: what consumes the store's client velero."""
    of = _velero_site(settings, observed, endpoint=endpoint, access=access, clients=clients)
    if of is None or cluster is None:
        return None
    velero = Velero(
        "velero",
        VeleroArgs(
            site=settings.site,
            settings=of.velero,
            cluster=cluster,
            kubeconfig=of.kubeconfig,
            endpoint=endpoint,
            client=clients["velero"],
            credential=access.credentials["velero"],
            evidence_bucket=clients["evidence"].bucket,
            escrow_passphrase=settings.escrow_passphrase.get_secret_value(),
            csi=of.velero.snapshots_volumes(classes=settings.snapshots is not None),
            first=FirstBackup(of, _digests(settings), canary.wire if canary else None),
            after=after,
        ),
    )
    pulumi.export("firstBackup", velero.first_backup)
    return velero


def _velero_site(
    settings: Settings,
    observed: Observed,
    *,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
) -> VeleroSite | None:
    """None for a site without Velero."""
    if settings.velero is None or observed.cluster is None:
        return None
    return VeleroSite(
        site=settings.site,
        endpoint=endpoint,
        clients=clients,
        credentials=access.credentials,
        kubeconfig=observed.cluster.kubeconfig,
        cluster_uid=observed.cluster.facts.uid,
        velero=settings.velero,
    )


def _digests(settings: Settings) -> dict[str, Any] | None:
    """The volumes that are read around a backup; None for none."""
    canary = settings.canary is not None
    return digests_order(
        settings.drills, volumes_of(settings.drills, settings.velero, canary=canary)
    )


def _backup_drills(
    settings: Settings,
    observed: Observed,
    *,
    velero: Velero | None,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
    canary: Mapping[str, Any] | None = None,
) -> list[Drill]:
    """The drills of Velero's backups, one after the other: two at once would refuse each other."""
    of = _velero_site(settings, observed, endpoint=endpoint, access=access, clients=clients)
    if of is None or velero is None:
        return []
    # Chart, images and their versions stand in Velero's settings, defaults included.
    proven = (of.velero, settings.snapshots, settings.canary)
    drilled = DrilledVelero(
        of,
        drills=settings.drills,
        first_backup=velero.first_backup,
        proves=[one and one.model_dump(mode="json") for one in proven],
        today=observed.today,
        after=[velero],
    )
    found: list[Drill] = []
    objects = kube_objects_of(settings.drills, of.velero)
    if objects is not None:
        args = KubeObjectsDrillArgs(drilled, objects, _digests(settings))
        found.append(KubeObjectsDrill("kube-objects-drill", args))
    volumes = volumes_of(settings.drills, of.velero, canary=settings.canary is not None)
    if volumes is not None:
        found.append(
            VolumesDrill("volumes-drill", VolumesDrillArgs(drilled, volumes, canary, tuple(found)))
        )
    return found


def _beside(settings: Settings) -> Mapping[str, Place]:
    """Longhorn's targets in buckets of this store that are not the site's, if they are drilled."""
    drill = longhorn_drill_of(settings.drills.longhorn, settings.longhorn)
    if settings.longhorn is None or drill is None:
        return {}
    return in_own_store(settings.longhorn, store_addresses(settings))


def _longhorn_drills(
    settings: Settings,
    observed: Observed,
    *,
    longhorn: Longhorn | None,
    first_backups: pulumi.Output[str] | None,
    endpoint: StoreEndpoint,
    access: StoreAccess,
    clients: Mapping[str, ClientAccess],
    canary: Mapping[str, Any] | None,
    beside: Mapping[str, Place],
) -> list[Drill]:
    """The drill of Longhorn's own backups, if the site has them."""
    drill = longhorn_drill_of(settings.drills.longhorn, settings.longhorn)
    if settings.longhorn is None or longhorn is None or observed.cluster is None or drill is None:
        return []
    proven = (settings.longhorn, settings.canary)
    args = LonghornDrillArgs(
        site=settings.site,
        endpoint=endpoint,
        clients=clients,
        credentials=access.credentials,
        kubeconfig=observed.cluster.kubeconfig,
        cluster_uid=observed.cluster.facts.uid,
        longhorn=settings.longhorn,
        drills=settings.drills,
        settings=drill,
        first_backups=first_backups,
        canary=canary,
        proves=[one and one.model_dump(mode="json") for one in proven],
        today=observed.today,
        after=[longhorn],
        beside=beside,
    )
    return [LonghornDrill("longhorn-drill", args)]


def build(settings: Settings, observed: Observed) -> None:
    """Registers every resource of the site and the stack's outputs."""
    buckets = declared_buckets(settings)
    names = [bucket.name for bucket in buckets]
    accesses = client_accesses(settings, {bucket.role: bucket.name for bucket in buckets})
    cluster = _cluster(settings, observed)
    endpoint, escrow, server = _store(settings, observed, cluster)
    on_store = provider(endpoint, pulumi.ResourceOptions())
    kept = StoreBuckets(
        "buckets",
        StoreBucketsArgs(settings.site, buckets, endpoint, on_store, observed.buckets),
    )
    beside = _beside(settings)
    folders = [Folder(one.bucket, one.prefix) for one in beside.values()]
    access = StoreAccess(
        "access", StoreAccessArgs(settings.site, accesses, names, on_store, folders)
    )
    policies = {one.name: policy_text(settings.site, one, names, folders) for one in accesses}
    settled = [
        *kept.settled.values(),
        *(resource for attached in access.attached.values() for resource in attached),
    ]
    drill = StoreDrill(
        "store-drill",
        StoreDrillArgs(
            site=settings.site,
            endpoint=endpoint,
            accesses=accesses,
            buckets=buckets,
            credentials=access.credentials,
            settings=settings.drills,
            # The server as deployed on each host, and every right on it.
            proves=[server, policies, settings.clients.model_dump(mode="json")],
            today=observed.today,
            after=settled,
        ),
    )
    clients = {one.name: one for one in accesses}
    longhorn = _longhorn(
        settings,
        observed,
        cluster=cluster,
        endpoint=endpoint,
        access=access,
        clients=clients,
        after=settled,
    )
    snapshots = _snapshots(settings, observed, cluster=cluster, longhorn=longhorn)
    canary = _canary(
        settings,
        cluster=cluster,
        endpoint=endpoint,
        access=access,
        clients=clients,
        after=[*settled, *snapshots],
    )
    first_backups = None
    if longhorn is not None:
        first_backups = (
            longhorn.first_backups(canary.ready, canary.claims)
            if canary
            else longhorn.first_backups([])
        )
        pulumi.export("longhornFirstBackup", first_backups)
    velero = _velero(
        settings,
        observed,
        canary=canary,
        cluster=cluster,
        endpoint=endpoint,
        access=access,
        clients=clients,
        # The first backup is to hold what the canary wrote.
        after=[*settled, *snapshots, *(canary.ready if canary else [])],
    )
    drills: list[Drill] = [
        drill,
        *_backup_drills(
            settings,
            observed,
            velero=velero,
            canary=canary.wire if canary else None,
            endpoint=endpoint,
            access=access,
            clients=clients,
        ),
        *_longhorn_drills(
            settings,
            observed,
            longhorn=longhorn,
            first_backups=first_backups,
            endpoint=endpoint,
            access=access,
            clients=clients,
            canary=canary.wire if canary else None,
            beside=beside,
        ),
    ]
    retire_users(
        RetiredUsersArgs(
            site=settings.site,
            endpoint=endpoint,
            policies=[policy_name(settings.site, one) for one in accesses],
            live=access.live,
            # Until what is drilled here has passed, a user that has a successor is still there.
            after=[*drills, *([velero] if velero else []), *(longhorn.ready if longhorn else [])],
        )
    )
    pulumi.export("site", settings.site)
    pulumi.export("storeEndpoint", endpoint.url)
    pulumi.export("storeRegion", endpoint.region)
    pulumi.export("storeCaPem", endpoint.ca_pem)
    pulumi.export("storeRootUser", pulumi.Output.secret(endpoint.root_user))
    pulumi.export("storeRootPassword", pulumi.Output.secret(endpoint.root_password))
    pulumi.export("credentials", pulumi.Output.secret(pulumi.Output.all(**access.credentials)))
    pulumi.export("escrow", pulumi.Output.secret(escrow))
    pulumi.export("drills", {one.layer: one.verdict for one in drills})
    payloads = {one.layer: one.payload for one in drills}
    pulumi.export("drillPayloads", pulumi.Output.secret(pulumi.Output.all(**payloads)))
