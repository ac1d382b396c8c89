"""Where a release's chart is: a path here, or an archive fetched once for this plugin's life."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from standins.pulumi.kubernetes import helm_arguments as arguments
from standins.pulumi.kubernetes.helm_client import Helm
from standins.pulumi.kubernetes.helm_errors import said
from standins.pulumi.plugin import PluginError


class ChartError(Exception):
    """A chart that cannot be had or read, in one sentence."""


class Charts:
    """Charts for releases. Check and create of one update see the same archive."""

    def __init__(self, helm: Helm) -> None:
        self._helm = helm
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: dict[str, Path] = {}
        self._fetching = asyncio.Lock()

    async def path(self, release: Mapping[str, object]) -> str:
        """What to hand helm as the chart. Raises ChartError if it cannot be fetched."""
        chart, _ = arguments.chart_of(release)
        if arguments.is_local(release):
            if not Path(chart).exists():
                raise ChartError(f"path {chart!r} not found from the program's folder")
            # A path, so that helm does not take it for a name in some repository.
            return str(Path(chart).absolute())
        key = json.dumps([release.get("chart"), release.get("version"), release.get("devel")])
        key += json.dumps(release.get("repositoryOpts"), sort_keys=True)
        async with self._fetching:
            if key not in self._fetched:
                self._fetched[key] = await self._fetch(release)
        return str(self._fetched[key])

    async def version(self, chart: str) -> str:
        """The version that the chart itself says. Raises ChartError."""
        done = await self._helm.local(arguments.show(chart))
        if done.code:
            raise ChartError(said(done.stderr))
        try:
            found = yaml.safe_load(done.stdout)
            kind = found.get("type") or "application"
            version = str(found["version"])
        except (yaml.YAMLError, AttributeError, KeyError) as error:
            raise ChartError("its Chart.yaml cannot be read or has no version") from error
        if kind != "application":
            raise ChartError(f"{kind} charts are not installable")
        return version

    async def _fetch(self, release: Mapping[str, object]) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="backstop-charts-")
        place = Path(self._folder.name) / str(len(self._fetched))
        place.mkdir(exist_ok=True)
        done = await self._helm.local(arguments.pull(release, place))
        if done.code:
            raise ChartError(said(done.stderr))
        found = sorted(place.glob("*.tgz"))
        if not found:
            raise PluginError(f"helm fetched the chart {release.get('chart')} and left no archive")
        return found[0]

    def end(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
            self._fetched.clear()


def beside_program(name: str, version: str) -> str:
    """The chart of an imported release in the program's folder, else its bare name."""
    for place in (f"{name}-{version}", f"{name}-{version}.tgz", name, f"{name}.tgz"):
        path = Path(place)
        if (path / "Chart.yaml").is_file() or (path.suffix == ".tgz" and path.is_file()):
            return place
    return name
