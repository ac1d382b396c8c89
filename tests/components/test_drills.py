"""The drills of the site as resources: payloads, order, triggers, secrets, outputs."""

import datetime
import json
from typing import Any

import pytest

from components.cluster import SeenCluster
from components.drills.drill import period_name
from components.drills.velero_backups import backup_name
from components.recorded import Recorded
from drills.backup.order import BackupOrder
from drills.kube_objects.payload import KubeObjectsPayload
from drills.volumes.payload import VolumesPayload
from kube.facts import ClusterFacts
from kube.kubeconfig import parse as parse_kubeconfig
from tests.support import recorder
from tests.support.recorder import Registered, named, record, settings_with

UID = "3f0c8f0e-0000-4000-8000-000000000001"
KUBECONFIG = parse_kubeconfig(
    json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin",
            "contexts": [{"name": "admin", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": "https://10.77.0.11:6443",
                        "certificate-authority-data": "U0VOVElORUw=",
                    },
                }
            ],
            "users": [{"name": "u", "user": {"token": "SENTINEL-token"}}],
        }
    )
)
COMMON = {
    "cluster": {},
    "kubeconfig": KUBECONFIG.text,
    "velero": {"schedules": {"daily": {"cron": "0 2 * * *"}}, "location": {"prefix": "dev"}},
}
DAY = datetime.date(2026, 11, 21)
WITH_CANARY = {
    "velero": {**COMMON["velero"], "nodeAgent": "on"},
    "canary": {"volumes": [{"name": "files", "method": "file-system", "storageClass": "longhorn"}]},
}


def site(
    drills: dict[str, Any] | None = None, *, today: datetime.date = DAY, **changes: Any
) -> list[Registered]:
    seen = SeenCluster(KUBECONFIG, ClusterFacts(UID, KUBECONFIG.server, "v1.34.3"), Recorded())
    settings = settings_with(**{**COMMON, "drills": drills or {}, **changes})
    return record(settings, cluster=seen, today=today)


def drills_of(found: list[Registered]) -> dict[str, Registered]:
    return {
        one.name: one
        for one in found
        if one.type == "command:local:Command" and " drills run " in one.inputs["create"]
    }


