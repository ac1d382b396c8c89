"""Changes to the sound stack: each breaks one rule, or none though it looks like it."""

from dataclasses import replace

from policies.plain import UNKNOWN
from tests.policies.change import Change, Stack
from tests.policies.cluster_changes import CLUSTER_CHANGES, SOUND_CLUSTER_CHANGES
from tests.policies.longhorn_changes import LONGHORN_CHANGES, SOUND_LONGHORN_CHANGES
from tests.policies.sound_stack import (
    CONNECTION,
    DENIED,
    allow,
    changed,
    deny,
    document,
)

BUCKET = "minio:index/s3Bucket:S3Bucket"
VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"
BUCKET_POLICY = "minio:index/s3BucketPolicy:S3BucketPolicy"
LIFECYCLE = "minio:index/ilmPolicy:IlmPolicy"
POLICY = "minio:index/iamPolicy:IamPolicy"
USER = "minio:index/iamUser:IamUser"
ATTACHMENT = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"
LOCAL = "command:local:Command"
REMOTE = "command:remote:Command"
COPY = "command:remote:CopyToRemote"
PROVIDER = "pulumi:providers:minio"

OBJECTS = "arn:aws:s3:::dev-velero/*"
BUCKET_ARN = "arn:aws:s3:::dev-velero"


def _set(rule: str, what: str, type_: str, name: str, **props: object) -> Change:
    return Change(rule, what, (type_, name), lambda stack: changed(stack, type_, name, **props))


def _without(stack: Stack, type_: str, name: str) -> Stack:
    return [r for r in stack if (r.type, r.name) != (type_, name)]


def _unprotect(stack: Stack) -> Stack:
    return [replace(r, protect=False) if r.name == "dev-velero" else r for r in stack]


def _policy(rule: str, what: str, text: object) -> Change:
    return _set(rule, what, POLICY, "velero", policy=text)


def _bucket_policy(what: str, **statement: object) -> Change:
    text = document({**allow(["s3:GetObject"], OBJECTS), **statement})
    rule = "no-anonymous-bucket-policy"
    return _set(rule, what, BUCKET_POLICY, "dev-velero", policy=text)


def _lifecycle(rule: str, what: str, **settings: object) -> Change:
    return _set(rule, what, LIFECYCLE, "dev-velero", rules=[{"id": "r", **settings}])


def _versioning(what: str, **settings: object) -> Change:
    return Change(
        "bucket-versioned",
        what,
        (BUCKET, "dev-velero"),
        lambda stack: changed(stack, VERSIONING, "dev-velero", **settings),
    )


def _lacking(action: str) -> Change:
    """The Deny without one of the actions that take history away."""
    text = document(
        allow(["s3:GetObject", "s3:PutObject"], OBJECTS),
        deny([a for a in DENIED if a != action], BUCKET_ARN, OBJECTS),
    )
    return _policy("policy-denies-version-delete", f"Deny lacks {action}", text)


READ = allow(["s3:GetObject"], OBJECTS)
WRITE = allow(["s3:PutObject"], OBJECTS)
SECRET = "sentinel-secret-velero"

