"""Fields of Longhorn's objects, owned beside its manager: what a patch keeps, and what it gives up.

The manager writes whole objects: it asks for a poll by a field of `spec`, and spells values its own
way. The definitions are those of the lab.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from components.longhorn import objects
from components.settings.longhorn import VolumeBinding
from kube.longhorn.api import object_path
from tests.standins.kubernetes.conftest import settings_of
from tests.standins.kubernetes.harness import Plugin, Props, detailed, refusal, running_plugin
from tests.standins.test_crds import CRDS, _wait_established
from tests.support.kube_api import KubeApi

pytestmark = [pytest.mark.tools]

FOLDER = Path(__file__).resolve().parents[3] / "standins" / "crds" / "longhorn"
TARGET = "longhorn.io/v1beta2:BackupTargetPatch"
SETTING = "longhorn.io/v1beta2:SettingPatch"
CLAIM = "core/v1:PersistentVolumeClaimPatch"
URL = "s3://dev-longhorn@eu-west-1/dev/"
MANAGER = "longhorn-manager"
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def defined(api: KubeApi) -> KubeApi:
    for file in sorted(FOLDER.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        api.request("POST", CRDS, document)
        _wait_established(api, document["metadata"]["name"])
    return api


@pytest.fixture(scope="module")
def plugin(api: KubeApi) -> Iterator[Plugin]:
    """With the settings of the program's own provider."""
    with running_plugin() as running:
        running.configure(settings_of(api, enablePatchForce="true"))
        yield running


@pytest.fixture
def home(defined: KubeApi, namespace: str) -> str:
    """A namespace with the target `default` as the manager makes it."""
    body = {
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "BackupTarget",
        "metadata": {"name": "default"},
        "spec": {"backupTargetURL": "", "credentialSecret": "", "pollInterval": "5m0s"},
    }
    path = object_path(namespace, "backuptargets")
    defined.request("POST", f"{path}?fieldManager={MANAGER}", body)
    return namespace


def wanted(home: str, interval: str = "5m0s") -> Props:
    specification = objects.target_specification(URL, "default", interval)
    return objects.target_fields("dev", home, "default", specification)


def target(api: KubeApi, home: str) -> Any:
    return api.request("GET", object_path(home, "backuptargets", "default"))


