"""At which addresses clients reach the site's own store, whatever it runs on."""

from urllib.parse import urlsplit

from components.object_store.host import served_at
from components.object_store.in_cluster import objects
from components.settings import HostsStore, InClusterStore, Settings

_HTTPS = 443
Address = tuple[str, int]
"""Host in small letters, and port."""


def store_addresses(settings: Settings) -> frozenset[Address]:
    """Every name and address of the store's servers, with their port."""
    store = settings.object_store
    if isinstance(store, HostsStore):
        served = (served_at(store, name, settings.hosts[name])[1] for name in store.hosts)
        return frozenset((one.lower(), store.api_port) for names in served for one in names)
    if isinstance(store, InClusterStore):
        # The shortest one is another store's in every other namespace.
        inside = ((name, store.api_port) for name in objects.service_names(store)[1:])
        outside = (
            (name, store.outside.node_port)
            for name in (store.outside.address, *store.certificate.names)
        )
        return frozenset((name.lower(), port) for name, port in (*inside, *outside))
    return frozenset({address(store.endpoint)})


def address(url: str) -> Address:
    """Host and port of an https URL. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or _HTTPS
