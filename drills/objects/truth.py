"""What was in the cluster around a backup, recorded by somebody other than Velero.

The cluster is listed before the backup begins and after it ended. An object whose resourceVersion
is the same in both lists did not change in between, so the backup must hold exactly that: those are
STRICT. What was written meanwhile is counted and told apart. Only digests are kept, salted for this
record, so that the truth may lie where the backup's content must not.
"""

import datetime
import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drills.objects.canonical import SALT_BYTES, Digests, section_digests
from drills.objects.keys import ObjectKey, key_of
from drills.objects.normal_form import Stripper
from drills.objects.ownership import OWNED_FIELDS, Stage
from drills.objects.related import ACCOUNTS, CLAIMS, DEFINITIONS, bound, reached, references
from drills.objects.scope import Inclusion, Membership

Listed = Iterable[tuple[ObjectKey, Mapping[str, object]]]
"""Objects with their keys; each with kind and apiVersion, which `listed` adds."""

# The API shows times of backups in whole seconds, cut off.
_CUT_OFF = datetime.timedelta(seconds=1)
_BRINGING = frozenset({"pods", CLAIMS, ACCOUNTS})
_NAMESPACES = "namespaces"
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata"})


class Seen(StrEnum):
    """How an object stands in the two lists."""

    STRICT = "strict"
    CHANGED = "changed-meanwhile"
    CREATED = "created-meanwhile"
    DELETED = "deleted-meanwhile"


class RecordError(ValueError):
    """A list that no truth can be made of; the text says what is missing."""


@dataclass(slots=True)
class Entry:
    """One object of the truth.

    before, after: its resourceVersion in each list, empty where it is not in it.
    required: the backup must hold it; otherwise it may, as something that others bring along.
    digests: of the content before; None for what was created meanwhile.
    digests_after: of the content after, where it changed and the second list had content.
    replaced: the second list has another object of its name.
    """

    uid: str
    before: str
    after: str
    seen: Seen
    required: bool
    digests: Digests | None
    digests_after: Digests | None = None
    replaced: bool = False


@dataclass(frozen=True)
class Head:
    """What a truth is about. Times are aware; `spec` is the backup's own, its scope."""

    cluster_uid: str
    backup: str
    before_began: datetime.datetime
    before_ended: datetime.datetime
    after_began: datetime.datetime
    after_ended: datetime.datetime
    spec: Mapping[str, object]
    salt: bytes


@dataclass(frozen=True)
class LeftOut:
    """Objects of one kind that the backup should not hold, and why.

    `count` 0: nothing of it could be listed, so that nothing is known of it.
    """

    what: str
    why: str
    count: int


@dataclass(frozen=True)
class Truth:
    """The record: `entries` by key, and how many objects the scope leaves out."""

    head: Head
    entries: dict[ObjectKey, Entry]
    left_out: tuple[LeftOut, ...] = ()

    def count(self, seen: Seen) -> int:
        return sum(1 for entry in self.entries.values() if entry.seen is seen)


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def listed(
    resource: str, api_version: str, kind: str, items: Iterable[Mapping[str, object]]
) -> Iterator[tuple[ObjectKey, Mapping[str, object]]]:
    """Items of a collection with their keys, and with what lists leave out of each.

    resource: the group-resource. kind: of one item.

    Raises:
        KeyFormatError: an item has no name.
    """
    for item in items:
        metadata = item.get("metadata")
        if not isinstance(metadata, Mapping):
            metadata = {}
        key = key_of(resource, str(metadata.get("namespace") or ""), str(metadata.get("name", "")))
        yield key, {**item, "apiVersion": api_version, "kind": kind}


def record(before: Listed, after: Listed, membership: Membership, head: Head) -> Truth:
    """The truth of what `membership` says should be in the backup.

    Both lists are read once, in any order. `after` may hold metadata alone; then an object that
    changed meanwhile is known to have changed and no more.

    Raises:
        RecordError: an object has no kind, apiVersion, uid or resourceVersion.
        NotJSONError: an object is no JSON.
    """
    recorder = Recorder(membership, head.salt)
    recorder.take_all_before(before)
    for key, content in after:
        recorder.take_after(key, content)
    return recorder.truth(head)


def digests_of(key: ObjectKey, content: Mapping[str, object], salt: bytes) -> Digests:
    """What a truth keeps of an object's content, less what Velero itself changes in its copy.

    Secrets have a salt each, so that a truth does not show which of them are alike.
    """
    if key.resource == "secrets":
        salt = hashlib.blake2b(str(key).encode(), digest_size=SALT_BYTES, key=salt).digest()
    return section_digests(content, salt)


