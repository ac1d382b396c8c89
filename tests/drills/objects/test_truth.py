"""What was there around a backup: recorded, written and read."""

import copy
import dataclasses
import datetime
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.objects import truth_file
from drills.objects.keys import ObjectKey, parse
from drills.objects.scope import Membership
from drills.objects.truth import Head, RecordError, Seen, Truth, encloses, listed, record
from drills.objects.truth_file import Cause, TruthError
from drills.velero_filters import scope_of
from tests.drills.objects import samples
from tests.drills.objects.samples import Pair

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
SALT = b"0123456789abcdef"


def minutes(number: float) -> datetime.datetime:
    return NOON + datetime.timedelta(minutes=number)


def head(spec: dict[str, Any] | None = None) -> Head:
    times = [minutes(number) for number in (0, 1, 5, 6)]
    return Head("uid-1", "daily-1", *times, spec or {}, SALT)


def recorded(
    before: list[Pair], after: list[Pair] | None = None, spec: dict[str, Any] | None = None
) -> Truth:
    spaces = [content for key, content in before if key.resource == "namespaces"]
    known = {content["metadata"]["name"] for content in spaces}
    used = {key.namespace for key, _ in [*before, *(after or [])] if key.namespace} - known
    spaces += [samples.namespace(name)[1] for name in sorted(used)]
    membership = Membership(scope_of(spec or {}), spaces)
    return record(before, before if after is None else after, membership, head(spec))


def metadata_only(pairs: list[Pair]) -> list[Pair]:
    return [
        (key, {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
               "metadata": content["metadata"]})
        for key, content in pairs
    ]  # fmt: skip


def touched(pair: Pair, **metadata: str) -> Pair:
    key, content = pair[0], copy.deepcopy(pair[1])
    content["metadata"].update({"resourceVersion": "999999", **metadata})
    return key, content


def required(truth: Truth) -> set[str]:
    return {str(key) for key, entry in truth.entries.items() if entry.required}


def test_what_did_not_change_is_strict() -> None:
    pairs = samples.shop()
    for after in (pairs, metadata_only(pairs), list(reversed(pairs))):
        truth = recorded(pairs, after)
        assert {entry.seen for entry in truth.entries.values()} == {Seen.STRICT}
        assert truth.count(Seen.STRICT) == len(pairs)


def test_what_was_written_meanwhile_is_told_apart() -> None:
    names = ("old", "gone", "new", "anew")
    old, gone, new, anew = (samples.config_map(name=name) for name in names)
    truth = recorded([old, gone, anew], [touched(old), new, touched(anew, uid="another")])
    entries = truth.entries
    assert entries[old[0]].seen is Seen.CHANGED
    assert entries[old[0]].required
    assert entries[old[0]].digests_after == entries[old[0]].digests
    assert entries[gone[0]].seen is Seen.DELETED
    assert entries[new[0]].seen is Seen.CREATED
    assert not entries[new[0]].required
    assert entries[anew[0]].seen is Seen.CHANGED
    assert not entries[anew[0]].required
    assert [key for key, entry in entries.items() if entry.replaced] == [anew[0]]


def test_a_second_list_of_metadata_tells_no_content() -> None:
    pair = samples.config_map()
    truth = recorded([pair], metadata_only([touched(pair)]))
    assert truth.entries[pair[0]].seen is Seen.CHANGED
    assert truth.entries[pair[0]].digests_after is None


def test_what_is_out_of_scope_is_counted_with_its_reason() -> None:
    pairs = [samples.config_map("shop"), samples.config_map("team"), samples.secret("team")]
    truth = recorded(pairs, spec={"includedNamespaces": ["shop"]})
    assert required(truth) == {"configmaps/shop/settings"}
    assert [(one.what, one.count) for one in truth.left_out] == [("configmaps", 1), ("secrets", 1)]
    assert "namespace" in truth.left_out[0].why


