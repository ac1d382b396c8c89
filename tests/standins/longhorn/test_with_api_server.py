"""The stand-in against a real API server: its rights suffice, and its objects are taken.

With the project's definitions of Longhorn's kinds, and with Longhorn's own where they are at hand.
"""

import base64
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster import longhorn
from standins.longhorn.api import ApiError, HttpApi
from standins.longhorn.cluster import Cluster
from standins.longhorn.kinds import (
    BACKUP,
    BACKUP_VOLUME,
    CLAIM,
    CLASS,
    DRIVER,
    EVENT,
    JOB,
    NODE,
    PERSISTENT_VOLUME,
    POD,
    SECRET,
    SETTING,
    SNAPSHOT,
    SYSTEM_BACKUP,
    TARGET,
    VOLUME,
    WATCHED,
    Kind,
    Object,
)
from standins.longhorn.moments import now
from standins.longhorn.site import Site
from standins.longhorn.store import Store
from standins.longhorn.target import Credential
from standins.longhorn.tasks import Tasks
from standins.longhorn.turns import Turns
from standins.longhorn.watching import Watching
from tests.standins.longhorn.memory_store import MemoryStore
from tests.standins.longhorn.sites import URL, Folders, Images, noise
from tests.support.kube_api import KubeApi, RefusedError, running_kube_api

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parents[3]
OWN = longhorn.NAMESPACE
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SECONDS = 60.0


def official() -> list[Object]:
    """Longhorn's own definitions; skips the test where they are not beside the checkout."""
    named = os.environ.get("BACKSTOP_UPSTREAM")
    folder = (Path(named) if named else ROOT.parent / "shared/upstream") / "longhorn-1.12.1"
    if not folder.is_dir():
        pytest.skip(f"Longhorn's definitions are not in {folder}")
    wanted = {f"{kind.plural}.longhorn.io" for kind in WATCHED if kind.version.startswith("longh")}
    documents = yaml.safe_load_all((folder / "crds.yaml").read_text())
    return [one for one in documents if one and one["metadata"]["name"] in wanted]


@dataclass
class Running:
    """The stand-in in threads of this process, with the rights of its account."""

    kube: KubeApi
    store: MemoryStore
    images: Images
    folders: Folders
    cluster: Cluster
    ended: threading.Event = field(default_factory=threading.Event)
    unset: Object = field(default_factory=dict)
    """The default target as it was before it had a URL."""

    def set_target(self) -> None:
        """The default target, as a site sets it, until it is available and was looked at."""
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
        self.create(SECRET, {"metadata": {"name": "s3"}, "data": data})
        spec = {"backupTargetURL": URL, "credentialSecret": "s3"}
        self.kube.patch(TARGET.path(OWN, "default"), {"spec": spec})
        self.until(lambda: self.status(TARGET, "default").get("available"), "available")
        self.until(lambda: self.status(TARGET, "default").get("lastSyncedAt"), "synced")

    def get(self, kind: Kind, name: str, within: str = OWN) -> Object:
        return self.kube.request("GET", kind.path(within, name))

    def status(self, kind: Kind, name: str) -> Object:
        try:
            found: Object = self.get(kind, name).get("status") or {}
        except RefusedError as refused:
            if refused.status == 404:
                return {}
            raise
        return found

    def create(self, kind: Kind, body: Object, within: str = OWN) -> None:
        full = {"apiVersion": kind.version, "kind": kind.name, **body}
        self.kube.request("POST", kind.path(within), full)

    def until(self, enough: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not enough():
            assert time.monotonic() < deadline, f"{what} within {SECONDS:.0f} s"
            time.sleep(0.1)

    def back_up(self, volume: str, name: str) -> None:
        snapshot = {
            "metadata": {"name": f"snap-{name}"},
            "spec": {"volume": volume, "createSnapshot": True},
        }
        self.create(SNAPSHOT, snapshot)
        body = {"metadata": {"name": name}, "spec": {"snapshotName": f"snap-{name}"}}
        self.create(BACKUP, body)
        self.until(
            lambda: self.status(BACKUP, name).get("state") == "Completed", f"{name} is complete"
        )

    def give_volume(self, name: str, storage_class: str = "longhorn") -> None:
        self.images.contents[name] = noise(2)
        claim = {
            "metadata": {"name": f"claim-{name}"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": storage_class,
                "volumeName": name,
                "resources": {"requests": {"storage": "32Mi"}},
            },
        }
        volume = {
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "32Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": storage_class,
                "csi": {"driver": DRIVER, "volumeHandle": name},
                "claimRef": {"namespace": "default", "name": f"claim-{name}"},
            },
        }
        mounted = {"persistentVolumeClaim": {"claimName": f"claim-{name}"}}
        pod = {
            "metadata": {"name": f"pod-{name}"},
            "spec": {
                "nodeName": "cp1",
                "containers": [{"name": "one", "image": "none"}],
                "volumes": [{"name": "data", **mounted}],
            },
        }
        self.create(PERSISTENT_VOLUME, volume, "")
        self.create(CLAIM, claim, "default")
        self.create(POD, pod, "default")
        running = {"status": {"phase": "Running"}}
        path = POD.path("default", f"pod-{name}", "status")
        self.kube.patch(path, running)
        self.until(
            lambda: self.status(VOLUME, name).get("state") == "attached", f"{name} is attached"
        )


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with running_kube_api(tmp_path_factory.mktemp("longhorn")) as api:
        for one in yaml.safe_load_all(longhorn.definitions()):
            api.request("POST", CRDS, one)
        for one in longhorn.everything():
            _make(api, one)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        _until(lambda: api.exists(account))
        api.request(
            "POST",
            CLASS.path(""),
            {
                "apiVersion": CLASS.version,
                "kind": CLASS.name,
                "metadata": {"name": "longhorn"},
                "provisioner": DRIVER,
            },
        )
        yield api


