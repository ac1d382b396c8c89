"""Snapshot classes: the one Velero takes, and snapshots that outlive their volume."""

from collections.abc import Iterator, Sequence

from policies.objects import (
    LONGHORN_DRIVER,
    RELEASE,
    SCHEDULE,
    SNAPSHOT_CLASS,
    neighbours,
    of_type,
    servers,
    setting,
)
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    inside,
    is_true,
    mapping,
)

LABEL = "velero.io/csi-volumesnapshot-class"
IN_CLUSTER, IN_STORE = "snap", "bak"


def _labels(one: Resource) -> object:
    return inside(one.props, "metadata", "labels")


def _labelled(one: Resource) -> bool:
    return LABEL in mapping(_labels(one))


def _type(one: Resource) -> object:
    return inside(one.props, "parameters", "type")


def _label_true(one: Resource) -> Iterator[str]:
    value = mapping(_labels(one)).get(LABEL, "true")
    if value is not UNKNOWN and value != "true":
        yield 'has the label with another value than the text "true", which selects it all the same'


def _one_per_driver(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    classes = of_type(resources, SNAPSHOT_CLASS)
    drivers = [d for c in classes if isinstance(d := c.props.get("driver"), str)]
    for driver in dict.fromkeys(drivers):
        own = [c for c in classes if c.props.get("driver") == driver]
        labelled = [c for c in own if _labelled(c)]
        for second in labelled[1:]:
            yield second, "is a second labelled class of its driver, and either may be taken"
        uncertain = any(_labels(c) is UNKNOWN for c in own)
        if not labelled and not uncertain:
            yield own[0], "is not labelled for Velero, nor is another class of its driver"


def _retain(one: Resource) -> Iterator[str]:
    policy = one.props.get("deletionPolicy")
    if policy not in ("Retain", UNKNOWN) and _type(one) not in (IN_CLUSTER, UNKNOWN):
        yield "deletes a backup together with the namespace its snapshot is in"


def _type_named(one: Resource) -> Iterator[str]:
    named = _type(one) in (IN_CLUSTER, IN_STORE, UNKNOWN)
    if one.props.get("driver") == LONGHORN_DRIVER and not named:
        yield "does not say where Longhorn puts its snapshots"


def _moves(schedule: Resource, releases: Sequence[Resource]) -> object:
    """Whether its snapshots are moved: its own word, else its server's default."""
    asked = inside(schedule.props, "spec", "template", "snapshotMoveData")
    if asked is not None:
        return asked
    defaults = [
        setting(release, "configuration", "defaultSnapshotMoveData")
        for release in neighbours(schedule, releases)
    ]
    return UNKNOWN if UNKNOWN in defaults else any(map(is_true, defaults))


def _fits_data_mover(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    types = {
        _type(c)
        for c in of_type(resources, SNAPSHOT_CLASS)
        if c.props.get("driver") == LONGHORN_DRIVER and _labelled(c)
        if isinstance(_type(c), str)
    }
    releases = servers(resources)
    for schedule in of_type(resources, SCHEDULE):
        moves = _moves(schedule, releases)
        if inside(schedule.props, "spec", "template", "snapshotVolumes") in (False, UNKNOWN):
            continue
        if moves is UNKNOWN:
            continue
        if is_true(moves) and IN_STORE in types:
            yield schedule, "moves snapshots that Longhorn has put into its store already"
        if not is_true(moves) and IN_CLUSTER in types:
            yield schedule, "leaves snapshots in the cluster, where they go with their volume"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="snapshot-class-label",
        title='The label of Velero\'s snapshot class is the text "true"',
        why="Velero looks at the label's name alone, so that false selects a class as well.",
        remedy=f'set {LABEL} to "true", or leave the label out',
        severity="medium",
        types=frozenset({SNAPSHOT_CLASS}),
        check=_label_true,
    ),
    StackRule(
        name="snapshot-class-one",
        title="Velero finds one snapshot class per driver",
        why="Of two labelled classes it takes the one listed first; with none it guesses or fails.",
        remedy=f"label exactly one class per driver with {LABEL}",
        severity="high",
        types=frozenset({SNAPSHOT_CLASS}),
        check=_one_per_driver,
    ),
    ResourceRule(
        name="snapshot-class-retain",
        title="A snapshot class keeps what it made",
        why="With Delete, removing a VolumeSnapshot or its namespace removes the backup behind it.",
        remedy="set deletionPolicy to Retain",
        severity="critical",
        types=frozenset({SNAPSHOT_CLASS}),
        check=_retain,
    ),
    ResourceRule(
        name="snapshot-class-type",
        title="A class of Longhorn says where snapshots go",
        why="bak puts them into the backup store, snap leaves them beside the volume; what an "
        "unnamed one does is Longhorn's to change.",
        remedy="set parameters.type to bak, or to snap where snapshots are moved",
        severity="high",
        types=frozenset({SNAPSHOT_CLASS}),
        check=_type_named,
    ),
    StackRule(
        name="snapshot-type-fits-schedule",
        title="Schedules move what Longhorn leaves in the cluster, and nothing else",
        why="A snapshot of type snap that is not moved dies with its volume; one of type bak that "
        "is moved never ends.",
        remedy="use snap with snapshotMoveData and bak without",
        severity="critical",
        types=frozenset({SNAPSHOT_CLASS, SCHEDULE, RELEASE}),
        check=_fits_data_mover,
    ),
)
