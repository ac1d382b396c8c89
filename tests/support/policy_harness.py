"""Runs the policy pack as the engine does, without an engine: requests in, diagnostics out.

The servicer is a private name of the policy SDK (`_PolicyAnalyzerServicer`); this file is the only
one that uses it. Going through it covers what calling a rule does not: decoding, unknown values,
levels and the order of a stack's resources.

The servicer decodes a resource anew for each policy of the pack, which is nearly all of its time.
Here the SDK's own functions decode the same properties once, which no rule can tell: the adapter
copies what it reads. A resource that was judged by itself is not judged again; a pack keeps nothing
from one resource to the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from types import SimpleNamespace
from unittest.mock import patch

from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

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


@lru_cache(maxsize=1024)
def _decoded(encoded: bytes) -> Mapping[str, object]:
    struct = struct_pb2.Struct.FromString(encoded)
    decoded: Mapping[str, object] = unknown_checking_proxy(
        deserialize_properties(json_format.MessageToDict(struct))
    )
    return decoded


@contextmanager
def _decoding_once() -> Iterator[None]:
    """Puts one step, which remembers, in the place of the servicer's three."""
    with patch.multiple(
        "pulumi_policy.policy",
        json_format=SimpleNamespace(
            MessageToDict=lambda properties: properties.SerializeToString(deterministic=True)
        ),
        deserialize_properties=lambda encoded: encoded,
        unknown_checking_proxy=_decoded,
    ):
        yield


def resource_violations(resource: Resource) -> list[Violation]:
    """What the pack says to one resource by itself, before it is created or changed."""
    return list(_alone(_request(resource).SerializeToString(deterministic=True)))


@lru_cache(maxsize=1024)
def _alone(encoded: bytes) -> tuple[Violation, ...]:
    request = analyzer_pb2.AnalyzeRequest.FromString(encoded)
    with _decoding_once():
        answer = _servicer().Analyze(request, None)
    return tuple(_violation(d, request.urn) for d in answer.diagnostics)


def stack_violations(resources: Sequence[Resource]) -> list[Violation]:
    """What the pack says to all resources together, at the end."""
    request = analyzer_pb2.AnalyzeStackRequest(resources=[_member(r) for r in resources])
    with _decoding_once():
        answer = _servicer().AnalyzeStack(request, None)
    return [_violation(d, d.urn) for d in answer.diagnostics]


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
