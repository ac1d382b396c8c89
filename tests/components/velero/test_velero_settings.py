"""Every fault in Velero's config is a sentence that names its key."""

from typing import Any

import pytest

from components.settings import SettingsError, load
from tests.kube import kubeconfigs
from tests.support.recorder import RAW

SECRET = frozenset(
    {"sshPrivateKey", "escrowPassphrase", "storeRootUser", "storeRootPassword", "kubeconfig"}
)
BASE: dict[str, Any] = {**RAW, "kubeconfig": kubeconfigs.text(), "cluster": {}}
DAILY = {"cron": "0 2 * * *"}


def site(**velero: Any) -> dict[str, Any]:
    return {**BASE, "velero": velero}


def schedule(**changes: Any) -> dict[str, Any]:
    return site(schedules={"daily": {**DAILY, **changes}})


def test_velero_is_absent_unless_it_is_named() -> None:
    assert load(BASE, secret_keys=SECRET).velero is None
    found = load(site(), secret_keys=SECRET).velero
    assert found is not None
    assert (found.namespace, found.location.name, found.schedules) == ("velero", "default", {})


@pytest.mark.parametrize(
    ("raw", "key", "said"),
    [
        (site(profil="demo"), "velero.profil", "correct its spelling"),
        (site(profile="crownlab"), "velero", "there are none, demo, crownlabs, pi-cluster"),
        (site(namespace="Not A Name"), "velero.namespace", "pattern"),
        (schedule(cron="0 25 * * *"), "velero.schedules.daily.cron", "hour: '25'"),
        (schedule(cron="CRON_TZ=Europe/Rome 0 2 * * *"), "velero.schedules.daily.cron", "UTC"),
        (schedule(ttl="30d"), "velero.schedules.daily.ttl", "is no duration"),
        (schedule(ttl="24h"), "velero.schedules.daily", "ttl: 24h0m0s is less than two intervals"),
        (schedule(ttl="24h"), "velero.schedules.daily", "keep them for 2 days or more"),
        (schedule(cron="0 2 * * 1-5", ttl="143h"), "velero.schedules.daily", "(3 days each)"),
        (
            schedule(includedNamespaces=["velero"]),
            "velero",
            "schedules.daily.includedNamespaces: velero is Velero's own",
        ),
        (schedule(includedNamespaces=["*", "app"]), "velero.schedules.daily", "* stands beside"),
        (schedule(excludedNamespaces=["*"]), "velero.schedules.daily", "nothing to back up"),
        (
            schedule(includedNamespaces=["app"], excludedNamespaces=["app"]),
            "velero.schedules.daily",
            "app is included too",
        ),
        (
            schedule(includedResources=["pods"], includedNamespaceScopedResources=["pods"]),
            "velero.schedules.daily",
            "cannot stand beside the filters by scope",
        ),
        (
            schedule(labelSelector={"matchLabels": {"a": "b"}}, orLabelSelectors=[{}]),
            "velero.schedules.daily",
            "exclude each other",
        ),
        (
            schedule(labelSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "velero.schedules.daily.labelSelector.matchExpressions.0",
            "In with 0 values",
        ),
        (
            site(schedules={f"s{number}": DAILY for number in range(61)}),
            "velero",
            "no minute of its hours is free",
        ),
        (site(chart={"path": "/srv/velero"}), "velero.chart.path", "another checkout"),
        (site(chart={"path": "../velero"}), "velero.chart.path", "another checkout"),
        (
            site(chart={"path": "charts/velero", "repository": "https://charts.example"}),
            "velero.chart",
            "either path or repository",
        ),
        (site(chart={"repository": "http://charts.example"}), "velero.chart.repository", "pattern"),
        (site(image={"digest": "sha256:abc"}), "velero.image.digest", "pattern"),
        (site(pluginImage={"tag": "v1.14.1"}), "velero.pluginImage", "use v1.14.3"),
        (site(pluginImage={"tag": "v1.14.2"}), "velero.pluginImage", "use v1.14.3"),
        (site(resources="huge"), "velero.resources", "small"),
        (
            site(nodeAgent="off", defaultVolumesToFsBackup=True),
            "velero",
            "nodeAgent: is off, but defaultVolumesToFsBackup needs it",
        ),
        (
            site(nodeAgent="off", volumePolicy=[{"action": "fs-backup", "storageClass": ["nfs"]}]),
            "velero",
            "but volumePolicy.0 needs it",
        ),
        (site(csi="off", snapshotMoveData=True), "velero", "csi: is off"),
        (
            site(
                snapshotMoveData=True,
                schedules={"daily": {**DAILY, "snapshotMoveData": False}},
            ),
            "velero",
            "one snapshot class cannot serve both",
        ),
        (site(firstBackup="nightly"), "velero", "firstBackup: nightly is no schedule"),
        (site(location={"prefix": "/a"}), "velero.location.prefix", "pattern"),
        (site(location={"prefix": "a/"}), "velero.location.prefix", "leave the slash out"),
        (
            site(location={"former": [{"name": "default"}]}),
            "velero.location",
            "a location that moves needs a new name",
        ),
        (
            site(location={"name": "new", "former": [{"name": "old"}]}),
            "velero.location",
            "the same folder",
        ),
        (
            site(location={"name": "new", "prefix": "b", "former": [{"name": "old"}]}),
            "velero.location",
            "the whole bucket and b lie in each other",
        ),
        (
            site(location={"name": "new", "prefix": "a/b",
                           "former": [{"name": "old", "prefix": "a"}]}),
            "velero.location",
            "a and a/b lie in each other",
        ),
        (site(location={"checksumAlgorithm": "MD5"}), "velero.location.checksumAlgorithm", "CRC32"),
        (
            site(location={"publicUrl": "http://store1:9091"}),
            "velero.location.publicUrl",
            "pattern",
        ),
        (site(volumePolicy=[{"action": "skip"}]), "velero.volumePolicy.0", "has no condition"),
        (
            site(volumePolicy=[{"action": "skip", "capacity": "10Gi"}]),
            "velero.volumePolicy.0",
            "write low,high",
        ),
        (
            site(volumePolicy=[{"action": "burn", "capacity": "0Gi,1Gi"}]),
            "velero.volumePolicy.0.action",
            "skip",
        ),
        (
            site(hooks={"db": {"kind": "postgres", "namespaces": ["a"], "selector": {"a": "b"},
                               "container": "db"}}),
            "velero.hooks.db",
            "path: postgres needs one",
        ),
        (
            site(hooks={"db": {"kind": "redis", "namespaces": ["a"], "selector": {},
                               "container": "db"}}),
            "velero.hooks.db",
            "selector: is empty",
        ),
        (
            site(hooks={"db": {"kind": "redis", "namespaces": ["a"], "selector": {"a": "b"},
                               "container": "db", "path": "/data"}}),
            "velero.hooks.db",
            "path: redis takes none",
        ),
        # What Velero needs from the rest of the config.
        ({**RAW, "velero": {}}, "velero", "runs in a cluster"),
        ({**site(), "escrowPassphrase": ""}, "escrowPassphrase", "must outlive"),
        ({**site(), "clients": {"velero": {"enabled": False}}}, "clients.velero.enabled", "needs"),
        (site(snapshotMoveData=True), "velero.snapshotMoveData", "add snapshots"),
        ({**site(snapshotMoveData=True), "snapshots": {}}, "snapshots.classes.0.type", "type snap"),
    ],
)  # fmt: skip
def test_a_fault_names_its_key_and_the_cure(raw: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(raw, secret_keys=SECRET)
    told = [fault for fault in caught.value.faults if fault.startswith(f"config backstop:{key}:")]
    assert told, caught.value.faults
    assert any(said in fault for fault in told), told
    assert not any("\n" in fault for fault in told)


def velero(**given: Any) -> Any:
    return load(site(**given), secret_keys=SECRET).velero


def test_the_profiles_are_what_their_authors_run() -> None:
    demo = velero(profile="demo")
    assert (demo.namespace, demo.csi, demo.wants_node_agent) == ("velero", "on", False)
    crownlabs = velero(profile="crownlabs")
    assert crownlabs.crons() == {"crownlabs": "0 2 * * *"}
    assert crownlabs.schedules["crownlabs"].ttl == "720h0m0s"
    assert crownlabs.wants_node_agent
    assert not crownlabs.default_volumes_to_fs_backup
    assert crownlabs.schedules["crownlabs"].snapshot_volumes is False
    home = velero(profile="pi-cluster")
    assert (home.namespace, home.location.name) == ("velero-system", "aws")
    assert home.crons() == {"full": "0 4 * * *"}
    assert home.schedules["full"].ttl == "720h0m0s"


def test_the_config_wins_over_the_profile() -> None:
    found = velero(
        profile="crownlabs",
        resources="large",
        schedules={"crownlabs": {"ttl": "1440h"}, "hourly": {"cron": "@hourly"}},
    )
    assert found.resources == "large"
    assert found.schedules["crownlabs"].ttl == "1440h0m0s"
    assert found.schedules["crownlabs"].cron == "0 2 * * *"
    assert set(found.schedules) == {"crownlabs", "hourly"}


def test_a_null_takes_a_schedule_of_the_profile_away() -> None:
    found = velero(profile="demo", schedules={"demo": None})
    assert found.schedules == {}
    assert found.first_backup_schedule() is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"schedules": {"a": DAILY}}, "a"),
        ({"schedules": {"a": {**DAILY, "paused": True}, "b": DAILY}}, "b"),
        ({"schedules": {"a": DAILY}, "firstBackup": "off"}, None),
        ({"schedules": {"a": DAILY, "b": DAILY}, "firstBackup": "b"}, "b"),
    ],
)
def test_the_schedule_of_the_first_backup(given: dict[str, Any], expected: str | None) -> None:
    assert velero(**given).first_backup_schedule() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"nodeAgent": "on"}, True),
        ({"defaultVolumesToFsBackup": True}, True),
        ({"schedules": {"a": {**DAILY, "defaultVolumesToFsBackup": True}}}, True),
        ({"volumePolicy": [{"action": "fs-backup", "storageClass": ["nfs"]}]}, True),
        ({"volumePolicy": [{"action": "skip", "storageClass": ["nfs"]}]}, False),
    ],
)
def test_the_node_agent_runs_where_something_needs_it(
    given: dict[str, Any], expected: bool
) -> None:
    assert velero(**given).wants_node_agent is expected


def test_an_image_is_named_by_its_digest_if_it_has_one() -> None:
    assert velero().image.reference == "docker.io/velero/velero:v1.18.1"
    digest = "sha256:" + "a" * 64
    found = velero(image={"digest": digest, "repository": "registry.example/velero"}).image
    assert found.reference == f"registry.example/velero@{digest}"
