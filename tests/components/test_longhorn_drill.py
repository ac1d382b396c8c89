"""The drill `longhorn`: its settings, and a payload that the drill reads."""

import asyncio
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components.drills.longhorn import LonghornDrillArgs, longhorn_payload
from components.object_store.access import ClientAccess
from components.object_store.endpoint import StoreEndpoint
from components.settings.drills import Drills
from components.settings.longhorn import Longhorn
from components.settings.longhorn_drill import (
    DAYS_BETWEEN,
    LonghornDrill,
    longhorn_drill_of,
    rpo_by_job,
    rpo_seconds,
    site_fault,
)
from components.settings.longhorn_targets import FurtherTarget
from drills.longhorn import controls
from drills.longhorn.live.settings import OWNED
from drills.longhorn.payload import LonghornPayload
from kube.kubeconfig import parse as parse_kubeconfig
from tests.kube import kubeconfigs

UID = "3f0c8f0e-0000-4000-8000-000000000001"
DAY = datetime.date(2026, 11, 21)
HOUR, DAY_SECONDS = 3600, 86400
CANARY = {
    "namespace": "backstop-canary", "bucket": "dev-evidence", "prefix": "canary/",
    "volumes": [{"name": "files", "claim": "canary-files-0e58f9"}],
}  # fmt: skip
PAIRS = {
    name: {"accessKey": f"{name}-a", "secretKey": f"{name}-s"} for name in ("drill", "evidence")
}


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """Outputs want an event loop, and other tests close theirs."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    made.close()


def backup(cron: str) -> dict[str, Any]:
    return {
        "task": "backup", "cron": cron, "retain": 7, "fullBackupInterval": 5,
        "groups": ["default"],
    }  # fmt: skip


def longhorn(**jobs: Any) -> Longhorn:
    given = jobs or {"nightly": backup("0 2 * * *")}
    return Longhorn.model_validate({"profile": "none", "jobs": given})


def payload_of(
    settings: dict[str, Any], targets: Mapping[str, Any] | None = None, **drills: Any
) -> dict[str, Any]:
    given = Drills.model_validate({"longhorn": settings, **drills})
    kubeconfig = parse_kubeconfig(kubeconfigs.text())
    assert given.longhorn is not None
    args = LonghornDrillArgs(
        site="dev",
        endpoint=_endpoint(),
        clients={name: _client(name) for name in ("longhorn", "drill", "evidence")},
        credentials={},
        kubeconfig=kubeconfig,
        cluster_uid=UID,
        longhorn=longhorn().model_copy(update={"targets": _targets(targets or {})}),
        drills=given,
        settings=given.longhorn,
        first_backups=None,
        canary=CANARY,
        proves=[],
        today=DAY,
        after=[],
    )
    return longhorn_payload(args, "", PAIRS)


def _targets(given: Mapping[str, Any]) -> dict[str, FurtherTarget]:
    return {name: FurtherTarget.model_validate(one) for name, one in given.items()}


def _client(name: str) -> ClientAccess:
    bucket = "" if name == "drill" else f"dev-{name}"
    return ClientAccess(name, name, bucket, "receipts/" if name == "evidence" else "", 1, False)


def _endpoint() -> StoreEndpoint:
    secret = pulumi.Output.from_input
    return StoreEndpoint(
        url="https://10.77.0.10:9091", region="eu-west-1", ca_pem=secret(""), names=[],
        root_user=secret(""), root_password=secret(""), ready=[],
    )  # fmt: skip


def test_the_payload_is_one_that_the_drill_reads() -> None:
    excuse = {"namespace": "cache-*", "why": "it is made anew"}
    given = payload_of({"exceptions": [excuse], "scratch": "/var/tmp/images", "rebuildLimit": 99})
    payload = LonghornPayload.model_validate(given)
    payload.check()
    assert payload.place().url == "s3://dev-longhorn@eu-west-1/dev/"
    assert payload.target.name == "default"
    assert (payload.depth, payload.days, payload.every) == ("quick", 7, 1)
    assert payload.limits.rpo_by_job == {"nightly": DAY_SECONDS + HOUR}
    assert payload.limits.rpo_seconds == DAY_SECONDS + HOUR
    assert payload.canary is not None
    assert [one.shown for one in payload.exceptions] == ["cache-*"]
    assert (payload.scratch, payload.rebuild_limit) == ("/var/tmp/images", 99)
    assert payload.evidence is not None
    assert (payload.evidence.bucket, payload.evidence.prefix) == ("dev-evidence", "receipts/")
    assert [client.name for client in payload.clients] == ["drill", "evidence"]
    assert payload.path == "auto"
    assert payload.live is not None
    assert payload.live.reader.image.partition(":")[0].endswith("python")
    assert (payload.live.volumes, payload.live.restore_seconds) == (1, 1800)


def test_every_target_of_this_store_is_read_and_those_elsewhere_are_named() -> None:
    offsite = {"url": "s3://second@us-east-1/dev/", "endpoint": "https://s3.example"}
    targets = {"archive": {"prefix": "archive"}, "offsite": offsite, "cold": {"prefix": "cold"}}
    payload = LonghornPayload.model_validate(payload_of({}, targets))
    payload.check()
    assert {name: one.url for name, one in payload.places().items()} == {
        "default": "s3://dev-longhorn@eu-west-1/dev/",
        "archive": "s3://dev-longhorn@eu-west-1/archive/",
        "cold": "s3://dev-longhorn@eu-west-1/cold/",
    }
    (left,) = payload.unread
    assert left.name == "offsite"
    assert left.why == "it lies in another store, of which the drill has no key"


def test_a_site_without_further_targets_has_the_command_that_it_had() -> None:
    assert {"targets", "unread"}.isdisjoint(payload_of({}))
    assert "unread" not in payload_of({}, {"archive": {"prefix": "archive"}})


def test_longhorn_restores_as_it_is_told_or_not_at_all() -> None:
    live = {"volumes": 2, "mostBytes": 9, "parameters": {"diskSelector": "slow"}, "required": True}
    payload = LonghornPayload.model_validate(payload_of({"live": live}))
    assert payload.path == "longhorn"
    assert payload.live is not None
    assert (payload.live.volumes, payload.live.most_bytes) == (2, 9)
    assert payload.live.parameters == {"diskSelector": "slow"}
    off = LonghornPayload.model_validate(payload_of({"live": {"enabled": False}}))
    assert (off.path, off.live) == ("store", None)


def test_the_drill_and_its_settings_own_the_same_parameters() -> None:
    for key in OWNED:
        with pytest.raises(ValueError, match="is what the drill itself says"):
            LonghornDrill.model_validate({"live": {"parameters": {key: "x"}}})


def test_a_drill_is_given_the_time_that_a_restore_may_take() -> None:
    with pytest.raises(ValueError, match="drillSeconds: 2700 is over before the 2700 s"):
        LonghornDrill.model_validate({"drillSeconds": 2700})
    LonghornDrill.model_validate({"drillSeconds": 2701})
    LonghornDrill.model_validate({"drillSeconds": 60, "live": {"enabled": False}})


def test_no_path_of_a_machine_is_in_the_payload_unless_the_config_has_it() -> None:
    given = payload_of({})
    assert given["scratch"] is None
    assert given["receiptsDir"] is None


def test_every_control_can_be_asked_for_by_the_config() -> None:
    for name in [*controls.names(), "rotate", "none"]:
        assert payload_of({"control": name})["control"] == name


@pytest.mark.parametrize(
    ("period", "days", "every"), [("none", 7, 1), ("daily", 7, 1), ("weekly", 28, 7)]
)
def test_the_share_goes_by_the_period_of_the_drills(period: str, days: int, every: int) -> None:
    given = payload_of({}, period=period)
    assert (given["days"], given["every"]) == (days, every)
    assert payload_of({"days": 3}, period=period)["days"] == 3
    assert period in DAYS_BETWEEN


def test_a_red_drill_ends_the_update_by_its_own_word_or_the_general_one() -> None:
    assert payload_of({})["onRed"] == "fail"
    assert payload_of({}, onRed="warn")["onRed"] == "warn"
    assert payload_of({"onRed": "fail"}, onRed="warn")["onRed"] == "fail"


def test_it_is_on_where_there_is_a_longhorn() -> None:
    assert longhorn_drill_of(None, None) is None
    assert longhorn_drill_of(None, longhorn()) == LonghornDrill()
    assert longhorn_drill_of(LonghornDrill(enabled=False), longhorn()) is None
    assert longhorn_drill_of(LonghornDrill(depth="full"), longhorn()) is not None


def test_without_a_longhorn_it_cannot_be_on() -> None:
    assert site_fault(None, None) is None
    assert site_fault(LonghornDrill(), None) is None
    assert site_fault(LonghornDrill(enabled=True), longhorn()) is None
    fault = site_fault(LonghornDrill(enabled=True), None)
    assert fault is not None
    assert fault.startswith("drills.longhorn: drills the backups of Longhorn, and there are none")


def test_each_job_promises_its_own_age() -> None:
    trim = {"task": "filesystem-trim", "cron": "0 4 * * *", "groups": ["default"]}
    held = longhorn(nightly=backup("0 2 * * *"), weekly=backup("0 3 * * 0"), trim=trim)
    drill = LonghornDrill()
    assert rpo_by_job(drill, held) == {
        "nightly": DAY_SECONDS + HOUR, "weekly": 7 * DAY_SECONDS + HOUR,
    }  # fmt: skip
    assert rpo_seconds(drill, held) == DAY_SECONDS + HOUR
    asked = LonghornDrill(rpo_seconds=7200)
    assert rpo_by_job(asked, held) == {}
    assert rpo_seconds(asked, held) == 7200


@pytest.mark.parametrize(
    "given",
    [
        {"depth": "half"}, {"days": 0}, {"days": 400}, {"scratch": "images"}, {"workers": 0},
        {"exceptions": [{"why": "x"}]}, {"exceptions": [{"namespace": "a"}]}, {"unknown": 1},
        {"exceptions": [{"claim": "a", "why": "x"}]}, {"rebuildLimit": 0}, {"drillSeconds": 0},
        {"live": {"volumes": -1}}, {"live": {"enabled": False, "required": True}},
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)  # fmt: skip
def test_what_it_cannot_mean_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        LonghornDrill.model_validate(given)
