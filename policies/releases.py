"""Helm releases: a pinned chart, and a Velero that can write, read and keep its backups."""

import re
from collections.abc import Iterator, Sequence

from policies.objects import (
    LOCATION,
    RELEASE,
    SCHEDULE,
    SECRET,
    image_parts,
    is_velero,
    neighbours,
    object_name,
    of_type,
    plugin_images,
    secret_texts,
    servers,
    setting,
)
from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, StackRule, inside, is_set, is_true

AWS_PLUGIN = "velero-plugin-for-aws"
CSI_PLUGIN = "velero-plugin-for-csi"
# These write objects with a checksum that S3 servers other than Amazon's refuse or store as data.
PLUGINS_UNFIT_FOR_OTHER_STORES = frozenset({"v1.14.1", "v1.14.2"})
# Version 1.N of the plugin is built for version 1.(N+4) of the server.
MINORS_APART = 4

REPOSITORY_SECRET = "velero-repo-credentials"  # noqa: S105  (the object's name)
REPOSITORY_KEY = "repository-password"
PASSWORD_LENGTH_MIN = 20


def _on_disk(chart: str) -> bool:
    """Whether it is a path; one slash alone may also stand between a repository and its chart."""
    if chart.startswith("oci://"):
        return False
    return chart.startswith((".", "/")) or chart.endswith(".tgz") or chart.count("/") > 1


def _chart_pinned(release: Resource) -> Iterator[str]:
    chart, version = release.props.get("chart"), release.props.get("version")
    if not isinstance(chart, str) or version is UNKNOWN:
        return
    if _on_disk(chart):
        return  # it is the version it is
    if not (isinstance(version, str) and re.fullmatch(r"v?\d+\.\d+\.\d+([-+].*)?", version)):
        yield "does not name one version of its chart"


def _no_csi_plugin(release: Resource) -> Iterator[str]:
    if is_velero(release) and any(
        image_parts(image)[0] == CSI_PLUGIN for image in plugin_images(release)
    ):
        yield "installs the CSI plugin, which is part of the server since 1.14 and stops it twice"


def _minor(tag: object) -> int | None:
    found = re.match(r"v?1\.(\d+)", tag) if isinstance(tag, str) else None
    return int(found[1]) if found else None


def _plugin_fits_server(release: Resource) -> Iterator[str]:
    if not is_velero(release):
        return
    server = _minor(setting(release, "image", "tag"))
    for repository, tag, _ in map(image_parts, plugin_images(release)):
        plugin = _minor(tag)
        if repository != AWS_PLUGIN or server is None or plugin is None:
            continue
        if server - plugin != MINORS_APART:
            yield "pairs a server and a plugin for AWS of different release lines"


def _speaks_to_other_stores(location: Resource) -> bool:
    return is_set(inside(location.props, "spec", "config", "s3Url"))


