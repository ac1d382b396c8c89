"""What the program declares in a cluster, profile by profile, breaks no rule of the pack."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from components.kube_object import token
from components.settings import SnapshotClass
from components.settings.velero import Velero
from components.snapshots import controller
from components.snapshots.component import class_manifest
from components.velero import config_maps, credentials, location, repository_password, schedules
from components.velero.profiles import PROFILES
from components.velero.values import chart_values
from policies.plain import UNKNOWN, Resource
from tests.policies.sound_stack import changed, resource
from tests.support.policy_harness import violations

SITE = "dev"
RELEASE = "kubernetes:helm.sh/v3:Release"
SCHEDULE = "kubernetes:velero.io/v1:Schedule"
TARGET = location.Target("https://10.77.0.10:9091", "eu-west-1", "dev-velero", "velero-store-1")
CONFIGS: dict[str, dict[str, Any]] = {
    **{name: {"profile": name} for name in PROFILES},
    "mover": {
        "snapshotMoveData": True,
        "resources": "large",
        "schedules": {"d": {"cron": "@daily"}},
    },
    "tiers": {
        "defaultVolumesToFsBackup": True,
        "location": {"name": "second", "prefix": "b", "former": [{"name": "one", "prefix": "a"}]},
        "schedules": {
            "hourly": {"cron": "@every 1h", "ttl": "48h", "includedNamespaces": ["shop", "v*"]},
            "weekly": {"cron": "0 4 * * sun", "includedClusterScopedResources": ["nodes"]},
        },
    },
}


def _object(name: str, manifest: Mapping[str, Any]) -> Resource:
    return resource(token(manifest), name, manifest)


def _own(velero: Velero, api: str, kind: str, name: object, **body: Any) -> Resource:
    metadata = {"name": name, "namespace": velero.namespace}
    return _object(str(name), {"apiVersion": api, "kind": kind, "metadata": metadata, **body})


def _declared(velero: Velero, *, csi: bool) -> list[Resource]:
    """The program's data under the types and names that its component gives them."""
    password = repository_password.secret_data("sentinel-password-of-32-letters-")
    places = location.places(velero.location)
    return [
        resource(
            RELEASE,
            "velero",
            {
                "chart": "standins/charts/velero",
                "namespace": velero.namespace,
                "values": chart_values(velero, csi=csi),
            },
        ),
        _own(velero, "v1", "Secret", repository_password.SECRET, data=password),
        _own(velero, "v1", "Secret", UNKNOWN, data=credentials.encoded({"cloud": "[default]"})),
        *(
            _own(velero, "v1", "ConfigMap", name, data=data)
            for name, data in config_maps.data(velero).items()
        ),
        *(
            _own(
                velero,
                "velero.io/v1",
                location.KIND,
                place.name,
                spec=location.specification(velero.location, place, TARGET),
            )
            for place in places
        ),
        *(
            _own(velero, "velero.io/v1", schedules.KIND, name, spec=spec)
            for name, spec in schedules.specifications(velero, SITE).items()
        ),
        # Another component declares it, and a rule asks for it.
        resource(
            "command:local:Command",
            "drill-kube-objects",
            {"create": "sh ./run.sh drills run kube-objects --summary"},
        ),
        *(
            _object("class", class_manifest(SnapshotClass(type=_type(velero)), SITE))
            for _ in range(csi)
        ),
        *(
            _object(one["metadata"]["name"], one)
            for one in controller.manifests(SITE, "registry.example/snapshot-controller:v8.7.0", 2)
        ),
    ]


def _type(velero: Velero) -> Any:
    return "snap" if velero.moves_data else "bak"


@pytest.mark.parametrize("csi", [True, False])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_profile_breaks_no_rule(name: str, csi: bool) -> None:
    velero = Velero.model_validate(CONFIGS[name])
    assert [(v.rule, v.message) for v in violations(_declared(velero, csi=csi))] == []


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "none"])
def test_and_is_looked_at(name: str) -> None:
    velero = Velero.model_validate(CONFIGS[name])
    declared = _declared(velero, csi=True)
    values = {**chart_values(velero, csi=True), "cleanUpCRDs": True, "initContainers": [{}]}
    schedule = next(one for one in declared if one.type == SCHEDULE)
    spec = {**schedule.props, "spec": {"schedule": "daily"}}["spec"]
    broken = changed(declared, RELEASE, "velero", values=values)
    broken = changed(broken, SCHEDULE, schedule.name, spec=spec)
    assert {"velero-keeps-crds", "schedule-cron", "schedule-keeps-two"} <= {
        v.rule for v in violations(broken)
    }


def test_the_repositories_password_is_long_enough_to_pass() -> None:
    data = repository_password.secret_data("short")
    secret = _own(Velero(), "v1", "Secret", repository_password.SECRET, data=data)
    assert base64.b64decode(data[repository_password.KEY]) == b"short"
    stack = [*_declared(Velero(), csi=False)[:1], secret]
    assert [v.rule for v in violations(stack)] == ["velero-repository-password"]
