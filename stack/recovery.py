"""What an interrupted run left behind, and what becomes of each piece.

A pending create is a resource whose creation had begun when the engine was killed: it may or may
not exist. The rules per type follow what a second create does in the official plugins (command
1.2.1; minio 0.17.1, that is terraform-provider-minio 1.20.1):

- Commands are idempotent scripts, so they simply run again.
- Users, policies, attachments, bucket policies, versioning and lifecycle rules are written over.
- A bucket that exists is an error. It is adopted, but only with our mark on it or, for the moment
  between creation and marking, when it is empty and bears no tag at all.

`pulumi refresh --import-pending-creates` is of no use here: engine 3.259 takes the operation off
the list and records no resource. The state is completed instead and then read back by a refresh.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from s3 import ownership
from s3.ownership import BucketFacts
from stack.checkpoint import BUCKET, PROVIDER_PREFIX, Checkpoint, Resource, name_of

COMMAND_PREFIX = "command:"
OVERWRITTEN = frozenset(
    {
        "minio:index/iamUser:IamUser",
        "minio:index/iamPolicy:IamPolicy",
        "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment",
        "minio:index/iamGroup:IamGroup",
        "minio:index/iamGroupPolicyAttachment:IamGroupPolicyAttachment",
        "minio:index/iamGroupUserAttachment:IamGroupUserAttachment",
        "minio:index/iamGroupMembership:IamGroupMembership",
        "minio:index/s3BucketPolicy:S3BucketPolicy",
        "minio:index/s3BucketVersioning:S3BucketVersioning",
        "minio:index/s3BucketNotification:S3BucketNotification",
        "minio:index/s3BucketServerSideEncryption:S3BucketServerSideEncryption",
        "minio:index/ilmPolicy:IlmPolicy",
    }
)
# Set in a second request after the bucket exists and never read back: left out of an adopted
# bucket, so that the next update sees them missing and sets them.
SET_AFTER_CREATION = frozenset({"quota", "acl"})


class Action(StrEnum):
    """What becomes of a pending create."""

    CLEAR = "clear"
    ADOPT = "adopt"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Step:
    """The decision for one pending create; `why` is the whole sentence if it is a refusal."""

    urn: str
    name: str
    action: Action
    why: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action}: {self.name}: {self.why}"


def plan(
    checkpoint: Checkpoint,
    site: str,
    inspect: Callable[[Resource], BucketFacts | None],
    chosen: Mapping[str, str] | None = None,
) -> list[Step]:
    """One step for every pending create.

    `inspect` looks at the bucket of a bucket resource (None: there is none) and is called for
    buckets only. `chosen` is the operator's own word: an ID per URN to adopt, or "" to clear.
    """
    return [
        _step(checkpoint, resource, site, inspect, chosen or {})
        for resource in checkpoint.pending_creates
    ]


def _step(
    checkpoint: Checkpoint,
    resource: Resource,
    site: str,
    inspect: Callable[[Resource], BucketFacts | None],
    chosen: Mapping[str, str],
) -> Step:
    urn, name, token = str(resource["urn"]), name_of(resource), str(resource["type"])
    if urn in chosen:
        return _as_told(resource, chosen[urn])
    existing = checkpoint.find(urn)
    if existing is not None and _same_identity(existing, resource):
        return Step(urn, name, Action.CLEAR, "a later run has created it already")
    repeatable = _why_repeatable(token)
    if repeatable:
        return Step(urn, name, Action.CLEAR, repeatable)
    if token == BUCKET and existing is None:
        return _bucket(resource, site, inspect(resource))
    return Step(
        urn,
        name,
        Action.REFUSE,
        f"{name} ({token}) was being created when the run was interrupted and this command cannot "
        f"tell whether it exists: look, then run `recover --adopt '{urn}=ID'` if it does or "
        f"`recover --clear '{urn}'` if it does not",
    )


def _why_repeatable(token: str) -> str:
    """Why a resource of this type may just be created again, "" if it may not."""
    if token.startswith(COMMAND_PREFIX):
        return "the command runs again"
    if token.startswith(PROVIDER_PREFIX):
        return "a provider exists in the engine only"
    if token in OVERWRITTEN:
        return "creating it again writes the same over it"
    return ""


def _bucket(resource: Resource, site: str, facts: BucketFacts | None) -> Step:
    urn, name = str(resource["urn"]), name_of(resource)
    bucket = str((resource.get("inputs") or {}).get("bucket", name))
    if facts is None:
        return Step(
            urn, name, Action.CLEAR, f"bucket {bucket} does not exist, so it is created again"
        )
    obstacle = ownership.obstacle(bucket, site, facts, wants_lock=_wants_lock(resource))
    if obstacle:
        return Step(urn, name, Action.REFUSE, obstacle)
    mark = (
        "carries our mark"
        if ownership.OWNERSHIP_TAG in facts.tags
        else "is empty and bears no mark yet"
    )
    return Step(urn, name, Action.ADOPT, f"bucket {bucket} {mark}", _created(resource, bucket))


def _created(resource: Resource, bucket: str) -> Mapping[str, Any]:
    inputs = {
        key: value
        for key, value in (resource.get("inputs") or {}).items()
        if key not in SET_AFTER_CREATION
    }
    return {"id": bucket, "inputs": inputs, "outputs": dict(inputs)}


def _as_told(resource: Resource, identity: str) -> Step:
    urn, name = str(resource["urn"]), name_of(resource)
    if not identity:
        return Step(urn, name, Action.CLEAR, "as told")
    inputs = dict(resource.get("inputs") or {})
    fields = {"id": identity, "inputs": inputs, "outputs": dict(inputs)}
    return Step(urn, name, Action.ADOPT, "as told", fields)


def _same_identity(existing: Resource, pending: Resource) -> bool:
    """Whether this URN was created since, rather than its replacement being under way."""
    if pending.get("type") != BUCKET:
        return True
    names = [(r.get("inputs") or {}).get("bucket") for r in (existing, pending)]
    return names[0] == names[1]


def _wants_lock(resource: Resource) -> bool:
    return bool((resource.get("inputs") or {}).get("objectLocking"))


def refusals(steps: Sequence[Step]) -> list[str]:
    return [step.why for step in steps if step.action is Action.REFUSE]


def adopted(steps: Sequence[Step]) -> dict[str, Mapping[str, Any]]:
    return {step.urn: step.fields for step in steps if step.action is Action.ADOPT}
