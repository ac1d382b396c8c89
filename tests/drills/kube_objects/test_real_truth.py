"""Backups with their truth on a real Velero: recorded, kept, and held against the archive later."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drills import __main__ as command_line
from drills.frame import Clock, Record
from drills.kube_objects import controls
from drills.kube_objects.drill import KubeObjectsDrill
from drills.kube_objects.payload import KubeObjectsPayload
from drills.kube_objects.run import opened, ready, ready_controls
from drills.payload import parse
from drills.verdict import Reason, Verdict
from tests.drills.kube_objects.test_real_drill import damaged, payload_of, red, run
from tests.drills.objects.real_objects import cluster_objects, namespaced_objects
from tests.drills.objects.real_velero import GROUP, NAMESPACE, RealVelero, posted, running_velero
from tests.support.kube_api import KubeApi

pytestmark = pytest.mark.tools

EVIDENCE = "evidence"
SETTINGS = "/api/v1/namespaces/shop/configmaps/settings"
TEMPLATE = {
    "includedNamespaces": ["shop"], "storageLocation": "default", "ttl": "720h0m0s",
    "metadata": {"labels": {"template": "t1"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def velero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealVelero]:
    with running_velero(tmp_path_factory.mktemp("truth"), _fill) as running:
        running.client.make_bucket(EVIDENCE)
        yield running


def _fill(api: KubeApi) -> None:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for path, content in [*cluster_objects(), *namespaced_objects("shop")]:
        posted(api, path, content)
    posted(api, f"{GROUP}/schedules", {
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "nightly", "namespace": NAMESPACE},
        "spec": {"schedule": "0 2 * * *", "template": TEMPLATE, "paused": True},
    })  # fmt: skip


def site(velero: RealVelero, **changes: Any) -> dict[str, Any]:
    keys = {"accessKey": velero.store.root_user, "secretKey": velero.store.root_password}
    given = {
        "clients": [{"name": name, **keys} for name in ("drill", "evidence")],
        "evidence": {"bucket": EVIDENCE, "prefix": "receipts/", "client": "evidence"},
        "schedules": ["nightly"], "restorePoint": "latest", **changes,
    }  # fmt: skip
    return payload_of(velero, **given)


def order_of(velero: RealVelero) -> dict[str, Any]:
    """For the first backup."""
    given = site(velero)
    shared = ("schema", "site", "endpoint", "region", "caPem", "clients", "evidence", "receiptsDir",
              "cluster")  # fmt: skip
    own = {"namespace": NAMESPACE, "schedule": "nightly", "seconds": 120}
    return {**{key: given[key] for key in shared}, **own}


Command = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs `python -m drills` in this process: exit code, what it printed, what it said."""

    def run_command(words: list[str], stdin: object) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setenv("BACKSTOP_RECEIPTS", str(tmp_path))
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(stdin)))
        code = command_line.main(words)
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else {}, err

    return run_command


def drill(velero: RealVelero, folder: Path, name: str, **changes: Any) -> KubeObjectsDrill:
    text = json.dumps(site(velero, restorePoint={"name": name}, **changes))
    return opened(parse(KubeObjectsPayload, text), Clock(), lambda _line: None, folder)


def looked(velero: RealVelero, folder: Path, name: str) -> Record:
    """The record of a drill that only looks."""
    made = drill(velero, folder, name)
    return run(KubeObjectsDrill(made.course, restores=False))


def truth_key(name: str) -> str:
    return f"receipts/dev/truths/{name}.json.gz"


@pytest.fixture
def backup(velero: RealVelero, command: Command) -> str:
    code, made, said = command(["backup", "kube-objects"], site(velero))
    assert code == 0, said
    return str(made["backup"])


def test_a_backup_by_hand_has_its_truth_in_both_places_and_no_secret_in_it(
    velero: RealVelero, command: Command, tmp_path: Path
) -> None:
    code, made, said = command(
        ["backup", "kube-objects", "nightly"], {"kube-objects": site(velero)}
    )
    assert code == 0, said
    assert (made["schema"], made["site"], made["phase"]) == (1, "dev", "Completed")
    assert made["truth"]["strict"] > 60
    name = made["backup"]
    held = velero.api.request("GET", f"{GROUP}/backups/{name}")
    assert held["metadata"]["labels"]["velero.io/schedule-name"] == "nightly"
    assert held["metadata"]["labels"]["template"] == "t1"
    assert held["spec"]["ttl"] == "720h0m0s"
    stored = velero.client.get_object(EVIDENCE, truth_key(name)).data
    assert stored == (tmp_path / "truths" / f"{name}.json.gz").read_bytes()
    for secret in (b"hunter2", velero.store.root_password.encode()):
        assert secret not in gzip.decompress(stored)
        assert secret.decode() not in said
    assert "first list: " in said
    assert f"backup {name}: Completed" in said


