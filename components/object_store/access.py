"""Users and least-privilege policies of the store's clients.

What each role needs follows the client's own requirements; what is denied follows from MinIO's
semantics, which differ from AWS: there "allow DeleteObject" also purges versions, so both delete
actions are denied together, and no statement ever holds a wildcard action.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_minio as minio

from components.object_store.buckets import TRUTHS_PREFIX
from components.object_store.endpoint import generated_credential
from components.settings import Credentialed, Settings
from s3.ownership import policy_mark

Statement = dict[str, Any]

_MULTIPART = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_VERSION_DELETE = ["s3:DeleteObjectVersion"]
# Everything by which a writer could shorten or end the life of what is stored.
_BUCKET_LEVEL_DENY = [
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:ForceDeleteBucket",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
]


@dataclass(frozen=True)
class ClientAccess:
    """One consumer: `name` (unique, "host-files/cp1"), its role, bucket and prefix ("" or "x/").

    `folder` ("" or "x/") is the part of its prefix that its policy confines it to.
    """

    name: str
    role: str
    bucket: str
    prefix: str
    generation: int
    keep_previous: bool
    folder: str = ""

    @property
    def resource_name(self) -> str:
        return self.name.replace("/", "-")


def _allow(
    actions: Sequence[str], resources: Sequence[str], **conditions: dict[str, list[str]]
) -> Statement:
    statement: Statement = {
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(resources),
    }
    if conditions:
        statement["Condition"] = conditions
    return statement


def _deny(actions: Sequence[str], bucket: str) -> Statement:
    return {
        "Effect": "Deny",
        "Action": sorted(actions),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }


def _reader_writer(bucket: str) -> list[Statement]:
    """A client that runs its own retention: it deletes objects, but never a version.

    Velero and Longhorn expire backups, K3s prunes its snapshots; what they delete stays a version.
    """
    everything = [f"arn:aws:s3:::{bucket}/*"]
    return [
        _allow(
            [
                "s3:GetBucketLocation",
                "s3:HeadBucket",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
            ],
            [f"arn:aws:s3:::{bucket}"],
        ),
        _allow(["s3:DeleteObject", "s3:GetObject", "s3:PutObject", *_MULTIPART], everything),
        _deny([*_VERSION_DELETE, *_BUCKET_LEVEL_DENY], bucket),
    ]


def _host_files(bucket: str, prefix: str) -> list[Statement]:
    """restic on one node: appends below its prefix, removes only its own locks."""
    return [
        # restic asks HEAD bucket first, which carries no prefix and so cannot meet a condition.
        _allow(["s3:GetBucketLocation", "s3:HeadBucket"], [f"arn:aws:s3:::{bucket}"]),
        _allow(
            ["s3:ListBucket"],
            [f"arn:aws:s3:::{bucket}"],
            StringLike={"s3:prefix": [f"{prefix}*"]},
        ),
        _allow(["s3:GetObject", "s3:PutObject", *_MULTIPART], [f"arn:aws:s3:::{bucket}/{prefix}*"]),
        _allow(["s3:DeleteObject"], [f"arn:aws:s3:::{bucket}/{prefix}locks/*"]),
        _deny([*_VERSION_DELETE, *_BUCKET_LEVEL_DENY], bucket),
    ]


def _evidence(bucket: str, prefix: str) -> list[Statement]:
    """Appends receipts and can neither read nor remove them."""
    return [
        _allow(["s3:GetBucketLocation", "s3:HeadBucket"], [f"arn:aws:s3:::{bucket}"]),
        _allow(["s3:PutObject", *_MULTIPART], [f"arn:aws:s3:::{bucket}/{prefix}*"]),
        _deny(["s3:DeleteObject", *_VERSION_DELETE, *_BUCKET_LEVEL_DENY], bucket),
    ]


def _truth(bucket: str, folder: str) -> list[Statement]:
    """The canary's writer: appends below `folder`, and sees nothing of what is there.

    A truth is put on condition that none is there yet, which takes no further right.
    """
    return [
        _allow(["s3:GetBucketLocation", "s3:HeadBucket"], [f"arn:aws:s3:::{bucket}"]),
        _allow(["s3:AbortMultipartUpload", "s3:PutObject"], [f"arn:aws:s3:::{bucket}/{folder}*"]),
        _deny(["s3:DeleteObject", *_VERSION_DELETE, *_BUCKET_LEVEL_DENY], bucket),
    ]


@dataclass(frozen=True, order=True)
class Folder:
    """A folder of a bucket that is not the site's. `prefix`: "" or "x/"."""

    bucket: str
    prefix: str


def _drill(buckets: Sequence[str], folders: Sequence[Folder]) -> list[Statement]:
    """Reads every bucket with its versions and settings, and what lies in `folders`; every write
    is denied by name."""
    read = sorted({one for one in folders if one.bucket not in buckets})
    roots = [f"arn:aws:s3:::{bucket}" for bucket in buckets]
    objects = [f"arn:aws:s3:::{bucket}/*" for bucket in buckets]
    denied = [*buckets, *dict.fromkeys(one.bucket for one in read)]
    return [
        _allow(
            [
                "s3:GetBucketLocation",
                "s3:GetBucketObjectLockConfiguration",
                "s3:GetBucketVersioning",
                "s3:GetLifecycleConfiguration",
                "s3:HeadBucket",
                "s3:ListBucket",
                "s3:ListBucketVersions",
            ],
            roots,
        ),
        _allow(["s3:GetObject", "s3:GetObjectVersion"], objects),
        *(one for folder in read for one in _folder_read(folder)),
        {
            "Effect": "Deny",
            "Action": sorted(
                ["s3:DeleteObject", "s3:PutObject", *_VERSION_DELETE, *_BUCKET_LEVEL_DENY]
            ),
            "Resource": sorted(
                f"arn:aws:s3:::{bucket}{end}" for bucket in denied for end in ("", "/*")
            ),
        },
    ]


