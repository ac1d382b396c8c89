"""Access: users and policies that give a client what it needs and never a way to purge history."""

from collections.abc import Iterator

from policies.documents import (
    ARN,
    Statement,
    bucket_part,
    has_wildcard,
    matches_any,
    readable_statements,
)
from policies.plain import Resource, ResourceRule, Rule, switched_on

USER = "minio:index/iamUser:IamUser"
SERVICE_ACCOUNT = "minio:index/iamServiceAccount:IamServiceAccount"
POLICY = "minio:index/iamPolicy:IamPolicy"
GROUP_POLICY = "minio:index/iamGroupPolicy:IamGroupPolicy"
USER_ATTACHMENT = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"
GROUP_ATTACHMENT = "minio:index/iamGroupPolicyAttachment:IamGroupPolicyAttachment"

DOCUMENTS = frozenset({POLICY, GROUP_POLICY, SERVICE_ACCOUNT})

# Policies the server brings along; each of them reaches every bucket.
BUILT_IN_POLICIES = frozenset({"consoleAdmin", "readwrite", "readonly", "writeonly"})

WRITES = ("s3:PutObject", "s3:DeleteObject")

# What a writer could take history away with. The server lets an Allow of s3:DeleteObject delete
# single versions unless s3:DeleteObjectVersion is denied in so many words, so leaving an action
# out of the Allow is not enough.
DENIED_ON_OBJECTS = (
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
)
DENIED_ON_BUCKET = (
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "s3:DeleteBucket",
    "s3:ForceDeleteBucket",
)


def _numbered_allows(resource: Resource) -> Iterator[tuple[int, Statement]]:
    for number, statement in enumerate(readable_statements(resource.props.get("policy")), start=1):
        if statement.allows:
            yield number, statement


def _no_wildcard_action(resource: Resource) -> Iterator[str]:
    for number, statement in _numbered_allows(resource):
        if statement.not_actions or any(has_wildcard(a) for a in statement.actions):
            yield f"allows actions by a wildcard in statement {number}"


def _every_bucket(resource_name: str) -> bool:
    """Whether the bucket is left open: "*", "*/*", "?..."; a fixed prefix before it is a choice."""
    return bucket_part(resource_name).startswith(("*", "?"))


def _no_wildcard_bucket(resource: Resource) -> Iterator[str]:
    for number, statement in _numbered_allows(resource):
        if not any(a.startswith("s3:") or has_wildcard(a) for a in statement.actions):
            continue  # administrative actions name no bucket
        if statement.not_resources or any(_every_bucket(r) for r in statement.resources):
            yield f"reaches every bucket in statement {number}"


def _writable(statements: list[Statement]) -> list[str]:
    """The resource names on which objects may be written or deleted."""
    return [
        resource
        for statement in statements
        if statement.allows and any(matches_any(statement.actions, w) for w in WRITES)
        for resource in statement.resources
    ]


def _denied(statements: list[Statement], action: str, target: str) -> bool:
    """Whether one Deny without a condition certainly covers the action on the whole target."""
    return any(
        statement.denies
        and not statement.conditional
        and matches_any(statement.actions, action)
        and matches_any(statement.resources, target)
        for statement in statements
    )


def _denies_version_delete(resource: Resource) -> Iterator[str]:
    statements = readable_statements(resource.props.get("policy"))
    targets = _writable(statements)
    buckets = sorted({ARN + bucket_part(target) for target in targets})
    missing = [
        action
        for actions, wanted in ((DENIED_ON_OBJECTS, targets), (DENIED_ON_BUCKET, buckets))
        for action in actions
        if not all(_denied(statements, action, target) for target in wanted)
    ]
    if missing:
        yield f"allows writes and does not deny {', '.join(missing)} on all it writes to"


def _no_built_in_policy(attachment: Resource) -> Iterator[str]:
    name = attachment.props.get("policyName")
    if isinstance(name, str) and name in BUILT_IN_POLICIES:
        yield "attaches a policy of the server's own that reaches every bucket"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="policy-no-wildcard-action",
        title="No policy allows actions by a wildcard",
        why="s3:* holds the actions that switch versioning off and rewrite the lifecycle, and on "
        "some servers reaches them through an object's name.",
        remedy="list the actions the client needs",
        severity="critical",
        types=DOCUMENTS,
        check=_no_wildcard_action,
    ),
    ResourceRule(
        name="policy-no-wildcard-bucket",
        title="No policy reaches every bucket",
        why="One client's stolen key must not read or overwrite another client's backups.",
        remedy="name the bucket, and the prefix where clients share one",
        severity="critical",
        types=DOCUMENTS,
        check=_no_wildcard_bucket,
    ),
    ResourceRule(
        name="policy-denies-version-delete",
        title="Every policy that writes denies what takes history away",
        why="With s3:DeleteObject alone the server also deletes single versions; only a Deny stops "
        "that, and only then does versioning protect against a stolen key.",
        remedy="add a Deny without a condition for these actions on the bucket and its objects",
        severity="critical",
        types=DOCUMENTS,
        check=_denies_version_delete,
    ),
    ResourceRule(
        name="attachment-no-built-in-policy",
        title="No user or group has a policy of the server's own",
        why="consoleAdmin, readwrite, readonly and writeonly reach every bucket.",
        remedy="attach a policy written for this one client",
        severity="critical",
        types=frozenset({USER_ATTACHMENT, GROUP_ATTACHMENT}),
        check=_no_built_in_policy,
    ),
    ResourceRule(
        name="user-no-force-destroy",
        title="No user sets forceDestroy",
        why="The provider's update path deletes a user that has it, and backups stop.",
        remedy="remove force_destroy",
        severity="high",
        types=frozenset({USER}),
        check=switched_on(
            "sets forceDestroy, with which the provider deletes the user on any update",
            "forceDestroy",
        ),
    ),
    ResourceRule(
        name="user-secret-stable",
        title="No secret changes by itself",
        why="updateSecret makes a new secret on every update, and the client keeps the old one.",
        remedy="remove update_secret and rotate with a second, overlapping user",
        severity="high",
        types=frozenset({USER, SERVICE_ACCOUNT}),
        check=switched_on(
            "sets updateSecret, with which every update replaces the secret its client holds",
            "updateSecret",
        ),
    ),
)
