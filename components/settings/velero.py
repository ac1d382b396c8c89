"""Settings of Velero: chart, images, location, schedules, volumes. Absent means no Velero.

A profile (components/velero/profiles.py) is laid under what the config says before it is checked.
Times are texts as Go writes them ("720h" and, in full, "720h0m0s"); cron expressions are in UTC.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from components import versions
from components.settings.base import AbsolutePath, Model, Name
from components.velero import cron, durations, filters, hooks, profiles, stagger
from components.velero.sizes import Size
from components.velero.volume_policy import Rule

# Backups older than two intervals: one may fail and another one is still there.
INTERVALS_TO_KEEP = 2
# The node agents' plugin line that 1.18 takes writes unreadable or refused objects to stores that
# are not Amazon's in these two versions.
BROKEN_PLUGINS = frozenset({"v1.14.1", "v1.14.2"})
CHART_REPOSITORY = "https://vmware-tanzu.github.io/helm-charts"

Duration = Annotated[str, StringConstraints(max_length=40)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9.:/_-]*$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?\[\]!.-]+$")]
Resource = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z0-9][a-z0-9.-]*)$")]
LabelKey = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"),
]
LabelValue = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
]


class Image(Model):
    """A container image; `digest` wins over `tag`."""

    repository: Reference
    tag: Tag
    digest: Digest | None = None
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"

    @property
    def reference(self) -> str:
        return (
            f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"
        )


def _image(name: str) -> Image:
    repository, _, tag = versions.image(name).rpartition(":")
    return Image(repository=repository, tag=tag)


class Chart(Model):
    """The official chart of a repository, or a folder of the checkout (`path`)."""

    path: str | None = None
    repository: Annotated[str, StringConstraints(pattern=r"^(https|oci)://")] | None = None
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*$")]

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        given = {"version": versions.chart("velero"), **value}
        return given if given.get("path") else {"repository": CHART_REPOSITORY, **given}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.path is not None and self.repository is not None:
            raise ValueError("give either path or repository, and only one of them")
        return self

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith(("/", "~")) or ".." in value.split("/")):
            raise ValueError(
                f"{value} is not below the project's folder; another checkout would not find it, "
                "so give a path such as standins/charts/velero"
            )
        return value


class FormerLocation(Model):
    """A location that still holds backups which have not expired; nothing new is written to it."""

    name: Name
    prefix: str = ""


class Location(Model):
    """Where backups go: the bucket of the store's client `velero`, below `prefix`.

    Name and prefix are part of every backup's identity. To change the prefix, give the location a
    new name as well and put the former one under `former` until its backups have expired. One
    without a prefix has the bucket to itself, for Velero refuses foreign folders beside its own.
    """

    name: Name = "default"
    prefix: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]*(/|$))*$")] = ""
    public_url: Annotated[str, StringConstraints(pattern=r"^https://[^/]+$")] | None = None
    checksum_algorithm: Literal["CRC32", "CRC32C", "SHA1", "SHA256", ""] = "CRC32"
    # Half the default: an `up` waits for a check that is younger than what it changed.
    validation_frequency: Duration = "30s"
    backup_sync_period: Duration = "1m0s"
    former: tuple[FormerLocation, ...] = ()

    @field_validator("prefix")
    @classmethod
    def _folder(cls, value: str) -> str:
        if value.endswith("/"):
            raise ValueError(f"{value} ends with a slash; leave the slash out")
        return value

    @field_validator("validation_frequency", "backup_sync_period")
    @classmethod
    def _duration(cls, value: str) -> str:
        return durations.canonical(value)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen_names, seen_prefixes = {self.name}, {self.prefix}
        for index, one in enumerate(self.former):
            for other in seen_prefixes - {one.prefix}:
                if _inside(one.prefix, other) or _inside(other, one.prefix):
                    raise ValueError(
                        f"former.{index}.prefix: {one.prefix or 'the whole bucket'} and "
                        f"{other or 'the whole bucket'} lie in each other, and Velero refuses a "
                        "location that holds another one's folder; a location without a prefix "
                        "has its bucket to itself"
                    )
            if one.name in seen_names:
                raise ValueError(
                    f"former.{index}.name: {one.name} names two locations; a location that moves "
                    "needs a new name, or its backups would point at other data"
                )
            if one.prefix in seen_prefixes:
                raise ValueError(
                    f"former.{index}.prefix: two locations hold the same folder of the bucket; "
                    "each needs its own"
                )
            seen_names.add(one.name)
            seen_prefixes.add(one.prefix)
        return self


def _inside(inner: str, outer: str) -> bool:
    """Whether the folder `inner` lies in the folder `outer`; "" is the whole bucket."""
    return not outer or inner.startswith(f"{outer}/")


class Expression(Model):
    """One expression of a label selector."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[LabelValue, ...] = ()

    @model_validator(mode="after")
    def _values(self) -> Self:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise ValueError(
                f"{self.operator} with {len(self.values)} values; In and NotIn need some, Exists "
                "and DoesNotExist none"
            )
        return self


