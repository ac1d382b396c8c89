"""S3Object: one small object whose content is in the program."""

import base64
import binascii
import io

from standins.pulumi.minio.errors import NO_BUCKET, StoreError
from standins.pulumi.minio.resources.base import Found
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, text

_NO_OBJECT = "NoSuchKey"
_DEFAULT_TYPE = "application/octet-stream"


class S3Object:
    """See `base.Resource`. Creating overwrites, as with the official plugin."""

    def create(self, store: Store, planned: Props) -> Found:
        return Found(text(planned, "objectName"), _put(store, planned))

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        if not state:
            raise StoreError(
                f"[FATAL] reading object failed ({resource_id}): an S3Object cannot be imported"
            )
        try:
            return Found(resource_id, _stat(store, state))
        except StoreError as error:
            if error.code not in (_NO_OBJECT, NO_BUCKET):
                raise
            return None

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        return _put(store, planned)

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        try:
            with store.calling("deleting object failed", resource_id):
                store.s3.remove_object(text(state, "bucketName"), text(state, "objectName"))
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise


def _content(planned: Props) -> bytes:
    name = text(planned, "objectName")
    if planned.get("content"):
        return text(planned, "content").encode()
    if planned.get("contentBase64"):
        try:
            return base64.b64decode(text(planned, "contentBase64"), validate=True)
        except binascii.Error as error:
            raise StoreError(f"[FATAL] error decoding content_base64 ({name}): {error}") from error
    raise StoreError(
        f"[FATAL] putting object failed ({name}): one of content / content_base64 is not set "
        "(source is not supported, as with the official plugin)"
    )


def _put(store: Store, planned: Props) -> Props:
    content = _content(planned)
    kind = planned.get("contentType")
    with store.calling("putting object failed", text(planned, "objectName")):
        store.s3.put_object(
            text(planned, "bucketName"),
            text(planned, "objectName"),
            io.BytesIO(content),
            len(content),
            content_type=kind if isinstance(kind, str) else _DEFAULT_TYPE,
        )
    return _stat(store, planned)


def _stat(store: Store, known: Props) -> Props:
    bucket, name = text(known, "bucketName"), text(known, "objectName")
    with store.calling("reading object failed", name):
        found = store.s3.stat_object(bucket, name)
    return {
        **known,
        "contentType": found.content_type or "",
        "etag": found.etag or "",
        "versionId": found.version_id or "",
    }
