"""S3Bucket: a bucket, its canned access policy and its hard quota."""

from collections.abc import Iterator

from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from standins.pulumi.minio import documents
from standins.pulumi.minio.errors import BUCKET_EXISTS, NO_BUCKET, StoreError
from standins.pulumi.minio.resources.base import Found, PartlyCreatedError, unique_id
from standins.pulumi.minio.resources.bucket_policy import policy_text
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import UNKNOWN, Props, Value, flag, text, whole

_NO_LOCK = "ObjectLockConfigurationNotFoundError"
_UNNAMED_PREFIX = "terraform-"  # the official plugin's, for a bucket without any name


class Bucket:
    """See `base.Resource`."""

    def create(self, store: Store, planned: Props) -> Found:
        name = _name(planned)
        if exists(store, name, "unable to check bucket"):
            raise _already_exists(store, name)
        try:
            with store.calling("unable to create bucket", name):
                store.s3.make_bucket(name, object_lock=flag(planned, "objectLocking"))
        except StoreError as error:
            # Another process was faster between the two calls.
            raise _already_exists(store, name) if error.code in BUCKET_EXISTS else error from None
        # Whatever fails from here on is tried again by an update, so it is not in the state yet.
        reached: Props = {**_state(store, name, planned), "acl": "private", "quota": None}
        try:
            _set_acl(store, name, text(planned, "acl"), "[ACL] Unable to create bucket")
            reached["acl"] = planned.get("acl")
            if planned.get("quota") is not None:
                _set_quota(store, name, planned)
        except StoreError as error:
            raise PartlyCreatedError(Found(name, reached), error) from None
        return Found(name, _state(store, name, planned))

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        if not exists(store, resource_id, "unable to read bucket"):
            return None
        if not state:
            state = _imported(store, resource_id)
        return Found(resource_id, _state(store, resource_id, state))

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:
        if planned.get("objectLocking") != state.get("objectLocking"):
            _require_lock(store, resource_id, flag(planned, "objectLocking"))
        if planned.get("acl") != state.get("acl"):
            _set_acl(store, resource_id, text(planned, "acl"), "[ACL] Unable to update bucket")
        if planned.get("quota") != state.get("quota"):
            _set_quota(store, resource_id, planned)
        return _state(store, resource_id, planned)

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        try:
            with store.calling("unable to remove bucket", resource_id):
                if flag(state, "forceDestroy"):
                    _empty(store, resource_id)
                store.s3.remove_bucket(resource_id)
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise


def exists(store: Store, bucket: str, doing: str) -> bool:
    """True if the bucket is there. Raises StoreError unless the server says yes or no."""
    try:
        with store.calling(doing, bucket):
            # Unlike the SDK's own check (a HEAD request) this one says why it was refused.
            store.s3.get_bucket_versioning(bucket)
    except StoreError as error:
        if error.code != NO_BUCKET:
            raise
        return False
    return True


def _name(planned: Props) -> str:
    if planned.get("bucket") is not UNKNOWN:
        return text(planned, "bucket")
    return unique_id(text(planned, "bucketPrefix") or _UNNAMED_PREFIX)


def _already_exists(store: Store, name: str) -> StoreError:
    return StoreError(
        f"[FATAL] bucket already exists! ({name}): {store.settings.url} has it; choose another "
        f"name, or adopt it with `pulumi import minio:index/s3Bucket:S3Bucket <name> {name}`",
        BUCKET_EXISTS[0],
    )


def _state(store: Store, name: str, known: Props) -> Props:
    computed: Props = {
        "arn": f"arn:aws:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{store.settings.url}/minio/{name}",
    }
    return {**known, **computed}


def _imported(store: Store, name: str) -> Props:
    policy = policy_text(store, name, "error importing bucket")
    lock: Value = has_lock(store, name)
    return {
        "acl": documents.acl_of(policy, name) if policy else "private",
        "bucketPrefix": None,
        "forceDestroy": False,
        "objectLocking": lock,
        "quota": None,
    }


def has_lock(store: Store, name: str) -> bool:
    """True if the bucket was made with object lock."""
    with store.calling("unable to read the object lock of bucket", name):
        try:
            store.s3.get_object_lock_config(name)
        except S3Error as error:
            if error.code != _NO_LOCK:
                raise
            return False
    return True


def _require_lock(store: Store, name: str, wanted: bool) -> None:
    # A lock is decided when a bucket is made; the official plugin would report success here.
    if has_lock(store, name) != wanted:
        raise StoreError(
            f"[FATAL] unable to change bucket ({name}): objectLocking is decided when a bucket is "
            f"made; set it back to {str(not wanted).lower()} or make a new bucket"
        )


def _set_acl(store: Store, name: str, acl: str, doing: str) -> None:
    if acl not in documents.ACLS:
        allowed = ", ".join(documents.ACLS)
        raise StoreError(f"[FATAL] unsupported ACL ({acl}): (valid acl: {allowed})")
    document = documents.acl_document(acl, name)
    if document:  # going back to private leaves the policy, as the official plugin does
        with store.calling(doing, name):
            store.s3.set_bucket_policy(name, document)


def _set_quota(store: Store, name: str, planned: Props) -> None:
    quota = whole(planned, "quota")
    if quota <= 0:
        raise StoreError(
            f"[FATAL] invalid quota ({quota}): quota must be larger than 0; "
            f"a quota of bucket {name} can be changed but not taken away"
        )
    with store.calling("[Quota] Unable to update bucket", name):
        store.admin.bucket_quota_set(name, quota)


def _empty(store: Store, name: str) -> None:
    def every_version() -> Iterator[DeleteObject]:
        for item in store.s3.list_objects(name, recursive=True, include_version=True):
            yield DeleteObject(item.object_name or "", item.version_id)

    for error in store.s3.remove_objects(name, every_version()):
        raise StoreError(
            f"[FATAL] unable to remove bucket ({name}): "
            f"object {error.name} cannot be deleted: {error.message}",
            error.code or "",
        )
