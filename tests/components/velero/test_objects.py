"""What the program declares is what Velero's definitions take, field by field.

The definitions are those of the official chart. A field that they do not have would be pruned by
the API server without a word, so here it is a fault.
"""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from components.settings.velero import Location
from components.velero import config_maps, location, objects, schedules, volume_policy
from tests.components.velero.sites import SITE, record, velero_settings
from tests.standins.charts.conftest import upstream

TARGET = location.Target("https://10.0.0.5:9091", "eu-west-1", "dev-velero", "velero-store-1")
FULL: dict[str, Any] = {
    "cron": "0 2 * * *",
    "paused": True,
    "skipImmediately": True,
    "includedNamespaces": ["app", "db-*"],
    "excludedNamespaces": ["app-test"],
    "includedResources": ["deployments.apps", "persistentvolumeclaims"],
    "excludedResources": ["secrets"],
    "includeClusterResources": True,
    "labelSelector": {
        "matchLabels": {"tier": "gold"},
        "matchExpressions": [{"key": "a.example/x", "operator": "DoesNotExist"}],
    },
    "orderedResources": {"pods": "app/one,app/two"},
    "snapshotVolumes": True,
    "snapshotMoveData": True,
    "defaultVolumesToFsBackup": True,
    "labels": {"type": "full"},
}
SCOPED: dict[str, Any] = {
    "cron": "0 3 * * *",
    "includedClusterScopedResources": ["persistentvolumes"],
    "excludedClusterScopedResources": ["nodes"],
    "includedNamespaceScopedResources": ["*"],
    "excludedNamespaceScopedResources": ["events"],
    "orLabelSelectors": [{"matchLabels": {"a": "1"}}, {"matchLabels": {"b": "2"}}],
    "snapshotMoveData": True,
}
MOVED = {"name": "new", "prefix": "b", "former": [{"name": "old", "prefix": "a"}]}
HOOKS = {
    "database": {
        "kind": "postgres", "namespaces": ["app"], "selector": {"app": "db"},
        "container": "postgres", "path": "/var/lib/postgresql/data/dump",
    },
    "cache": {
        "kind": "redis", "namespaces": ["other"], "selector": {"app": "cache"},
        "container": "redis",
    },
}  # fmt: skip


def definition(plural: str) -> dict[str, Any]:
    """The schema of a kind, made strict: no field beside the known ones."""
    path = upstream() / "crds" / f"{plural}.yaml"
    if not path.exists():
        pytest.skip(f"the official chart's definitions are not here: {path.name}")
    (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    # The API server checks metadata itself.
    schema["properties"]["metadata"] = {"type": "object"}
    return _strict(schema)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    open_ended = found.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in found and isinstance(found["properties"], dict) and not open_ended:
        found.setdefault("additionalProperties", False)
    if found.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def check(plural: str, manifest: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(definition(plural)).validate(json.loads(json.dumps(manifest)))


def schedule(name: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = velero_settings(schedules={name: given}, **more)
    spec = schedules.specifications(found, SITE)[name]
    return objects.velero(SITE, schedules.KIND, found.namespace, name, spec)


@pytest.mark.parametrize(
    "given", [{"cron": "@daily"}, FULL, SCOPED], ids=["least", "most", "scoped"]
)
def test_schedules_are_what_the_definition_takes(given: dict[str, Any]) -> None:
    check("schedules", schedule("daily", given, hooks=HOOKS))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "name": "new",
            "prefix": "cluster-b",
            "publicUrl": "https://store.example:9091",
            "checksumAlgorithm": "",
            "former": [{"name": "default", "prefix": "cluster-a"}],
        },
    ],
    ids=["least", "most"],
)
def test_locations_are_what_the_definition_takes(given: dict[str, Any]) -> None:
    held = Location.model_validate(given)
    for place in location.places(held):
        spec = location.specification(held, place, TARGET)
        check("backupstoragelocations", objects.velero(SITE, location.KIND, "v", place.name, spec))


def test_a_field_that_the_definition_lacks_is_noticed() -> None:
    wrong = schedule("daily", {"cron": "@daily"})
    wrong["spec"]["template"]["includeNamespaces"] = ["app"]
    with pytest.raises(jsonschema.ValidationError, match="includeNamespaces"):
        check("schedules", wrong)
    wrong = objects.velero(SITE, location.KIND, "v", "default", {"provider": "aws"})
    with pytest.raises(jsonschema.ValidationError, match="objectStorage"):
        check("backupstoragelocations", wrong)


def test_every_location_verifies_tls_with_the_stores_ca() -> None:
    held = Location.model_validate(MOVED)
    for place in location.places(held):
        spec = location.specification(held, place, TARGET)
        assert "insecureSkipTLSVerify" not in spec["config"]
        assert spec["objectStorage"]["caCertRef"] == {"name": "velero-store-ca", "key": "ca.crt"}
        assert spec["config"]["s3Url"].startswith("https://")
        assert spec["credential"] == {"name": "velero-store-1", "key": "cloud"}
        assert all(isinstance(value, str) for value in spec["config"].values())


