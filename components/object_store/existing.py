"""An object store that is there already: only its endpoint and an administrator are given."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pulumi

from components.object_store.buckets import Bucket
from components.object_store.endpoint import StoreEndpoint
from components.object_store.sighting import Sighting, folder_of_velero, look
from components.settings import ExistingStore, Settings
from s3 import client as s3_client
from s3.errors import Cause, StoreError

# Which config key is wrong when the store answers so; any other cause is the endpoint's.
_KEY_OF = {
    Cause.TLS_UNKNOWN_AUTHORITY: "objectStore.caCertificateFile",
    Cause.REGION_MISMATCH: "objectStore.region",
    Cause.KEY_UNKNOWN: "storeRootUser",
    Cause.ACCESS_DENIED: "storeRootUser",
    Cause.SIGNATURE_MISMATCH: "storeRootPassword",
}
_CA_KEY = "config backstop:objectStore.caCertificateFile"


def authority(store: ExistingStore) -> str:
    """The text of the CA file; raises ValueError with one sentence if it is none."""
    named = store.ca_certificate_file
    try:
        text = Path(named).expanduser().read_text()
    except OSError as error:
        raise ValueError(f"{_CA_KEY}: {named} cannot be read ({error.strerror})") from error
    if "BEGIN CERTIFICATE" not in text:
        raise ValueError(f"{_CA_KEY}: {named} holds no certificate in PEM form")
    return text


def sight(
    settings: Settings, store: ExistingStore, buckets: Sequence[Bucket], policies: Collection[str]
) -> Sighting:
    """What the store holds of the site, or every reason not to begin on it.

    Only reads. The provider would say the same once for every resource, by the names of its own
    inputs, and some of the resources would have been made by then.
    """
    administrator = s3_client.Credential(
        settings.store_root_user.get_secret_value(),
        settings.store_root_password.get_secret_value(),
    )
    try:
        pem = authority(store)
    except ValueError as error:
        return Sighting([str(error)])
    try:
        reached = s3_client.StoreEndpoint(store.endpoint, store.region, pem)
    except ValueError as error:
        return Sighting([f"{_CA_KEY}: {error}"])
    try:
        return look(
            reached,
            administrator,
            settings.site,
            buckets,
            policies,
            velero_folder=folder_of_velero(settings),
        )
    except StoreError as error:
        key = _KEY_OF.get(error.cause, "objectStore.endpoint")
        return Sighting([f"config backstop:{key}: {error}"])


def existing_endpoint(settings: Settings, store: ExistingStore) -> StoreEndpoint:
    """The endpoint as data; nothing is registered for a store that others own."""
    host = store.endpoint.removeprefix("https://").rsplit(":", 1)[0]
    return StoreEndpoint(
        url=store.endpoint,
        region=store.region,
        ca_pem=pulumi.Output.from_input(authority(store)),
        root_user=pulumi.Output.secret(settings.store_root_user.get_secret_value()),
        root_password=pulumi.Output.secret(settings.store_root_password.get_secret_value()),
        names=[host],
    )
