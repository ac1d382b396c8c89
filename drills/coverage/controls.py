"""What the coverage must notice: each function takes something from what was seen of a good site.

They lie about one volume only, and leave the cluster and the store alone. None: the site has
nothing to plant the fault in.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drills.coverage.causes import why_not_taken
from drills.coverage.live import OPT_IN, Key, LastBackup, Live, created, namespace_of
from drills.coverage.scope import Scope
from drills.coverage.survey import Protected, survey
from drills.coverage.volume_info import Method
from drills.verdict import Reason
from kube.velero.api import Object, name


@dataclass(frozen=True)
class CoverageControl:
    """A named fault: what is planted, the reason it must lead to, and how it is planted."""

    name: str
    planted: str
    expected: Reason
    plant: Callable[[Live], Live | None]


def no_volume_data(live: Live) -> Live | None:
    """No backup holds data of a volume that all settings say is saved."""
    for one, claim in _victims(live):
        scope = next(scope for scope in live.scopes if scope.schedule == one.schedule)
        if why_not_taken(live, claim, scope) is None:
            return _without_records(live, (one.namespace, one.claim))
    return None


def scope_lost(live: Live) -> Live | None:
    """A volume's namespace is in no schedule any more."""
    for one, _ in _victims(live):
        schedules = [_without_namespace(schedule, one.namespace) for schedule in live.schedules]
        return replace(live, schedules=schedules)
    return None


def opt_in_lost(live: Live) -> Live | None:
    """A volume that is copied because its pods ask for it: they ask no more, and no copy is."""
    for one, claim in _victims(live):
        key = (one.namespace, one.claim)
        asking = any(mount.opted_in for mount in live.mounts.get(key, ()))
        if one.method is not Method.FILE_SYSTEM or not asking:
            continue
        planted = _without_records(replace(live, pods=_not_asking(live, key)), key)
        if all(why_not_taken(planted, claim, scope) for scope in _taking(planted, one.namespace)):
            return planted
    return None


CONTROLS: tuple[CoverageControl, ...] = (
    CoverageControl("no-volume-data", "the backups hold no data of one volume", Reason.VOLUME_LOST,
                    no_volume_data),
    CoverageControl("scope-lost", "no schedule takes in the namespace of one volume",
                    Reason.UNPROTECTED, scope_lost),
    CoverageControl("opt-in-lost", "the pods of one volume no longer ask for its copy",
                    Reason.UNPROTECTED, opt_in_lost),
)  # fmt: skip


def _victims(live: Live) -> Iterator[tuple[Protected, Object]]:
    """Protected volumes by name, but those of which the survey would rightly say nothing: what is
    excused, and what is newer than the backup and may wait."""
    claims = {(namespace_of(one), name(one)): one for one in live.claims}
    protected = [one for one in survey(live).protected if one.claim]
    for one in sorted(protected, key=lambda one: (one.namespace, one.claim)):
        claim = claims[one.namespace, one.claim]
        made, began = created(claim), live.backups[one.schedule].started
        excused = any(allowed.covers(one.namespace, one.claim) for allowed in live.allowed)
        if not excused and (made is None or made <= began):
            yield one, claim


def _taking(live: Live, namespace: str) -> list[Scope]:
    return [one for one in live.scopes if not one.off and one.takes_namespace(namespace)]


def _without_records(live: Live, key: Key) -> Live:
    def without(backup: LastBackup) -> LastBackup:
        if backup.records is None:
            return backup
        kept = tuple(one for one in backup.records if (one.namespace, one.claim) != key)
        return replace(backup, records=kept)

    return replace(live, backups={called: without(one) for called, one in live.backups.items()})


def _without_namespace(schedule: Object, namespace: str) -> Object:
    spec: Mapping[str, Any] = schedule.get("spec") or {}
    template: Mapping[str, Any] = spec.get("template") or {}
    included = [one for one in template.get("includedNamespaces") or () if one != namespace]
    excluded = [*(template.get("excludedNamespaces") or ()), namespace]
    changed = {**template, "includedNamespaces": included, "excludedNamespaces": excluded}
    return {**schedule, "spec": {**spec, "template": changed}}


def _not_asking(live: Live, key: Key) -> list[Object]:
    mounting = {mount.pod for mount in live.mounts.get(key, ())}
    return [
        _unasked(pod) if namespace_of(pod) == key[0] and name(pod) in mounting else pod
        for pod in live.pods
    ]


def _unasked(pod: Object) -> Object:
    metadata: Mapping[str, Any] = pod.get("metadata") or {}
    notes = {key: one for key, one in (metadata.get("annotations") or {}).items() if key != OPT_IN}
    return {**pod, "metadata": {**metadata, "annotations": notes}}
