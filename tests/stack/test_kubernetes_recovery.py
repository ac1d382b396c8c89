"""What an interrupted run left in a cluster, and what becomes of it."""

import json
from typing import Any

import pytest

from stack import checkpoint
from stack.kubernetes_recovery import Found, Record, address, managers
from stack.recovery import adopted, plan, refusals
from stack.steps import Action, Step
from tests.stack import deployments as made
from tests.stack.test_recovery_plan import NotAsked, Seen

SECRET = "kubernetes:core/v1:Secret"
RELEASE = "kubernetes:helm.sh/v3:Release"


def secret(name: str = "velero-store-1", **fields: Any) -> dict[str, Any]:
    inputs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "velero"},
        "stringData": made.secret({"cloud": "x"}),
    }
    return made.resource(SECRET, "store-secret", **{"inputs": inputs, **fields})


def release(**fields: Any) -> dict[str, Any]:
    inputs = {"name": "velero", "namespace": "velero", "chart": "velero"}
    return made.resource(RELEASE, "velero", **{"inputs": inputs, **fields})


def created(resource: dict[str, Any], seen: Seen, *resources: dict[str, Any]) -> Step:
    (step,) = plan(made.state(list(resources), [resource]), "dev", seen)
    return step


def test_an_object_that_was_never_made_is_made_again() -> None:
    step = created(secret(), Seen())
    assert (step.action, step.why) == (
        Action.CLEAR,
        "Secret velero/velero-store-1 does not exist, so it is created again",
    )


def test_an_object_with_our_mark_is_adopted_as_one_that_failed_half_way() -> None:
    found = Found("dev", namespaced=True, managers=("kubectl", "pulumi-kubernetes-0f"))
    step = created(secret(), Seen(found=found))
    assert (step.action, step.read_back) == (Action.ADOPT, False)
    assert step.fields["id"] == "velero/velero-store-1"
    assert step.fields["initErrors"]  # makes the next update write it again and wait for it
    assert step.fields["outputs"]["__fieldManager"] == "pulumi-kubernetes-0f"
    # As the state has it: a secret stays in its wrapping.
    assert step.fields["inputs"] == secret()["inputs"]


def test_an_object_without_a_namespace_has_a_bare_id() -> None:
    step = created(secret(), Seen(found=Found("dev", namespaced=False)))
    assert step.fields["id"] == "velero-store-1"
    assert "__fieldManager" not in step.fields["outputs"]


@pytest.mark.parametrize(
    ("owner", "whose"), [(None, "does not bear our mark"), ("prod", "belongs to site prod")]
)
def test_an_object_of_somebody_else_is_refused_by_name(owner: str | None, whose: str) -> None:
    step = created(secret(), Seen(found=Found(owner, namespaced=True)))
    assert step.action is Action.REFUSE
    assert step.why.startswith(f"Secret velero/velero-store-1 exists and {whose}: if it is this ")
    assert "label it backstop-site=dev" in step.why
    assert (refusals([step]), adopted([step])) == ([step.why], {})


def test_fields_of_somebody_elses_object_are_applied_again_without_a_look() -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    patch = made.resource("kubernetes:core/v1:NamespacePatch", "patch", inputs=inputs)
    (step,) = plan(made.state([], [patch]), "dev", NotAsked())
    assert (step.action, step.why) == (Action.CLEAR, "the same fields are applied again")


def test_a_kind_that_is_itself_called_patch_is_an_object() -> None:
    inputs = {"apiVersion": "x.dev/v1", "kind": "EnvoyPatch", "metadata": {"name": "a"}}
    step = created(made.resource("kubernetes:x.dev/v1:EnvoyPatch", "p", inputs=inputs), Seen())
    assert step.why.startswith("EnvoyPatch default/a does not exist")


def test_a_replacement_under_another_name_is_left_to_the_operator_only_if_it_exists() -> None:
    former = secret("velero-store-0", id="velero/velero-store-0")
    assert created(secret(), Seen(), former).action is Action.CLEAR
    there = Seen(found=Found("dev", namespaced=True))
    assert created(secret(), there, former).action is Action.REFUSE
    same = secret(id="velero/velero-store-1")
    assert created(secret(), there, same).why == "a later run has created it already"


