"""The whole drill on a real Velero, API server and store, and faults that are planted there."""

import datetime
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.evidence import earlier_receipts
from drills.frame import Clock, Phase, Record, run_phases
from drills.kube_objects.controls import CONTROLS
from drills.kube_objects.drill import KubeObjectsDrill
from drills.kube_objects.payload import KubeObjectsPayload
from drills.kube_objects.run import opened, ready, ready_controls
from drills.payload import PayloadError, parse
from drills.sandbox import fence, leases
from drills.sandbox.marks import Run
from drills.verdict import Reason, Verdict
from tests.drills.objects import archives
from tests.drills.objects.real_objects import cluster_objects, namespaced_objects
from tests.drills.objects.real_velero import (
    BUCKET,
    NAMESPACE,
    RealVelero,
    posted,
    running_velero,
)
from tests.drills.volumes.drill_site import no_heartbeat
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

SHOP = "/api/v1/namespaces/shop"
RESTORES = f"/apis/velero.io/v1/namespaces/{NAMESPACE}/restores"


@pytest.fixture(scope="module")
def velero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVelero]:
    with running_velero(tmp_path_factory.mktemp("drill"), _fill) as running:
        yield running


def _fill(api: KubeApi) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for path, content in [*cluster_objects(), *namespaced_objects("shop")]:
        posted(api, path, content)


@pytest.fixture(scope="module")
def backup(velero: RealVelero) -> str:
    made = velero.backup("nightly-1", {"includedNamespaces": ["shop"], "ttl": "720h"})
    assert made["status"]["phase"] == "Completed", made
    return "nightly-1"


def payload_of(velero: RealVelero, **changes: Any) -> dict[str, Any]:
    uid = velero.api.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    keys = {"accessKey": velero.store.root_user, "secretKey": velero.store.root_password}
    return {
        "schema": 1, "layer": "kube-objects", "site": "dev",
        "endpoint": velero.store.url, "region": velero.store.region, "caPem": velero.store.ca_pem,
        "clients": [{"name": "drill", **keys}],
        "limits": {"rtoSeconds": 300, "rpoSeconds": 86400, "restoreSeconds": 120},
        "evidence": None, "receiptsDir": None, "onRed": "fail", "control": "none",
        "cluster": {"kubeconfig": velero.api.kubeconfig, "uid": uid},
        "velero": {"namespace": NAMESPACE, "location": "default", "bucket": BUCKET},
        "restorePoint": {"name": "nightly-1"}, **changes,
    }  # fmt: skip


@pytest.fixture
def drill(velero: RealVelero, backup: str, tmp_path: Path) -> Callable[..., KubeObjectsDrill]:
    assert backup

    def make(**changes: Any) -> KubeObjectsDrill:
        text = json.dumps(payload_of(velero, **changes))
        return opened(parse(KubeObjectsPayload, text), Clock(), lambda _line: None, tmp_path)

    return make


def run(drill: KubeObjectsDrill, between: Callable[[], None] | None = None) -> Record:
    """The drill's record; `between` acts after the restore and before the comparison."""
    phases = list(drill.phases())
    if between is not None:
        act = between

        def disturb(_record: Record) -> str:
            act()
            return "disturbed"

        phases.insert(len(phases) - 1, Phase("disturb", disturb))
    return run_phases(drill.layer, phases, drill.closing(), drill.clock, lambda _line: None)


def red(record: Record) -> list[tuple[Reason | None, str]]:
    return [(one.reason, one.observed) for one in record.checks if not one.ok]


def drilled_namespaces(velero: RealVelero) -> list[str]:
    found = velero.api.request("GET", "/api/v1/namespaces")["items"]
    names = [one["metadata"]["name"] for one in found]
    return [one for one in names if one.startswith("backstop-drill-")]


def left_behind(velero: RealVelero) -> list[str]:
    restores = velero.api.request("GET", RESTORES)["items"]
    maps = velero.api.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps")["items"]
    held = velero.api.request("GET", leases.collection(NAMESPACE))["items"]
    found = [one["metadata"]["name"] for one in (*restores, *maps, *held)]
    return [*drilled_namespaces(velero), *(n for n in found if n.startswith("backstop-drill-"))]


def test_a_good_backup_is_proven_and_nothing_is_left(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill]
) -> None:
    record = run(drill())
    assert red(record) == []
    assert record.judgement().verdict is Verdict.PROVEN
    assert [phase.name for phase in record.phases] == [
        "find", "witness", "prepare", "restore", "compare", "clean up",
    ]  # fmt: skip
    against = {one.how for one in record.compared}
    assert len(against) == 2
    assert sum(one.count for one in record.compared) > 60
    assert record.point is not None
    assert record.point.name == "nightly-1"
    assert record.rto.keys() == {"fetch", "objects"}
    assert "lists of the cluster" in {one.what for one in record.not_compared}
    assert any("cluster-scoped" in one.why or "whole cluster" in one.why
               for one in record.not_compared)  # fmt: skip
    assert left_behind(velero) == []


