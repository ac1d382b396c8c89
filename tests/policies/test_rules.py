"""Each rule lets the sound stack pass and refuses one change, alone and at the right resource."""

from dataclasses import replace

import pytest

from policies.pack import RULES
from policies.plain import UNKNOWN
from tests.policies.changes import BUCKET, CHANGES, POLICY, SOUND_CHANGES, VERSIONING, Change
from tests.policies.sound_stack import changed, resource, sound_stack, writer
from tests.support.policy_harness import violations


def test_sound_stack_passes_every_rule() -> None:
    assert violations(sound_stack()) == []


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_one_change_is_refused_by_exactly_its_rule(change: Change) -> None:
    stack = change.make(sound_stack())
    found = violations(stack)
    [blamed] = [r.urn for r in stack if (r.type, r.name) == change.at]
    assert [(v.rule, v.urn, v.mandatory) for v in found] == [(change.rule, blamed, True)]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_message_names_the_resource_and_the_cure_in_one_sentence(change: Change) -> None:
    [found] = violations(change.make(sound_stack()))
    sentence = found.message.splitlines()[-1]
    [rule] = [r for r in RULES if r.name == change.rule]
    assert f"'{change.at[1]}'" in sentence
    assert sentence.endswith(f": {rule.remedy}.")
    assert ". " not in sentence


def test_every_rule_has_a_change_that_breaks_it() -> None:
    assert {c.rule for c in CHANGES} == {r.name for r in RULES}


@pytest.mark.parametrize("change", SOUND_CHANGES, ids=lambda c: c.what)
def test_sound_variants_pass(change: Change) -> None:
    assert violations(change.make(sound_stack())) == []


def test_versioning_is_found_by_where_its_bucket_name_comes_from() -> None:
    stack = [
        replace(r, props={**r.props, "bucket": UNKNOWN}) if r.name == "dev-velero" else r
        for r in sound_stack()
    ]
    bucket = next(r for r in stack if r.type == BUCKET and r.name == "dev-velero")
    linked = [
        replace(r, sources={"bucket": (bucket.urn,)})
        if r.type == VERSIONING and r.name == "dev-velero"
        else r
        for r in stack
    ]
    suspended = changed(
        linked, VERSIONING, "dev-velero", versioningConfiguration={"status": "Suspended"}
    )
    assert violations(linked) == []
    assert [v.rule for v in violations(suspended)] == ["bucket-versioned"]


def test_two_buckets_of_which_one_is_not_versioned() -> None:
    extra = resource(BUCKET, "forgotten", {"bucket": "forgotten"}, protect=True)
    assert [(v.rule, v.urn) for v in violations([*sound_stack(), extra])] == [
        ("bucket-versioned", extra.urn)
    ]


def test_writer_policy_of_the_sound_stack_is_the_shape_clients_get() -> None:
    stack = changed(sound_stack(), POLICY, "cp1", policy=writer("dev-host-files", "cp2/"))
    assert violations(stack) == []