def test_an_untouched_backup_is_as_it_was_recorded(
    velero: RealVelero, backup: str, tmp_path: Path
) -> None:
    record = run(drill(velero, tmp_path, backup))
    assert red(record) == []
    assert record.judgement().verdict is Verdict.PROVEN
    against = {one.how: 0 for one in record.compared}
    for one in record.compared:
        against[one.how] += one.count
    (recorded,) = [count for how, count in against.items() if "from before and after it" in how]
    assert recorded > 60
    assert "lists of the cluster" not in {one.what for one in record.not_compared}


def test_what_is_gone_from_the_backup_and_from_the_cluster_is_lost_all_the_same(
    velero: RealVelero, command: Command, tmp_path: Path
) -> None:
    path = "/api/v1/namespaces/shop/configmaps"
    velero.api.request("POST", path, {"metadata": {"name": "short-lived"}})
    _, made, _ = command(["backup", "kube-objects"], site(velero))
    velero.api.request("DELETE", f"{path}/short-lived")
    with damaged(velero, made["backup"], lambda pairs: [
        pair for pair in pairs if str(pair[0]) != "configmaps/shop/short-lived"
    ]):  # fmt: skip
        record = looked(velero, tmp_path, made["backup"])
        found = velero.client.get_object(EVIDENCE, truth_key(made["backup"])).data
        velero.client.remove_object(EVIDENCE, truth_key(made["backup"]))
        (tmp_path / "truths" / f"{made['backup']}.json.gz").unlink()
        blind = looked(velero, tmp_path, made["backup"])
        velero.client.put_object(EVIDENCE, truth_key(made["backup"]), io.BytesIO(found), len(found))
    assert record.judgement().reason is Reason.OBJECT_LOST
    assert any("configmaps/shop/short-lived" in text for _, text in red(record))
    # Without the lists nobody would know.
    assert red(blind) == []
    assert "lists of the cluster" in {one.what for one in blind.not_compared}
    assert red(looked(velero, tmp_path, made["backup"])) == []


def test_what_was_changed_in_the_cluster_since_is_compared_all_the_same(
    velero: RealVelero, backup: str, tmp_path: Path
) -> None:
    velero.api.patch(SETTINGS, {"metadata": {"labels": {"since": "then"}}})
    assert red(looked(velero, tmp_path, backup)) == []

    def edit(pairs: list[Any]) -> list[Any]:
        return [
            (key, {**content, "data": {"planted": "value"}})
            if str(key) == "configmaps/shop/settings" else (key, content)
            for key, content in pairs
        ]  # fmt: skip

    with damaged(velero, backup, edit):
        record = looked(velero, tmp_path, backup)
    assert record.judgement().reason is Reason.OBJECT_DIFFERS
    assert next(text for _, text in red(record)).startswith(
        "changed configmaps/shop/settings: data"
    )


def test_what_was_never_there_is_added(velero: RealVelero, backup: str, tmp_path: Path) -> None:
    def more(pairs: list[Any]) -> list[Any]:
        key, content = next(pair for pair in pairs if str(pair[0]) == "configmaps/shop/settings")
        planted = {**content, "metadata": {**content["metadata"], "name": "planted"}}
        return [*pairs, (key._replace(name="planted"), planted)]

    with damaged(velero, backup, more):
        record = looked(velero, tmp_path, backup)
    assert record.judgement().reason is Reason.OBJECT_ADDED


def test_a_truth_that_is_damaged_in_the_bucket_is_never_passed_over(
    velero: RealVelero, backup: str, tmp_path: Path
) -> None:
    key = truth_key(backup)
    right = velero.client.get_object(EVIDENCE, key).data
    velero.client.put_object(EVIDENCE, key, io.BytesIO(right[:-20]), len(right) - 20)
    try:
        record = looked(velero, tmp_path, backup)
    finally:
        velero.client.put_object(EVIDENCE, key, io.BytesIO(right), len(right))
    judgement = record.judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.TRUTH_UNUSABLE)


