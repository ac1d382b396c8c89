"""A release as the cluster has it, and what of it goes into the engine's state."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from standins.pulumi.kubernetes.helm_values import Data, merged


@dataclass(frozen=True)
class Live:
    """One revision of a release. `config` is what somebody set, not the chart's defaults."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    version: str
    app_version: str
    config: Data = field(repr=False)
    manifest: str = field(repr=False)
    deployed_at: str = ""

    @property
    def pending(self) -> bool:
        """True while a helm works on it, or after one that was killed while it did."""
        return self.status.startswith("pending-")


def parsed(text: str, metadata: str = "") -> Live:
    """From the JSON of `helm install`, or of `helm status` with that of `helm get metadata`.

    Raises ValueError if it is something else.
    """
    try:
        found = cast("dict[str, Any]", json.loads(text))
        chart, version, app_version = _chart(found, metadata)
        info = found["info"]
        return Live(
            name=found["name"],
            namespace=found["namespace"],
            revision=found["version"],
            status=info["status"],
            chart=chart,
            version=version,
            app_version=app_version,
            config=found.get("config") or {},
            manifest=found.get("manifest") or "",
            deployed_at=info.get("last_deployed") or "",
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError("helm's account of the release cannot be read") from error


def _chart(report: dict[str, Any], metadata: str) -> tuple[str, str, str]:
    """Name, version and version of the application of a release's chart."""
    if metadata:
        found = json.loads(metadata)
        return found["chart"], found["version"], found.get("appVersion") or ""
    found = report["chart"]["metadata"]
    return found["name"], found["version"], found.get("appVersion") or ""


def revision_of(report: str) -> int:
    """The revision in the JSON of `helm status`. Raises ValueError if it is something else."""
    try:
        return int(json.loads(report)["version"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError("helm's account of the release cannot be read") from error


def resource_names(manifest: str) -> dict[str, list[str]]:
    """Names of a manifest's objects by "Kind.group/apiVersion", with their namespace if written."""
    found: dict[str, set[str]] = {}
    for document in yaml.safe_load_all(manifest):
        if not isinstance(document, Mapping) or not document.get("kind"):
            continue
        version = str(document.get("apiVersion", ""))
        group = version.rpartition("/")[0]
        kind = f"{document['kind']}.{group}" if group else str(document["kind"])
        metadata = document.get("metadata") or {}
        name = str(metadata.get("name", ""))
        if metadata.get("namespace"):
            name = f"{metadata['namespace']}/{name}"
        found.setdefault(f"{kind}/{version}", set()).add(name)
    return {key: sorted(names) for key, names in sorted(found.items())}


def with_live(release: Mapping[str, object], live: Live) -> Data:
    """The release's properties with the cluster's over them: the outputs of the resource.

    A value that somebody set by hand wins over ours here, so that the next comparison sees it.
    """
    values = cast("Data", release.get("values") or {})
    status = {
        "appVersion": live.app_version,
        "chart": live.chart,
        "name": live.name,
        "namespace": live.namespace,
        "revision": live.revision,
        "status": live.status,
        "version": live.version,
    }
    result: Data = {
        **release,
        "name": release.get("name") or live.name,
        "namespace": release.get("namespace") or live.namespace,
        "chart": release.get("chart") or live.chart,
        "version": live.version,
        "values": merged(values, live.config),
        "resourceNames": resource_names(live.manifest),
        "status": {key: value for key, value in status.items() if value != ""},
    }
    return {name: value for name, value in result.items() if value not in ("", {}, [], None)}


def resource_id(namespace: object, name: object) -> str:
    return f"{namespace}/{name}" if namespace else str(name)


def parsed_id(text: str) -> tuple[str, str]:
    """Namespace and name of an id; the namespace may be missing."""
    namespace, slash, name = text.partition("/")
    return (namespace, name.partition("/")[0]) if slash else ("", namespace)
