"""What a restore by Longhorn makes, on a real API server: accepted, found again, taken away."""

import datetime
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.frame import Clock
from drills.longhorn.live import objects
from drills.longhorn.live.objects import Order
from drills.longhorn.live.place import Place
from drills.longhorn.live.trees import ImageTree
from drills.longhorn.live.waits import NotRestoredError, Waits
from drills.sandbox.hold import Idle
from drills.sandbox.marks import Run
from drills.volumes.reader_pod import ReaderPod, manifest
from kube.client import Clock as KubeClock
from kube.client import connect
from kube.kubeconfig import parse
from kube.longhorn.api import GROUP, NAMESPACE, Longhorn, object_path
from kube.writer import open_writer
from tests.kube.longhorn.conftest import api as longhorn_api
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

api = longhorn_api
HOUR = datetime.timedelta(hours=1)
URL = "s3://dev-longhorn@eu-west-1/dev/?backup=backup-1&volume=pvc-1"
ORDER = Order("pvc-1", "backup-1", URL, "default", 16 << 20,
              ImageTree("pvc-1", "backup-1", "ext4", Path("/nonexistent")), {})  # fmt: skip


@pytest.fixture
def place(api: KubeApi) -> Iterator[Place]:
    cluster = parse(api.kubeconfig)
    longhorn = Longhorn(connect(cluster), open_writer(cluster), NAMESPACE, KubeClock())
    now = datetime.datetime.now(datetime.UTC)
    run = Run("dev", "longhorn", secrets.token_hex(6), now, now + HOUR)
    made = Place(longhorn, run, Clock(), lambda _line: None)
    yield made
    made.take_away()


def test_all_of_it_is_accepted_and_goes_again(api: KubeApi, place: Place) -> None:
    assert place.is_clean()
    place.make(1, ["shop"])
    place.make(1, ["shop"])  # as after a lost answer
    uid = place.order(ORDER, {"diskSelector": "slow"})
    assert uid
    assert place.order(ORDER, {"diskSelector": "slow"}) == uid
    pod = ReaderPod("longhorn", place.namespace, ORDER.claim)
    content = manifest(place.run, pod, Idle("python:1"))
    place._create(f"/api/v1/namespaces/{place.namespace}/pods", content)
    found = place.debris()
    assert (found.namespaces, found.classes) == (
        [place.namespace], [objects.class_name(place.run, ORDER)],
    )  # fmt: skip
    removed, left = place.take_away()
    assert (removed, left) == (2, ())
    assert not api.exists(f"/api/v1/namespaces/{place.namespace}")
    assert place.is_clean()


def test_a_claim_that_gets_no_volume_is_told_with_its_event(api: KubeApi, place: Place) -> None:
    place.make(1, [])
    place.order(ORDER, {})
    events = f"/api/v1/namespaces/{place.namespace}/events"
    api.request("POST", events, {
        "metadata": {"name": "e1"}, "type": "Warning", "reason": "ProvisioningFailed",
        "message": "backup-1 is not there", "involvedObject": {
            "kind": "PersistentVolumeClaim", "name": ORDER.claim, "namespace": place.namespace,
        },
    })  # fmt: skip
    waits = Waits(place.longhorn, threading.Event(), lambda _line: None)
    with pytest.raises(NotRestoredError, match="backup-1 is not there"):
        waits.bound(place.namespace, ORDER.claim, 2.0)


def test_a_volume_is_waited_for_as_longhorns_own_schema_has_it(api: KubeApi, place: Place) -> None:
    api.request("POST", object_path(NAMESPACE, "volumes"), {
        "apiVersion": GROUP, "kind": "Volume",
        "metadata": {"name": "pvc-2", "namespace": NAMESPACE,
                     "labels": {objects.GROUP_LABEL: "enabled"}},
        "spec": {"fromBackup": URL, "size": "16777216", "numberOfReplicas": 1},
    })  # fmt: skip
    status = object_path(NAMESPACE, "volumes", "pvc-2") + "/status"
    said: list[str] = []
    waits = Waits(place.longhorn, threading.Event(), said.append)
    api.patch(status, {"status": {"state": "attached", "restoreRequired": True}})
    with pytest.raises(NotRestoredError, match="still to be filled"):
        waits.filled("pvc-2", URL, 1.0)
    api.patch(status, {"status": {"state": "detached", "restoreRequired": False}})
    waits.filled("pvc-2", URL, 10.0)
    assert said == [
        "volume pvc-2 is attached, still to be filled",
        "volume pvc-2 is detached, filled",
    ]
    # Behind no PersistentVolume, and of no run that anybody knows.
    (left,) = place.debris().left
    assert (left.name, left.debris) == ("pvc-2", True)
    api.request("DELETE", object_path(NAMESPACE, "volumes", "pvc-2"))