def _plugin_fits_store(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    locations = of_type(resources, LOCATION)
    for release in servers(resources):
        unfit = any(
            repository == AWS_PLUGIN and tag in PLUGINS_UNFIT_FOR_OTHER_STORES
            for repository, tag, _ in map(image_parts, plugin_images(release))
        )
        reached = [one for one in neighbours(release, locations) if _speaks_to_other_stores(one)]
        if unfit and reached:
            yield release, "uses a plugin for AWS that damages backups in a store with an s3Url"


def _keeps_crds(release: Resource) -> Iterator[str]:
    if is_velero(release) and is_true(setting(release, "cleanUpCRDs")):
        yield "sets cleanUpCRDs, with which its removal deletes every backup's record"


def _is_off(value: object) -> bool:
    """Whether it is off or not known yet; a template takes the text "false" for true."""
    return value is UNKNOWN or value is False


def _no_native_snapshots(release: Resource) -> Iterator[str]:
    if is_velero(release) and not _is_off(setting(release, "snapshotsEnabled")):
        yield "leaves snapshotsEnabled on, for which the chart makes a location without a provider"


def _objects_declared(release: Resource) -> Iterator[str]:
    if not is_velero(release):
        return
    if not _is_off(setting(release, "backupsEnabled")):
        yield "lets the chart make storage locations (backupsEnabled), which no rule sees"
    schedules = setting(release, "schedules")
    if schedules is not UNKNOWN and schedules:
        yield "lets the chart make schedules, which no rule sees"
    if release.props.get("valueYamlFiles"):
        yield "takes values from files, which no rule sees"


def _resources_set(release: Resource) -> Iterator[str]:
    if not is_velero(release):
        return
    parts: list[tuple[str, tuple[str, ...]]] = [("the server", ("resources",))]
    if is_true(setting(release, "deployNodeAgent")):
        parts.append(("the node agent", ("nodeAgent", "resources")))
    for part, path in parts:
        wanted = [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")]
        missing = [" ".join(w) for w in wanted if not is_set(setting(release, *path, *w))]
        if missing:
            yield f"sets no {', '.join(missing)} for {part}"


def _password_problem(secret: Resource) -> str | None:
    held = dict(secret_texts(secret))
    unknown = UNKNOWN in (secret.props.get("data"), secret.props.get("stringData"))
    password = held.get(REPOSITORY_KEY, UNKNOWN if unknown else None)
    if password is UNKNOWN:
        return None
    if not isinstance(password, str) or len(password) < PASSWORD_LENGTH_MIN:
        return f"holds no password of {PASSWORD_LENGTH_MIN} or more characters"
    return None


def _repository_password(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for release in servers(resources):
        near = neighbours(release, of_type(resources, SECRET))
        own = [s for s in near if object_name(s) == REPOSITORY_SECRET]
        if not own and not any(object_name(s) is UNKNOWN for s in near):
            yield release, "comes without a password for its repositories, so it takes a known one"
        for secret in own:
            problem = _password_problem(secret)
            if problem:
                yield secret, problem


def _on(release: Resource, name: str, schedule: Resource, own: str) -> bool:
    """Whether a schedule certainly asks for it, by itself or by its server's default."""
    asked = inside(schedule.props, "spec", "template", own)
    return is_true(setting(release, "configuration", name) if asked is None else asked)


def _node_agent(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for release in servers(resources):
        deployed = setting(release, "deployNodeAgent")
        schedules = neighbours(release, of_type(resources, SCHEDULE))
        needed = any(
            _on(release, "defaultSnapshotMoveData", s, "snapshotMoveData")
            or _on(release, "defaultVolumesToFsBackup", s, "defaultVolumesToFsBackup")
            for s in schedules
        )
        if needed and deployed is not UNKNOWN and not is_true(deployed):
            yield release, "has no node agent, without which nobody moves its schedules' volumes"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="release-chart-pinned",
        title="Every release names one version of its chart",
        why="Without a version, or with a range, the same stack installs something else tomorrow.",
        remedy="set version to a full version, or chart to a path such as ./charts/velero",
        severity="high",
        types=frozenset({RELEASE}),
        check=_chart_pinned,
    ),
    ResourceRule(
        name="velero-no-csi-plugin",
        title="Velero runs without the CSI plugin",
        why="The plugin is part of the server since 1.14; registered twice it stops the server.",
        remedy=f"take {CSI_PLUGIN} out of initContainers and keep the feature EnableCSI",
        severity="high",
        types=frozenset({RELEASE}),
        check=_no_csi_plugin,
    ),
    ResourceRule(
        name="velero-plugin-fits-server",
        title="The plugin for AWS is of the server's release line",
        why="Each line of the plugin is built for one line of the server, and others fail late, in "
        "a backup.",
        remedy="use plugin 1.14 with server 1.18, and one less on both sides for each line before",
        severity="high",
        types=frozenset({RELEASE}),
        check=_plugin_fits_server,
    ),
    StackRule(
        name="velero-plugin-fits-store",
        title="The plugin for AWS can write to the store",
        why="Versions 1.14.1 and 1.14.2 send checksums that S3 servers other than Amazon's refuse "
        "or store inside the backup, which cannot be read back.",
        remedy="use v1.14.3 or later",
        severity="critical",
        types=frozenset({RELEASE, LOCATION}),
        check=_plugin_fits_store,
    ),
    ResourceRule(
        name="velero-keeps-crds",
        title="Removing Velero leaves its records",
        why="cleanUpCRDs deletes backups, restores and locations, also those of other releases.",
        remedy="set cleanUpCRDs to False",
        severity="critical",
        types=frozenset({RELEASE}),
        check=_keeps_crds,
    ),
    ResourceRule(
        name="velero-no-native-snapshots",
        title="Velero declares no volume snapshot location",
        why="Volumes are saved by CSI snapshots or by the node agent; the chart's default location "
        "has no provider and is refused.",
        remedy="set snapshotsEnabled to False",
        severity="medium",
        types=frozenset({RELEASE}),
        check=_no_native_snapshots,
    ),
    ResourceRule(
        name="velero-objects-declared",
        title="Locations and schedules are resources of the stack",
        why="What the chart makes is in no preview, and no rule or gate looks at it.",
        remedy="set backupsEnabled to False, leave schedules and value files out, and declare "
        "them as resources",
        severity="high",
        types=frozenset({RELEASE}),
        check=_objects_declared,
    ),
    ResourceRule(
        name="velero-resources-set",
        title="Velero's server and node agent have resources",
        why="The chart sets none, and a pod that is killed for memory leaves a failed backup.",
        remedy="set requests for cpu and memory and a limit for memory",
        severity="medium",
        types=frozenset({RELEASE}),
        check=_resources_set,
    ),
    StackRule(
        name="velero-repository-password",
        title="The repositories' password is the stack's own",
        why="If it finds none the server takes one that everybody knows, and a password changed "
        "after the first backup locks all volume backups out.",
        remedy=f"declare the Secret {REPOSITORY_SECRET} with a random {REPOSITORY_KEY} before the "
        "release",
        severity="critical",
        types=frozenset({RELEASE, SECRET}),
        check=_repository_password,
    ),
    StackRule(
        name="velero-node-agent",
        title="A node agent runs where volumes are moved",
        why="Without one, moved snapshots and file-system backups wait until they time out.",
        remedy="set deployNodeAgent to True",
        severity="high",
        types=frozenset({RELEASE, SCHEDULE}),
        check=_node_agent,
    ),
)
