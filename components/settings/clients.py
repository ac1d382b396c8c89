"""Settings of the store's clients: bucket, retention, quota, credential."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic.alias_generators import to_snake

from components.settings.base import Model, Name

# MinIO's own rule for bucket names, which is the S3 rule without dots: a dot breaks TLS names.
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class ObjectLock(Model):
    """Default retention of a bucket. It can be switched on only when the bucket is made."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: Annotated[int, Field(ge=1)]


class Credentialed(Model):
    """A user of the store.

    `credential_generation` is raised to rotate; while `keep_previous_credential` is true the user
    of the generation before stays valid, so that nothing breaks while its consumer is changed.
    """

    enabled: bool = True
    credential_generation: Annotated[int, Field(ge=1)] = 1
    keep_previous_credential: bool = False

    @model_validator(mode="after")
    def _former_one_exists(self) -> Self:
        if self.keep_previous_credential and self.credential_generation == 1:
            raise ValueError("keepPreviousCredential needs a credentialGeneration above 1")
        return self


class Client(Credentialed):
    """A consumer of the store with a bucket of its own. `quota_gib` None means no quota."""

    bucket: str | None = None
    nodes: tuple[Name, ...] = ()
    # Fewer days than a week would not outlive a long weekend after a bad deletion.
    noncurrent_days: Annotated[int, Field(ge=7)] = 30
    quota_gib: Annotated[int, Field(ge=1)] | None = None
    object_lock: ObjectLock | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.object_lock and self.noncurrent_days < self.object_lock.days:
            raise ValueError("noncurrentDays must not be less than objectLock.days")
        return self

    @field_validator("bucket")
    @classmethod
    def _bucket_name(cls, value: str | None) -> str | None:
        if value is not None and not BUCKET_NAME.fullmatch(value):
            raise ValueError("a bucket name has 3 to 63 lower-case letters, digits and hyphens")
        return value


# What a client has only with a bucket of its own.
_OF_A_BUCKET = ("bucket", "nodes", "noncurrent_days", "object_lock", "quota_gib")


class TruthClient(Credentialed):
    """The canary's writer, at home in the bucket of evidence.

    After `truth_days` a truth is no longer current, whatever becomes of this client. A restore
    point that is older cannot be proven by the canary.
    """

    # A truth must outlive the backups that hold what it tells of.
    truth_days: Annotated[int, Field(ge=7)] = 400

    @model_validator(mode="before")
    @classmethod
    def _has_no_bucket(cls, value: object) -> object:
        given = {to_snake(str(key)): key for key in value} if isinstance(value, Mapping) else {}
        for key in _OF_A_BUCKET:
            if key in given:
                raise ValueError(
                    f"truths lie in the bucket of evidence, whose settings hold for them; take "
                    f"{given[key]} out"
                )
        return value


class Clients(Model):
    """Every client that a store has; a client left out of the config gets the defaults here."""

    velero: Client = Client()
    longhorn: Client = Client()
    host_files: Annotated[Client, Field(alias="host-files")] = Client()
    cluster_state: Annotated[Client, Field(alias="cluster-state")] = Client()
    drill: Client = Client()
    evidence: Client = Client()
    truth: TruthClient = TruthClient()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("velero", "longhorn", "cluster_state", "drill", "evidence"):
            if getattr(self, key).nodes:
                raise ValueError(f"{key.replace('_', '-')}.nodes: only host-files has nodes")
        if not (self.drill.enabled and self.evidence.enabled):
            raise ValueError("drill and evidence cannot be switched off: nothing would be proven")
        lock = self.evidence.object_lock
        if lock and self.truth.truth_days <= lock.days:
            raise ValueError(
                f"truth.truthDays: {self.truth.truth_days} days are not more than the {lock.days} "
                "of evidence.objectLock.days, which truths are kept for in any case; give more"
            )
        return self