def _make(api: KubeApi, one: Object) -> None:
    version, kind = one["apiVersion"], one["kind"].lower() + "s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = one["metadata"].get("namespace")
    api.request("POST", f"{root}{f'/namespaces/{within}' if within else ''}/{kind}", one)


def _until(enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not enough():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def standin(kube: KubeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("node")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{OWN}/serviceaccounts/{longhorn.NAME}/token"
    (root / "token").write_text(kube.request("POST", path, request)["status"]["token"])
    host, _, port = kube.url.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(kube.folder / "ca.crt"))
    api = HttpApi(host, int(port), context, root / "token")
    cluster = Cluster(api, OWN, "cp1", now)
    images, folders = Images(root, lambda: datetime.now(UTC)), Folders(root)
    store = MemoryStore(now)

    def opener(_url: str, _held: Credential) -> Store:
        return store

    running = Running(kube, store, images, folders, cluster)
    tasks = Tasks(4, cluster.changed)
    site = Site(cluster, images, folders, tasks, opener, lambda _: None)
    turns = Turns(site, time.monotonic)
    watching = Watching(api, cluster, WATCHED)
    watching.start()
    assert watching.wait(WATCHED, SECONDS) == []
    thread = threading.Thread(target=turns.for_ever, args=(running.ended,), daemon=True)
    thread.start()
    running.until(lambda: running.status(NODE, "cp1").get("conditions"), "the node is there")
    running.unset = running.get(TARGET, "default")
    running.set_target()
    yield running
    running.ended.set()
    cluster.changed.set()
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_the_default_target_is_patched_and_becomes_available(standin: Running) -> None:
    conditions = standin.unset["status"]["conditions"]
    assert conditions[0]["message"] == "backup target URL is empty"
    owners = standin.unset["metadata"]["managedFields"]
    (owner,) = [one for one in owners if "f:spec" in one["fieldsV1"]]
    assert (owner["manager"], owner["operation"]) == ("longhorn-manager", "Update")
    assert "f:backupTargetURL" in owner["fieldsV1"]["f:spec"], "as the real one's"
    assert standin.status(TARGET, "default")["available"] is True


@pytest.fixture(params=["ours", "official"])
def definitions(request: pytest.FixtureRequest, kube: KubeApi) -> str:
    """Whose definitions the server has; Longhorn's own come over the project's."""
    if request.param == "official":
        for one in official():
            path = f"{CRDS}/{one['metadata']['name']}"
            version = kube.request("GET", path)["metadata"]["resourceVersion"]
            one["metadata"]["resourceVersion"] = version
            kube.request("PUT", path, one)
        time.sleep(2)  # the server takes new definitions over in its own time
    return str(request.param)


def test_a_backup_is_made_and_removed(standin: Running, definitions: str) -> None:
    volume = f"pvc-{definitions}"
    standin.give_volume(volume)
    standin.back_up(volume, f"backup-{definitions}")
    found = standin.get(BACKUP, f"backup-{definitions}")
    assert found["status"]["url"].startswith(URL)
    assert found["status"]["size"] == str(4 << 20)
    assert found["metadata"]["labels"]["backup-volume"] == volume
    standin.until(
        lambda: standin.status(VOLUME, volume).get("lastBackup") == f"backup-{definitions}",
        "the volume tells of it",
    )
    assert standin.get(VOLUME, volume)["spec"]["size"] == str(32 << 20)
    standin.kube.request("DELETE", BACKUP.path(OWN, f"backup-{definitions}"))
    standin.until(
        lambda: not standin.kube.exists(BACKUP.path(OWN, f"backup-{definitions}")), "removed"
    )
    assert not [key for key in standin.store.objects if f"/{volume}/blocks/" in key]


def test_a_volume_of_a_backup_is_restored(standin: Running, definitions: str) -> None:
    source, name = f"pvc-source-{definitions}", f"pvc-restored-{definitions}"
    standin.give_volume(source)
    standin.back_up(source, f"backup-of-{definitions}")
    url = standin.status(BACKUP, f"backup-of-{definitions}")["url"]
    parameters = {"fromBackup": url, "numberOfReplicas": "1"}
    body = {"metadata": {"name": f"restore-{definitions}"}, "provisioner": DRIVER}
    standin.create(CLASS, {**body, "parameters": parameters}, "")
    standin.folders.waiting.add(name)
    standin.give_volume(name, f"restore-{definitions}")
    standin.until(
        lambda: standin.status(VOLUME, name).get("restoreRequired") is False, "it is restored"
    )
    found = standin.get(VOLUME, name)
    assert found["spec"]["fromBackup"] == url
    assert found["status"]["restoreInitiated"] is True
    (condition,) = found["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Restore", "False")
    image = standin.images.image(f"snap-backup-of-{definitions}").read_bytes()
    assert standin.folders.contents[name] == image


def test_a_backup_that_nobody_has_is_told_of_the_persistent_volume(standin: Running) -> None:
    url = f"{URL}?backup=backup-nobody&volume=pvc-nobody"
    body = {"metadata": {"name": "restore-nobody"}, "provisioner": DRIVER}
    standin.create(CLASS, {**body, "parameters": {"fromBackup": url}}, "")
    standin.create(
        PERSISTENT_VOLUME,
        {
            "metadata": {"name": "pvc-of-nobody"},
            "spec": {
                "capacity": {"storage": "32Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "restore-nobody",
                "csi": {"driver": DRIVER, "volumeHandle": "pvc-of-nobody"},
            },
        },
        "",
    )

    def told() -> list[str]:
        events = standin.kube.request("GET", EVENT.path(OWN))["items"]
        return [
            one["message"] for one in events if one["involvedObject"]["name"] == "pvc-of-nobody"
        ]

    standin.until(told, "an event")
    assert "cannot get backup backup-nobody" in told()[0]
    assert not standin.kube.exists(VOLUME.path(OWN, "pvc-of-nobody"))
    standin.kube.request("DELETE", PERSISTENT_VOLUME.path("", "pvc-of-nobody"))


def test_a_job_that_is_not_performed_is_told(standin: Running, definitions: str) -> None:
    name = f"trim-{definitions}"
    job = {"metadata": {"name": name}, "spec": {"task": "filesystem-trim", "cron": "* * * * *"}}
    standin.create(JOB, job)
    standin.create(SYSTEM_BACKUP, {"metadata": {"name": name}, "spec": {}})
    standin.until(lambda: standin.status(SYSTEM_BACKUP, name).get("state") == "Error", "told")
    standin.cluster.tell({**standin.get(JOB, name)}, "NotPerformed", "for the test of its rights")
    events = standin.kube.request("GET", EVENT.path(OWN))["items"]
    assert name in {one["involvedObject"]["name"] for one in events}


def test_nothing_is_written_without_end(standin: Running, definitions: str) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        before = _versions(standin)
        time.sleep(2)
        if _versions(standin) == before:
            return
        assert time.monotonic() < deadline, definitions


def _versions(standin: Running) -> dict[str, str]:
    return {
        f"{kind.plural} {one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for kind in (TARGET, BACKUP, BACKUP_VOLUME, SNAPSHOT, VOLUME, SETTING, NODE)
        for one in standin.kube.request("GET", kind.path(OWN))["items"]
    }


def test_what_is_removed_from_the_cluster_goes_with_its_volume(standin: Running) -> None:
    standin.give_volume("pvc-gone")
    standin.back_up("pvc-gone", "backup-gone")
    kube = standin.kube
    kube.request("DELETE", POD.path("default", "pod-pvc-gone") + "?gracePeriodSeconds=0")
    kube.request("DELETE", CLAIM.path("default", "claim-pvc-gone"))
    kube.request("DELETE", PERSISTENT_VOLUME.path("", "pvc-gone"))
    standin.until(lambda: not kube.exists(VOLUME.path(OWN, "pvc-gone")), "the volume is gone")
    standin.until(
        lambda: not kube.exists(SNAPSHOT.path(OWN, "snap-backup-gone")), "its snapshot is gone"
    )
    assert kube.exists(BACKUP.path(OWN, "backup-gone"))
    assert [key for key in standin.store.objects if "/pvc-gone/blocks/" in key]


def test_taking_the_url_away_leaves_the_data(standin: Running) -> None:
    standin.give_volume("pvc-away")
    standin.back_up("pvc-away", "backup-away")
    held = dict(standin.store.objects)
    path = TARGET.path(OWN, "default")
    standin.kube.patch(path, {"spec": {"backupTargetURL": ""}})
    for kind in (BACKUP, BACKUP_VOLUME):
        standin.until(
            lambda kind=kind: not standin.kube.request("GET", kind.path(OWN))["items"],  # type: ignore[misc]
            f"no {kind.plural} are left",
        )
    assert standin.store.objects == held
    standin.kube.patch(path, {"spec": {"backupTargetURL": URL}})
    standin.until(lambda: standin.status(BACKUP, "backup-away").get("state"), "they are back")


def test_it_may_not_read_other_secrets(standin: Running, kube: KubeApi) -> None:
    api = standin.cluster._api
    with pytest.raises(ApiError) as caught:
        api.listing(SECRET, "default")
    assert caught.value.status == 403
    assert kube.exists("/api/v1/namespaces/default")
