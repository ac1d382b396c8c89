"""What becomes of each volume of a restore point when it is restored aside."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from drills.coverage.live import Key, namespace_of
from drills.coverage.volume_info import Method, VolumeRecord
from drills.sandbox.hold import Held, can_be_held
from kube.errors import one_line
from kube.velero.api import Object, name

WAITS = "WaitForFirstConsumer"


@dataclass(frozen=True)
class StorageClass:
    """`waits`: its volumes are made only when a pod wants them."""

    provisioner: str
    waits: bool


def storage_classes(found: Iterable[Object]) -> dict[str, StorageClass]:
    """The cluster's StorageClass objects by name."""
    return {
        name(one): StorageClass(
            str(one.get("provisioner") or ""), one.get("volumeBindingMode") == WAITS
        )
        for one in found
    }


@dataclass(frozen=True)
class NoData:
    """A claim in the restore's scope that cannot be filled, and why, as a clause.

    `tried`: the backup tells of a snapshot or copy, good or not.
    """

    namespace: str
    claim: str
    why: str
    tried: bool


@dataclass(frozen=True)
class Fates:
    """The claims of the chosen namespaces, each in one of these.

    `filled`: restored with data, and how. `empty`: the backup holds a copy of nothing. `held`: the
    pods through which copies are restored.
    """

    filled: Mapping[Key, VolumeRecord]
    empty: tuple[Key, ...]
    without_data: tuple[NoData, ...]
    held: Mapping[Held, Object]


def fates(
    records: Iterable[VolumeRecord],
    claims: Iterable[Object],
    pods: Iterable[Object],
    namespaces: Collection[str],
) -> Fates:
    """Sorts the volumes of `namespaces`; `claims` and `pods` as they are in the backup."""
    chosen = [one for one in records if one.namespace in namespaces]
    by_claim = _by_claim(chosen)
    there = {(namespace_of(one), name(one)) for one in claims if namespace_of(one) in namespaces}
    known_pods = {(namespace_of(one), name(one)): one for one in pods}
    filled: dict[Key, VolumeRecord] = {}
    empty, without = [], []
    for key in sorted(there | set(by_claim)):
        record = by_claim.get(key)
        why = _why_not(key, record, there, known_pods)
        if why:
            without.append(NoData(*key, why, record is not None and record.method is not None))
        elif record is not None and _is_empty(record):
            empty.append(key)
        elif record is not None:
            filled[key] = record
    copies = [*filled.values(), *(one for one in chosen if not one.claim)]
    return Fates(filled, tuple(empty), tuple(without), _held(copies, known_pods))


def _by_claim(records: Sequence[VolumeRecord]) -> dict[Key, VolumeRecord]:
    found: dict[Key, VolumeRecord] = {}
    for one in records:
        key = (one.namespace, one.claim)
        if one.claim and (key not in found or not found[key].has_data):
            found[key] = one
    return found


def _is_empty(record: VolumeRecord) -> bool:
    return record.method is Method.FILE_SYSTEM and not record.handle


def _why_not(
    key: Key,
    record: VolumeRecord | None,
    there: Collection[Key],
    pods: Mapping[tuple[str, str], Object],
) -> str:
    if key not in there:
        return "its claim is not in the backup"
    if record is None:
        return "the backup knows nothing of its data"
    if record.method is Method.FILE_SYSTEM and record.has_data and record.handle:
        return _why_no_pod(record, pods)
    return _why_no_data(record)


def _why_no_data(record: VolumeRecord) -> str:
    if record.method is None:
        return f"its data was left out ({one_line(record.why, 160) or 'no reason given'})"
    if not record.succeeded:
        return f"its {record.method} failed"
    if record.method is Method.NATIVE_SNAPSHOT:
        return "a snapshot by a Velero plugin of a cloud is not restored aside"
    return ""


def _why_no_pod(record: VolumeRecord, pods: Mapping[tuple[str, str], Object]) -> str:
    pod = pods.get((record.namespace, record.pod))
    if pod is None:
        return f"it is restored through pod {record.pod}, which is not in the backup"
    if not can_be_held(pod):
        return f"it is restored through pod {record.pod}, which had ended and is not restored"
    return ""


def _held(
    copies: Iterable[VolumeRecord], pods: Mapping[tuple[str, str], Object]
) -> dict[Held, Object]:
    volumes: dict[tuple[str, str], list[str]] = {}
    for one in copies:
        key = (one.namespace, one.pod)
        if one.method is Method.FILE_SYSTEM and one.has_data and one.handle and key in pods:
            volumes.setdefault(key, []).append(one.pod_volume)
    return {
        Held(*key, volumes=tuple(sorted(volumes[key]))): pods[key]
        for key in sorted(volumes)
        if can_be_held(pods[key])
    }
