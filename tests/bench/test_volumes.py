"""How fast volumes are hashed and compared, beside what the machine's hashing alone would take."""

import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drills.volumes import tree_reader
from drills.volumes.compare_trees import Options, compare
from drills.volumes.entry import Entry
from drills.volumes.tree import Tree
from tests.bench.clock import Row, best, report
from tests.drills.volumes.trees import ROOT, file, text_of

pytestmark = pytest.mark.bench

TOTAL_BYTES = 256 << 20
SIZES = (1, 100, 10_000)
COMPARED = (50_000, 200_000)


def fill(root: Path, files: int) -> list[Path]:
    """`files` files of random content in folders of a hundred."""
    content = os.urandom(TOTAL_BYTES // files)
    places = [root / f"{number // 100:03d}" / f"{number:05d}" for number in range(files)]
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content[number % 64 :])
    return places


def hash_in_memory(content: list[bytes]) -> None:
    for one in content:
        hashlib.sha256(one).hexdigest()


def hash_files(places: list[Path]) -> None:
    for place in places:
        hashlib.sha256(place.read_bytes()).hexdigest()


def run(*command: str | Path) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def processor() -> float:
    """Processor seconds of this process and of all that it waited for: a busy machine adds none."""
    return sum(os.times()[:4])


@pytest.mark.parametrize("files", SIZES)
def test_hashing_of_a_volume(
    files: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = fill(tmp_path, files)
    content = [place.read_bytes() for place in places]
    listing = tmp_path.with_name("listing")
    listing.write_bytes(b"".join(os.fsencode(place) + b"\0" for place in places))
    script = Path(tree_reader.__file__)
    tasks: dict[str, Callable[[], None]] = {
        "sha256 of the bytes in memory, one core": lambda: hash_in_memory(content),
        "the same with opening and reading": lambda: hash_files(places),
        "sha256sum of the files": lambda: run("xargs", "-0", "-a", listing, "sha256sum"),
        "tree_reader": lambda: run(sys.executable, script, tmp_path),
        "tree_reader in one process": lambda: run(sys.executable, script, "--workers=1", tmp_path),
    }
    yardstick = next(iter(tasks))
    for kind, clock in (("time", time.perf_counter), ("processor time", processor)):
        seconds = {what: best(task, clock=clock) for what, task in tasks.items()}
        rows = [Row(what, took, took / seconds[yardstick]) for what, took in seconds.items()]
        with capsys.disabled():
            print(report(f"256 MiB in {files} files, {kind}", yardstick, rows))  # noqa: T201


def test_comparison_by_number_of_entries(capsys: pytest.CaptureFixture[str]) -> None:
    def side(entries: int, step: int) -> Iterator[Entry]:
        yield ROOT
        for number in range(entries):
            # One in a hundred differs.
            yield file(b"%08d" % number, "x" if number % 100 else str(step))

    texts = {entries: text_of(list(side(entries, 1))) for entries in COMPARED}
    seconds = {
        entries: best(
            lambda entries=entries: compare(
                "data", Tree(iter(texts[entries])), side(entries, 2), Options("a tree")
            )
        )
        for entries in COMPARED
    }
    first = seconds[COMPARED[0]]
    rows = [
        Row(f"{entries} entries, {entries / took:.0f} a second", took, took / first)
        for entries, took in seconds.items()
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with capsys.disabled():
        print(report(f"parsing and comparing, peak {peak} MiB", f"{COMPARED[0]} entries", rows))  # noqa: T201
    found = compare("data", side(1000, 1), side(1000, 2), Options("a tree"))
    assert sum(found.counts.values()) == 10
