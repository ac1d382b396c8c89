"""A cluster in memory whose objects can be changed, and which follows suit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from drills.frame import Clock
from drills.surroundings.planting import Surroundings
from kube.client import Client
from kube.velero.api import Velero
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.drill_site import VELERO, Cluster, merged, place_of
from tests.kube.fakes import AT, ok, status

APPS = "/apis/apps/v1/namespaces/velero"
SERVER = f"{APPS}/deployments/velero"
AGENT = f"{APPS}/daemonsets/node-agent"
LOCATION = f"{VELERO}/backupstoragelocations/default"
STAMP = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class LiveCluster(Cluster):
    """`follow`: what its controllers make of an object that was changed. `lost`: methods whose next
    answer is lost although the change is made; `refused`: what the next requests are answered."""

    follow: Callable[[str, dict[str, Any]], None] = lambda _name, _found: None
    lost: list[str] = field(default_factory=list)
    refused: list[tuple[int, bytes]] = field(default_factory=list)

    def velero(self) -> Velero:
        """Nothing happens while somebody watches."""

        def silent(_path: str, _query: Any, seconds: float) -> tuple[int, Iterator[bytes]]:
            self.time.pass_by(seconds)
            return 200, iter(())

        client = Client(self._read, AT, stream=silent, clock=self.time.clock(), patience=0.0)
        return replace(super().velero(), client=client)

    def at(self, path: str) -> dict[str, Any]:
        return self.objects[place_of(path)]

    def _write(
        self, method: str, path: str, query: Any, headers: Any, body: bytes
    ) -> tuple[int, bytes]:
        if self.refused:
            return self.refused.pop(0)
        if method == "PATCH":
            answer = self._patch(path, json.loads(body))
        else:
            answer = super()._write(method, path, query, headers, body)
            if method == "POST" and answer[0] == 200:
                name = json.loads(body)["metadata"]["name"]
                made = self.at(f"{path}/{name}")
                made["metadata"]["creationTimestamp"] = STAMP
                self.follow(name, made)
        if method in self.lost:
            self.lost.remove(method)
            raise TimeoutError
        return answer

    def _patch(self, path: str, patch: dict[str, Any]) -> tuple[int, bytes]:
        self.changes.append(("PATCH", path))
        found = self.objects.get(place_of(path))
        if found is None:
            return status(404, f"{path} not found", "NotFound")
        if (
            patch.get("metadata", {}).get("uid", found["metadata"]["uid"])
            != (found["metadata"]["uid"])
        ):
            return status(422, "uid: field is immutable", "Invalid")
        changed = merged(found, patch)
        changed["metadata"]["generation"] = found["metadata"].get("generation", 1) + 1
        self.objects[place_of(path)] = changed
        self.follow(changed["metadata"]["name"], changed)
        return ok(changed)


def surroundings(cluster: LiveCluster, site: str = "dev") -> Surroundings:
    clock = Clock(lambda: cluster.time.now, lambda: NOW)
    return Surroundings(cluster.velero(), site, "default", clock, lambda _line: None)
