"""Backup and live cluster."""

import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from drills.objects.against_live import compare
from drills.objects.findings import Comparison, FindingKind
from drills.objects.scope import Membership
from drills.velero_filters import scope_of
from tests.drills.objects import samples
from tests.drills.objects.samples import Pair
from tests.drills.objects.test_against_truth import edited, skipped, told
from tests.drills.objects.test_truth import touched

LOST, CHANGED = FindingKind.LOST, FindingKind.CHANGED
BEGAN = datetime.datetime(2026, 2, 1, 3, 0, 0, 500_000, tzinfo=datetime.UTC)


def compared(
    backup: list[Pair], live: list[Pair], spec: Mapping[str, Any] | None = None
) -> Comparison:
    namespaces = [content for key, content in live if key.resource == "namespaces"]
    names = {key.namespace for key, _ in live if key.namespace}
    known = namespaces or [{"metadata": {"name": name}} for name in names]
    membership = Membership(scope_of(spec or {}), known)
    return compare(backup, live, membership, BEGAN, b"salt" * 8)


def namespaced() -> list[Pair]:
    return [pair for pair in samples.shop() if pair[0].namespace]


def test_what_was_not_written_since_is_compared_and_equal() -> None:
    pairs = namespaced()
    found = compared(pairs, pairs)
    assert found.findings == ()
    assert found.count == len(pairs)
    assert found.not_compared == ()


@pytest.mark.parametrize("dropped", range(len(namespaced())))
def test_an_object_older_than_the_backup_and_not_in_it_is_lost(dropped: int) -> None:
    pairs = namespaced()
    backup = pairs[:dropped] + pairs[dropped + 1 :]
    assert told(compared(backup, pairs)) == [(LOST, str(pairs[dropped][0]), ())]


def test_a_changed_field_under_the_same_version_is_found_by_its_section() -> None:
    pairs = namespaced()
    place = next(i for i, (key, _) in enumerate(pairs) if key.resource == "deployments.apps")
    saved = [*pairs]
    saved[place] = edited(pairs[place], lambda content: content["spec"].update(replicas=99))
    assert told(compared(saved, pairs)) == [(CHANGED, str(pairs[place][0]), ("spec",))]


def test_a_secrets_change_shows_no_content() -> None:
    pairs = namespaced()
    place = next(i for i, (key, _) in enumerate(pairs) if key.resource == "secrets")
    saved = [*pairs]
    saved[place] = edited(pairs[place], lambda content: content.update(data={"k": "aHVudGVyMg=="}))
    (finding,) = compared(saved, pairs).findings
    assert finding.kind is CHANGED
    assert "hunter2" not in str(finding)
    assert "aHVudGVyMg" not in str(finding)


def test_what_was_written_since_says_nothing() -> None:
    pairs = namespaced()
    live = [touched(pairs[0]), *pairs[1:]]
    found = compared(pairs, live)
    assert found.findings == ()
    assert found.count == len(pairs) - 1
    assert list(skipped(found).values()) == [1]


def test_what_is_gone_or_was_made_anew_says_nothing() -> None:
    pairs = namespaced()
    anew = edited(pairs[0], lambda content: content["metadata"].update(uid="another"))
    found = compared(pairs, [anew, *pairs[2:]])
    assert found.findings == ()
    assert {why.rpartition(": ")[2] for why in skipped(found)} == {
        "it was deleted and made anew since the backup began",
        "it is gone from the cluster",
    }


@pytest.mark.parametrize(
    ("created", "lost"),
    [
        ("2026-02-01T02:59:59Z", True),
        # In the backup's first second nobody can tell which came first.
        ("2026-02-01T03:00:00Z", False),
        ("2026-03-01T00:00:00Z", False),
    ],
)
def test_only_what_is_older_than_the_backup_must_be_in_it(created: str, lost: bool) -> None:
    pairs = namespaced()
    young = edited(pairs[0], lambda content: content["metadata"].update(creationTimestamp=created))
    found = compared(pairs[1:], [young, *pairs[1:]])
    assert bool(found.findings) is lost


def test_what_the_scope_leaves_out_is_no_loss_and_is_named() -> None:
    pairs = namespaced()
    found = compared([], pairs, {"excludedNamespaces": ["shop"]})
    assert found.findings == ()
    assert found.nothing
    assert sum(skipped(found).values()) == len(pairs)
    assert all("out of the backup's scope" in why for why in skipped(found))


def test_an_empty_backup_of_a_full_cluster_is_everything_lost() -> None:
    pairs = namespaced()
    assert len(compared([], pairs).findings) == len(pairs)
