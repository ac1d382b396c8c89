"""What Velero says of a restore."""

import gzip
import json
from typing import Any

import pytest

from drills.objects import results
from drills.objects.results import HARMLESS, Message, ResultsError, Severity

EXISTS = " already exists. Warning: the in-cluster version is different than the backed-up version"


def packed(content: Any) -> bytes:
    return gzip.compress(json.dumps(content).encode() + b"\n", mtime=0)


def warned(*texts: str) -> list[Message]:
    data = packed({"warnings": {"namespaces": {"sandbox": list(texts)}}, "errors": {}})
    return list(results.read([data]).messages)


def test_a_quiet_restore_says_nothing() -> None:
    for content in ({}, {"warnings": {}, "errors": {}}, {"warnings": None}):
        assert results.read([packed(content)]).messages == ()


def test_every_message_is_kept_with_its_place() -> None:
    found = results.read([packed({
        "errors": {"velero": ["a"], "cluster": ["b"], "namespaces": {"one": ["c", "d"]}},
        "warnings": {"velero": None, "namespaces": {"two": ["e"]}},
    })])  # fmt: skip
    assert [(one.severity, one.place, one.text) for one in found.messages] == [
        (Severity.ERROR, "Velero itself", "a"),
        (Severity.ERROR, "cluster-scoped", "b"),
        (Severity.ERROR, "one", "c"),
        (Severity.ERROR, "one", "d"),
        (Severity.WARNING, "two", "e"),
    ]
    assert len(found.red) == 5
    assert found.count(Severity.ERROR) == 4


def test_a_namespace_may_be_called_as_velero_s_own_places() -> None:
    content = {"velero": ["a"], "cluster": ["b"], "namespaces": {"velero": ["c"], "cluster": ["d"]}}
    found = results.read([packed({"errors": content})])
    assert [one.text for one in found.messages] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "text",
    [
        "could not restore, ConfigMap:kube-root-ca.crt" + EXISTS,
        'could not restore, ConfigMap "kube-root-ca.crt"' + EXISTS,
        "could not restore, Endpoints:web" + EXISTS,
        "could not restore, EndpointSlice:web-abcde" + EXISTS,
        "could not restore, Lease:leader" + EXISTS,
        'endpointslices.discovery.k8s.io "web-abcde" not found',
        "failed to list stub VolumeGroupSnapshotContents: no matches for kind"
        ' "VolumeGroupSnapshotContent" in version "groupsnapshot.storage.k8s.io/v1beta2"',
    ],
)
def test_known_warnings_are_harmless_with_a_reason(text: str) -> None:
    assert warned(text)[0].harmless


@pytest.mark.parametrize(
    "text",
    [
        "could not restore, ConfigMap:settings" + EXISTS,
        "could not restore, ConfigMap:kube-root-ca.crt.mine" + EXISTS,
        "could not restore, Secret:kube-root-ca.crt" + EXISTS,
        "could not restore, Deployment:web" + EXISTS,
        "could not restore, ConfigMap:kube-root-ca.crt" + EXISTS + "; and the data is lost",
        "first: could not restore, Endpoints:web" + EXISTS,
        'pods "web-abcde" not found',
        'error patching endpointslices.discovery.k8s.io "web-abcde" not found',
        "",
    ],
)
def test_any_other_warning_counts(text: str) -> None:
    assert not warned(text)[0].harmless


def test_an_error_is_never_harmless() -> None:
    text = "could not restore, ConfigMap:kube-root-ca.crt" + EXISTS
    found = results.read([packed({"errors": {"namespaces": {"sandbox": [text]}}})])
    assert len(found.red) == 1


def test_every_row_says_why_and_where_from() -> None:
    assert all(row.why and "velero" in row.source for row in HARMLESS)


def test_messages_are_one_short_line_without_a_login() -> None:
    text = "fail\nto reach https://key:hunter2@store/x \x1b[31m" + "y" * 1000 + ": file not there"
    shown = str(warned(text)[0])
    assert "hunter2" not in shown
    assert shown.isprintable()
    assert shown.endswith("file not there")
    assert len(shown) < 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        gzip.compress(b"{", mtime=0),
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b"{}", mtime=0)[:-3],
        packed({"other": 1}),
        packed({"errors": []}),
        packed({"errors": {"velero": "text"}}),
        packed({"errors": {"namespaces": []}}),
        packed({"errors": {"namespaces": {"a": "b"}}}),
    ],
)
def test_what_are_no_results_is_refused(data: bytes) -> None:
    with pytest.raises(ResultsError, match="results"):
        results.read([data])


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS_BYTES", 1024)
    with pytest.raises(ResultsError, match="more than 1024"):
        results.read([gzip.compress(bytes(10_000), mtime=0)])
