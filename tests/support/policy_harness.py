"""Runs the policy pack as the engine does, without an engine: requests in, diagnostics out.

The servicer is a private name of the policy SDK (`_PolicyAnalyzerServicer`); this file is the only
one that uses it. Going through it covers what calling a rule does not: decoding, unknown values,
levels and the order of a stack's resources.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policies.pack import NAME, policies
from policies.plain import UNKNOWN, Resource


@dataclass(frozen=True)
class Violation:
    """One diagnostic. `message` is all the operator gets to read; `mandatory` stops an update."""

    rule: str
    urn: str
    message: str
    mandatory: bool


def _wire(value: object) -> object:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, Mapping):
        return {key: _wire(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(inner) for inner in value]
    return value


def _struct(props: Mapping[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update({key: _wire(value) for key, value in props.items()})
    return struct


def _options(resource: Resource) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect)


def _request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        properties=_struct(resource.props),
        options=_options(resource),
    )


def _member(resource: Resource) -> analyzer_pb2.AnalyzerResource:
    member = analyzer_pb2.AnalyzerResource(
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        properties=_struct(resource.props),
        options=_options(resource),
    )
    for name, urns in resource.sources.items():
        member.propertyDependencies[name].urns.extend(urns)
    return member


@cache
def _servicer() -> _PolicyAnalyzerServicer:
    return _PolicyAnalyzerServicer(NAME, "0.0.1", policies(), EnforcementLevel.MANDATORY)


def resource_violations(resource: Resource) -> list[Violation]:
    """What the pack says to one resource by itself, before it is created or changed."""
    answer = _servicer().Analyze(_request(resource), None)
    return [_violation(d, resource.urn) for d in answer.diagnostics]


def stack_violations(resources: Sequence[Resource]) -> list[Violation]:
    """What the pack says to all resources together, at the end."""
    request = analyzer_pb2.AnalyzeStackRequest(resources=[_member(r) for r in resources])
    return [_violation(d, d.urn) for d in _servicer().AnalyzeStack(request, None).diagnostics]


def violations(resources: Sequence[Resource]) -> list[Violation]:
    """What the pack says to a stack: each resource by itself, then all of them together."""
    alone = [found for resource in resources for found in resource_violations(resource)]
    return [*alone, *stack_violations(resources)]


def _violation(diagnostic: analyzer_pb2.AnalyzeDiagnostic, urn: str) -> Violation:
    return Violation(
        rule=diagnostic.policyName,
        urn=urn,
        message=diagnostic.message,
        mandatory=diagnostic.enforcementLevel == analyzer_pb2.MANDATORY,
    )
