"""The one place that knows the policy SDK: its proxies become plain data, our rules its policies.

A property that is not known yet raises when it is read, and one such exception would drop the whole
policy for the resource (for a stack policy: for the whole stack). So unknown values become
`UNKNOWN` here, and a rule skips only what depends on them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as SdkSeverity
from pulumi_policy.proxy import UnknownValueError  # not exported, and there is no other way

from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, StackRule


def plain(value: object) -> object:
    """A value of the SDK as dict, list and scalars; assets and other objects become `UNKNOWN`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _read(partial(value.__getitem__, key)) for key in value}
    if isinstance(value, Sequence):
        return [_read(partial(value.__getitem__, index)) for index in range(len(value))]
    return UNKNOWN


def _read(get: Callable[[], object]) -> object:
    try:
        return plain(get())
    except UnknownValueError:
        return UNKNOWN


def _properties(props: object) -> dict[str, object]:
    read = plain(props)
    return read if isinstance(read, dict) else {}


def _declared(args: ResourceValidationArgs) -> Resource:
    return Resource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        props=_properties(args.props),
        protect=bool(args.opts.protect),
    )


def _registered(resource: PolicyResource) -> Resource:
    return Resource(
        type=resource.resource_type,
        name=resource.name,
        urn=resource.urn,
        props=_properties(resource.props),
        protect=bool(resource.opts.protect),
        sources={
            name: tuple(source.urn for source in sources)
            for name, sources in resource.property_dependencies.items()
        },
    )


def _validate_resource(
    rule: ResourceRule, args: ResourceValidationArgs, report: ReportViolation
) -> None:
    if args.resource_type not in rule.types:
        return
    for problem in rule.problems(_declared(args)):
        report(problem.text, None)


def _validate_stack(rule: StackRule, args: StackValidationArgs, report: ReportViolation) -> None:
    concerned = [_registered(r) for r in args.resources if r.resource_type in rule.types]
    for problem in rule.problems(concerned):
        report(problem.text, problem.urn)


def to_policy(rule: Rule) -> Policy:
    """The rule as a mandatory policy of the SDK; nothing here rewrites what a program declares."""
    severity = SdkSeverity(rule.severity)
    if isinstance(rule, ResourceRule):
        return ResourceValidationPolicy(
            name=rule.name,
            description=f"{rule.title}. {rule.why}",
            display_name=rule.title,
            validate=partial(_validate_resource, rule),
            enforcement_level=EnforcementLevel.MANDATORY,
            severity=severity,
            remediation_steps=rule.remedy,
        )
    return StackValidationPolicy(
        name=rule.name,
        description=f"{rule.title}. {rule.why}",
        display_name=rule.title,
        validate=partial(_validate_stack, rule),
        enforcement_level=EnforcementLevel.MANDATORY,
        severity=severity,
        remediation_steps=rule.remedy,
    )
