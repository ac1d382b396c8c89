"""Settings of the store's clients: bucket, retention, quota, credential."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.settings.base import Model, Name

# MinIO's own rule for bucket names, which is the S3 rule without dots: a dot breaks TLS names.
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class ObjectLock(Model):
    """Default retention of a bucket. It can be switched on only when the bucket is made."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: Annotated[int, Field(ge=1)]


class Client(Model):
    """A consumer of the store. `quota_gib` None means no quota.

    `credential_generation` is raised to rotate; while `keep_previous_credential` is true the user
    of the generation before stays valid, so that nothing breaks while its consumer is changed.
    """

    enabled: bool = True
    bucket: str | None = None
    nodes: tuple[Name, ...] = ()
    # Fewer days than a week would not outlive a long weekend after a bad deletion.
    noncurrent_days: Annotated[int, Field(ge=7)] = 30
    quota_gib: Annotated[int, Field(ge=1)] | None = None
    object_lock: ObjectLock | None = None
    credential_generation: Annotated[int, Field(ge=1)] = 1
    keep_previous_credential: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.keep_previous_credential and self.credential_generation == 1:
            raise ValueError("keepPreviousCredential needs a credentialGeneration above 1")
        if self.object_lock and self.noncurrent_days < self.object_lock.days:
            raise ValueError("noncurrentDays must not be less than objectLock.days")
        return self

    @field_validator("bucket")
    @classmethod
    def _bucket_name(cls, value: str | None) -> str | None:
        if value is not None and not BUCKET_NAME.fullmatch(value):
            raise ValueError("a bucket name has 3 to 63 lower-case letters, digits and hyphens")
        return value


class Clients(Model):
    """Every client that a store has; a client left out of the config gets the defaults here."""

    velero: Client = Client()
    longhorn: Client = Client()
    host_files: Annotated[Client, Field(alias="host-files")] = Client()
    cluster_state: Annotated[Client, Field(alias="cluster-state")] = Client()
    drill: Client = Client()
    evidence: Client = Client()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("velero", "longhorn", "cluster_state", "drill", "evidence"):
            if getattr(self, key).nodes:
                raise ValueError(f"{key.replace('_', '-')}.nodes: only host-files has nodes")
        if not (self.drill.enabled and self.evidence.enabled):
            raise ValueError("drill and evidence cannot be switched off: nothing would be proven")
        return self
