"""Controls of the drill of layer `kube-objects`: it is shown something else than what is there.

They lie about the archive as it is read, about the restored objects as they are listed, about what
was recorded around the backup, or about the site's own bounds; the store and the live namespaces
are not touched. Those that need a restored copy make one of their own and take it away again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from drills.backup import controls
from drills.backup.archive import Reader
from drills.kube_objects.drill import KubeObjectsDrill, Lens, Pairs
from drills.kube_objects.payload import KubeObjectsPayload
from drills.objects.against_copy import CopyIndex
from drills.objects.canonical import Digests
from drills.objects.keys import ObjectKey
from drills.objects.truth import Entry, Seen, Truth
from drills.verdict import Reason
from kube.discovery import Served, discover
from kube.errors import Cause, ClusterError
from kube.velero.api import Velero

_MARK = {"backstop-control": "planted"}
_PLANTED_NAME = "backstop-control-planted"
_CUT_BYTES = 200

Control = controls.Control[KubeObjectsPayload, KubeObjectsDrill]
Make = Callable[[KubeObjectsPayload], KubeObjectsDrill]
_Rig = Callable[[KubeObjectsPayload, Make], KubeObjectsDrill]


def _dropped_object(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    course = make(payload).course
    lens = Lens(saved=_Unchanged(course.velero).dropped)
    return KubeObjectsDrill(course, lens, restores=False)


def _changed_field(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    course = make(payload).course
    lens = Lens(saved=_Unchanged(course.velero).labelled)
    return KubeObjectsDrill(course, lens, restores=False)


@dataclass(frozen=True)
class _CutReader(Reader):
    def pieces(self, path: str) -> Iterator[bytes]:
        whole = b"".join(super().pieces(path))
        yield whole[:-_CUT_BYTES] if path.endswith(".tar.gz") else whole


def _truncated_archive(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    course = make(payload).course
    real = course.reader
    cut = _CutReader(real.endpoint, real.credential, real.place)
    return KubeObjectsDrill(replace(course, reader=cut), restores=False)


def _other_cluster(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    return KubeObjectsDrill(make(controls.other_cluster(payload)).course, restores=False)


def _stale_point(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    made = make(controls.limited(payload, "rpo_seconds"))
    return KubeObjectsDrill(made.course, restores=False)


def _slow_restore(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    return make(controls.limited(payload, "rto_seconds"))


def _lost_copy(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    lens = Lens(copies=lambda pairs, index: _met(pairs, index)[1])
    return KubeObjectsDrill(make(payload).course, lens)


def _changed_copy(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    def changed(pairs: Pairs, index: CopyIndex) -> Pairs:
        victims, others = _met(pairs, index)
        return chain(((key, _labelled(content)) for key, content in victims), others)

    return KubeObjectsDrill(make(payload).course, Lens(copies=changed))


def _added_copy(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
    def added(pairs: Pairs, index: CopyIndex) -> Pairs:
        victims, others = _met(pairs, index)
        more = [(key._replace(name=_PLANTED_NAME), one) for key, one in victims]
        return chain(victims, more, others)

    return KubeObjectsDrill(make(payload).course, Lens(copies=added))


def _in_truth(change: Callable[[ObjectKey, Entry], tuple[ObjectKey, Entry]]) -> _Rig:
    """Changes the first object of the truth that the backup must hold as it was recorded."""

    def lie(truth: Truth) -> Truth:
        key, entry = next(_strict(truth))
        changed, planted = change(key, entry)
        return replace(truth, entries={**truth.entries, changed: planted})

    def rig(payload: KubeObjectsPayload, make: Make) -> KubeObjectsDrill:
        return KubeObjectsDrill(make(payload).course, Lens(truth=lie), restores=False)

    return rig


def _strict(truth: Truth) -> Iterator[tuple[ObjectKey, Entry]]:
    for key, entry in sorted(truth.entries.items(), key=lambda pair: pair[0]):
        if entry.seen is Seen.STRICT and entry.required and entry.digests and entry.digests.names:
            yield key, entry


def _has_truth(proven: KubeObjectsDrill) -> bool:
    return proven.truth is not None and next(_strict(proven.truth), None) is not None


def _one_more(key: ObjectKey, entry: Entry) -> tuple[ObjectKey, Entry]:
    return key._replace(name=_PLANTED_NAME), entry


def _another_content(key: ObjectKey, entry: Entry) -> tuple[ObjectKey, Entry]:
    held = entry.digests
    if held is None:
        raise ValueError(f"{key} has no digests")
    digests = Digests(_flipped(held.whole), held.names, _flipped(held.parts))
    return key, replace(entry, digests=digests)


def _flipped(digest: bytes) -> bytes:
    return bytes(one ^ 0xFF for one in digest)


CONTROLS: tuple[Control, ...] = (
    Control("dropped-object", "one object is left out of the archive", Reason.OBJECT_LOST,
            _dropped_object),
    Control("changed-field", "one object in the archive has another label", Reason.OBJECT_DIFFERS,
            _changed_field),
    Control("truncated-archive", "the end of the archive is cut off", Reason.RESTORE_POINT_DAMAGED,
            _truncated_archive),
    Control("other-cluster", "the site's cluster is said to be another one",
            Reason.CLUSTER_MISMATCH, _other_cluster),
    Control("stale-point", "no age of the newest restore point is young enough", Reason.OVER_RPO,
            _stale_point),
    Control("slow-restore", "no restore is quick enough", Reason.OVER_RTO, _slow_restore),
    Control("lost-copy", "one restored object is not seen", Reason.OBJECT_LOST, _lost_copy),
    Control("changed-copy", "one restored object has another label", Reason.OBJECT_DIFFERS,
            _changed_copy),
    Control("added-copy", "one object more is seen among the restored", Reason.OBJECT_ADDED,
            _added_copy),
    Control("truth-lost-object", "one object more is said to have been there at the backup",
            Reason.OBJECT_LOST, _in_truth(_one_more), _has_truth),
    Control("truth-changed-object", "one object is said to have been another at the backup",
            Reason.OBJECT_DIFFERS, _in_truth(_another_content), _has_truth),
)  # fmt: skip


@dataclass(frozen=True)
class _Unchanged:
    """Plants a fault in the first object of the archive that was not written since the backup.

    Any other one is not compared, so that a fault in it would rightly go unnoticed.
    """

    velero: Velero

    def dropped(self, pairs: Pairs) -> Pairs:
        return self._each(pairs, lambda _content: None)

    def labelled(self, pairs: Pairs) -> Pairs:
        return self._each(pairs, _labelled)

    def _each(
        self, pairs: Pairs, plant: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> Pairs:
        served, done = discover(self.velero.client), False
        for key, content in pairs:
            if not done and key.namespace and self._is_as_saved(served, key, content):
                done = True
                damaged = plant(content)
                if damaged is not None:
                    yield key, damaged
                continue
            yield key, content

    def _is_as_saved(self, served: Served, key: ObjectKey, content: dict[str, Any]) -> bool:
        resource = served.named(key.resource)
        if resource is None:
            return False
        try:
            live = self.velero.client.get(f"{resource.path(key.namespace)}/{key.name}")
        except ClusterError as error:
            if error.cause is Cause.MISSING:
                return False
            raise
        return _identity(live) == _identity(content)


def _identity(content: dict[str, Any]) -> tuple[object, object]:
    metadata = content.get("metadata")
    held = metadata if isinstance(metadata, dict) else {}
    return held.get("uid"), held.get("resourceVersion")


def _labelled(content: dict[str, Any]) -> dict[str, Any]:
    metadata = content.get("metadata")
    held = metadata if isinstance(metadata, dict) else {}
    labels = {**(held.get("labels") or {}), **_MARK}
    return {**content, "metadata": {**held, "labels": labels}}


def _met(pairs: Pairs, index: CopyIndex) -> tuple[list[tuple[ObjectKey, dict[str, Any]]], Pairs]:
    """The first restored object that the backup awaits, and the others."""
    before: list[tuple[ObjectKey, dict[str, Any]]] = []
    for key, content in pairs:
        if index.form.mapping.source_of(key) in index.expected:
            return [(key, content)], chain(before, pairs)
        before.append((key, content))
    return [], iter(before)
