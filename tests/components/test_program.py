"""The whole program, recorded: order, protection, secrets, determinism, growth."""

import json
from typing import Any

import pytest

from components.drills.drill import verdict_summary
from components.host_facts import HostFacts, Seal
from tests.support.recorder import RAW, Registered, record, settings_with

COMMANDS = ("command:local:Command", "command:remote:Command")


@pytest.fixture(scope="module")
def site() -> list[Registered]:
    return record(settings_with())


def of_type(site: list[Registered], *types: str) -> list[Registered]:
    found = [one for one in site if one.type in types]
    assert found, f"nothing of type {types} was registered"
    return found


def named(site: list[Registered], name: str) -> Registered:
    return next(one for one in site if one.name == name)


def test_every_bucket_setting_is_protected_and_retained(site: list[Registered]) -> None:
    for one in site:
        if one.type.split("/")[0] == "minio:index" and "Iam" not in one.type:
            assert one.request.protect, one.name
            assert one.request.retainOnDelete, one.name


def test_every_command_is_quiet_and_gives_secrets_by_stdin_only(site: list[Registered]) -> None:
    for one in of_type(site, *COMMANDS):
        assert one.inputs["logging"] == "none", one.name
        assert one.inputs["addPreviousOutputInEnv"] is False, one.name
        assert "stdin" not in one.inputs or "stdin" in one.secret_inputs, one.name


def test_every_born_credential_is_a_secret_output(site: list[Registered]) -> None:
    born = [one for one in of_type(site, *COMMANDS) if one.name.endswith("-credential")]
    assert len(born) == 8  # root and seven clients
    for one in born:
        assert {"stdout", "stderr"} <= set(one.request.additionalSecretOutputs)


def test_every_connection_pins_the_host_key(site: list[Registered]) -> None:
    for one in of_type(site, "command:remote:Command"):
        assert one.inputs["connection"]["hostKey"].startswith("ssh-ed25519 ")
        assert "connection" in one.secret_inputs


def test_a_secret_stands_only_where_it_is_marked(site: list[Registered]) -> None:
    for one in site:
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert "SENTINEL" not in json.dumps(clear, default=str), one.name
        assert "SENTINEL" not in one.request.parent + one.name


def test_everything_on_the_store_uses_the_explicit_provider(site: list[Registered]) -> None:
    for one in site:
        if one.type.startswith("minio:index"):
            assert "pulumi:providers:minio::store" in one.request.provider, one.name


def test_the_provider_verifies_tls_with_the_sites_ca(site: list[Registered]) -> None:
    provider = named(site, "store")
    assert provider.inputs["minioSsl"] == "true"
    assert provider.inputs["minioInsecure"] == "false"
    assert provider.inputs["minioCacertFile"].startswith(".backstop/trust/")


def test_no_input_names_a_path_of_this_machine(site: list[Registered]) -> None:
    import pathlib  # noqa: PLC0415

    here = str(pathlib.Path(__file__).resolve().parents[2])
    for one in site:
        assert here not in json.dumps(one.inputs, default=str), one.name


def test_the_drill_waits_for_every_right_and_every_setting(site: list[Registered]) -> None:
    waited = " ".join(named(site, "drill-store").request.dependencies)
    for role in ("velero", "longhorn", "host-files", "cluster-state", "evidence"):
        assert f"{role}-settings" in waited
    for client in ("velero", "longhorn", "host-files-cp1", "cluster-state", "drill", "evidence",
                   "truth"):  # fmt: skip
        assert f"{client}-1-attachment" in waited


