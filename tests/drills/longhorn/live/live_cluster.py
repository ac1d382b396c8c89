"""A cluster in memory in which Longhorn brings volumes back: a provisioner, and a manager.

They act in every pause, as controllers do, and after every change.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.drills.volumes.drill_site import place_of
from tests.drills.volumes.reader_cluster import READY
from tests.kube.fakes import items, ok, status
from tests.kube.longhorn.cluster import ROOT, VOLUMES, Answer, Cluster, at

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
NAMESPACES = "/api/v1/namespaces"
CLAIMS = "persistentvolumeclaims"
DRILL = "backstop-drill-"


@dataclass
class LiveCluster(Cluster):
    """`seconds`: how long a restore takes. `bind`: whether claims get volumes. `volume_status`:
    what the manager says of a copy instead of how it really is. `pod_status`: of new pods.
    `staying`: names of what does not go. `made_of`: what copies are made of instead of the backup
    of their class. `kill`: a deed after that many writes. `namespace_of_copies`: what Longhorn says
    of a copy before it is bound.
    """

    seconds: float = 10.0
    bind: bool = True
    volume_status: Mapping[str, Any] = field(default_factory=dict)
    pod_status: Mapping[str, Any] = field(default_factory=lambda: READY)
    staying: set[str] = field(default_factory=set)
    made_of: str | None = None
    kill_after: int | None = None
    writes: list[tuple[str, str]] = field(default_factory=list)
    made: dict[str, float] = field(default_factory=dict)
    versions: int = 0

    def __post_init__(self) -> None:
        self.always = self.act

    def drilled(self) -> list[str]:
        """Paths of what a drill made and is still there, copies of Longhorn's too."""
        return sorted(
            path for path, one in self.objects.items()
            if DRILL in path or path.rpartition("/")[2] in self.made
        )  # fmt: skip

    def backup(
        self, name: str, volume: str, url: str, target: str = "default", **held: Any
    ) -> None:
        self.add(
            "backups", name, labels={"backup-volume": volume, "backup-target": target},
            status={"state": "Completed", "volumeName": volume, "backupTargetName": target,
                    "url": url, "volumeSize": str(8 << 21), **held},
        )  # fmt: skip

    def act(self) -> None:
        for path in [one for one in self.objects if f"/{CLAIMS}/" in one]:
            self._provide(path, self.objects[path])
        for path in [one for one in self.objects if one.startswith(f"{VOLUMES}/")]:
            self._release(path, self.objects[path])
        for name in self.made:
            self._fill(name)

    def _provide(self, path: str, claim: dict[str, Any]) -> None:
        found = self.objects.get(f"{CLASSES}/{claim['spec'].get('storageClassName')}")
        if found is None or not self.bind or claim["spec"].get("volumeName"):
            return
        parameters, uid = found["parameters"], claim["metadata"]["uid"]
        name = f"pvc-{uid}"
        groups = json.loads(parameters["recurringJobSelector"])
        labels = {f"recurring-job-group.longhorn.io/{one['name']}": "enabled" for one in groups}
        source = parameters["fromBackup"] if self.made_of is None else self.made_of
        self.add(
            "volumes", name, labels=labels,
            spec={"size": claim["spec"]["resources"]["requests"]["storage"], "fromBackup": source,
                  "backupTargetName": parameters["backupTargetName"]},
            status={"state": "", "kubernetesStatus": {"namespace": "shop", "pvcName": "data"}},
        )  # fmt: skip
        namespace = path.split("/")[4]
        self.put(
            VOLUMES, name,
            spec={"csi": {"driver": "driver.longhorn.io", "volumeHandle": name},
                  "storageClassName": claim["spec"]["storageClassName"],
                  "persistentVolumeReclaimPolicy": found["reclaimPolicy"],
                  "claimRef": {"namespace": namespace, "name": claim["metadata"]["name"]}},
            status={"phase": "Bound"},
        )  # fmt: skip
        claim["spec"]["volumeName"] = name
        claim["status"] = {"phase": "Bound"}
        self.made[name] = self.now

    def _release(self, path: str, found: dict[str, Any]) -> None:
        reference, name = found["spec"]["claimRef"], found["metadata"]["name"]
        claim = f"{NAMESPACES}/{reference['namespace']}/{CLAIMS}/{reference['name']}"
        if name not in self.made or claim in self.objects or name in self.staying:
            return
        self.objects.pop(f"{ROOT}volumes/{name}", None)
        del self.objects[path]

    def _fill(self, name: str) -> None:
        volume = self.objects.get(f"{ROOT}volumes/{name}")
        if volume is None:
            return
        spent = self.now - self.made[name]
        if spent <= 0:
            return  # nobody has looked at it yet
        claim = (self.objects.get(f"{VOLUMES}/{name}") or {}).get("spec", {}).get("claimRef") or {}
        known = {"namespace": claim.get("namespace", ""), "pvcName": claim.get("name", "")}
        filled = spent >= self.seconds
        volume["status"] = {
            "state": "detached" if filled else "attached",
            "robustness": "unknown" if filled else "healthy",
            "restoreRequired": not filled, "kubernetesStatus": known, **self.volume_status,
        }  # fmt: skip
        progress = {"replica-1": {"progress": min(100, int(spent * 100 / self.seconds))}}
        self.add("engines", f"{name}-e-0", labels={"longhornvolume": name},
                 status={"restoreStatus": progress})  # fmt: skip

    def _read(self, path: str, query: Mapping[str, str], _accept: str) -> Answer:
        refused = self._refused("GET", path)
        if refused is not None:
            return refused
        if path in self.objects:
            return ok(self.objects[path])
        prefix, namespace, plural, name = place_of(path)
        if name:
            return status(404, f"{path} not found", "NotFound")
        fields, labels = (
            dict(one.split("=", 1) for one in query.get(key, "").split(",") if one)
            for key in ("fieldSelector", "labelSelector")
        )
        found = []
        for key, one in self.objects.items():
            other, inside, kind, called = place_of(key)
            matches = (other, kind) == (prefix, plural) and namespace in ("", inside)
            if not matches or fields.get("metadata.name", called) != called:
                continue
            if labels.items() <= (one["metadata"].get("labels") or {}).items():
                found.append(one)
        return items(*found)

    def _write(self, method: str, path: str, _query: Any, _headers: Any, body: bytes) -> Answer:
        if self.kill_after is not None and len(self.writes) >= self.kill_after:
            raise KeyboardInterrupt
        self.writes.append((method, path))
        refused = self._refused(method, path)
        if refused is not None:
            return refused
        content = json.loads(body)
        if method == "DELETE":
            return self._delete(path, content)
        answer = self._create(path, content) if method == "POST" else self._patch(path, content)
        self.act()
        return answer

    def _create(self, path: str, content: dict[str, Any]) -> Answer:
        key = f"{path}/{content['metadata']['name']}"
        if key in self.objects:
            return status(409, "already exists", "AlreadyExists")
        _, namespace, plural, _ = place_of(key)
        if namespace.startswith(DRILL) and f"{NAMESPACES}/{namespace}" not in self.objects:
            return status(404, f'namespaces "{namespace}" not found', "NotFound")
        self.versions += 1
        content["metadata"] |= {
            "uid": f"uid-{self.versions}", "resourceVersion": str(self.versions),
            "creationTimestamp": at(self.now),
        }  # fmt: skip
        if plural == "pods":
            content["status"] = dict(self.pod_status)
        self.objects[key] = content
        return ok(content)

    def _patch(self, path: str, content: dict[str, Any]) -> Answer:
        held = self.objects.get(path)
        if held is None:
            return status(404, "not found", "NotFound")
        wanted = content.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != held["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified", "Conflict")
        answer = super()._write("PATCH", path, {}, {}, json.dumps(content).encode())
        self.versions += 1
        self.objects[path]["metadata"]["resourceVersion"] = str(self.versions)
        return answer

    def _delete(self, path: str, content: dict[str, Any]) -> Answer:
        if path not in self.objects:
            return status(404, "not found", "NotFound")
        _, _, plural, name = place_of(path)
        if name in self.staying:
            return ok({})
        wanted = (content.get("preconditions") or {}).get("resourceVersion")
        if wanted and wanted != self.objects[path]["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified", "Conflict")
        del self.objects[path]
        if plural == "namespaces":
            inside = f"{NAMESPACES}/{name}/"
            for one in [key for key in self.objects if f"/namespaces/{name}/" in key]:
                assert inside in one or one.startswith("/apis/networking"), one
                del self.objects[one]
        return ok({})
