"""Every reason why something is not protected has its case, and what is protected says by what."""

import dataclasses
import datetime
import time
from typing import Any

import pytest

from drills.coverage.gaps import ADVICE, Gap
from drills.coverage.live import Allowed
from drills.coverage.survey import Excused, Survey, Unprotected, survey
from drills.coverage.volume_info import Method
from drills.sandbox.marks import LAYER_LABEL
from tests.drills.coverage.clusters import (
    HOUR,
    NOW,
    backup,
    claim,
    live,
    namespace,
    pod,
    record,
    schedule,
    volume,
)

EXCLUDED = {"velero.io/exclude-from-backup": "true"}
COPY = {"defaultVolumesToFsBackup": True}
OPT_IN = {"backup.velero.io/backup-volumes": "other,data"}
OPT_OUT = {"backup.velero.io/backup-volumes-excludes": "data"}
NOTHING = {"backups": {"daily": backup()}}
POLICY = {"resourcePolicy": {"kind": "configmap", "name": "policy"}}


def policy(action: str) -> dict[str, Any]:
    entry = {"conditions": {"storageClass": ["fast"]}, "action": {"type": action}}
    return {"schedules": [schedule(**POLICY)], "policies": {"policy": [entry]}, **NOTHING}


def skipped(why: str) -> dict[str, Any]:
    one = record(method=None, succeeded=False, size=None, why=why)
    return {"backups": {"daily": backup(one)}}


