"""Backup storage locations: where backups go, over what, and with whom they share the place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import urlsplit

from policies.objects import (
    BACKUP_TARGETS,
    LOCATION,
    RELEASE,
    is_longhorn,
    neighbours,
    of_type,
    setting,
)
from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, StackRule, inside, is_set, is_true


def _spec(location: Resource, *path: str) -> object:
    return inside(location.props, "spec", *path)


def _tls(location: Resource) -> Iterator[str]:
    url = _spec(location, "config", "s3Url")
    if isinstance(url, str) and url and not url.lower().startswith("https://"):
        yield "does not use TLS, so the key's requests and all backups travel in clear"
    if is_true(_spec(location, "config", "insecureSkipTLSVerify")):
        yield "does not verify the store's certificate"
    places = [_spec(location, "objectStorage", key) for key in ("caCert", "caCertRef")]
    given = [place for place in places if place is not UNKNOWN and place]
    if is_set(url) and not given and UNKNOWN not in places:
        yield "names no CA, so Velero trusts every authority of its image"
    if len(given) > 1:
        yield "names a CA twice (caCert and caCertRef), which makes it unavailable"


def _address(location: Resource) -> Iterator[str]:
    url = _spec(location, "config", "s3Url")
    if isinstance(url, str) and _has_path(url):
        yield "has a path in its s3Url, which the volumes' repository refuses"
    if is_set(url) and not is_set(_spec(location, "config", "region")):
        yield "has no region, without which no request can be signed"
    misplaced = _spec(location, "config", "prefix")
    if is_set(misplaced) and misplaced is not UNKNOWN:
        yield "has its prefix in config, where it is not the location's prefix"


def _has_path(url: str) -> bool:
    try:
        return urlsplit(url).path not in ("", "/")
    except ValueError:
        return True


def _one_default(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    chosen = [r for r in of_type(resources, LOCATION) if is_true(_spec(r, "default"))]
    for number, location in enumerate(chosen):
        if neighbours(location, chosen[:number]):
            yield location, "is a second default"


@dataclass(frozen=True)
class _Area:
    """A bucket and a prefix in it that somebody takes for its own; `store` is "" if not known."""

    owner: Resource
    store: str
    bucket: str
    prefix: str

    def overlaps(self, other: "_Area") -> bool:
        if self.bucket != other.bucket or (
            self.store and other.store and self.store != other.store
        ):
            return False
        mine, theirs = f"{self.prefix}/".lstrip("/"), f"{other.prefix}/".lstrip("/")
        return mine.startswith(theirs) or theirs.startswith(mine)


def _area(owner: Resource) -> _Area | None:
    """What the location or backup target writes to; None if it writes nothing or nobody knows."""
    if owner.type != LOCATION:
        return _longhorn_area(owner)
    bucket, prefix = (_spec(owner, "objectStorage", key) for key in ("bucket", "prefix"))
    url = _spec(owner, "config", "s3Url")
    if _spec(owner, "accessMode") == "ReadOnly" or not isinstance(bucket, str):
        return None
    if prefix is not None and not isinstance(prefix, str):
        return None
    store = url.rstrip("/").lower() if isinstance(url, str) else ""
    return _Area(owner, store, bucket, (prefix or "").strip("/"))


def _longhorn_area(target: Resource) -> _Area | None:
    if target.type == RELEASE:
        url = setting(target, "defaultBackupStore", "backupTarget")
    else:
        url = _spec(target, "backupTargetURL")
    if not isinstance(url, str) or not url.startswith("s3://"):
        return None
    place, _, prefix = url.removeprefix("s3://").partition("/")
    return _Area(target, "", place.partition("@")[0], prefix.strip("/"))


def _alone(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    targets = [r for r in resources if r.type in BACKUP_TARGETS or is_longhorn(r)]
    owners = [*targets, *of_type(resources, LOCATION)]
    areas = [area for area in map(_area, owners) if area is not None]
    crowded = {
        second.owner.urn: second.owner
        for first, second in combinations(areas, 2)
        if first.overlaps(second)
    }
    for owner in crowded.values():
        yield owner, "writes where another one of this stack writes"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="location-tls",
        title="Velero reaches its store over verified TLS only",
        why="A location takes plain HTTP, any authority or none at all without a word.",
        remedy="use an s3Url of https, give the store's CA in caCertRef, and leave "
        "insecureSkipTLSVerify out",
        severity="critical",
        types=frozenset({LOCATION}),
        check=_tls,
    ),
    ResourceRule(
        name="location-address",
        title="A location's address can be used by the server and by its repositories",
        why="The server and the volumes' repository read the address each in its own way, and a "
        "wrong one shows in the first volume backup.",
        remedy="give scheme, host and port in s3Url, the region in config, and the prefix in "
        "objectStorage",
        severity="high",
        types=frozenset({LOCATION}),
        check=_address,
    ),
    StackRule(
        name="location-one-default",
        title="One location at most is the default",
        why="Of several the newest wins, and backups go where nobody looks for them.",
        remedy="set default to True for one location",
        severity="high",
        types=frozenset({LOCATION}),
        check=_one_default,
    ),
    StackRule(
        name="location-alone",
        title="A location has its bucket or its prefix to itself",
        why="Velero refuses a place with foreign folders, and two that write to one place delete "
        "each other's data.",
        remedy="give each a bucket of its own, or a prefix of its own to both",
        severity="critical",
        types=frozenset({LOCATION, RELEASE}) | BACKUP_TARGETS,
        check=_alone,
    ),
)