class Selector(Model):
    """A label selector as Kubernetes has it."""

    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    match_expressions: tuple[Expression, ...] = ()


class Schedule(Model):
    """Backups at the times of `cron`, each kept for `ttl`.

    `included_namespaces` empty takes every one. A switch left out takes Velero's own default, which
    the settings above it decide.
    """

    cron: str
    ttl: Duration = "720h0m0s"
    paused: bool = False
    skip_immediately: bool = False
    included_namespaces: tuple[Pattern, ...] = ()
    excluded_namespaces: tuple[Pattern, ...] = ()
    included_resources: tuple[Resource, ...] = ()
    excluded_resources: tuple[Resource, ...] | None = None
    include_cluster_resources: bool | None = None
    included_cluster_scoped_resources: tuple[Resource, ...] = ()
    excluded_cluster_scoped_resources: tuple[Resource, ...] = ()
    included_namespace_scoped_resources: tuple[Resource, ...] = ()
    excluded_namespace_scoped_resources: tuple[Resource, ...] = ()
    label_selector: Selector | None = None
    or_label_selectors: tuple[Selector, ...] = ()
    ordered_resources: dict[Resource, str] = Field(default_factory=dict)
    snapshot_volumes: bool | None = None
    snapshot_move_data: bool | None = None
    default_volumes_to_fs_backup: bool | None = None
    volume_policy: bool = True
    csi_snapshot_timeout: Duration = "10m0s"
    item_operation_timeout: Duration = "4h0m0s"
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str) -> str:
        cron.parse(value)
        return value

    @field_validator("ttl", "csi_snapshot_timeout", "item_operation_timeout")
    @classmethod
    def _duration(cls, value: str) -> str:
        return durations.canonical(value)

    @property
    def scoped(self) -> bool:
        """Whether the newer filters are used, which Velero refuses beside the older ones."""
        return bool(
            self.included_cluster_scoped_resources
            or self.excluded_cluster_scoped_resources
            or self.included_namespace_scoped_resources
            or self.excluded_namespace_scoped_resources
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        interval = cron.parse(self.cron).longest_gap
        if durations.seconds(self.ttl) < INTERVALS_TO_KEEP * interval:
            raise ValueError(
                f"ttl: {self.ttl} is less than two intervals ({durations.spoken(interval)} each), "
                "so that one failed backup leaves none to restore; keep them for "
                f"{durations.spoken(INTERVALS_TO_KEEP * interval)} or more"
            )
        old = self.included_resources or self.excluded_resources
        if self.scoped and (old or self.include_cluster_resources is not None):
            raise ValueError(
                "includedResources, excludedResources and includeClusterResources cannot stand "
                "beside the filters by scope; use one kind"
            )
        if self.label_selector and self.or_label_selectors:
            raise ValueError("labelSelector and orLabelSelectors exclude each other; give one")
        if filters.EVERYTHING in self.excluded_namespaces:
            raise ValueError("excludedNamespaces: * leaves nothing to back up; name namespaces")
        if filters.EVERYTHING in self.included_namespaces and len(self.included_namespaces) > 1:
            raise ValueError("includedNamespaces: * stands beside others; give it alone, or them")
        both = sorted(set(self.included_namespaces) & set(self.excluded_namespaces))
        if both:
            raise ValueError(f"excludedNamespaces: {both[0]} is included too; name it once")
        return self


class WorkloadHook(Model):
    """Makes a workload consistent before its volume is taken; see components/velero/hooks.py."""

    kind: hooks.Kind
    namespaces: Annotated[tuple[Name, ...], Field(min_length=1)]
    selector: dict[LabelKey, LabelValue]
    container: Name
    path: AbsolutePath | None = None
    timeout: Duration = "10m0s"

    @field_validator("timeout")
    @classmethod
    def _duration(cls, value: str) -> str:
        return durations.canonical(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.selector:
            raise ValueError("selector: is empty; give the labels of the workload's pods")
        hooks.check(self.kind, self.path)
        return self


class Velero(Model):
    """Velero and everything it runs with."""

    profile: str = "none"
    namespace: Name = "velero"
    chart: Chart = Field(default_factory=lambda: Chart.model_validate({}))
    image: Image = Field(default_factory=lambda: _image("velero"))
    plugin_image: Image = Field(default_factory=lambda: _image("velero-plugin-for-aws"))
    resources: Size = "small"
    csi: Literal["auto", "on", "off"] = "auto"
    node_agent: Literal["auto", "on", "off"] = "auto"
    kubelet_root: AbsolutePath = "/var/lib/kubelet"
    snapshot_move_data: bool = False
    default_volumes_to_fs_backup: bool = False
    # StorageClass of the volume that a data mover reads from, by StorageClass of the source.
    data_mover_classes: dict[str, str] = Field(default_factory=dict)
    excluded_namespaces: tuple[Pattern, ...] = filters.EXCLUDED_NAMESPACES
    excluded_resources: tuple[Resource, ...] = filters.EXCLUDED_RESOURCES
    location: Location = Location()
    schedules: dict[Name, Schedule] = Field(default_factory=dict)
    volume_policy: tuple[Rule, ...] = ()
    hooks: dict[Name, WorkloadHook] = Field(default_factory=dict)
    first_backup: str = "auto"
    default_ttl: Duration = "720h0m0s"
    fs_backup_timeout: Duration = "4h0m0s"
    item_operation_timeout: Duration = "4h0m0s"
    data_mover_prepare_timeout: Duration = "2h0m0s"
    garbage_collection_frequency: Duration = "1h0m0s"
    # Requests a second of the server to the API server; a restore has about half as many objects.
    client_qps: Annotated[int, Field(ge=1, le=10_000)] | None = None
    install_seconds: Annotated[int, Field(ge=60)] = 900
    available_seconds: Annotated[int, Field(ge=10)] = 180
    first_backup_seconds: Annotated[int, Field(ge=60)] = 3600

    @model_validator(mode="before")
    @classmethod
    def _profile(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return profiles.merged(str(value.get("profile", "none")), value)

    @field_validator("image", "plugin_image", mode="before")
    @classmethod
    def _image_defaults(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Mapping):
            return value
        name = "velero" if info.field_name == "image" else "velero-plugin-for-aws"
        return {**_image(name).model_dump(by_alias=True), **value}

    @field_validator(
        "default_ttl",
        "fs_backup_timeout",
        "item_operation_timeout",
        "data_mover_prepare_timeout",
        "garbage_collection_frequency",
    )
    @classmethod
    def _duration(cls, value: str) -> str:
        return durations.canonical(value)

    @field_validator("plugin_image")
    @classmethod
    def _sound_plugin(cls, value: Image) -> Image:
        if value.tag in BROKEN_PLUGINS:
            raise ValueError(
                f"{value.tag} stores backups that stores other than Amazon's refuse or cannot give "
                f"back; use {_image('velero-plugin-for-aws').tag}"
            )
        return value

    def volume_copies(self) -> str | None:
        """The key that makes Velero copy volumes through the node agent; None if none does."""
        if self.snapshot_move_data:
            return "snapshotMoveData"
        if self.default_volumes_to_fs_backup:
            return "defaultVolumesToFsBackup"
        for name, schedule in self.schedules.items():
            if schedule.snapshot_move_data:
                return f"schedules.{name}.snapshotMoveData"
            if schedule.default_volumes_to_fs_backup:
                return f"schedules.{name}.defaultVolumesToFsBackup"
        for index, rule in enumerate(self.volume_policy):
            if rule.action == "fs-backup":
                return f"volumePolicy.{index}"
        return None

    @property
    def moves_data(self) -> bool:
        """Whether backups send snapshots to the store itself; all that snapshot, or none."""
        return self.snapshot_move_data or any(
            schedule.snapshot_move_data for schedule in self.schedules.values()
        )

    def snapshots_volumes(self, *, classes: bool) -> bool:
        """Whether Velero takes CSI snapshots. `classes`: the site declares snapshot classes."""
        return self.csi == "on" or (self.csi == "auto" and classes)

    @property
    def wants_node_agent(self) -> bool:
        return self.node_agent == "on" or (
            self.node_agent == "auto" and self.volume_copies() is not None
        )

    def crons(self) -> dict[str, str]:
        """The expression of each schedule, spread so that no two start in the same minute."""
        return stagger.spread({name: one.cron for name, one in self.schedules.items()})

    def first_backup_schedule(self) -> str | None:
        """The schedule whose backup the first `up` makes at once; None for none."""
        if self.first_backup == "off":
            return None
        if self.first_backup != "auto":
            return self.first_backup
        running = [name for name, schedule in self.schedules.items() if not schedule.paused]
        return running[0] if running else None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        needing = self.volume_copies()
        if self.node_agent == "off" and needing:
            raise ValueError(f"nodeAgent: is off, but {needing} needs it; leave it on auto")
        if self.csi == "off" and self.moves_data:
            raise ValueError("csi: is off, but snapshotMoveData needs snapshots; leave it on auto")
        self._moves_all_or_none()
        if self.first_backup not in ("auto", "off", *self.schedules):
            raise ValueError(f"firstBackup: {self.first_backup} is no schedule; name one of them")
        for name, schedule in self.schedules.items():
            if self.namespace in filters.plain_names(schedule.included_namespaces):
                raise ValueError(
                    f"schedules.{name}.includedNamespaces: {self.namespace} is Velero's own, and a "
                    "backup that holds it spoils the restore of volumes; take it out"
                )
        try:
            self.crons()
        except cron.CronError as error:
            raise ValueError(f"schedules.{error}") from None
        return self

    def _moves_all_or_none(self) -> None:
        """One snapshot class per driver serves either a data mover or backups without one."""
        for name, schedule in self.schedules.items():
            moves = self.snapshot_move_data
            if schedule.snapshot_move_data is not None:
                moves = schedule.snapshot_move_data
            if self.moves_data and not moves and schedule.snapshot_volumes is not False:
                raise ValueError(
                    f"schedules.{name}.snapshotMoveData: is false while others move their data, "
                    "and one snapshot class cannot serve both; set it for all, or snapshotVolumes "
                    "false here"
                )


def site_fault(
    velero: Velero, *, cluster: bool, client: bool, passphrase: bool, classes: bool
) -> str | None:
    """What Velero lacks in the rest of the config, as `key: what is wrong`, or None.

    `client`: the store's client velero is enabled. `classes`: the site declares snapshot classes.
    """
    if not cluster:
        return "velero: runs in a cluster; add cluster, or {} for the inventory's one"
    if not client:
        return "clients.velero.enabled: is false, but velero needs the client; enable it"
    if not passphrase:
        return (
            "escrowPassphrase: is empty, but the password of velero's volume backups must outlive "
            "the cluster and the state; set it with `pulumi config set --secret escrowPassphrase`"
        )
    if velero.moves_data and not velero.snapshots_volumes(classes=classes):
        return "velero.snapshotMoveData: moves snapshots, and there are none; add snapshots"
    return None
