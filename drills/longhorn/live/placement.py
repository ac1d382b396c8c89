"""Where a pod may run that uses a copy: where the volume's own workload runs, too."""

from collections.abc import Callable, Mapping
from typing import Any

from drills.longhorn.expected import Live
from drills.volumes.live_pod import user_of
from kube.client import Client

# Affinities name pods of the workload's own namespace.
_KEPT = ("nodeSelector", "tolerations")


def of(client: Client, live: Live) -> Callable[[str], Mapping[str, Any]]:
    """By a volume's name; {} where no pod uses it. Raises ClusterError when it is asked."""
    known = {one.name: one for one in live.subjects}

    def placed(volume: str) -> Mapping[str, Any]:
        one = known.get(volume)
        if one is None or not one.claim:
            return {}
        pods = client.list(f"/api/v1/namespaces/{one.namespace}/pods")
        user = user_of(one.namespace, one.claim, pods)
        spec = (user or {}).get("spec") or {}
        return {key: spec[key] for key in _KEPT if spec.get(key)}

    return placed
