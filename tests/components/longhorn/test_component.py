"""The registrations of Longhorn: order, ownership, protection, secrets, triggers."""

import base64
import json
from typing import Any

import pytest

from components.object_store.access import ClientAccess
from kube.longhorn.request import FirstBackupRequest, TargetRequest
from tests.components.longhorn.sites import (
    FULL,
    KUBECONFIG,
    UID,
    depends,
    longhorn_settings,
    named,
    record,
)
from tests.support.recorder import CA_PEM, Registered

COMMAND = "command:local:Command"
SECRET = "kubernetes:core/v1:Secret"
INSTALLED: dict[str, Any] = {"install": {}}


@pytest.fixture(scope="module")
def there() -> list[Registered]:
    """On a Longhorn that is in the cluster already."""
    return record(longhorn_settings(**FULL))


@pytest.fixture(scope="module")
def installed() -> list[Registered]:
    """With a Longhorn of the program's own."""
    return record(longhorn_settings(**{**FULL, **INSTALLED}))


def decoded(one: Registered) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in one.inputs["data"].items()}


def test_each_target_has_a_secret_of_its_own(there: list[Registered]) -> None:
    assert {one.name for one in there if one.type == SECRET} == {
        "longhorn-secret-default", "longhorn-secret-archive", "longhorn-secret-offsite",
    }  # fmt: skip
    own = named(there, "longhorn-secret-default")
    assert own.inputs["metadata"]["name"] == "backstop-target-default"
    assert own.inputs["metadata"]["namespace"] == "longhorn-system"
    assert decoded(own) == {
        "AWS_ACCESS_KEY_ID": "SENTINEL-access",
        "AWS_SECRET_ACCESS_KEY": "SENTINEL-secret",
        "AWS_ENDPOINTS": "https://10.77.0.10:9091",
        "AWS_CERT": CA_PEM.strip(),
    }
    assert decoded(named(there, "longhorn-secret-archive")) == decoded(own)
    assert decoded(named(there, "longhorn-secret-offsite")) == {
        "AWS_ACCESS_KEY_ID": "SENTINEL-other-access",
        "AWS_SECRET_ACCESS_KEY": "SENTINEL-other-secret",
        "AWS_ENDPOINTS": "https://s3.example",
        "VIRTUAL_HOSTED_STYLE": "true",
    }


def test_pods_are_given_the_address_by_which_they_reach_the_store() -> None:
    found = record(inside_url="https://minio.object-store:9000")
    own = decoded(named(found, "longhorn-secret-default"))
    assert own["AWS_ENDPOINTS"] == "https://minio.object-store:9000"


def test_a_secret_stands_only_where_it_is_marked(
    there: list[Registered], installed: list[Registered]
) -> None:
    for one in (*there, *installed):
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert "SENTINEL" not in json.dumps(clear, default=str), one.name


def test_the_target_comes_after_its_secret_and_jobs_after_the_gate(
    there: list[Registered],
) -> None:
    assert "longhorn-secret-default" in depends(named(there, "longhorn-target-default"))
    assert depends(named(there, "longhorn-available-default")) == {"longhorn-target-default"}
    setting = named(there, "longhorn-setting-backup-execution-timeout")
    assert depends(setting) == {"longhorn-available-default"}
    job = depends(named(there, "longhorn-job-backup-daily"))
    assert {"longhorn-available-default", "longhorn-setting-backup-execution-timeout"} <= job
    bound = depends(named(there, "longhorn-volume-wiki.files"))
    assert {"longhorn-job-backup-hourly", "longhorn-job-backup-daily"} <= bound
    first = depends(named(there, "longhorn-first-backup"))
    assert {"longhorn-volume-wiki.files", "longhorn-job-backup-daily"} <= first
    assert {"longhorn-available-archive", "longhorn-available-offsite"} <= first


def test_one_owner_of_target_and_settings(
    there: list[Registered], installed: list[Registered]
) -> None:
    assert not [one for one in there if one.type.endswith(":Release")]
    patches = [one.name for one in installed if one.type.endswith(("TargetPatch", "SettingPatch"))]
    assert patches == []
    values = named(installed, "longhorn", "Release").inputs["values"]
    assert values["defaultBackupStore"]["backupTarget"] == "s3://dev-longhorn@eu-west-1/cluster-a/"
    assert values["defaultSettings"]["snapshotDataIntegrity"] == '{"v1":"enabled","v2":"enabled"}'


def test_what_backups_hang_on_outlives_the_stack(
    there: list[Registered], installed: list[Registered]
) -> None:
    # Given up, these fields would take the target's URL with them.
    for one in there:
        if one.type.endswith(("TargetPatch", "SettingPatch")):
            assert one.request.retainOnDelete, one.name
    for name, kind in (("longhorn-namespace", ""), ("longhorn", "Release")):
        request = named(installed, name, kind).request
        assert request.protect, name
        assert request.retainOnDelete, name


def test_the_credential_is_there_before_longhorn(installed: list[Registered]) -> None:
    assert {"longhorn-namespace", "longhorn-secret-default"} <= depends(
        named(installed, "longhorn", "Release")
    )
    assert "longhorn" in depends(named(installed, "longhorn-available-default"))
    assert "longhorn" in depends(named(installed, "longhorn-target-archive"))


def test_the_chart_comes_from_a_repository_or_from_a_path(installed: list[Registered]) -> None:
    release = named(installed, "longhorn", "Release").inputs
    assert (release["chart"], release["version"]) == ("longhorn", "1.12.1")
    assert release["repositoryOpts"] == {"repo": "https://charts.longhorn.io"}
    assert (release["name"], release["namespace"]) == ("longhorn", "longhorn-system")
    assert release["maxHistory"] == 10
    local = longhorn_settings(install={"chart": {"path": "standins/charts/longhorn"}})
    release = named(record(local), "longhorn", "Release").inputs
    assert release["chart"] == "standins/charts/longhorn"
    assert "version" not in release
    oci = longhorn_settings(install={"chart": {"repository": "oci://registry.example/charts"}})
    release = named(record(oci), "longhorn", "Release").inputs
    assert release["chart"] == "oci://registry.example/charts/longhorn"


