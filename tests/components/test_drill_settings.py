"""Settings of the drills: which are on, what they are held to, and what is refused."""

import datetime
from typing import Any

import pytest

from components.settings import Settings, SettingsError, load
from components.settings.drills import (
    Drills,
    checked_restore_point,
    drilled_schedules,
    kube_objects_of,
    rpo_seconds,
    site_fault,
    volumes_of,
)
from components.settings.velero import Velero
from drills.point_choice import parse_choice
from tests.support.recorder import RAW

SECRET = frozenset({"sshPrivateKey", "escrowPassphrase", "kubeconfig"})
DAILY = {"cron": "0 2 * * *"}
HOURLY = {"cron": "17 * * * *", "ttl": "48h"}
WITH_VELERO = {
    **RAW,
    "cluster": {},
    "kubeconfig": "SENTINEL",
    "velero": {"schedules": {"daily": DAILY, "hourly": HOURLY}},
}


def drills(**given: Any) -> Drills:
    return Drills.model_validate(given)


def velero(**schedules: Any) -> Velero:
    return Velero.model_validate({"schedules": schedules})


def load_with(drill_settings: object, raw: dict[str, Any] = WITH_VELERO) -> Settings:
    return load({**raw, "drills": drill_settings}, secret_keys=SECRET)


def fault_of(drill_settings: object, raw: dict[str, Any] = WITH_VELERO) -> str:
    with pytest.raises(SettingsError) as caught:
        load_with(drill_settings, raw)
    (fault,) = caught.value.faults
    return fault


def test_objects_are_drilled_where_a_schedule_runs_and_nowhere_else() -> None:
    assert kube_objects_of(drills(), velero(daily=DAILY)) is not None
    assert kube_objects_of(drills(), velero(daily={**DAILY, "paused": True})) is None
    assert kube_objects_of(drills(), velero()) is None
    assert kube_objects_of(drills(), None) is None
    off = drills(kubeObjects={"enabled": False})
    assert kube_objects_of(off, velero(daily=DAILY)) is None
    on = drills(kubeObjects={"enabled": True})
    assert kube_objects_of(on, velero(daily={**DAILY, "paused": True})) is not None


def test_volumes_are_drilled_with_a_canary_or_where_it_is_asked_for() -> None:
    saved = velero(daily=DAILY)
    assert volumes_of(drills(), saved, canary=False) is None
    assert volumes_of(drills(), saved, canary=True) is not None
    assert volumes_of(drills(volumes={}), saved, canary=False) is not None
    assert volumes_of(drills(volumes={"enabled": False}), saved, canary=True) is None
    assert volumes_of(drills(), None, canary=True) is None


def test_the_age_allowed_is_an_interval_of_the_most_frequent_running_schedule_and_an_hour() -> None:
    both = velero(daily=DAILY, hourly=HOURLY)
    drill = kube_objects_of(drills(), both)
    assert drill is not None
    assert rpo_seconds(drill, both) == 3600 + 3600
    calm = velero(daily=DAILY, hourly={**HOURLY, "paused": True})
    assert rpo_seconds(drill, calm) == 24 * 3600 + 3600
    only_daily = drills(kubeObjects={"schedules": ["daily"]}).kube_objects
    assert only_daily is not None
    assert rpo_seconds(only_daily, both) == 24 * 3600 + 3600
    given = drills(kubeObjects={"rpoSeconds": 90}).kube_objects
    assert given is not None
    assert rpo_seconds(given, both) == 90


def test_backups_of_every_schedule_are_drilled_unless_some_are_named() -> None:
    both = velero(daily=DAILY, hourly=HOURLY)
    every, one = drills(volumes={}).volumes, drills(volumes={"schedules": ["hourly"]}).volumes
    assert every is not None
    assert one is not None
    assert drilled_schedules(every, both) == ("daily", "hourly")
    assert drilled_schedules(one, both) == ("hourly",)


def test_a_drill_has_its_own_word_on_what_red_means_or_the_general_one() -> None:
    found = drills(onRed="warn", kubeObjects={"onRed": "fail"}, volumes={})
    assert found.kube_objects is not None
    assert found.volumes is not None
    assert found.on_red_of(found.kube_objects) == "fail"
    assert found.on_red_of(found.volumes) == "warn"


def test_the_readers_image_is_the_pinned_one_and_may_be_changed_in_part() -> None:
    assert drills().reader_image.reference.startswith("docker.io/library/python:3")
    mirrored = drills(readerImage={"repository": "registry.lan/python"}).reader_image
    assert mirrored.reference.startswith("registry.lan/python:3")


POINTS: list[object] = [
    "latest", "longest-unproven", "newest", "", None, 7, [], {}, {"age": "48h"}, {"age": "2d12h"},
    {"age": "90m"}, {"age": "1d2h3m4s"}, {"age": ""}, {"age": "48"}, {"age": "1h1d"},
    {"age": "-1h"}, {"age": "1.5h"}, {"age": 48}, {"age": " 48h"}, {"age": "48h\n"}, {"age": "0h"},
    {"name": "daily-2026"}, {"name": ""}, {"name": 7}, {"nmae": "x"}, {"age": "1h", "name": "x"},
]  # fmt: skip


