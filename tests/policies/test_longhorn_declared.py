"""What the program declares of Longhorn, whichever way it comes, breaks no rule of the pack."""

from dataclasses import replace
from typing import Any

import pytest

from policies.adapter import plain
from policies.pack import RULES
from policies.plain import Resource
from tests.components.longhorn.sites import FULL, longhorn_settings, record
from tests.policies.sound_stack import PREFIX, resource
from tests.support.policy_harness import violations
from tests.support.recorder import Registered

SITES: dict[str, dict[str, Any]] = {
    "least": {},
    "most": FULL,
    "installed": {**FULL, "install": {}},
}


def _resource(one: Registered) -> Resource:
    return Resource(
        type=one.type,
        name=one.name,
        urn=f"{PREFIX}{one.type}::{one.name}",
        props={name: plain(value) for name, value in one.inputs.items()},
        protect=one.request.protect,
    )


# Another component declares it, and a rule asks for it.
DRILL = resource(
    "command:local:Command", "drill-longhorn", {"create": "sh ./run.sh drills run longhorn"}
)


@pytest.fixture(scope="module", params=SITES)
def declared(request: pytest.FixtureRequest) -> list[Resource]:
    made = record(longhorn_settings(**SITES[request.param]))
    return [DRILL, *map(_resource, made)]


def test_the_program_breaks_no_rule(declared: list[Resource]) -> None:
    assert [(v.rule, v.urn) for v in violations(declared)] == []


def test_every_rule_about_longhorn_finds_something_to_judge(declared: list[Resource]) -> None:
    types = {one.type for one in declared}
    about = [rule for rule in RULES if rule.name.startswith("longhorn-")]
    idle = {rule.name for rule in about if not rule.types & types}
    # No data of a volume is ever declared; classes and claims only where the config names some.
    assert "longhorn-no-data-as-resource" in idle
    assert idle <= {"longhorn-no-data-as-resource", *_of_the_config(declared)}


def _of_the_config(declared: list[Resource]) -> set[str]:
    installed = any(one.type.endswith(":Release") for one in declared)
    return set() if installed else {"longhorn-version", "longhorn-obsolete-values",
                                    "longhorn-protected", "longhorn-labels-served"}  # fmt: skip


def test_without_its_drill_the_stack_is_refused(declared: list[Resource]) -> None:
    found = violations([one for one in declared if one is not DRILL])
    assert [v.rule for v in found] == ["longhorn-drilled"]
    assert "RecurringJob" in found[0].urn


def test_without_its_backup_jobs_the_target_is_refused(declared: list[Resource]) -> None:
    bare = [one for one in declared if not _backs_up(one)]
    assert "longhorn-default-group" in {v.rule for v in violations(bare)}


def _backs_up(one: Resource) -> bool:
    spec = one.props.get("spec")
    return isinstance(spec, dict) and spec.get("task") == "backup"


def test_a_line_s_end_in_a_credential_is_refused(declared: list[Resource]) -> None:
    secret = next(one for one in declared if one.name == "longhorn-secret-default")
    data = secret.props["data"]
    assert isinstance(data, dict)
    broken = replace(secret, props={**secret.props, "data": {**data, "AWS_CERT": "QUEK"}})
    stack = [broken if one is secret else one for one in declared]
    assert [(v.rule, v.urn) for v in violations(stack)] == [("longhorn-target-secret", secret.urn)]