@pytest.mark.parametrize("enabled", [True, False])
def test_truths_alone_expire_and_the_store_is_held_to_it(enabled: bool) -> None:
    clients = {"truth": {"enabled": enabled, "truthDays": 90}}
    found = record(settings_with(clients=clients))
    rules = {
        one.name: one.inputs["rules"] for one in of_type(found, "minio:index/ilmPolicy:IlmPolicy")
    }
    noncurrent = {"id": "noncurrent", "noncurrentVersionExpirationDays": 30}
    truths = {"id": "truths", "filter": "canary/", "expiration": "90d"}
    assert rules.pop("evidence-lifecycle") == [noncurrent, truths]
    assert all(others == [noncurrent] for others in rules.values())
    told = json.loads(named(found, "drill-store").inputs["stdin"])["buckets"]
    assert {each["name"]: each["expires"] for each in told if each["expires"]} == {
        "dev-evidence": [{"prefix": "canary/", "days": 90}]
    }
    request = json.loads(named(found, "evidence-settings").inputs["stdin"])
    assert request["bucket"]["expires"] == [{"prefix": "canary/", "days": 90}]


def test_the_drill_is_told_of_the_canarys_writer(site: list[Registered]) -> None:
    clients = json.loads(named(site, "drill-store").inputs["stdin"])["clients"]
    (truth,) = [client for client in clients if client["role"] == "truth"]
    assert (truth["name"], truth["bucket"], truth["prefix"]) == (
        "truth", "dev-evidence", "canary/",
    )  # fmt: skip


def test_the_server_waits_for_certificate_binary_and_firewall(site: list[Registered]) -> None:
    waited = " ".join(named(site, "minio-server-store1").request.dependencies)
    for step in ("minio-certificate", "minio-binary", "minio-firewall"):
        assert f"{step}-store1" in waited


PAIR: dict[str, Any] = {
    "hosts": {
        "store1": RAW["hosts"]["store1"],
        "store2": {**RAW["hosts"]["store1"], "address": "10.0.0.6"},
    },
    "objectStore": {
        **RAW["objectStore"], "hosts": ["store1", "store2"], "drives": ["/a/minio", "/b/minio"],
        "certificate": {"names": ["s3.example"]},
    },
}  # fmt: skip


def test_servers_of_several_hosts_wait_for_all_that_any_of_them_needs() -> None:
    # Their gates wait for each other: one that began earlier would run out of time.
    pair = record(settings_with(**PAIR), {"store1": HostFacts(), "store2": HostFacts()})
    for host in ("store1", "store2"):
        waited = " ".join(named(pair, f"minio-server-{host}").request.dependencies)
        assert "minio-server" not in waited
        for step in ("minio-certificate", "minio-binary", "minio-firewall"):
            assert f"{step}-store1" in waited
            assert f"{step}-store2" in waited


def test_each_of_several_servers_is_proven_under_its_own_names() -> None:
    pair = record(settings_with(**PAIR), {"store1": HostFacts(), "store2": HostFacts()})
    request = json.loads(named(pair, "drill-store").inputs["stdin"])
    first = RAW["hosts"]["store1"]["address"]
    assert request["endpoint"] == f"https://{first}:9091"
    assert request["tlsNames"] == ["store1", first, "s3.example"]
    assert request["nodes"] == [
        {"endpoint": "https://10.0.0.6:9091", "tlsNames": ["store2", "10.0.0.6", "s3.example"]}
    ]


def inputs_of(found: list[Registered]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one.type, one.name): one.inputs for one in found}


SEALED = HostFacts(
    seals={
        step: Seal("calm")
        for step in (
            "minio-account", "minio-binary", "minio-firewall", "minio-server",
            "minio-authority", "minio-request", "minio-certificate",
        )
    }
)  # fmt: skip


def test_an_undisturbed_site_registers_the_same_inputs_in_every_run() -> None:
    first = record(settings_with(), {"store1": SEALED}, nonce="a")
    second = record(settings_with(), {"store1": SEALED}, nonce="b")
    assert inputs_of(first) == inputs_of(second)


def test_a_drifted_step_and_the_proof_run_again_and_nothing_else() -> None:
    calm = inputs_of(record(settings_with(), {"store1": SEALED}, nonce="a"))
    drift = HostFacts(seals={**SEALED.seals, "minio-server": Seal("calm", ("minio.conf changed",))})
    found = inputs_of(record(settings_with(), {"store1": drift}, nonce="b"))
    changed = {name for (kind, name), inputs in found.items() if inputs != calm[kind, name]}
    assert changed == {"minio-server-store1", "drill-store"}