VOLUMES: list[tuple[Gap, dict[str, Any]]] = [
    (Gap.NOT_IN_SCOPE, {"schedules": []}),
    (Gap.NOT_IN_SCOPE, {"schedules": [schedule(includedNamespaces=["other", "shop-*"])]}),
    (Gap.NOT_IN_SCOPE, {"schedules": [schedule(excludedNamespaces=["sh*"])]}),
    (Gap.EXCLUDED_BY_LABEL, {"claims": [claim(labels=EXCLUDED)]}),
    (Gap.EXCLUDED_BY_LABEL, {"namespaces": [namespace(**EXCLUDED)]}),
    (Gap.NOT_SELECTED, {"schedules": [schedule(labelSelector={"matchLabels": {"tier": "gold"}})]}),
    (
        Gap.NOT_SELECTED,
        {"schedules": [schedule(orLabelSelectors=[{"matchLabels": {"a": "1"}},
                                                  {"matchLabels": {"b": "2"}}])]},
    ),
    (Gap.KIND_LEFT_OUT, {"schedules": [schedule(excludedResources=["pvc"])]}),
    (Gap.KIND_LEFT_OUT, {"schedules": [schedule(includedResources=["deployments.apps"])]}),
    (
        Gap.KIND_LEFT_OUT,
        {"schedules": [schedule(excludedNamespaceScopedResources=["persistentvolumeclaims"])]},
    ),
    (Gap.SCHEDULE_OFF, {"schedules": [schedule(paused=True)], **NOTHING}),
    (
        Gap.SCHEDULE_OFF,
        {"schedules": [{**schedule(), "status": {"phase": "FailedValidation"}}], **NOTHING},
    ),
    (Gap.SCHEDULE_OFF, {"schedules": [schedule(labelSelector={}, orLabelSelectors=[{}])]}),
    (Gap.OTHER_LOCATION, {"backups": {}, "elsewhere": {"daily": "aws"}}),
    (Gap.NEVER_BACKED_UP, {"backups": {}}),
    (Gap.NEVER_BACKED_UP, {"backups": {}, "elsewhere": {"weekly": "aws"},
                           "schedules": [schedule("weekly"), schedule()]}),
    (Gap.NEWER_THAN_BACKUP, {"claims": [claim(made=1)], **NOTHING}),
    (Gap.NEWER_THAN_BACKUP, {"backups": {"daily": backup(record(volume="pv-former"))}}),
    (Gap.NEWER_THAN_BACKUP, {"claims": [claim(made=1)],
                             "backups": {"daily": backup(record(volume=""))}}),
    (Gap.LIST_MISSING, {"backups": {"daily": dataclasses.replace(backup(), records=None)}}),
    (Gap.SKIPPED_BY_POLICY, policy("skip")),
    (Gap.SKIPPED_BY_POLICY, skipped("any: skipped due to resource policy ;")),
    (
        Gap.SKIPPED_BY_POLICY,
        skipped("podvolume: matched action is 'skip' in chosen resource policies;"),
    ),
    (Gap.HOST_PATH, {"volumes": [volume(hostPath={"path": "/x"})], **NOTHING}),
    (Gap.HOST_PATH, {"volumes": [volume(hostPath={"path": "/x"})], "schedules": [schedule(**COPY)],
                     **NOTHING}),
    (Gap.BLOCK_DEVICE, {"claims": [claim(volumeMode="Block")], "schedules": [schedule(**COPY)],
                        **NOTHING}),
    (Gap.OPTED_OUT, {"pods": [pod(annotations=OPT_OUT)], "schedules": [schedule(**COPY)],
                     **NOTHING}),
    (Gap.OPT_IN_MISSING, {"volumes": [volume(local={"path": "/x"})], **NOTHING}),
    (Gap.SNAPSHOTS_OFF, {"schedules": [schedule(snapshotVolumes=False)], **NOTHING}),
    (Gap.NOT_RUNNING, {"pods": [], "schedules": [schedule(**COPY)], **NOTHING}),
    (Gap.NOT_RUNNING, {"pods": [pod(phase="Pending", annotations=OPT_IN)], **NOTHING}),
    (Gap.NOT_RUNNING, {"pods": [], **policy("fs-backup")}),
    (Gap.NODE_AGENT_ABSENT, {"node_agents": frozenset({"cp2"}), "schedules": [schedule(**COPY)],
                             **NOTHING}),
    (Gap.NODE_AGENT_ABSENT, {"node_agents": frozenset(),
                             "schedules": [schedule(snapshotMoveData=True)], **NOTHING}),
    (Gap.DATA_FAILED, {"backups": {"daily": backup(record(succeeded=False))}}),
    (Gap.EMPTIED, {"backups": {"daily": backup(record(size=0))}, "sizes": {("shop", "data"): 5}}),
    (Gap.NO_DATA, NOTHING),
    (Gap.NO_DATA, {"schedules": [schedule(**COPY)], **NOTHING}),
    (Gap.NO_DATA, {"pods": [pod(annotations=OPT_IN)], "node_agents": frozenset({"cp1"}),
                   **NOTHING}),
    (Gap.NO_DATA, policy("snapshot")),
    (Gap.LOST, {"claims": [claim(phase="Lost")]}),
]  # fmt: skip
NAMESPACES: list[tuple[Gap, dict[str, Any]]] = [
    (Gap.NOT_IN_SCOPE, {"schedules": []}),
    (Gap.NOT_IN_SCOPE, {"schedules": [schedule(excludedNamespaces=["shop"])]}),
    (Gap.EXCLUDED_BY_LABEL, {"namespaces": [namespace(**EXCLUDED)]}),
    (Gap.NOT_SELECTED, {"schedules": [schedule(labelSelector={"matchLabels": {"a": "b"}})]}),
    (Gap.KIND_LEFT_OUT, {"schedules": [schedule(excludedResources=["secrets", "events"])]}),
    (Gap.SCHEDULE_OFF, {"schedules": [schedule(paused=True)]}),
    (Gap.OTHER_LOCATION, {"backups": {}, "elsewhere": {"daily": "aws"}, "grace": 200 * HOUR}),
    (Gap.NEVER_BACKED_UP, {"backups": {}}),
    (Gap.NOT_IN_BACKUP, {"backups": {"daily": backup(namespaces=frozenset({"other"}))}}),
    (Gap.NEWER_THAN_BACKUP, {"namespaces": [namespace(made=1)]}),
]


def gaps(found: Survey, claim_name: str) -> list[Gap]:
    return [one.gap for one in found.unprotected if one.claim == claim_name]


@pytest.mark.parametrize(("gap", "changed"), VOLUMES)
def test_an_unprotected_volume_is_named_with_its_reason(gap: Gap, changed: dict[str, Any]) -> None:
    found = survey(live(**changed))
    assert gaps(found, "data") == [gap]
    (detail,) = [one.detail for one in found.unprotected if one.claim == "data"]
    assert detail.startswith("volume shop/data: ")
    assert detail.endswith(ADVICE[gap])
    assert not [one for one in found.protected if one.claim == "data"]


@pytest.mark.parametrize(("gap", "changed"), NAMESPACES)
def test_an_unprotected_namespace_is_named_with_its_reason(
    gap: Gap, changed: dict[str, Any]
) -> None:
    found = survey(live(claims=[], **changed))
    assert gaps(found, "") == [gap]
    assert not found.protected


