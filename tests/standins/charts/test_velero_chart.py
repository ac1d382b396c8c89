"""Our chart: what it says it is, which keys it takes, and what it refuses outright."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.standins.charts.conftest import upstream
from tests.support.rendered_chart import STAND_IN, RefusedError, merged, nested, render
from tests.support.velero_values import BASE, KEYS, ROWS

CHART = yaml.safe_load((STAND_IN / "Chart.yaml").read_text())
DEFAULTS = yaml.safe_load((STAND_IN / "values.yaml").read_text())
SCHEMA = json.loads((STAND_IN / "values.schema.json").read_text())


def test_the_chart_says_that_it_is_a_stand_in() -> None:
    assert "stand-in" in CHART["description"]
    assert CHART["annotations"]["backstop/stand-in"]
    assert CHART["version"] == "12.1.0+standin"
    assert CHART["name"] == "velero"


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for key, value in values.items():
        here = (*path, key)
        whole = here in KEYS or not (isinstance(value, dict) and value)
        found |= {here} if whole else leaves(value, here)
    return found


def test_every_key_of_the_chart_is_in_the_table() -> None:
    naming = {("nameOverride",), ("fullnameOverride",)}
    listed = {("configuration", "volumeSnapshotLocation")}
    assert leaves(DEFAULTS) - naming - listed == KEYS


def test_the_defaults_and_samples_satisfy_the_official_schema() -> None:
    path = upstream() / "values.schema.json"
    if not path.is_file():
        pytest.skip(f"the official chart's schema is not here: {path}")
    schema = json.loads(path.read_text())
    official = yaml.safe_load((upstream() / "values.yaml").read_text())
    for row in ROWS:
        for sample in row.samples:
            changed = merged(merged(BASE, row.given), nested(row.key, sample))
            jsonschema.validate(merged(official, changed), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(merged(official, {"deployNodeAgent": "yes"}), schema)


def test_every_key_of_ours_is_a_key_of_the_official_chart() -> None:
    path = upstream() / "values.yaml"
    if not path.is_file():
        pytest.skip(f"the official chart's values are not here: {path}")
    official = yaml.safe_load(path.read_text())
    # Known to the official templates, but only in a comment of its values.
    unlisted = {("image", "digest")}
    missing = {key for key in leaves(DEFAULTS) - unlisted if not holds(official, key)}
    assert missing == set()


def holds(values: Any, key: tuple[str, ...]) -> bool:
    for step in key:
        if not isinstance(values, dict) or step not in values:
            return False
        values = values[step]
    return True


WRONG = [
    ({"resource": {}}, "resource"),
    ({"configuration": {"defaultBackupTtl": "24h"}}, "defaultBackupTtl"),
    ({"configuration": {"defaultBackupTTL": "30 days"}}, "defaultBackupTTL"),
    ({"configuration": {"defaultBackupTTL": 720}}, "defaultBackupTTL"),
    ({"configuration": {"uploaderType": "restic"}}, "uploaderType"),
    ({"configuration": {"extraArgs": "--x=y"}}, "extraArgs"),
    ({"configuration": {"defaultVolumesToFsBackup": "true"}}, "defaultVolumesToFsBackup"),
    ({"image": {"digest": "v1.18.1"}}, "digest"),
    ({"deployNodeAgent": "true"}, "deployNodeAgent"),
    ({"nodeAgent": {"podVolumePath": "var/lib"}}, "podVolumePath"),
    ({"resources": {"request": {}}}, "request"),
    ({"podLabels": {"a": 1}}, "podLabels"),
    ({"metrics": {"serviceMonitor": {"enable": True}}}, "enable"),
]


@pytest.mark.parametrize(("values", "named"), WRONG, ids=json.dumps)
def test_the_schema_refuses_what_the_chart_does_not_know(
    values: dict[str, Any], named: str
) -> None:
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate(merged(merged(DEFAULTS, BASE), values), SCHEMA)
    error = refused.value
    assert named in f"{error.json_path} {error.message}"


def test_the_schema_takes_the_defaults_and_the_base() -> None:
    jsonschema.validate(merged(DEFAULTS, BASE), SCHEMA)


REFUSED = [
    ({"cleanUpCRDs": True}, "deletes every record of a backup"),
    ({"credentials": {"existingSecret": ""}}, "credentials.existingSecret is empty"),
    ({"backupsEnabled": True}, "set backupsEnabled to false"),
    ({"snapshotsEnabled": True}, "set snapshotsEnabled to false"),
    ({"configuration": {"wrong": 1}}, "wrong"),
]


@pytest.mark.tools
@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=json.dumps)
def test_helm_refuses_what_would_not_work(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RefusedError, match=sentence):
        render(STAND_IN, merged(BASE, values))
