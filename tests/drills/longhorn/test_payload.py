"""What the drill is told: an unknown key, an odd prefix or a useless exception is an error."""

import json
from typing import Any

import pytest

from drills.longhorn import run
from drills.longhorn.payload import Excuse, LonghornPayload
from drills.payload import PayloadError
from tests.drills.longhorn.site import payload_fields, payload_of

LIVE = {"reader": {"image": "python:1"}}


def text(**changes: Any) -> str:
    return json.dumps(payload_fields(**changes))


def refused(**changes: Any) -> str:
    with pytest.raises(PayloadError) as error:
        run.ready(text(**changes))
    return str(error.value)


@pytest.fixture(autouse=True)
def no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA of an address that nobody asks anything of."""
    monkeypatch.setattr(LonghornPayload, "endpoints", lambda _self: ())


def test_a_sound_payload_is_ready_for_the_drill_and_its_controls() -> None:
    assert run.ready(text()).payload == payload_of()
    assert run.ready_controls(text()).payload == payload_of()


def test_what_is_left_out_has_its_default() -> None:
    fields = payload_fields()
    for key in ("days", "workers", "canary", "cluster"):
        del fields[key]
    payload = LonghornPayload.model_validate(fields)
    assert (payload.depth, payload.days, payload.every, payload.workers) == ("quick", 7, 1, 8)
    assert (payload.namespace, payload.path, payload.scratch) == ("longhorn-system", "auto", None)
    assert payload.live is None
    assert payload.limits.drill_seconds == 7200
    payload.check()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"depht": "full"}, "depht"),
        ({"depth": "half"}, "depth"),
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"every": 0}, "every"),
        ({"workers": 0}, "workers"),
        ({"path": "somehow"}, "path"),
        ({"path": "longhorn"}, "path longhorn needs live"),
        ({"path": "longhorn", "live": LIVE, "cluster": None}, "path longhorn needs cluster"),
        ({"live": {}}, "reader"),
        ({"live": {**LIVE, "volumes": -1}}, "volumes"),
        ({"live": {**LIVE, "restoreSeconds": 0}}, "restoreSeconds"),
        ({"live": {**LIVE, "mostBytes": 0}}, "mostBytes"),
        ({"live": {**LIVE, "parameters": {"fromBackup": "x"}}}, "fromBackup is what the drill"),
        ({"rebuildLimit": 0}, "rebuildLimit"),
        ({"scratch": "images"}, "no absolute path"),
        ({"target": {"bucket": "b", "prefix": "../other/"}}, "is no prefix"),
        ({"target": {"bucket": "", "prefix": ""}}, "bucket"),
        ({"limits": {"rtoSeconds": 1}}, "rpoSeconds"),
        ({"limits": {"rtoSeconds": 1, "rpoSeconds": 0}}, "rpoSeconds"),
        ({"limits": {"rtoSeconds": 1, "rpoSeconds": 1, "rpoByJob": {"n": 0}}}, "rpoByJob"),
        ({"exceptions": [{"claim": "data", "why": "scratch"}]}, "names no volume"),
        ({"exceptions": [{"namespace": "shop", "why": " "}]}, "why"),
        ({"control": "no-such-control"}, "no-such-control"),
        ({"clients": []}, "evidence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_cannot_mean_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    assert named in refused(**changes)


def test_a_reader_is_needed_and_a_kubeconfig_must_be_one() -> None:
    assert "drill is missing" in refused(
        clients=[{"name": "other", "accessKey": "a", "secretKey": "b"}], evidence=None
    )
    assert "cluster.kubeconfig" in refused(cluster={"kubeconfig": "no: kubeconfig", "uid": "x"})


@pytest.mark.parametrize(
    ("given", "kept"), [("", ""), ("site", "site/"), ("site/", "site/"), ("a//b/", "a/b/")]
)
def test_a_prefix_is_what_longhorn_makes_of_it(given: str, kept: str) -> None:
    payload = payload_of(target={"bucket": "b12", "prefix": given})
    assert payload.target.prefix == kept
    assert payload.place().url == f"s3://b12@eu-west-1/{kept}"


@pytest.mark.parametrize(
    ("excuse", "covered"),
    [
        ({"namespace": "shop"}, True),
        ({"namespace": "sh*", "claim": "da*"}, True),
        ({"namespace": "shop", "claim": "cache"}, False),
        ({"volume": "pvc-*"}, True),
        ({"namespace": "shop", "volume": "raw-*"}, False),
        ({"namespace": "other"}, False),
    ],
)
def test_an_exception_covers_what_all_of_its_globs_do(
    excuse: dict[str, str], covered: bool
) -> None:
    assert Excuse(**excuse, why="scratch").covers("shop", "data", "pvc-1") is covered


def test_secrets_are_in_no_text_form() -> None:
    payload = payload_of()
    assert "SENTINEL" not in f"{payload!r} {payload}"
