"""What a failed update found to exist already, and what of it enters the state."""

import json
from typing import Any

import pytest

from stack.already_there import added, candidates, found
from stack.checkpoint import Checkpoint
from stack.kubernetes_recovery import Found, Record
from stack.steps import Action
from tests.stack import deployments as made
from tests.stack.test_recovery_plan import Seen

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
OURS = Found("dev", namespaced=True)


def state(*resources: dict[str, Any]) -> Checkpoint:
    return made.state([made.cluster_provider(), *resources])


def preview(*resources: dict[str, Any], op: str = "create") -> str:
    return json.dumps({"steps": [{"op": op, "newState": each} for each in resources]})


def test_what_is_hidden_or_unknown_does_not_enter_the_state() -> None:
    secret = made.kube_secret("store-1")
    secret["inputs"] |= {"stringData": {"cloud": "[secret]"}, "type": UNKNOWN, "immutable": False}
    (only,) = candidates(preview(secret), state())
    assert set(only["inputs"]) == {"apiVersion", "kind", "metadata", "immutable"}
    ((resource, step),) = found([only], "dev", Seen(found=OURS))
    document = json.loads(added(state(), [(resource, step)]))["deployment"]
    assert document["resources"][-1]["id"] == "velero/store-1"
    assert document["resources"][-1]["initErrors"]
    assert "[secret]" not in json.dumps(document)


@pytest.mark.parametrize(
    "resource",
    [
        made.bucket("dev-velero"),
        {**made.kube_secret("a"), "custom": False},
        {**made.kube_secret("a"), "parent": made.urn("backstop:index:Velero", "not-there")},
        {**made.kube_secret("a"), "provider": made.PROVIDER_REFERENCE},
    ],
    ids=["no object", "a component", "parent unknown", "provider unknown"],
)
def test_only_what_can_stand_in_the_state_is_looked_at(resource: dict[str, Any]) -> None:
    assert candidates(preview(resource), state()) == []


def test_an_update_or_import_is_no_creation() -> None:
    assert candidates(preview(made.kube_secret("a"), op="import"), state()) == []
    assert candidates("", state()) == candidates("[]", state()) == []


def test_a_need_that_is_not_in_the_state_yet_is_left_to_the_next_update() -> None:
    there = made.resource(made.COMMAND, "c", id="c1")
    needs = [there["urn"], made.urn(made.COMMAND, "unborn")]
    (only,) = candidates(preview(made.kube_secret("a", dependencies=needs)), state(there))
    assert only["dependencies"] == [there["urn"]]


@pytest.mark.parametrize(
    "seen", [Seen(), Seen(found=Found("prod", True)), Seen(found=Found(None, True))]
)
def test_what_is_not_there_or_not_ours_stays_the_engines_error(seen: Seen) -> None:
    assert found([made.kube_secret("a")], "dev", seen) == []


def test_what_has_no_name_yet_and_fields_of_others_are_passed_over() -> None:
    nameless = made.kube_secret("a")
    nameless["inputs"] = {"apiVersion": "v1", "kind": "Secret"}
    release = made.release()
    release["inputs"] = {}
    patch = made.resource("kubernetes:core/v1:SecretPatch", "p", inputs={"kind": "Secret"})
    seen = Seen(found=OURS, record=Record("dev", "deployed", 1))
    assert found([nameless, release, patch], "dev", seen) == []


def test_a_release_of_ours_is_taken_over_or_freed() -> None:
    ((_, step),) = found([made.release()], "dev", Seen(record=Record("dev", "deployed", 2)))
    assert (step.action, step.record) == (Action.ADOPT, None)
    ((_, step),) = found([made.release()], "dev", Seen(record=Record("dev", "pending-install", 1)))
    assert (step.action, step.record) == (Action.CLEAR, ("velero", "sh.helm.release.v1.velero.v1"))
    assert json.loads(added(state(), [(made.release(), step)])) == json.loads(state().text)
