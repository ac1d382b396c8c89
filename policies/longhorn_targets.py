"""Longhorn's backup targets: where they lie, who owns them, with what they are reached."""

from collections.abc import Iterator, Sequence

from components.longhorn import credentials, places, releases, tuning
from components.velero import durations
from policies.objects import (
    BACKUP_TARGET,
    BACKUP_TARGET_PATCH,
    BACKUP_TARGETS,
    NAMESPACE,
    RELEASE,
    SECRET,
    SETTING_PATCH,
    is_longhorn,
    namespace,
    neighbours,
    object_name,
    of_type,
    secret_texts,
    setting,
)
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    always,
    inside,
    is_set,
    mapping,
)

DEFAULT_TARGET = "default"
STORE_VALUES = ("backupTarget", "backupTargetCredentialSecret", "pollInterval")
SHORTEST_POLL, LONGEST_POLL = 60, 3600
DATA = frozenset(
    f"kubernetes:longhorn.io/v1beta2:{kind}{suffix}"
    for kind in ("Volume", "Snapshot", "BackupBackingImage", "Replica", "Engine")
    for suffix in ("", "Patch")
)


def _spec(target: Resource, key: str) -> object:
    return inside(target.props, "spec", key)


def _store(release: Resource, key: str) -> object:
    return setting(release, "defaultBackupStore", key)


def _url(one: Resource) -> object:
    return _store(one, "backupTarget") if one.type == RELEASE else _spec(one, "backupTargetURL")


def _address(one: Resource) -> Iterator[str]:
    if one.type == RELEASE and not is_longhorn(one):
        return
    url = _url(one)
    if one.type == BACKUP_TARGET and not is_set(url):
        yield "has no URL"
    if not isinstance(url, str) or not url.lower().startswith("s3:"):
        return
    try:
        written = places.parse(url).url
    except ValueError:
        yield "has a URL without bucket, region and folder, or with signs Longhorn does not take"
        return
    if written != url:
        yield "has a URL that is not written with exactly one slash at its end and between folders"


def _poll(one: Resource) -> Iterator[str]:
    if one.type == RELEASE:
        count = _store(one, "pollInterval") if is_longhorn(one) else None
        number = isinstance(count, int | float) and not isinstance(count, bool)
        if number and not SHORTEST_POLL <= count <= LONGEST_POLL:  # type: ignore[operator]
            yield "polls its target more often than once a minute, or less than once an hour"
        return
    interval = _spec(one, "pollInterval")
    if interval is UNKNOWN or (interval is None and one.type == BACKUP_TARGET_PATCH):
        return
    try:
        canonical = durations.canonical(interval) if isinstance(interval, str) else ""
    except ValueError:
        canonical = ""
    if not canonical:
        yield "is never polled"
    elif canonical != interval:
        yield "has an interval that Longhorn writes back in another form, a change in every preview"
    elif not SHORTEST_POLL <= durations.seconds(canonical) <= LONGEST_POLL:
        yield "is polled more often than once a minute, or less than once an hour"


def _installing(resources: Sequence[Resource]) -> list[Resource]:
    return [one for one in of_type(resources, RELEASE) if is_longhorn(one)]


def _says(release: Resource, *path: str) -> bool:
    """Whether a release certainly sets a value, be it to nothing; null leaves it out."""
    value = setting(release, *path)
    return value is not None and value is not UNKNOWN