class TestWhatComesAlong:
    SPEC: dict[str, Any] = {"includedNamespaces": ["shop"]}  # noqa: RUF012

    def test_a_bound_claim_brings_its_volume(self) -> None:
        pairs = [samples.claim(), samples.volume("pvc-1"), samples.volume("pvc-2")]
        truth = recorded(pairs, spec=self.SPEC)
        assert "persistentvolumes/pvc-1" in required(truth)
        assert not truth.entries[parse("persistentvolumes/pvc-2")].required

    def test_a_pending_claim_brings_none(self) -> None:
        key, content = samples.claim()
        content["status"] = {"phase": "Pending"}
        truth = recorded([(key, content), samples.volume("pvc-1")], spec=self.SPEC)
        assert "persistentvolumes/pvc-1" not in required(truth)

    def test_a_pod_brings_a_claim_that_the_selector_misses(self) -> None:
        pod = samples.pod(volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
        pod[1]["metadata"]["labels"] = {"a": "1"}
        spec = {"labelSelector": {"matchLabels": {"a": "1"}}}
        pairs = [pod, samples.claim(), samples.claim(name="other"), samples.volume("pvc-1")]
        found = required(recorded(pairs, spec=spec))
        assert {"persistentvolumeclaims/shop/data", "persistentvolumes/pvc-1"} <= found
        assert "persistentvolumeclaims/shop/other" not in found

    def test_a_service_account_brings_its_cluster_roles(self) -> None:
        api = "rbac.authorization.k8s.io/v1"
        role = samples.make("clusterroles.rbac.authorization.k8s.io", api, "ClusterRole", "", "r")
        binding = samples.make(
            "clusterrolebindings.rbac.authorization.k8s.io", api, "ClusterRoleBinding", "", "b",
            roleRef={"kind": "ClusterRole", "name": "r"},
            subjects=[{"kind": "ServiceAccount", "namespace": "shop", "name": "web"}],
        )  # fmt: skip
        brought = {"clusterroles.rbac.authorization.k8s.io/r",
                   "clusterrolebindings.rbac.authorization.k8s.io/b"}  # fmt: skip
        with_account = recorded([role, binding, samples.account()], spec=self.SPEC)
        assert brought <= required(with_account)
        without = recorded([role, binding, samples.account(name="other")], spec=self.SPEC)
        assert not brought & required(without)

    def test_a_custom_resource_brings_its_definition(self) -> None:
        api = "apiextensions.k8s.io/v1"
        kind = "customresourcedefinitions.apiextensions.k8s.io"
        pairs = [
            samples.make("widgets.example.org", "example.org/v1", "Widget", "shop", "w"),
            samples.make(kind, api, "CustomResourceDefinition", "", "widgets.example.org"),
            samples.make(kind, api, "CustomResourceDefinition", "", "others.example.org"),
        ]
        found = required(recorded(pairs, spec=self.SPEC))
        assert f"{kind}/widgets.example.org" in found
        assert f"{kind}/others.example.org" not in found

    def test_an_object_brings_its_namespace(self) -> None:
        spec = {"labelSelector": {"matchLabels": {"a": "1"}}}
        inside = samples.config_map("shop")
        inside[1]["metadata"]["labels"] = {"a": "1"}
        pairs = [inside, samples.namespace("shop"), samples.namespace("empty")]
        assert required(recorded(pairs, spec=spec)) == {
            "configmaps/shop/settings",
            "namespaces/shop",
        }

    def test_what_is_excluded_is_not_brought(self) -> None:
        spec = {**self.SPEC, "includeClusterResources": False}
        truth = recorded([samples.claim(), samples.volume("pvc-1")], spec=spec)
        assert parse("persistentvolumes/pvc-1") not in truth.entries


def test_equal_secrets_do_not_look_equal() -> None:
    one, other = samples.secret(name="one"), samples.secret(name="other")
    truth = recorded([one, other])
    first, second = truth.entries[one[0]].digests, truth.entries[other[0]].digests
    assert first is not None
    assert second is not None
    assert first.by_name()["data"] != second.by_name()["data"]


def test_lists_get_what_the_api_leaves_out_of_items() -> None:
    item = {"metadata": {"name": "web", "namespace": "shop"}}
    key, content = next(listed("deployments.apps", "apps/v1", "Deployment", [item]))
    assert key == ObjectKey("deployments.apps", "shop", "web")
    assert (content["apiVersion"], content["kind"]) == ("apps/v1", "Deployment")
    assert "kind" not in item


@pytest.mark.parametrize("missing", ["kind", "apiVersion", "uid", "resourceVersion"])
def test_an_object_without_identity_is_refused(missing: str) -> None:
    key, content = samples.config_map()
    content.pop(missing, None)
    content["metadata"].pop(missing, None)
    with pytest.raises(RecordError, match="configmaps/shop/settings has no"):
        recorded([(key, content)])


def test_lists_must_enclose_the_backup() -> None:
    assert encloses(head(), minutes(1), minutes(5)) == ""
    assert encloses(head(), minutes(2), minutes(4)) == ""
    # The API cuts off what is below a second.
    assert encloses(head(), minutes(1) - datetime.timedelta(seconds=0.5), minutes(4)) == ""
    assert "first list" in encloses(head(), minutes(0.5), minutes(4))
    assert "second list" in encloses(head(), minutes(2), minutes(5.5))


class TestFile:
    def written(self, truth: Truth) -> bytes:
        out = io.BytesIO()
        truth_file.write(truth, out)
        return out.getvalue()

    def whole(self) -> Truth:
        pairs = [*samples.shop(), samples.config_map("team", "x" * 253)]
        anew = touched(pairs[4], uid="another")
        after = [touched(pairs[3]), anew, *pairs[5:], samples.config_map(name="new")]
        return recorded(pairs, after, spec={"excludedNamespaces": ["team"]})

    def test_it_is_read_back_as_it_was(self) -> None:
        truth = self.whole()
        assert truth_file.read(io.BytesIO(self.written(truth))) == truth
        assert [entry.replaced for entry in truth.entries.values()].count(True) == 1

    def test_the_same_truth_gives_the_same_bytes(self) -> None:
        truth = self.whole()
        backwards = dataclasses.replace(truth, entries=dict(reversed(list(truth.entries.items()))))
        assert self.written(truth) == self.written(backwards)

    def test_it_holds_no_content(self) -> None:
        pair = samples.secret(password="aHVudGVyMmh1bnRlcjI=")
        pair[1]["metadata"]["annotations"] = {"note": "hunter2hunter2"}
        text = gzip.decompress(self.written(recorded([pair])))
        assert b"unter" not in text
        assert b"aHVu" not in text

    def test_an_empty_truth_is_one(self) -> None:
        truth = recorded([])
        assert truth_file.read([self.written(truth)]) == truth

    def cause(self, data: bytes) -> Cause:
        with pytest.raises(TruthError) as caught:
            truth_file.read(io.BytesIO(data))
        assert "\n" not in str(caught.value)
        return caught.value.cause

    def changed(self, edit: Any) -> bytes:
        lines = gzip.decompress(self.written(self.whole())).splitlines(keepends=True)
        return gzip.compress(b"".join(edit(lines)), mtime=0)

    def test_cut_off_anywhere_it_is_none(self) -> None:
        data = self.written(self.whole())
        for length in range(0, len(data), 37):
            assert self.cause(data[:length]) in (Cause.TRUNCATED, Cause.NOT_GZIP)

    @given(st.data())
    def test_a_flipped_bit_is_never_overlooked(self, data: st.DataObject) -> None:
        flipped = bytearray(FILE)
        place = data.draw(st.integers(10, len(FILE) - 1))
        flipped[place] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(TruthError):
            truth_file.read([bytes(flipped)])

    def test_lost_lines_are_noticed(self) -> None:
        assert self.cause(self.changed(lambda lines: lines[:-1])) is Cause.TRUNCATED
        assert self.cause(self.changed(lambda lines: lines[:3] + lines[4:])) is Cause.TRUNCATED

    def test_a_changed_line_is_noticed(self) -> None:
        def edit(lines: list[bytes]) -> list[bytes]:
            return [line.replace(b'"required":true', b'"required":false') for line in lines]

        assert self.cause(self.changed(edit)) is Cause.DAMAGED

    def test_lines_after_the_end_are_noticed(self) -> None:
        assert self.cause(self.changed(lambda lines: [*lines, lines[-1]])) is Cause.DAMAGED

    def test_other_files_are_refused(self) -> None:
        assert self.cause(b"{}") is Cause.NOT_GZIP
        assert self.cause(gzip.compress(b"{}\n", mtime=0)) is Cause.UNKNOWN_SCHEMA
        assert self.cause(gzip.compress(b"[]\n", mtime=0)) is Cause.DAMAGED
        assert self.cause(gzip.compress(b"", mtime=0)) is Cause.TRUNCATED
        assert self.cause(gzip.compress(b"x" * 100_000, mtime=0)) is Cause.TOO_LARGE
        later = json.dumps({"kind": truth_file.KIND, "schema": 99}).encode()
        assert self.cause(gzip.compress(later + b"\n", mtime=0)) is Cause.UNKNOWN_SCHEMA

    @pytest.mark.parametrize("field", ["key", "uid", "versions", "seen", "required", "sections"])
    def test_a_line_that_lacks_something_is_refused(self, field: str) -> None:
        def edit(lines: list[bytes]) -> list[bytes]:
            content = json.loads(lines[2])
            del content[field]
            return [*lines[:2], json.dumps(content).encode() + b"\n", *lines[3:]]

        assert self.cause(self.changed(edit)) is Cause.DAMAGED


FILE = TestFile().written(TestFile().whole())
