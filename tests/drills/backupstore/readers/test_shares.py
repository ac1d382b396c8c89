"""How many processes, within the memory that all may take."""

import pytest

from drills.backupstore.parallel import MEMORY_BYTES
from drills.backupstore.readers import shares

MIB = 1 << 20


@pytest.mark.parametrize(
    ("cores", "workers", "processes"),
    [(1, 6, 1), (2, 10, 2), (2, 1, 1), (3, 12, 3), (4, 12, 4), (64, 12, 4), (64, 2, 2)],
)
def test_as_many_as_there_are_cores_and_work_for(cores: int, workers: int, processes: int) -> None:
    assert shares.processes(cores, workers, 4 * MIB) == processes


def test_workers_are_five_for_each_process_from_six_to_twelve() -> None:
    assert [shares.usual_workers(cores) for cores in (1, 2, 3, 4, 64)] == [6, 10, 12, 12, 12]


@pytest.mark.parametrize("cores", range(2, 9))
@pytest.mark.parametrize("cost", [size * MIB for size in (1, 4, 8, 32, 64, 128, 1024)])
def test_blocks_under_way_fit_whatever_the_cores(cores: int, cost: int) -> None:
    workers = shares.usual_workers(cores)
    count = shares.processes(cores, workers, cost)
    further = (count - 2) * 40 * MIB if count > 2 else 0
    assert count * shares.threads(count, workers) >= workers
    if count > 1:
        assert count * shares.at_once(count, cost) * cost + further <= MEMORY_BYTES
    else:
        assert shares.at_once(count, cost) == max(1, MEMORY_BYTES // cost)


def test_large_blocks_are_still_read_in_two_processes() -> None:
    assert shares.processes(2, 10, 4 * 16 * MIB) == shares.processes(8, 12, 4 * 16 * MIB) == 2
