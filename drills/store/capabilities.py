"""What each role may and may not do: the drill's own table.

It is written down a second time on purpose and never derived from the policies that the program
renders. Two tables made from one source would agree on the same mistake.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The kinds of client a site has."""

    VELERO = "velero"
    LONGHORN = "longhorn"
    HOST_FILES = "host-files"
    CLUSTER_STATE = "cluster-state"
    DRILL = "drill"
    EVIDENCE = "evidence"
    TRUTH = "truth"


class Action(StrEnum):
    """What is tried. The values are the names of checks in a receipt."""

    HEAD = "head bucket"
    LOCATION = "bucket location"
    LIST = "list"
    LIST_VERSIONS = "list versions"
    GET = "get"
    GET_VERSION = "get version"
    PUT = "put"
    DELETE = "delete"
    MULTIPART = "multipart start and abort"
    DELETE_VERSION = "delete version"
    DELETE_VERSION_BULK = "delete version in bulk"
    BYPASS = "delete version bypassing retention"
    LIFECYCLE = "put lifecycle"
    VERSIONING = "put versioning"
    POLICY = "put bucket policy"
    OBJECT_LOCK = "put object lock"
    LEGAL_HOLD = "put legal hold"
    DELETE_BUCKET = "delete bucket"
    ADMIN = "admin API"


ALWAYS_REFUSED = frozenset(
    {
        Action.DELETE_VERSION,
        Action.DELETE_VERSION_BULK,
        Action.BYPASS,
        Action.LIFECYCLE,
        Action.VERSIONING,
        Action.POLICY,
        Action.OBJECT_LOCK,
        Action.LEGAL_HOLD,
        Action.DELETE_BUCKET,
    }
)

LISTINGS = frozenset({Action.LIST, Action.LIST_VERSIONS})
BUCKET_WIDE = frozenset(
    {
        Action.HEAD,
        Action.LOCATION,
        Action.LIFECYCLE,
        Action.VERSIONING,
        Action.POLICY,
        Action.OBJECT_LOCK,
        Action.DELETE_BUCKET,
    }
)
"""Actions on a bucket as a whole, which name no object."""

OUTSIDE = (Action.LIST, Action.GET, Action.PUT, Action.DELETE)
"""What is tried in every other bucket and prefix."""


@dataclass(frozen=True)
class Capabilities:
    """`may` works and `must_not` is refused in the role's own bucket and prefix.

    `deletes_in` is the folder below the prefix where the role may delete: "" everywhere, None
    nowhere. An action in neither set is not judged. Outside its own bucket and prefix everything is
    refused, except to a role that `reads_everything`, which may read there. `probes_in` is the
    folder below the prefix for the drill's own objects. A role that `keeps_to_site` has for its own
    only the site's folder of its prefix.
    """

    may: frozenset[Action]
    must_not: frozenset[Action]
    deletes_in: str | None
    reads_everything: bool = False
    probes_in: str = ""
    keeps_to_site: bool = False


_WORKS = frozenset(
    {Action.HEAD, Action.LOCATION, Action.LIST, Action.GET, Action.PUT, Action.MULTIPART}
)
_READS = frozenset(
    {
        Action.HEAD,
        Action.LOCATION,
        Action.LIST,
        Action.LIST_VERSIONS,
        Action.GET,
        Action.GET_VERSION,
    }
)

TABLE: dict[Role, Capabilities] = {
    # With any folder but its own at the top of a bucket Velero takes the location out of service,
    # and backups that are due then fail. Of its own ones it no longer uses metadata/.
    Role.VELERO: Capabilities(_WORKS, ALWAYS_REFUSED, deletes_in="", probes_in="metadata/"),
    Role.LONGHORN: Capabilities(_WORKS, ALWAYS_REFUSED, deletes_in=""),
    # restic removes its own locks and nothing else; forgetting is the work of a guarded host.
    Role.HOST_FILES: Capabilities(_WORKS, ALWAYS_REFUSED, deletes_in="locks/"),
    # Pruning snapshots is the client's work.
    Role.CLUSTER_STATE: Capabilities(_WORKS, ALWAYS_REFUSED, deletes_in=""),
    Role.DRILL: Capabilities(
        _READS,
        ALWAYS_REFUSED | {Action.PUT, Action.DELETE, Action.MULTIPART},
        deletes_in=None,
        reads_everything=True,
    ),
    Role.EVIDENCE: Capabilities(
        frozenset({Action.PUT}),
        ALWAYS_REFUSED | {Action.GET, Action.LIST, Action.DELETE},
        deletes_in=None,
    ),
    # Its key lies in the cluster, with the data that truths are to vouch for.
    Role.TRUTH: Capabilities(
        frozenset({Action.HEAD, Action.LOCATION, Action.PUT, Action.MULTIPART}),
        ALWAYS_REFUSED
        | {Action.GET, Action.GET_VERSION, Action.LIST, Action.LIST_VERSIONS, Action.DELETE},
        deletes_in=None,
        keeps_to_site=True,
    ),
}
