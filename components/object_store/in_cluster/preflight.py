"""What must hold in the cluster before a store is put there: one sentence for each fault."""

from components.cluster import SeenCluster
from components.object_store import advisories
from components.object_store.in_cluster import objects, shared_fate
from components.settings import InClusterStore
from kube.facts import ClusterFacts

_KEY = "config backstop:objectStore"


def provisioner(store: InClusterStore, facts: ClusterFacts) -> str | None:
    """What makes the volumes of the store's class; None without a class or where it is unknown."""
    for found in facts.storage_classes:
        if found.name == store.storage.class_name:
            return found.provisioner
    return None


def findings(site: str, store: InClusterStore, profile: str, seen: SeenCluster) -> list[str]:
    """Every reason not to begin. `profile`: Velero's, "none" without one."""
    behind = provisioner(store, seen.facts)
    found = shared_fate.findings(site, store, profile, behind)
    name = store.storage.class_name
    if name is not None and behind is None:
        there = ", ".join(sorted(one.name for one in seen.facts.storage_classes)) or "none"
        found.append(
            f"{_KEY}.storage.class: the cluster has no class {name} (there: {there}); correct it"
        )
    if store.namespace in seen.facts.namespaces and not _ours(seen, "Namespace", store.namespace):
        found.append(
            f"{_KEY}.namespace: {store.namespace} exists and does not bear this site's mark: "
            f"choose another, or, if it is this site's, `kubectl label namespace {store.namespace} "
            f"backstop-site={site}`"
        )
    return found + _leftovers(store, seen)


def _ours(seen: SeenCluster, kind: str, name: str, namespace: str = "") -> bool:
    return (kind, namespace, name) in seen.facts.ours


def _leftovers(store: InClusterStore, seen: SeenCluster) -> list[str]:
    """A server of this site that the state knows nothing of: its credential went with a state."""
    recorded = {name for kind, name in seen.recorded.resources if kind.startswith("kubernetes:")}
    parts = {
        "store-server": ("StatefulSet", store.name),
        "store-root": ("Secret", objects.secret_name(store, objects.ROOT_SECRET)),
        "store-tls": ("Secret", objects.secret_name(store, objects.TLS_SECRET)),
        "store-service": ("Service", store.name),
    }
    left = [
        f"{kind.lower()}/{name}"
        for resource, (kind, name) in parts.items()
        if resource not in recorded and _ours(seen, kind, name, store.namespace)
    ]
    if not left:
        return []
    return [
        f"{_KEY}: {', '.join(left)} of namespace {store.namespace} are this site's and not in this "
        f"stack's state, and cannot be taken over without their credential: "
        f"`kubectl -n {store.namespace} delete "
        f"{' '.join(left)}` and run `up` again; the volume and all that is on it stay"
    ]


def warnings(site: str, store: InClusterStore, seen: SeenCluster) -> list[str]:
    """What every run says of such a store."""
    image = objects.image(store)
    known = advisories.warning(image.rpartition(":")[2], "objectStore.network", "objectStore.image")
    shared = shared_fate.warning(site, store, provisioner(store, seen.facts))
    return [shared, *([known] if known else [])]
