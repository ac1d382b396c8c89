"""S3BucketVersioning: whether a bucket keeps old versions."""

from minio.versioningconfig import SUSPENDED, VersioningConfig

from standins.pulumi.minio.errors import NO_BUCKET, StoreError
from standins.pulumi.minio.resources.base import Found
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, Value, flag, mapping, text, texts


class Versioning:
    """See `base.Resource`."""

    def create(self, store: Store, planned: Props) -> Found:
        _put(store, planned)
        return Found(text(planned, "bucket"), planned)

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:  # noqa: ARG002  (the protocol's)
        try:
            with store.calling("failed to load bucket versioning", resource_id):
                found = store.s3.get_bucket_versioning(resource_id)
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise
            return None
        configuration: Props = {
            "excludeFolders": found.exclude_folders,
            "excludedPrefixes": list[Value](found.excluded_prefixes or []),
            "status": found.status or "",
        }
        return Found(resource_id, {"bucket": resource_id, "versioningConfiguration": configuration})

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        _put(store, planned)
        return planned

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        if text(mapping(state, "versioningConfiguration"), "status") == SUSPENDED:
            return
        try:
            with store.calling("error suspending bucket versioning", resource_id):
                store.s3.set_bucket_versioning(resource_id, VersioningConfig(status=SUSPENDED))
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise


def _put(store: Store, planned: Props) -> None:
    bucket = text(planned, "bucket")
    wanted = mapping(planned, "versioningConfiguration")
    with store.calling("error putting bucket versioning configuration", bucket):
        store.s3.set_bucket_versioning(
            bucket,
            VersioningConfig(
                status=text(wanted, "status"),
                excluded_prefixes=texts(wanted, "excludedPrefixes") or None,
                exclude_folders=flag(wanted, "excludeFolders"),
            ),
        )
