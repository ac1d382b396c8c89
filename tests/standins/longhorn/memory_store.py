"""A backup store in memory, for tests of what is written into one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from standins.longhorn.store import Listed
from standins.longhorn.store_errors import MissingError, StoreError


@dataclass
class MemoryStore:
    """`now` is the clock of both sides. `broken`: what every call then says, "" for none."""

    now: Callable[[], datetime]
    objects: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    broken: str = ""

    def clock(self) -> datetime:
        return self.now()

    def _check(self) -> None:
        if self.broken:
            raise StoreError(self.broken)

    def folders(self, folder: str) -> list[str]:
        self._check()
        inside = [key.removeprefix(folder) for key in self.objects if key.startswith(folder)]
        return sorted({one.partition("/")[0] for one in inside if "/" in one})

    def files(self, folder: str) -> list[str]:
        self._check()
        inside = [key.removeprefix(folder) for key in self.objects if key.startswith(folder)]
        return sorted(one for one in inside if "/" not in one)

    def every(self, folder: str) -> Iterator[Listed]:
        self._check()
        for key in sorted(self.objects):
            if key.startswith(folder):
                yield Listed(key, len(self.objects[key]))

    def get(self, key: str) -> bytes:
        self._check()
        if key not in self.objects:
            raise MissingError(f"api error NoSuchKey: {key}")
        return self.objects[key]

    def put(self, key: str, content: bytes) -> None:
        self._check()
        self.objects[key] = content
        self.written[key] = self.now()
        self.puts.append(key)

    def delete(self, key: str) -> None:
        self._check()
        self.objects.pop(key, None)

    def exists(self, key: str) -> bool:
        self._check()
        return key in self.objects

    def modified(self, key: str) -> datetime:
        self.get(key)
        return self.written[key]
