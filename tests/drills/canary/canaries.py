"""Canaries on real folders: their configs, their truths kept in memory, their volumes read back."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canary import writer
from canary.contents import Method, contents
from drills.canary.generations import Judged, fetch_truths, judge_volume, survey
from drills.canary.truth import Truth, parse_truth
from drills.volumes import tree_reader
from drills.volumes.allowances import SNAPSHOT
from drills.volumes.compare_trees import Options
from drills.volumes.entry import Entry
from drills.volumes.tree import Tree

SITE = "dev"
VOLUME = "data"
FILES = list(contents(Method.SNAPSHOT, as_root=os.geteuid() == 0))
FEW = [
    {"name": "page", "kind": "file", "size": 4096},
    {"name": "again", "kind": "link", "of": "page"},
]
OPTIONS = Options("the canary's truth", SNAPSHOT)
START = 1_800_000_000.0


def config(folder: Path, **more: Any) -> dict[str, Any]:
    """A config with one volume, and no store unless one is given."""
    volume = {"name": VOLUME, "path": str(folder / VOLUME), "files": more.pop("files", FEW)}
    return {
        "schema": 1, "site": SITE, "periodSeconds": 0.1, "keep": 2,
        "stateDir": str(folder / "state"), "volumes": [volume], "store": None, **more,
    }  # fmt: skip


def write_config(folder: Path, **more: Any) -> Path:
    """The file of a config; the volume is there, as the kubelet would mount it."""
    (folder / VOLUME).mkdir(exist_ok=True)
    place = folder / "config.json"
    place.write_text(json.dumps(config(folder, **more)))
    return place


@dataclass
class Memory:
    """A place outside of the volume where truths are kept. `away`: it takes none."""

    kept: dict[str, bytes] = field(default_factory=dict)
    away: str = ""

    def put(self, key: str, truth: bytes) -> None:
        if self.away:
            raise writer.WitnessError(self.away)
        if key in self.kept:
            raise writer.TakenError
        self.kept[key] = truth

    def truth(self, generation: int) -> Truth | None:
        key = f"{SITE}/{VOLUME}/{writer.number_name(generation)}.json"
        content = self.kept.get(key)
        return None if content is None else parse_truth(content, SITE, VOLUME, generation)


class Clock:
    """A time that goes on by a minute at every look."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 60
        return self.now


def keeper(
    root: Path, clock: Callable[[], float] | None = None, keep: int = 2, files: Any = None
) -> writer.Keeper:
    root.mkdir(exist_ok=True)
    volume = writer.Volume(VOLUME, str(root), writer.specs_of(FILES if files is None else files))
    return writer.Keeper(SITE, volume, keep, clock or Clock())


def tree_of(root: Path) -> list[Entry]:
    output = io.BytesIO()
    tree_reader.read_volume(VOLUME, os.fsencode(root), 1, False, output)
    output.seek(0)
    return list(Tree(iter(output)))


def judged(root: Path, memory: Memory) -> Judged:
    """The volume as a drill judges it."""
    entries = tree_of(root)
    held = survey(entries)
    return judge_volume(VOLUME, entries, held, fetch_truths(held, memory.truth), OPTIONS)


def generations(root: Path) -> Iterator[Path]:
    """The generations of a volume, oldest first."""
    return iter(sorted((root / writer.GENERATIONS).iterdir()))