def test_rotation_keeps_the_former_user_until_it_is_let_go() -> None:
    def users(**client: Any) -> set[str]:
        found = record(settings_with(clients={"velero": client}))
        return {
            one.name for one in of_type(found, "minio:index/iamUser:IamUser")
            if one.name.startswith("velero")
        }  # fmt: skip

    assert users() == {"velero-1-user"}
    assert users(credentialGeneration=2, keepPreviousCredential=True) == {
        "velero-1-user",
        "velero-2-user",
    }
    assert users(credentialGeneration=2) == {"velero-2-user"}


def test_object_lock_is_decided_at_creation_and_read_back() -> None:
    found = record(settings_with(clients={"evidence": {"objectLock": {"days": 14}}}))
    assert named(found, "evidence-bucket").inputs["objectLocking"] is True
    request = json.loads(named(found, "evidence-settings").inputs["stdin"])
    assert request["bucket"]["objectLock"] == {"mode": "GOVERNANCE", "days": 14}


def test_the_ca_may_live_in_a_file_and_then_no_host_gets_its_key(tmp_path: Any) -> None:
    (tmp_path / "ca.key").write_text("SENTINEL-ca-key")
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    certificate = {
        "caHome": "file",
        "caKeyFile": str(tmp_path / "ca.key"),
        "caCertificateFile": str(tmp_path / "ca.crt"),
    }
    found = record(settings_with(objectStore={**RAW["objectStore"], "certificate": certificate}))
    assert not [one for one in found if one.name == "minio-authority"]
    for one in of_type(found, "command:remote:Command"):
        assert "SENTINEL-ca-key" not in json.dumps(one.inputs, default=str)
    assert named(found, "minio-issuer-store1").type == "command:local:Command"


def test_an_existing_store_gets_no_host_resources(tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    found = record(
        settings_with(
            hosts={},
            storeRootUser="SENTINEL-user",
            storeRootPassword="SENTINEL-password",
            objectStore={
                "kind": "existing",
                "endpoint": "https://s3.example:9000",
                "caCertificateFile": str(tmp_path / "ca.pem"),
            },
        )
    )
    assert not [one for one in found if one.type.startswith("command:remote")]
    assert named(found, "store").inputs["minioServer"] == "s3.example:9000"


def test_a_preview_with_nothing_known_yet_registers_everything() -> None:
    assert len(record(settings_with(), preview=True)) == len(record(settings_with()))


@pytest.mark.parametrize("nodes", [1, 10, 100])
def test_a_node_costs_four_resources(nodes: int) -> None:
    clients = {"host-files": {"nodes": [f"n{n}" for n in range(nodes)]}}
    base = len(record(settings_with(clients={})))
    assert len(record(settings_with(clients=clients))) == base + 4 * nodes


def test_a_stack_output_shows_the_verdict_in_a_few_lines() -> None:
    receipt = {
        "schema": 1,
        "layer": "store",
        "verdict": "broken",
        "reason": "region-mismatch",
        "phases": [{"name": "find", "seconds": 0.31}, {"name": "deny", "seconds": 1.02}],
        "checks": {"total": 300, "failed": []},
        "restorePoint": {"name": "daily-1", "age": 60.0},
        "rpoSeconds": 60.0,
        "rto": {"objects": 2.0},
        "control": {"name": "stale-point", "planted": "…", "killed": True},
        "file": "r.json",
    }
    assert verdict_summary(json.dumps(receipt)) == {
        "layer": "store",
        "verdict": "broken",
        "reason": "region-mismatch",
        "file": "r.json",
        "restorePoint": {"name": "daily-1", "age": 60.0},
        "rpoSeconds": 60.0,
        "rto": {"objects": 2.0},
        "control": {"name": "stale-point", "killed": True},
        "seconds": 1.3,
    }
