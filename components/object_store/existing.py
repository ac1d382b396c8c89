"""An object store that is there already: only its endpoint and an administrator are given."""

from collections.abc import Sequence
from pathlib import Path

import pulumi
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from components.object_store.endpoint import StoreEndpoint
from components.settings import ExistingStore, Settings
from s3 import client as s3_client
from s3.errors import Cause, classify
from s3.settings import OWNERSHIP_TAG

# Which config key is wrong when the store answers so; any other cause is the endpoint's.
_KEY_OF = {
    Cause.TLS_UNKNOWN_AUTHORITY: "objectStore.caCertificateFile",
    Cause.REGION_MISMATCH: "objectStore.region",
    Cause.KEY_UNKNOWN: "storeRootUser",
    Cause.ACCESS_DENIED: "storeRootUser",
    Cause.SIGNATURE_MISMATCH: "storeRootPassword",
}


def ca_finding(store: ExistingStore) -> str | None:
    """The fault of the CA file, or None."""
    key = "config backstop:objectStore.caCertificateFile"
    try:
        text = Path(store.ca_certificate_file).expanduser().read_text()
    except OSError as error:
        return f"{key}: {store.ca_certificate_file} cannot be read ({error.strerror})"
    if "BEGIN CERTIFICATE" not in text:
        return f"{key}: {store.ca_certificate_file} holds no certificate in PEM form"
    return None


def findings(settings: Settings, store: ExistingStore, buckets: Sequence[str]) -> list[str]:
    """Every reason not to begin on this store: it is not reached, or a bucket is another's.

    Only reads. The provider would say the same once for every resource, by the names of its own
    inputs, and some of the resources would have been made by then.
    """
    fault = ca_finding(store)
    if fault:
        return [fault]
    credential = s3_client.Credential(
        settings.store_root_user.get_secret_value(),
        settings.store_root_password.get_secret_value(),
    )
    try:
        pem = Path(store.ca_certificate_file).expanduser().read_text()
        reached = s3_client.StoreEndpoint(store.endpoint, store.region, pem)
    except ValueError as error:
        return [f"config backstop:objectStore.caCertificateFile: {error}"]
    client = s3_client.connect(reached, credential)
    try:
        found = [_foreign(client, bucket, settings.site) for bucket in buckets]
    except (MinioException, HTTPError, OSError) as error:
        cause = classify(error, store.endpoint)
        return [f"config backstop:{_KEY_OF.get(cause.cause, 'objectStore.endpoint')}: {cause}"]
    return [f"{fault} (config backstop:clients)" for fault in found if fault]


def _foreign(client: Minio, bucket: str, site: str) -> str:
    """Why a bucket cannot be this site's, "" if it can or does not exist.

    One that is empty and bears no tag may be ours: a run may have ended before it was marked.
    """
    # Reading the tags proves the region as well, which a listing of all buckets does not.
    tags = dict(client.get_bucket_tags(bucket) or {})
    owner = tags.get(OWNERSHIP_TAG)
    if owner == site:
        return ""
    if owner is not None:
        return f"bucket {bucket} belongs to site {owner}, not to {site}: choose another bucket name"
    data = _holds_data(client, bucket)
    if not data and not tags:
        return ""
    seen = "holds data" if data else "bears tags of somebody else"
    return (
        f"bucket {bucket} {seen} and not our mark: if it is this site's, tag it "
        f"{OWNERSHIP_TAG}={site}, otherwise choose another bucket name"
    )


def _holds_data(client: Minio, bucket: str) -> bool:
    versions = client.list_objects(bucket, recursive=True, include_version=True)
    try:
        return next(iter(versions), None) is not None
    except S3Error as error:
        # A bucket that does not exist has no tags, says the server, and only here no existence.
        if error.code == "NoSuchBucket":
            return False
        raise


def existing_endpoint(settings: Settings, store: ExistingStore) -> StoreEndpoint:
    """The endpoint as data; nothing is registered for a store that others own."""
    host = store.endpoint.removeprefix("https://").rsplit(":", 1)[0]
    return StoreEndpoint(
        url=store.endpoint,
        region=store.region,
        ca_pem=pulumi.Output.from_input(Path(store.ca_certificate_file).expanduser().read_text()),
        root_user=pulumi.Output.secret(settings.store_root_user.get_secret_value()),
        root_password=pulumi.Output.secret(settings.store_root_password.get_secret_value()),
        names=[host],
    )
