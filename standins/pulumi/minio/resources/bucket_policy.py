"""S3BucketPolicy: the policy document on a bucket."""

from minio.error import S3Error

from standins.pulumi.minio import documents
from standins.pulumi.minio.errors import NO_BUCKET, StoreError
from standins.pulumi.minio.resources.base import Found
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, text

_NO_DOCUMENT = "NoSuchBucketPolicy"


class BucketPolicy:
    """See `base.Resource`."""

    def create(self, store: Store, planned: Props) -> Found:
        return Found(text(planned, "bucket"), _put(store, planned))

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        try:
            document = policy_text(store, resource_id, "failed to load bucket policy")
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise
            return None
        kept = text(state, "policy")
        if document and not (kept and documents.equivalent(kept, document)):
            kept = documents.compact(document)
        return Found(resource_id, {"bucket": resource_id, "policy": kept if document else ""})

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        return _put(store, planned)

    def delete(self, store: Store, resource_id: str, state: Props) -> None:  # noqa: ARG002  (the protocol's)
        try:
            with store.calling("error deleting bucket", resource_id):
                store.s3.delete_bucket_policy(resource_id)
        except StoreError as error:
            if error.code not in (NO_BUCKET, _NO_DOCUMENT):
                raise


def policy_text(store: Store, bucket: str, doing: str) -> str:
    """The policy document on a bucket, empty if it has none. Raises StoreError."""
    with store.calling(doing, bucket):
        try:
            return store.s3.get_bucket_policy(bucket)
        except S3Error as error:
            if error.code != _NO_DOCUMENT:
                raise
            return ""


def _put(store: Store, planned: Props) -> Props:
    bucket, policy = text(planned, "bucket"), text(planned, "policy")
    with store.calling("error putting bucket policy", bucket):
        store.s3.set_bucket_policy(bucket, documents.compact(policy))
    return planned
