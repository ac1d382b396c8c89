"""The objects of a store in the cluster, as plain data; what is secret is put in elsewhere."""

from typing import Any

from components import versions
from components.settings import InClusterStore, is_address
from kube import marks

Manifest = dict[str, Any]

CERTIFICATES = "/certs"
DATA = "/data"
ROOT_SECRET = "root"  # noqa: S105  (parts of objects' names, no secrets)
TLS_SECRET = "tls"  # noqa: S105
ROOT_DIGEST = "backstop/root-credential"
# A server that starts reads its whole format and IAM first; a slow disk may take minutes.
START_SECONDS = 300
START_PROBE_SECONDS = 2
PROBE_SECONDS = 10
# Long enough for uploads in flight; the server ends by itself before that.
STOP_SECONDS = 120
READ_BY_GROUP = 0o440


def image(store: InClusterStore) -> str:
    """The server's image: the configured one, else the pinned version's tag."""
    return store.image or f"docker.io/minio/minio:{versions.tool('minio')}"


def claim_name(store: InClusterStore) -> str:
    return f"{store.name}-data"


def secret_name(store: InClusterStore, part: str) -> str:
    return f"{store.name}-{part}"


def volume_name(store: InClusterStore) -> str:
    """Volumes have no namespace, so the name bears the store's."""
    return f"{store.namespace}-{store.name}"


def service_names(store: InClusterStore) -> list[str]:
    """What pods may call the store, the shortest first."""
    inside = f"{store.name}.{store.namespace}"
    return [store.name, inside, f"{inside}.svc", f"{inside}.svc.{store.cluster_domain}"]


def outside_url(store: InClusterStore) -> str:
    address = store.outside.address
    host = f"[{address}]" if is_address(address) and ":" in address else address
    return f"https://{host}:{store.outside.node_port}"


def inside_url(store: InClusterStore) -> str:
    """The store's URL for pods: the name that every DNS search path resolves."""
    return f"https://{service_names(store)[2]}:{store.api_port}"


def client_names(store: InClusterStore) -> list[str]:
    """Every name and address by which clients call the store, each once."""
    names = [store.outside.address, *store.certificate.names, *service_names(store)]
    return list(dict.fromkeys(names))


def certified_names(store: InClusterStore) -> list[str]:
    return list(dict.fromkeys([*client_names(store), "localhost", "127.0.0.1"]))


def labels(site: str, store: InClusterStore) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "minio",
        "app.kubernetes.io/instance": store.name,
        "app.kubernetes.io/part-of": "backstop",
        **marks.labels(site),
        # A backup of the store inside the store would grow with every backup.
        "velero.io/exclude-from-backup": "true",
    }


def selector(store: InClusterStore) -> dict[str, str]:
    """What the pod is found by. It can never be changed, so it holds only what never changes."""
    return {"app.kubernetes.io/name": "minio", "app.kubernetes.io/instance": store.name}


def _object(site: str, store: InClusterStore, api_version: str, kind: str, name: str) -> Manifest:
    # What somebody edited by hand belongs to them, as the server sees it; `up` takes it back.
    forced = {"pulumi.com/patchForce": "true"}
    metadata: Manifest = {"name": name, "labels": labels(site, store), "annotations": forced}
    if kind not in ("Namespace", "PersistentVolume"):
        metadata["namespace"] = store.namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def namespace(site: str, store: InClusterStore) -> Manifest:
    """A namespace in which the cluster refuses every pod that asks for more than the store does."""
    restricted = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    found = _object(site, store, "v1", "Namespace", store.namespace)
    found["metadata"]["labels"].update(restricted)
    return found


def volume(site: str, store: InClusterStore) -> Manifest | None:
    """The PersistentVolume of a store given by source; None for one given by class.

    It is kept whatever happens to its claim, and only the store's claim may have it: the claim is
    named without its uid, which no one knows before and which a new claim would not have.
    """
    storage = store.storage
    if storage.volume is None:
        return None
    spec: Manifest = {
        "capacity": {"storage": storage.size},
        "accessModes": [storage.access_mode],
        "volumeMode": "Filesystem",
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": store.namespace,
            "name": claim_name(store),
        },
        **storage.volume,
    }
    if storage.node_affinity:
        spec["nodeAffinity"] = storage.node_affinity
    if storage.mount_options:
        spec["mountOptions"] = list(storage.mount_options)
    return {**_object(site, store, "v1", "PersistentVolume", volume_name(store)), "spec": spec}


def claim(site: str, store: InClusterStore) -> Manifest:
    """The claim; the program waits for its volume itself, see `kube.claim`."""
    storage = store.storage
    spec: Manifest = {
        "accessModes": [storage.access_mode],
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": storage.size}},
        # "" and not left out: the default class would make a volume of its own.
        "storageClassName": storage.class_name or "",
    }
    if storage.volume is not None:
        spec["volumeName"] = volume_name(store)
    found = _object(site, store, "v1", "PersistentVolumeClaim", claim_name(store))
    found["metadata"]["annotations"]["pulumi.com/skipAwait"] = "true"
    return {**found, "spec": spec}


def network_policy(site: str, store: InClusterStore) -> Manifest | None:
    """Who may reach the server's port; the server itself calls nobody."""
    network = store.network
    if not network.enabled:
        return None
    callers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in network.allow_namespaces
    ]
    outside = [{"ipBlock": {"cidr": cidr}} for cidr in network.allow_from]
    spec = {
        "podSelector": {"matchLabels": selector(store)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [*callers, *outside],
                "ports": [{"protocol": "TCP", "port": store.api_port}],
            }
        ],
        "egress": [],
    }
    return {
        **_object(site, store, "networking.k8s.io/v1", "NetworkPolicy", store.name),
        "spec": spec,
    }


