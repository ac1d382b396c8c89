"""Every fault in the config ends in a sentence that names its key."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.object_store.buckets import declared_buckets
from components.settings import Settings, SettingsError, load
from tests.support.recorder import HOST_KEY, RAW

SECRET = frozenset({"sshPrivateKey", "escrowPassphrase", "storeRootUser", "storeRootPassword"})
ROOT = Path(__file__).resolve().parents[2]


def faults_of(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(raw, secret_keys=SECRET)
    return caught.value.faults


def store_with(**changes: Any) -> dict[str, Any]:
    return {**RAW, "objectStore": {**RAW["objectStore"], **changes}}


def test_the_sample_site_loads_with_the_documented_defaults() -> None:
    settings = load(RAW, secret_keys=SECRET)
    store = settings.object_store
    assert store.kind == "hosts"
    assert (store.api_port, store.console_port, store.region) == (9091, 9092, "eu-west-1")
    assert store.require_mount_point
    assert not store.console
    assert settings.drills.on_red == "fail"


@pytest.mark.parametrize(
    ("raw", "where", "cure"),
    [
        ({**RAW, "objectStroe": {}}, "backstop:objectStroe", "correct its spelling"),
        (store_with(apiPrt=1), "backstop:objectStore.apiPrt", "correct its spelling"),
        (store_with(apiPort=70000), "backstop:objectStore.apiPort", "65535"),
        (store_with(apiPort=0), "backstop:objectStore.apiPort", "1"),
        (store_with(apiPort=9092), "backstop:objectStore", "give two ports"),
        (store_with(hosts=["store9"]), "backstop:objectStore.hosts", "store9 is not under hosts"),
        (store_with(hosts=["store1", "store1"]), "backstop:objectStore.hosts", "twice"),
        (store_with(drives=["/data"]), "backstop:objectStore", "/data/minio"),
        (store_with(drives=["relative"]), "backstop:objectStore.drives.0", "pattern"),
        (
            store_with(binary={**RAW["objectStore"]["binary"], "sha256": "abc"}),
            "backstop:objectStore.binary.sha256",
            "pattern",
        ),
        (
            store_with(binary={"sha256": "a" * 64, "version": "x"}),
            "backstop:objectStore.binary",
            "either path or url",
        ),
        (
            store_with(binary={**RAW["objectStore"]["binary"], "url": "http://plain.example/x"}),
            "backstop:objectStore.binary.url",
            "https",
        ),
        (store_with(firewall={"enabled": True}), "backstop:objectStore.firewall", "allowFrom"),
        (
            store_with(firewall={"enabled": True, "allowFrom": ["10.0.0.1/24"]}),
            "backstop:objectStore.firewall.allowFrom",
            "10.0.0.1/24 is no address and no network",
        ),
        (
            {
                **store_with(firewall={"enabled": True, "allowFrom": ["10.0.0.1"]}),
                "hosts": {"store1": {**RAW["hosts"]["store1"], "address": "store1.lan"}},
            },
            "backstop:hosts.store1.address",
            "needs an IP address",
        ),
        (
            store_with(certificate={"caHome": "file"}),
            "backstop:objectStore.certificate",
            "caKeyFile",
        ),
        (
            store_with(certificate={"leafDays": 20, "renewBeforeDays": 20}),
            "backstop:objectStore.certificate",
            "less than leafDays",
        ),
        (store_with(kind="nfs"), "backstop:objectStore", "hosts"),
        ({**RAW, "sshPrivateKey": ""}, "backstop:sshPrivateKey", "--secret"),
        ({**RAW, "site": "Not A Name"}, "backstop:site", "pattern"),
        (
            {**RAW, "clients": {"velero": {"keepPreviousCredential": True}}},
            "backstop:clients.velero",
            "credentialGeneration",
        ),
        (
            {**RAW, "clients": {"velero": {"objectLock": {"days": 60}}}},
            "backstop:clients.velero",
            "noncurrentDays",
        ),
        ({**RAW, "clients": {"drill": {"enabled": False}}}, "backstop:clients", "drill"),
        ({**RAW, "clients": {"velero": {"nodes": ["a"]}}}, "backstop:clients", "host-files"),
        *(
            (
                {**RAW, "clients": {"truth": {key: value}}},
                "backstop:clients.truth:",
                f"bucket of evidence, whose settings hold for them; take {key} out",
            )
            for key, value in {
                "bucket": "own-bucket", "nodes": ["a"], "noncurrentDays": 60, "quotaGib": 1,
                "quota_gib": 1, "objectLock": {"days": 14},
            }.items()
        ),
        ({**RAW, "clients": {"truth": {"quota": 1}}}, "backstop:clients.truth.quota", "spelling"),
        ({**RAW, "clients": {"truth": "on"}}, "backstop:clients.truth", "dictionary"),
        (
            {**RAW, "clients": {"truth": {"keepPreviousCredential": True}}},
            "backstop:clients.truth",
            "credentialGeneration",
        ),
        (
            {**RAW, "clients": {"truth": {"truthDays": 6}}},
            "backstop:clients.truth.truthDays",
            "7",
        ),
        (
            {**RAW, "clients": {"truth": {"truthDays": 30},
                                "evidence": {"objectLock": {"days": 30}}}},
            "backstop:clients",
            "truth.truthDays: 30 days are not more than the 30 of evidence.objectLock.days",
        ),
        (
            {**RAW, "hosts": {"store1": {"address": "10.0.0.1"}}},
            "backstop:hosts.store1.hostKey",
            "missing",
        ),
        (
            {**RAW, "objectStore": {"kind": "existing", "endpoint": "https://s3.example:9000",
                                    "caCertificateFile": "ca.pem"}},
            "backstop:storeRootUser",
            "--secret",
        ),
        ({"site": "dev"}, "backstop:objectStore", "missing"),
        ({**RAW, "hostInventory": "/nowhere/inventory.json"}, "backstop:hostInventory", "read"),
        ({**RAW, "hostInventory": "${UNSET_FOR_TEST}/x"}, "backstop:hostInventory", "not set"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence_with_key_and_cure(
    raw: dict[str, Any], where: str, cure: str
) -> None:
    faults = faults_of(raw)
    assert len(faults) == 1, faults
    assert where in faults[0]
    assert cure in faults[0]
    assert "\n" not in faults[0]
    assert "SENTINEL" not in faults[0]


def test_several_faults_are_reported_at_once() -> None:
    assert len(faults_of({**store_with(apiPort=0, apiPrt=1), "site": "No"})) == 3


def test_a_secret_in_clear_text_is_refused_by_its_key() -> None:
    with pytest.raises(SettingsError) as caught:
        load(RAW, secret_keys=frozenset({"sshPrivateKey"}))
    assert caught.value.faults == [
        "config backstop:escrowPassphrase: stands in clear text; set it with "
        "`pulumi config set --secret escrowPassphrase`"
    ]


def test_no_text_form_of_the_settings_shows_a_secret() -> None:
    settings = load(RAW, secret_keys=SECRET)
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "SENTINEL" not in text


def test_the_inventory_adds_hosts_key_and_binary(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("PRIVATE")
    inventory = tmp_path / "inventory.json"
    inventory.write_text(
        json.dumps(
            {
                "schema": 1,
                "hosts": {"store1": {"address": "10.9.9.9", "hostKey": HOST_KEY}},
                "sshPrivateKeyFile": str(key),
                "artefacts": {"minio": {"path": "/cache/minio", "sha256": "b" * 64}},
            }
        )
    )
    raw = {
        "site": "dev",
        "hostInventory": str(inventory),
        "objectStore": {"hosts": ["store1"], "binary": {"version": "v"}},
    }
    settings = load(raw)
    assert settings.hosts["store1"].address == "10.9.9.9"
    assert settings.ssh_private_key.get_secret_value() == "PRIVATE"
    assert settings.object_store.kind == "hosts"
    assert settings.object_store.binary.sha256 == "b" * 64


def test_truths_stay_one_day_more_than_their_lock() -> None:
    clients = {"truth": {"truthDays": 31}, "evidence": {"objectLock": {"days": 30}}}
    settings = load({**RAW, "clients": clients}, secret_keys=SECRET)
    assert settings.clients.truth.truth_days == 31
    assert load(RAW, secret_keys=SECRET).clients.truth.truth_days == 400


def test_two_clients_cannot_share_a_bucket() -> None:
    settings = load(
        {**RAW, "clients": {"velero": {"bucket": "one"}, "longhorn": {"bucket": "one"}}},
        secret_keys=SECRET,
    )
    with pytest.raises(SettingsError, match="longhorn"):
        declared_buckets(settings)


def test_every_key_of_the_schema_is_a_key_of_the_loader_and_back() -> None:
    schema = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    declared = {key.removeprefix("backstop:") for key in schema if key.startswith("backstop:")}
    fields = {str(field.alias) for field in Settings.model_fields.values()}
    # The engine demands a value for every declared key without a default; these may be absent.
    absent = {str(field.alias) for field in Settings.model_fields.values() if field.default is None}
    assert absent == {"canary", "cluster", "longhorn", "snapshots", "velero"}
    assert declared | absent == fields | {"hostInventory", "sshPrivateKeyFile"}
    assert not declared & absent


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8)))
def test_any_object_store_is_refused_in_sentences(store: dict[str, Any]) -> None:
    faults = faults_of({**RAW, "objectStore": store})
    assert all(fault.startswith("config backstop:") for fault in faults)