def test_every_reason_has_a_case_and_says_what_to_do() -> None:
    assert {gap for gap, _ in VOLUMES + NAMESPACES} == set(Gap)
    assert set(ADVICE) == set(Gap)


def test_all_is_well_where_schedule_backup_and_data_agree() -> None:
    found = survey(live())
    assert not found.unprotected
    namespace_, volume_ = found.protected
    assert (namespace_.namespace, namespace_.claim, namespace_.backup) == ("shop", "", "daily-1")
    assert namespace_.at == NOW - 2 * HOUR
    assert (volume_.schedule, volume_.backup) == ("daily", "daily-1")
    assert (volume_.method, volume_.size, volume_.at) == (Method.DATA_MOVER, 1000, NOW - 2 * HOUR)


@pytest.mark.parametrize(
    "changed",
    [
        {"schedules": [schedule(includedNamespaces=["sh?p"])]},
        {"schedules": [schedule(includedNamespaces=[])]},
        {"schedules": [schedule(excludedResources=["events"])]},
        {"backups": {"daily": backup(record(), namespaces=frozenset({"shop"}))}},
        {"namespaces": [namespace(**{"velero.io/exclude-from-backup": "false"})]},
        # A record of this very volume is evidence, whenever the claim was made.
        {"claims": [claim(made=1)]},
    ],
)
def test_these_are_protected_too(changed: dict[str, Any]) -> None:
    found = survey(live(**changed))
    assert [one.claim for one in found.protected if one.claim] == ["data"]
    assert not gaps(found, "data")


def test_a_volume_that_a_selected_pod_mounts_is_taken_with_it() -> None:
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}
    changed = {"schedules": [schedule(labelSelector=selector)]}
    assert gaps(survey(live(**changed)), "data") == [Gap.NOT_SELECTED]
    assert not gaps(survey(live(**changed, pods=[pod(labels={"tier": "gold"})])), "data")


def test_the_newest_backup_with_data_protects_and_one_without_does_not_hide_it() -> None:
    schedules = [schedule(), schedule("weekly"), schedule("hourly")]
    backups = {
        "daily": backup(record()),
        "weekly": backup(record(), name="weekly-1", age=50),
        "hourly": backup(name="hourly-1", age=0.5),
    }
    found = survey(live(schedules=schedules, backups=backups))
    assert [one.backup for one in found.protected if one.claim] == ["daily-1"]


def test_a_paused_schedule_does_not_hide_a_running_one() -> None:
    schedules = [schedule("off", paused=True), schedule()]
    assert not survey(live(schedules=schedules)).unprotected


def test_of_several_schedules_the_one_that_meant_to_take_it_speaks() -> None:
    newest = {"hourly": backup(name="hourly-1", age=1), "daily": backup()}
    found = survey(live(schedules=[schedule("hourly", snapshotVolumes=False), schedule()],
                        backups=newest))  # fmt: skip
    assert gaps(found, "data") == [Gap.NO_DATA]
    (detail,) = [one.detail for one in found.unprotected if one.claim]
    assert "backup daily-1 is Completed" in detail


def test_a_schedule_of_another_location_takes_nothing_from_one_of_the_site() -> None:
    both = {"schedules": [schedule("copy"), schedule()], "elsewhere": {"copy": "aws"}}
    assert not survey(live(**both)).unprotected


def test_an_empty_volume_is_protected_unless_it_held_something_before() -> None:
    empty = {"backups": {"daily": backup(record(size=0))}}
    assert not survey(live(**empty)).unprotected
    assert gaps(survey(live(**empty, sizes={("shop", "data"): 7})), "data") == [Gap.EMPTIED]


def test_what_velero_wrote_down_stands_in_the_detail() -> None:
    found = survey(live(**skipped("csiSnapshot: skipped b/c it's not a CSI volume;")))
    (gap,) = [one for one in found.unprotected if one.claim]
    assert "(csiSnapshot: skipped b/c it's not a CSI volume;)" in gap.detail


def test_what_is_new_waits_for_its_first_backup_during_its_grace() -> None:
    new = {"namespaces": [namespace(made=1)], "claims": [claim(made=1)], **NOTHING}
    assert len(survey(live(**new)).unprotected) == 2
    found = survey(live(**new, grace=2 * HOUR))
    assert not found.unprotected
    assert [(one.namespace, one.claim) for one in found.waiting] == [("shop", ""), ("shop", "data")]
    assert len(survey(live(**new, grace=HOUR / 2)).unprotected) == 2


