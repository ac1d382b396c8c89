"""Types of resources: the token of a program, the kind in the API, where the server keeps it."""

import re
import threading
from dataclasses import dataclass
from urllib.parse import quote

from standins.pulumi.kubernetes import DESCRIPTION
from standins.pulumi.kubernetes.connection import ApiError, Connection
from standins.pulumi.kubernetes.values import Props, objects, text

_TOKEN = re.compile(r"kubernetes:([a-z0-9.-]+)/([a-z0-9]+):([A-Za-z0-9]+)")
_COMPONENTS = ("yaml", "kustomize", "helm.sh", "providers")
# Groups whose objects the official plugin knows the types of; it normalises their inputs.
_KNOWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "auditregistration.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)


class NoKindError(Exception):
    """The API server has no such kind: the CRD is missing, or the version was removed."""


@dataclass(frozen=True)
class Kind:
    """A kind of object. `group` is "" for the core one."""

    group: str
    version: str
    name: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def known(self) -> bool:
        """Whether it is one of Kubernetes' own, not one that a CRD made."""
        return self.group in _KNOWN_GROUPS

    @property
    def is_crd(self) -> bool:
        return self.group == "apiextensions.k8s.io" and self.name == "CustomResourceDefinition"

    @property
    def path(self) -> str:
        """Where the server lists what it keeps of this group and version."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}"


@dataclass(frozen=True)
class Type:
    """What a token names: a kind, or fields of an object of that kind (`...Patch`)."""

    kind: Kind
    patch: bool = False


def parse_token(token: str, kind_of_object: str = "") -> Type:
    """The type of a resource; `kind_of_object` is the `kind` of its inputs, "" if unknown.

    Raises ValueError, one sentence, for a token this plugin does not serve.
    """
    found = _TOKEN.fullmatch(token)
    if found is None or found.group(1) in _COMPONENTS:
        raise ValueError(
            f"{DESCRIPTION}: it has no resource {token}; write its objects as resources of their "
            "own, or install the official plugin with "
            "`pulumi plugin install resource kubernetes 4.34.2`"
        )
    group, version, name = found.groups()
    if name.endswith("List"):
        raise ValueError(f"{token} is a list; declare the objects in it instead")
    # A custom kind may be called SomethingPatch itself.
    is_patch = name.endswith("Patch") and kind_of_object == name.removesuffix("Patch")
    group = "" if group == "core" else group
    return Type(Kind(group, version, name.removesuffix("Patch") if is_patch else name), is_patch)


def kind_of(props: Props) -> Kind:
    """The kind that an object says it is of."""
    group, _, version = text(props, "apiVersion").rpartition("/")
    return Kind("" if group == "core" else group, version, text(props, "kind"))


@dataclass(frozen=True)
class Place:
    """Where the server keeps the objects of a kind."""

    kind: Kind
    plural: str
    namespaced: bool

    def collection(self, namespace: str) -> str:
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{self.kind.path}{inside}/{self.plural}"

    def object(self, namespace: str, name: str) -> str:
        return f"{self.collection(namespace)}/{quote(name, safe='')}"


class Discovery:
    """The kinds that the server has, asked for once. Safe to use from many threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._places: dict[Kind, Place] = {}
        self._lock = threading.Lock()

    def place(self, kind: Kind) -> Place:
        """Raises NoKindError, ApiError and UnreachableError. What is missing is asked for anew."""
        with self._lock:
            if kind not in self._places:
                self._places.update(self._listed(kind))
            if kind not in self._places:
                raise NoKindError(f"the server has no kind {kind.name} in {kind.api_version}")
            return self._places[kind]

    def forget(self, kind: Kind) -> None:
        """A definition changed: ask again about its kind."""
        with self._lock:
            self._places.pop(kind, None)

    def _listed(self, kind: Kind) -> dict[Kind, Place]:
        try:
            found = self._connection.get(kind.path)
        except ApiError as error:
            if error.not_found:
                return {}
            raise
        places = {}
        for entry in objects(found, "resources"):
            plural, name = text(entry, "name"), text(entry, "kind")
            if "/" not in plural:
                one = Kind(kind.group, kind.version, name)
                places[one] = Place(one, plural, entry.get("namespaced") is True)
        return places
