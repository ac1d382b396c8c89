"""Which volumes lack a backup that a job owes them, and why a backup cannot be made; pure rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kube.longhorn.backups import COMPLETED, Backup
from kube.longhorn.jobs import Job, backing_up
from kube.longhorn.targets import BackupTarget
from kube.longhorn.volumes import FAULTED, Volume


@dataclass(frozen=True)
class Work:
    """A volume that needs a first backup, and the job whose backup it is to be."""

    volume: Volume
    job: Job


@dataclass(frozen=True)
class Outlook:
    """What is to be done. `held`: volumes that have a backup. `uncovered`: that no job backs up.

    `left_out`: volume -> why Longhorn makes no backup of it, which passes or is meant so.
    `faults`: sentences, for volumes that cannot be backed up.
    """

    work: tuple[Work, ...] = ()
    held: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def outlook(
    volumes: Iterable[Volume],
    jobs: Sequence[Job],
    targets: Iterable[BackupTarget],
    backups: Iterable[Backup],
    wanted: Collection[str] = (),
) -> Outlook:
    """What of all this is to be done.

    `wanted`: jobs by name whose volumes count; empty means every job that makes backups. A volume
    that several of them back up gets the backup of the first by the order of `jobs`.
    """
    usable = {one.name: one.usable for one in targets}
    complete = {(one.volume, one.target) for one in backups if one.state == COMPLETED}
    work, held, uncovered, faults = [], [], [], []
    left_out: dict[str, str] = {}
    for volume in volumes:
        covering = backing_up(volume, jobs)
        chosen = [one for one in covering if not wanted or one.name in wanted]
        if volume.deleting:
            continue
        if not covering:
            uncovered.append(volume.name)
        elif not chosen:
            continue
        elif (volume.name, volume.backup_target) in complete:
            held.append(volume.name)
        elif volume.standby or volume.restoring:
            left_out[volume.name] = _passing(volume)
        elif fault := _fault(volume, usable):
            faults.append(fault)
        else:
            work.append(Work(volume, chosen[0]))
    return Outlook(tuple(work), tuple(held), tuple(uncovered), left_out, tuple(faults))


def _passing(volume: Volume) -> str:
    if volume.standby:
        return "it follows the backups of another cluster, and makes none before it is activated"
    return "it is still being restored; its jobs back it up when that is done"


def _fault(volume: Volume, usable: Mapping[str, bool]) -> str | None:
    target = volume.backup_target
    if volume.linked_clone:
        return (
            f"volume {volume.told} is a linked clone, which Longhorn does not back up; take the "
            "job's label from it, or make it a full copy"
        )
    if volume.robustness == FAULTED:
        return (
            f"volume {volume.told} is faulted: no replica of it is usable, so there is nothing to "
            "back up; salvage it in Longhorn's UI, or restore it"
        )
    if target not in usable:
        return (
            f"volume {volume.told} names backup target {target}, which does not exist; declare it "
            "under longhorn.targets, or give the volume another one (spec.backupTargetName)"
        )
    if not usable[target]:
        return (
            f"volume {volume.told} is to be backed up to target {target}, which is not available; "
            f"kubectl -n longhorn-system describe backuptargets.longhorn.io {target} says why"
        )
    return None