def test_nothing_restored_runs(velero: RealVelero, drill: Callable[..., KubeObjectsDrill]) -> None:
    made = drill()
    seen: dict[str, Any] = {}

    def look() -> None:
        (sandbox,) = drilled_namespaces(velero)
        path = f"/apis/apps/v1/namespaces/{sandbox}/deployments/web"
        seen["replicas"] = velero.api.request("GET", path)["spec"]["replicas"]
        seen["pods"] = velero.api.request("GET", f"/api/v1/namespaces/{sandbox}/pods")["items"]
        policies = f"/apis/networking.k8s.io/v1/namespaces/{sandbox}/networkpolicies"
        seen["policies"] = [
            one["metadata"]["name"] for one in velero.api.request("GET", policies)["items"]
        ]

    assert red(run(made, look)) == []
    assert (seen["replicas"], seen["pods"]) == (0, [])
    assert "backstop-drill-deny-all" in seen["policies"]


def test_what_is_dropped_from_the_archive_is_lost(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill]
) -> None:
    with damaged(velero, "nightly-1", lambda pairs: [
        pair for pair in pairs if str(pair[0]) != "configmaps/shop/settings"
    ]) as dropped:  # fmt: skip
        record = run(drill())
    assert dropped == 1
    assert record.judgement().reason is Reason.OBJECT_LOST
    assert any("configmaps/shop/settings" in text for _, text in red(record))
    assert left_behind(velero) == []


def test_a_changed_field_in_the_archive_is_found_against_the_live_object(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill]
) -> None:
    def edit(pairs: list[Any]) -> list[Any]:
        return [
            (key, {**content, "spec": {**content["spec"], "replicas": 77}})
            if str(key) == "deployments.apps/shop/web" else (key, content)
            for key, content in pairs
        ]  # fmt: skip

    with damaged(velero, "nightly-1", edit):
        record = run(drill())
    assert record.judgement().reason is Reason.OBJECT_DIFFERS
    assert next(text for _, text in red(record)).startswith(
        "changed deployments.apps/shop/web: spec"
    )


def test_a_truncated_archive_is_damaged_and_nothing_is_restored(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill]
) -> None:
    with stored(velero, "nightly-1", velero.tarball("nightly-1").getvalue()[:-200]):
        record = run(drill())
    assert record.judgement().reason is Reason.RESTORE_POINT_DAMAGED
    assert [one.name for one in record.phases][-1] == "clean up"
    assert left_behind(velero) == []


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("DELETE", "/api/v1/namespaces/{}/configmaps/settings", Reason.OBJECT_LOST),
        ("POST", "/api/v1/namespaces/{}/configmaps", Reason.OBJECT_ADDED),
    ],
)
def test_a_copy_that_somebody_changed_is_no_proof(
    velero: RealVelero,
    drill: Callable[..., KubeObjectsDrill],
    method: str,
    path: str,
    reason: Reason,
) -> None:
    def disturb() -> None:
        (sandbox,) = drilled_namespaces(velero)
        body = {"metadata": {"name": "intruder"}} if method == "POST" else None
        velero.api.request(method, path.format(sandbox), body)

    assert run(drill(), disturb).judgement().reason is reason


def test_another_cluster_is_refused_before_anything_is_made(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill]
) -> None:
    long_ago = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    dead = Run("dev", "kube-objects", "dead", long_ago, long_ago + datetime.timedelta(hours=1))
    velero.api.request("POST", "/api/v1/namespaces", fence.namespace(dead, dead.name("shop")))
    kubeconfig = velero.api.kubeconfig
    record = run(drill(cluster={"kubeconfig": kubeconfig, "uid": "another"}))
    assert record.judgement().reason is Reason.CLUSTER_MISMATCH
    assert [one.name for one in record.phases] == ["find", "clean up"]
    # What a dead run left is swept by the next one in its own cluster, and by no other.
    assert drilled_namespaces(velero) == [dead.name("shop")]
    assert red(run(drill())) == []
    assert drilled_namespaces(velero) == []


def test_no_such_restore_point_is_unproven(drill: Callable[..., KubeObjectsDrill]) -> None:
    judgement = run(drill(restorePoint={"name": "never"})).judgement()
    assert (judgement.verdict, judgement.reason) == (
        Verdict.UNPROVEN, Reason.RESTORE_POINT_MISSING,
    )  # fmt: skip
    assert "nightly-1" in judgement.detail


def test_a_restore_point_older_than_the_limit_is_red(
    drill: Callable[..., KubeObjectsDrill],
) -> None:
    limits = {"rtoSeconds": 300, "rpoSeconds": 0.001, "restoreSeconds": 120}
    record = run(drill(limits=limits))
    assert [reason for reason, _ in red(record)] == [Reason.OVER_RPO]
    assert record.judgement().reason is Reason.OVER_RPO


def test_a_clock_ahead_of_the_clusters_is_graver_than_the_age_it_tells(
    drill: Callable[..., KubeObjectsDrill],
) -> None:
    later = Clock(now=lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3))
    record = run(KubeObjectsDrill(replace(drill().course, clock=later)))
    assert [reason for reason, _ in red(record)] == [Reason.OVER_RPO, Reason.CLOCK_SKEW]
    assert record.judgement().reason is Reason.CLOCK_SKEW


