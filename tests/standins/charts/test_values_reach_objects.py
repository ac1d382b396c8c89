"""Every values key that the program may set changes a named field, in both charts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.rendered_chart import (
    STAND_IN,
    Objects,
    RefusedError,
    field,
    merged,
    nested,
    render,
)
from tests.support.velero_values import BASE, ROWS, Row

pytestmark = pytest.mark.tools


def with_sample(chart: Path, row: Row, sample: Any) -> Objects:
    return render(chart, merged(merged(BASE, row.given), nested(row.key, sample)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_key_changes_its_field(chart: Path, row: Row) -> None:
    if chart == STAND_IN and not row.ours:
        with pytest.raises(RefusedError, match=row.key[-1]):
            with_sample(chart, row, row.samples[0])
        return
    found = [field(with_sample(chart, row, each), row.object, row.field) for each in row.samples]
    if row.samples[0] != row.samples[1]:
        assert found[0] != found[1]
    for sample, value in zip(row.samples, found, strict=True):
        if row.shows and isinstance(sample, (str, int)) and not isinstance(sample, bool):
            assert str(sample) in json.dumps(value)


def test_a_field_that_no_key_reaches_is_noticed() -> None:
    row = Row(("labels",), ({"a": "one"}, {"a": "two"}), "Deployment/velero", ("spec", "replicas"))
    first, second = (with_sample(STAND_IN, row, sample) for sample in row.samples)
    assert field(first, row.object, row.field) == field(second, row.object, row.field)
    assert first["Deployment/velero"] != second["Deployment/velero"]


def test_both_charts_make_the_objects_that_the_program_refers_to(chart: Path) -> None:
    rendered = render(chart, BASE)
    assert {
        "Deployment/velero",
        "DaemonSet/node-agent",
        "ServiceAccount/velero-server",
        "ClusterRoleBinding/velero-server",
        "Service/velero",
        "Job/velero-upgrade-crds",
    } <= rendered.keys()
    hook = rendered["Job/velero-upgrade-crds"]
    container = hook["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["install", "--crds-only", "--apply"]
    assert hook["metadata"]["annotations"]["helm.sh/hook"].startswith("pre-install,pre-upgrade")
    # Velero finds the node agent's pods by this label.
    agent = rendered["DaemonSet/node-agent"]["spec"]
    assert agent["selector"]["matchLabels"]["name"] == "node-agent"


def test_a_large_number_is_not_written_with_an_exponent() -> None:
    rendered = render(STAND_IN, merged(BASE, {"configuration": {"clientBurst": 10_000_000}}))
    arguments = ("spec", "template", "spec", "containers", "velero", "args", "--client-burst")
    assert field(rendered, "Deployment/velero", arguments) == "10000000"
