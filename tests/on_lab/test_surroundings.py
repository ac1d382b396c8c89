"""What stands around a drill fails for real: it is red with its reason, and the next is proven."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drills.backup.drill import BackupDrill
from drills.backup.payload import BackupPayload
from drills.controls import judgement_of
from drills.frame import Clock
from drills.kube_objects import run as kube_objects
from drills.kube_objects.payload import KubeObjectsPayload
from drills.payload import parse
from drills.sandbox.marks import PREFIX, RUN_LABEL
from drills.surroundings.controls import in_surroundings
from drills.surroundings.faults import MeetingAside
from drills.surroundings.planting import WEBHOOKS, Surroundings
from drills.verdict import Judgement, Reason, Verdict
from drills.volumes import run as volumes
from drills.volumes.payload import VolumesPayload
from kube.velero.api import name, phase
from s3.client import Session
from s3.errors import StoreError
from tests.on_lab.site import Lab, Site

pytestmark = pytest.mark.lab

CLOCK = Clock()
NOWHERE = Path("/nonexistent")
# Of the lab's network, and nobody's: whoever asks there waits three seconds for an answer.
SILENT = "https://{network}.250:443"
WAIT_SECONDS = 60.0

Meanwhile = Callable[[tuple[str, ...]], AbstractContextManager[None]]


@dataclass(frozen=True)
class Ground:
    """A stack that is proven, and drills of it."""

    lab: Lab
    payload: BackupPayload

    def drill(self, payload: BackupPayload | None = None) -> BackupDrill[Any]:
        given: Any = payload or self.payload
        opened: Any = volumes.opened if given.layer == "volumes" else kube_objects.opened
        found: BackupDrill[Any] = opened(given, CLOCK, print, NOWHERE)
        return found

    def judged(self, meanwhile: Meanwhile) -> Judgement:
        """A drill whose restore meets something."""
        drill = self.drill()
        own = drill.course.aside
        drill.course.aside = MeetingAside(own.velero, own.run, own.clock, own.progress, meanwhile)
        return judgement_of(drill, CLOCK)

    def is_proven(self) -> bool:
        """The next drill; nothing of this or any other one is left."""
        found = judgement_of(self.drill(), CLOCK)
        left = self.drill().course.velero.client.list("/api/v1/namespaces")
        assert not [one for one in left if name(one).startswith(PREFIX)]
        assert found.verdict is Verdict.PROVEN, found.detail
        return True


def ground(saved: Site, layer: str, form: type[BackupPayload]) -> Ground:
    given = saved.outputs()["drillPayloads"][layer]
    return Ground(saved.lab, parse(form, json.dumps({**given, "surroundings": True})))


@pytest.fixture
def objects(saved: Site) -> Ground:
    return ground(saved, "kube-objects", KubeObjectsPayload)


@pytest.fixture
def data(saved: Site) -> Ground:
    return ground(saved, "volumes", VolumesPayload)


def outcomes(of: Ground, left_out: set[str]) -> dict[str, str]:
    """What each fault of the layer led to, where it is not what it must lead to."""
    found = {}
    for one in in_surroundings(of.payload, of.drill, CLOCK, print):
        if one.name not in left_out:
            result = one.result(one.run())
            found[one.name] = "" if result.killed else f"{result.verdict} {result.reason}"
    assert len(found) > 0
    return {called: what for called, what in found.items() if what}


# These take a minute, or were met with objects already; `drill control --surroundings` has all.
SLOW = {"velero-gone"}
SEEN_WITH_OBJECTS = {"clock-ahead", "location-unreachable", "location-key-unknown"}


def test_every_fault_is_noticed_and_gone_afterwards(objects: Ground, data: Ground) -> None:
    assert outcomes(objects, SLOW) == {}
    assert outcomes(data, SLOW | SEEN_WITH_OBJECTS) == {}
    assert objects.is_proven()


def in_network(lab: Lab) -> str:
    """The first three numbers of the addresses of the lab's hosts."""
    return lab.on("cp1", "hostname -I").split()[0].rpartition(".")[0]


@contextmanager
def slowed(there: Surroundings, run_id: str, network: str) -> Iterator[None]:
    """Each object that is restored takes seconds, so that something can happen meanwhile."""
    webhook = {
        "name": "slow.control.backstop.io", "admissionReviewVersions": ["v1"],
        "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 5,
        "clientConfig": {"url": SILENT.format(network=network)},
        "namespaceSelector": {"matchLabels": {RUN_LABEL: run_id}},
        "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"],
                   "resources": ["*"], "scope": "Namespaced"}],
    }  # fmt: skip
    content = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"backstop-control-slow-{run_id}"}, "webhooks": [webhook],
    }  # fmt: skip
    with there.made(WEBHOOKS, "slow", content):
        time.sleep(1)  # until the API server has heard of it
        yield


