"""Requests and limits of Velero's pods by size of the cluster: small, medium, large.

Empty resources are the chart's default; under pressure such pods are the first to be killed, and a
killed node agent cancels the volume backups in flight. Data movers have no processor limit: it
would lower the number of files that Kopia reads at once.
"""

from dataclasses import dataclass
from typing import Any, Literal

Size = Literal["small", "medium", "large"]


@dataclass(frozen=True)
class PodSize:
    """Quantities as Kubernetes writes them; `cpu_limit` "" means none."""

    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str

    def resources(self) -> dict[str, Any]:
        """The form of a container."""
        limits = {"memory": self.memory_limit}
        if self.cpu_limit:
            limits["cpu"] = self.cpu_limit
        return {"requests": {"cpu": self.cpu, "memory": self.memory}, "limits": limits}

    def pod_resources(self) -> dict[str, str]:
        """The form of Velero's own ConfigMaps."""
        found = {
            "cpuRequest": self.cpu,
            "memoryRequest": self.memory,
            "memoryLimit": self.memory_limit,
        }
        if self.cpu_limit:
            found["cpuLimit"] = self.cpu_limit
        return found


@dataclass(frozen=True)
class Sizes:
    """Every kind of pod; `concurrency`: data movers a node runs; `cache_mib`: Kopia's cache."""

    server: PodSize
    node_agent: PodSize
    data_mover: PodSize
    maintenance: PodSize
    concurrency: int
    cache_mib: int


SIZES: dict[Size, Sizes] = {
    "small": Sizes(
        server=PodSize("100m", "128Mi", "1", "512Mi"),
        node_agent=PodSize("50m", "64Mi", "500m", "512Mi"),
        data_mover=PodSize("50m", "128Mi", "", "1Gi"),
        maintenance=PodSize("50m", "128Mi", "1", "512Mi"),
        concurrency=1,
        cache_mib=1000,
    ),
    "medium": Sizes(
        server=PodSize("500m", "512Mi", "1", "2Gi"),
        node_agent=PodSize("100m", "128Mi", "1", "1Gi"),
        data_mover=PodSize("250m", "512Mi", "", "4Gi"),
        maintenance=PodSize("100m", "256Mi", "1", "2Gi"),
        concurrency=2,
        cache_mib=5000,
    ),
    "large": Sizes(
        server=PodSize("1", "2Gi", "2", "4Gi"),
        node_agent=PodSize("250m", "256Mi", "2", "2Gi"),
        data_mover=PodSize("500m", "1Gi", "", "8Gi"),
        maintenance=PodSize("250m", "512Mi", "2", "4Gi"),
        concurrency=4,
        cache_mib=20000,
    ),
}
