"""What was recorded around a restore point: taken, missing, or told why it does not serve."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drills.backup.truths import Truths, of_site
from drills.damaged.controls import _pointed
from drills.damaged.point import DamagedPoint
from drills.frame import Record
from drills.kube_objects.payload import KubeObjectsPayload
from drills.kube_objects.recorded_truth import usable
from drills.objects.truth import Head, Truth
from drills.points import Point
from drills.verdict import Reason, Verdict
from s3.client import Credential

NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
UID = "uid-of-the-site"


def minutes(number: float) -> datetime.datetime:
    return NOON + datetime.timedelta(minutes=number)


POINT = Point("nightly-1", "nightly", "default", minutes(2), minutes(3), None, {})
HEAD = Head(UID, "nightly-1", minutes(0), minutes(1), minutes(4), minutes(5), {}, b"0" * 16)


@pytest.fixture
def truths(tmp_path: Path) -> Truths:
    return Truths(tmp_path)


def kept(truths: Truths, head: Head = HEAD) -> Path:
    truths.keep(Truth(head, {}))
    return truths.place(head.backup)


def test_one_that_fits_is_taken_and_said_to_fit(truths: Truths) -> None:
    kept(truths)
    record = Record()
    assert usable(record, truths, POINT, UID) == Truth(HEAD, {})
    assert record.judgement().verdict is Verdict.PROVEN
    assert record.not_compared == []


def test_without_one_the_receipt_says_why_that_is_weaker(truths: Truths) -> None:
    record = Record()
    assert usable(record, truths, POINT, UID) is None
    assert record.checks == []
    (said,) = record.not_compared
    assert said.what == "lists of the cluster"
    assert "changed or deleted since then has no witness" in said.why


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (replace(HEAD, cluster_uid="another"), "of the cluster another"),
        (replace(HEAD, before_ended=minutes(2.5)), "the first list ended at 12:02:30"),
        (replace(HEAD, after_began=minutes(2.5)), "the second list began at 12:02:30"),
    ],
)
def test_one_of_something_else_is_a_finding(truths: Truths, head: Head, said: str) -> None:
    kept(truths, head)
    assert_unusable(truths, said)


def test_one_of_another_backup_is_a_finding(truths: Truths) -> None:
    kept(truths, replace(HEAD, backup="nightly-2")).rename(truths.place("nightly-1"))
    assert_unusable(truths, "of backup nightly-2")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[:-10], "cut off"),
        (lambda content: content[:40] + b"\0" + content[41:], "damaged"),
        (lambda _content: b"", "is empty"),
        (lambda _content: b"{}", "no gzip stream"),
    ],
)
def test_a_damaged_one_is_a_finding(
    truths: Truths, damage: Callable[[bytes], bytes], said: str
) -> None:
    place = kept(truths)
    place.write_bytes(damage(place.read_bytes()))
    assert_unusable(truths, said)


def assert_unusable(truths: Truths, said: str) -> None:
    record = Record()
    assert usable(record, truths, POINT, UID) is None
    judgement = record.judgement()
    assert (judgement.verdict, judgement.reason) == (Verdict.UNPROVEN, Reason.TRUTH_UNUSABLE)
    assert said in record.checks[0].observed


def test_the_drill_of_a_damaged_copy_looks_for_no_truth(tmp_path: Path) -> None:
    keys = {"accessKey": "a", "secretKey": "s"}
    payload = KubeObjectsPayload.model_validate({
        "schema": 1, "layer": "kube-objects", "site": "dev", "endpoint": "https://127.0.0.1:1",
        "region": "r", "caPem": "", "clients": [{"name": n, **keys} for n in ("drill", "evidence")],
        "evidence": {"bucket": "kept", "prefix": "receipts/", "client": "evidence"},
        "limits": {"rtoSeconds": 1, "rpoSeconds": 1}, "receiptsDir": None, "onRed": "fail",
        "control": "none", "cluster": {"kubeconfig": "", "uid": UID},
        "velero": {"namespace": "velero", "location": "default", "bucket": "backups"},
    })  # fmt: skip
    copied = DamagedPoint("scratch", "scratch-bucket", "", "copy-1", Credential("b", "t"))
    # The copy's reader would be refused there, and the copy would be red for that alone.
    pointed = _pointed(payload, copied)
    assert of_site(pointed, tmp_path) == Truths(tmp_path)
