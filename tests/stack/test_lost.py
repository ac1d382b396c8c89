"""A namespace that somebody deleted is dropped from the state before an update, and only then."""

from pathlib import Path
from typing import Any

import pytest

from kube.errors import Cause, ClusterError
from stack import lost, operations
from stack.kubernetes_recovery import Found
from tests.stack import deployments as made
from tests.stack.fake_engine import FakeEngine, FakeStore, Stage


def namespace(name: str) -> dict[str, Any]:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return made.resource(lost.NAMESPACE, f"{name}-namespace", inputs=inputs,
                         provider=made.CLUSTER_REFERENCE)  # fmt: skip


def volume() -> dict[str, Any]:
    inputs = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "kept"}}
    token = "kubernetes:core/v1:PersistentVolume"
    return made.resource(token, "volume", inputs=inputs, provider=made.CLUSTER_REFERENCE)


def secret(name: str, where: str) -> dict[str, Any]:
    found = made.kube_secret(name)
    metadata = {**found["inputs"]["metadata"], "namespace": where}
    return {**found, "inputs": {**found["inputs"], "metadata": metadata}}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    file = tmp_path / ".backstop" / "trust" / "dev-store-ca.pem"
    file.parent.mkdir(parents=True)
    file.write_text("the CA")
    resources = [
        made.cluster_provider(),
        namespace("object-store"),
        namespace("velero"),
        secret("root", "object-store"),
        secret("cloud", "velero"),
        volume(),
    ]
    return Stage(FakeEngine([made.export(resources)]), FakeStore(), tmp_path)


def there(stage: Stage, *names: str) -> None:
    stage.cluster.objects = {f"Namespace /{name}": Found("dev", namespaced=False) for name in names}


def test_what_was_in_the_lost_namespace_is_dropped_before_the_update(stage: Stage) -> None:
    there(stage, "velero")
    assert operations.up(stage.session, []) == 0
    (refresh,) = stage.engine.named("refresh")
    targets = {word.rpartition("::")[2] for word in refresh if word.startswith("urn:")}
    assert targets == {"object-store-namespace", "root"}
    assert stage.engine.calls.index(refresh) < stage.engine.calls.index(stage.engine.named("up")[0])
    assert "lost with its namespace, made again: everything in object-store" in stage.said


def test_where_every_namespace_is_there_nothing_is_dropped(stage: Stage) -> None:
    there(stage, "velero", "object-store")
    assert operations.up(stage.session, []) == 0
    assert stage.engine.named("refresh") == []


def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one(stage: Stage) -> None:
    stage.cluster.failure = ClusterError(Cause.UNREACHABLE, "the API server does not answer")
    assert operations.up(stage.session, []) == 0
    assert stage.engine.named("refresh") == []


def test_a_release_is_lost_with_its_namespace() -> None:
    release = made.release()
    where = release["inputs"]["namespace"]
    state = made.state([made.cluster_provider(), namespace("other"), release])
    assert list(lost.within(state, frozenset({where}))) == [release["urn"]]
