"""Where the store is for a pod, as a NetworkPolicy must say it: pure data out of the settings."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from components.settings import HostsStore, InClusterStore, Settings, is_address
from components.settings.base import network

# A NetworkPolicy knows no names: a store that is called by one is let through by its port alone.
ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Reach:
    """CIDRs of the store's addresses, or the namespace it runs in, and the port it listens at."""

    networks: tuple[str, ...]
    namespace: str
    port: int


def reach(settings: Settings) -> Reach:
    """How a pod of the cluster comes to the site's store."""
    store = settings.object_store
    if isinstance(store, InClusterStore):
        # The policy is looked at behind the Service, so the pod's own port counts.
        return Reach((), store.namespace, store.api_port)
    if isinstance(store, HostsStore):
        addresses = [settings.hosts[name].address for name in store.hosts]
        return Reach(_networks(addresses), "", store.api_port)
    url = urlsplit(store.endpoint)
    # The settings demand a port.
    return Reach(_networks([url.hostname or ""]), "", url.port or 443)


def _networks(addresses: list[str]) -> tuple[str, ...]:
    if not all(map(is_address, addresses)):
        return ANYWHERE
    return tuple(dict.fromkeys(map(network, addresses)))
