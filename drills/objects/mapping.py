"""Namespaces of the source and of the sandbox, and what a restore rewrites inside objects.

Velero rewrites the namespace an object lies in, and three references (`MAPPED`). It leaves every
other mention of a namespace as it was saved (`NOT_MAPPED`): such a copy still points at the source,
and the comparison expects exactly that.
"""

from collections.abc import Mapping

from drills.objects import paths
from drills.objects.keys import ObjectKey

MAPPED: Mapping[str, tuple[str, ...]] = {
    "rolebindings.rbac.authorization.k8s.io": ("subjects[].namespace",),
    "clusterrolebindings.rbac.authorization.k8s.io": ("subjects[].namespace",),
    "persistentvolumes": ("spec.claimRef.namespace",),
}
"""velero pkg/restore/actions/rolebinding_action.go and clusterrolebinding_action.go Execute,
pkg/restore/restore.go remapClaimRefNS."""

NOT_MAPPED: Mapping[str, str] = {
    "networkpolicies.networking.k8s.io": "peers select namespaces by label",
    "services": "an external name may hold a namespace",
    "validatingwebhookconfigurations.admissionregistration.k8s.io": "the service they call",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": "the service they call",
    "apiservices.apiregistration.k8s.io": "the service they call",
    "persistentvolumeclaims": "a data source of another namespace",
    "*": "names in data, in arguments and in the specs of custom resources",
}
"""Kinds that can name a namespace which no restore action rewrites (pkg/restore/actions)."""

NAMESPACES = "namespaces"


class MappingError(ValueError):
    """A mapping that no restore can follow; the text says why."""


class NamespaceMapping:
    """Source namespaces and where each is restored to.

    Raises:
        MappingError: two sources share a target, or a name is empty.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self.targets = dict(targets)
        self.sources = {target: source for source, target in self.targets.items()}
        if len(self.sources) != len(self.targets):
            raise MappingError("two namespaces cannot be restored into one and be told apart there")
        if "" in self.targets or "" in self.sources:
            raise MappingError("a namespace without a name cannot be mapped")
        self._patterns = {
            resource: tuple(paths.pattern(path) for path in held)
            for resource, held in MAPPED.items()
        }

    def source_of(self, key: ObjectKey) -> ObjectKey | None:
        """The saved object that a restored one comes from, None outside the sandbox."""
        if key.resource == NAMESPACES:
            name = self.sources.get(key.name)
            return None if name is None else key._replace(name=name)
        namespace = self.sources.get(key.namespace)
        return None if namespace is None else key._replace(namespace=namespace)

    def applied(self, resource: str, content: object) -> object:
        """The content of a saved object with the references that Velero rewrites."""
        for pattern in self._patterns.get(resource, ()):
            content = paths.edited(content, pattern, self._target, create=False)
        return content

    def _target(self, namespace: object) -> object:
        if not isinstance(namespace, str):
            return namespace
        return self.targets.get(namespace, namespace)
