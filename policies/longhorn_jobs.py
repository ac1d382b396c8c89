"""Longhorn's recurring jobs: what runs, what is kept, and whether any label leads to a backup."""

import json
from collections.abc import Iterator, Mapping, Sequence

from components.longhorn import jobs
from policies.commands import LOCAL, may_drill
from policies.objects import (
    BACKUP_TARGETS,
    CLAIMS,
    LONGHORN_DRIVER,
    RECURRING_JOB,
    RELEASE,
    STORAGE_CLASS,
    is_longhorn,
    object_name,
    of_type,
    setting,
)
from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, StackRule, inside, items, mapping

JOB_PREFIX = "recurring-job.longhorn.io/"
GROUP_PREFIX = "recurring-job-group.longhorn.io/"
SOURCE = f"{JOB_PREFIX}source"
DEFAULT_TARGET = "default"
# What is said of a field of a job, whatever its value is.
SAID = {
    "task": "has no task that Longhorn knows",
    "cron": "has no time in five fields that can be read, or comes more than twelve times an hour",
    "retain": "keeps nothing where it should, or more than Longhorn allows",
    "concurrency": "works on none or on more than five volumes at once",
    "groups": "names a group that can be no label, or is of no volume and has groups",
    "labels": "gives its backups labels that Longhorn refuses",
    "fullBackupInterval": "never sends all blocks again, or has an interval that says nothing",
    "volumeBackupPolicy": "does not say what happens to volumes, or leaves them out",
}
_KNOWN_PARAMETERS = frozenset({jobs.FULL_INTERVAL, jobs.POLICY})


def _spec(job: Resource, key: str) -> object:
    return inside(job.props, "spec", key)


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == int(value) else None


def _number(text: object) -> int | None:
    """A whole number in a text, as the parameters have it; -1 for any other text."""
    if text is None:
        return None
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 9 else -1  # noqa: PLR2004


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in items(value) if isinstance(one, str))


def _job(one: Resource) -> jobs.Job:
    """The job as far as it is known; `UNKNOWN` fields are left out."""
    task, cron = _spec(one, "task"), _spec(one, "cron")
    parameters = mapping(_spec(one, "parameters"))
    retain = _spec(one, "retain")
    given = mapping(_spec(one, "labels"))
    policy = parameters.get(jobs.POLICY)
    return jobs.Job(
        task=task if isinstance(task, str) else "",
        cron=cron if isinstance(cron, str) else "",
        retain=None if retain is None else _whole(retain) if _whole(retain) is not None else -1,
        concurrency=_whole(_spec(one, "concurrency")) or 0,
        groups=_texts(_spec(one, "groups")),
        labels={str(key): value if isinstance(value, str) else "" for key, value in given.items()},
        full_interval=_number(parameters.get(jobs.FULL_INTERVAL)),
        policy=policy if isinstance(policy, str) else None,
    )


def _unknown_fields(one: Resource) -> set[str]:
    """Fields of which nothing can be said yet, by the names that a fault begins with."""
    parameters = _spec(one, "parameters")
    found = {key for key in ("cron", "retain", "concurrency") if _spec(one, key) is UNKNOWN}
    for key in ("groups", "labels"):
        value = _spec(one, key)
        inner = mapping(value).values() if key == "labels" else items(value)
        if value is UNKNOWN or any(each is UNKNOWN for each in inner):
            found.add(key)
    for key, field in ((jobs.FULL_INTERVAL, "fullBackupInterval"), (jobs.POLICY, "volume")):
        if UNKNOWN in (parameters, mapping(parameters).get(key)):
            found.add("volumeBackupPolicy" if field == "volume" else field)
    return found


def _sound(one: Resource) -> Iterator[str]:
    if UNKNOWN in (one.props.get("spec"), _spec(one, "task")):
        return
    unknown = _unknown_fields(one)
    fields = [fault.partition(":")[0] for fault in jobs.faults(_job(one))]
    for field in dict.fromkeys(fields):
        if field not in unknown:
            yield SAID[field]
    if set(mapping(_spec(one, "parameters"))) - _KNOWN_PARAMETERS:
        yield "has a parameter that Longhorn does not know"


def _named(one: Resource) -> Iterator[str]:
    name, inner = object_name(one), _spec(one, "name")
    if isinstance(name, str) and jobs.name_fault(name):
        yield "has a name that Longhorn would change, or that means something else in a label"
    if UNKNOWN not in (name, inner) and inner is not None and inner != name:
        yield "has another name in its spec than in its metadata"


def _declared(resources: Sequence[Resource]) -> Mapping[str, jobs.Job] | None:
    """The jobs by name; None if one of them may turn out to be another."""
    found = {}
    for one in of_type(resources, RECURRING_JOB):
        name = object_name(one)
        decides = (one.props.get("spec"), _spec(one, "task"), _spec(one, "groups"))
        if name is UNKNOWN or UNKNOWN in (*decides, *items(decides[2])):
            return None
        if isinstance(name, str):
            found[name] = _job(one)
    return found


