"""Truth and backup."""

import copy
from typing import Any

import pytest

from drills.objects.against_truth import compare
from drills.objects.findings import Comparison, FindingKind
from drills.objects.truth import Truth
from tests.drills.objects import samples
from tests.drills.objects.samples import Pair
from tests.drills.objects.test_truth import metadata_only, recorded, touched

LOST, ADDED, CHANGED = FindingKind.LOST, FindingKind.ADDED, FindingKind.CHANGED


def told(comparison: Comparison) -> list[tuple[FindingKind, str, tuple[str, ...]]]:
    return [
        (one.kind, str(one.key), tuple(field.path for field in one.fields))
        for one in comparison.findings
    ]


def edited(pair: Pair, edit: Any) -> Pair:
    key, content = pair[0], copy.deepcopy(pair[1])
    edit(content)
    return key, content


def skipped(comparison: Comparison) -> dict[str, int]:
    return {f"{one.what}: {one.why}": one.count for one in comparison.not_compared}


def test_a_whole_backup_is_as_recorded() -> None:
    pairs = samples.shop()
    found = compare(recorded(pairs), pairs)
    assert found.findings == ()
    assert found.count == len(pairs)
    assert found.compared["deployments.apps"] == 1
    assert found.not_compared == ()


@pytest.mark.parametrize("dropped", range(len(samples.shop())))
def test_a_dropped_object_is_lost(dropped: int) -> None:
    pairs = samples.shop()
    held = pairs[:dropped] + pairs[dropped + 1 :]
    assert told(compare(recorded(pairs), held)) == [(LOST, str(pairs[dropped][0]), ())]


def test_nothing_at_all_is_everything_lost() -> None:
    pairs = samples.shop()
    found = compare(recorded(pairs), [])
    assert {kind for kind, _, _ in told(found)} == {LOST}
    assert len(found.findings) == len(pairs)


def test_no_truth_and_no_backup_compare_nothing() -> None:
    assert compare(recorded([]), []).nothing


@pytest.mark.parametrize(
    ("edit", "sections"),
    [
        (lambda c: c["spec"].update(replicas=4), ("spec",)),
        (lambda c: c["metadata"]["labels"].update(team="b"), ("metadata.labels",)),
        (lambda c: c["metadata"]["annotations"].clear(), ("metadata.annotations",)),
        (lambda c: c["status"].update(replicas=0), ("status",)),
        (lambda c: c.update(apiVersion="apps/v9"), ("apiVersion",)),
        (lambda c: c["metadata"].update(uid="other"), ("metadata.uid",)),
        (lambda c: c["metadata"].update(resourceVersion="7"), ("metadata.resourceVersion",)),
        (lambda c: c.pop("spec"), ("spec",)),
        (lambda c: c.update(extra={"a": 1}), ("extra",)),
    ],
)
def test_a_changed_object_is_named_with_its_sections(edit: Any, sections: tuple[str, ...]) -> None:
    pairs = samples.shop()
    held = [edited(pair, edit) if pair[0].plural == "deployments" else pair for pair in pairs]
    assert told(compare(recorded(pairs), held)) == [
        (CHANGED, "deployments.apps/shop/web", sections)
    ]


def test_an_object_that_nobody_saw_is_added() -> None:
    pairs = samples.shop()
    extra = samples.config_map(name="planted")
    found = compare(recorded(pairs), [*pairs, extra])
    assert told(found) == [(ADDED, "configmaps/shop/planted", ())]


def test_what_the_scope_leaves_out_must_not_be_there() -> None:
    pairs = [samples.config_map("shop"), samples.config_map("team")]
    truth = recorded(pairs, spec={"includedNamespaces": ["shop"]})
    assert told(compare(truth, pairs)) == [(ADDED, "configmaps/team/settings", ())]
    found = compare(truth, pairs[:1])
    assert found.findings == ()
    assert "out of the backup's scope" in next(iter(skipped(found)))


def test_what_came_and_went_is_counted() -> None:
    pairs = samples.shop()
    brief = samples.config_map(name="brief")
    brief[1]["metadata"]["creationTimestamp"] = "2026-03-01T12:03:00Z"
    found = compare(recorded(pairs), [*pairs, brief])
    assert found.findings == ()
    assert list(skipped(found).values()) == [1]
    assert "younger than the first list" in next(iter(skipped(found)))


