"""Longhorn in the whole program: who waits for it, what is said of it."""

from typing import Any

import pytest

from components.cluster import SeenCluster
from components.longhorn.bindings import TYPE
from components.recorded import Recorded
from components.snapshots.plan import decide
from kube.facts import ClusterFacts
from kube.longhorn.seen import SeenLonghorn
from tests.components import cluster_facts as clusters
from tests.components.longhorn.sites import depends, named
from tests.components.longhorn.test_longhorn_settings import site
from tests.support.recorder import Registered, record

CLASSES = [
    {"name": "longhorn-bak", "type": "bak"},
    {"name": "other", "driver": "x.example"},
]


def whole(
    longhorn: Any = None, *, recorded: frozenset[tuple[str, str]] = frozenset(), **changes: Any
) -> list[Registered]:
    raw: dict[str, Any] = {"snapshots": {"crds": {"path": "standins/crds"}, "classes": CLASSES}}
    settings = site({} if longhorn is None else longhorn, **raw, **changes)
    seen: SeenCluster = clusters.seen(facts(), Recorded(recorded))
    assert settings.snapshots is not None
    plan, faults = decide(settings.site, settings.snapshots, seen)
    assert faults == []
    return record(settings, cluster=seen, snapshots=plan)


def facts() -> ClusterFacts:
    return clusters.facts(longhorn=SeenLonghorn(version="v1.12.1"))


@pytest.fixture(scope="module")
def found() -> list[Registered]:
    return whole()


def test_a_class_that_backs_up_waits_for_the_target_and_no_other_class_does(
    found: list[Registered],
) -> None:
    assert "longhorn-available-default" in depends(named(found, "snapshot-class-longhorn-bak"))
    assert "longhorn-available-default" not in depends(named(found, "snapshot-class-other"))


def test_the_credential_has_its_rights_before_longhorn_uses_it(found: list[Registered]) -> None:
    waited = depends(named(found, "longhorn-secret-default"))
    assert {"longhorn-1-attachment", "longhorn-settings"} <= waited


def test_former_users_go_when_longhorn_has_the_new_one(found: list[Registered]) -> None:
    retired = [one for one in found if "retire" in one.name]
    assert retired
    for one in retired:
        assert "longhorn-available-default" in depends(one)


def test_first_backups_hold_what_the_canary_wrote() -> None:
    assert "canary" in depends(named(with_canary("one"), "longhorn-first-backup"))


def test_a_claim_of_the_canary_that_is_new_has_a_first_backup_made() -> None:
    def asked(*volumes: str) -> Any:
        return named(with_canary(*volumes), "longhorn-first-backup").inputs["triggers"]

    assert asked("one", "two") == asked("one", "two")
    assert asked("one", "two") != asked("one", "other")


def with_canary(*names: str) -> list[Registered]:
    volumes = [{"name": one, "method": "snapshot", "storageClass": "longhorn"} for one in names]
    return whole(canary={"volumes": volumes}, velero={"profile": "demo"})


def test_a_claim_that_is_not_there_yet_has_no_resource() -> None:
    volumes = [{"namespace": "shop", "claim": "data", "groups": ["default"]}]
    found = whole({"volumes": volumes})
    assert not [one for one in found if one.name.startswith("longhorn-volume-")]
    assert "longhorn-job-backup-daily" in {one.name for one in found}
    recorded = frozenset({(TYPE, "longhorn-volume-shop.data")})
    kept = named(whole({"volumes": volumes}, recorded=recorded), "longhorn-volume-shop.data")
    assert list(kept.request.ignoreChanges) == ["metadata"]


def test_a_site_without_longhorn_has_nothing_of_it() -> None:
    settings = site(None, snapshots={"crds": {"path": "standins/crds"}, "classes": CLASSES})
    assert settings.longhorn is None
    seen = clusters.seen(facts())
    assert settings.snapshots is not None
    plan, _ = decide(settings.site, settings.snapshots, seen)
    found = record(settings, cluster=seen, snapshots=plan)
    names = {one.name for one in found if "longhorn" in one.name}
    # The store's client is there all the same, and the class by its name.
    assert not {name for name in names if name.startswith(("longhorn-target", "longhorn-job"))}
    assert depends(named(found, "snapshot-class-longhorn-bak")) & names == set()