def _default_group(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    declared = _declared(resources)
    if declared is None or any(
        one.backs_up and jobs.DEFAULT_GROUP in one.groups for one in declared.values()
    ):
        return
    # Said once, of the target that nothing goes to, or else of a job.
    concerned = [one for one in resources if one.type in BACKUP_TARGETS or _has_target(one)]
    for one in (concerned or of_type(resources, RECURRING_JOB))[:1]:
        yield one, "goes with no backup job in the group default, where unlabelled volumes are"


def _has_target(release: Resource) -> bool:
    url = setting(release, "defaultBackupStore", "backupTarget")
    return is_longhorn(release) and isinstance(url, str) and bool(url)


def _selector(text: object) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Jobs and groups of a recurringJobSelector, None if it cannot be read."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in found
    ):
        return None
    return (
        tuple(one["name"] for one in found if one.get("isGroup") is not True),
        tuple(one["name"] for one in found if one.get("isGroup") is True),
    )


def _class_served(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    declared = _declared(resources)
    targets = [object_name(one) for one in resources if one.type in BACKUP_TARGETS]
    for one in of_type(resources, STORAGE_CLASS):
        if one.props.get("provisioner") != LONGHORN_DRIVER:
            continue
        text = inside(one.props, "parameters", "recurringJobSelector")
        if text is not None and text is not UNKNOWN and text != "":
            chosen = _selector(text)
            if chosen is None:
                yield one, "has a recurringJobSelector that is no list of names in JSON"
            elif declared and any(jobs.binding_faults(declared, *chosen)):
                yield one, "gives new volumes jobs or groups that back nothing up"
        target = inside(one.props, "parameters", "backupTargetName")
        known = targets and UNKNOWN not in (target, *targets)
        if known and target not in (None, DEFAULT_TARGET, *targets):
            yield one, "puts new volumes' backups into a target that this stack does not declare"


def _labels_served(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    declared = _declared(resources)
    for one in resources:
        labels = mapping(inside(one.props, "metadata", "labels"))
        chosen = [key for key in labels if key.startswith((JOB_PREFIX, GROUP_PREFIX))]
        wanted = [key for key in chosen if key != SOURCE]
        if one.type not in CLAIMS or not wanted:
            continue
        if labels.get(SOURCE) not in ("enabled", UNKNOWN):
            yield one, "has job labels that do not count without the label recurring-job source"
        if UNKNOWN in [labels[key] for key in wanted] or not declared:
            continue
        names = tuple(k.removeprefix(JOB_PREFIX) for k in wanted if k.startswith(JOB_PREFIX))
        groups = tuple(k.removeprefix(GROUP_PREFIX) for k in wanted if k.startswith(GROUP_PREFIX))
        if any(jobs.binding_faults(declared, names, groups)):
            yield one, "has labels of jobs or groups that back nothing up"


def _drilled(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    if may_drill(resources, "longhorn"):
        return
    saving = [one for one in of_type(resources, RECURRING_JOB) if _job(one).backs_up]
    # Said once: one drill takes the backups of all of them.
    for one in saving[:1]:
        yield one, "makes backups that no drill rebuilds, so nobody knows whether they can be"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="longhorn-job-sound",
        title="A recurring job does what it says",
        why="Longhorn takes values that it then changes or ignores, and a job that fails looks "
        "like one that succeeded.",
        remedy="correct the field by the rules in docs/longhorn.md",
        severity="high",
        types=frozenset({RECURRING_JOB}),
        check=_sound,
    ),
    ResourceRule(
        name="longhorn-job-name",
        title="A recurring job keeps its name",
        why="Longhorn changes long names and capitals, and knows a job's backups by its name: "
        "those of another name are never removed.",
        remedy="use 2 to 40 small letters, digits and hyphens, the same in metadata and spec",
        severity="high",
        types=frozenset({RECURRING_JOB}),
        check=_named,
    ),
    StackRule(
        name="longhorn-default-group",
        title="A backup job serves the group default",
        why="Every volume without a label of its own is in that group, and in no other.",
        remedy="declare a RecurringJob of task backup with the group default",
        severity="critical",
        types=frozenset({RECURRING_JOB, RELEASE}) | BACKUP_TARGETS,
        check=_default_group,
    ),
    StackRule(
        name="longhorn-class-served",
        title="A class of Longhorn gives its volumes jobs that back them up",
        why="With any job or group a volume leaves the group default, be it for a name that "
        "nobody serves.",
        remedy="name a backup job or a group that one serves, and a target of the stack",
        severity="critical",
        types=frozenset({RECURRING_JOB, STORAGE_CLASS}) | BACKUP_TARGETS,
        check=_class_served,
    ),
    StackRule(
        name="longhorn-labels-served",
        title="A claim's job labels count, and lead to a backup",
        why="Without the label that makes them count Longhorn takes them back; with one label "
        "that no backup job serves the volume has no backups at all.",
        remedy=f"set {SOURCE} to enabled, and name a backup job or a group that one serves",
        severity="critical",
        types=frozenset({RECURRING_JOB}) | CLAIMS,
        check=_labels_served,
    ),
    StackRule(
        name="longhorn-drilled",
        title="Longhorn's backups are drilled",
        why="A backup that was not restored and compared does not count as one.",
        remedy="declare the drill longhorn, which is on unless drills.longhorn.enabled is false",
        severity="high",
        types=frozenset({RECURRING_JOB, LOCAL}),
        check=_drilled,
    ),
)
