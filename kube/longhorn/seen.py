"""What the program sees of a Longhorn before it changes anything."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import yaml

from kube import marks
from kube.client import Client
from kube.errors import Cause, ClusterError
from kube.longhorn.api import GROUP, Object, labels, listed, metadata, name, text
from kube.longhorn.jobs import Job, job
from kube.longhorn.options import read_option
from kube.longhorn.targets import BackupTarget, backup_target
from kube.longhorn.volumes import Volume, read_volumes

VERSION = "current-longhorn-version"
# Longhorn's chart writes here what its manager is to put back at each of its starts.
_TARGET_MAP, _TARGET_KEY = "longhorn-default-resource", "default-resource.yaml"
_SETTINGS_MAP, _SETTINGS_KEY = "longhorn-default-setting", "default-setting.yaml"
_CLAIMS = "/api/v1/persistentvolumeclaims"


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim, of whatever class."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SeenLonghorn:
    """One installation. `version`: "" where it says none.

    `target_sites`, `job_sites`: whose mark the object of that name bears. `chart_target`,
    `chart_settings`: what its chart says of the target `default` and of settings, by Longhorn's
    names; the manager puts that back whenever it starts. `claims`: all of the cluster.
    """

    version: str = ""
    targets: tuple[BackupTarget, ...] = ()
    target_sites: Mapping[str, str | None] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    jobs: tuple[Job, ...] = ()
    job_sites: Mapping[str, str | None] = field(default_factory=dict)
    chart_target: Mapping[str, str] = field(default_factory=dict)
    chart_settings: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()


def look(client: Client, namespace: str, served: Collection[str]) -> SeenLonghorn | None:
    """The Longhorn in this namespace, None if the cluster does not serve its kinds.

    `served`: "group/version" strings.

    Raises:
        ClusterError: the cluster is not reached, or refuses one of the reads.
    """
    if GROUP not in served:
        return None
    targets = listed(client, namespace, "backuptargets")
    jobs = listed(client, namespace, "recurringjobs")
    return SeenLonghorn(
        version=read_option(client, namespace, VERSION) or "",
        targets=tuple(backup_target(one) for one in targets),
        target_sites={name(one): marks.owner(one) for one in targets},
        volumes=read_volumes(client, namespace),
        jobs=tuple(job(one) for one in jobs),
        job_sites={name(one): marks.owner(one) for one in jobs},
        chart_target=_said(client, namespace, _TARGET_MAP, _TARGET_KEY),
        chart_settings=_said(client, namespace, _SETTINGS_MAP, _SETTINGS_KEY),
        claims=tuple(map(_claim, client.list(_CLAIMS, metadata_only=True))),
    )


def _claim(found: Object) -> Claim:
    return Claim(text(metadata(found), "namespace"), name(found), dict(labels(found)))


def _said(client: Client, namespace: str, called: str, key: str) -> dict[str, str]:
    """The keys and values of a text in a ConfigMap; {} without one, and for what is no YAML."""
    try:
        found = client.get(f"/api/v1/namespaces/{namespace}/configmaps/{called}")
    except ClusterError as error:
        if error.cause is Cause.MISSING:
            return {}
        raise
    text = (found.get("data") or {}).get(key)
    try:
        said = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {str(name): _text(value) for name, value in said.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