def accepts(read: Any, given: object) -> bool:
    try:
        read(given)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("given", POINTS, ids=repr)
def test_a_restore_point_is_accepted_here_exactly_where_the_drill_accepts_it(given: object) -> None:
    assert accepts(checked_restore_point, given) is accepts(parse_choice, given)


def test_an_accepted_restore_point_is_passed_on_as_it_is() -> None:
    assert checked_restore_point({"age": "2d12h"}) == {"age": "2d12h"}
    assert parse_choice(checked_restore_point({"age": "2d12h"})).age == datetime.timedelta(hours=60)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kubeObjects": {"restorePoint": "newest"}}, "kubeObjects.restorePoint: 'newest' is no"),
        ({"volumes": {"restorePoint": {"age": "2 d"}}}, "volumes.restorePoint: age '2 d' is no"),
        ({"kubeObjects": {"schedules": ["nightly"]}}, "kubeObjects.schedules: nightly is none of"),
        ({"volumes": {"schedules": ["nightly"]}}, "volumes.schedules: nightly is none of velero"),
        ({"kubeObjects": {"kinds": ["Widget"]}}, "kubeObjects.kinds.0: "),
        ({"kubeObjects": {"namespaces": ["A"]}}, "kubeObjects.namespaces.0: "),
        ({"kubeObjects": {"onRed": "shout"}}, "kubeObjects.onRed: "),
        ({"kubeObjects": {"rtoSeconds": 0}}, "kubeObjects.rtoSeconds: "),
        ({"kubeObjects": {"control": "no way"}}, "kubeObjects.control: "),
        ({"kubeObjects": {"restoreSeconds": 3600}}, "kubeObjects: drillSeconds: 3600 is over"),
        ({"volumes": {"readSeconds": 6000}}, "volumes: drillSeconds: 7200 is over before the 7800"),
        ({"kubeObjects": {"classes": {}}}, "kubeObjects.classes: is no key of this program"),
        ({"volumes": {"kinds": []}}, "volumes.kinds: is no key of this program"),
        ({"volumes": {"exceptions": [{"namespace": "a"}]}}, "volumes.exceptions.0.why: is missing"),
        ({"volumes": {"exceptions": [{"namespace": "a", "why": " "}]}}, "volumes.exceptions.0.why"),
        ({"volumes": {"classes": {"fast": ""}}}, "volumes.classes.fast: "),
        ({"volumes": {"digests": [{"namespace": "shop"}]}}, "volumes.digests.0.claim: is missing"),
        ({"volumes": {"digests": [{"namespace": "a*", "claim": "b"}]}}, "volumes.digests.0.namesp"),
        ({"volumes": {"digests": [{"namespace": "a", "claim": ""}]}}, "volumes.digests.0.claim: "),
        ({"kubeObjects": {"digests": []}}, "kubeObjects.digests: is no key of this program"),
        ({"volumes": {"checks": [{"name": "a", "kind": "b"}]}}, "volumes.checks.0.namespace: is"),
        (
            {"volumes": {"checks": [{"name": "a", "kind": "b", "namespace": "c"}] * 2}},
            "volumes.checks: the name a stands there twice",
        ),
        ({"readerImage": {"tag": "-"}}, "readerImage.tag: "),
        ({"kubeobjects": {}}, "kubeobjects: is no key of this program"),
    ],
)
def test_a_fault_names_its_key(given: dict[str, Any], said: str) -> None:
    fault = fault_of(given)
    assert fault.startswith(f"config backstop:drills.{said}"), fault
    assert "\n" not in fault


@pytest.mark.parametrize("key", ["kubeObjects", "volumes"])
@pytest.mark.parametrize("schedules", [None, {}])
def test_a_drill_that_is_asked_for_needs_something_to_drill(key: str, schedules: Any) -> None:
    raw = {**WITH_VELERO, "velero": {"schedules": {}}} if schedules is not None else RAW
    fault = fault_of({key: {"enabled": True}}, raw)
    assert fault.startswith(f"config backstop:drills.{key}: drills the backups of Velero's")
    assert fault.endswith(f"or set drills.{key}.enabled false")
    assert load_with({key: {"enabled": False}}, raw).drills is not None


def test_a_site_without_velero_needs_no_word_about_its_drills() -> None:
    assert site_fault(drills(), None, canary=False) is None
    assert load_with({}, RAW).drills.kube_objects is None


def test_a_checks_own_keys_reach_the_drill_as_they_are() -> None:
    check = {"name": "rows", "kind": "sql", "namespace": "shop", "minRows": 3, "query": {"a_b": 1}}
    found = load_with({"volumes": {"checks": [check]}}).drills.volumes
    assert found is not None
    assert found.checks[0].model_dump(mode="json", by_alias=True) == check
