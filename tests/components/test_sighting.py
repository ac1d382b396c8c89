"""What is found on a store is taken over or refused, each by its mark."""

from typing import Any

import pytest

from components.object_store.buckets import Bucket, declared_buckets
from components.object_store.sighting import Sighting, judge
from s3.ownership import BucketFacts, policy_mark
from tests.support.recorder import named, record, settings_with

OURS = BucketFacts({"backstop-site": "dev"}, empty=False, object_lock=False)


def bucket(lock_days: int | None = None) -> Bucket:
    return Bucket("velero", "dev-velero", 30, None, "GOVERNANCE" if lock_days else None, lock_days)


def policy(*sids: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", **({"Sid": sid} if sid else {})} for sid in sids]}


def seen(facts: BucketFacts | None, lock_days: int | None = None) -> Sighting:
    return judge("dev", {bucket(lock_days): facts}, {})


@pytest.mark.parametrize("facts", [OURS, BucketFacts({}, empty=True, object_lock=False)])
def test_a_bucket_with_our_mark_or_with_nothing_is_taken_over(facts: BucketFacts) -> None:
    assert seen(facts) == Sighting((), frozenset({"dev-velero"}))


def test_a_bucket_that_is_not_there_is_neither_taken_nor_a_fault() -> None:
    assert seen(None) == Sighting((), frozenset())


@pytest.mark.parametrize(
    ("facts", "lock_days", "words"),
    [
        (
            BucketFacts({"backstop-site": "prod"}, empty=True, object_lock=False),
            None,
            "bucket dev-velero belongs to site prod, not to dev: choose another bucket name",
        ),
        (
            BucketFacts({}, empty=False, object_lock=False),
            None,
            "bucket dev-velero holds data and not our mark: if it is this site's, tag it",
        ),
        (
            BucketFacts({"team": "web"}, empty=True, object_lock=False),
            None,
            "bucket dev-velero bears tags of somebody else and not our mark",
        ),
        (
            OURS,
            14,
            "bucket dev-velero was made without object lock, which only its creation can set: "
            "take objectLock out of its config",
        ),
    ],
)
def test_any_other_bucket_is_one_sentence_with_its_key(
    facts: BucketFacts, lock_days: int | None, words: str
) -> None:
    found = seen(facts, lock_days)
    (fault,) = found.faults
    assert fault.startswith(words)
    assert fault.endswith("(config backstop:clients.velero)")
    assert found.buckets == frozenset()


def test_our_policy_is_written_over_in_whatever_order_its_statements_come() -> None:
    found = judge("dev", {}, {"dev-velero": policy("", policy_mark("dev"))})
    assert found == Sighting((), frozenset())


@pytest.mark.parametrize(
    ("document", "whose"),
    [
        (policy(policy_mark("prod")), "belongs to site prod, not to dev"),
        (policy(""), "does not bear our mark"),
        (policy("backstop"), "does not bear our mark"),
        ({}, "does not bear our mark"),
    ],
)
def test_a_policy_of_somebody_else_is_not_written_over(
    document: dict[str, Any], whose: str
) -> None:
    (fault,) = judge("dev", {}, {"dev-velero": document}).faults
    assert fault.startswith(f"policy dev-velero {whose}: give this site another name")


def test_what_was_seen_is_imported_and_nothing_else() -> None:
    site = settings_with()
    names = {each.role: each.name for each in declared_buckets(site)}
    found = record(site, buckets=frozenset({names["velero"]}))
    assert named(found, "velero-bucket").request.importId == "dev-velero"
    others = [one.request.importId for one in found if one.name != "velero-bucket"]
    assert set(others) == {""}


def test_leftover_users_go_once_and_after_the_drill() -> None:
    found = record(settings_with())
    step = named(found, "retired-users")
    assert list(step.request.ignoreChanges) == ["stdin"]
    assert any(urn.endswith("::drill-store") for urn in step.request.dependencies)
    assert "stdin" in step.secret_inputs
