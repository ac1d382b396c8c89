"""Every Longhorn that cannot be worked with is one sentence with key and cure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.longhorn import preflight
from components.settings.longhorn import Longhorn, all_places
from kube.facts import Node, StorageClass
from kube.longhorn.jobs import Job
from kube.longhorn.seen import Claim, SeenLonghorn
from kube.longhorn.targets import BackupTarget
from kube.longhorn.volumes import Volume, volume
from tests.components import cluster_facts as clusters
from tests.components.cluster_facts import SITE
from tests.components.longhorn.sites import longhorn_settings

HOME = "longhorn-system"
URL = "s3://dev-longhorn@eu-west-1/dev/"
SERVED = frozenset({"longhorn.io/v1beta2"})


def target(name: str = "default", url: str = "") -> BackupTarget:
    return BackupTarget(name, url, "", "5m0s", available=False, message="", last_synced=None)


def a_volume(name: str = "pvc-1", claim: str = "data", **changes: Any) -> Volume:
    made = volume(
        {
            "metadata": {"name": name, "labels": changes.pop("labels", {})},
            "status": {"kubernetesStatus": {"namespace": "shop", "pvcName": claim}},
        }
    )
    return replace(made, **changes)


def job(name: str, task: str = "backup", groups: tuple[str, ...] = ()) -> Job:
    return Job(name, task, "0 2 * * *", frozenset(groups), 7, 1, {}, {}, 0)


def facts(seen: SeenLonghorn | None, **changes: Any) -> Any:
    there = {"namespaces": frozenset({"default", HOME}), "served": SERVED, **changes}
    return clusters.facts(longhorn=seen, **there)


def seen(**changes: Any) -> SeenLonghorn:
    return replace(SeenLonghorn(version="v1.12.1", targets=(target(),)), **changes)


def findings(
    there: Any, longhorn: Longhorn | None = None, recorded: frozenset[tuple[str, str]] = frozenset()
) -> list[str]:
    settings = longhorn or longhorn_settings()
    wanted = all_places(settings, SITE, "dev-longhorn", "eu-west-1")
    return preflight.findings(settings, SITE, there, recorded, wanted)


def warned(there: Any, longhorn: Longhorn | None = None) -> list[str]:
    return preflight.warnings(longhorn or longhorn_settings(), there, frozenset())


def test_a_longhorn_without_a_target_has_nothing_in_the_way() -> None:
    assert findings(facts(seen())) == []
    assert warned(facts(seen())) == []


@pytest.mark.parametrize("url", [URL, URL.rstrip("/")])
def test_our_own_target_is_found_again(url: str) -> None:
    assert findings(facts(seen(targets=(target(url=url),)))) == []


BOUND = longhorn_settings(volumes=[{"namespace": "shop", "claim": "data", "groups": ["default"]}])
NEWER = longhorn_settings(settings={"snapshotCountWarningThreshold": 50})
CLASS = longhorn_settings(storageClasses={"fast": {"default": True}})
FURTHER = longhorn_settings(targets={"archive": {"prefix": "archive"}})


@pytest.mark.parametrize(
    ("there", "settings", "said"),
    [
        (facts(None, served=frozenset()), None, "has no Longhorn; add install"),
        (facts(None, served=frozenset({"longhorn.io/v1beta1"})), None, "upgrade Longhorn"),
        (
            facts(seen(), namespaces=frozenset({"default"})),
            None,
            ".namespace: the cluster has no namespace longhorn-system",
        ),
        (facts(seen(version="v1.9.2")), None, "is 1.9.2, which has other objects"),
        (facts(seen(version="v1.12.1-rc1")), None, "a pre-release"),
        (facts(seen(version="")), None, ".namespace: namespace longhorn-system has no setting"),
        (facts(seen(version="master-head")), None, "says master-head of its version"),
        (
            facts(seen(version="v1.11.3")),
            NEWER,
            ".settings.snapshotCountWarningThreshold: Longhorn 1.11.3 has no such setting",
        ),
        (
            facts(seen(targets=(target(url="s3://theirs@r/x/"),))),
            None,
            ".target: the target default in namespace longhorn-system lies at s3://theirs@r/x/",
        ),
        (
            facts(seen(targets=(target(url="nfs://10.0.0.5:/export"),))),
            None,
            "lies at nfs://10.0.0.5:/export, not at s3://dev-longhorn@eu-west-1/dev/",
        ),
        (
            facts(seen(targets=(target(), target("archive", "s3://theirs@r/x/")))),
            FURTHER,
            ".targets.archive: the target archive",
        ),
        (
            facts(seen(targets=(target(), target("old", URL.rstrip("/"))))),
            None,
            ".target: the target old in the cluster lies at s3://dev-longhorn@eu-west-1/dev/",
        ),
        (
            facts(seen(chart_target={"backup-target": "", "backupstore-poll-interval": "300"})),
            None,
            "set its value defaultBackupStore to null",
        ),
        (
            facts(seen(chart_settings={"backup-execution-timeout": "1"})),
            None,
            ".settings.backupExecutionTimeout: Longhorn's own chart says '1'",
        ),
        (
            facts(seen(jobs=(job("backup-daily"),), job_sites={"backup-daily": None})),
            None,
            ".jobs.backup-daily: the cluster has a job of that name",
        ),
        (
            facts(seen(jobs=(job("backup-daily"),), job_sites={"backup-daily": "other"})),
            None,
            ".jobs.backup-daily: the cluster has a job of that name",
        ),
        (
            facts(seen(), storage_classes=(StorageClass("fast", "x", default=False, waits=False),)),
            longhorn_settings(storageClasses={"fast": {}}),
            ".storageClasses.fast: the cluster has a class of that name",
        ),
        (
            facts(seen(), storage_classes=(StorageClass("local", "x", default=True, waits=False),)),
            CLASS,
            ".storageClasses.fast.default: local is the cluster's default class already",
        ),
        (
            facts(seen(), nodes=(Node("cp1", ready=True, architecture="arm64"),)),
            longhorn_settings(storageClasses={"fast": {"replicas": 2}}),
            ".storageClasses.fast.replicas: 2 replicas need as many nodes",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_sentence_with_key_and_cure(
    there: Any, settings: Longhorn | None, said: str
) -> None:
    found = findings(there, settings)
    assert len(found) == 1, found
    assert said in found[0]
    assert found[0].startswith("config backstop:longhorn")
    assert "; " in found[0]
    assert "\n" not in found[0]


def test_a_foreign_url_is_overwritten_only_where_the_config_says_so() -> None:
    there = facts(seen(targets=(target(url="s3://theirs@r/x/"),)))
    assert findings(there)
    assert findings(there, longhorn_settings(target={"takeOver": True})) == []


def test_a_standby_volume_freezes_targets_that_would_change_and_no_others() -> None:
    following = (a_volume(standby=True),)
    over = longhorn_settings(target={"takeOver": True})
    theirs = facts(seen(targets=(target(url="s3://theirs@r/x/"),), volumes=following))
    (found,) = findings(theirs, over)
    assert "pvc-1 (shop/data) follows another cluster's backups" in found
    assert findings(facts(seen(targets=(target(url=URL),), volumes=following))) == []


def test_a_chart_that_says_the_same_setting_is_no_second_owner() -> None:
    settings = longhorn_settings(settings={"snapshotDataIntegrity": "enabled"})
    for said in ("enabled", '{"v1":"enabled","v2":"enabled"}'):
        there = facts(seen(chart_settings={"snapshot-data-integrity": said}))
        assert findings(there, settings) == []
    there = facts(seen(chart_settings={"snapshot-data-integrity": "disabled"}))
    assert "snapshotDataIntegrity" in findings(there, settings)[0]


def test_our_jobs_and_classes_are_found_again() -> None:
    classes = (StorageClass("fast", "driver.longhorn.io", default=True, waits=False),)
    there = facts(
        seen(jobs=(job("backup-daily"),), job_sites={"backup-daily": SITE}),
        storage_classes=classes,
        ours=frozenset({("StorageClass", "", "fast")}),
    )
    assert findings(there, CLASS) == []


INSTALL = longhorn_settings(install={})
NONE_YET = facts(None, served=frozenset(), namespaces=frozenset({"default"}))


def test_an_installation_finds_a_cluster_without_longhorn_or_its_own() -> None:
    assert findings(NONE_YET, INSTALL) == []
    chart = {"backup-target": URL}
    ours = seen(targets=(target(url=URL),), chart_target=chart)
    assert findings(facts(ours), INSTALL, frozenset({preflight.RELEASE})) == []
    marked = facts(ours, ours=frozenset({("Namespace", "", HOME)}))
    assert findings(marked, INSTALL) == []


def test_a_chart_that_makes_its_own_class_gets_no_other_of_that_name() -> None:
    older = {"chart": {"version": "1.11.3"}}
    (found,) = findings(NONE_YET, longhorn_settings(install=older))
    assert ".storageClasses.longhorn: the chart of Longhorn 1.11.3 makes a class" in found
    assert findings(NONE_YET, longhorn_settings(install=older, storageClasses={})) == []


@pytest.mark.parametrize(
    ("there", "recorded", "said"),
    [
        (facts(seen()), False, "that this site did not install"),
        (facts(seen(version="v1.10.2")), True, ".install.chart.version: 1.12.1 is 2 minor"),
        (facts(seen(version="v1.13.0")), True, "no way back"),
        (facts(None, served=frozenset(), version="v1.24.9"), False, "Kubernetes 1.24.9 is older"),
    ],
)
def test_an_installation_that_cannot_be_is_a_sentence(
    there: Any, recorded: bool, said: str
) -> None:
    held = frozenset({preflight.RELEASE}) if recorded else frozenset()
    (found,) = findings(there, INSTALL, held)
    assert said in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no folder with a Chart.yaml"),
        ("{", "no folder with a Chart.yaml"),
        ("name: longhorn", "no folder with a Chart.yaml"),
        ("version: 1.12.0", "known faults"),
        ("version: 1.12.1", ""),
    ],
)
def test_a_chart_by_path_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chart").mkdir()
    if content is not None:
        (tmp_path / "chart" / "Chart.yaml").write_text(content)
    found = findings(NONE_YET, longhorn_settings(install={"chart": {"path": "chart"}}))
    assert len(found) == bool(said)
    assert said in "".join(found)


@pytest.mark.parametrize("content", [None, "no PEM", b"\xff\xfe"])
def test_the_ca_of_another_store_is_read_before_anything_is_made(
    tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    given = {"url": "s3://bucket@r/x/", "caCertificateFile": str(file)}
    (found,) = findings(facts(seen()), longhorn_settings(targets={"off": given}))
    assert found.startswith("config backstop:longhorn.targets.off.caCertificateFile: ")


def test_known_faults_and_an_older_snapshotter_are_warnings() -> None:
    old = clusters.controller()
    older = replace(old, image="registry.k8s.io/sig-storage/snapshot-controller:v8.2.0")
    there = facts(seen(version="v1.11.1"), snapshot_controllers=(older,))
    assert findings(there) == []
    first, second = warned(there)
    assert "known faults" in first
    assert "older than the snapshotter of Longhorn" in second


UNSERVED = {"recurring-job-group.longhorn.io/gold": "enabled"}


@pytest.mark.parametrize(
    ("volumes", "settings", "told"),
    [
        ((a_volume(),), None, False),
        ((a_volume(labels=UNSERVED),), None, True),
        ((a_volume(labels={"recurring-job.longhorn.io/gone": "enabled"}),), None, True),
        ((a_volume(labels=UNSERVED),), BOUND, False),
        ((a_volume(labels=UNSERVED, standby=True),), None, False),
        ((a_volume(labels={**UNSERVED, "recurring-job-group.longhorn.io/default": "enabled"}),),
         None, False),
    ],
)  # fmt: skip
def test_a_volume_whose_label_takes_it_out_of_every_backup_is_a_warning(
    volumes: tuple[Volume, ...], settings: Longhorn | None, told: bool
) -> None:
    claims = (Claim("shop", "data"),)
    found = warned(facts(seen(volumes=volumes, claims=claims)), settings)
    assert bool(found) is told
    if told:
        assert "no job backs up volume pvc-1 (shop/data)" in found[0]


@pytest.mark.parametrize(
    ("there", "settings"),
    [
        (facts(seen(volumes=(a_volume(claim="other"),))), BOUND),
        (facts(None, served=frozenset()), BOUND.model_copy(update={"install": INSTALL.install})),
    ],
)
def test_a_claim_that_is_not_there_yet_is_a_warning_and_stops_nothing(
    there: Any, settings: Longhorn
) -> None:
    assert findings(there, settings) == []
    (said,) = warned(there, settings)
    assert "no volume of the claim shop/data yet" in said


def test_a_restored_volume_that_no_job_serves_is_told_although_the_config_names_its_claim() -> None:
    """Its claim is not there, so that nothing binds it."""
    labels = {"recurring-job-group.longhorn.io/restored": "enabled"}
    first, second = warned(facts(seen(volumes=(a_volume(labels=labels),))), BOUND)
    assert "no job backs up volume pvc-1 (shop/data)" in first
    assert "no volume of the claim shop/data yet" in second


def test_jobs_of_others_count_too() -> None:
    jobs = (job("theirs", groups=("gold",)),)
    there = facts(seen(volumes=(a_volume(labels=UNSERVED),), jobs=jobs, job_sites={"theirs": None}))
    assert warned(there) == []