def test_grace_is_for_the_new_only() -> None:
    found = survey(live(backups={}, grace=48 * HOUR))
    assert gaps(found, "data") == [Gap.NEVER_BACKED_UP]


def test_a_claim_without_a_volume_waits() -> None:
    found = survey(live(claims=[claim(phase="Pending")], **NOTHING))
    assert [one.claim for one in found.waiting] == ["data"]
    assert not gaps(found, "data")


def test_a_claim_that_is_being_deleted_is_left_alone() -> None:
    going = claim()
    going["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    found = survey(live(claims=[going], schedules=[]))
    assert [one.why for one in found.waiting] == ["its claim is being deleted"]


def test_sandboxes_of_drills_and_dying_namespaces_are_no_part_of_it() -> None:
    drill = namespace("backstop-drill-1-shop", **{LAYER_LABEL: "volumes"})
    dying = {**namespace("old"), "status": {"phase": "Terminating"}}
    held = [claim(namespace="backstop-drill-1-shop"), claim(namespace="old")]
    found = survey(live(namespaces=[drill, dying], claims=held, schedules=[]))
    assert found == Survey((), (), (), (), ())


def test_an_exception_excuses_with_its_reason_and_an_idle_one_is_named() -> None:
    allowed = [
        Allowed("shop", "a cache", claim="data"),
        Allowed("shop", "rebuilt from git"),
        Allowed("gone", "was here once"),
    ]
    found = survey(live(schedules=[], allowed=allowed))
    assert not found.unprotected
    assert {(one.found.claim, one.why) for one in found.excused} == {
        ("", "rebuilt from git"), ("data", "a cache"),
    }  # fmt: skip
    assert found.idle == (allowed[2],)


def test_an_exception_of_a_namespace_excuses_all_in_it_and_nothing_beside_it() -> None:
    two = {"namespaces": [namespace(), namespace("other")], "schedules": []}
    found = survey(live(**two, allowed=[Allowed("sh*", "a test")]))
    assert [one.namespace for one in found.unprotected] == ["other"]
    assert [one.found.claim for one in found.excused] == ["", "data"]
    assert all(isinstance(one, Excused) for one in found.excused)


def test_an_exception_of_a_volume_leaves_its_namespace_red() -> None:
    found = survey(live(schedules=[], allowed=[Allowed("shop", "a cache", claim="*")]))
    assert [(one.namespace, one.claim) for one in found.unprotected] == [("shop", "")]


def test_a_protected_volume_needs_no_exception() -> None:
    found = survey(live(allowed=[Allowed("shop", "a cache")]))
    assert [one.namespace for one in found.idle] == ["shop"]


def test_what_holds_of_every_site_is_never_idle() -> None:
    found = survey(live(allowed=[Allowed("velero", "it is built anew", by_design=True)]))
    assert not found.idle


@pytest.mark.parametrize("why", ["", "  "])
def test_an_exception_without_a_reason_is_refused(why: str) -> None:
    with pytest.raises(ValueError, match="unprotected shop/data: say why"):
        Allowed("shop", why, claim="data")


def test_the_claim_of_an_ephemeral_volume_belongs_to_its_pod() -> None:
    one = pod(claims=())
    one["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]
    held = claim("web-0-scratch")
    found = survey(live(claims=[held], pods=[one], schedules=[schedule(**COPY)], **NOTHING))
    assert gaps(found, "web-0-scratch") == [Gap.NO_DATA]


def test_ten_thousand_claims_take_seconds_and_no_square_of_them() -> None:
    def seconds(count: int) -> float:
        names = [f"data-{number}" for number in range(count)]
        cluster = live(
            claims=[claim(name) for name in names],
            volumes=[volume(name) for name in names],
            pods=[pod(f"web-{name}", claims=(name,)) for name in names],
            schedules=[schedule(f"s{number}", **COPY) for number in range(5)],
            backups={f"s{number}": backup() for number in range(5)},
        )
        began = time.process_time()
        assert len(survey(cluster).unprotected) == count
        return time.process_time() - began

    small, large = seconds(1_000), seconds(10_000)
    # Linear would be 10 times, a square 100 times.
    assert large < 40 * max(small, 0.01)


def test_findings_are_plain_data() -> None:
    (gap,) = [one for one in survey(live(schedules=[])).unprotected if one.claim]
    assert dataclasses.asdict(gap) == {
        "namespace": "shop", "claim": "data", "gap": "not-in-scope", "detail": gap.detail,
    }  # fmt: skip
    assert isinstance(gap, Unprotected)
    assert datetime.timedelta(0) == live().grace
