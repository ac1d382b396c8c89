"""Buckets: what must hold so that a backup, once written, outlives mistakes and stolen keys."""

import re
from collections.abc import Iterator, Mapping, Sequence

from policies.documents import readable_statements, wildcard_principal
from policies.plain import (
    UNKNOWN,
    Resource,
    ResourceRule,
    Rule,
    StackRule,
    is_set,
    is_true,
    items,
    mapping,
    switched_on,
)

BUCKET = "minio:index/s3Bucket:S3Bucket"
VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"
BUCKET_POLICY = "minio:index/s3BucketPolicy:S3BucketPolicy"
LIFECYCLE = "minio:index/ilmPolicy:IlmPolicy"

# Below this a purge by a stolen key over a long weekend is past undoing on Monday.
NONCURRENT_DAYS_MIN = 7
# What the canary tells of its data, written once and read by drills: no tool's repository.
TRUTHS_PREFIX = "canary/"
TRUTH_DAYS_MIN = 7
_DAYS = re.compile(r"(\d{1,6})d")


def _protected(bucket: Resource) -> Iterator[str]:
    if not bucket.protect:
        yield "is not protected, so a destroy or a renaming would delete backups"


def _acl_private(bucket: Resource) -> Iterator[str]:
    acl = bucket.props.get("acl")
    if acl is not UNKNOWN and is_set(acl) and acl != "private":
        yield "has an acl other than private, which opens it to requests without a signature"


def _keeps_versions(versioning: Resource) -> bool:
    """Whether it versions every object; what is not known yet is not held against it."""
    configuration = versioning.props.get("versioningConfiguration")
    if configuration is UNKNOWN:
        return True
    settings = mapping(configuration)
    excluded = [p for p in items(settings.get("excludedPrefixes")) if p is not UNKNOWN]
    return (
        settings.get("status") in ("Enabled", UNKNOWN)
        and not excluded
        and not is_true(settings.get("excludeFolders"))
    )


def _belongs(versioning: Resource, bucket: Resource) -> bool:
    """Whether it is this bucket's: by name, or by where a name not known yet comes from."""
    name = versioning.props.get("bucket")
    if bucket.urn in versioning.sources.get("bucket", ()):
        return True
    return isinstance(name, str) and name == bucket.props.get("bucket")


def _versioned(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    settings = [r for r in resources if r.type == VERSIONING]
    untraceable = any(
        s.props.get("bucket") is UNKNOWN and not s.sources.get("bucket") for s in settings
    )
    for bucket in (r for r in resources if r.type == BUCKET):
        own = [s for s in settings if _belongs(s, bucket)]
        if not own and (untraceable or bucket.props.get("bucket") is UNKNOWN):
            continue  # one of them may be this bucket's; the next preview will know
        if not own:
            yield bucket, "has no S3BucketVersioning, so an overwrite or a deletion is final"
        elif not all(_keeps_versions(s) for s in own):
            yield bucket, "is not versioned as a whole, so an overwrite or a deletion is final"


def _not_anonymous(policy: Resource) -> Iterator[str]:
    for number, statement in enumerate(readable_statements(policy.props.get("policy")), start=1):
        if statement.allows and wildcard_principal(statement):
            yield f"allows everyone in statement {number}, also without a signature"


def _rules_of(lifecycle: Resource) -> list[tuple[int, Mapping[str, object]]]:
    """Number and properties of each rule that can be read."""
    rules = enumerate(items(lifecycle.props.get("rules")), start=1)
    return [(number, mapping(rule)) for number, rule in rules]


def _only_old_truths(rule: Mapping[str, object]) -> bool:
    """Whether it is certain, or not known yet, that it expires nothing but truths past their use.

    A date is no number of days: from then on it expires truths as they are written.
    """
    where, expiration = rule.get("filter"), rule.get("expiration")
    days = _DAYS.fullmatch(expiration) if isinstance(expiration, str) else None
    if where is not UNKNOWN and not (isinstance(where, str) and where.startswith(TRUTHS_PREFIX)):
        return False
    return days is not None and int(days.group(1)) >= TRUTH_DAYS_MIN


def _never_expires_current(lifecycle: Resource) -> Iterator[str]:
    for number, rule in _rules_of(lifecycle):
        expiration = rule.get("expiration")
        # "DeleteMarker" removes markers that hide nothing any more; every other value (days, a
        # date) deletes objects that are current, and with them a repository's older half.
        if expiration is UNKNOWN or not is_set(expiration) or expiration == "DeleteMarker":
            continue
        if not _only_old_truths(rule):
            yield f"expires current objects in rule {number}, which destroys a backup repository"


def _keeps_noncurrent(lifecycle: Resource) -> Iterator[str]:
    for number, rule in _rules_of(lifecycle):
        days = rule.get("noncurrentVersionExpirationDays")
        if isinstance(days, int | float) and 0 < days < NONCURRENT_DAYS_MIN:
            yield f"forgets old versions in under {NONCURRENT_DAYS_MIN} days in rule {number}"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="bucket-protected",
        title="Every bucket is protected",
        why="A destroy, a rename or a removed line must never delete backups.",
        remedy="pass protect=True in its options",
        severity="critical",
        types=frozenset({BUCKET}),
        check=_protected,
    ),
    ResourceRule(
        name="bucket-no-force-destroy",
        title="No bucket deletes its content with itself",
        why="forceDestroy removes all versions, those under a governance lock included.",
        remedy="remove force_destroy",
        severity="critical",
        types=frozenset({BUCKET}),
        check=switched_on(
            "sets forceDestroy, which deletes every version, even ones under a governance lock",
            "forceDestroy",
        ),
    ),
    StackRule(
        name="bucket-versioned",
        title="Every bucket is versioned as a whole",
        why="A write permission cannot tell a new object from an overwrite; only versions bring "
        "the old content back.",
        remedy="declare an S3BucketVersioning for it with status Enabled and without exclusions",
        severity="critical",
        types=frozenset({BUCKET, VERSIONING}),
        check=_versioned,
    ),
    ResourceRule(
        name="bucket-acl-private",
        title="Every bucket's acl is private",
        why="Any other acl answers requests that carry no signature.",
        remedy="leave acl private and give each client a user and a policy of its own",
        severity="critical",
        types=frozenset({BUCKET}),
        check=_acl_private,
    ),
    ResourceRule(
        name="no-anonymous-bucket-policy",
        title="No bucket policy allows everyone",
        why="A bucket policy whose principal is a wildcard makes backups public.",
        remedy="name the principals, or drop the bucket policy and use a policy per user",
        severity="critical",
        types=frozenset({BUCKET_POLICY}),
        check=_not_anonymous,
    ),
    ResourceRule(
        name="lifecycle-never-expires-current",
        title="No lifecycle expires current objects, but for the canary's truths",
        why="Backup repositories reuse old objects for new backups; the tools that wrote them own "
        "their retention.",
        remedy="use noncurrent_version_expiration_days, and expiration only for DeleteMarker, or "
        f"with the filter {TRUTHS_PREFIX} for {TRUTH_DAYS_MIN} days or more",
        severity="critical",
        types=frozenset({LIFECYCLE}),
        check=_never_expires_current,
    ),
    ResourceRule(
        name="lifecycle-keeps-noncurrent",
        title=f"Old versions stay at least {NONCURRENT_DAYS_MIN} days",
        why="The days a replaced version lives are the days in which a purge can be undone.",
        remedy=f"set noncurrent_version_expiration_days to {NONCURRENT_DAYS_MIN} or more",
        severity="high",
        types=frozenset({LIFECYCLE}),
        check=_keeps_noncurrent,
    ),
)