def test_one_location_is_the_default_and_former_ones_are_not() -> None:
    held = Location.model_validate(MOVED)
    specs = {
        place.name: location.specification(held, place, TARGET) for place in location.places(held)
    }
    assert [name for name, spec in specs.items() if spec["default"]] == ["new"]
    assert specs["new"]["objectStorage"]["prefix"] == "b"
    assert specs["old"]["objectStorage"]["prefix"] == "a"
    assert specs["old"]["accessMode"] == "ReadWrite"


@pytest.mark.parametrize("given", [{"cron": "@daily"}, FULL, SCOPED])
def test_no_backup_ever_holds_veleros_own_namespace(given: dict[str, Any]) -> None:
    template = schedule("daily", given, namespace="velero-system")["spec"]["template"]
    assert "velero-system" in template["excludedNamespaces"]
    assert "velero-system" not in template["includedNamespaces"]


def test_a_default_exclusion_gives_way_to_an_inclusion_by_name() -> None:
    # Velero refuses a backup whose namespace stands in both lists.
    template = schedule("daily", {"cron": "@daily", "includedNamespaces": ["longhorn-system"]})
    assert template["spec"]["template"]["excludedNamespaces"] == ["velero"]


def test_a_schedule_leaves_nothing_to_defaults_that_drift() -> None:
    spec = schedule("daily", {"cron": "@daily"})["spec"]
    assert spec["useOwnerReferencesInBackup"] is False
    assert spec["skipImmediately"] is False
    assert spec["template"]["ttl"] == "720h0m0s"
    assert spec["template"]["snapshotMoveData"] is False
    assert spec["template"]["defaultVolumesToFsBackup"] is False
    assert spec["template"]["storageLocation"] == "default"


def test_the_template_label_tells_templates_apart_and_nothing_else() -> None:
    def label(**given: Any) -> str:
        template = schedule("daily", {"cron": "0 2 * * *", **given})["spec"]["template"]
        return str(template["metadata"]["labels"][schedules.TEMPLATE_LABEL])

    assert label() == label(cron="0 5 * * *") == label(paused=True)
    assert label() != label(includedNamespaces=["app"])
    assert label() != label(ttl="800h")


def test_a_hook_goes_into_the_schedules_that_take_its_namespace() -> None:
    def hooks(*namespaces: str) -> list[str]:
        given = {"cron": "@daily", "includedNamespaces": list(namespaces)}
        template = schedule("daily", given, hooks=HOOKS)["spec"]["template"]
        return [one["name"] for one in template.get("hooks", {}).get("resources", [])]

    assert hooks() == ["database", "cache"]
    assert hooks("app") == ["database"]
    assert hooks("oth*") == ["cache"]
    assert hooks("elsewhere") == []


def test_the_volume_policy_is_one_key_that_skips_claims_without_volume() -> None:
    found = velero_settings(
        volumePolicy=[
            {"action": "fs-backup", "storageClass": ["local-static"], "capacity": "0Gi,10Gi"},
            {"action": "skip", "nfs": {}},
            {"action": "snapshot", "csi": {"driver": "driver.longhorn.io"}},
        ]
    )
    data = config_maps.data(found)[volume_policy.CONFIG_MAP]
    assert len(data) == 1
    policy = yaml.safe_load(data[volume_policy.KEY])
    assert policy["version"] == "v1"
    assert policy["volumePolicies"] == [
        {"conditions": {"pvcPhase": ["Pending", "Lost"]}, "action": {"type": "skip"}},
        {
            "conditions": {"storageClass": ["local-static"], "capacity": "0Gi,10Gi"},
            "action": {"type": "fs-backup"},
        },
        {"conditions": {"nfs": {}}, "action": {"type": "skip"}},
        {"conditions": {"csi": {"driver": "driver.longhorn.io"}}, "action": {"type": "snapshot"}},
    ]


def test_the_node_agents_settings_are_there_where_it_runs() -> None:
    assert config_maps.NODE_AGENT not in config_maps.data(velero_settings())
    found = velero_settings(
        nodeAgent="on", resources="medium", dataMoverClasses={"longhorn": "longhorn-one-replica"}
    )
    (text,) = config_maps.data(found)[config_maps.NODE_AGENT].values()
    assert json.loads(text) == {
        "loadConcurrency": {"globalConfig": 2},
        "podResources": {"cpuRequest": "250m", "memoryRequest": "512Mi", "memoryLimit": "4Gi"},
        "backupPVC": {"longhorn": {"storageClass": "longhorn-one-replica"}},
    }


def test_registered_locations_and_schedules_are_valid_too() -> None:
    plurals = {"Schedule": "schedules", "BackupStorageLocation": "backupstoragelocations"}
    found = record(velero_settings(profile="pi-cluster"))
    checked = 0
    for one in found:
        plural = plurals.get(one.type.rpartition(":")[2])
        if plural:
            check(plural, one.inputs)
            checked += 1
    assert checked == 2