def payload_of(found: list[Registered], layer: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(named(found, f"drill-{layer}").inputs["stdin"])
    return payload


def triggers_of(found: list[Registered], layer: str) -> list[str]:
    triggers: list[str] = named(found, f"drill-{layer}").inputs["triggers"]
    return triggers


def dependencies(one: Registered) -> set[str]:
    return {str(urn).rpartition("::")[2] for urn in one.request.dependencies}


@pytest.fixture(scope="module")
def both() -> list[Registered]:
    return site({"volumes": {}, "kubeObjects": {"kinds": ["widgets.example.org"]}})


def test_a_site_is_drilled_in_the_layers_it_has() -> None:
    assert set(drills_of(record(settings_with()))) == {"drill-store"}
    assert set(drills_of(site())) == {"drill-store", "drill-kube-objects"}
    assert set(drills_of(site({"volumes": {}}))) == {
        "drill-store", "drill-kube-objects", "drill-volumes",
    }  # fmt: skip
    assert set(drills_of(site({"kubeObjects": {"enabled": False}}))) == {"drill-store"}


def test_objects_are_drilled_after_the_first_backup_and_volumes_after_them(
    both: list[Registered],
) -> None:
    objects, volumes = (drills_of(both)[f"drill-{name}"] for name in ("kube-objects", "volumes"))
    assert {"velero-first-backup", "velero-enabled"} <= dependencies(objects)
    assert {"velero-first-backup", "drill-kube-objects"} <= dependencies(volumes)
    assert "drill-volumes" not in dependencies(objects)


def test_the_payload_of_objects_is_one_that_the_drill_reads(both: list[Registered]) -> None:
    given = payload_of(both, "kube-objects")
    payload = KubeObjectsPayload.model_validate(given)
    payload.check()
    assert payload.cluster.uid == UID
    assert payload.velero.model_dump() == {
        "namespace": "velero", "location": "default", "bucket": "dev-velero", "prefix": "dev",
    }  # fmt: skip
    assert [client.name for client in payload.clients] == ["drill", "evidence"]
    assert payload.evidence is not None
    assert payload.evidence.prefix == "receipts/"
    assert (payload.schedules, payload.custom) == (("daily",), ("widgets.example.org",))
    assert (payload.restore_point, payload.control, payload.on_red) == ("latest", "rotate", "fail")
    assert given["limits"] == {
        "rtoSeconds": 600, "rpoSeconds": 25 * 3600, "restoreSeconds": 900, "drillSeconds": 3600,
        "backupSeconds": 3600,
    }  # fmt: skip


def test_a_backup_by_hand_is_told_which_volumes_are_read_around_it() -> None:
    digests = [{"namespace": "shop", "claim": "data-*"}]
    image = {"repository": "registry.lan/python", "pullPolicy": "Never"}
    drills = {"readerImage": image, "volumes": {"digests": digests, "readSeconds": 60}}
    payload = KubeObjectsPayload.model_validate(payload_of(site(drills), "kube-objects"))
    assert payload.digests is not None
    assert [one.model_dump() for one in payload.digests.claims] == digests
    assert (payload.digests.read_seconds, payload.digests.reader.pull_policy) == (60, "Never")
    assert payload.digests.reader.image.startswith("registry.lan/python:")
    for other in (site(), site({"volumes": {"digests": digests, "enabled": False}})):
        assert payload_of(other, "kube-objects")["digests"] is None


def test_the_first_backup_is_made_again_for_the_digests_of_more_volumes() -> None:
    def asked(*claims: str) -> Registered:
        digests = [{"namespace": "shop", "claim": one} for one in claims]
        return named(site({"volumes": {"digests": digests}}), "velero-first-backup")

    none, one, two = asked(), asked("data-0"), asked("data-0", "data-*")
    given = [each.inputs["triggers"] for each in (none, one, two)]
    assert given[0] != given[1] != given[2]
    assert none.inputs["triggers"] == named(site(), "velero-first-backup").inputs["triggers"]
    order = BackupOrder.model_validate_json(two.inputs["stdin"]).digests
    assert order is not None
    assert [(each.namespace, each.claim) for each in order.claims] == [
        ("shop", "data-0"), ("shop", "data-*"),
    ]  # fmt: skip
    assert BackupOrder.model_validate_json(none.inputs["stdin"]).digests is None


def test_the_payload_of_volumes_adds_what_reads_them_and_what_is_held_against_them() -> None:
    exceptions = [{"namespace": "cache-*", "why": "it is made anew"}]
    checks = [{"name": "rows", "kind": "sql", "namespace": "shop", "minRows": 3}]
    found = site(
        {
            "readerImage": {"tag": "3.13.1"},
            "volumes": {
                "classes": {"fast": "slow"}, "exceptions": exceptions, "checks": checks,
                "onRed": "warn", "restorePoint": {"age": "48h"},
            },
        }
    )  # fmt: skip
    given = payload_of(found, "volumes")
    shared = payload_of(found, "kube-objects")
    assert "custom" not in given
    for key in ("site", "endpoint", "caPem", "clients", "cluster", "velero", "evidence"):
        assert given[key] == shared[key], key
    assert given["limits"] == {
        "rtoSeconds": 1800, "rpoSeconds": 25 * 3600, "restoreSeconds": 1800, "readSeconds": 900,
        "drillSeconds": 7200,
    }  # fmt: skip
    assert {key: given[key] for key in given if key not in shared} == {
        "reader": {
            "image": "docker.io/library/python:3.13.1", "pullPolicy": "IfNotPresent",
            "pullSecrets": [],
        },
        "classes": {"fast": "slow"},
        "canary": None,
        "exceptions": [{"namespace": "cache-*", "claim": "", "why": "it is made anew"}],
        "checks": checks,
        "checksNeedClosedNetwork": True,
        "dnsNetworks": [],
    }  # fmt: skip
    assert (given["onRed"], shared["onRed"]) == ("warn", "fail")
    assert given["restorePoint"] == {"age": "48h"}


def test_the_payload_of_volumes_is_one_that_the_drill_reads() -> None:
    http = {"name": "front page", "kind": "http", "namespace": "shop", "service": "web", "port": 80}
    exceptions = [{"namespace": "cache-*", "why": "it is made anew"}]
    settings = {"classes": {"fast": "slow"}, "exceptions": exceptions, "checks": [http]}
    found = site({"volumes": settings}, **WITH_CANARY)
    payload = VolumesPayload.model_validate(payload_of(found, "volumes"))
    payload.check()
    assert payload.canary is not None
    assert payload.reader.image.startswith("docker.io/library/python:")
    assert [check.name for check in payload.checks] == ["front page"]
    assert [one.allowed().shown for one in payload.exceptions] == ["cache-*"]
    assert payload.admin is None


def test_a_canary_switches_the_drill_of_volumes_on_and_is_its_truth() -> None:
    found = site(**WITH_CANARY)
    (volume,) = payload_of(found, "volumes")["canary"]["volumes"]
    assert volume["name"] == "files"
    assert payload_of(found, "volumes")["canary"]["bucket"] == "dev-evidence"
    off = site({"volumes": {"enabled": False}}, **WITH_CANARY)
    assert set(drills_of(off)) == {"drill-store", "drill-kube-objects"}


def test_a_changed_canary_is_proven_anew() -> None:
    before = site(**WITH_CANARY)
    canary = {**WITH_CANARY["canary"], "keep": 4}
    after = site(**{**WITH_CANARY, "canary": canary})
    for layer in ("kube-objects", "volumes"):
        assert triggers_of(before, layer) != triggers_of(after, layer)


def test_a_run_inside_one_period_changes_no_input_of_a_drill() -> None:
    weekly = {"period": "weekly", "volumes": {}}
    first, later = site(weekly), site(weekly, today=DAY + datetime.timedelta(days=1))
    for name, one in drills_of(first).items():
        assert one.inputs == drills_of(later)[name].inputs, name
    next_week = drills_of(site(weekly, today=DAY + datetime.timedelta(days=3)))
    for name, one in drills_of(first).items():
        changed = {key for key in one.inputs if one.inputs[key] != next_week[name].inputs[key]}
        assert changed == {"triggers"}, name


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"velero": {**COMMON["velero"], "resources": "large"}}, {"kube-objects", "volumes"}),
        ({"velero": {**COMMON["velero"], "chart": {"version": "12.0.9"}}},
         {"kube-objects", "volumes"}),
        ({"snapshots": {"controller": "never", "classes": [{"type": "bak"}]}},
         {"kube-objects", "volumes"}),
        ({"drills": {"volumes": {"rtoSeconds": 900}}}, {"volumes"}),
        ({"drills": {"volumes": {"digests": [{"namespace": "a", "claim": "b"}]}}}, {"volumes"}),
        ({"drills": {"volumes": {}, "readerImage": {"tag": "3.14"}}}, {"volumes"}),
        ({"drills": {"volumes": {}, "kubeObjects": {"namespaces": ["shop"]}}}, {"kube-objects"}),
    ],
    ids=["velero", "chart", "snapshots", "volumes", "digests", "reader", "objects"],
)  # fmt: skip
def test_a_drill_runs_again_when_what_it_proves_has_changed(
    changes: dict[str, Any], again: set[str]
) -> None:
    before, after = site({"volumes": {}}), site(**{"drills": {"volumes": {}}, **changes})
    layers = ("store", "kube-objects", "volumes")
    assert {one for one in layers if triggers_of(before, one) != triggers_of(after, one)} == again


