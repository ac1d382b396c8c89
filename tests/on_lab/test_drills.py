"""The drills of Velero's backups on a real cluster: proven, killed, in each other's way, misled."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.aside import Aside
from drills.frame import Clock, run_phases
from drills.payload import parse
from drills.sandbox.leases import LEASE_SECONDS
from drills.sandbox.modifiers import KEY
from drills.sandbox.plan import Plan
from drills.verdict import Reason, Verdict
from drills.volumes.payload import VolumesPayload
from drills.volumes.run import opened
from tests.on_lab.drilled import (
    Drills,
    assert_as_before,
    backup,
    backups,
    did,
    failed,
    lasting,
    remove_backups,
    things,
    told,
)
from tests.on_lab.site import Site

pytestmark = pytest.mark.lab
WAIT_SECONDS = 300
# No Lease is good for longer than its run may live: a dead one is known at the second look.
DEAD_AT_ONCE = {"limits": {"drillSeconds": 1}}
# A workload with a volume of each method, which overwrites both when it finds itself elsewhere.
SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files, namespace: shop}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: longhorn
  resources: {requests: {storage: 16Mi}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: whole, namespace: shop}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: longhorn
  resources: {requests: {storage: 16Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
      annotations: {backup.velero.io/backup-volumes: files}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: docker.io/lab/demo:1
          env: [{name: PLACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]
          command: [sh, -c, "while :; do [ $PLACE = shop ] || echo rewritten | tee /files/page
            >/whole/page; sleep 0.2; done & exec httpd -f -p 8080 -h /files"]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          volumeMounts:
            - {name: files, mountPath: /files}
            - {name: whole, mountPath: /whole}
      volumes:
        - {name: files, persistentVolumeClaim: {claimName: files}}
        - {name: whole, persistentVolumeClaim: {claimName: whole}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
"""
PAGE_BYTES = 108894  # what `seq 20000` prints


@pytest.fixture(scope="module")
def drills(saved: Site) -> Iterator[Drills]:
    """The stack as it is committed, with a shop in the cluster and in the last backup."""
    did(saved, "kubectl", "apply", "-f", "-", stdin=SHOP)
    rollout = ("rollout", "status", "deployment/shop", f"--timeout={WAIT_SECONDS}s")
    did(saved, "kubectl", "-n", "shop", *rollout)
    fill = "seq 20000 | tee /files/page >/whole/page; sync"
    did(saved, "kubectl", "-n", "shop", "exec", "deployment/shop", "--", "sh", "-c", fill)
    backup(saved, f"shop-{time.time_ns()}", "--from-schedule", "demo")
    yield Drills.of(saved)
    did(saved, "kubectl", "delete", "namespace", "shop", f"--timeout={WAIT_SECONDS}s")


def at_rest(drills: Drills) -> set[str]:
    """What is there once nothing changes: the snapshots of a backup go a moment after its end."""
    deadline = time.monotonic() + WAIT_SECONDS
    found = things(drills)
    while time.monotonic() < deadline:
        time.sleep(5)
        before, found = found, things(drills)
        if found == before:
            return found
    pytest.fail("the cluster does not come to rest")


@dataclass
class Meeting:
    """Two runs of each drill at once: what each said, and what the second one changed."""

    before: set[str]
    first: list[dict[str, Any]] = field(default_factory=list)
    second: list[dict[str, Any]] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def meeting(drills: Drills) -> Meeting:
    """The first run of each drill hardly gets on in the middle, while a second one tries."""
    found = Meeting(at_rest(drills))
    for layer in ("kube-objects", "volumes"):
        one = drills.begin(layer)
        one.says(f"{layer}: prepare")
        with one.hardly_running():
            there = lasting(things(drills))
            found.second += drills.run(layer)
            found.changed |= there - things(drills)
        found.first += one.receipts()
    return found


def test_a_second_run_is_refused_and_takes_nothing_from_the_first(meeting: Meeting) -> None:
    assert [one["reason"] for one in meeting.second] == ["target-refused"] * 2
    assert [one["verdict"] for one in meeting.second] == ["unproven"] * 2
    assert meeting.changed == set()
    assert [one["verdict"] for one in meeting.first] == ["proven"] * 2


