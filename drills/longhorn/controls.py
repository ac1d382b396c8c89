"""Controls of the drill of layer `longhorn`: it is shown something else than what is there.

Faults of the store are planted in a virtual copy of one backup (drills/longhorn/virtual.py), lies
about the cluster are told of one of its volumes, and faults of Longhorn's restores are shown in
what was restored already. Nothing is written, in the store or elsewhere.
"""

import datetime
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pydantic import SecretStr

from drills.backup.payload import READER
from drills.backupstore.catalog import BackupStore
from drills.backupstore.objects import Objects
from drills.controls import ROTATE, Planted, Score, judgement_of, next_in_turn, score
from drills.frame import Drill, Progress
from drills.longhorn import cluster_faults
from drills.longhorn.cluster_faults import ClusterFault
from drills.longhorn.drill import Lens, LonghornDrill
from drills.longhorn.false_truth import FalseTruths
from drills.longhorn.faults import FAULTS, StoreFault
from drills.longhorn.lineage import Lineage
from drills.longhorn.live import controls as live
from drills.longhorn.live.controls import LiveFault, Replay
from drills.longhorn.payload import BackupTarget, LonghornPayload
from drills.longhorn.shares import due_on
from drills.longhorn.sources import Source, bound
from drills.longhorn.virtual import Victim, reduced, whole
from drills.verdict import Judgement, Reason

Make = Callable[[LonghornPayload], LonghornDrill]
"""A fresh drill of a payload, with edges of its own."""

Rig = Callable[[LonghornDrill, Make], Drill]
"""A drill with a fault before it. The first is one that was proven."""

Further = Callable[[str, Objects], Objects]
"""What is seen of a further target, by its name."""

MOST_REBUILT = 1 << 30
"""Bytes of data of a backup that a control rebuilds."""
_NEVER = 1e-9
_MISSING = next(one for one in FAULTS if one.name == "missing-block")


@dataclass(frozen=True)
class Control:
    """A named fault: what is planted, the reason it must lead to, how a fresh drill is rigged.

    `applies`: whether the site has something to plant the fault in, by a drill that was proven.
    """

    name: str
    planted: str
    expected: Reason
    rig: Rig
    applies: Callable[[LonghornDrill], bool] = lambda _proven: True


def _alone(made: LonghornDrill, payload: LonghornPayload, lens: Lens) -> LonghornDrill:
    """A drill of the store alone: neither cluster nor canary is asked."""
    edges = replace(made.edges, connect=None, testimony=None)
    bare = payload.model_copy(update={"cluster": None, "canary": None})
    return LonghornDrill(bare, made.clock, made.run_id, edges, lens)


def _lineages(proven: LonghornDrill, blocks: int = 1) -> list[Lineage]:
    """Volumes of the first target whose newest backup lists blocks, the smallest first."""
    return _with_blocks(proven.home, blocks)


def _with_blocks(source: Source, blocks: int = 1) -> list[Lineage]:
    found = [
        one for one in source.stock.lineages
        if one.record and one.newest and one.newest.blocks and one.listed >= blocks
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.listed, one.volume))


def _of_home(payload: LonghornPayload) -> LonghornPayload:
    """Without any further target: the fault is planted in the first."""
    return payload.model_copy(update={"targets": (), "unread": ()})


def _at_home(proven: LonghornDrill, volume: str) -> bool:
    """Whether the cluster backs a volume up to the first target, as far as anybody knows."""
    return proven.live is None or bound(proven.live).get(volume) == proven.home.name


def _victim(objects: Objects, lineage: Lineage) -> Victim:
    """The last backup that is there by now: others may have been made and deleted since.

    Raises StoreError, BackupStoreError.
    """
    store = BackupStore(objects)
    volume = store.volume(lineage.volume)
    there = frozenset(store.backups(lineage.volume))
    known = [volume.last_backup_name, *(one.name for one in reversed(lineage.kept))]
    named = next((name for name in known if name in there), known[0])
    return Victim(volume, store.backup(volume, named))


def _in_store(fault: StoreFault) -> Control:
    def rig(proven: LonghornDrill, make: Make) -> LonghornDrill:
        quick = {"depth": "quick", "every": 1, "rebuild_limit": None}
        payload = _of_home(proven.payload).model_copy(update=quick)
        made = make(payload)
        victim = _victim(made.edges.objects, _lineages(proven, fault.blocks)[0])
        copy = reduced(made.edges.objects, victim)
        fault.plant(copy, victim)
        # The day on which the drill reads the block that the fault is planted in.
        first = bytes.fromhex(victim.checksums[0])
        day = due_on(first, payload.days, made.clock.now().astimezone(datetime.UTC).date())
        lens = Lens(lambda _objects: copy, day=day, reads=fault.reads, restores=False)
        return _alone(made, payload, lens)

    def applies(proven: LonghornDrill) -> bool:
        return bool(_lineages(proven, fault.blocks))

    return Control(fault.name, fault.planted, fault.expected, rig, applies)


