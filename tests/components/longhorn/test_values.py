"""The chart's values: every key is one the chart has, and holds no secret."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from components.longhorn.values import chart_values
from tests.components.longhorn.sites import FULL, longhorn_settings, upstream

URL = "s3://dev-longhorn@eu-west-1/dev/"
GIVEN: dict[str, Any] = {
    "csi": {"kubeletRootDir": "/var/lib/kubelet"},
    "defaultSettings": {"defaultReplicaCount": 2},
    "persistence": {"defaultClassReplicaCount": 2},
    "preUpgradeChecker": {"jobEnabled": False},
}
SITES = {"least": {}, "most": {**FULL, "install": {"values": GIVEN}}}


@pytest.fixture(params=SITES)
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    return chart_values(longhorn_settings(**SITES[request.param]), URL)


def leaves(held: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in held.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def test_the_official_chart_has_every_key(found: dict[str, Any]) -> None:
    official = yaml.safe_load((upstream() / "values.yaml").read_text())
    for path in leaves(found):
        held = official
        for key in path:
            assert key in held, path
            held = held[key]


def test_the_target_has_all_its_values_or_the_chart_would_keep_old_ones(
    found: dict[str, Any],
) -> None:
    store = found["defaultBackupStore"]
    assert store["backupTarget"] == URL
    assert store["backupTargetCredentialSecret"] == "backstop-target-default"
    assert store["pollInterval"] == 300  # seconds, and no text: the chart writes it as it is


def test_classes_are_not_the_charts(found: dict[str, Any]) -> None:
    assert found["persistence"]["createStorageClass"] is False
    assert found["persistence"]["defaultClass"] is False


def test_what_the_config_says_of_the_chart_is_laid_upon_it() -> None:
    most = chart_values(longhorn_settings(**SITES["most"]), URL)
    assert most["defaultSettings"]["defaultReplicaCount"] == 2
    assert most["defaultSettings"]["allowRecurringJobWhileVolumeDetached"] is True
    assert most["preUpgradeChecker"] == {"jobEnabled": False, "upgradeVersionCheck": True}
    assert most["csi"] == {"kubeletRootDir": "/var/lib/kubelet"}