def encloses(head: Head, began: datetime.datetime, ended: datetime.datetime) -> str:
    """Empty if both lists lie around the backup's time; else one sentence that says which does not.

    All times by one clock: the caller corrects for the cluster's.
    """
    if head.before_ended >= began + _CUT_OFF:
        return (
            f"the first list ended at {head.before_ended:%H:%M:%S}, after the backup began at"
            f" {began:%H:%M:%S}; it is no truth of what the backup should hold"
        )
    if head.after_began < ended:
        return (
            f"the second list began at {head.after_began:%H:%M:%S}, before the backup ended at"
            f" {ended:%H:%M:%S}; it is no truth of what the backup should hold"
        )
    return ""


class Recorder:
    """A record in the making: all of the first list, then all of the second, then the truth.

    Memory holds digests and no content. The methods raise what `record` raises.
    """

    def __init__(self, membership: Membership, salt: bytes) -> None:
        self.entries: dict[ObjectKey, Entry] = {}
        self._membership = membership
        self._salt = salt
        self._stripper = Stripper(OWNED_FIELDS, Stage.BACKUP)
        self._left_out: Counter[tuple[str, str]] = Counter()
        self._related: list[ObjectKey] = []
        self._brings: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self._brought_by: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self._namespaces: set[str] = set()
        self._kinds: set[str] = set()

    def take_all_before(self, before: Listed) -> None:
        for key, content in before:
            self._take_before(key, content)
        self._require_related()

    def _take_before(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        decision = self._membership.decide(key, content)
        if decision.inclusion is Inclusion.OUT:
            self._left_out[key.resource, decision.why] += 1
            return
        uid, version = _identity(key, content)
        if "kind" not in content or "apiVersion" not in content:
            raise RecordError(f"{key} has no kind or no apiVersion; give it those of its list")
        is_in = decision.inclusion is Inclusion.IN
        self.entries[key] = Entry(
            uid, version, "", Seen.DELETED, is_in, self._digests(key, content)
        )
        if is_in:
            self._kinds.add(key.resource)
            self._namespaces.add(key.namespace)
        else:
            self._related.append(key)
        if brings := references(key, content):
            self._brings[key] = brings
        if brought_by := bound(key, content):
            self._brought_by[key] = brought_by

    def _require_related(self) -> None:
        """Makes required what something required brings along."""
        begun = (
            key
            for key, entry in self.entries.items()
            if entry.required and key.resource in _BRINGING
        )
        found = reached(begun, self._brings, self._brought_by)
        found |= {ObjectKey(DEFINITIONS, "", kind) for kind in self._kinds}
        found |= {ObjectKey(_NAMESPACES, "", name) for name in self._namespaces}
        for key in self._related:
            if key in found:
                self.entries[key].required = True

    def take_after(self, key: ObjectKey, content: Mapping[str, object]) -> None:
        uid, version = _identity(key, content)
        entry = self.entries.get(key)
        if entry is None:
            if self._membership.decide(key, content).inclusion is not Inclusion.OUT:
                self.entries[key] = Entry(uid, "", version, Seen.CREATED, False, None)
            return
        if entry.seen is Seen.CREATED:
            return
        entry.after = version
        if (entry.uid, entry.before) == (uid, version):
            entry.seen = Seen.STRICT
            return
        entry.seen = Seen.CHANGED
        if entry.uid != uid:
            # Deleted and made anew: Velero may have looked in between.
            entry.required, entry.replaced = False, True
        elif content.keys() - _NOT_CONTENT:
            entry.digests_after = self._digests(key, content)

    def leave_out(self, what: str, why: str) -> None:
        """Notes something of which nothing could be listed."""
        self._left_out[what, why] += 0

    def truth(self, head: Head) -> Truth:
        """The record of both lists. `head.salt` is the one it was made with."""
        counted = sorted(self._left_out.items())
        left_out = tuple(LeftOut(what, why, count) for (what, why), count in counted)
        return Truth(head, self.entries, left_out)

    def _digests(self, key: ObjectKey, content: Mapping[str, object]) -> Digests:
        return digests_of(key, self._stripper.stripped(key.resource, content), self._salt)


def _identity(key: ObjectKey, content: Mapping[str, object]) -> tuple[str, str]:
    metadata = content.get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, Mapping) else None
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    if not isinstance(uid, str) or not isinstance(version, str):
        raise RecordError(f"{key} has no uid or no resourceVersion; list it from the API server")
    return uid, version
