"""Which object: its kind as the API names it, its namespace and its name.

The kind is a group-resource, `deployments.apps` or `pods`, as Velero names folders in a tarball and
as the API server names collections: it needs no look-up, where a `kind` needs one.
"""

from typing import NamedTuple

# What the API server accepts (apimachinery, pkg/util/validation/validation.go: DNS1123Subdomain and
# DNS1123Label; pkg/api/validation/path/name.go for names of RBAC objects, which are path segments).
NAME_CHARACTERS = 253
NAMESPACE_CHARACTERS = 63
RESOURCE_CHARACTERS = 253
# A restore first unpacks the whole tarball to a disk, each object into a file NAME.json, and no
# usual file system takes a file name of more than 255 bytes (velero pkg/archive/extractor.go).
UNPACKABLE_NAME_BYTES = 250
_SEGMENT_FORBIDDEN = frozenset("/%")
_DOTS = frozenset({".", ".."})
_PARTS = (2, 3)


class KeyFormatError(ValueError):
    """What should name an object does not; the text says what is wrong with it."""


class ObjectKey(NamedTuple):
    """One object. Sorted by kind, then namespace (cluster-scoped ones first), then name.

    resource: group-resource, `deployments.apps`, and `pods` for the core group.
    namespace: empty for a cluster-scoped object.
    """

    resource: str
    namespace: str
    name: str

    @property
    def plural(self) -> str:
        return self.resource.partition(".")[0]

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.resource.partition(".")[2]

    @property
    def cluster_scoped(self) -> bool:
        return not self.namespace

    @property
    def unpackable(self) -> bool:
        """False for an object that the API server takes, Velero saves, and no restore can unpack.

        One such object, in whatever namespace, and nothing of its backup can be restored.
        """
        return len(self.name.encode()) <= UNPACKABLE_NAME_BYTES

    def __str__(self) -> str:
        """`deployments.apps/shop/web`, `persistentvolumes/pv-1`; `parse` is its inverse."""
        if self.namespace:
            return f"{self.resource}/{self.namespace}/{self.name}"
        return f"{self.resource}/{self.name}"


def key_of(resource: str, namespace: str, name: str) -> ObjectKey:
    """A checked key. Raises KeyFormatError."""
    _checked("kind", resource, RESOURCE_CHARACTERS)
    if namespace:
        _checked("namespace", namespace, NAMESPACE_CHARACTERS)
    _checked("name", name, NAME_CHARACTERS)
    return ObjectKey(resource, namespace, name)


def parse(text: str) -> ObjectKey:
    """The key that `str` wrote. Raises KeyFormatError."""
    parts = text.split("/")
    if len(parts) not in _PARTS:
        raise KeyFormatError(
            f"{shortened(text)!r} names no object: write kind/name or kind/namespace/name"
        )
    if len(parts) == len(_PARTS):
        return key_of(parts[0], "", parts[1])
    if not parts[1]:
        raise KeyFormatError(f"{shortened(text)!r} names no object: its namespace is empty")
    return key_of(parts[0], parts[1], parts[2])


def resource_of(api_version: str, plural: str) -> str:
    """The group-resource of a collection: ("apps/v1", "deployments") is `deployments.apps`."""
    group, slash, _version = api_version.partition("/")
    return f"{plural}.{group}" if slash else plural


def group_of(api_version: str) -> str:
    """The group in an `apiVersion`, empty for the core group's `v1`."""
    group, slash, _version = api_version.partition("/")
    return group if slash else ""


def shortened(text: str, limit: int = 80) -> str:
    """For messages: `text` itself, or its beginning and length."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def printable(text: str, limit: int = 300) -> str:
    """For receipts: one bounded line, whatever a damaged or hostile source put into it."""
    safe = (
        text
        if text.isprintable()
        else "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    )
    return shortened(safe, limit)


def _checked(what: str, text: str, limit: int) -> None:
    if not text:
        raise KeyFormatError(f"the {what} of an object is empty")
    if len(text) > limit:
        raise KeyFormatError(
            f"the {what} {shortened(text)!r} of an object is longer than {limit} characters"
        )
    if text in _DOTS or not text.isprintable() or not _SEGMENT_FORBIDDEN.isdisjoint(text):
        raise KeyFormatError(f"the {what} {shortened(text)!r} of an object is no name")