def service(site: str, store: InClusterStore) -> Manifest:
    spec = {
        "type": "NodePort",
        "selector": selector(store),
        "ports": [
            {
                "name": "s3",
                "protocol": "TCP",
                "port": store.api_port,
                "targetPort": store.api_port,
                "nodePort": store.outside.node_port,
            }
        ],
    }
    found = _object(site, store, "v1", "Service", store.name)
    # It would wait for the server's pod; the gate waits for more than that.
    found["metadata"]["annotations"]["pulumi.com/skipAwait"] = "true"
    return {**found, "spec": spec}


def disruption_budget(site: str, store: InClusterStore) -> Manifest:
    """No eviction: a node's drain waits until a person has decided about the store."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": selector(store)}}
    return {**_object(site, store, "policy/v1", "PodDisruptionBudget", store.name), "spec": spec}


def secret(site: str, store: InClusterStore, part: str) -> Manifest:
    """The Secret `part` without its data."""
    kind = "kubernetes.io/tls" if part == TLS_SECRET else "Opaque"
    return {**_object(site, store, "v1", "Secret", secret_name(store, part)), "type": kind}


def _probe(
    store: InClusterStore, path: str, failures: int, period: int = PROBE_SECONDS
) -> Manifest:
    return {
        "httpGet": {"path": f"/minio/health/{path}", "port": store.api_port, "scheme": "HTTPS"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _environment(store: InClusterStore) -> list[Manifest]:
    plain = {
        "MINIO_SITE_REGION": store.region,
        "MINIO_BROWSER": "off",
        "MINIO_API_STALE_UPLOADS_EXPIRY": f"{store.stale_uploads_hours}h",
        # The updater and its notices talk to a host that no longer serves anything.
        "MINIO_UPDATE": "off",
        # The root file system is read-only, and the user has no home.
        "HOME": "/tmp",  # noqa: S108  (the pod's own)
    }
    from_secret = {"MINIO_ROOT_USER": "accessKey", "MINIO_ROOT_PASSWORD": "secretKey"}
    root = secret_name(store, ROOT_SECRET)
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": root, "key": key}}}
            for name, key in from_secret.items()
        ),
    ]


def _container(store: InClusterStore) -> Manifest:
    resources = store.resources
    limits = {"memory": resources.memory_limit}
    if resources.cpu_limit:
        limits["cpu"] = resources.cpu_limit
    return {
        "name": "minio",
        "image": image(store),
        "imagePullPolicy": "IfNotPresent",
        "command": ["minio"],
        "args": [
            "server",
            f"--address=:{store.api_port}",
            f"--certs-dir={CERTIFICATES}",
            DATA if store.storage.folder == "." else f"{DATA}/{store.storage.folder}",
        ],
        "env": _environment(store),
        "ports": [{"name": "s3", "containerPort": store.api_port, "protocol": "TCP"}],
        # `ready` says yes before the server can write, and `live` before it has read its disk:
        # only `cluster` may let clients in.
        "startupProbe": _probe(
            store, "ready", START_SECONDS // START_PROBE_SECONDS, START_PROBE_SECONDS
        ),
        "readinessProbe": _probe(store, "cluster", 2),
        "livenessProbe": _probe(store, "live", 6),
        "resources": {
            "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
            "limits": limits,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            # No subPath: a mounted file would never show a renewed certificate.
            {"name": "certificates", "mountPath": CERTIFICATES, "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108  (the pod's own)
        ],
    }


def _volumes(store: InClusterStore) -> list[Manifest]:
    files = {"tls.crt": "public.crt", "tls.key": "private.key", "ca.crt": "CAs/ca.crt"}
    return [
        {"name": "data", "persistentVolumeClaim": {"claimName": claim_name(store)}},
        {
            "name": "certificates",
            "secret": {
                "secretName": secret_name(store, TLS_SECRET),
                "defaultMode": READ_BY_GROUP,
                "items": [{"key": key, "path": path} for key, path in files.items()],
            },
        },
        {"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}},
    ]


def server(site: str, store: InClusterStore, root_digest: str) -> Manifest:
    """The StatefulSet: never two pods on one volume. `root_digest`: changes with the credential."""
    pod = {
        "metadata": {
            "labels": labels(site, store),
            # The environment is read at the start only, so another credential is another pod.
            "annotations": {ROOT_DIGEST: root_digest},
        },
        "spec": {
            "automountServiceAccountToken": False,
            # A Service called minio sets MINIO_* variables, which the server takes for its own.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": STOP_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": store.user,
                "runAsGroup": store.user,
                "fsGroup": store.user,
                # Without it every start walks over every object of the store.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(store)],
            "volumes": _volumes(store),
        },
    }
    spec = {
        "serviceName": store.name,
        "replicas": 1,
        # In order, a pod that never becomes ready would block the one that repairs it.
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": selector(store)},
        "template": pod,
    }
    return {**_object(site, store, "apps/v1", "StatefulSet", store.name), "spec": spec}


def objects(site: str, store: InClusterStore, root_digest: str = "") -> list[Manifest]:
    """Every object in the order in which it can be created; Secrets without their data."""
    found = [
        namespace(site, store),
        volume(site, store),
        claim(site, store),
        secret(site, store, ROOT_SECRET),
        secret(site, store, TLS_SECRET),
        network_policy(site, store),
        service(site, store),
        server(site, store, root_digest),
        disruption_budget(site, store),
    ]
    return [manifest for manifest in found if manifest is not None]
