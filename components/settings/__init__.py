"""Pulumi config -> frozen, validated settings. Every error names its key and the cure.

One module a concern; `load` takes the raw values of the stack's config and returns `Settings` or
raises `SettingsError`, whose text is one sentence per fault. Values that decide something are plain
Python here; values that only pass through (secrets) stay out of these classes' text forms.
"""

from components.settings.base import NAMESPACE, SettingsError, is_address
from components.settings.clients import (
    BUCKET_NAME,
    Client,
    Clients,
    Credentialed,
    ObjectLock,
    TruthClient,
)
from components.settings.cluster import ClusterSettings
from components.settings.drills import Drills
from components.settings.hosts import Host
from components.settings.in_cluster import InClusterStore
from components.settings.loading import SECRET_KEYS, load
from components.settings.site import Settings
from components.settings.snapshots import (
    LONGHORN_DRIVER,
    SnapshotClass,
    Snapshots,
    coupling_faults,
)
from components.settings.store import Binary, Certificate, ExistingStore, Firewall, HostsStore

__all__ = [
    "BUCKET_NAME",
    "LONGHORN_DRIVER",
    "NAMESPACE",
    "SECRET_KEYS",
    "Binary",
    "Certificate",
    "Client",
    "Clients",
    "ClusterSettings",
    "Credentialed",
    "Drills",
    "ExistingStore",
    "Firewall",
    "Host",
    "HostsStore",
    "InClusterStore",
    "ObjectLock",
    "Settings",
    "SettingsError",
    "SnapshotClass",
    "Snapshots",
    "TruthClient",
    "coupling_faults",
    "is_address",
    "load",
]
