"""Reads and edits a stack's state in the form `pulumi stack export` prints (version 3).

Pure: nothing here runs the engine. The state holds `resources` in order of dependency and, after an
interrupted run, `pending_operations`: what had been started and not been heard of again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stack.errors import StackError

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
STORE_PROVIDER = PROVIDER_PREFIX + "minio"
BUCKET = "minio:index/s3Bucket:S3Bucket"
IN_CLUSTER = "kubernetes:"
VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"

# The engine's mark on a secret value inside of the state.
_SIGNATURE = "4dabf18193072939515e22adb298388d"

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """One exported state; `text` is the export itself, to tell whether two exports are the same."""

    text: str
    document: Mapping[str, Any]

    @property
    def resources(self) -> Sequence[Resource]:
        return (self.document.get("deployment") or {}).get("resources") or []

    @property
    def pending(self) -> Sequence[Mapping[str, Any]]:
        return (self.document.get("deployment") or {}).get("pending_operations") or []

    @property
    def pending_creates(self) -> list[Resource]:
        return [op["resource"] for op in self.pending if op.get("type") == "creating"]

    @property
    def unfinished(self) -> list[Resource]:
        """What an interrupted run was creating, and what of a cluster it was changing."""
        return [
            op["resource"]
            for op in self.pending
            if op.get("type") == "creating" or str(op["resource"]["type"]).startswith(IN_CLUSTER)
        ]

    def find(self, urn: str) -> Resource | None:
        """The live resource of this URN; one that only waits for its deletion does not count."""
        return next(
            (r for r in self.resources if r.get("urn") == urn and not r.get("delete")), None
        )

    def of_type(self, token: str) -> list[Resource]:
        return [r for r in self.resources if r.get("type") == token and not r.get("delete")]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs; secret ones are still in their wrapping."""
        stack = next(iter(self.of_type(STACK_TYPE)), {})
        return stack.get("outputs") or {}


def parse(text: str) -> Checkpoint:
    """A Checkpoint of an export; raises StackError if it is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise StackError("the engine's export of the state is no JSON: run it by hand") from error
    if not isinstance(document, dict) or document.get("version") != 3:  # noqa: PLR2004 (its format)
        raise StackError("the state has an unknown format: use the pinned version of the engine")
    return Checkpoint(text, document)


def name_of(resource: Resource) -> str:
    """The name the program gave to a resource."""
    return str(resource["urn"]).rsplit("::", 1)[-1]


def plain(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """A value out of its secret wrapping; needs an export with secrets shown."""
    if isinstance(value, dict) and _SIGNATURE in value:
        if "plaintext" not in value:
            raise StackError(
                "a secret of the state is still encrypted: export it with secrets shown"
            )
        return json.loads(value["plaintext"])
    return value


def provider_urn(resource: Resource) -> str:
    """The URN of a resource's provider; the state's reference also carries the provider's ID."""
    return str(resource.get("provider", "")).rsplit("::", 1)[0]


def adopt(checkpoint: Checkpoint, adopted: Mapping[str, Mapping[str, Any]]) -> str:
    """The export with some pending creates completed and all other pending operations dropped.

    `adopted` gives per URN the fields that turn the pending resource into a created one: `id`,
    `inputs`, `outputs`. Pending creates wait for what they depend on, so appending keeps the order.
    """
    document = json.loads(checkpoint.text)
    deployment = document["deployment"]
    for operation in deployment.pop("pending_operations", None) or []:
        resource = operation["resource"]
        if operation.get("type") == "creating" and resource["urn"] in adopted:
            deployment["resources"].append({**resource, **adopted[resource["urn"]]})
    return json.dumps(document)


def staying(resources: Sequence[Resource]) -> list[Resource]:
    """What `destroy --exclude-protected` leaves: the protected resources and all they need."""
    by_urn = {str(r["urn"]): r for r in resources}
    waiting = [str(r["urn"]) for r in resources if r.get("protect")]
    kept: set[str] = set()
    while waiting:
        urn = waiting.pop()
        if urn in by_urn and urn not in kept:
            kept.add(urn)
            waiting.extend(needs(by_urn[urn]))
    return [r for r in resources if r["urn"] in kept]


def deletable_buckets(resources: Sequence[Resource]) -> list[Resource]:
    """Buckets, and settings of buckets, that a destroy would touch on the server."""
    kept = {r["urn"] for r in staying(resources)}
    return [
        r
        for r in resources
        if r.get("type") in (BUCKET, VERSIONING)
        and r["urn"] not in kept
        and not r.get("retainOnDelete")
    ]


def needs(resource: Resource) -> Iterable[str]:
    """The URNs that a resource cannot be without."""
    yield from resource.get("dependencies") or []
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or []
    if resource.get("parent"):
        yield str(resource["parent"])
    if resource.get("provider"):
        yield provider_urn(resource)
