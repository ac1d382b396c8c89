"""Locks as Longhorn's engine reads them: type, order, age."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from standins.longhorn import locks, records
from standins.longhorn.locks import Lock, LockType, may_be_taken
from tests.standins.longhorn.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWN = Lock("lock-m", LockType.DELETION, False, NOW)


def other(
    kind: LockType = LockType.BACKUP,
    *,
    acquired: bool = False,
    age: float = 0,
    name: str = "lock-a",
) -> Lock:
    return Lock(name, kind, acquired, NOW - timedelta(seconds=age))


@pytest.mark.parametrize(
    ("held", "taken"),
    [
        ([], True),
        ([OWN], True),
        ([other(acquired=True)], False),
        ([other(acquired=True, age=149)], False),
        ([other(acquired=True, age=151)], True),
        ([other(LockType.DELETION, acquired=True)], True),
        ([other(age=1)], False),
        ([other(age=-1)], True),
        ([other(name="lock-a")], False),
        ([other(name="lock-z")], True),
        ([other(age=-1), other(acquired=True, name="lock-z")], False),
    ],
    ids=["alone", "itself", "taken", "nearly-expired", "expired", "same-type", "earlier", "later",
         "same-time-first-name", "same-time-later-name", "one-of-two"],
)  # fmt: skip
def test_a_lock_is_taken_unless_one_of_the_other_type_comes_first(
    held: list[Lock], taken: bool
) -> None:
    assert may_be_taken(OWN, held, NOW) is taken


def test_a_lock_is_written_waited_for_and_removed() -> None:
    store = MemoryStore(lambda: NOW)
    slept: list[float] = []
    with locks.held(store, "pvc-a", LockType.BACKUP, slept.append):
        (key,) = store.objects
        raw = json.loads(store.objects[key])
        assert key == records.lock_key("pvc-a", raw["Name"])
        assert (raw["Type"], raw["Acquired"]) == (1, True)
        assert list(raw) == ["Name", "Type", "Acquired"]
    assert slept == [2.0]
    assert not store.objects


def test_a_lock_that_cannot_be_read_is_passed_over() -> None:
    store = MemoryStore(lambda: NOW)
    store.put(records.lock_key("pvc-a", "lock-0"), b"torn")
    with locks.held(store, "pvc-a", LockType.DELETION, lambda _: None):
        assert len(store.objects) == 2