def test_what_the_backup_takes_itself_is_counted() -> None:
    pairs = samples.shop()
    snapshot = samples.make(
        "volumesnapshots.snapshot.storage.k8s.io", "snapshot.storage.k8s.io/v1", "VolumeSnapshot",
        "shop", "velero-data-x",
    )  # fmt: skip
    found = compare(recorded(pairs), [*pairs, snapshot])
    assert found.findings == ()
    assert found.not_compared[0].examples == (str(snapshot[0]),)


class TestWrittenMeanwhile:
    old = samples.deployment()
    new = edited(touched(old), lambda c: c["spec"].update(replicas=9))

    def truth(self, after: list[Pair]) -> Truth:
        return recorded([self.old], after)

    def test_either_state_will_do(self) -> None:
        for held in (self.old, self.new):
            found = compare(self.truth([self.new]), [held])
            assert found.findings == ()
            assert found.count == 1

    def test_a_third_state_is_not_judged(self) -> None:
        third = edited(self.old, lambda c: c["spec"].update(replicas=5))
        found = compare(self.truth([self.new]), [third])
        assert found.findings == ()
        assert found.nothing
        assert "neither of its two states" in next(iter(skipped(found)))

    def test_with_metadata_alone_only_the_first_state_is_known(self) -> None:
        truth = self.truth(metadata_only([self.new]))
        assert compare(truth, [self.old]).count == 1
        assert compare(truth, [self.new]).nothing

    def test_it_was_there_all_the_time_so_it_must_be_saved(self) -> None:
        assert told(compare(self.truth([self.new]), [])) == [(LOST, str(self.old[0]), ())]

    def test_made_anew_it_may_be_missing(self) -> None:
        anew = touched(self.old, uid="another")
        for held in ([], [anew]):
            found = compare(self.truth([anew]), held)
            assert found.findings == ()
            assert "created anew" in next(iter(skipped(found)))

    def test_deleted_or_created_it_may_be_there_or_not(self) -> None:
        for truth in (self.truth([]), recorded([], [self.old])):
            for held in ([], [self.old]):
                found = compare(truth, held)
                assert found.findings == ()
                assert found.nothing


def test_what_nothing_refers_to_may_be_missing() -> None:
    pairs = [samples.claim(), samples.volume("pvc-1"), samples.volume("pvc-2")]
    truth = recorded(pairs, spec={"includedNamespaces": ["shop"]})
    assert compare(truth, pairs).findings == ()
    assert compare(truth, pairs[:2]).findings == ()
    assert told(compare(truth, pairs[::2])) == [(LOST, "persistentvolumes/pvc-1", ())]


def node(name: str = "cp1") -> Pair:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return samples.make("nodes", "v1", "Node", "", name, spec={}, status=status)


def test_a_node_that_reports_its_health_meanwhile_was_not_made_anew() -> None:
    """Nobody asks for it, so it may be missing; and that is all there is to say."""
    known = [samples.config_map(), node()]
    truth = recorded(known, [known[0], touched(node())], spec={"includedNamespaces": ["shop"]})
    found = compare(truth, known[:1])
    assert found.findings == ()
    assert skipped(found) == {
        "nodes: only an object that refers to it brings it into the backup": 1
    }


def test_a_node_that_was_really_made_anew_is_told_as_that() -> None:
    known, anew = [samples.config_map(), node()], touched(node(), uid="another")
    truth = recorded(known, [known[0], anew], spec={"includedNamespaces": ["shop"]})
    found = compare(truth, known[:1])
    assert skipped(found) == {"nodes: it was deleted and created anew while the backup ran": 1}


def test_what_velero_changes_in_a_claim_is_not_the_claim_s() -> None:
    def save(content: dict[str, Any]) -> None:
        metadata = content["metadata"]
        metadata["labels"] = {"velero.io/backup-name": "b", "velero.io/volume-snapshot-name": "s"}
        metadata["annotations"] |= {
            "velero.io/volume-snapshot-name": "s",
            "backup.velero.io/must-include-additional-items": "true",
        }
        content["spec"]["resources"]["requests"]["storage"] = "2Gi"

    claim = samples.claim()
    truth = recorded([claim])
    found = compare(truth, [edited(claim, save)])
    assert found.findings == ()
    assert {one.path: one.count for one in found.owned}["spec.resources.requests.storage"] == 1
    other = edited(claim, lambda c: c["spec"].update(storageClassName="slow"))
    assert told(compare(truth, [other])) == [(CHANGED, str(claim[0]), ("spec",))]