def test_objects_and_volumes_are_proven(meeting: Meeting) -> None:
    objects, volumes = meeting.first
    copies = {
        one["what"]: one["count"]
        for one in objects["compared"]
        if one["how"].startswith("restored copy")
    }
    assert copies["deployments.apps"] == 2  # the canary's and the shop's
    assert {"services", "configmaps", "secrets", "networkpolicies.networking.k8s.io"} <= set(copies)
    how = {one["what"]: one for one in volumes["compared"]}
    assert {"coverage of volumes (csi-snapshot)", "coverage of volumes (file-system)"} <= set(how)
    canary = [one for what, one in how.items() if what.startswith("files of backstop-canary/")]
    assert ["the truth its writer told the store" in one["how"] for one in canary] == [True, True]
    # A volume of which nobody knows what it should hold is a weaker proof, and says so.
    assert how["extent of shop/files"]["bytes"] == PAGE_BYTES
    assert "against the bytes that its backup counted" in how["extent of shop/files"]["how"]
    assert "all of it could be read" in how["extent of shop/whole"]["how"]
    assert "content of shop/whole" in {one["what"] for one in volumes["notCompared"]}
    assert volumes["left"] == objects["left"] == []


# What a drill says when the phase in question has begun, and seconds from then to its death.
DEATHS = {
    "kube-objects": (
        ("kube-objects drill of", 0.0),
        ("kube-objects: find", 0.0),
        ("kube-objects: witness", 0.05),
        ("kube-objects: prepare", 0.2),
        ("kube-objects: restore", 0.0),
        ("kube-objects: compare", 1.0),
    ),
    "volumes": (
        ("volumes drill of", 0.0),
        ("volumes: find", 0.0),
        ("volumes: coverage", 0.05),
        ("volumes: prepare", 0.1),
        ("InProgress", 2.0),
        ("reading it", 0.0),
        ("volumes: read", 0.0),
        ("volumes: compare", 4.0),
        ("volumes: time", 1.0),
    ),
}
CHECK = {
    "name": "page", "kind": "http", "namespace": "shop", "service": "shop", "port": 80,
    "path": "/page", "contains": "rewritten", "start": ["deployments.apps/shop"],
}  # fmt: skip


def test_a_run_that_is_killed_anywhere_is_swept_by_the_next(
    drills: Drills, meeting: Meeting
) -> None:
    """None of them is refused, for each dead run's Lease has run out; each sweeps the one before,
    and the last one sweeps all."""
    for layer, deaths in DEATHS.items():
        left: set[str] = set()
        for text, pause in deaths:
            changes: dict[str, Any] = {"namespaces": ["shop"], **DEAD_AT_ONCE}
            if text == "volumes: compare":
                changes |= {"checks": [CHECK], "checksNeedClosedNetwork": False}
            running = drills.begin(layer, **changes)
            running.says(text)
            time.sleep(pause)
            running.kill()
            left |= {one for one in things(drills) if "backstop-drill-" in one}
        assert len(left) > len(deaths), "they died before they had made anything"
    last = drills.run("kube-objects", "volumes")
    assert [told(one) for one in last] == [told(one) for one in meeting.first]
    assert_as_before(drills, meeting.before)


def test_after_a_run_that_was_killed_the_next_one_waits_a_minute(
    drills: Drills, meeting: Meeting
) -> None:
    running = drills.begin("kube-objects")
    running.says("kube-objects: prepare")
    running.kill()
    began = time.monotonic()
    [receipt] = drills.run("kube-objects")
    assert time.monotonic() - began > LEASE_SECONDS
    assert told(receipt) == told(meeting.first[0])
    assert_as_before(drills, meeting.before)


class Unheld(Aside):
    """A restore aside without what keeps Deployments at zero."""

    def prepare(self, plan: Plan, *, readers: int = 0) -> None:
        content = yaml.safe_load(plan.config_map["data"][KEY])
        content["resourceModifierRules"] = [
            rule
            for rule in content["resourceModifierRules"]
            if rule["conditions"]["groupResource"] not in ("deployments.apps", "replicasets.apps")
        ]
        unheld = {**plan.config_map, "data": {KEY: yaml.safe_dump(content)}}
        super().prepare(replace(plan, config_map=unheld), readers=readers + 1)


