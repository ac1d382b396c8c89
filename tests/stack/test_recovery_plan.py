"""What becomes of each resource whose creation was interrupted."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from s3.ownership import BucketFacts
from stack import checkpoint
from stack.kubernetes_recovery import Address, Found, Record, address
from stack.recovery import adopted, plan, refusals
from stack.steps import Action, Step
from tests.stack import deployments as made

OURS = BucketFacts({"backstop-site": "dev"}, empty=False, object_lock=False)
FRESH = BucketFacts({}, empty=True, object_lock=False)


@dataclass
class Seen:
    """A world that answers every look with the same facts."""

    facts: BucketFacts | None = None
    found: Found | None = None
    record: Record | None = None

    def bucket(self, _: checkpoint.Resource) -> BucketFacts | None:
        return self.facts

    def object(self, resource: checkpoint.Resource) -> tuple[Address, Found | None]:
        return address(resource, "default"), self.found

    def release(self, _: checkpoint.Resource) -> Record | None:
        return self.record


class NotAsked:
    """A world that must not be looked at."""

    def bucket(self, resource: checkpoint.Resource) -> BucketFacts | None:
        raise AssertionError(f"{resource['urn']} is no bucket")

    def object(self, resource: checkpoint.Resource) -> tuple[Address, Found | None]:
        raise AssertionError(f"{resource['urn']} is no object")

    def release(self, resource: checkpoint.Resource) -> Record | None:
        raise AssertionError(f"{resource['urn']} is no release")


def only_step(
    creating: dict[str, Any],
    facts: BucketFacts | None = None,
    resources: list[dict[str, Any]] | None = None,
    chosen: dict[str, str] | None = None,
) -> Step:
    state = made.state([made.store_provider(), *(resources or [])], [creating])
    (step,) = plan(state, "dev", Seen(facts), chosen)
    return step


@pytest.mark.parametrize(
    "token",
    [
        "command:local:Command",
        "command:remote:Command",
        "command:remote:CopyToRemote",
        "pulumi:providers:minio",
        "minio:index/iamUser:IamUser",
        "minio:index/iamPolicy:IamPolicy",
        "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
        "minio:index/s3BucketPolicy:S3BucketPolicy",
        "minio:index/s3BucketVersioning:S3BucketVersioning",
        "minio:index/ilmPolicy:IlmPolicy",
    ],
)
def test_what_a_second_create_writes_over_is_cleared_without_a_look(token: str) -> None:
    state = made.state([made.store_provider()], [made.resource(token, "x")])
    (step,) = plan(state, "dev", NotAsked())
    assert step.action is Action.CLEAR


@pytest.mark.parametrize("token", ["backstop:index:StoreAccess", "pulumi:pulumi:Stack"])
def test_a_component_exists_in_the_state_only_and_is_cleared(token: str) -> None:
    state = made.state(creating=[made.resource(token, "x", custom=False)])
    (step,) = plan(state, "dev", NotAsked())
    assert (step.action, step.why) == (Action.CLEAR, "a component exists in the state only")


def test_a_bucket_that_was_never_made_is_cleared() -> None:
    step = only_step(made.bucket("dev-velero"), facts=None)
    assert step.action is Action.CLEAR
    assert "does not exist" in step.why


@pytest.mark.parametrize("facts", [OURS, FRESH])
def test_a_bucket_of_ours_is_adopted_by_its_name(facts: BucketFacts) -> None:
    step = only_step(made.bucket("dev-velero"), facts)
    assert step.action is Action.ADOPT
    assert step.fields["id"] == "dev-velero"


def test_an_adopted_bucket_forgets_what_may_not_have_been_set() -> None:
    # The plugin sets the quota in a second request and never reads it back.
    step = only_step(made.bucket("dev-velero"), FRESH)
    assert step.fields["inputs"] == {"bucket": "dev-velero"}
    assert step.fields["outputs"] == {"bucket": "dev-velero"}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            BucketFacts({"backstop-site": "prod"}, empty=True, object_lock=False),
            "bucket dev-velero belongs to site prod, not to dev",
        ),
        (
            BucketFacts({}, empty=False, object_lock=False),
            "bucket dev-velero holds data and not our mark: if it is this site's, tag it "
            "backstop-site=dev",
        ),
        (
            BucketFacts({"team": "web"}, empty=True, object_lock=False),
            "bucket dev-velero bears tags of somebody else and not our mark",
        ),
    ],
)
def test_a_bucket_of_somebody_else_is_refused_by_name(facts: BucketFacts, words: str) -> None:
    step = only_step(made.bucket("dev-velero"), facts)
    assert step.action is Action.REFUSE
    assert step.why.startswith(words)
    assert refusals([step]) == [step.why]
    assert adopted([step]) == {}


def test_a_bucket_without_the_lock_it_should_have_is_refused() -> None:
    wanted = made.bucket("dev-velero", inputs={"objectLocking": True})
    assert only_step(wanted, FRESH).why.startswith("bucket dev-velero was made without object lock")
    locked = BucketFacts({}, empty=True, object_lock=True)
    assert only_step(wanted, locked).action is Action.ADOPT


def test_what_a_later_run_created_is_cleared_without_a_look() -> None:
    creating = made.bucket("dev-velero")
    state = made.state([made.store_provider(), made.bucket("dev-velero", id="x")], [creating])
    (step,) = plan(state, "dev", NotAsked())
    assert (step.action, step.why) == (Action.CLEAR, "a later run has created it already")


def test_a_bucket_under_replacement_is_left_to_the_operator() -> None:
    old = {**made.bucket("dev-old", id="dev-old"), "urn": made.urn(made.BUCKET, "b")}
    new = {**made.bucket("dev-new"), "urn": made.urn(made.BUCKET, "b")}
    assert only_step(new, OURS, [old]).action is Action.REFUSE


def test_a_resource_waiting_for_its_deletion_is_not_the_new_one() -> None:
    gone = {**made.bucket("dev-velero", id="dev-velero"), "delete": True}
    assert only_step(made.bucket("dev-velero"), None, [gone]).why.startswith("bucket dev-velero")


def test_an_unknown_type_is_left_to_the_operators_word() -> None:
    release = made.resource("somebody:index/thing:Thing", "velero")
    step = only_step(release)
    assert step.action is Action.REFUSE
    assert f"recover --adopt '{release['urn']}=ID'" in step.why
    assert only_step(release, chosen={release["urn"]: ""}).action is Action.CLEAR
    told = only_step(release, chosen={release["urn"]: "velero/velero"})
    assert (told.action, told.fields["id"]) == (Action.ADOPT, "velero/velero")


def test_only_creates_need_a_decision() -> None:
    state = made.state([], updating=[made.bucket("a")], deleting=[made.bucket("b")])
    assert plan(state, "dev", NotAsked()) == []


def test_adoption_completes_the_state_and_drops_every_pending_operation() -> None:
    provider, creating = made.store_provider(), made.bucket("dev-velero", protect=True)
    command = made.resource(made.COMMAND, "c")
    state = made.state([provider], [creating, command], deleting=[made.bucket("old")])
    steps = plan(state, "dev", Seen(OURS))
    document = json.loads(checkpoint.adopt(state, adopted(steps)))["deployment"]
    assert "pending_operations" not in document
    assert [r["urn"] for r in document["resources"]] == [
        made.ROOT,
        made.PROVIDER,
        creating["urn"],
    ]
    kept = document["resources"][-1]
    assert kept["id"] == "dev-velero"
    assert kept["protect"] is True
    assert kept["provider"] == made.PROVIDER_REFERENCE
