"""What an interrupted run left behind, and what becomes of each piece.

A pending create is a resource whose creation had begun when the engine was killed: it may or may
not exist. The rules per type follow what a second create does in the official plugins (command
1.2.1; minio 0.17.1, that is terraform-provider-minio 1.20.1):

- Commands are idempotent scripts, so they simply run again.
- Users, policies, attachments, bucket policies, versioning and lifecycle rules are written over.
- A bucket that exists is an error. It is adopted, but only with our mark on it or, for the moment
  between creation and marking, when it is empty and bears no tag at all.
- Objects in the cluster and Helm releases: see kubernetes_recovery.py.

`pulumi refresh --import-pending-creates` is of no use here: engine 3.259 takes the operation off
the list and records no resource. The state is completed instead and then read back by a refresh.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from s3 import ownership
from s3.ownership import BucketFacts
from stack import kubernetes_recovery as kubernetes
from stack.checkpoint import (
    BUCKET,
    IN_CLUSTER,
    PROVIDER_PREFIX,
    Checkpoint,
    Resource,
    name_of,
    needs,
)
from stack.steps import Action, Step, step

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


class Look(Protocol):
    """What the plan asks of the real world. Each raises StackError if that cannot be told."""

    def bucket(self, resource: Resource) -> BucketFacts | None:
        """The bucket of a bucket resource, None if there is none."""

    def object(self, resource: Resource) -> tuple[kubernetes.Address, kubernetes.Found | None]:
        """Where an object of the cluster would be, and what is there."""

    def release(self, resource: Resource) -> kubernetes.Record | None:
        """Helm's newest record of a release, None if it has none."""


def plan(
    checkpoint: Checkpoint,
    site: str,
    look: Look,
    chosen: Mapping[str, str] | None = None,
) -> list[Step]:
    """One step for every pending create, and for what else of a cluster cannot just run again.

    `chosen` is the operator's own word: an ID per URN to adopt, or "" to clear.
    """
    steps = [
        _created(checkpoint, resource, site, look, chosen or {})
        for resource in checkpoint.pending_creates
    ]
    for operation in checkpoint.pending:
        resource = operation["resource"]
        if not str(resource["type"]).startswith(IN_CLUSTER):
            continue
        if operation.get("type") == "updating" and resource["type"] == kubernetes.RELEASE:
            stuck = kubernetes.updated_release(resource, look.release(resource))
            steps += [stuck] if stuck else []
        if operation.get("type") == "deleting" and _can_finish(checkpoint, resource):
            steps.append(kubernetes.removed(resource))
    return steps


def _can_finish(checkpoint: Checkpoint, resource: Resource) -> bool:
    """Whether removing this URN removes just the one resource that was being removed."""
    urn = str(resource["urn"])
    ours = [r for r in checkpoint.resources if r.get("urn") == urn]
    if len(ours) != 1 or ours[0].get("delete") or ours[0].get("protect"):
        return False  # a replacement's former half is the next update's to remove
    return not any(urn in needs(r) for r in checkpoint.resources if r is not ours[0])


def _created(
    checkpoint: Checkpoint,
    resource: Resource,
    site: str,
    look: Look,
    chosen: Mapping[str, str],
) -> Step:
    urn, token = str(resource["urn"]), str(resource["type"])
    if urn in chosen:
        return _as_told(resource, chosen[urn])
    existing = checkpoint.find(urn)
    if existing is not None and _same_identity(existing, resource):
        return step(resource, Action.CLEAR, "a later run has created it already")
    repeatable = _why_repeatable(resource)
    if repeatable:
        return step(resource, Action.CLEAR, repeatable)
    looked = _looked_at(resource, site, look)
    if looked is not None and (existing is None or looked.action is not Action.ADOPT):
        return looked
    # One URN cannot hold two things: the former one is still in the state.
    return step(
        resource,
        Action.REFUSE,
        f"{name_of(resource)} ({token}) was being created when the run was interrupted and this "
        f"command cannot tell whether it exists: look, then run `recover --adopt '{urn}=ID'` if it "
        f"does or `recover --clear '{urn}'` if it does not",
    )


def _looked_at(resource: Resource, site: str, look: Look) -> Step | None:
    """The step for a type whose existence can be told, None for any other."""
    token = str(resource["type"])
    if token == BUCKET:
        return _bucket(resource, site, look.bucket(resource))
    if token == kubernetes.RELEASE:
        return kubernetes.created_release(resource, site, look.release(resource))
    if token.startswith(IN_CLUSTER):
        return kubernetes.created_object(resource, site, *look.object(resource))
    return None


def _why_repeatable(resource: Resource) -> str:
    """Why a resource may just be created again, "" if it may not."""
    token = str(resource["type"])
    if resource.get("custom") is False:
        return "a component exists in the state only"
    if token.startswith(COMMAND_PREFIX):
        return "the command runs again"
    if token.startswith(PROVIDER_PREFIX):
        return "a provider exists in the engine only"
    if token in OVERWRITTEN:
        return "creating it again writes the same over it"
    if token.startswith(IN_CLUSTER) and kubernetes.is_patch(resource):
        return "the same fields are applied again"
    return ""


def _bucket(resource: Resource, site: str, facts: BucketFacts | None) -> Step:
    bucket = str((resource.get("inputs") or {}).get("bucket", name_of(resource)))
    if facts is None:
        why = f"bucket {bucket} does not exist, so it is created again"
        return step(resource, Action.CLEAR, why)
    locked = bool((resource.get("inputs") or {}).get("objectLocking"))
    obstacle = ownership.obstacle(bucket, site, facts, wants_lock=locked)
    if obstacle:
        return step(resource, Action.REFUSE, obstacle)
    marked = ownership.OWNERSHIP_TAG in facts.tags
    mark = "carries our mark" if marked else "is empty and bears no mark yet"
    fields = _whole_bucket(resource, bucket)
    return step(resource, Action.ADOPT, f"bucket {bucket} {mark}", fields=fields)


def _whole_bucket(resource: Resource, bucket: str) -> Mapping[str, Any]:
    inputs = {
        key: value
        for key, value in (resource.get("inputs") or {}).items()
        if key not in SET_AFTER_CREATION
    }
    return {"id": bucket, "inputs": inputs, "outputs": dict(inputs)}


def _as_told(resource: Resource, identity: str) -> Step:
    if not identity:
        return step(resource, Action.CLEAR, "as told")
    inputs = dict(resource.get("inputs") or {})
    fields = {"id": identity, "inputs": inputs, "outputs": dict(inputs)}
    return step(resource, Action.ADOPT, "as told", fields=fields)


def _same_identity(existing: Resource, pending: Resource) -> bool:
    """Whether this URN was created since, rather than its replacement being under way."""
    return _identity(existing) == _identity(pending)


def _identity(resource: Resource) -> object:
    """What of a resource's inputs names the thing itself; None where nothing does."""
    inputs = resource.get("inputs") or {}
    if resource.get("type") == BUCKET:
        return inputs.get("bucket")
    if resource.get("type") == kubernetes.RELEASE:
        return (inputs.get("namespace"), inputs.get("name"))
    if str(resource.get("type")).startswith(IN_CLUSTER):
        metadata = inputs.get("metadata") or {}
        return (metadata.get("namespace"), metadata.get("name"))
    return None


def refusals(steps: Sequence[Step]) -> list[str]:
    return [step.why for step in steps if step.action is Action.REFUSE]


def adopted(steps: Sequence[Step]) -> dict[str, Mapping[str, Any]]:
    return {step.urn: step.fields for step in steps if step.action is Action.ADOPT}
