"""The registrations of Velero: order, protection, secrets, rotation, triggers."""

import json
from typing import Any

import pytest

from components.object_store.access import ClientAccess
from components.velero import credentials
from drills.backup.order import BackupOrder
from tests.components.velero.sites import (
    KUBECONFIG,
    PAIR,
    PASSWORD,
    SITE,
    UID,
    depends,
    named,
    record,
    velero_settings,
)
from tests.support.recorder import MADE_UP, Registered

COMMAND = "command:local:Command"
DAILY = {"cron": "0 2 * * *"}


@pytest.fixture(scope="module")
def site() -> list[Registered]:
    return record()


def decoded(one: Registered) -> dict[str, str]:
    import base64  # noqa: PLC0415

    return {key: base64.b64decode(value).decode() for key, value in one.inputs["data"].items()}


def test_what_must_outlive_the_stack_is_protected_and_kept(site: list[Registered]) -> None:
    for name, kind in (("velero-namespace", ""), ("velero-repo-credentials", "")):
        request = named(site, name, kind).request
        assert request.protect, name
        assert request.retainOnDelete, name
    assert named(site, "velero-repository-password").request.protect
    others = {"velero-namespace", "velero-repo-credentials", "velero-repository-password"}
    assert not [one.name for one in site if one.request.protect and one.name not in others]


def test_the_password_is_there_before_the_server_and_comes_from_escrow(
    site: list[Registered],
) -> None:
    assert "velero-repo-credentials" in depends(named(site, "velero", "Release"))
    secret = named(site, "velero-repo-credentials")
    assert decoded(secret) == {"repository-password": PASSWORD}
    assert "velero-repository-password" in depends(secret)
    born = named(site, "velero-repository-password")
    assert {"stdout", "stderr"} <= set(born.request.additionalSecretOutputs)
    assert not born.inputs.get("triggers")
    request = json.loads(born.inputs["stdin"])
    assert request["bucket"] == "dev-evidence"
    assert request["guarded"] == {"bucket": "dev-velero", "prefix": "kopia/"}


def test_locations_come_after_the_definitions_and_schedules_after_the_gate(
    site: list[Registered],
) -> None:
    location = depends(named(site, "velero-location-default"))
    assert {"velero", "velero-store-1", "velero-store-ca"} <= location
    assert "velero-location-default" in depends(named(site, "velero-available"))
    schedule = depends(named(site, "velero-schedule-demo"))
    assert {"velero-available", "velero-leave-default"} <= schedule
    assert depends(named(site, "velero-enabled")) == {"velero-schedule-demo"}
    assert depends(named(site, "velero-first-backup")) == {"velero-enabled"}


def test_restores_leave_before_location_and_release(site: list[Registered]) -> None:
    # What depends on something is destroyed before it.
    leaving = named(site, "velero-leave-default")
    assert leaving.inputs["delete"] == "sh ./run.sh kube.velero leave"
    assert "velero-location-default" in depends(leaving)
    assert "velero" in depends(named(site, "velero-location-default"))
    assert json.loads(leaving.inputs["stdin"])["restores"] is True


def test_what_is_run_on_deletion_is_never_run_by_a_replacement(site: list[Registered]) -> None:
    for one in site:
        if one.type == COMMAND and one.inputs.get("delete"):
            assert not one.inputs.get("triggers"), one.name


def test_a_secret_stands_only_where_it_is_marked(site: list[Registered]) -> None:
    for one in site:
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert "SENTINEL" not in json.dumps(clear, default=str), one.name
        for value in PAIR.values():
            assert value not in json.dumps(clear, default=str), one.name


def test_every_command_takes_the_kubeconfig_by_stdin(site: list[Registered]) -> None:
    asking = [one for one in site if "kube.velero" in json.dumps(one.inputs)]
    assert len(asking) == 3
    for one in asking:
        request = json.loads(one.inputs["stdin"])
        assert request["kubeconfig"] == KUBECONFIG.text
        assert request["namespace"] == "velero"
        assert "SENTINEL" not in json.dumps([one.inputs["create"], one.inputs.get("triggers")])