@contextmanager
def once_in_progress(there: Surroundings, run_id: str, deed: Callable[[], None]) -> Iterator[None]:
    """`deed` is done while Velero restores for this run."""
    done = threading.Event()

    def watch() -> None:
        client, path = there.velero.client, there.velero.collection("restores")
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            held = client.list(path, labels={RUN_LABEL: run_id})
            if any(phase(one) == "InProgress" for one in held):
                deed()
                done.set()
                return
            time.sleep(0.2)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert done.is_set(), "the restore was over before anything could happen to it"


def surroundings(of: Ground, drill: BackupDrill[Any]) -> Surroundings:
    payload = of.payload
    return Surroundings(
        drill.course.velero, payload.site, payload.velero.location, CLOCK, print
    )  # fmt: skip


def while_restoring(of: Ground, deed: Callable[[Surroundings], None]) -> Judgement:
    drill = of.drill()
    own, there, network = drill.course.aside, surroundings(of, drill), in_network(of.lab)

    @contextmanager
    def meanwhile(_sandboxes: tuple[str, ...]) -> Iterator[None]:
        with (
            slowed(there, own.run.run_id, network),
            once_in_progress(there, own.run.run_id, partial(deed, there)),
        ):
            yield

    drill.course.aside = MeetingAside(own.velero, own.run, own.clock, own.progress, meanwhile)
    return judgement_of(drill, CLOCK)


def kill_velero(there: Surroundings) -> None:
    pods = f"/api/v1/namespaces/{there.velero.namespace}/pods"
    for one in there.velero.client.list(pods, labels={"name": "velero"}):
        there.velero.writer.delete(f"{pods}/{name(one)}", grace_seconds=0)


def test_a_server_that_ends_in_the_middle_of_a_restore_is_red(objects: Ground) -> None:
    found = while_restoring(objects, kill_velero)
    assert found.reason is Reason.RESTORE_FAILED, found.detail
    assert "server-restarted" in found.detail
    assert objects.is_proven()


def test_an_api_server_that_restarts_is_outlasted(objects: Ground) -> None:
    def restart(_there: Surroundings) -> None:
        objects.lab.on("cp1", "systemctl restart kube-apiserver")

    found = while_restoring(objects, restart)
    # Velero itself may lose an object to it, and then says so.
    assert found.verdict is Verdict.PROVEN or found.reason is Reason.RESTORE_FAILED, found.detail
    assert objects.is_proven()


@contextmanager
def no_store(of: Ground) -> Iterator[None]:
    drill = of.drill()
    there, anonymous = surroundings(of, drill), Session.open(of.payload.store(), None)
    of.lab.on("store1", "systemctl stop minio")
    try:
        yield
    finally:
        of.lab.on("store1", "systemctl start minio")
        end = time.monotonic() + WAIT_SECONDS
        while not is_healthy(anonymous) and time.monotonic() < end:
            time.sleep(0.5)
        there.settled(there.storage_location, lambda one: phase(one) == "Available", "available")


def is_healthy(anonymous: Session) -> bool:
    try:
        return anonymous.send("GET", raw_path="/minio/health/cluster").ok
    except StoreError:
        return False


def test_a_store_that_is_gone_for_a_while_is_red(objects: Ground) -> None:
    found = objects.judged(lambda _sandboxes: no_store(objects))
    assert found.reason is Reason.RESTORE_FAILED, found.detail
    assert objects.is_proven()


# A small file system in the place of each volume that is made empty, and away with all of them.
FILL = r"""
cat > /run/backstop-control-fill <<'END'
cd /var/lib/lab-csi/volumes || exit 1
if [ "$1" = end ]; then
  for data in */data; do mountpoint -q "$data" && umount -l "$data"; done
  exit 0
fi
known=" $(echo */data) "
while :; do
  for data in */data; do
    case "$known" in *" $data "*) continue;; esac
    known="$known$data "
    [ -n "$(ls -A "$data")" ] || mount -t tmpfs -o "size=4m,mode=$(stat -c %a "$data")" none "$data"
  done
  sleep 0.02
done
END
systemd-run --quiet --unit=backstop-control-fill --property=RuntimeMaxSec=300 \
  --property='ExecStopPost=/bin/bash /run/backstop-control-fill end' \
  /bin/bash /run/backstop-control-fill
"""


def test_a_volume_that_cannot_be_filled_is_red(data: Ground) -> None:
    @contextmanager
    def no_room(_sandboxes: tuple[str, ...]) -> Iterator[None]:
        data.lab.on("cp1", FILL)
        try:
            yield
        finally:
            data.lab.on("cp1", "systemctl stop backstop-control-fill")

    found = data.judged(no_room)
    assert found.reason is Reason.RESTORE_FAILED, found.detail
    assert data.is_proven()
