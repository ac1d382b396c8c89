"""From the backups of a target come the objects that bring every volume back, or a sentence."""

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.longhorn.restored.__main__ import main
from kube.longhorn.restored.chosen import InputError, Options, read, restorable
from tests.kube.longhorn.cluster import at

GROUP_LABEL = "recurring-job-group.longhorn.io/restored"


def url(name: str, volume: str) -> str:
    return f"s3://b@r/c1/?backup={name}&volume={volume}"


def known(volume: str, namespace: str = "app") -> str:
    return json.dumps({"pvName": volume, "namespace": namespace, "pvcName": f"data-{volume}"})


def backup(name: str, volume: str, hours: float = 0, **more: Any) -> dict[str, Any]:
    labels = {"KubernetesStatus": known(volume), **more.pop("labels", {})}
    status = {
        "state": "Completed", "backupTargetName": "default", "volumeName": volume,
        "url": url(name, volume), "volumeSize": "1073741824",
        "snapshotCreatedAt": at(hours * 3600), "labels": labels, **more,
    }  # fmt: skip
    return {"kind": "Backup", "metadata": {"name": name}, "spec": {}, "status": status}


def summary(volume: str, target: str = "default", **more: Any) -> dict[str, Any]:
    status = {"size": "1073741824", "storageClassName": "longhorn", **more}
    spec = {"volumeName": volume, "backupTargetName": target}
    return {"kind": "BackupVolume", "metadata": {"name": f"bv-{volume}"}, "spec": spec,
            "status": status}  # fmt: skip


def run(
    capsys: pytest.CaptureFixture[str], words: list[str], *found: dict[str, Any]
) -> tuple[int, list[Any], list[str]]:
    code = main(words, json.dumps({"kind": "List", "items": list(found)}))
    captured = capsys.readouterr()
    return code, json.loads(captured.out)["items"], captured.err.splitlines()


def test_a_volume_comes_back_under_its_name_and_under_no_job(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, (made,), said = run(capsys, ["volumes"], summary("v1"), backup("b1", "v1"))
    assert (code, said) == (0, [])
    assert made["metadata"] == {
        "name": "v1", "namespace": "longhorn-system", "labels": {GROUP_LABEL: "enabled"},
    }  # fmt: skip
    assert made["spec"] == {
        "fromBackup": url("b1", "v1"), "size": "1073741824", "numberOfReplicas": 3,
        "frontend": "blockdev", "dataEngine": "v1", "accessMode": "rwo",
        "backupTargetName": "default",
    }  # fmt: skip


def test_its_claim_comes_back_on_it_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    code, made, said = run(capsys, ["claims"], summary("v1"), backup("b1", "v1"))
    assert (code, said) == (0, [])
    namespace, volume, claim = made
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "app")
    assert volume["spec"]["csi"] == {
        "driver": "driver.longhorn.io", "volumeHandle": "v1", "fsType": "ext4",
    }  # fmt: skip
    assert volume["spec"]["claimRef"] == {"namespace": "app", "name": "data-v1"}
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"] == "v1"
    sizes = volume["spec"]["capacity"]["storage"], claim["spec"]["resources"]["requests"]["storage"]
    assert sizes == ("1073741824", "1073741824")
    assert claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"] == "longhorn"


def chosen(*found: dict[str, Any], **options: Any) -> tuple[list[str], list[str]]:
    made, faults = restorable(found, Options(**options))
    return [one.url.partition("backup=")[2].partition("&")[0] for one in made], faults


def test_the_newest_complete_backup_by_its_data_is_taken() -> None:
    found = (
        summary("v1"), backup("old", "v1", -2), backup("new", "v1", -1),
        backup("broken", "v1", 0, state="Error"), backup("elsewhere", "v1", 0,
                                                         backupTargetName="second"),
    )  # fmt: skip
    assert chosen(*found) == (["new"], [])
    assert chosen(*found, target="second")[0] == ["elsewhere"]


def test_before_a_time_means_the_data_of_then() -> None:
    found = (summary("v1"), backup("good", "v1", -2), backup("bad", "v1", -1))
    limit = datetime.datetime.fromisoformat(at(-3600 * 1.5).replace("Z", "+00:00"))
    assert chosen(*found, before=limit) == (["good"], [])
    early = limit - datetime.timedelta(days=1)
    assert "has no complete backup from before 2026-11-02" in chosen(*found, before=early)[1][0]


