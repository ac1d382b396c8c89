"""The edge to the backup store's objects; `bucket.py` is the one there is."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, Protocol


class Listed(NamedTuple):
    """An object of a listing, its key below the target's prefix. `size`: bytes."""

    key: str
    size: int


class Store(Protocol):
    """Objects below a target's prefix; folders end with "/". Safe in threads.

    All raise StoreError when the store refuses or is not there.
    """

    def clock(self) -> datetime:
        """The time here, aware, UTC; what is written bears the store's own."""
        ...

    def folders(self, folder: str) -> list[str]:
        """The names of the folders right below a folder, without "/"."""
        ...

    def files(self, folder: str) -> list[str]:
        """The names of the objects right below a folder."""
        ...

    def every(self, folder: str) -> Iterator[Listed]:
        """Every object below a folder."""
        ...

    def get(self, key: str) -> bytes:
        """Raises MissingError when there is no such object."""
        ...

    def put(self, key: str, content: bytes) -> None: ...

    def delete(self, key: str) -> None:
        """What is not there is deleted already."""
        ...

    def exists(self, key: str) -> bool:
        """As Longhorn asks: any refusal counts as absent."""
        ...

    def modified(self, key: str) -> datetime:
        """When it was written, by the store's clock. Raises MissingError."""
        ...


def delete_all(store: Store, folder: str) -> None:
    """Deletes every object below a folder."""
    for one in list(store.every(folder)):
        store.delete(one.key)
