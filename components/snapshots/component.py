"""Registers the plan: CRDs, then the controller, then the classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import versions
from components.cluster import Cluster
from components.kube_object import KubeObject
from components.settings import SnapshotClass, Snapshots
from components.snapshots import controller
from components.snapshots.plan import CONTROLLER_RESOURCE, SnapshotPlan, class_resource
from kube import marks
from kube.facts import SNAPSHOT_GROUP, VELERO_CLASS_LABEL

_ESTABLISHED = {"pulumi.com/waitFor": "condition=Established"}


@dataclass
class SnapshotSupportArgs:
    """`plan`: what the preflight decided. `into_store`: what a class of type bak waits for, whose
    snapshots Longhorn can take only when its backup target is available.
    """

    site: str
    settings: Snapshots
    plan: SnapshotPlan
    cluster: Cluster
    into_store: Sequence[pulumi.Resource] = ()


def crd_manifest(document: Mapping[str, Any], site: str) -> dict[str, Any]:
    """The CRD with the site's mark; the update waits until the API serves it.

    Only what its author declares is kept: a `status` or the server's own fields in a file that was
    read from a cluster would be changes for ever.
    """
    given = document["metadata"]
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": {
            "name": given["name"],
            "labels": {**(given.get("labels") or {}), **marks.labels(site)},
            "annotations": {**(given.get("annotations") or {}), **_ESTABLISHED},
        },
        "spec": document["spec"],
    }


def class_manifest(declared: SnapshotClass, site: str) -> dict[str, Any]:
    """The VolumeSnapshotClass as the API takes it."""
    # Velero looks whether the label is there; its value is a string for the API's sake.
    chosen = {VELERO_CLASS_LABEL: "true"} if declared.default else {}
    parameters = {"parameters": {"type": declared.kind}} if declared.kind else {}
    return {
        "apiVersion": f"{SNAPSHOT_GROUP}/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": declared.name, "labels": {**marks.labels(site), **chosen}},
        "driver": declared.driver,
        "deletionPolicy": declared.deletion_policy,
        **parameters,
    }


class SnapshotSupport(pulumi.ComponentResource):
    """CSI snapshots of a cluster. `ready`: what a backup with snapshots has to wait for."""

    ready: list[pulumi.Resource]

    def __init__(
        self, name: str, args: SnapshotSupportArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:SnapshotSupport", name, None, opts)
        self._args = args
        # With the CRDs would go every snapshot in the cluster.
        crds = [
            self._object(
                crd["metadata"]["name"], crd_manifest(crd, args.site), retain_on_delete=True
            )
            for crd in args.plan.crds
        ]
        running = self._controller(crds) if args.plan.controller else []
        # All in a class is fixed once it is made, and two labelled ones at a time are wrong.
        classes = [
            self._object(
                class_resource(declared.name),
                class_manifest(declared, args.site),
                [*crds, *(args.into_store if declared.kind == "bak" else ())],
                delete_before_replace=True,
            )
            for declared in args.plan.classes
        ]
        self.ready = [*crds, *running, *classes]
        self.register_outputs({})

    def _controller(self, crds: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        settings = self._args.settings
        image = settings.image or versions.image(CONTROLLER_RESOURCE)
        *account, running = controller.manifests(self._args.site, image, settings.replicas)
        needed = [self._object(f"{one['metadata']['name']}-{one['kind']}", one) for one in account]
        return [self._object(CONTROLLER_RESOURCE, running, [*crds, *needed])]

    def _object(
        self,
        name: str,
        manifest: Mapping[str, Any],
        after: Sequence[pulumi.Resource] = (),
        **options: Any,  # noqa: ANN401  (whatever ResourceOptions takes)
    ) -> pulumi.Resource:
        held = self._args.cluster.options(
            self, taken_over=(name, manifest), depends_on=list(after), **options
        )
        return KubeObject(name, manifest, held)
