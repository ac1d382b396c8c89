"""Buckets of the store's clients, with versioning, lifecycle, quota and lock; read back.

The provider answers some writes with success although the server refused them, does not know tags
or default retention, and cannot take a quota away. So a Command sets those and compares what the
server then holds with what was declared.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_minio as minio

from components import command
from components.object_store.endpoint import StoreEndpoint
from components.settings import BUCKET_NAME, Client, Settings, SettingsError

GIB = 1024**3
# The id by which the read-back finds the lifecycle rule that every bucket has.
LIFECYCLE_RULE = "noncurrent"
TRUTHS_RULE = "truths"
# Where the canary's truths lie in the bucket of evidence.
TRUTHS_PREFIX = "canary/"
BUCKET_TYPE = "minio:index/s3Bucket:S3Bucket"


@dataclass(frozen=True)
class Expiry:
    """Objects below `prefix` cease to be current after so many days; old versions go as all do."""

    rule: str
    prefix: str
    days: int


@dataclass(frozen=True)
class Bucket:
    """One bucket as declared. `quota_bytes` None: no quota. `lock_days` None: no object lock.

    `expiries` is empty wherever a client's tool owns the retention of what it wrote.
    """

    role: str
    name: str
    noncurrent_days: int
    quota_bytes: int | None
    lock_mode: str | None
    lock_days: int | None
    expiries: tuple[Expiry, ...] = ()

    def wire(self) -> dict[str, Any]:
        """The form in which drills and the read-back take it."""
        lock = None
        if self.lock_days is not None:
            lock = {"mode": self.lock_mode, "days": self.lock_days}
        return {
            "name": self.name,
            "versioning": True,
            "objectLock": lock,
            "noncurrentDays": self.noncurrent_days,
            "quotaBytes": self.quota_bytes,
            "expires": [{"prefix": each.prefix, "days": each.days} for each in self.expiries],
        }

    def rules(self) -> list[minio.IlmPolicyRuleArgsDict]:
        """Its whole lifecycle, as the provider takes it."""
        # Current objects are the client's own to expire, but for what `expiries` says.
        noncurrent: minio.IlmPolicyRuleArgsDict = {
            "id": LIFECYCLE_RULE,
            "noncurrent_version_expiration_days": self.noncurrent_days,
        }
        # Given days, the server also removes the delete markers once they are that old.
        expiring: list[minio.IlmPolicyRuleArgsDict] = [
            {"id": each.rule, "filter": each.prefix, "expiration": f"{each.days}d"}
            for each in self.expiries
        ]
        return [noncurrent, *expiring]


def declared_buckets(settings: Settings) -> list[Bucket]:
    """The buckets of every enabled client; the drill has none, it reads the others'.

    Truths have that of evidence. They expire even if their writer is switched off: the last ones
    would otherwise stay for ever.

    Raises:
        SettingsError: two clients name one bucket, or a name is too long.
    """
    clients = settings.clients
    roles: list[tuple[str, Client]] = [
        ("velero", clients.velero),
        ("longhorn", clients.longhorn),
        ("host-files", clients.host_files),
        ("cluster-state", clients.cluster_state),
        ("evidence", clients.evidence),
    ]
    buckets: list[Bucket] = []
    faults = []
    for role, client in roles:
        if not client.enabled:
            continue
        name = client.bucket or f"{settings.site}-{role}"
        if not BUCKET_NAME.fullmatch(name):
            faults.append(f"config backstop:clients.{role}.bucket: {name} is no bucket name")
        if any(other.name == name for other in buckets):
            faults.append(
                f"config backstop:clients.{role}.bucket: {name} is another client's bucket; "
                "each client needs its own"
            )
        lock = client.object_lock
        buckets.append(
            Bucket(
                role=role,
                name=name,
                noncurrent_days=client.noncurrent_days,
                quota_bytes=None if client.quota_gib is None else client.quota_gib * GIB,
                lock_mode=lock.mode if lock else None,
                lock_days=lock.days if lock else None,
                expiries=(
                    (Expiry(TRUTHS_RULE, TRUTHS_PREFIX, clients.truth.truth_days),)
                    if role == "evidence"
                    else ()
                ),
            )
        )
    if faults:
        raise SettingsError(faults)
    return buckets


@dataclass
class StoreBucketsArgs:
    """`endpoint` is needed by the read-back, which speaks to the server past the provider.

    `taken_over`: names of buckets that the store has and the state does not.
    """

    site: str
    buckets: Sequence[Bucket]
    endpoint: StoreEndpoint
    provider: minio.Provider
    taken_over: Collection[str] = ()


class StoreBuckets(pulumi.ComponentResource):
    """Each bucket with its settings. Protected and retained: no run of the program deletes one.

    Outputs: `settled`, the read-back of each bucket by name, which a consumer waits for.
    """

    settled: dict[str, pulumi.Resource]

    def __init__(
        self, name: str, args: StoreBucketsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("backstop:index:StoreBuckets", name, None, opts)
        self.settled = {bucket.name: self._bucket(args, bucket) for bucket in args.buckets}
        self.register_outputs({"buckets": [bucket.name for bucket in args.buckets]})

    def _bucket(self, args: StoreBucketsArgs, declared: Bucket) -> pulumi.Resource:
        kept = pulumi.ResourceOptions(
            parent=self, provider=args.provider, protect=True, retain_on_delete=True
        )
        bucket = minio.S3Bucket(
            f"{declared.role}-bucket",
            bucket=declared.name,
            acl="private",
            object_locking=declared.lock_days is not None,
            opts=pulumi.ResourceOptions.merge(kept, _taken_over(args, declared)),
        )
        versioning = minio.S3BucketVersioning(
            f"{declared.role}-versioning",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=kept,
        )
        lifecycle = minio.IlmPolicy(
            f"{declared.role}-lifecycle",
            bucket=bucket.bucket,
            rules=declared.rules(),
            opts=pulumi.ResourceOptions.merge(
                kept, pulumi.ResourceOptions(depends_on=[versioning])
            ),
        )
        return command.on_operator(
            f"{declared.role}-settings",
            "sh ./run.sh s3 settings",
            stdin=settings_request(args.site, args.endpoint, declared),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket, versioning, lifecycle]),
        )


def unknown_to(
    recorded: Collection[tuple[str, str]], buckets: Sequence[Bucket], existing: Collection[str]
) -> frozenset[str]:
    """Names of the buckets that exist and that the state does not have. `recorded`: (type, name).

    Only these are imported: an import that is declared stays in the state, where a run that was cut
    short and gone on with would then differ from one that was not.
    """
    return frozenset(
        bucket.name
        for bucket in buckets
        if bucket.name in existing and (BUCKET_TYPE, f"{bucket.role}-bucket") not in recorded
    )


def _taken_over(args: StoreBucketsArgs, declared: Bucket) -> pulumi.ResourceOptions:
    """Imports a bucket that another state made.

    Both ignored properties are decided when a bucket is made. The provider does not read them when
    it imports, and the engine refuses an import with any difference.
    """
    return pulumi.ResourceOptions(
        import_=declared.name if declared.name in args.taken_over else None,
        ignore_changes=["acl", "object_locking"],
    )


def settings_request(site: str, endpoint: StoreEndpoint, bucket: Bucket) -> pulumi.Output[str]:
    """What `s3 settings` reads from stdin (secret: it holds the administrator)."""
    return pulumi.Output.all(endpoint.ca_pem, endpoint.root_user, endpoint.root_password).apply(
        lambda values: json.dumps(
            {
                "schema": 1,
                "site": site,
                "endpoint": endpoint.url,
                "region": endpoint.region,
                "caPem": values[0],
                "accessKey": values[1],
                "secretKey": values[2],
                "bucket": {**bucket.wire(), "claim": True},
            },
            sort_keys=True,
        )
    )