def test_a_restore_slower_than_its_limit_is_red(drill: Callable[..., KubeObjectsDrill]) -> None:
    limits = {"rtoSeconds": 0.001, "rpoSeconds": 86400, "restoreSeconds": 120}
    assert run(drill(limits=limits)).judgement().reason is Reason.OVER_RTO


def test_a_wrong_key_of_the_drill_is_told(drill: Callable[..., KubeObjectsDrill]) -> None:
    clients = [{"name": "drill", "accessKey": "nobody", "secretKey": "nothing-at-all"}]
    assert run(drill(clients=clients)).judgement().reason is Reason.KEY_UNKNOWN


def test_a_run_that_was_killed_is_swept_by_the_next_long_before_its_deadline(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 4)
    dead = drill()
    dead.course.lease.start = no_heartbeat
    run_phases(dead.layer, dead.phases()[:4], (), dead.clock, lambda _line: None)
    assert drilled_namespaces(velero) != []
    record = run(drill())
    assert red(record) == []
    assert left_behind(velero) == []


def test_a_run_that_lives_is_not_met(
    velero: RealVelero, drill: Callable[..., KubeObjectsDrill], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 12)
    first = drill()
    run_phases(first.layer, first.phases()[:3], (), first.clock, lambda _line: None)
    judgement = run(drill()).judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.TARGET_REFUSED)
    assert f"process {os.getpid()} on " in judgement.detail
    assert drilled_namespaces(velero) != []
    first.course.clean_up(Record())
    assert left_behind(velero) == []


def test_the_receipt_says_what_was_compared(
    velero: RealVelero, backup: str, tmp_path: Path
) -> None:
    assert backup
    made = ready(json.dumps(payload_of(velero)))
    receipt, place = made.run(Clock(), lambda _line: None, tmp_path)
    assert receipt.judgement.verdict is Verdict.PROVEN, receipt.judgement.detail
    assert place is not None
    content = json.loads(place.read_text())
    assert content["restorePoint"]["name"] == "nightly-1"
    assert content["compared"]
    assert content["notCompared"]
    assert "hunter2" not in place.read_text()
    assert earlier_receipts(tmp_path, "kube-objects") == 1


def test_every_control_is_killed_beside_a_green_twin(velero: RealVelero, backup: str) -> None:
    assert backup
    told: list[str] = []
    score = ready_controls(json.dumps(payload_of(velero))).run(Clock(), told.append)
    assert score.twin.killed, score.twin
    assert [(one.name, one.reason) for one in score.controls if not one.killed] == []
    # Nothing was recorded around this backup; see test_real_truth.py for the others.
    without_truth = [one.name for one in CONTROLS if not one.name.startswith("truth-")]
    assert [one.name for one in score.controls] == without_truth
    assert sum(line.endswith(" killed") for line in told) == len(without_truth)
    assert left_behind(velero) == []


def test_a_run_takes_one_control_along(velero: RealVelero, backup: str, tmp_path: Path) -> None:
    assert backup
    made = ready(json.dumps(payload_of(velero, control="dropped-object")))
    receipt, _ = made.run(Clock(), lambda _line: None, tmp_path)
    assert receipt.judgement.verdict is Verdict.PROVEN, receipt.judgement.detail
    assert (receipt.control.name, receipt.control.killed) == ("dropped-object", True)


def test_bad_input_is_one_sentence(velero: RealVelero) -> None:
    for change, said in (
        ({"restorePoint": "newest"}, "restorePoint"),
        ({"cluster": {"kubeconfig": "no: kubeconfig", "uid": "x"}}, "cluster.kubeconfig"),
        ({"control": "nonsense"}, "control: 'nonsense' is unknown"),
        ({"clients": []}, "clients: drill is missing"),
    ):
        with pytest.raises(PayloadError) as caught:
            ready(json.dumps(payload_of(velero, **change)))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


class stored:  # noqa: N801  (used as a statement)
    """Puts other content in the place of a backup's archive, and the right one back."""

    def __init__(self, velero: RealVelero, backup: str, content: bytes) -> None:
        self.velero, self.key = velero, f"backups/{backup}/{backup}.tar.gz"
        self.right, self.wrong = velero.tarball(backup).getvalue(), content

    def _put(self, content: bytes) -> None:
        self.velero.client.put_object(BUCKET, self.key, io.BytesIO(content), len(content))

    def __enter__(self) -> None:
        self._put(self.wrong)

    def __exit__(self, *_: object) -> None:
        self._put(self.right)


class damaged(stored):  # noqa: N801  (used as a statement)
    """The archive with other objects; entering gives how many fewer there are."""

    def __init__(
        self, velero: RealVelero, backup: str, edit: Callable[[list[Any]], list[Any]]
    ) -> None:
        from drills.objects import tarball  # noqa: PLC0415

        before = [tuple(one) for one in tarball.objects(velero.tarball(backup))]
        after = edit(before)
        self.fewer = len(before) - len(after)
        super().__init__(velero, backup, archives.backup(after))

    def __enter__(self) -> int:  # type: ignore[override]
        super().__enter__()
        return self.fewer