def _one_owner(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for made in of_type(resources, BACKUP_TARGET):
        if object_name(made) == DEFAULT_TARGET:
            yield made, "declares the target that Longhorn makes itself, which then exists already"
    patches = [
        one for one in of_type(resources, BACKUP_TARGET_PATCH) if object_name(one) == DEFAULT_TARGET
    ]
    releases_ = _installing(resources)
    for number, patch in enumerate(patches):
        if neighbours(patch, patches[:number]):
            yield patch, "is a second owner of the default target"
        elif any(
            _says(release, "defaultBackupStore", key)
            for release in neighbours(patch, releases_)
            for key in STORE_VALUES
        ):
            yield patch, "owns the default target beside the chart, which puts its own values back"
    yield from _owned_settings(resources, releases_)


def _owned_settings(
    resources: Sequence[Resource], releases_: Sequence[Resource]
) -> Iterator[tuple[Resource, str]]:
    keys = {one.name: one.chart for one in tuning.SETTINGS.values()}
    for patch in of_type(resources, SETTING_PATCH):
        name = object_name(patch)
        key = keys.get(name) if isinstance(name, str) else None
        for release in neighbours(patch, releases_):
            if key is not None and _says(release, "defaultSettings", key):
                yield patch, "owns a setting beside the chart, which puts its own value back"


def _credential_name(one: Resource) -> object:
    if one.type == RELEASE:
        return _store(one, "backupTargetCredentialSecret")
    return _spec(one, "credentialSecret")


def _credential(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    secrets = of_type(resources, SECRET)
    targets = [one for one in resources if one.type in BACKUP_TARGETS or is_longhorn(one)]
    judged: set[str] = set()
    for target in targets:
        url, wanted = _url(target), _credential_name(target)
        if not is_set(url) or UNKNOWN in (url, wanted):
            continue
        near = neighbours(target, secrets)
        names = [object_name(one) for one in near]
        if not is_set(wanted) or (wanted not in names and UNKNOWN not in names):
            yield target, "is reached with no Secret that this stack declares"
        for secret in near:
            if object_name(secret) == wanted and secret.urn not in judged:
                judged.add(secret.urn)
                key = _refused_key(secret)
                if key:
                    yield secret, f"holds {key} in a form that Longhorn refuses or cannot use"


def _refused_key(secret: Resource) -> str | None:
    """The first key that Longhorn would not take; a value not known yet is passed over."""
    if UNKNOWN in (secret.props.get("data"), secret.props.get("stringData")):
        return None
    held = dict(secret_texts(secret))
    known = {key: value for key, value in held.items() if isinstance(value, str)}
    for fault in credentials.faults(known):
        key = fault.partition(" ")[0]
        if key not in held or key in known:
            return key
    return None


def _version(release: Resource) -> Iterator[str]:
    version, chart = release.props.get("version"), release.props.get("chart")
    if not is_longhorn(release) or not isinstance(version, str) or not isinstance(chart, str):
        return
    # What is no version at all, and what lies on disk, is for release-chart-pinned to judge.
    if releases.parse(version) is not None and releases.install_fault(version):
        yield "installs a Longhorn with known faults in its backups, or a pre-release"


def _obsolete(release: Resource) -> Iterator[str]:
    given = mapping(setting(release, "defaultSettings"))
    if is_longhorn(release) and any(key in given for key in tuning.OBSOLETE):
        yield "sets its target by keys that Longhorn no longer reads, so that nothing is backed up"


def _protected(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for release in _installing(resources):
        home = namespace(release)
        if not release.protect:
            yield release, "is not protected, and with Longhorn its volumes would go"
        for one in of_type(resources, NAMESPACE):
            if isinstance(home, str) and object_name(one) == home and not one.protect:
                yield one, "is not protected, and with Longhorn's namespace its volumes would go"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="longhorn-target-url",
        title="A backup target's URL has bucket, region and one form",
        why="Without a region no request can be signed, and Longhorn takes two spellings of one "
        "place for two places.",
        remedy="write s3://BUCKET@REGION/FOLDER/ with one slash at the end",
        severity="high",
        types=frozenset({RELEASE}) | BACKUP_TARGETS,
        check=_address,
    ),
    ResourceRule(
        name="longhorn-target-poll",
        title="A backup target is polled, at an interval in Go's form",
        why="Without an interval Longhorn never looks; what it spells otherwise comes back as a "
        "conflict.",
        remedy="set pollInterval between 1m0s and 1h0m0s, as in 5m0s (the chart takes seconds)",
        severity="high",
        types=frozenset({RELEASE}) | BACKUP_TARGETS,
        check=_poll,
    ),
    StackRule(
        name="longhorn-one-owner",
        title="The default target and each setting have one owner",
        why="The manager puts back what its chart says at every start, so that a second owner "
        "loses without a word, and the backups go elsewhere.",
        remedy="patch the target default and leave the chart's values null, or the other way round",
        severity="critical",
        types=frozenset({RELEASE, SETTING_PATCH}) | BACKUP_TARGETS,
        check=_one_owner,
    ),
    StackRule(
        name="longhorn-target-secret",
        title="A target's Secret holds what Longhorn takes",
        why="A line's end behind a key breaks every signature, a proxy takes Longhorn's own "
        "traffic with it, and a wrong CA shows in the first backup.",
        remedy="declare the Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, an https "
        "AWS_ENDPOINTS and AWS_CERT in PEM, each without white space around it, and nothing else",
        severity="critical",
        types=frozenset({RELEASE, SECRET}) | BACKUP_TARGETS,
        check=_credential,
    ),
    ResourceRule(
        name="longhorn-version",
        title="Longhorn is installed in a version whose backups are sound",
        why="Earlier ones send what stores refuse, or remove the newest system backup; a "
        "pre-release emptied its target.",
        remedy="use 1.11.3, 1.12.1 or a later release",
        severity="high",
        types=frozenset({RELEASE}),
        check=_version,
    ),
    ResourceRule(
        name="longhorn-obsolete-values",
        title="The chart of Longhorn gets no values of former versions",
        why="Helm takes them without a word, and the target stays empty.",
        remedy="use defaultBackupStore, or a patch of the target default",
        severity="critical",
        types=frozenset({RELEASE}),
        check=_obsolete,
    ),
    StackRule(
        name="longhorn-protected",
        title="Longhorn and its namespace are protected",
        why="With either of them every volume of the cluster goes, and with the records of "
        "backups the backups in the bucket.",
        remedy="pass protect=True in its options",
        severity="critical",
        types=frozenset({RELEASE, NAMESPACE}),
        check=_protected,
    ),
    ResourceRule(
        name="longhorn-no-data-as-resource",
        title="No volume or snapshot of Longhorn is a resource",
        why="Such an object is the data itself: a destroy or a replacement deletes it.",
        remedy="make volumes by claims, and bind them to jobs by labels of the claim",
        severity="critical",
        types=DATA,
        check=always("is data of a volume, which goes with the resource"),
    ),
)
