"""Each reason not to begin with Velero is one sentence with the cure; a clean cluster has none."""

from pathlib import Path
from typing import Any

import pytest

from components.velero import preflight
from kube.facts import SNAPSHOT_CRDS, ClusterFacts, Crd, Location
from tests.components.velero.sites import SITE, UID, velero_settings

CRDS = {name: Crd(name, None, frozenset({"v1"})) for name in SNAPSHOT_CRDS}


def location(name: str = "default", **changes: Any) -> Location:
    found: dict[str, Any] = {
        "namespace": "velero",
        "default": True,
        "phase": "Available",
        "site": SITE,
        "bucket": "dev-velero",
        **changes,
    }
    return Location(name=name, **found)


def findings(
    given: dict[str, Any] | None = None,
    *,
    csi: bool = False,
    installs: bool = False,
    makes: tuple[str, ...] = (),
    **facts: Any,
) -> list[str]:
    seen = ClusterFacts(UID, "https://c:6443", "v1.34.3",
                        namespaces=frozenset({"default", "app"}), **facts)  # fmt: skip
    return preflight.cluster_findings(
        velero_settings(**(given or {})),
        SITE,
        seen,
        bucket="dev-velero",
        csi=csi,
        installs_crds=installs,
        makes=makes,
    )


def test_a_cluster_without_velero_has_none() -> None:
    assert findings() == []
    assert findings({"schedules": {"a": {"cron": "@daily", "includedNamespaces": ["app"]}}}) == []
    assert findings(csi=True, crds=CRDS) == []
    assert findings(csi=True, installs=True) == []


def test_a_namespace_that_this_program_makes_need_not_be_there() -> None:
    schedules = {"a": {"cron": "@daily", "includedNamespaces": ["backstop-canary"]}}
    assert len(findings({"schedules": schedules})) == 1
    assert findings({"schedules": schedules}, makes=("backstop-canary",)) == []


def test_our_own_velero_is_none() -> None:
    assert findings(locations=(location(),)) == []
    former = {"name": "default", "prefix": "a"}
    moved = {"location": {"name": "new", "prefix": "b", "former": [former]}}
    assert findings(moved, locations=(location(prefix="a"),)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            findings({"schedules": {"a": {"cron": "@daily", "includedNamespaces": ["ap"]}}}),
            "velero.schedules.a.includedNamespaces: the cluster has no namespace ap (there: app,",
        ),
        (findings(csi=True), "no CRD volumesnapshotclasses.snapshot.storage.k8s.io"),
        (
            findings(locations=(location(site=None),)),
            "has a location default without a site's mark, so another Velero is installed there",
        ),
        (
            findings(locations=(location(site="other", namespace="backup"),)),
            "namespace backup has a location default of site other",
        ),
        (
            findings(locations=(location(), location("by-hand", site=None))),
            "by-hand is a default location in the cluster beside default",
        ),
        (
            findings(locations=(location(bucket="old-velero"),)),
            "default exists and holds old-velero, not dev-velero, and its backups would be lost",
        ),
        (
            findings({"location": {"prefix": "b"}}, locations=(location(),)),
            "set clients.velero.bucket and location.prefix back to that place",
        ),
        (
            findings({"location": {"prefix": "b"}}, locations=(location(prefix="a"),)),
            "put the former one under location.former until its backups have expired",
        ),
    ],
)
def test_a_finding_says_what_was_seen_and_what_to_do(found: list[str], said: str) -> None:
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("config backstop:velero")
    assert "\n" not in found[0]


def test_a_glob_names_no_namespace_that_must_exist() -> None:
    assert findings({"schedules": {"a": {"cron": "@daily", "includedNamespaces": ["ap*"]}}}) == []


@pytest.mark.parametrize("top", [[], ["backups/", "kopia/"], ["restores", "metadata", "plugins"]])
def test_veleros_own_folders_are_none(top: list[str]) -> None:
    assert preflight.folder_finding("dev-velero", "", top) is None


def test_foreign_content_is_named() -> None:
    found = preflight.folder_finding("b", "x", ["backups/", "backupstore/", "a/", "b/", "c/"])
    assert found is not None
    assert "b/x holds a, b, backupstore ..., which is not Velero's" in found


def test_a_chart_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = velero_settings(chart={"path": "charts/velero"})
    (finding,) = preflight.chart_findings(settings)
    assert "charts/velero is no chart" in finding
    (tmp_path / "charts" / "velero").mkdir(parents=True)
    assert preflight.chart_findings(settings)
    (tmp_path / "charts" / "velero" / "Chart.yaml").write_text("name: velero\n")
    assert preflight.chart_findings(settings) == []
    archive = velero_settings(chart={"path": "velero-12.1.0.tgz"})
    assert preflight.chart_findings(archive)
    (tmp_path / "velero-12.1.0.tgz").write_bytes(b"")
    assert preflight.chart_findings(archive) == []
    assert preflight.chart_findings(velero_settings()) == []