def test_the_values_hold_no_secret(installed: list[Registered]) -> None:
    assert "values" not in named(installed, "longhorn", "Release").secret_inputs


def test_the_gates_request_is_one_that_is_understood(there: list[Registered]) -> None:
    gate = named(there, "longhorn-available-default")
    assert gate.inputs["create"] == "sh ./run.sh kube.longhorn target"
    assert "stdin" in gate.secret_inputs
    request = TargetRequest.model_validate_json(gate.inputs["stdin"])
    (wanted,) = [one.wanted() for one in request.targets]
    assert (wanted.name, wanted.url, wanted.credential_secret) == (
        "default", "s3://dev-longhorn@eu-west-1/cluster-a/", "backstop-target-default",
    )  # fmt: skip
    assert (request.namespace, request.uid, request.seconds) == ("longhorn-system", UID, 300)
    assert request.kubeconfig.get_secret_value() == KUBECONFIG.text


def test_the_request_for_first_backups_is_one_that_is_understood(
    there: list[Registered],
) -> None:
    made = named(there, "longhorn-first-backup")
    assert made.inputs["create"] == "sh ./run.sh kube.longhorn first-backup"
    request = FirstBackupRequest.model_validate_json(made.inputs["stdin"])
    assert set(request.jobs) == {"backup-daily", "backup-hourly"}
    assert (request.at_once, request.seconds) == (3, 3600)


def triggers(found: list[Registered], name: str = "longhorn-available-default") -> Any:
    return named(found, name).inputs["triggers"]


def client(generation: int) -> ClientAccess:
    return ClientAccess("longhorn", "longhorn", "dev-longhorn", "", generation, keep_previous=False)


def test_what_changes_a_targets_reach_proves_it_again_and_nothing_else_does() -> None:
    calm = triggers(record())
    assert triggers(record()) == calm
    pem = "-----BEGIN CERTIFICATE-----\nBB==\n-----END CERTIFICATE-----\n"
    assert triggers(record(ca_pem=pem)) != calm
    assert triggers(record(client=client(2))) != calm
    assert triggers(record(longhorn_settings(target={"prefix": "b"}))) != calm
    assert triggers(record(inside_url="https://minio:9000")) != calm
    job = longhorn_settings(jobs={"backup-daily": {"retain": 20}})
    assert triggers(record(job)) == calm


def test_a_rotation_changes_the_content_of_one_secret() -> None:
    before, after = record(), record(client=client(2))
    names = {one.name for one in before}
    assert {one.name for one in after} == names
    secret = named(after, "longhorn-secret-default")
    assert secret.inputs["metadata"]["name"] == "backstop-target-default"


def offsite(generation: int) -> dict[str, Any]:
    target = {**FULL["targets"]["offsite"], "credentialGeneration": generation}
    return {"targets": {"offsite": target}}


def test_another_stores_target_is_proven_again_with_its_own_credential_alone() -> None:
    name = "longhorn-available-offsite"
    calm = triggers(record(longhorn_settings(**offsite(1))), name)
    assert triggers(record(longhorn_settings(**offsite(1)), client=client(2)), name) == calm
    assert triggers(record(longhorn_settings(**offsite(2))), name) != calm


def test_first_backups_belong_to_what_is_covered_and_not_to_the_hour() -> None:
    def asked(**given: Any) -> Any:
        return triggers(record(longhorn_settings(**given)), "longhorn-first-backup")

    calm = asked()
    assert asked(jobs={"backup-daily": {"cron": "0 5 * * *"}}) == calm
    assert asked(jobs={"backup-daily": {"groups": ["default", "more"]}}) != calm
    assert asked(volumes=[{"namespace": "a", "claim": "b", "groups": ["default"]}]) != calm
    names = {one.name for one in record(longhorn_settings(firstBackup=False))}
    assert "longhorn-first-backup" not in names


def test_jobs_and_targets_of_a_lost_state_are_taken_over_and_secrets_are_not() -> None:
    home = "longhorn-system"
    ours = frozenset(
        {
            ("RecurringJob", home, "backup-daily"),
            ("BackupTarget", home, "archive"),
            ("BackupTarget", home, "default"),
            ("Secret", home, "backstop-target-default"),
        }
    )
    found = record(longhorn_settings(**FULL), ours=ours)
    imported = {one.name: one.request.importId for one in found if one.request.importId}
    assert imported == {
        "longhorn-job-backup-daily": "longhorn-system/backup-daily",
        "longhorn-target-archive": "longhorn-system/archive",
    }


def test_no_command_names_a_secret_outside_stdin(there: list[Registered]) -> None:
    for one in there:
        if one.type == COMMAND:
            assert "SENTINEL" not in json.dumps([one.inputs["create"], one.inputs["triggers"]])


@pytest.mark.parametrize("given", [{}, FULL, INSTALLED], ids=["least", "most", "installed"])
def test_a_preview_with_nothing_known_yet_registers_everything(given: dict[str, Any]) -> None:
    settings = longhorn_settings(**given)
    assert {one.name for one in record(settings, preview=True)} == {
        one.name for one in record(settings)
    }


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_bound_volume_costs_one_resource(count: int) -> None:
    given = [
        {"namespace": "shop", "claim": f"c{number:03d}", "groups": ["default"]}
        for number in range(count)
    ]
    assert len(record(longhorn_settings(volumes=given))) == len(record()) + count