CHANGES = [
    Change("bucket-protected", "not protected", (BUCKET, "dev-velero"), _unprotect),
    _set("bucket-no-force-destroy", "true", BUCKET, "dev-velero", forceDestroy=True),
    _set("bucket-no-force-destroy", "as text", BUCKET, "dev-velero", forceDestroy="true"),
    Change(
        "bucket-versioned",
        "none declared",
        (BUCKET, "dev-velero"),
        lambda stack: _without(stack, VERSIONING, "dev-velero"),
    ),
    _versioning("suspended", versioningConfiguration={"status": "Suspended"}),
    _versioning("no configuration", versioningConfiguration=...),
    _versioning("null configuration", versioningConfiguration=None),
    _versioning("of another bucket", bucket="elsewhere"),
    _versioning(
        "prefix excluded",
        versioningConfiguration={"status": "Enabled", "excludedPrefixes": ["tmp/"]},
    ),
    _versioning(
        "folders excluded", versioningConfiguration={"status": "Enabled", "excludeFolders": True}
    ),
    _set("bucket-acl-private", "public", BUCKET, "dev-velero", acl="public-read"),
    _set("bucket-acl-private", "misspelt", BUCKET, "dev-velero", acl="Private"),
    _bucket_policy("everyone", Principal="*"),
    _bucket_policy("everyone of AWS", Principal={"AWS": "*"}),
    _bucket_policy("everyone in a list", Principal={"AWS": ["arn:aws:iam:::user/a", "*"]}),
    _bucket_policy("all but one", NotPrincipal={"AWS": ["arn:aws:iam:::user/a"]}),
    _bucket_policy("lower case keys", principal={"aws": ["*"]}),
    _lifecycle("lifecycle-never-expires-current", "days", expiration="30d"),
    _lifecycle("lifecycle-never-expires-current", "a date", expiration="2027-01-01"),
    _lifecycle(
        "lifecycle-never-expires-current",
        "of truths by a date",
        expiration="2027-01-01",
        filter="canary/",
    ),
    _lifecycle(
        "lifecycle-never-expires-current", "young truths", expiration="6d", filter="canary/"
    ),
    _lifecycle(
        "lifecycle-never-expires-current", "beside the truths", expiration="400d", filter="canary"
    ),
    _lifecycle(
        "lifecycle-never-expires-current",
        "a date of some folder",
        expiration="2027-01-01",
        filter=UNKNOWN,
    ),
    _lifecycle("lifecycle-keeps-noncurrent", "one day", noncurrentVersionExpirationDays=1.0),
    _policy(
        "policy-no-wildcard-action",
        "s3:*",
        document(allow(["s3:*"], OBJECTS), deny(DENIED, BUCKET_ARN, OBJECTS)),
    ),
    _policy(
        "policy-no-wildcard-action",
        "*",
        document(allow(["*"], OBJECTS), deny(DENIED, BUCKET_ARN, OBJECTS)),
    ),
    _policy("policy-no-wildcard-action", "admin:*", document(READ, allow(["admin:*"]))),
    _policy("policy-no-wildcard-action", "s3:Get*", document(allow(["s3:Get*"], OBJECTS))),
    _policy(
        "policy-no-wildcard-action", "one character", document(allow(["s3:GetObjec?"], OBJECTS))
    ),
    _policy(
        "policy-no-wildcard-action",
        "NotAction",
        document({"Effect": "Allow", "NotAction": ["s3:DeleteBucket"], "Resource": [OBJECTS]}),
    ),
    _policy("policy-no-wildcard-action", "one text", document({**READ, "Action": "s3:Get*"})),
    _policy(
        "policy-no-wildcard-action",
        "one statement",
        '{"Statement": {"Effect": "Allow", "Action": "s3:Get*"}}',
    ),
    _policy(
        "policy-no-wildcard-action",
        "lower case keys",
        '{"statement": [{"effect": "Allow", "action": "s3:Get*"}]}',
    ),
    _policy(
        "policy-no-wildcard-bucket",
        "every object",
        document(allow(["s3:GetObject"], "arn:aws:s3:::*")),
    ),
    _policy(
        "policy-no-wildcard-bucket", "bare star", document(allow(["s3:GetObject"], OBJECTS, "*"))
    ),
    _policy(
        "policy-no-wildcard-bucket",
        "star in the bucket",
        document(allow(["s3:GetObject"], "arn:aws:s3:::*velero/*")),
    ),
    _policy(
        "policy-no-wildcard-bucket",
        "NotResource",
        document({"Effect": "Allow", "Action": ["s3:GetObject"], "NotResource": [OBJECTS]}),
    ),
    *[
        _lacking(action)
        for action in DENIED
        if action not in ("s3:PutObjectRetention", "s3:PutObjectLegalHold")
    ],
    _policy("policy-denies-version-delete", "no Deny", document(WRITE)),
    _policy(
        "policy-denies-version-delete",
        "deletes only",
        document(allow(["s3:DeleteObject"], OBJECTS)),
    ),
    _policy(
        "policy-denies-version-delete",
        "Deny of another prefix",
        document(WRITE, deny(DENIED, BUCKET_ARN, f"{BUCKET_ARN}/a/*")),
    ),
    _policy(
        "policy-denies-version-delete",
        "Deny of objects only",
        document(WRITE, deny(DENIED, OBJECTS)),
    ),
    _policy(
        "policy-denies-version-delete",
        "Deny with a condition",
        document(
            WRITE,
            {
                **deny(DENIED, BUCKET_ARN, OBJECTS),
                "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            },
        ),
    ),
    _policy(
        "policy-denies-version-delete",
        "second bucket left out",
        document(
            allow(["s3:PutObject"], OBJECTS, "arn:aws:s3:::other/*"),
            deny(DENIED, BUCKET_ARN, OBJECTS),
        ),
    ),
    _set(
        "attachment-no-built-in-policy",
        "administrator",
        ATTACHMENT,
        "drill",
        policyName="consoleAdmin",
    ),
    _set("attachment-no-built-in-policy", "reads all", ATTACHMENT, "drill", policyName="readonly"),
    _set("user-no-force-destroy", "true", USER, "velero", forceDestroy=True),
    _set("user-secret-stable", "true", USER, "velero", updateSecret=True),
    _set("command-quiet", "logs", REMOTE, "unit", logging="stdout"),
    _set("command-quiet", "logs by default", LOCAL, "drill-store", logging=...),
    _set("command-quiet", "earlier output", REMOTE, "unit", addPreviousOutputInEnv=True),
    _set(
        "command-quiet",
        "earlier output by default",
        LOCAL,
        "drill-store",
        addPreviousOutputInEnv=...,
    ),
    _set("command-quiet", "stdin not known yet", REMOTE, "unit", stdin=UNKNOWN, logging=None),
    _set("secret-not-in-command", "argument", LOCAL, "plain", create=f"mc alias set x {SECRET}"),
    _set("secret-not-in-command", "delete", REMOTE, "unit", delete=f"curl -u root:{SECRET}"),
    _set("secret-not-in-command", "trigger", LOCAL, "plain", triggers=["1", SECRET]),
    _set("secret-not-in-command", "environment", LOCAL, "plain", environment={"KEY": SECRET}),
    _set(
        "secret-not-in-command",
        "root password",
        LOCAL,
        "plain",
        create="mc x sentinel-root-password",
    ),
    _set(
        "secret-not-in-command",
        "base64",
        LOCAL,
        "plain",
        create="echo c2VudGluZWwtc2VjcmV0LXZlbGVybw== | base64 -d",
    ),
    _set("ssh-host-key-pinned", "none", REMOTE, "unit", connection={**CONNECTION, "hostKey": None}),
    _set("ssh-host-key-pinned", "blank", COPY, "binary", connection={**CONNECTION, "hostKey": " "}),
    _set("ssh-host-key-pinned", "no connection", COPY, "binary", connection=...),
    _set(
        "ssh-host-key-pinned",
        "proxy",
        REMOTE,
        "unit",
        connection={**CONNECTION, "proxy": {"host": "10.77.3.1"}},
    ),
    _set("provider-tls", "off", PROVIDER, "store", minioSsl="false"),
    _set("provider-tls", "off by default", PROVIDER, "store", minioSsl=...),
    _set("provider-tls", "not verified", PROVIDER, "store", minioInsecure="true"),
    _set("provider-tls", "no CA", PROVIDER, "store", minioCacertFile=...),
    _set("provider-tls", "blank CA", PROVIDER, "store", minioCacertFile=""),
    *CLUSTER_CHANGES,
    *LONGHORN_CHANGES,
]

SOUND_CHANGES = [
    _set(
        "",
        "delete markers may expire",
        LIFECYCLE,
        "dev-velero",
        rules=[{"id": "m", "expiration": "DeleteMarker"}],
    ),
    _lifecycle("", "old truths may expire", expiration="400d", filter="canary/"),
    _lifecycle("", "truths of one site", expiration="7d", filter="canary/dev/"),
    _lifecycle("", "of a folder that is not known yet", expiration="400d", filter=UNKNOWN),
    _set("", "no acl", BUCKET, "dev-velero", acl=...),
    _policy(
        "",
        "a prefix of the site's buckets",
        document(allow(["s3:GetObject"], "arn:aws:s3:::dev-*/*")),
    ),
    _policy(
        "",
        "administrative actions name no bucket",
        document(
            {"Effect": "Allow", "Action": ["admin:Prometheus"], "Resource": ["arn:aws:s3:::*"]}
        ),
    ),
    _policy(
        "",
        "Deny by wildcards",
        document(
            WRITE, deny(["s3:Put*", "s3:Delete*", "s3:Bypass*", "s3:Force*"], "arn:aws:s3:::*")
        ),
    ),
    _policy(
        "",
        "Deny in two statements",
        document(WRITE, deny(DENIED, BUCKET_ARN), deny(DENIED, OBJECTS)),
    ),
    _policy("", "not JSON, which the server refuses itself", "{"),
    _set("", "no stdin", LOCAL, "drill-store", stdin=..., logging=...),
    _set("", "logging known later", REMOTE, "unit", logging=UNKNOWN),
    _set("", "short values are no secrets", USER, "velero", secret="true"),
    _set(
        "",
        "proxy pinned as well",
        REMOTE,
        "unit",
        connection={**CONNECTION, "proxy": {"host": "a", "hostKey": "k"}},
    ),
    _set("", "booleans as such", PROVIDER, "store", minioSsl=True, minioInsecure=False),
    *SOUND_CLUSTER_CHANGES,
    *SOUND_LONGHORN_CHANGES,
]