def test_another_first_backup_is_drilled_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    before = triggers_of(site(), "kube-objects")
    assert "demo-20261121120000" in before
    other = json.dumps({"backup": "demo-2", "phase": "Completed", "warnings": 1})
    monkeypatch.setattr(recorder, "FIRST_BACKUP", other)
    after = triggers_of(site(), "kube-objects")
    assert [one for one in after if one not in before] == ["demo-2"]
    # What else is told of a backup may differ from one look to the next.
    assert backup_name(other) == "demo-2"


def test_without_a_first_backup_the_period_and_the_settings_are_all_triggers() -> None:
    found = site(velero={**COMMON["velero"], "firstBackup": "off"})
    assert len(triggers_of(found, "kube-objects")) == 2


def test_a_command_waits_longer_than_a_drill_and_its_control_may_take(
    both: list[Registered],
) -> None:
    for layer in ("kube-objects", "volumes"):
        allowed = 2 * payload_of(both, layer)["limits"]["drillSeconds"]
        timeouts = named(both, f"drill-{layer}").request.customTimeouts
        for given in (timeouts.create, timeouts.update):
            assert int(given.removesuffix("s")) > allowed


def test_the_payload_goes_in_by_stdin_alone(both: list[Registered]) -> None:
    for name, one in drills_of(both).items():
        assert (
            one.inputs["create"]
            == f"sh ./run.sh drills run {name.removeprefix('drill-')} --summary"
        )
        assert "stdin" in one.secret_inputs, name
        clear = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        for secret in ("SENTINEL", KUBECONFIG.server):
            assert secret not in json.dumps(clear, default=str), name
        assert one.inputs["logging"] == "none"
    assert "SENTINEL-token" in payload_of(both, "volumes")["cluster"]["kubeconfig"]


def test_users_are_retired_when_their_successors_have_passed_every_drill(
    both: list[Registered],
) -> None:
    (retiring,) = [one for one in both if one.name.startswith("retire")]
    assert {f"drill-{one}" for one in ("store", "kube-objects", "volumes")} <= dependencies(
        retiring
    )


def test_periods_have_names() -> None:
    assert period_name("none", DAY) == "none"
    assert period_name("daily", DAY) == "2026-11-21"
    assert period_name("weekly", datetime.date(2027, 1, 1)) == "2026-W53"
    with pytest.raises(ValueError, match="hourly is no period"):
        period_name("hourly", DAY)
