"""The chart's values: every key is one the chart has, reaches an object, and holds no secret."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from components.velero import values
from components.velero.values import chart_values
from tests.components.velero.sites import velero_settings
from tests.standins.charts.conftest import upstream
from tests.support.rendered_chart import STAND_IN, field, merged, render
from tests.support.velero_values import ROWS

SITES: dict[str, dict[str, Any]] = {
    "none": {},
    "demo": {"profile": "demo"},
    "crownlabs": {"profile": "crownlabs"},
    "pi-cluster": {"profile": "pi-cluster"},
    "everything": {
        "image": {"digest": "sha256:" + "a" * 64},
        "nodeAgent": "on",
        "resources": "large",
        "defaultVolumesToFsBackup": True,
        "snapshotMoveData": True,
        "clientQps": 300,
    },
}
# What says that something is off or empty, so that no object can show it.
ABSENCES = {
    ("backupsEnabled",),
    ("snapshotsEnabled",),
    ("configuration", "backupStorageLocation"),
    ("configuration", "volumeSnapshotLocation"),
}


def leaves(found: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the keys that are set; what the chart takes whole counts as one key."""
    whole = {row.key for row in ROWS} | ABSENCES
    for key, value in found.items():
        here = (*path, key)
        if isinstance(value, Mapping) and here not in whole:
            yield from leaves(value, here)
        else:
            yield here


@pytest.fixture(params=SITES)
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    site = SITES[request.param]
    return chart_values(velero_settings(**site), csi=request.param != "crownlabs")


def test_the_official_schema_takes_them(found: dict[str, Any]) -> None:
    path = upstream() / "values.schema.json"
    if not path.exists():
        pytest.skip("the official chart's schema is not here")
    defaults = yaml.safe_load((upstream() / "values.yaml").read_text())
    jsonschema.validate(merged(defaults, found), json.loads(path.read_text()))


def test_every_key_is_one_that_the_official_chart_has(found: dict[str, Any]) -> None:
    path = upstream() / "values.yaml"
    if not path.exists():
        pytest.skip("the official chart's values are not here")
    text = path.read_text()
    official = yaml.safe_load(text)
    for key in leaves(found):
        held: Any = official
        for step in key:
            known = isinstance(held, Mapping) and step in held
            # Some keys stand there only in a comment.
            assert known or f"# {step}:" in text or f"#{step}:" in text, ".".join(key)
            held = held.get(step) if isinstance(held, Mapping) else None


def test_every_key_is_known_to_change_an_object(found: dict[str, Any]) -> None:
    known = {row.key for row in ROWS}
    for key in leaves(found):
        assert key in known or key in ABSENCES, ".".join(key)


def test_nothing_of_what_spoils_a_restore_is_ever_set(found: dict[str, Any]) -> None:
    assert found["cleanUpCRDs"] is False
    assert found["backupsEnabled"] is False
    assert found["snapshotsEnabled"] is False
    assert [one["name"] for one in found["initContainers"]] == [values.PLUGIN_CONTAINER]
    assert found["resources"]["limits"]["memory"]
    assert "schedules" not in found


def test_csi_is_a_feature_and_not_a_plugin() -> None:
    with_csi = chart_values(velero_settings(), csi=True)
    assert with_csi["configuration"]["features"] == "EnableCSI"
    assert "features" not in chart_values(velero_settings(), csi=False)["configuration"]


def test_a_rate_of_requests_is_one_of_bursts_too() -> None:
    found = chart_values(velero_settings(clientQps=300), csi=False)["configuration"]
    assert (found["clientQPS"], found["clientBurst"]) == (300, 300)
    assert "clientQPS" not in chart_values(velero_settings(), csi=False)["configuration"]


def test_changed_start_settings_restart_the_pods_and_a_changed_policy_does_not() -> None:
    def mark(**given: Any) -> str:
        found = chart_values(velero_settings(nodeAgent="on", **given), csi=False)
        return str(found["podAnnotations"][values.START_ANNOTATION])

    assert mark() != mark(resources="large")
    assert mark() != mark(dataMoverClasses={"longhorn": "one"})
    assert mark() == mark(volumePolicy=[{"action": "skip", "storageClass": ["scratch"]}])


def test_a_kubelet_elsewhere_is_told_to_the_node_agent() -> None:
    found = chart_values(velero_settings(nodeAgent="on", kubeletRoot="/var/lib/k0s"), csi=False)
    assert found["nodeAgent"]["podVolumePath"] == "/var/lib/k0s/pods"


@pytest.mark.tools
@pytest.mark.parametrize("site", SITES)
def test_our_chart_renders_them(site: str) -> None:
    settings = velero_settings(**SITES[site])
    rendered = render(STAND_IN, chart_values(settings, csi=True))
    server = ("spec", "template", "spec", "containers", "velero")
    flags = (*server, "args")
    assert field(rendered, "Deployment/velero", (*flags, "--features")) == "EnableCSI"
    assert (
        field(rendered, "Deployment/velero", (*flags, "--default-backup-storage-location"))
        == settings.location.name
    )
    assert field(rendered, "Deployment/velero", (*server, "image")) == settings.image.reference
    assert not [name for name in rendered if name.startswith("BackupStorageLocation/")]
    assert not [name for name in rendered if name.startswith("Secret/")]
    assert ("DaemonSet/node-agent" in rendered) is settings.wants_node_agent
