"""Each fault leads to its reason, on a site in memory, and the next drill there is proven."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.aside import Aside
from drills.controls import NotPlantedError, judgement_of
from drills.frame import StopDrillError
from drills.payload import PayloadError
from drills.surroundings import controls, faults
from drills.surroundings.faults import FAULTS, KUBE_OBJECTS, VOLUMES, Fault, Stage
from drills.surroundings.marks import NOTE, Note, planting
from drills.surroundings.planting import LIFE
from drills.verdict import Judgement, Reason, Verdict
from kube.errors import ClusterError
from kube.velero.api import VeleroError
from kube.velero.restores import wait_restore
from tests.drills.sandbox.runs import HOUR, NOW
from tests.drills.surroundings.live import (
    AGENT,
    LOCATION,
    SERVER,
    LiveCluster,
    surroundings,
)
from tests.drills.volumes.drill_site import VELERO, DrillSite, payload_of, place_of
from tests.kube import kubeconfigs
from tests.kube.fakes import status

RESTORES = f"{VELERO}/restores"
WEBHOOK_FAILED = status(500, 'failed calling webhook "w": not found', "InternalError")


class Controllers:
    """What the cluster's controllers and Velero do in answer to changes."""

    def __init__(self, cluster: LiveCluster) -> None:
        self.cluster = cluster
        self.heal = True

    def __call__(self, name: str, found: dict[str, Any]) -> None:
        spec, metadata = found.get("spec") or {}, found["metadata"]
        seen = {"observedGeneration": metadata.get("generation", 1)}
        if "replicas" in spec:
            found["status"] = {**seen, "readyReplicas": spec["replicas"]}
            ended = {"phase": "Completed"} if spec["replicas"] else {}
            self.cluster.restore_status = ended
            for key, one in self.cluster.objects.items():
                if key[2] == "restores":
                    one["status"] = ended
        elif "template" in spec and name == "node-agent":
            count = 0 if spec["template"]["spec"].get("nodeSelector") else 1
            counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
            found["status"] = {**seen, **dict.fromkeys(counts, count)}
            ended = {"phase": "Completed" if count else "PartiallyFailed"}
            self.cluster.restore_status = ended
        elif "objectStorage" in spec:
            self._validate(found)
        elif "hard" in spec:
            found["status"] = {"hard": spec["hard"]}
            full = spec["hard"].get("count/configmaps") == "0"
            self.cluster.restore_status = {"phase": "PartiallyFailed" if full else "Completed"}

    def _validate(self, found: dict[str, Any]) -> None:
        spec = found["spec"]
        message = ""
        if spec["config"]["s3Url"] != "https://store":
            message = "dial tcp 127.0.0.1:1: connect: connection refused"
        if spec["credential"]["name"] != "own":
            message = "api error InvalidAccessKeyId: no such key"
        found["status"] = {
            "phase": "Unavailable" if message else "Available", "message": message,
            "lastValidationTime": NOW.isoformat(),
        }  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> DrillSite:
    cluster = LiveCluster()
    found = DrillSite(tmp_path / "site", cluster=cluster)
    found.build()
    cluster.put(SERVER, {"spec": {"replicas": 1}, "status": {"readyReplicas": 1}})
    cluster.put(AGENT, {"spec": {"template": {"spec": {}}}})
    cluster.put(LOCATION, {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"objectStorage": {}, "config": {"s3Url": "https://store"},
                 "credential": {"name": "own", "key": "cloud"}},
        "status": {"phase": "Available"},
    })  # fmt: skip
    cluster.follow = Controllers(cluster)
    return found


def stage_of(site: DrillSite, **changes: Any) -> Stage:
    assert isinstance(site.cluster, LiveCluster)
    return Stage(payload_of(**changes), site.made, surroundings(site.cluster))


def fault(name: str) -> Fault:
    return next(one for one in FAULTS if one.name == name)


def is_sound(site: DrillSite) -> bool:
    noted = [
        key for key, one in site.cluster.objects.items()
        if NOTE in (one["metadata"].get("annotations") or {})
    ]  # fmt: skip
    return not noted and not site.cluster.drilled()


IN_MEMORY = (
    "clock-behind", "clock-ahead", "quota-too-small", "node-agent-gone", "velero-gone",
    "location-unreachable", "location-key-unknown",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_MEMORY)
def test_a_fault_leads_to_its_reason_and_the_next_drill_is_proven(
    site: DrillSite, name: str
) -> None:
    one = fault(name)
    assert one.judged(stage_of(site)).reason is one.expected
    assert is_sound(site)
    after = judgement_of(site.drill(), site.drill().clock)
    assert after.verdict is Verdict.PROVEN, after.detail