@pytest.mark.parametrize(
    ("record", "action", "removed"),
    [
        (None, Action.CLEAR, None),
        (Record("dev", "pending-install", 1), Action.CLEAR, "sh.helm.release.v1.velero.v1"),
        (Record("dev", "deployed", 1), Action.ADOPT, None),
        (Record("dev", "failed", 1), Action.ADOPT, None),
        (Record("dev", "pending-upgrade", 3), Action.ADOPT, "sh.helm.release.v1.velero.v3"),
        (Record(None, "deployed", 1), Action.REFUSE, None),
        (Record("prod", "pending-install", 1), Action.REFUSE, None),
    ],
)
def test_a_release_is_judged_by_helms_newest_record(
    record: Record | None, action: Action, removed: str | None
) -> None:
    step = created(release(), Seen(record=record))
    assert step.action is action
    assert step.record == (("velero", removed) if removed else None)
    if action is Action.ADOPT:
        assert step.fields["id"] == "velero/velero"
        assert step.fields["initErrors"]


def test_a_release_in_a_foreign_namespace_says_what_to_do() -> None:
    step = created(release(), Seen(record=Record(None, "deployed", 1)))
    assert step.why == (
        "Helm release velero/velero exists and its namespace does not bear our mark: if it is this "
        "site's, label the namespace backstop-site=dev and run again, otherwise give ours another "
        "name"
    )


def test_only_an_upgrade_that_helm_did_not_end_is_in_the_way() -> None:
    state = made.state([release(id="velero/velero")], updating=[release(id="velero/velero")])
    (step,) = plan(state, "dev", Seen(record=Record("dev", "pending-upgrade", 4)))
    assert (step.action, step.record) == (Action.CLEAR, ("velero", "sh.helm.release.v1.velero.v4"))
    assert plan(state, "dev", Seen(record=Record("dev", "deployed", 4))) == []
    assert plan(state, "dev", Seen()) == []


def test_a_removal_that_had_begun_is_carried_through_where_nothing_needs_the_thing() -> None:
    gone = secret(id="velero/velero-store-1")
    (step,) = plan(made.state([gone], deleting=[gone]), "dev", NotAsked())
    assert step.action is Action.FINISH
    needing = made.resource(made.COMMAND, "c", dependencies=[gone["urn"]])
    for others in (
        [gone, needing],
        [{**gone, "protect": True}],
        [{**gone, "delete": True}],
        [gone, {**gone, "delete": True}],
    ):
        assert plan(made.state(others, deleting=[gone]), "dev", NotAsked()) == []


def test_a_plain_update_or_a_bucket_being_deleted_needs_no_step() -> None:
    state = made.state([], updating=[secret()], deleting=[made.bucket("b")])
    assert plan(state, "dev", NotAsked()) == []
    assert [r["urn"] for r in state.unfinished] == [secret()["urn"]]


def test_an_object_without_a_name_is_one_sentence() -> None:
    nameless = made.resource(SECRET, "x", inputs={"apiVersion": "v1", "kind": "Secret"})
    with pytest.raises(ValueError, match=r"x has no metadata\.name"):
        address(nameless, "default")


def test_the_latest_writer_comes_first() -> None:
    entries = [
        {"manager": "old", "time": "2026-11-21T07:00:00Z"},
        {"manager": "new", "time": "2026-11-21T08:00:00Z"},
        {"manager": "timeless"},
    ]
    assert managers({"metadata": {"managedFields": entries}}) == ("new", "old", "timeless")
    assert managers({}) == ()


def test_an_adopted_object_enters_the_state_with_its_fault() -> None:
    found = Found("dev", namespaced=True)
    state = made.state([], [secret()])
    steps = plan(state, "dev", Seen(found=found))
    document = json.loads(checkpoint.adopt(state, adopted(steps)))["deployment"]
    assert document["resources"][-1]["initErrors"]
    assert document["resources"][-1]["id"] == "velero/velero-store-1"
