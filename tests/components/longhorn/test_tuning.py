"""Longhorn's own settings: one table, in Longhorn's spelling."""

import pytest
import yaml

from components.longhorn import tuning
from components.settings.longhorn_tuning import Tuning
from tests.components.longhorn.sites import upstream


def test_the_table_and_the_config_have_the_same_settings() -> None:
    assert set(tuning.SETTINGS) == set(Tuning.model_fields)
    for field, setting in tuning.SETTINGS.items():
        assert Tuning.model_fields[field].alias == setting.chart


def test_the_official_chart_has_every_key() -> None:
    held = yaml.safe_load((upstream() / "values.yaml").read_text())["defaultSettings"]
    assert {one.chart for one in tuning.SETTINGS.values()} <= set(held)
    # What this program would set and the chart sets by itself would have two owners.
    assert {held[one.chart] for one in tuning.SETTINGS.values()} == {None}


def test_values_are_spelt_as_longhorn_keeps_them() -> None:
    given = Tuning.model_validate(
        {
            "allowRecurringJobWhileVolumeDetached": True,
            "failedBackupTTL": 0,
            "backupCompressionMethod": "none",
            "snapshotDataIntegrity": "enabled",
            "freezeFilesystemForSnapshot": False,
        }
    ).given
    assert tuning.by_object(given) == {
        "allow-recurring-job-while-volume-detached": "true",
        "failed-backup-ttl": "0",
        "backup-compression-method": "none",
        "snapshot-data-integrity": '{"v1":"enabled","v2":"enabled"}',
        "freeze-filesystem-for-snapshot": '{"v1":"false"}',
    }
    assert tuning.by_chart(given) == {
        "allowRecurringJobWhileVolumeDetached": True,
        "failedBackupTTL": 0,
        "backupCompressionMethod": "none",
        "snapshotDataIntegrity": '{"v1":"enabled","v2":"enabled"}',
        "freezeFilesystemForSnapshot": '{"v1":"false"}',
    }


def test_what_is_left_out_is_not_touched() -> None:
    assert tuning.by_object(Tuning().given) == {}


@pytest.mark.parametrize(
    ("minor", "new"),
    [
        ((1, 10), ["snapshotHeavyTaskConcurrentLimit", "snapshotCountWarningThreshold"]),
        ((1, 11), ["snapshotCountWarningThreshold"]),
        ((1, 12), []),
    ],
)
def test_settings_that_a_version_does_not_have_yet(minor: tuple[int, int], new: list[str]) -> None:
    given = {"snapshotHeavyTaskConcurrentLimit": 3, "snapshotCountWarningThreshold": 80}
    assert sorted(tuning.too_new(Tuning.model_validate(given).given, minor)) == sorted(new)
