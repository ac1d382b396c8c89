"""The payload of the layer: what it takes, and the one sentence about what it does not take."""

import json
from typing import Any

import pytest

from drills.coverage.live import Allowed
from drills.payload import PayloadError, parse
from drills.volumes import controls
from drills.volumes.payload import VolumesPayload
from drills.volumes.run import ready, ready_controls
from tests.drills.usable.samples import check
from tests.drills.volumes.drill_site import payload_fields
from tests.kube import kubeconfigs
from tests.support.minio_server import issue_certificate

CANARY = payload_fields()["canary"]
LIMITS = payload_fields()["limits"]
KEY = {"accessKey": "SENTINEL-A", "secretKey": "SENTINEL-B"}


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    return issue_certificate(tmp_path_factory.mktemp("ca")).read_text()


def text(ca: str, **changes: Any) -> str:
    return json.dumps(payload_fields(**{"caPem": ca, **changes}))


def refusal(text: str) -> str:
    with pytest.raises(PayloadError) as caught:
        ready(text)
    said = str(caught.value)
    assert "\n" not in said
    assert "SENTINEL" not in said
    return said


def test_what_is_left_out_has_a_value(ca: str) -> None:
    made = payload_fields(caPem=ca)
    del made["canary"], made["limits"]["readSeconds"]
    payload = parse(VolumesPayload, json.dumps(made))
    assert (payload.canary, payload.exceptions, payload.checks, payload.admin) == (
        None, (), (), None)  # fmt: skip
    assert (payload.limits.read_seconds, payload.limits.restore_seconds) == (900, 900)
    assert (payload.reader.pull_policy, payload.reader.pull_secrets) == ("IfNotPresent", ())
    assert (payload.checks_need_closed_network, payload.dns_networks, payload.classes) == (
        True, (), {})  # fmt: skip


def test_every_part_is_read(ca: str) -> None:
    payload = parse(VolumesPayload, text(
        ca, classes={"fast": "slow"}, dnsNetworks=["10.0.0.0/8"], checksNeedClosedNetwork=False,
        checks=[check("http")], exceptions=[{"namespace": "lab-*", "claim": "cache", "why": "own"}],
        reader={"image": "python:1", "pullPolicy": "Never", "pullSecrets": ["pull"]},
    ))  # fmt: skip
    assert payload.classes == {"fast": "slow"}
    assert [one.allowed() for one in payload.exceptions] == [Allowed("lab-*", "own", "cache")]
    assert [one.name for one in payload.checks] == ["web answers"]
    assert (payload.reader.pull_policy, payload.reader.pull_secrets) == ("Never", ("pull",))
    assert payload.canary is not None
    assert [(one.name, one.claim) for one in payload.canary.volumes] == [("data", "beats")]
    assert "SENTINEL" not in repr(payload)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"volumes": []}, "volumes: unknown key"),
        ({"layer": "kube-objects"}, "layer: "),
        ({"limits": {**LIMITS, "readSeconds": 0}}, "limits.readSeconds: "),
        ({"limits": {**LIMITS, "readSecs": 1}}, "limits.readSecs: unknown key"),
        ({"limits": {"rtoSeconds": 1}}, "limits.rpoSeconds: missing"),
        ({"reader": {}}, "reader.image: missing"),
        ({"reader": {"image": ""}}, "reader.image: "),
        ({"reader": {"image": "a", "pullPolicy": "Sometimes"}}, "reader.pullPolicy: "),
        ({"classes": {"fast": 1}}, "classes.fast: "),
        ({"canary": {**CANARY, "namespace": ""}}, "canary.namespace: "),
        ({"canary": {**CANARY, "volumes": []}}, "canary.volumes: "),
        ({"canary": {**CANARY, "volumes": [{"name": "a"}]}}, "canary.volumes.0.claim: missing"),
        ({"canary": {**CANARY, "key": "SENTINEL"}}, "canary.key: unknown key"),
        ({"exceptions": [{"namespace": "a"}]}, "exceptions.0.why: missing"),
        ({"exceptions": [{"namespace": "a", "why": " "}]}, "exceptions.0.why: "),
        ({"exceptions": [{"claim": "a", "why": "b"}]}, "exceptions.0.namespace: missing"),
        ({"checks": [{"name": "a", "kind": "ping"}]}, "checks.0"),
        ({"checks": [check("http"), check("http")]}, "checks: the name web answers is given twice"),
        ({"checksNeedClosedNetwork": "maybe"}, "checksNeedClosedNetwork: "),
        ({"admin": {"accessKey": "SENTINEL"}}, "admin.secretKey: missing"),
        ({"admin": KEY}, "admin: a drill takes no administrator"),
        ({"clients": []}, "clients: drill is missing"),
        ({"cluster": {"kubeconfig": "no: kubeconfig", "uid": "x"}}, "cluster.kubeconfig: "),
        ({"cluster": {"kubeconfig": kubeconfigs.text(), "uid": ""}}, "cluster.uid: "),
        ({"restorePoint": "newest"}, "restorePoint: "),
        ({"control": "nonsense"}, "control: 'nonsense' is unknown"),
    ],
)
def test_every_wrong_key_gets_one_sentence_that_names_it(
    ca: str, changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(text(ca, **changes))


def test_controls_take_an_administrator_and_a_drill_any_control(ca: str) -> None:
    assert ready_controls(text(ca, admin=KEY)).payload.site == "dev"
    for name in ("none", "rotate", *controls.names()):
        assert ready(text(ca, control=name)).payload.control == name
