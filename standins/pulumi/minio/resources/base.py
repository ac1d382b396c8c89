"""What a resource is to the provider."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props
from standins.pulumi.plugin import PluginError


@dataclass(frozen=True)
class Found:
    """A resource as the server has it: its Pulumi id and its complete state."""

    id: str
    state: Props


class PartlyCreatedError(PluginError):
    """A creation that failed after the object was there: it must be kept in the state."""

    def __init__(self, found: Found, cause: PluginError) -> None:
        super().__init__(str(cause))
        self.found = found


class Resource(Protocol):
    """One resource type. Every method may raise StoreError; none holds a state of its own.

    `planned` is the state wanted (see `state.planned`): each method fills in what the server adds.
    """

    def create(self, store: Store, planned: Props) -> Found:
        """Makes the object. What exists already is an error where the official plugin says so."""
        ...

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        """The object as it is now; None only if the server says that it is not there.

        `state` is the state kept of it, empty when it is imported.
        """
        ...

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:
        """Changes the object from `state` to `planned`; returns the new state."""
        ...

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Removes the object; one that is gone already is no error."""
        ...


_counter = itertools.count(1)


def unique_id(prefix: str, clock: Callable[[], float] = time.time) -> str:
    """The official plugin's form of a unique id: prefix, UTC time to 0.1 ms, counter."""
    now = clock()
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    return f"{prefix}{stamp}{int(now % 1 * 10_000):04d}{next(_counter):08x}"