def test_the_chart_comes_from_a_repository_or_from_a_path() -> None:
    release = named(record(), "velero", "Release").inputs
    assert release["chart"] == "velero"
    assert release["version"] == "12.1.0"
    assert release["repositoryOpts"] == {"repo": "https://vmware-tanzu.github.io/helm-charts"}
    local = velero_settings(chart={"path": "standins/charts/velero"})
    release = named(record(local), "velero", "Release").inputs
    assert release["chart"] == "standins/charts/velero"
    assert "repositoryOpts" not in release
    assert "version" not in release
    oci = velero_settings(chart={"repository": "oci://registry.example/charts"})
    release = named(record(oci), "velero", "Release").inputs
    assert release["chart"] == "oci://registry.example/charts/velero"


def test_the_values_hold_no_secret(site: list[Registered]) -> None:
    assert "values" not in named(site, "velero", "Release").secret_inputs


def client(generation: int) -> ClientAccess:
    return ClientAccess("velero", "velero", "dev-velero", "", generation, keep_previous=False)


def test_a_rotation_is_a_new_secret_that_the_location_is_pointed_at() -> None:
    second = record(client=client(2))
    names = {one.name for one in second}
    assert "velero-store-2" in names
    assert "velero-store-1" not in names
    secret = named(second, "velero-store-2")
    assert "name" not in secret.inputs["metadata"]
    assert secret.inputs["metadata"]["labels"][credentials.GENERATION_LABEL] == "2"
    assert decoded(secret)["cloud"].splitlines() == [
        "[default]",
        "aws_access_key_id=SENTINEL-access",
        "aws_secret_access_key=SENTINEL-secret",
    ]
    spec = named(second, "velero-location-default").inputs["spec"]
    assert spec["credential"] == {"name": MADE_UP, "key": "cloud"}


def triggers(found: list[Registered], name: str) -> Any:
    return named(found, name).inputs["triggers"]


def test_a_new_ca_server_or_location_is_proven_again_and_nothing_else_is() -> None:
    calm = triggers(record(), "velero-available")
    assert triggers(record(), "velero-available") == calm
    pem = "-----BEGIN CERTIFICATE-----\nBB==\n-----END CERTIFICATE-----\n"
    assert triggers(record(ca_pem=pem), "velero-available") != calm
    large = velero_settings(profile="demo", resources="large")
    assert triggers(record(large), "velero-available") != calm
    longer = velero_settings(profile="demo", schedules={"demo": {"ttl": "800h"}})
    assert triggers(record(longer), "velero-available") == calm
    assert triggers(record(longer), "velero-enabled") != triggers(record(), "velero-enabled")


def test_the_first_backup_belongs_to_the_template_and_not_to_the_hour() -> None:
    def asked(**schedule: Any) -> Any:
        return triggers(
            record(velero_settings(schedules={"daily": {**DAILY, **schedule}})),
            "velero-first-backup",
        )

    assert asked() == asked(cron="0 5 * * *")
    assert asked() != asked(includedNamespaces=["app"])
    without = record(velero_settings(schedules={"daily": DAILY}, firstBackup="off"))
    assert "velero-first-backup" not in {one.name for one in without}


def test_the_order_for_the_first_backup_is_one_that_is_understood() -> None:
    settings = velero_settings(schedules={"daily": DAILY}, firstBackupSeconds=120)
    first = named(record(settings), "velero-first-backup")
    assert first.inputs["create"] == "sh ./run.sh drills first-backup"
    assert "stdin" in first.secret_inputs
    order = BackupOrder.model_validate_json(first.inputs["stdin"])
    assert (order.schedule, order.namespace, order.seconds) == ("daily", "velero", 120)
    assert (order.site, order.cluster.uid) == (SITE, UID)
    assert order.cluster.kubeconfig.get_secret_value() == KUBECONFIG.text
    assert [client.name for client in order.clients] == ["drill", "evidence"]
    assert order.evidence is not None
    assert (order.evidence.bucket, order.evidence.prefix) == ("dev-evidence", "receipts/")
    clear = [first.inputs["create"], first.inputs["triggers"]]
    assert "SENTINEL" not in json.dumps(clear)


