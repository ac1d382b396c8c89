"""What the program sees of a Longhorn before it changes anything."""

from typing import Any

import pytest

from kube.errors import Cause, ClusterError
from kube.longhorn.seen import Claim, SeenLonghorn, look
from tests.kube.fakes import Server, items, ok, status

SERVED = frozenset({"longhorn.io/v1beta2", "v1"})
HOME = "longhorn-system"
MISSING = status(404, "not found", "NotFound")
DEFAULT_SETTING = """\
backup-execution-timeout: "5"
allow-recurring-job-while-volume-detached: true
snapshot-data-integrity: "{\\"v1\\":\\"enabled\\"}"
priority-class:
"""


def answered(*answers: Any) -> tuple[SeenLonghorn | None, Server]:
    server = Server(answers=[*answers])
    return look(server.client(), HOME, SERVED), server


def test_a_cluster_without_its_kinds_has_none_and_is_not_asked() -> None:
    server = Server(answers=[MISSING])
    assert look(server.client(), HOME, frozenset({"longhorn.io/v1beta1"})) is None
    assert server.asked == []


def test_everything_is_read_in_a_handful_of_requests() -> None:
    marked = {"name": "default", "labels": {"backstop-site": "dev"}}
    found, server = answered(
        items({"metadata": marked, "spec": {"backupTargetURL": "s3://b@r/x/"}}),
        items({"metadata": {"name": "nightly"}, "spec": {"task": "backup"}}),
        ok({"value": "v1.12.1"}),
        items({"metadata": {"name": "pvc-1"}, "spec": {"Standby": True}}),
        ok({"data": {"default-resource.yaml": "backup-target: s3://b@r/x/\n"}}),
        ok({"data": {"default-setting.yaml": DEFAULT_SETTING}}),
        items({"metadata": {"name": "data", "namespace": "shop", "labels": {"app": "db"}}}),
    )
    assert found is not None
    assert found.version == "v1.12.1"
    assert [one.url for one in found.targets] == ["s3://b@r/x/"]
    assert (found.target_sites, found.job_sites) == ({"default": "dev"}, {"nightly": None})
    assert [one.standby for one in found.volumes] == [True]
    assert found.chart_target == {"backup-target": "s3://b@r/x/"}
    assert found.chart_settings == {
        "backup-execution-timeout": "5",
        "allow-recurring-job-while-volume-detached": "true",
        "snapshot-data-integrity": '{"v1":"enabled"}',
        "priority-class": "",
    }
    assert found.claims == (Claim("shop", "data", {"app": "db"}),)
    assert {method for method, _, _ in server.asked} == {"GET"}
    assert [path for _, path, _ in server.asked if HOME not in path] == [
        "/api/v1/persistentvolumeclaims"
    ]


@pytest.mark.parametrize("text", ["", "[1]", "{", "x", None, 5])
def test_what_is_no_list_of_values_in_a_chart_says_nothing(text: Any) -> None:
    said = ok({"data": {"default-resource.yaml": text, "default-setting.yaml": text}})
    found, _ = answered(items(), items(), MISSING, items(), said, said, items())
    assert found == SeenLonghorn()


def test_a_longhorn_without_maps_and_version_is_seen_all_the_same() -> None:
    found, _ = answered(items(), items(), MISSING, items(), MISSING)
    assert found == SeenLonghorn()


def test_a_refusal_is_raised() -> None:
    with pytest.raises(ClusterError) as caught:
        answered(items(), items(), status(403, 'x is forbidden: User "a" cannot', "Forbidden"))
    assert caught.value.cause is Cause.FORBIDDEN