@pytest.mark.parametrize("name", ["velero-gone", "node-agent-gone", "location-unreachable"])
def test_an_interrupt_takes_the_fault_along(
    site: DrillSite, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("drills.aside.create_restore", interrupt)
    if name.startswith("location"):
        monkeypatch.setattr(faults, "judgement_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fault(name).judged(stage_of(site))
    assert is_sound(site)


def test_a_webhook_is_waited_for_and_is_for_this_run_alone(site: DrillSite) -> None:
    made: list[dict[str, Any]] = []
    cluster = site.cluster
    assert isinstance(cluster, LiveCluster)
    follow = cluster.follow

    def refuses(name: str, found: dict[str, Any]) -> None:
        if "webhooks" in found:
            made.append(found)
            cluster.restore_status = {"phase": "PartiallyFailed", "errors": 1}
        elif name == "backstop-control-probe" and len(cluster.refused) == 0:
            cluster.refused.append(WEBHOOK_FAILED)  # of the deletion: it is sent again
        follow(name, found)

    cluster.follow = refuses
    judged = fault("webhook-refuses").judged(stage_of(site))
    assert judged.verdict is not Verdict.PROVEN
    (webhook,) = made[0]["webhooks"]
    assert webhook["namespaceSelector"]["matchLabels"] == {
        "backstop.io/drill-run": f"{site.runs:012x}"
    }
    assert webhook["failurePolicy"] == "Fail"
    assert not [key for key in cluster.objects if "webhook" in key[2]]


def test_the_fault_stands_during_the_restore_alone(site: DrillSite) -> None:
    seen: list[int] = []
    site.cluster.on_restore = lambda _restore: seen.append(
        site.cluster.objects["apis/apps/v1", "velero", "deployments", "velero"]["spec"]["replicas"]
    )
    fault("velero-gone").judged(stage_of(site))
    assert seen == [0]
    assert is_sound(site)


def test_a_location_that_does_not_come_back_is_told(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Any:
        raise VeleroError("location default is not available")

    monkeypatch.setattr("drills.surroundings.cluster_faults.wait_available", down)
    with pytest.raises(ClusterError, match="not available"):
        fault("location-unreachable").judged(stage_of(site))


def test_a_site_without_evidence_has_no_key_that_is_too_weak(site: DrillSite) -> None:
    with pytest.raises(NotPlantedError, match="keeps no evidence"):
        fault("credential-too-weak").judged(stage_of(site))


def seen_by(site: DrillSite, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[Any]:
    """The payloads of the drills that are made instead of the site's."""
    payloads: list[Any] = []

    def make(payload: Any) -> Any:
        payloads.append(payload)
        return site.made(payload)

    def judged(*_: Any) -> Judgement:
        return Judgement(Verdict.BROKEN, Reason.TLS_EXPIRED, "")

    monkeypatch.setattr(faults, "judgement_of", judged)
    stage = stage_of(site, **changes)
    for name in ("store-down", "certificate-expired", "credential-too-weak"):
        fault(name).judged(Stage(stage.payload, make, stage.there))
    return payloads


def test_the_drill_alone_meets_another_store_or_has_another_key(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [
        {"name": "drill", "accessKey": "reads", "secretKey": "one"},
        {"name": "evidence", "accessKey": "appends", "secretKey": "two"},
    ]
    evidence = {"bucket": "b", "prefix": "", "client": "evidence"}
    down, ended, weak = seen_by(site, monkeypatch, clients=clients, evidence=evidence)
    assert down.endpoint.startswith("https://127.0.0.1:")
    assert down.ca_pem == weak.ca_pem == ""
    assert "BEGIN CERTIFICATE" in ended.ca_pem
    keys = {one.name: one.access_key.get_secret_value() for one in weak.clients}
    assert keys == {"drill": "appends", "evidence": "appends"}
    assert weak.endpoint == "https://store:1"
    assert site.cluster.changes == []


def test_names_are_told_apart_and_every_layer_has_some() -> None:
    names = [one.name for one in FAULTS]
    assert len(set(names)) == len(names)
    for layer in (KUBE_OBJECTS, VOLUMES):
        assert any(layer in one.layers for one in FAULTS)
    assert all(one.layers <= faults.BOTH for one in FAULTS)


@pytest.fixture
def planted_in(site: DrillSite, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[Any]]:
    def planted(**changes: Any) -> Iterator[Any]:
        stage = stage_of(site, **changes)
        monkeypatch.setattr(controls, "_live", lambda *_: stage.there)
        drill = site.drill()
        return controls.in_surroundings(stage.payload, site.made, drill.clock, site.say)

    return planted


def test_nothing_is_planted_unless_the_payload_asks(
    site: DrillSite, planted_in: Callable[..., Iterator[Any]]
) -> None:
    assert list(planted_in()) == []
    assert site.cluster.changes == []


def test_the_controls_of_a_layer_are_its_own(planted_in: Callable[..., Iterator[Any]]) -> None:
    found = [one.name for one in planted_in(surroundings=True)]
    assert "node-agent-gone" in found
    assert "webhook-refuses" not in found


def test_each_control_plants_its_own_fault(planted_in: Callable[..., Iterator[Any]]) -> None:
    found = {one.name: one for one in planted_in(surroundings=True)}
    for name in ("clock-ahead", "location-key-unknown"):
        one = found[name]
        assert one.result(one.run()).killed, name


def swept(site: DrillSite, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    stage = stage_of(site, **changes)
    monkeypatch.setattr(controls, "_live", lambda *_: stage.there)
    controls.sweep(stage.payload, stage.there.clock, site.say)


def test_where_a_fault_of_another_run_stands_nothing_is_drilled(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stage_of(site).there
    with (
        there.changed(AGENT, "node-agent-gone", {}),
        pytest.raises(ClusterError, match="by another run"),
    ):
        swept(site, monkeypatch, surroundings=True)


@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        ({"surroundings": True}, True),
        ({}, False),
        ({"surroundings": True,
          "cluster": {"kubeconfig": kubeconfigs.text(), "uid": "another"}}, False),
    ],
)  # fmt: skip
def test_what_a_killed_run_left_goes_first_in_the_cluster_that_is_meant(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], goes: bool
) -> None:
    note = Note("dev", "velero-gone", NOW - HOUR)
    patch = planting({"spec": {"replicas": 0}}, site.cluster.objects[place_of(SERVER)], note)
    site.cluster.velero().writer.merge(SERVER, patch)
    swept(site, monkeypatch, **changes)
    assert is_sound(site) is goes


@pytest.mark.parametrize("one", [one for one in FAULTS if one.name in IN_MEMORY])
def test_no_restore_outlasts_the_mark_of_its_fault(
    site: DrillSite, one: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = []

    def restored(_own: Any, _plan: Any, seconds: float, _begun: Any = None) -> Any:
        bounds.append(seconds)
        raise StopDrillError

    monkeypatch.setattr(Aside, "restore", restored)
    limits = {"rtoSeconds": 600, "rpoSeconds": 86400, "restoreSeconds": 86400}
    one.judged(stage_of(site, limits=limits))
    if not one.name.startswith(("clock", "location")):
        assert bounds
        assert all(seconds < LIFE.total_seconds() / 2 + 1 for seconds in bounds)


def test_a_drill_plants_nothing() -> None:
    payload = payload_of(surroundings=True)
    payload.check()
    with pytest.raises(PayloadError, match="surroundings: a drill plants no faults"):
        payload.check_drill()


def test_nothing_is_drilled_before_the_surroundings_are_sound_again(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Note("dev", "velero-gone", NOW - HOUR)
    patch = planting({"spec": {"replicas": 0}}, site.cluster.objects[place_of(SERVER)], note)
    site.cluster.velero().writer.merge(SERVER, patch)
    assert isinstance(site.cluster, LiveCluster)
    site.cluster.follow = lambda _name, _found: None
    with pytest.raises(ClusterError, match="Velero's server is ready: not so within"):
        swept(site, monkeypatch, surroundings=True)


def test_an_interrupt_waits_for_the_restore_that_the_fault_held_up(
    site: DrillSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing of the run could be taken away, and the next one would be refused."""
    cluster = site.cluster
    assert isinstance(cluster, LiveCluster)
    waits = []

    def interrupted(velero: Any, made: Any, **_: Any) -> Any:
        waits.append(made["metadata"]["name"])
        if len(waits) == 1:
            raise KeyboardInterrupt
        return wait_restore(velero, made, seconds=180.0)

    follow = cluster.follow

    def slow(called: str, found: dict[str, Any]) -> None:
        follow(called, found)
        for key, one in cluster.objects.items():
            if key[2] == "restores":
                one["status"] = {"phase": "InProgress"}

    cluster.follow = slow
    monkeypatch.setattr("drills.aside.wait_restore", interrupted)
    monkeypatch.setattr(faults, "wait_restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fault("velero-gone").judged(stage_of(site))
    assert len(waits) == 2
    assert waits[0] == waits[1]