def test_a_volume_without_a_complete_backup_is_told_and_the_others_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, made, said = run(capsys, ["volumes"], summary("gone"), summary("v1"), backup("b", "v1"))
    assert code == 1
    assert [one["metadata"]["name"] for one in made] == ["v1"]
    assert said == [
        "restored: volume gone has no complete backup in target default; it is left out"
    ]


def test_only_the_named_volumes_come_and_unknown_names_are_told() -> None:
    found = (summary("v1"), backup("b1", "v1"), summary("v2"), backup("b2", "v2"))
    urls, faults = chosen(*found, only=("v2", "v9"))
    assert urls == ["b2"]
    assert faults == ["volume v9 has no complete backup in target default; it is left out"]


def test_a_target_that_was_not_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, made, (said,) = run(capsys, ["volumes"])
    assert (code, made) == (1, [])
    assert "see that Longhorn has read it" in said


def test_a_volume_that_grew_comes_back_as_large_as_it_is_now() -> None:
    (one,), _ = restorable([summary("v1", size="2147483648"), backup("b", "v1")], Options())
    assert one.size == 2 << 30


def test_shared_and_encrypted_volumes_come_back_as_they_were(
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = {"longhorn.io/volume-access-mode": "rwx", "volume-encrypted": "enabled"}
    found = (summary("v1"), backup("b", "v1", labels=labels, volumeBackingImageName="base"))
    _, (volume,), _ = run(capsys, ["volumes"], *found)
    assert volume["spec"]["accessMode"] == "rwx"
    assert volume["spec"]["encrypted"] is True
    assert volume["spec"]["backingImage"] == "base"
    code, made, (said,) = run(capsys, ["claims"], *found)
    assert (code, made) == (1, [])
    assert "volume v1 (app/data-v1) is encrypted; name the Secret" in said
    code, (_, held, claim), _ = run(
        capsys, ["claims", "--encryption-secret", "longhorn-system/key"], *found
    )
    assert code == 0
    secret = {"namespace": "longhorn-system", "name": "key"}
    assert held["spec"]["csi"]["nodeStageSecretRef"] == secret
    assert held["spec"]["csi"]["nodePublishSecretRef"] == secret
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_claim_that_the_backup_does_not_name_is_taken_from_the_volumes_record() -> None:
    bare = backup("b", "v1", labels={"KubernetesStatus": "{}"})
    noted = summary("v1", labels={"KubernetesStatus": known("v1", "other")})
    (one,), _ = restorable([noted, bare], Options())
    assert (one.namespace, one.claim) == ("other", "data-v1")


def test_a_claim_that_nobody_names_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for odd in ("{}", "no json", '["x"]', '{"pvcName": "d"}'):
        found = (summary("v1"), backup("b", "v1", labels={"KubernetesStatus": odd}))
        code, made, (said,) = run(capsys, ["claims"], *found)
        assert (code, made) == (1, [])
        assert "volume v1: its backup does not say which claim it had" in said
        assert run(capsys, ["volumes"], *found)[0] == 0


@pytest.mark.parametrize("text", ["", "nothing", "{}", '{"items": 3}', '{"items": [3]}', "[]"])
def test_other_input_is_refused_in_a_sentence(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["volumes"], text) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(InputError):
        read(text)


@pytest.mark.parametrize(
    "words",
    [["burn"], ["volumes", "--before", "yesterday"], ["volumes", "--before", "2026-11-03T02:00:00"],
     ["claims", "--encryption-secret", "key"], ["volumes", "--replicas", "0"]],
    ids=["command", "time", "zone", "secret", "replicas"],
)  # fmt: skip
def test_odd_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words, "{}")
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["kind", "spec", "status", "labels", "url", "state", "volumeName", "size",
                         "snapshotCreatedAt", "KubernetesStatus", "volumeSize"]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["kind", "spec", "status"]),
            JSON | st.sampled_from(["Backup", "BackupVolume"]),
        ),
        max_size=4,
    )
)
def test_odd_objects_are_no_error(found: list[dict[str, Any]]) -> None:
    restorable(found, Options())
