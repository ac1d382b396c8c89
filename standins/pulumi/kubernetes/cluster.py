"""The cluster of one configured provider: connection and discovery, made at the first question."""

import threading

from standins.pulumi.kubernetes.connection import (
    APPLY,
    JSON_PATCH,
    ApiError,
    Connection,
    UnreachableError,
)
from standins.pulumi.kubernetes.kinds import Discovery, Kind, NoKindError, Place
from standins.pulumi.kubernetes.kubeconfig import KubeconfigError, endpoint
from standins.pulumi.kubernetes.settings import Settings
from standins.pulumi.kubernetes.values import Props, Value, mapping, objects, text
from standins.pulumi.plugin import PluginError

_DRY = {"dryRun": "All"}


class Cluster:
    """Questions to one API server. Raises ApiError, NoKindError and UnreachableError."""

    def __init__(self, settings: Settings) -> None:
        if not settings.kubeconfig:
            raise PluginError(settings.kubeconfig_problem)
        try:
            where = endpoint(
                settings.kubeconfig, settings.context, settings.cluster, settings.namespace
            )
            self.connection = Connection(where, settings.client_timeout)
        except KubeconfigError as error:
            raise PluginError(str(error)) from error
        self.discovery = Discovery(self.connection)

    @property
    def default_namespace(self) -> str:
        return self.connection.namespace

    def get(self, place: Place, namespace: str, name: str) -> Props:
        return self.connection.get(place.object(namespace, name))

    def find(self, place: Place, namespace: str, name: str) -> Props | None:
        """The object, None if there is none."""
        try:
            return self.get(place, namespace, name)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def create(
        self, place: Place, namespace: str, wanted: Props, manager: str, *, dry: bool
    ) -> tuple[Props, list[str]]:
        query = {"fieldManager": manager, "fieldValidation": "Warn", **(_DRY if dry else {})}
        return self.connection.request(
            "POST", place.collection(namespace), query=query, body=wanted
        )

    def apply(
        self, place: Place, namespace: str, wanted: Props, manager: str, *, force: bool, dry: bool
    ) -> tuple[Props, list[str]]:
        """Server-side apply of an object that has a name."""
        query = {
            "fieldManager": manager,
            "force": "true" if force else "false",
            **(_DRY if dry else {}),
        }
        path = place.object(namespace, text(wanted, "metadata", "name"))
        return self.connection.request("PATCH", path, query=query, body=wanted, content_type=APPLY)

    def replace(
        self, place: Place, wanted: Props, manager: str, *, dry: bool
    ) -> tuple[Props, list[str]]:
        query = {"fieldManager": manager, "fieldValidation": "Warn", **(_DRY if dry else {})}
        path = place.object("", text(wanted, "metadata", "name"))
        return self.connection.request("PUT", path, query=query, body=wanted)

    def patch(self, place: Place, namespace: str, name: str, patch: list[Value]) -> Props:
        """A JSON patch."""
        path = place.object(namespace, name)
        return self.connection.request("PATCH", path, body=patch, content_type=JSON_PATCH)[0]

    def delete(self, place: Place, namespace: str, name: str, propagation: str) -> None:
        options = {"propagationPolicy": propagation, "kind": "DeleteOptions", "apiVersion": "v1"}
        self.connection.request("DELETE", place.object(namespace, name), body=options)


class Surroundings:
    """What is asked about other objects while one is waited for; nothing found is no answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._modes: dict[str, str] = {}

    def replica_sets(self, live: Props) -> list[Props]:
        path = f"/apis/apps/v1/namespaces/{_namespace(live)}/replicasets"
        return _owned(self._list(path, selector_of(live)), live)

    def pods(self, live: Props) -> list[Props]:
        selector = selector_of(live)
        path = f"/api/v1/namespaces/{_namespace(live)}/pods"
        return self._list(path, selector) if selector else []

    def endpoints(self, live: Props) -> Props | None:
        name = text(live, "metadata", "name")
        return self._get(f"/api/v1/namespaces/{_namespace(live)}/endpoints/{name}")

    def binding_mode(self, storage_class: str) -> str:
        if storage_class not in self._modes:
            found = self._get(f"/apis/storage.k8s.io/v1/storageclasses/{storage_class}")
            self._modes[storage_class] = text(found, "volumeBindingMode")
        return self._modes[storage_class]

    def last_warning(self, live: Props) -> str:
        """The newest Warning event about an object, "" if there is none."""
        namespace = _namespace(live) or "default"
        uid = text(live, "metadata", "uid")
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
        events = self._list(f"/api/v1/namespaces/{namespace}/events", query=query)
        newest = sorted(events, key=lambda one: text(one, "metadata", "creationTimestamp"))
        if not newest:
            return ""
        return f"{text(newest[-1], 'reason')}: {text(newest[-1], 'message')}"

    def _get(self, path: str) -> Props | None:
        try:
            return self._connection.get(path)
        except (ApiError, UnreachableError):
            return None

    def _list(
        self, path: str, selector: str = "", query: dict[str, str] | None = None
    ) -> list[Props]:
        try:
            asked = query or ({"labelSelector": selector} if selector else {})
            return objects(self._connection.get(path, asked), "items")
        except (ApiError, UnreachableError):
            return []


class Clusters:
    """Makes the cluster of the settings once, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[Settings, Cluster] | None = None

    def of(self, settings: Settings) -> Cluster:
        with self._lock:
            if self._made is None or self._made[0] is not settings:
                self._made = (settings, Cluster(settings))
            return self._made[1]


def selector_of(live: Props) -> str:
    """The pods of a workload, as a label selector; "" for what has none."""
    labels = mapping(live, "spec", "selector", "matchLabels")
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def is_same(one: Props, other: Props) -> bool:
    """Whether two answers are about one object, not about one made anew under its name."""
    return text(one, "metadata", "uid") == text(other, "metadata", "uid")


def place_or_none(cluster: Cluster, kind: Kind) -> Place | None:
    try:
        return cluster.discovery.place(kind)
    except NoKindError:
        return None


def _owned(found: list[Props], owner: Props) -> list[Props]:
    uid = text(owner, "metadata", "uid")
    return [
        one
        for one in found
        if any(text(ref, "uid") == uid for ref in objects(one, "metadata", "ownerReferences"))
    ]


def _namespace(live: Props) -> str:
    return text(live, "metadata", "namespace")