def _folder_read(folder: Folder) -> Iterator[Statement]:
    """Lists and gets what is there now, of nothing else in that bucket."""
    below = f"{folder.prefix}*"
    conditions = {"StringLike": {"s3:prefix": [below]}} if folder.prefix else {}
    yield _allow(["s3:ListBucket"], [f"arn:aws:s3:::{folder.bucket}"], **conditions)
    yield _allow(["s3:GetObject"], [f"arn:aws:s3:::{folder.bucket}/{below}"])


def statements(
    access: ClientAccess, buckets: Sequence[str], folders: Sequence[Folder] = ()
) -> list[Statement]:
    """The policy statements of one client. `buckets`: every bucket, for the role that reads all;
    `folders`: what it reads beside them.

    Raises:
        ValueError: the role has no policy.
    """
    match access.role:
        case "velero" | "longhorn" | "cluster-state":
            return _reader_writer(access.bucket)
        case "host-files":
            return _host_files(access.bucket, access.prefix)
        case "evidence":
            return _evidence(access.bucket, access.prefix)
        case "truth":
            return _truth(access.bucket, f"{access.prefix}{access.folder}")
        case "drill":
            return _drill(buckets, folders)
    raise ValueError(f"role {access.role}: no policy is written for it")


def policy_name(site: str, access: ClientAccess) -> str:
    """The name of a client's policy on the store."""
    return f"{site}-{access.resource_name}"


def policy_text(
    site: str, access: ClientAccess, buckets: Sequence[str], folders: Sequence[Folder] = ()
) -> str:
    """The policy as canonical JSON, so that equal rights are equal text; it bears the site's mark.

    The mark tells a later run whose the policy is, and the users it is attached to.
    """
    first, *others = statements(access, buckets, folders)
    marked = [{"Sid": policy_mark(site), **first}, *others]
    document = {"Version": "2012-10-17", "Statement": marked}
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def client_accesses(settings: Settings, bucket_of: dict[str, str]) -> list[ClientAccess]:
    """Every client of the site; host-files has one per node, so no node reads another's files."""

    def one(
        name: str, role: str, client: Credentialed, prefix: str = "", folder: str = ""
    ) -> ClientAccess:
        return ClientAccess(
            name=name,
            role=role,
            bucket=bucket_of.get("evidence" if role == "truth" else role, ""),
            prefix=prefix,
            generation=client.credential_generation,
            keep_previous=client.keep_previous_credential,
            folder=folder,
        )

    clients = settings.clients
    found = []
    for role, client in (("velero", clients.velero), ("longhorn", clients.longhorn)):
        if client.enabled:
            found.append(one(role, role, client))
    if clients.host_files.enabled:
        found += [
            one(f"host-files/{node}", "host-files", clients.host_files, f"{node}/")
            for node in clients.host_files.nodes
        ]
    if clients.cluster_state.enabled:
        found.append(one("cluster-state", "cluster-state", clients.cluster_state))
    found.append(one("drill", "drill", clients.drill))
    found.append(one("evidence", "evidence", clients.evidence, "receipts/"))
    if clients.truth.enabled:
        found.append(one("truth", "truth", clients.truth, TRUTHS_PREFIX, f"{settings.site}/"))
    return found


@dataclass
class StoreAccessArgs:
    """`site` prefixes policy names; `buckets`: every bucket's name; `folders`: what is drilled in
    others."""

    site: str
    accesses: Sequence[ClientAccess]
    buckets: Sequence[str]
    provider: minio.Provider
    folders: Sequence[Folder] = ()


class StoreAccess(pulumi.ComponentResource):
    """A user, a policy and their attachment per client and live credential generation.

    Outputs: `credentials` (secret), the newest {accessKey, secretKey} by client name; `live`, all
    of every generation; `attached`, the attachments by client, which a probe must wait for.
    """

    credentials: dict[str, pulumi.Output[dict[str, str]]]
    live: list[pulumi.Output[dict[str, str]]]
    attached: dict[str, list[pulumi.Resource]]

    def __init__(
        self, name: str, args: StoreAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:StoreAccess", name, None, opts)
        self.credentials = {}
        self.live = []
        self.attached = {}
        for access in args.accesses:
            self._client(args, access)
        self.register_outputs({"clients": [access.name for access in args.accesses]})

    def _client(self, args: StoreAccessArgs, access: ClientAccess) -> None:
        on_store = pulumi.ResourceOptions(parent=self, provider=args.provider)
        policy = minio.IamPolicy(
            f"{access.resource_name}-policy",
            name=policy_name(args.site, access),
            policy=policy_text(args.site, access, args.buckets, args.folders),
            opts=on_store,
        )
        first = access.generation - 1 if access.keep_previous else access.generation
        attached: list[pulumi.Resource] = []
        for generation in range(first, access.generation + 1):
            name = f"{access.resource_name}-{generation}"
            # The generation is part of the name: the old user stays while the new one is born.
            credential = generated_credential(
                name, generation=generation, opts=pulumi.ResourceOptions(parent=self)
            )
            user = minio.IamUser(
                f"{name}-user",
                name=credential.apply(lambda pair: pair["accessKey"]),
                secret=credential.apply(lambda pair: pair["secretKey"]),
                opts=on_store,
            )
            attached.append(
                minio.IamUserPolicyAttachment(
                    f"{name}-attachment",
                    user_name=user.name,
                    policy_name=policy.name,
                    opts=on_store,
                )
            )
            self.live.append(credential)
            self.credentials[access.name] = credential
        self.attached[access.name] = attached
