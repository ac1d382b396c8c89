"""The edge of the program: reads config and hosts, refuses in sentences, then builds the site."""

import datetime
import time
from typing import Any

import pulumi

from components import cluster as cluster_component
from components import host_facts
from components import snapshots as snapshot_support
from components.canary import plan as canary_plan
from components.longhorn import node_preflight, own_store
from components.longhorn import preflight as longhorn_preflight
from components.object_store import existing, host, preflight
from components.object_store.access import client_accesses, policy_name
from components.object_store.addresses import store_addresses
from components.object_store.buckets import declared_buckets, unknown_to
from components.object_store.in_cluster import preflight as store_in_cluster
from components.object_store.in_cluster import sight as store_in_cluster_sight
from components.object_store.sighting import Sighting
from components.recorded import own_state
from components.settings import (
    NAMESPACE,
    SECRET_KEYS,
    ExistingStore,
    HostsStore,
    InClusterStore,
    Settings,
    SettingsError,
    load,
)
from components.settings.longhorn import Longhorn, all_places
from components.site import Observed, build
from components.velero import preflight as velero_preflight
from kube import client
from s3.errors import StoreError

_OBJECT_KEYS = (
    "hosts",
    "objectStore",
    "clients",
    "drills",
    "cluster",
    "snapshots",
    "velero",
    "longhorn",
    "canary",
)


def _raw_config() -> tuple[dict[str, Any], frozenset[str]]:
    """Config values of our namespace, and which of the secret keys the stack keeps encrypted."""
    config = pulumi.Config(NAMESPACE)
    prefix = f"{NAMESPACE}:"
    from pulumi.runtime.config import CONFIG  # noqa: PLC0415  (the SDK lists keys nowhere else)

    keys = [key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix)]
    raw: dict[str, Any] = {}
    for key in keys:
        raw[key] = config.get_object(key) if key in _OBJECT_KEYS else config.get(key)
    secret = frozenset(key for key in SECRET_KEYS if pulumi.runtime.is_config_secret(prefix + key))
    return raw, secret


def observe(settings: Settings) -> Observed:
    """Looks at hosts, store and cluster, and refuses to begin where the preflight finds a fault.

    Raises:
        pulumi.RunError: one sentence per fault, nothing was changed.
    """
    store = settings.object_store
    faults: list[str] = []
    facts: dict[str, host_facts.HostFacts] = {}
    if isinstance(store, HostsStore):
        hosts = {name: settings.hosts[name] for name in store.hosts}
        facts, faults = host_facts.gather(
            hosts,
            host_facts.ssh_runner(settings.ssh_private_key.get_secret_value()),
            ports=(store.api_port, store.console_port),
            paths=preflight.mount_points(store),
        )
        faults += preflight.findings(store, facts, time.time())
    recorded = own_state()
    seen = None
    if settings.cluster is not None:
        seen, found = cluster_component.look(settings, settings.cluster, recorded)
        faults += found
    sighting = _sight(settings, facts, seen)
    faults += sighting.faults
    if isinstance(store, InClusterStore) and seen is not None:
        profile = settings.velero.profile if settings.velero else "none"
        faults += store_in_cluster.findings(settings.site, store, profile, seen)
    snapshots = None
    if settings.snapshots is not None and seen is not None:
        snapshots, found = snapshot_support.decide(settings.site, settings.snapshots, seen)
        faults += found
    if settings.velero is not None and seen is not None:
        bucket = next(one.name for one in declared_buckets(settings) if one.role == "velero")
        faults += velero_preflight.findings(
            settings.velero,
            settings.site,
            seen.facts,
            bucket=bucket,
            in_bucket=sighting.in_velero,
            classes=settings.snapshots is not None,
            installs_crds=bool(snapshots and snapshots.crds),
            makes=[settings.canary.namespace] if settings.canary else [],
        )
    if settings.longhorn is not None and seen is not None:
        bucket = next(one.name for one in declared_buckets(settings) if one.role == "longhorn")
        places = all_places(settings.longhorn, settings.site, bucket, store.region)
        faults += longhorn_preflight.findings(
            settings.longhorn,
            settings.site,
            seen.facts,
            seen.recorded.resources,
            places,
        )
        faults += own_store.findings(settings.longhorn, places, store_addresses(settings))
        faults += longhorn_preflight.store_findings(store, seen.facts)
        faults += _nodes_of_longhorn(settings, settings.longhorn, seen)
    if settings.canary is not None and seen is not None:
        faults += canary_plan.findings(settings.canary, seen.facts)
    if faults:
        raise pulumi.RunError("preflight, nothing was changed:\n  " + "\n  ".join(faults))
    today = datetime.datetime.now(datetime.UTC).date()
    buckets = unknown_to(recorded.resources, declared_buckets(settings), sighting.buckets)
    return Observed(facts, today, host_facts.new_nonce(), buckets, seen, snapshots)


def _nodes_of_longhorn(
    settings: Settings, longhorn: Longhorn, seen: cluster_component.SeenCluster
) -> list[str]:
    """Reasons not to begin on the nodes; what is only said, is said."""
    ready = node_preflight.look(
        settings,
        longhorn,
        seen.facts.longhorn,
        client=client.connect(seen.kubeconfig),
        run=_on_nodes(settings, longhorn),
        now=time.time(),
    )
    for warning in ready.warnings:
        pulumi.log.warn(warning)
    for note in ready.notes:
        pulumi.log.info(note)
    return list(ready.refusals)


def _on_nodes(settings: Settings, longhorn: Longhorn) -> node_preflight.Run:
    """How a node is asked; a site that names none loads no SSH for it."""
    if not longhorn.nodes:
        return lambda name, _host, _text: name
    return host_facts.ssh_runner(settings.ssh_private_key.get_secret_value())


def _sight(
    settings: Settings,
    facts: dict[str, host_facts.HostFacts],
    seen: cluster_component.SeenCluster | None,
) -> Sighting:
    """What the store holds of the site already; nothing where no store runs yet."""
    store, buckets = settings.object_store, declared_buckets(settings)
    accesses = client_accesses(settings, {})
    policies = [policy_name(settings.site, access) for access in accesses]
    if isinstance(store, ExistingStore):
        return existing.sight(settings, store, buckets, policies)
    try:
        if isinstance(store, InClusterStore):
            if seen is None:
                return Sighting()
            return store_in_cluster_sight.sight(settings, store, seen, buckets, policies)
        return host.sight(settings, store, facts, buckets, policies)
    except StoreError as error:
        # An update puts a broken server right, so this must not stop it.
        pulumi.log.warn(
            f"what the store holds cannot be told ({error}): if a bucket turns out to exist, run "
            "the update again and it is taken over"
        )
        return Sighting()


def main() -> None:
    """The whole program."""
    raw, secret = _raw_config()
    try:
        settings = load(raw, secret_keys=secret)
        build(settings, observe(settings))
    except SettingsError as error:
        raise pulumi.RunError("the config is refused:\n  " + "\n  ".join(error.faults)) from None