def _elsewhere(proven: LonghornDrill, make: Make) -> LonghornDrill:
    target = proven.payload.target
    nowhere = target.model_copy(update={"prefix": f"{target.prefix}no-such-place/"})
    payload = _of_home(proven.payload).model_copy(update={"target": nowhere})
    return _alone(make(payload), payload, Lens(reads=False, restores=False))


def _further(proven: LonghornDrill) -> tuple[Source, Lineage] | None:
    """The smallest volume of a further target; None where there is none, or nothing beside it."""
    held = [(one, lineage) for one in proven.sources[1:] for lineage in _with_blocks(one)[:1]]
    if not held or not _lineages(proven):
        return None
    return min(held, key=lambda one: (one[1].listed, one[0].name))


def _beside_home(
    proven: LonghornDrill, make: Make, target: BackupTarget, further: Further
) -> LonghornDrill:
    """A sound copy in the first target, and beside it a further one as `further` shows it."""
    payload = proven.payload.model_copy(update={"targets": (target,), "unread": ()})
    made = make(payload)
    home = reduced(made.edges.objects, _victim(made.edges.objects, _lineages(proven)[0]))
    return _alone(
        made, payload, Lens(lambda _objects: home, reads=False, restores=False, further=further)
    )


def _in_further(fault: StoreFault) -> Rig:
    def rig(proven: LonghornDrill, make: Make) -> LonghornDrill:
        target, lineage = _chosen(proven)

        def seen(_name: str, objects: Objects) -> Objects:
            victim = _victim(objects, lineage)
            copy = reduced(objects, victim)
            fault.plant(copy, victim)
            return copy

        return _beside_home(proven, make, target, seen)

    return rig


def _elsewhere_further(proven: LonghornDrill, make: Make) -> LonghornDrill:
    target, _ = _chosen(proven)
    nowhere = target.model_copy(update={"prefix": f"{target.prefix}no-such-place/"})
    return _beside_home(proven, make, nowhere, lambda _name, objects: objects)


def _chosen(proven: LonghornDrill) -> tuple[BackupTarget, Lineage]:
    found = _further(proven)
    if found is None:
        raise ValueError("no further target holds a backup")
    source, lineage = found
    return next(one for one in proven.payload.targets if one.name == source.name), lineage


def _with_key(
    pair: Callable[[LonghornPayload], tuple[SecretStr, SecretStr]],
) -> Rig:
    """The drill's reader comes with another key pair."""

    def rig(proven: LonghornDrill, make: Make) -> LonghornDrill:
        access, secret = pair(proven.payload)
        other = {"access_key": access, "secret_key": secret}
        clients = tuple(
            one.model_copy(update=other) if one.name == READER else one
            for one in proven.payload.clients
        )
        payload = _of_home(proven.payload).model_copy(update={"clients": clients})
        return _alone(make(payload), payload, Lens(reads=False, restores=False))

    return rig


def _of_evidence(payload: LonghornPayload) -> tuple[SecretStr, SecretStr]:
    if payload.evidence is None:
        raise ValueError("the site has no evidence client")
    found = payload.client(payload.evidence.client)
    return found.access_key, found.secret_key


def _made_up(_payload: LonghornPayload) -> tuple[SecretStr, SecretStr]:
    return SecretStr(secrets.token_hex(10).upper()), SecretStr(secrets.token_hex(20))


def _other_cluster(proven: LonghornDrill, make: Make) -> LonghornDrill:
    cluster = proven.payload.cluster
    other = cluster and cluster.model_copy(update={"uid": f"not-{cluster.uid}"})
    payload = proven.payload.model_copy(update={"cluster": other})
    made = make(payload)
    return LonghornDrill(
        payload, made.clock, made.run_id, made.edges, Lens(reads=False, restores=False)
    )


def _protected(proven: LonghornDrill) -> Lineage | None:
    """The smallest volume of the cluster of which nothing is missing."""
    names = proven.coverage.protected if proven.coverage else ()
    return next(
        (
            one
            for one in _lineages(proven, 0)
            if one.volume in names and _at_home(proven, one.volume)
        ),
        None,
    )


def _in_cluster(fault: ClusterFault) -> Control:
    """The cluster is reduced to one volume, and the store to its newest backup."""

    def rig(proven: LonghornDrill, make: Make) -> LonghornDrill:
        lineage = _protected(proven)
        if lineage is None:
            raise ValueError("the cluster has no protected volume")
        payload = fault.terms(_of_home(proven.payload))
        made = make(payload)
        copy = reduced(made.edges.objects, _victim(made.edges.objects, lineage))
        lens = Lens(
            lambda _objects: copy,
            lambda live: fault.plant(cluster_faults.only(live, lineage.volume), lineage.volume),
            reads=False,
            restores=False,
        )
        return LonghornDrill(payload, made.clock, made.run_id, made.edges, lens)

    def applies(proven: LonghornDrill) -> bool:
        return _protected(proven) is not None

    return Control(fault.name, fault.planted, fault.expected, rig, applies)


