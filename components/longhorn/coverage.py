"""Whether jobs and classes of the config fit the cluster that was seen; pure rules."""

from collections.abc import Iterable, Iterator

from components.longhorn.objects import SOURCE_LABEL
from components.settings.longhorn import Longhorn, VolumeBinding
from kube.facts import ClusterFacts
from kube.longhorn.jobs import GROUP_PREFIX, JOB_PREFIX, Job, backing_up
from kube.longhorn.seen import SeenLonghorn

_KEY = "config backstop:longhorn"


def findings(longhorn: Longhorn, site: str, seen: SeenLonghorn) -> list[str]:
    """Reasons not to begin: names that others have."""
    return list(_job_findings(longhorn, site, seen))


def _job_findings(longhorn: Longhorn, site: str, seen: SeenLonghorn) -> Iterator[str]:
    for name in longhorn.jobs:
        if name in seen.job_sites and seen.job_sites[name] != site:
            yield (
                f"{_KEY}.jobs.{name}: the cluster has a job of that name which is not this "
                "site's; choose another name, or remove that job (volumes lose its label with it)"
            )


def class_findings(longhorn: Longhorn, facts: ClusterFacts) -> Iterator[str]:
    there = {one.name for one in facts.storage_classes}
    for name, one in longhorn.storage_classes.items():
        if name in there and ("StorageClass", "", name) not in facts.ours:
            yield (
                f"{_KEY}.storageClasses.{name}: the cluster has a class of that name which is not "
                "this site's; choose another name"
            )
        if facts.nodes and one.replicas > len(facts.nodes):
            yield (
                f"{_KEY}.storageClasses.{name}.replicas: {one.replicas} replicas need as many "
                f"nodes, and the cluster has {len(facts.nodes)}; give {len(facts.nodes)} or fewer"
            )
        if one.default:
            yield from _second_default(name, facts)


def _second_default(name: str, facts: ClusterFacts) -> Iterator[str]:
    others = [one.name for one in facts.storage_classes if one.default and one.name != name]
    if others:
        yield (
            f"{_KEY}.storageClasses.{name}.default: {others[0]} is the cluster's default class "
            "already; take that mark away first, or leave default out here"
        )


def warnings(
    longhorn: Longhorn, seen: SeenLonghorn, bound: Iterable[VolumeBinding]
) -> Iterator[str]:
    """Volumes that a label has taken out of the default group into nothing. `bound`: claims of the
    config that get their labels in this run.
    """
    ours = tuple(
        Job(name, one.task, one.cron, frozenset(one.groups), 0, 1, {}, {}, 0)
        for name, one in longhorn.plain_jobs.items()
    )
    known = {one.name for one in ours}
    jobs = (*ours, *(one for one in seen.jobs if one.name not in known))
    named = {(one.namespace, one.claim) for one in bound}
    left = [
        one
        for one in seen.volumes
        if not one.standby and not one.linked_clone and (one.namespace, one.claim) not in named
        if not backing_up(one, jobs)
    ]
    if left:
        labels = [
            key
            for key in left[0].labels
            if key.startswith((JOB_PREFIX, GROUP_PREFIX)) and key != SOURCE_LABEL
        ]
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        yield (
            f"no job backs up volume {left[0].told}{more}: its labels ({', '.join(labels)}) take "
            "it out of the group default; name it under longhorn.volumes, or remove the labels"
        )
