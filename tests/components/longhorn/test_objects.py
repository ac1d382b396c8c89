"""What the program declares is what Longhorn's definitions take, field by field.

A field that they do not have would be pruned by the API server without a word, so here it is a
fault.
"""

from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml

from tests.components.longhorn.sites import FULL, longhorn_settings, named, record, upstream
from tests.support.recorder import Registered

LONGHORN = "kubernetes:longhorn.io/v1beta2:"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaimPatch"


@cache
def definitions() -> dict[str, Any]:
    """Longhorn's own schemas by kind, made strict: no field beside the known ones."""
    # The chart's file is a template around plain definitions.
    lines = (upstream() / "crds.yaml").read_text().splitlines()
    text = "\n".join(line for line in lines if "{{" not in line)
    found = {}
    for document in yaml.safe_load_all(text):
        if document:
            (version,) = [one for one in document["spec"]["versions"] if one["name"] == "v1beta2"]
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"type": "object"}
            found[document["spec"]["names"]["kind"]] = strict(schema)
    return found


def strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


def check(kind: str, content: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(definitions()[kind]).validate(content)


@pytest.fixture(scope="module")
def full() -> list[Registered]:
    return record(longhorn_settings(**FULL))


def test_everything_declared_is_what_the_definitions_take(full: list[Registered]) -> None:
    declared = [one for one in full if one.type.startswith(LONGHORN)]
    kinds = {one.type.removeprefix(LONGHORN) for one in declared}
    assert kinds == {"BackupTarget", "BackupTargetPatch", "RecurringJob", "SettingPatch"}
    for one in declared:
        check(one.inputs["kind"], one.inputs)


def test_a_field_that_the_definitions_lack_is_noticed(full: list[Registered]) -> None:
    wrong = dict(named(full, "longhorn-job-backup-daily").inputs)
    wrong["spec"] = {**wrong["spec"], "retainAge": "1h"}
    with pytest.raises(jsonschema.ValidationError, match="retainAge"):
        check("RecurringJob", wrong)
    with pytest.raises(jsonschema.ValidationError, match="task"):
        check("RecurringJob", {**wrong, "spec": {"task": "copy"}})


def test_the_default_targets_fields_are_patched_and_no_others(full: list[Registered]) -> None:
    found = named(full, "longhorn-target-default")
    assert found.type == f"{LONGHORN}BackupTargetPatch"
    assert found.inputs["metadata"] == {
        "name": "default",
        "namespace": "longhorn-system",
        "labels": {"backstop-site": "dev"},
        "annotations": {"pulumi.com/patchFieldManager": "backstop-dev"},
    }
    assert found.inputs["spec"] == {
        "backupTargetURL": "s3://dev-longhorn@eu-west-1/cluster-a/",
        "credentialSecret": "backstop-target-default",
        "pollInterval": "5m0s",
    }


def test_further_targets_are_objects_of_their_own(full: list[Registered]) -> None:
    found = named(full, "longhorn-target-offsite")
    assert found.type == f"{LONGHORN}BackupTarget"
    assert found.inputs["spec"] == {
        "backupTargetURL": "s3://second-copy@us-east-1/dev/",
        "credentialSecret": "backstop-target-offsite",
        "pollInterval": "5m0s",
    }


def test_a_claims_labels_are_the_source_of_its_volumes(full: list[Registered]) -> None:
    found = named(full, "longhorn-volume-shop.data-db-0")
    assert found.type == CLAIM
    assert found.inputs["metadata"] == {
        "name": "data-db-0",
        "namespace": "shop",
        "labels": {
            "recurring-job.longhorn.io/source": "enabled",
            "recurring-job-group.longhorn.io/often": "enabled",
            "recurring-job-group.longhorn.io/default": "enabled",
        },
        "annotations": {"pulumi.com/patchFieldManager": "backstop-dev"},
    }
    assert "spec" not in found.inputs


def test_a_class_names_its_jobs_in_json(full: list[Registered]) -> None:
    found = named(full, "longhorn-class-longhorn-often").inputs
    assert found["provisioner"] == "driver.longhorn.io"
    assert found["metadata"]["annotations"] == {
        "storageclass.kubernetes.io/is-default-class": "true"
    }
    assert found["parameters"] == {
        "numberOfReplicas": "2",
        "staleReplicaTimeout": "30",
        "fsType": "xfs",
        "backupTargetName": "default",
        "recurringJobSelector": '[{"name":"often","isGroup":true}]',
    }
    plain = named(full, "longhorn-class-plain").inputs
    # A volume of a class without a selector is in the group default.
    assert "recurringJobSelector" not in plain["parameters"]
    assert plain["parameters"]["dataLocality"] == "best-effort"
    assert "annotations" not in plain["metadata"]


def test_a_setting_is_a_value_without_a_specification(full: list[Registered]) -> None:
    found = named(full, "longhorn-setting-snapshot-data-integrity").inputs
    assert found["value"] == '{"v1":"enabled","v2":"enabled"}'
    assert "spec" not in found