def test_the_first_backup_belongs_to_the_claims_of_the_canary() -> None:
    def first(*claims: str) -> Registered:
        canary = {"namespace": "canary", "volumes": [{"name": one, "claim": one} for one in claims]}
        settings = velero_settings(schedules={"daily": DAILY})
        return named(record(settings, canary=canary if claims else None), "velero-first-backup")

    assert first("a").inputs["triggers"] == first("a").inputs["triggers"]
    assert first("a").inputs["triggers"] != first("b").inputs["triggers"]
    assert first("a").inputs["triggers"] != first().inputs["triggers"]
    order = BackupOrder.model_validate_json(first("a", "b").inputs["stdin"])
    assert order.canary is not None
    assert (order.canary.namespace, order.canary.claims) == ("canary", ("a", "b"))
    assert BackupOrder.model_validate_json(first().inputs["stdin"]).canary is None


def test_velero_without_schedules_is_gated_all_the_same() -> None:
    names = {one.name for one in record(velero_settings())}
    assert "velero-available" in names
    assert not {"velero-enabled", "velero-first-backup"} & names


def test_a_former_location_stays_until_it_is_taken_out() -> None:
    moved = record(
        velero_settings(
            location={
                "name": "new",
                "prefix": "b",
                "former": [{"name": "default", "prefix": "a"}],
            }
        )
    )
    assert named(moved, "velero-location-default").inputs["spec"]["default"] is False
    assert named(moved, "velero-location-new").inputs["spec"]["default"] is True
    assert json.loads(named(moved, "velero-leave-default").inputs["stdin"])["restores"] is False
    asked = json.loads(named(moved, "velero-available").inputs["stdin"])
    assert asked["locations"] == ["new", "default"]


def test_the_server_is_asked_for_the_plugins_it_needs() -> None:
    def plugins(*, csi: bool) -> Any:
        return json.loads(named(record(csi=csi), "velero-available").inputs["stdin"])["plugins"]

    assert plugins(csi=False) == ["velero.io/aws"]
    assert plugins(csi=True) == ["velero.io/aws", "velero.io/csi-pvc-backupper"]


def test_the_namespace_allows_what_the_node_agent_needs_and_is_not_backed_up() -> None:
    found = named(record(velero_settings(profile="pi-cluster")), "velero-namespace").inputs
    assert found["metadata"]["name"] == "velero-system"
    labels = found["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    assert labels["velero.io/exclude-from-backup"] == "true"
    assert labels["backstop-site"] == "dev"


def test_what_the_site_left_in_the_cluster_is_taken_over() -> None:
    ours = frozenset({("Namespace", "", "velero"), ("Secret", "velero", "velero-repo-credentials")})
    found = record(ours=ours)
    assert named(found, "velero-namespace").request.importId == "velero"
    secret = named(found, "velero-repo-credentials")
    assert secret.request.importId == "velero/velero-repo-credentials"
    # A credential is new with every state, and so is its Secret.
    assert not named(found, "velero-store-1").request.importId


def test_every_secret_says_its_type_or_a_new_state_could_not_take_it_over(
    site: list[Registered],
) -> None:
    secrets = [one for one in site if one.type == "kubernetes:core/v1:Secret"]
    assert len(secrets) == 3
    assert {one.inputs["type"] for one in secrets} == {"Opaque"}


def test_what_velero_writes_into_a_schedule_is_no_drift(site: list[Registered]) -> None:
    request = named(site, "velero-schedule-demo").request
    assert list(request.ignoreChanges) == ["spec.skipImmediately"]


def test_a_preview_with_nothing_known_yet_registers_everything(site: list[Registered]) -> None:
    assert {one.name for one in record(preview=True)} == {one.name for one in site}


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_schedule_costs_one_resource(count: int) -> None:
    given = {f"s{number:03d}": {"cron": f"0 {number % 24} * * *"} for number in range(count)}
    found = record(velero_settings(schedules=given))
    assert len(found) == len(record(velero_settings())) + 2 + count