def test_a_workload_that_is_not_held_is_noticed_by_what_it_wrote(
    drills: Drills, tmp_path: Path
) -> None:
    # Workloads come back only where there is something to check in them.
    text = json.dumps(drills.payload("volumes", namespaces=["shop"], checks=[CHECK]))
    drill = opened(parse(VolumesPayload, text), Clock(), print, tmp_path)
    aside = drill.course.aside
    drill.course.aside = Unheld(aside.velero, aside.run, aside.clock, aside.progress)
    phases = [one for one in drill.phases() if one.name != "use"]
    judgement = run_phases(drill.layer, phases, drill.closing(), Clock(), print).judgement()
    assert judgement.verdict is Verdict.BROKEN
    assert judgement.reason is Reason.CONTENT_DIFFERS
    assert f"{PAGE_BYTES} bytes" in judgement.detail


def test_a_completed_backup_without_the_data_of_volumes_is_red(drills: Drills) -> None:
    """The canary's pod has lost the annotation that opts its volume in, and snapshots are off."""
    site, opt_in = drills.site, "backup.velero.io/backup-volumes"
    pods = ("kubectl", "-n", "backstop-canary", "annotate", "pods", "--all", "--overwrite")
    hollow = f"hollow-{time.time_ns()}"
    did(site, *pods, f"{opt_in}-")
    try:
        of_canary = ("--include-namespaces", "backstop-canary", "--snapshot-volumes=false")
        backup(site, hollow, *of_canary, "--ttl=24h")
    finally:
        did(site, *pods, f"{opt_in}=files")
    [receipt] = drills.run("volumes", schedules=[], restorePoint={"name": hollow})
    assert (receipt["verdict"], receipt["reason"]) == ("broken", "volume-lost")
    assert [one["observed"] for one in failed(receipt)] == ["it holds no data of any of 2 claims"]


@pytest.fixture(scope="module")
def moving(drills: Drills) -> Iterator[Drills]:
    """The stack with its snapshots carried to the store."""
    site = drills.site
    snap = {"driver": "driver.longhorn.io", "name": "longhorn-snap", "type": "snap"}
    methods = {"files": "file-system", "moved": "data-mover"}
    volumes = [
        {"name": name, "method": method, "storageClass": "longhorn"}
        for name, method in methods.items()
    ]
    site.configure(
        snapshots={"classes": [{**snap, "default": True}]}, velero={"snapshotMoveData": True},
        canary={"volumes": volumes},
        drills={"kubeObjects": {"enabled": False}, "volumes": {"control": "none"}},
    )  # fmt: skip
    there = set(backups(site))
    site.up()
    yield Drills.of(site)
    made = set(backups(site)) - there
    site.reset()
    site.up()
    # The canary's volumes changed: one is new, and no backup from before holds it.
    assert set(backups(site)) - there - made, "no backup of the committed canary's new volume"
    remove_backups(site, made)


def test_moved_and_copied_volumes_are_proven_by_the_stack(moving: Drills) -> None:
    kept = moving.site.outputs()["drills"]["volumes"]["file"]
    receipt = json.loads((Path(moving.site.environment["BACKSTOP_RECEIPTS"]) / kept).read_text())
    assert (receipt["verdict"], failed(receipt)) == ("proven", [])
    how = {one["what"].rpartition("-")[0] or one["what"]: one for one in receipt["compared"]}
    for volume in ("files", "moved"):
        judged = how[f"files of backstop-canary/canary-{volume}"]
        assert "the truth its writer told the store" in judged["how"]
        assert judged["bytes"] > 8 << 20
    moving.site.quiet()


def test_volumes_are_read_before_their_workload_is_started_and_used(moving: Drills) -> None:
    """What was counted at backup time was found, and then a page that the workload rewrites."""
    before = things(moving)
    changes = {"namespaces": ["shop"], "checks": [CHECK], "checksNeedClosedNetwork": False}
    [receipt] = moving.run("volumes", **changes)
    assert (receipt["verdict"], failed(receipt)) == ("proven", [])
    how = {one["what"]: one for one in receipt["compared"]}
    assert {"coverage of volumes (data-mover)", "coverage of volumes (file-system)"} <= set(how)
    for volume in ("files", "whole"):
        assert how[f"extent of shop/{volume}"]["bytes"] == PAGE_BYTES
        assert "weaker" in how[f"extent of shop/{volume}"]["how"]
    assert "user check page" in how
    assert {"volumes", "ready", "checks"} <= set(receipt["rto"])
    restored = next(one["result"] for one in receipt["phases"] if one["name"] == "restore")
    assert f" {2 * PAGE_BYTES} bytes moved" in restored
    assert_as_before(moving, before)
