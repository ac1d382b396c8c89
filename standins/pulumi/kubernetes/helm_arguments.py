"""helm's command lines for a release. Never a value, a password or a kubeconfig among them."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from standins.pulumi.kubernetes.helm_inputs import DEFAULT_TIMEOUT_SECONDS

# Values come on stdin.
_VALUES = ("--values", "-")


def chart_of(release: Mapping[str, object]) -> tuple[str, list[str]]:
    """What to hand helm as the chart, and the options that say where it is from."""
    chart = str(release.get("chart", "")).strip()
    options = ["--version", str(release["version"]).strip()] if release.get("version") else []
    if not options and release.get("devel"):
        options = ["--devel"]
    repository = release.get("repositoryOpts")
    if not isinstance(repository, Mapping) or chart.startswith("oci://"):
        return chart, options
    place = str(repository.get("repo") or "")
    if urlsplit(place).scheme:
        options += ["--repo", place]
    elif place and "/" not in chart:
        chart = f"{place}/{chart}"
    for name, option in (
        ("caFile", "--ca-file"),
        ("certFile", "--cert-file"),
        ("keyFile", "--key-file"),
    ):
        if repository.get(name):
            options += [option, str(repository[name])]
    return chart, options


def is_local(release: Mapping[str, object]) -> bool:
    """True if the chart is a folder or an archive here, or can be nothing else."""
    chart, options = chart_of(release)
    if "--repo" in options:
        return False
    path = Path(chart)
    if path.is_dir():
        return (path / "Chart.yaml").is_file()
    return path.is_file() or path.is_absolute() or chart.startswith(".")


def pull(release: Mapping[str, object], folder: Path) -> list[str]:
    chart, options = chart_of(release)
    return ["pull", chart, *options, "--destination", str(folder)]


def show(chart: str) -> list[str]:
    return ["show", "chart", chart]


def template(release: Mapping[str, object], chart: str) -> list[str]:
    """Renders without a cluster; for what the chart's schema has to say about the values."""
    return [
        *("template", str(release.get("name") or "release-name"), chart),
        *("--namespace", str(release["namespace"]), *_VALUES),
    ]


def install(release: Mapping[str, object], chart: str) -> list[str]:
    return [
        *("install", str(release["name"]), chart, "--namespace", str(release["namespace"])),
        *(*_VALUES, "--output", "json", *_waiting(release)),
        *_switches(
            release,
            atomic="--atomic",
            createNamespace="--create-namespace",
            dependencyUpdate="--dependency-update",
            disableOpenapiValidation="--disable-openapi-validation",
            disableWebhooks="--no-hooks",
            renderSubchartNotes="--render-subchart-notes",
            replace="--replace",
            skipCrds="--skip-crds",
        ),
        *_description(release),
    ]


def upgrade(release: Mapping[str, object], namespace: str, chart: str) -> list[str]:
    """`namespace` is where the release is."""
    return [
        *("upgrade", str(release["name"]), chart, "--namespace", namespace),
        *(*_VALUES, "--output", "json", *_waiting(release)),
        # helm's own default is 10; the plugin's is no limit.
        *("--history-max", str(release.get("maxHistory") or 0)),
        *_switches(
            release,
            atomic="--atomic",
            cleanupOnFail="--cleanup-on-fail",
            dependencyUpdate="--dependency-update",
            disableCRDHooks="--no-hooks",
            forceUpdate="--force",
            renderSubchartNotes="--render-subchart-notes",
            resetValues="--reset-values",
            reuseValues="--reuse-values",
        ),
        *_description(release),
    ]


def uninstall(release: Mapping[str, object]) -> list[str]:
    waits = bool(release.get("atomic")) or not release.get("skipAwait")
    options = ["--wait", *_timeout(release)] if waits else []
    named = (str(release["name"]), "--namespace", str(release["namespace"]))
    return ["uninstall", *named, *options]


def status(namespace: str, name: str) -> list[str]:
    return ["status", name, "--namespace", namespace, "--output", "json"]


def metadata(namespace: str, name: str, revision: int) -> list[str]:
    """What `status` leaves out: the chart of a revision."""
    named = ("get", "metadata", name, "--revision", str(revision))
    return [*named, "--namespace", namespace, "--output", "json"]


def _waiting(release: Mapping[str, object]) -> list[str]:
    if release.get("skipAwait"):
        return _timeout(release)
    jobs = ["--wait-for-jobs"] if release.get("waitForJobs") else []
    return ["--wait", *jobs, *_timeout(release)]


def _timeout(release: Mapping[str, object]) -> list[str]:
    return ["--timeout", f"{release.get('timeout') or DEFAULT_TIMEOUT_SECONDS}s"]


def _switches(release: Mapping[str, object], **options: str) -> list[str]:
    return [option for name, option in options.items() if release.get(name)]


def _description(release: Mapping[str, object]) -> list[str]:
    return ["--description", str(release["description"])] if release.get("description") else []
