"""What an exported state tells: what a destroy leaves, secrets, broken exports."""

import pytest

from stack.checkpoint import deletable_buckets, name_of, parse, plain, staying
from stack.errors import StackError
from tests.stack import deployments as made


def test_what_protected_resources_need_stays_with_them() -> None:
    host = made.resource(made.COMMAND, "host")
    chained = made.resource(
        made.COMMAND, "server", propertyDependencies={"triggers": [host["urn"]]}
    )
    bucket = made.bucket("dev-velero", protect=True, dependencies=[chained["urn"]])
    drill = made.resource(made.COMMAND, "drill", dependencies=[bucket["urn"]])
    state = made.state([made.store_provider(), host, chained, bucket, drill])
    stays = [name_of(r) for r in staying(state.resources)]
    assert stays == ["backstop-dev", "store", "host", "server", "dev-velero"]


def test_buckets_that_nothing_holds_are_found_before_a_destroy() -> None:
    versioning = made.resource(made.VERSIONING, "loose")
    buckets = [
        made.bucket("open"),
        made.bucket("guarded", protect=True),
        made.bucket("kept", retainOnDelete=True),
    ]
    state = made.state([made.store_provider(), *buckets, versioning])
    assert [name_of(r) for r in deletable_buckets(state.resources)] == ["open", "loose"]


def test_a_secret_comes_out_of_its_wrapping_only_when_shown() -> None:
    assert plain(made.secret({"a": [1]})) == {"a": [1]}
    assert plain("text") == "text"
    with pytest.raises(StackError, match="still encrypted"):
        plain({"4dabf18193072939515e22adb298388d": "x", "ciphertext": "v1:..."})


@pytest.mark.parametrize("text", ["", "[]", '{"version": 4}', "{"])
def test_an_unknown_export_is_refused(text: str) -> None:
    with pytest.raises(StackError):
        parse(text)


@pytest.mark.parametrize("text", ['{"version": 3}', '{"version": 3, "deployment": null}'])
def test_a_stack_that_was_never_updated_is_empty(text: str) -> None:
    state = parse(text)
    assert (list(state.resources), state.pending_creates, dict(state.outputs)) == ([], [], {})
