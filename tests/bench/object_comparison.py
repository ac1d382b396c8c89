"""Compares the objects of a folder's backup and tells what it took, as JSON on stdout.

A process of its own, so that its memory is the comparison's and not the generator's.
`python -m tests.bench.object_comparison FOLDER`; `write` makes the folder.
"""

import datetime
import json
import resource
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Any

from drills.objects import tarball, truth_file
from drills.objects.against_copy import CopyComparison, CopyIndex
from drills.objects.against_truth import TruthComparison
from drills.objects.keys import ObjectKey
from drills.objects.normal_form import Restoration
from drills.objects.scope import Membership
from drills.objects.truth import Head, new_salt, record
from drills.velero_filters import scope_of
from tests.drills.objects import archives, samples

NAMESPACES = 20
PAGE = 500
BACKUP, LIVE, COPY, TRUTH = "backup.tar.gz", "live.jsonl", "copy.jsonl", "truth.gz"
MAPPING = {f"team-{number}": f"sandbox-{number}" for number in range(NAMESPACES)}
Page = list[tuple[ObjectKey, Mapping[str, Any]]]


def write(folder: Path, count: int) -> None:
    """A backup of `count` objects, the cluster it is of, and the copy restored from it."""
    folder.mkdir()
    page: list[samples.Pair] = []
    with (folder / LIVE).open("w") as live, (folder / COPY).open("w") as copy:

        def saved() -> Iterator[samples.Pair]:
            for pair in samples.crowd(count, NAMESPACES):
                page.append(pair)
                if len(page) == PAGE:
                    flush()
                yield pair
            flush()

        def flush() -> None:
            live.write(json.dumps(page) + "\n")
            back = [samples.restored(one, MAPPING[one[0].namespace], one[0].namespace)
                    for one in page]  # fmt: skip
            copy.write(json.dumps(back) + "\n")
            page.clear()

        (folder / BACKUP).write_bytes(archives.backup(saved()))


def pages(path: Path) -> Iterator[tuple[ObjectKey, Mapping[str, Any]]]:
    """Objects as an API client hands them out: a page is parsed, then the next."""
    with path.open("rb") as lines:
        for line in lines:
            for key, content in json.loads(line):
                yield ObjectKey(*key), content


def bare(folder: Path) -> int:
    """The yardstick: the same bytes read with the standard library, and nothing compared."""
    count = 0
    with tarfile.open(folder / BACKUP, "r|gz") as archive:
        for member in archive:
            held = archive.extractfile(member)
            if held is not None and member.name.endswith(".json"):
                text = held.read()
                if "preferredversion" not in member.name:
                    count += len(json.loads(text)) > 0
    return count + sum(1 for _ in pages(folder / COPY))


def recorded(folder: Path) -> int:
    """Both lists around the backup, and the truth in its file."""
    now = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    head = Head("uid", "backup", now, now, now, now, {}, new_salt())
    spaces = [samples.namespace(name)[1] for name in MAPPING]
    membership = Membership(scope_of({}), spaces)
    live = folder / LIVE
    truth = record(pages(live), metadata_of(pages(live)), membership, head)
    with (folder / TRUTH).open("wb") as out:
        truth_file.write(truth, out)
    return len(truth.entries)


def metadata_of(
    objects: Iterable[tuple[ObjectKey, Mapping[str, Any]]],
) -> Iterator[tuple[ObjectKey, Mapping[str, Any]]]:
    return ((key, {"metadata": content["metadata"]}) for key, content in objects)


def compared(folder: Path) -> int:
    """All three sides: truth, backup and copy."""
    with (folder / TRUTH).open("rb") as source:
        against_truth = TruthComparison(truth_file.read(source))
    index = CopyIndex(Restoration(MAPPING), new_salt())
    with (folder / BACKUP).open("rb") as source:
        for key, content in tarball.objects(source):
            against_truth.take(key, content)
            index.take(key, content)
    copy = CopyComparison(index)
    for key, content in pages(folder / COPY):
        copy.take(key, content)
    outcomes = [against_truth.result(), copy.result(lambda _keys: ())]
    assert not any(outcome.findings for outcome in outcomes)
    assert outcomes[0].count == outcomes[1].count
    return outcomes[1].count


def measured(run: Callable[[Path], int], folder: Path) -> dict[str, float]:
    begun = process_time()
    count = run(folder)
    return {"seconds": process_time() - begun, "count": count}


def main(folder: Path) -> None:
    found: dict[str, Any] = {
        run.__name__: measured(run, folder) for run in (bare, recorded, compared)
    }
    found["mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
