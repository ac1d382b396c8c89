"""A real Velero reads a damaged copy as a backup of its own, and keeps nothing of it afterwards.

Each copy takes up to a minute: Velero looks for new locations no more often.
"""

import datetime
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from drills.damaged import debris
from drills.damaged.faults import named
from drills.damaged.point import DamagedPoint, Store, Wanted, damaged_point, sweep
from drills.damaged.scratch_bucket import Bounds, Source, TooLargeError
from drills.objects import tarball
from drills.objects.tarball import SavedObject
from drills.sandbox.marks import Run, read
from kube.client import Clock, connect
from kube.kubeconfig import parse
from kube.velero.api import Velero
from kube.writer import open_writer
from s3.client import Credential, StoreEndpoint
from s3.client import connect as connect_store
from tests.drills.damaged import samples
from tests.drills.objects.real_objects import cluster_objects, namespaced_objects
from tests.drills.objects.real_velero import (
    BUCKET,
    GROUP,
    NAMESPACE,
    RealVelero,
    posted,
    running_velero,
)
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

BACKUP = samples.BACKUP
KINDS = ("backupstoragelocations", "backups", "podvolumebackups", "backuprepositories")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVelero]:
    with running_velero(tmp_path_factory.mktemp("damaged"), _fill) as running:
        made = running.backup(BACKUP, {"includedNamespaces": ["shop", "kube-system"]})
        assert made["status"]["phase"] == "Completed", made
        # No node, no copies of volumes: they are put beside the backup as Velero would.
        held = {f"backups/{BACKUP}/{BACKUP}-podvolumebackups.json.gz":
                samples.packed([samples.pod_volume_backup()]), **samples.repository()}  # fmt: skip
        for key, content in held.items():
            running.client.put_object(BUCKET, key, io.BytesIO(content), len(content))
        yield running


def _fill(api: KubeApi) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for path, content in [*cluster_objects(), *namespaced_objects("shop")]:
        posted(api, path, content)


@pytest.fixture
def velero(real: RealVelero) -> Velero:
    cluster = parse(real.api.kubeconfig)
    return Velero(connect(cluster), open_writer(cluster, patience=10), NAMESPACE, Clock())


@pytest.fixture
def store(real: RealVelero) -> Store:
    server = real.store
    endpoint = StoreEndpoint(server.url, server.region, server.ca_pem)
    return Store(endpoint, Credential(server.root_user, server.root_password))


@pytest.fixture
def run() -> Run:
    now = datetime.datetime.now(datetime.UTC)
    return Run("dev", "volumes", "r1", now, now + datetime.timedelta(minutes=10))


WANTED = Wanted(Source(BUCKET, "", BACKUP), "default", ["shop"])


def everything(real: RealVelero) -> set[str]:
    """Every object of Velero's, every Secret beside it, and every bucket, by its name."""
    places = [*(f"{GROUP}/{kind}" for kind in KINDS), f"/api/v1/namespaces/{NAMESPACE}/secrets"]
    objects = {
        f"{place.rpartition('/')[2]}/{one['metadata']['name']}"
        for place in places
        for one in real.api.request("GET", place)["items"]
    }
    return objects | {f"bucket {one.name}" for one in real.client.list_buckets()}


def found(real: RealVelero, kind: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = real.api.request("GET", f"{GROUP}/{kind}/{name}")
    return content


def archive(store: Store, point: DamagedPoint) -> io.BytesIO:
    """As the drill reads it, with the key that it is given."""
    client = connect_store(store.endpoint, point.reader)
    answer = client.get_object(point.bucket, f"backups/{point.backup}/{point.backup}.tar.gz")
    try:
        return io.BytesIO(answer.read())
    finally:
        answer.close()
        answer.release_conn()


def test_velero_reads_the_copy_and_nothing_of_it_is_left(
    real: RealVelero, velero: Velero, store: Store, run: Run
) -> None:
    before = everything(real)
    with damaged_point(velero, store, WANTED, run, None) as point:
        backup = found(real, "backups", point.backup)
        assert backup["status"]["phase"] == "Completed"
        assert backup["spec"]["storageLocation"] == point.location
        assert read(backup) == run
        assert "velero.io/schedule-name" not in backup["metadata"]["labels"]
        (copied,) = (
            one for one in real.api.request("GET", f"{GROUP}/podvolumebackups")["items"]
            if one["metadata"]["labels"]["velero.io/backup-name"] == point.backup
        )  # fmt: skip
        assert copied["spec"]["backupStorageLocation"] == point.location
        assert copied["metadata"]["ownerReferences"][0]["uid"] == backup["metadata"]["uid"]
        assert read(copied) == run
        location = found(real, "backupstoragelocations", point.location)
        assert location["spec"]["accessMode"] == "ReadOnly"
        assert len(list(tarball.objects(archive(store, point)))) > 20
    assert everything(real) == before


def test_a_restore_from_the_copy_brings_back_what_the_copy_holds(
    real: RealVelero, velero: Velero, store: Store, run: Run
) -> None:
    fault = named("field-changed-in-tarball")
    with damaged_point(velero, store, WANTED, run, fault) as point:
        ended = real.restore("from-copy", {
            "backupName": point.backup, "includedNamespaces": ["shop"],
            "includedResources": ["configmaps"], "namespaceMapping": {"shop": "aside"},
        })  # fmt: skip
        assert ended["status"]["phase"] == "Completed", ended
        maps = real.api.request("GET", "/api/v1/namespaces/aside/configmaps")["items"]
        planted = [m for m in maps if "backstop.io/planted" in (m["metadata"].get("labels") or {})]
        assert len(planted) == 1
        changed = {one.key for one in tarball.objects(archive(store, point)) if _planted(one)}
        assert {key.name for key in changed} == {planted[0]["metadata"]["name"]}
        real.api.request("DELETE", f"{GROUP}/restores/from-copy")
    assert not [one for one in tarball.objects(real.tarball(BACKUP)) if _planted(one)]


def _planted(saved: SavedObject) -> bool:
    return "backstop.io/planted" in json.dumps(saved.content)


def test_a_copy_that_is_refused_leaves_nothing(
    real: RealVelero, velero: Velero, store: Store, run: Run
) -> None:
    before = everything(real)
    small = Wanted(WANTED.source, "default", ["shop"], bounds=Bounds(objects=1))
    with pytest.raises(TooLargeError), damaged_point(velero, store, small, run, None):
        raise AssertionError("there is nothing to drill")
    assert everything(real) == before


class Killed(BaseException):
    """Stands for the end of a process: nothing of the run cleans up."""


def test_what_a_killed_run_left_is_swept_when_it_is_dead(
    real: RealVelero, velero: Velero, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(real)
    with monkeypatch.context() as killing:
        killing.setattr(debris, "remove_run", lambda *_given, **_named: None)
        killing.setattr("drills.damaged.scratch_bucket.ScratchBucket.remove", lambda _self: None)
        with pytest.raises(Killed), damaged_point(velero, store, WANTED, run, None):
            raise Killed
    left = everything(real)
    assert len(left - before) == 5, left - before
    assert sweep(velero, store, "dev", run.until - datetime.timedelta(minutes=1)) == ()
    assert everything(real) == left
    assert sweep(velero, store, "dev", run.until + datetime.timedelta(seconds=5)) == ()
    assert everything(real) == before
