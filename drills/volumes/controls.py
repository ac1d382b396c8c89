"""Controls of the drill of layer `volumes`: it is shown something else than what is there.

They lie about what the backup says of its volumes, about the live cluster, or about the files of a
restored volume as they are read. Those that need a restored copy make one of their own and take it
away again. Faults that are planted in a copy of the restore point are in drills/damaged.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from drills.backup import controls
from drills.canary.truth import GENERATIONS
from drills.controls import Planted, Score
from drills.coverage import controls as coverage
from drills.coverage.live import Live
from drills.coverage.volume_info import VolumeRecord
from drills.damaged.controls import on_copies, source_of
from drills.damaged.faults import VOLUME_FAULTS
from drills.damaged.point import Wanted
from drills.frame import Clock, Progress
from drills.surroundings.controls import in_surroundings
from drills.usable import controls as user_checks
from drills.verdict import Reason
from drills.volumes import digest_controls
from drills.volumes.drill import Lens, VolumesDrill
from drills.volumes.entry import FILE, Entry
from drills.volumes.payload import VolumesPayload

Control = controls.Control[VolumesPayload, VolumesDrill]
Make = Callable[[VolumesPayload], VolumesDrill]
Rig = Callable[[VolumesPayload, Make], VolumesDrill]


def _seen(lens: Lens, *, restores: bool = True) -> Rig:
    return lambda payload, make: _through(make(payload), lens, restores=restores)


def _through(drill: VolumesDrill, lens: Lens, *, restores: bool) -> VolumesDrill:
    return VolumesDrill(drill.course, drill.edges, lens, restores=restores)


def _other_cluster(payload: VolumesPayload, make: Make) -> VolumesDrill:
    return _through(make(controls.other_cluster(payload)), Lens(), restores=False)


def _limited(limit: str, *, restores: bool) -> Rig:
    def rig(payload: VolumesPayload, make: Make) -> VolumesDrill:
        made = make(controls.limited(payload, limit))
        # What is new waits for its first backup as long as before: the limit is what is planted.
        grace = datetime.timedelta(seconds=payload.limits.rpo_seconds)
        return _through(made, Lens(live=lambda live: replace(live, grace=grace)), restores=restores)

    return rig


def _without_data(records: Sequence[VolumeRecord]) -> Sequence[VolumeRecord]:
    """A backup whose volumes were all tried, and none taken."""
    return [replace(one, succeeded=False) for one in records]


def _live(control: coverage.CoverageControl) -> Control:
    def planted(live: Live) -> Live:
        # Where there is nothing left to plant it in since the drill itself, the control survives:
        # better a word too many than a check that nobody saw fail.
        return control.plant(live) or live

    def applies(proven: VolumesDrill) -> bool:
        return proven.live is not None and control.plant(proven.live) is not None

    rig = _seen(Lens(live=planted), restores=False)
    return Control(control.name, control.planted, control.expected, rig, applies)


def _of_canary(change: Callable[[Iterator[Entry]], Iterator[Entry]]) -> Rig:
    """Plants a fault in the first file of each generation on the canary's volumes.

    One of them alone may be a generation that the store was away for: nothing is known of it.
    """

    def rig(payload: VolumesPayload, make: Make) -> VolumesDrill:
        canary = payload.canary
        own = set() if canary is None else {f"{canary.namespace}/{v.claim}" for v in canary.volumes}

        def look(name: str, entries: Iterator[Entry]) -> Iterator[Entry]:
            return change(entries) if name in own else entries

        return _through(make(payload), Lens(tree=look), restores=True)

    return rig


def _first_files(
    entries: Iterator[Entry], plant: Callable[[Entry], Sequence[Entry]]
) -> Iterator[Entry]:
    last = b""
    for entry in entries:
        above, _, rest = entry.path.partition(b"/")
        generation = rest.partition(b"/")[0]
        if above == GENERATIONS and generation != last and entry.type == FILE and entry.sha256:
            last = generation
            yield from plant(entry)
        else:
            yield entry


def _lost(entries: Iterator[Entry]) -> Iterator[Entry]:
    return _first_files(entries, lambda _entry: ())


def _flipped(entries: Iterator[Entry]) -> Iterator[Entry]:
    return _first_files(entries, lambda one: (one._replace(sha256=_other(one.sha256)),))


def _other(digest: str) -> str:
    return ("1" if digest[0] == "0" else "0") + digest[1:]


def _opened_up(entries: Iterator[Entry]) -> Iterator[Entry]:
    return _first_files(entries, lambda one: (one._replace(mode=one.mode ^ 0o007),))


def _added(entries: Iterator[Entry]) -> Iterator[Entry]:
    # Behind its neighbour's name, so that the order of the paths is kept.
    return _first_files(entries, lambda one: (one, one._replace(path=one.path + b"\x00")))


def _has_canary(proven: VolumesDrill) -> bool:
    return proven.witnessed


CONTROLS: tuple[Control, ...] = (
    Control("other-cluster", "the site's cluster is said to be another one",
            Reason.CLUSTER_MISMATCH, _other_cluster),
    Control("stale-point", "no age of the newest restore point is young enough", Reason.OVER_RPO,
            _limited("rpo_seconds", restores=False)),
    *(_live(one) for one in coverage.CONTROLS),
    Control("no-data", "the restore point holds no data of its volumes", Reason.VOLUME_LOST,
            _seen(Lens(records=_without_data))),
    Control("slow-restore", "no restore is quick enough", Reason.OVER_RTO,
            _limited("rto_seconds", restores=True)),
    Control("lost-file", "one file of each canary generation is not seen", Reason.FILE_LOST,
            _of_canary(_lost), _has_canary),
    Control("changed-content", "one file of each canary generation has another digest",
            Reason.CONTENT_DIFFERS, _of_canary(_flipped), _has_canary),
    Control("changed-mode", "one file of each canary generation has another mode",
            Reason.METADATA_DIFFERS, _of_canary(_opened_up), _has_canary),
    Control("added-file", "one file more is seen in each canary generation", Reason.FILE_ADDED,
            _of_canary(_added), _has_canary),
    *digest_controls.CONTROLS,
    *(Control(one.name, one.planted, one.expected, _seen(Lens(checks=one.lens)),
              lambda proven: bool(proven.course.payload.checks))
      for one in user_checks.CONTROLS),
)  # fmt: skip


def names() -> list[str]:
    return controls.names(CONTROLS)


def choose(
    wanted: str, proven: VolumesDrill, make: Make, *, earlier: int, today: datetime.date
) -> Planted | None:
    """`proven`: the drill that was run."""
    return controls.choose(
        wanted, CONTROLS, proven.course.payload, make, proven=proven, earlier=earlier, today=today
    )


def run_all(
    payload: VolumesPayload, make: Make, progress: Progress, clock: Clock | None = None
) -> Score:
    """Every control that the site has something for, after the drill itself."""
    return controls.run_all(
        payload, make, lambda proven: _all(payload, proven, make, progress), clock or Clock(),
        progress,
    )  # fmt: skip


def _all(
    payload: VolumesPayload, proven: VolumesDrill, make: Make, progress: Progress
) -> Iterator[Planted]:
    """Asked for its first only when the drill is proven."""
    for control in CONTROLS:
        if control.applies(proven):
            yield controls.planted(control, payload, make)
        else:
            progress(f"control: {control.name} not planted: the site has nothing to plant it in")
    canary = payload.canary
    wanted = Wanted(
        source_of(payload, proven.point),
        like=payload.velero.location,
        namespaces=proven.in_repositories,
        also_read=() if canary is None else [(canary.bucket, canary.prefix)],
    )
    yield from on_copies(payload, VOLUME_FAULTS, wanted, make, progress)
    yield from in_surroundings(payload, make, proven.clock, progress)
