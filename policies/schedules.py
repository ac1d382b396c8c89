"""Schedules: backups that run when they should, hold what they should and stay long enough."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from components.velero import cron, durations
from policies.commands import LOCAL, may_drill
from policies.objects import (
    CONFIG_MAP,
    LOCATION,
    SCHEDULE,
    namespace,
    neighbours,
    object_name,
    of_type,
)
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    inside,
    is_set,
    is_true,
    items,
    mapping,
    switched_on,
)

OLD_FILTERS = ("includedResources", "excludedResources", "includeClusterResources")
NEW_FILTERS = (
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
)
DEFAULT_LOCATION = "default"


def _template(schedule: Resource, *path: str) -> object:
    return inside(schedule.props, "spec", "template", *path)


def _readable(expression: object) -> cron.Calendar | cron.Every | None:
    """The expression as Velero reads it; None if it could not."""
    try:
        return cron.parse(expression) if isinstance(expression, str) else None
    except cron.CronError:
        return None


def _cron(schedule: Resource) -> Iterator[str]:
    expression = inside(schedule.props, "spec", "schedule")
    if expression is UNKNOWN:
        return
    if isinstance(expression, str) and "TZ=" in expression:
        yield "names a time zone, which the server's image may not know"
    elif _readable(expression) is None:
        yield "has no cron expression that can be read, and would never run"


def _seconds(duration: object) -> int | None:
    try:
        return durations.seconds(duration) if isinstance(duration, str) else None
    except ValueError:
        return None


def _keeps_two(schedule: Resource) -> Iterator[str]:
    ttl = _template(schedule, "ttl")
    if ttl is UNKNOWN:
        return
    kept = _seconds(ttl)
    if kept is None:
        yield "says not how long its backups stay (ttl)"
        return
    times = _readable(inside(schedule.props, "spec", "schedule"))
    if times is not None and kept < 2 * times.longest_gap:
        yield "deletes a backup before the two after it are there"


def _matches(patterns: list[object], name: str) -> bool:
    return any(isinstance(p, str) and fnmatchcase(name, p) for p in patterns)


def _excludes_velero(schedule: Resource) -> Iterator[str]:
    home = namespace(schedule)
    included, excluded = (
        _template(schedule, key) for key in ("includedNamespaces", "excludedNamespaces")
    )
    if not isinstance(home, str) or UNKNOWN in (included, excluded):
        return
    left_out = UNKNOWN in items(excluded) or _matches(items(excluded), home)
    not_asked = bool(items(included)) and not _matches(items(included), home)
    if not left_out and not not_asked:
        yield "saves the namespace Velero itself is in"


def _unmixed(schedule: Resource) -> Iterator[str]:
    template = mapping(_template(schedule))
    if _any_of(template, OLD_FILTERS) and _any_of(template, NEW_FILTERS):
        yield "mixes the old and the new filters of resources"
    if _any_of(template, ("labelSelector",)) and _any_of(template, ("orLabelSelectors",)):
        yield "has both labelSelector and orLabelSelectors"


def _any_of(template: Mapping[str, object], names: Sequence[str]) -> bool:
    """Whether one of them is there; what is not known yet may turn out to be absent."""
    values = [template.get(name) for name in names]
    return any(v is not None and v is not UNKNOWN and v not in ([], {}) for v in values)


def _to_declared_location(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    locations = of_type(resources, LOCATION)
    for schedule in of_type(resources, SCHEDULE):
        near = neighbours(schedule, locations)
        names = [object_name(one) for one in near]
        wanted = _template(schedule, "storageLocation")
        if wanted is UNKNOWN or UNKNOWN in names:
            continue
        if is_set(wanted):
            if wanted not in names:
                yield schedule, "goes to a storage location that this stack does not declare"
        elif not any(_may_be_default(one) for one in near):
            yield schedule, "goes to the default storage location, and none declared here is that"


def _may_be_default(location: Resource) -> bool:
    default = inside(location.props, "spec", "default")
    return default is UNKNOWN or is_true(default) or object_name(location) == DEFAULT_LOCATION


def _one_key(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    maps = of_type(resources, CONFIG_MAP)
    for schedule in of_type(resources, SCHEDULE):
        near = neighbours(schedule, maps)
        wanted = _template(schedule, "resourcePolicy", "name")
        if not is_set(wanted) or wanted is UNKNOWN or UNKNOWN in map(object_name, near):
            continue
        named = [one for one in near if object_name(one) == wanted]
        if not named:
            yield schedule, "names a volume policy that this stack does not declare"
        for one in named:
            data, binary = one.props.get("data"), one.props.get("binaryData")
            if UNKNOWN not in (data, binary) and len({**mapping(data), **mapping(binary)}) != 1:
                yield schedule, "names a volume policy whose ConfigMap has not exactly one key"


def _drilled(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    if may_drill(resources, "kube-objects"):
        return
    running = [one for one in of_type(resources, SCHEDULE) if not _may_be_paused(one)]
    # Said once: one drill takes the backups of all of them.
    for schedule in running[:1]:
        yield schedule, "makes backups that no drill restores, so nobody knows whether they can be"


def _may_be_paused(schedule: Resource) -> bool:
    paused = inside(schedule.props, "spec", "paused")
    return paused is UNKNOWN or is_true(paused)


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="schedule-cron",
        title="A schedule's time can be read, and is UTC",
        why="The API server takes any text, and a schedule that cannot be read never runs.",
        remedy="give minute, hour, day, month and weekday in UTC, or a shorthand such as @daily",
        severity="critical",
        types=frozenset({SCHEDULE}),
        check=_cron,
    ),
    ResourceRule(
        name="schedule-keeps-two",
        title="Backups stay at least two periods",
        why="With less, one failed run leaves no backup at all.",
        remedy="set ttl to at least twice the longest time between two runs",
        severity="critical",
        types=frozenset({SCHEDULE}),
        check=_keeps_two,
    ),
    ResourceRule(
        name="schedule-excludes-velero",
        title="No schedule saves Velero's own namespace",
        why="The records of other backups get into this one, which then cannot be restored, and "
        "their snapshots are never removed.",
        remedy="name Velero's namespace in excludedNamespaces, or list the others in "
        "includedNamespaces",
        severity="critical",
        types=frozenset({SCHEDULE}),
        check=_excludes_velero,
    ),
    ResourceRule(
        name="schedule-filters-unmixed",
        title="A schedule uses one kind of filter",
        why="Velero refuses a backup that mixes them, at its time and not before.",
        remedy="use the filters by scope alone, and one of the two selectors",
        severity="high",
        types=frozenset({SCHEDULE}),
        check=_unmixed,
    ),
    ResourceRule(
        name="schedule-owns-no-backup",
        title="Backups outlive their schedule",
        why="With owner references, removing or renaming a schedule removes its backups' records.",
        remedy="set useOwnerReferencesInBackup to False",
        severity="high",
        types=frozenset({SCHEDULE}),
        check=switched_on(
            "sets useOwnerReferencesInBackup, with which its backups go when it goes",
            "spec",
            "useOwnerReferencesInBackup",
        ),
    ),
    StackRule(
        name="schedule-to-declared-location",
        title="Every schedule goes to a location of the stack",
        why="A backup to a location that is not there fails validation, run after run.",
        remedy="set storageLocation to a BackupStorageLocation that the stack declares",
        severity="high",
        types=frozenset({SCHEDULE, LOCATION}),
        check=_to_declared_location,
    ),
    StackRule(
        name="schedule-volume-policy",
        title="A schedule's volume policy is a ConfigMap with one key",
        why="Velero refuses every backup whose policy is missing or has two keys.",
        remedy="declare the ConfigMap with exactly one key",
        severity="high",
        types=frozenset({SCHEDULE, CONFIG_MAP}),
        check=_one_key,
    ),
    StackRule(
        name="schedule-drilled",
        title="Backups of running schedules are drilled",
        why="A backup that was not restored and compared does not count as one.",
        remedy="declare the drill kube-objects, which is on unless drills.kubeObjects.enabled is "
        "false",
        severity="high",
        types=frozenset({SCHEDULE, LOCAL}),
        check=_drilled,
    ),
)