def test_a_poll_of_the_manager_makes_no_difference(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    made = plugin.create(TARGET, wanted(home))
    assert target(defined, home)["spec"]["backupTargetURL"] == URL
    held = target(defined, home)
    held["spec"]["syncRequestedAt"] = "2026-11-21T12:00:00Z"
    path = object_path(home, "backuptargets", "default")
    defined.request("PUT", f"{path}?fieldManager={MANAGER}", held)
    seen = plugin.read(TARGET, made)
    assert plugin.changes(TARGET, seen, wanted(home)) == {}
    updated = plugin.update(TARGET, seen, wanted(home, "10m0s"))
    assert target(defined, home)["spec"]["syncRequestedAt"] == "2026-11-21T12:00:00Z"
    assert plugin.changes(TARGET, updated, wanted(home, "10m0s")) == {}


def test_a_value_that_the_manager_spells_another_way_is_drift_for_ever(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    # Which is why intervals are declared in Go's own form (components/velero/durations.py).
    made = plugin.create(TARGET, wanted(home, "300s"))
    path = object_path(home, "backuptargets", "default")
    defined.patch(path, {"spec": {"pollInterval": "5m0s"}}, manager=MANAGER)
    seen = plugin.read(TARGET, made)
    assert plugin.changes(TARGET, seen, wanted(home, "300s")) == {"spec.pollInterval": "UPDATE"}


def test_a_hand_that_changes_our_field_is_seen_and_put_right(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    made = plugin.create(TARGET, wanted(home))
    path = object_path(home, "backuptargets", "default")
    defined.patch(path, {"spec": {"backupTargetURL": "s3://theirs@r/"}}, manager="longhorn-ui")
    seen = plugin.read(TARGET, made)
    assert plugin.changes(TARGET, seen, wanted(home)) == {"spec.backupTargetURL": "UPDATE"}
    plugin.update(TARGET, seen, wanted(home))
    assert target(defined, home)["spec"]["backupTargetURL"] == URL


def test_two_states_of_a_site_are_one_owner(plugin: Plugin, defined: KubeApi, home: str) -> None:
    plugin.create(TARGET, wanted(home))
    plugin.create(TARGET, wanted(home))
    owners = [entry["manager"] for entry in target(defined, home)["metadata"]["managedFields"]]
    assert owners.count("backstop-dev") == 1


def test_given_up_the_url_is_gone_which_is_why_it_is_retained(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    made = plugin.create(TARGET, wanted(home))
    plugin.delete(TARGET, made)
    assert "backupTargetURL" not in target(defined, home)["spec"]


def test_a_settings_value_cannot_be_given_up(plugin: Plugin, defined: KubeApi, home: str) -> None:
    path = object_path(home, "settings")
    body = {
        "apiVersion": "longhorn.io/v1beta2",
        "kind": "Setting",
        "metadata": {"name": "backup-execution-timeout"},
        "value": "1",
    }
    defined.request("POST", f"{path}?fieldManager={MANAGER}", body)
    fields = objects.setting_fields("dev", home, "backup-execution-timeout", "5")
    made = plugin.create(SETTING, fields)
    assert defined.request("GET", f"{path}/backup-execution-timeout")["value"] == "5"
    assert plugin.changes(SETTING, made, fields) == {}
    with pytest.raises(grpc.RpcError) as refused:
        plugin.delete(SETTING, made)
    assert "retainOnDelete" in refusal(refused)


def test_labels_of_a_claim_that_is_not_there_fail_which_is_why_they_wait(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    with pytest.raises(grpc.RpcError):
        plugin.create(CLAIM, bound(home))
    held = defined.request("GET", f"/api/v1/namespaces/{home}/persistentvolumeclaims")
    assert held["items"] == []


def a_claim(defined: KubeApi, home: str) -> str:
    """Makes a claim, and gives its path."""
    path = f"/api/v1/namespaces/{home}/persistentvolumeclaims"
    claim = {
        "metadata": {"name": "data", "labels": {"app": "db"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "longhorn",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    defined.request("POST", path, claim)
    return f"{path}/data"


def bound(home: str, group: str = "default") -> Props:
    binding = VolumeBinding(namespace=home, claim="data", groups=(group,))
    fields: Props = objects.claim_fields("dev", binding)
    # Nothing here binds the claim.
    fields["metadata"]["annotations"]["pulumi.com/skipAwait"] = "true"
    return fields


def test_labels_of_a_claim_come_and_go_without_anything_else_of_it(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    path = a_claim(defined, home)
    made = plugin.create(CLAIM, bound(home))
    held = defined.request("GET", path)
    assert held["metadata"]["labels"] == {
        "app": "db",
        "recurring-job.longhorn.io/source": "enabled",
        "recurring-job-group.longhorn.io/default": "enabled",
    }
    plugin.delete(CLAIM, made)
    after = defined.request("GET", path)
    assert after["metadata"]["labels"] == {"app": "db"}
    assert after["spec"] == held["spec"]


def test_labels_of_a_claim_that_is_gone_are_left_alone_until_a_refresh_forgets_them(
    plugin: Plugin, defined: KubeApi, home: str
) -> None:
    path = a_claim(defined, home)
    made = plugin.create(CLAIM, bound(home))
    defined.request("DELETE", path)
    # Kubernetes' own controller takes the finalizer off; a hand would only race with it.
    deadline = time.monotonic() + WAIT_SECONDS
    while defined.exists(path):
        assert time.monotonic() < deadline, "the claim does not go"
        time.sleep(0.1)
    assert plugin.changes(CLAIM, made, bound(home)) == {}
    other = bound(home, "often")
    assert plugin.changes(CLAIM, made, other) != {}
    assert detailed(plugin.diff(CLAIM, made, other, ignore=("metadata",))) == {}
    with pytest.raises(grpc.RpcError):
        plugin.update(CLAIM, made, other)
    assert plugin.read(CLAIM, made).id == ""
