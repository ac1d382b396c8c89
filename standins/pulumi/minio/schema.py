"""What the resources' properties are: types, defaults, what replaces, what is checked.

Source: the official plugin's published schema (minio 0.17.1) and its recorded answers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from standins.pulumi.minio import documents
from standins.pulumi.minio.lifecycle import parse_expiration
from standins.pulumi.minio.values import Value

Validator = Callable[[Value], str | None]


class Kind(Enum):
    """The shape of a property on Pulumi's wire."""

    TEXT = "a string"
    FLAG = "true or false"
    NUMBER = "a number"
    POLICY = "a JSON policy document"
    TAGS = "a map of strings"
    TEXTS = "a list of strings"
    OBJECT = "an object"
    OBJECTS = "a list of objects"


@dataclass(frozen=True)
class Field:
    """One property. `computed`: the server or the plugin fills it when the program does not."""

    kind: Kind
    required: bool = False
    replaces: bool = False
    computed: bool = False
    output_only: bool = False
    secret: bool = False
    default: Value = None
    validate: Validator | None = None
    conflicts: str | None = None
    fields: Mapping[str, "Field"] = field(default_factory=dict)


def _length(limit: int) -> Validator:
    def check(value: Value) -> str | None:
        if isinstance(value, str) and len(value) > limit:
            return f"is {len(value)} characters long; at most {limit} are allowed"
        return None

    return check


def _one_of(*allowed: str) -> Validator:
    def check(value: Value) -> str | None:
        return None if value in allowed else f"is {value!r}; use one of {', '.join(allowed)}"

    return check


def _matches(pattern: str, allowed: str, limit: int) -> Validator:
    expression = re.compile(pattern)

    def check(value: Value) -> str | None:
        if not isinstance(value, str):
            return None
        if len(value) > limit:
            return f"is {len(value)} characters long; at most {limit} are allowed"
        return None if expression.fullmatch(value) else f"is {value!r}; only {allowed} are allowed"

    return check


def _policy(value: Value) -> str | None:
    if isinstance(value, str) and documents.parse(value) is None:
        return "is no JSON policy document; it must be one JSON object"
    return None


def _expiration(value: Value) -> str | None:
    if isinstance(value, str) and value and parse_expiration(value) is None:
        return f'is {value!r}; use a duration (5d), a date (2030-01-31) or "DeleteMarker"'
    return None


def _positive(value: Value) -> str | None:
    if isinstance(value, float) and (value < 1 or value != int(value)):
        return f"is {value:g}; it must be a whole number, 1 or more"
    return None


_bucket_name = _length(63)
_user_name = _matches(r"[0-9A-Za-z=,.@\-_+]+", "letters, digits and any of = , . @ - _ +", 1024)
_policy_name = _matches(r"[\w+=,.@:-]*", "letters, digits and any of _ + = , . @ : -", 96)

BUCKET = "minio:index/s3Bucket:S3Bucket"
BUCKET_VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"
BUCKET_POLICY = "minio:index/s3BucketPolicy:S3BucketPolicy"
ILM_POLICY = "minio:index/ilmPolicy:IlmPolicy"
IAM_USER = "minio:index/iamUser:IamUser"
IAM_POLICY = "minio:index/iamPolicy:IamPolicy"
IAM_USER_POLICY_ATTACHMENT = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"
S3_OBJECT = "minio:index/s3Object:S3Object"

Fields = Mapping[str, Field]

_VERSIONING: Fields = {
    "excludeFolders": Field(Kind.FLAG, default=False),
    "excludedPrefixes": Field(Kind.TEXTS),
    "status": Field(Kind.TEXT, required=True, validate=_one_of("Enabled", "Suspended")),
}
_RULE: Fields = {
    "expiration": Field(Kind.TEXT, default="", validate=_expiration),
    "filter": Field(Kind.TEXT, default=""),
    "id": Field(Kind.TEXT, required=True),
    "noncurrentVersionExpirationDays": Field(Kind.NUMBER, default=0.0, validate=_positive),
    "status": Field(Kind.TEXT, output_only=True),
    "tags": Field(Kind.TAGS),
}

RESOURCES: Mapping[str, Fields] = {
    BUCKET: {
        "acl": Field(Kind.TEXT, default="private"),
        "arn": Field(Kind.TEXT, output_only=True),
        "bucket": Field(
            Kind.TEXT,
            replaces=True,
            computed=True,
            validate=_bucket_name,
            conflicts="bucketPrefix",
        ),
        "bucketDomainName": Field(Kind.TEXT, output_only=True),
        "bucketPrefix": Field(Kind.TEXT, replaces=True, validate=_length(37)),
        "forceDestroy": Field(Kind.FLAG, default=False),
        "objectLocking": Field(Kind.FLAG, default=False),
        "quota": Field(Kind.NUMBER),
    },
    BUCKET_VERSIONING: {
        "bucket": Field(Kind.TEXT, required=True, replaces=True),
        "versioningConfiguration": Field(Kind.OBJECT, required=True, fields=_VERSIONING),
    },
    BUCKET_POLICY: {
        "bucket": Field(Kind.TEXT, required=True, replaces=True),
        "policy": Field(Kind.POLICY, required=True, validate=_policy),
    },
    ILM_POLICY: {
        "bucket": Field(Kind.TEXT, required=True, replaces=True, validate=_bucket_name),
        "rules": Field(Kind.OBJECTS, required=True, fields=_RULE),
    },
    IAM_USER: {
        "disableUser": Field(Kind.FLAG, default=False),
        "forceDestroy": Field(Kind.FLAG, default=False),
        "name": Field(Kind.TEXT, required=True, replaces=True, validate=_user_name),
        "secret": Field(Kind.TEXT, computed=True, secret=True),
        "status": Field(Kind.TEXT, output_only=True),
        "tags": Field(Kind.TAGS),
        "updateSecret": Field(Kind.FLAG, default=False),
    },
    IAM_POLICY: {
        "name": Field(
            Kind.TEXT, replaces=True, computed=True, validate=_policy_name, conflicts="namePrefix"
        ),
        "namePrefix": Field(Kind.TEXT, replaces=True, validate=_policy_name),
        "policy": Field(Kind.POLICY, required=True, validate=_policy),
    },
    IAM_USER_POLICY_ATTACHMENT: {
        "policyName": Field(Kind.TEXT, required=True, replaces=True, validate=_policy_name),
        "userName": Field(Kind.TEXT, required=True, replaces=True, validate=_user_name),
    },
    S3_OBJECT: {
        "bucketName": Field(Kind.TEXT, required=True, replaces=True),
        "content": Field(Kind.TEXT, conflicts="contentBase64"),
        "contentBase64": Field(Kind.TEXT, conflicts="source"),
        "contentType": Field(Kind.TEXT, computed=True),
        "etag": Field(Kind.TEXT, computed=True),
        "objectName": Field(Kind.TEXT, required=True, replaces=True),
        "source": Field(Kind.TEXT, conflicts="content"),
        "versionId": Field(Kind.TEXT, computed=True),
    },
}

# The official plugin names these after the resource when the program does not.
AUTONAMED = {IAM_USER: "name", IAM_POLICY: "name"}
