"""Schedules: when which backup is made. Everything is explicit, so that no default drifts.

Each backup carries a label with the digest of the template it was made from, by which a backup of
today's template is told from an older one.
"""

from typing import Any

from components.settings.velero import Schedule, Selector, Velero
from components.velero import filters, volume_policy
from components.velero.digest import digest
from components.velero.hooks import specification as hook_specification
from kube.marks import SITE_LABEL

KIND = "Schedule"
TEMPLATE_LABEL = "backstop-template"


def _selector(selector: Selector) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if selector.match_labels:
        found["matchLabels"] = dict(selector.match_labels)
    if selector.match_expressions:
        found["matchExpressions"] = [
            {"key": one.key, "operator": one.operator}
            | ({"values": list(one.values)} if one.values else {})
            for one in selector.match_expressions
        ]
    return found


def _filters(velero: Velero, schedule: Schedule) -> dict[str, Any]:
    excluded = (*velero.excluded_namespaces, *schedule.excluded_namespaces)
    found: dict[str, Any] = {
        "includedNamespaces": list(schedule.included_namespaces) or [filters.EVERYTHING],
        "excludedNamespaces": filters.excluded_namespaces(
            schedule.included_namespaces, excluded, velero.namespace
        ),
    }
    if schedule.scoped:
        scoped = {
            "includedClusterScopedResources": schedule.included_cluster_scoped_resources,
            "excludedClusterScopedResources": schedule.excluded_cluster_scoped_resources,
            "includedNamespaceScopedResources": schedule.included_namespace_scoped_resources,
            "excludedNamespaceScopedResources": schedule.excluded_namespace_scoped_resources,
        }
        found |= {key: list(value) for key, value in scoped.items() if value}
    else:
        found |= _unscoped(velero, schedule)
    if schedule.label_selector is not None:
        found["labelSelector"] = _selector(schedule.label_selector)
    if schedule.or_label_selectors:
        found["orLabelSelectors"] = [_selector(one) for one in schedule.or_label_selectors]
    return found


def _unscoped(velero: Velero, schedule: Schedule) -> dict[str, Any]:
    included = schedule.included_resources
    excluded = schedule.excluded_resources
    if excluded is None:
        excluded = tuple(one for one in velero.excluded_resources if one not in included)
    found: dict[str, Any] = {"includedResources": list(included) or [filters.EVERYTHING]}
    if excluded:
        found["excludedResources"] = list(excluded)
    if schedule.include_cluster_resources is not None:
        found["includeClusterResources"] = schedule.include_cluster_resources
    return found


def _volumes(velero: Velero, schedule: Schedule) -> dict[str, Any]:
    def chosen(own: bool | None, general: bool) -> bool:
        return general if own is None else own

    found: dict[str, Any] = {
        "snapshotMoveData": chosen(schedule.snapshot_move_data, velero.snapshot_move_data),
        "defaultVolumesToFsBackup": chosen(
            schedule.default_volumes_to_fs_backup, velero.default_volumes_to_fs_backup
        ),
    }
    if schedule.snapshot_volumes is not None:
        found["snapshotVolumes"] = schedule.snapshot_volumes
    if schedule.volume_policy:
        found["resourcePolicy"] = {"kind": "configmap", "name": volume_policy.CONFIG_MAP}
    return found


def _hooks(velero: Velero, schedule: Schedule) -> list[dict[str, Any]]:
    """The workload hooks of namespaces that the schedule takes in."""
    return [
        hook_specification(
            name,
            one.kind,
            namespaces=one.namespaces,
            selector=one.selector,
            container=one.container,
            path=one.path,
            timeout=one.timeout,
        )
        for name, one in velero.hooks.items()
        if any(filters.selects(schedule.included_namespaces, each) for each in one.namespaces)
    ]


def template(velero: Velero, schedule: Schedule, site: str) -> dict[str, Any]:
    """`spec.template` of a schedule, which is the `spec` of its backups."""
    found = {
        "storageLocation": velero.location.name,
        "ttl": schedule.ttl,
        "csiSnapshotTimeout": schedule.csi_snapshot_timeout,
        "itemOperationTimeout": schedule.item_operation_timeout,
        **_filters(velero, schedule),
        **_volumes(velero, schedule),
    }
    if schedule.ordered_resources:
        found["orderedResources"] = dict(schedule.ordered_resources)
    hooks = _hooks(velero, schedule)
    if hooks:
        found["hooks"] = {"resources": hooks}
    # Without labels of its own a backup would get the schedule's, those of tools included.
    labels = {**schedule.labels, SITE_LABEL: site, TEMPLATE_LABEL: digest(found)}
    return {**found, "metadata": {"labels": labels}}


def specification(velero: Velero, name: str, expression: str, site: str) -> dict[str, Any]:
    """`spec` of the schedule `name`, which starts at the times of `expression`."""
    schedule = velero.schedules[name]
    return {
        "schedule": expression,
        "paused": schedule.paused,
        "skipImmediately": schedule.skip_immediately,
        # True would delete the records of backups together with their schedule.
        "useOwnerReferencesInBackup": False,
        "template": template(velero, schedule, site),
    }


def specifications(velero: Velero, site: str) -> dict[str, dict[str, Any]]:
    """`spec` of every schedule by name; each expression is worked out once."""
    return {
        name: specification(velero, name, expression, site)
        for name, expression in velero.crons().items()
    }