def test_the_first_backup_is_made_once_and_with_its_truth(
    velero: RealVelero, command: Command
) -> None:
    order = order_of(velero)
    code, first, said = command(["first-backup"], order)
    assert code == 0, said
    code, again, _ = command(["first-backup"], order)
    assert (code, again["backup"]) == (0, first["backup"])
    velero.client.get_object(EVIDENCE, truth_key(str(first["backup"])))


def test_a_volume_that_cannot_be_read_costs_its_digests_and_no_backup(
    velero: RealVelero, command: Command
) -> None:
    wanted = {
        "claims": [{"namespace": "shop", "claim": "data-*"}], "reader": {"image": "python:3"},
    }  # fmt: skip
    code, made, said = command(["backup", "kube-objects"], site(velero, digests=wanted))
    assert code == 0, said
    assert made["digests"] == {
        "volumes": 0, "files": 0, "bytes": 0,
        "unread": {"shop/data-db-0": "claim shop/data-db-0 has no volume (Pending)"},
    }  # fmt: skip
    key = truth_key(made["backup"]).replace(".json.gz", ".volumes.json")
    index = json.loads(velero.client.get_object(EVIDENCE, key).data)
    assert [one["claim"] for one in index["volumes"]] == ["data-db-0"]
    assert index["asked"] == wanted["claims"]


def test_a_first_backup_is_made_anew_for_digests_that_it_lacks(
    velero: RealVelero, command: Command
) -> None:
    first = order_of(velero)
    _, made, _ = command(["first-backup"], first)
    wanted = {
        "claims": [{"namespace": "shop", "claim": "none-*"}], "reader": {"image": "python:3"},
    }  # fmt: skip
    code, anew, said = command(["first-backup"], {**first, "digests": wanted})
    assert code == 0, said
    assert anew["backup"] != made["backup"]
    code, again, _ = command(["first-backup"], {**first, "digests": wanted})
    assert (code, again["backup"]) == (0, anew["backup"])


def test_a_bucket_that_refuses_fails_the_backup(velero: RealVelero, command: Command) -> None:
    evidence = {"bucket": "not-there", "prefix": "receipts/", "client": "evidence"}
    code, made, said = command(["backup", "kube-objects"], site(velero, evidence=evidence))
    assert (code, made) == (21, {})
    assert "not-there" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "change", "said"),
    [
        (["backup", "kube-objects", "weekly"], {}, "schedule weekly is none that is drilled"),
        (["backup", "kube-objects"], {"schedules": []}, "say which: backup kube-objects SCHEDULE"),
        (["first-backup"], {"schedule": "nightly"}, "namespace: missing; add it"),
        (["backup", "volumes"], {}, "usage:"),
        (["backup", "kube-objects", "a", "b"], {}, "usage:"),
    ],
)
def test_bad_input_is_one_sentence(
    velero: RealVelero, command: Command, words: list[str], change: dict[str, Any], said: str
) -> None:
    code, made, err = command(words, site(velero, **change))
    assert (code, made) == (2, {})
    assert said in err
    assert len(err.splitlines()) == 1


def test_both_controls_of_the_truth_are_killed(
    velero: RealVelero, backup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [one for one in controls.CONTROLS if one.name.startswith("truth-")]
    monkeypatch.setattr(controls, "CONTROLS", tuple(own))
    text = json.dumps(site(velero, restorePoint={"name": backup}))
    score = ready_controls(text).run(Clock(), lambda _line: None)
    assert score.twin.killed, score.twin
    assert [(one.name, one.reason, one.killed) for one in score.controls] == [
        ("truth-lost-object", "object-lost", True),
        ("truth-changed-object", "object-differs", True),
    ]


def test_a_control_of_the_truth_is_not_chosen_where_there_is_none(
    velero: RealVelero, tmp_path: Path
) -> None:
    made = velero.backup("bare-1", {"includedNamespaces": ["shop"]})
    assert made["status"]["phase"] == "Completed"
    text = json.dumps(
        site(velero, restorePoint={"name": "bare-1"}, schedules=[], control="truth-lost-object")
    )
    receipt, _ = ready(text).run(Clock(), lambda _line: None, tmp_path)
    assert receipt.judgement.verdict is Verdict.PROVEN, receipt.judgement.detail
    assert receipt.control.name == "none"
    assert "nothing to plant the fault in" in receipt.control.planted
