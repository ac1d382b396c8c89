"""A store in which somebody acts while it is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from drills.backupstore.objects import Found, Objects


@dataclass
class Acting:
    """`before`: done once, when a key that holds its word is asked for the first time.

    `asked`: (method, key or folder) of every question.
    """

    objects: Objects
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def list(self, folder: str) -> Iterator[Found]:
        self._act("list", folder)
        return self.objects.list(folder)

    def folders(self, folder: str) -> Iterator[str]:
        self._act("folders", folder)
        return self.objects.folders(folder)

    def get(self, key: str, limit: int) -> bytes:
        self._act("get", key)
        return self.objects.get(key, limit)

    def head(self, key: str) -> Found | None:
        self._act("head", key)
        return self.objects.head(key)

    def count(self, method: str, word: str = "") -> int:
        return sum(1 for asked, key in self.asked if asked == method and word in key)

    def _act(self, method: str, key: str) -> None:
        self.asked.append((method, key))
        for word in [word for word in self.before if word in f"{method} {key}"]:
            self.before.pop(word)()