def _rebuilt(proven: LonghornDrill, *, witnessed: bool) -> Lineage | None:
    """The smallest volume that was rebuilt, or of these a canary's."""
    found = proven.home.rebuilt
    names = () if found is None else found.witnessed if witnessed else found.volumes
    for one in _lineages(proven):
        small = one.newest is not None and one.newest.data <= MOST_REBUILT
        if one.volume in names and small and _at_home(proven, one.volume):
            return one
    return None


def _of_images(change: Callable[[LonghornPayload], LonghornPayload], lens: Lens, *,
               witnessed: bool) -> Rig:  # fmt: skip
    """One image is rebuilt anew, out of a copy that has all of it."""

    def rig(proven: LonghornDrill, make: Make) -> LonghornDrill:
        lineage = _rebuilt(proven, witnessed=witnessed)
        if lineage is None:
            raise ValueError("no image was rebuilt")
        payload = change(_of_home(proven.payload))
        made = make(payload)
        copy = whole(made.edges.objects, _victim(made.edges.objects, lineage))
        seen = replace(
            lens,
            objects=lambda _objects: copy,
            live=lambda live: cluster_faults.only(live, lineage.volume),
            reads=False,
            aside=False,
        )
        return LonghornDrill(payload, made.clock, made.run_id, made.edges, seen)

    return rig


def _slow(payload: LonghornPayload) -> LonghornPayload:
    limits = payload.limits.model_copy(update={"rto_seconds": _NEVER})
    return payload.model_copy(update={"limits": limits})


def _by_longhorn(fault: LiveFault) -> Control:
    """One phase of Longhorn's restores is gone through again, over what they brought back."""

    def rig(proven: LonghornDrill, _make: Make) -> Drill:
        part = proven.part
        return Replay(
            proven.layer, proven.run_id, fault.phase, lambda record: fault.replay(part, record)
        )

    return Control(
        fault.name, fault.planted, fault.expected, rig, lambda proven: fault.applies(proven.part)
    )


CONTROLS: tuple[Control, ...] = (
    *map(_in_store, FAULTS),
    Control("wrong-prefix", "nothing lies below the prefix that is given",
            Reason.RESTORE_POINT_MISSING, _elsewhere),
    Control("lost-further-target", "nothing lies where a further target is said to be",
            Reason.RESTORE_POINT_MISSING, _elsewhere_further,
            lambda proven: _further(proven) is not None),
    Control("missing-further-block", "a block of a further target is not there",
            Reason.BLOCK_LOST, _in_further(_MISSING), lambda proven: _further(proven) is not None),
    Control("unentitled-key", "the reader comes with the key that may only append receipts",
            Reason.POLICY_TOO_NARROW, _with_key(_of_evidence),
            lambda proven: proven.payload.evidence is not None),
    Control("unknown-key", "the reader comes with a key that the store does not know",
            Reason.KEY_UNKNOWN, _with_key(_made_up)),
    Control("other-cluster", "the site's cluster is said to be another one",
            Reason.CLUSTER_MISMATCH, _other_cluster,
            lambda proven: proven.payload.cluster is not None),
    *map(_in_cluster, cluster_faults.FAULTS),
    Control("false-truth", "one file of each canary generation is said to have been another",
            Reason.CONTENT_DIFFERS,
            _of_images(lambda payload: payload, Lens(testimony=FalseTruths), witnessed=True),
            lambda proven: _rebuilt(proven, witnessed=True) is not None),
    Control("slow-restore", "no restore is quick enough", Reason.OVER_RTO,
            _of_images(_slow, Lens(), witnessed=False),
            lambda proven: _rebuilt(proven, witnessed=False) is not None),
    *map(_by_longhorn, live.FAULTS),
)  # fmt: skip


def names() -> list[str]:
    return [one.name for one in CONTROLS]


def choose(
    wanted: str, proven: LonghornDrill, make: Make, *, earlier: int, today: datetime.date
) -> Planted | None:
    """The control of that name, or the one whose turn it is. `proven`: the drill that was run."""
    named = [one for one in CONTROLS if wanted in (ROTATE, one.name) and one.applies(proven)]
    control = next_in_turn(named, earlier, today)
    return None if control is None else planted(control, proven, make)


def planted(control: Control, proven: LonghornDrill, make: Make) -> Planted:
    def run() -> Judgement:
        return judgement_of(control.rig(proven, make), proven.clock)

    return Planted(control.name, control.planted, control.expected, run)


def run_all(payload: LonghornPayload, make: Make, progress: Progress) -> Score:
    """Every control that the site has something for, after the drill itself."""
    proven = make(payload)
    try:
        twin = judgement_of(proven, proven.clock)
        return score(twin, _all(proven, make, progress), progress)
    finally:
        proven.forget()


def _all(proven: LonghornDrill, make: Make, progress: Progress) -> Iterator[Planted]:
    """Asked for its first only when the drill is proven."""
    for control in CONTROLS:
        if control.applies(proven):
            yield planted(control, proven, make)
        else:
            progress(f"control: {control.name} not planted: the site has nothing to plant it in")
