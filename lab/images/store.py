"""The images' archives in the cache, each under a hash of all that it is made of."""

import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import durable
from lab.cluster import layout
from lab.images import recipes
from lab.images.archive import ARCHITECTURES, LABELS, Content, write
from lab.locks import held

FORMAT = 1


@dataclass(frozen=True)
class Image:
    """An image that is ready to be imported: reference, digest, archive below the cache."""

    name: str
    digest: str
    archive: Path


def folder(cache: Path) -> Path:
    """Where the archives are."""
    return cache / "images"


def key(content: Content, sources: Mapping[Path, str]) -> str:
    """Sixteen hex digits over everything that decides the archive's bytes."""
    described = {
        "format": FORMAT,
        "name": content.name,
        "entries": [
            {**asdict(entry), "source": sources[entry.source] if entry.source else None}
            for entry in content.entries
        ],
        "config": dict(content.config),
        "labels": LABELS,
        "folders": dict(content.folders),
        "machine": ARCHITECTURES.get(platform.machine(), platform.machine()),
    }
    text = json.dumps(described, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ensure(cache: Path, found: Mapping[str, Path], base: Path) -> list[Image]:
    """Every image, made where it is not there yet; safe against kills and second runs."""
    contents = recipes.contents(found, base)
    sources = {entry.source for content in contents for entry in content.entries if entry.source}
    digests = {source: _source_digest(source, cache) for source in sources}
    busy = "another run makes the container images"
    with held(cache / "locks" / "images.lock", busy):
        return [_ensure(content, folder(cache) / key(content, digests)) for content in contents]


def _source_digest(path: Path, cache: Path) -> str:
    # A built tool's folder is named by a hash of all that decides it; others are read.
    if path.is_relative_to(cache / "tools"):
        return path.parent.name
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _ensure(content: Content, target: Path) -> Image:
    if not target.exists():
        print(f"making the image {content.name}", file=sys.stderr, flush=True)
        partial = target.with_name(f".partial-{target.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        digest = write(content, partial / "image.tar", platform.machine())
        record = {"name": content.name, "digest": digest}
        durable.write(partial / "image.json", json.dumps(record) + "\n")
        durable.publish(partial, target)
    record = json.loads((target / "image.json").read_text(encoding="utf-8"))
    return Image(record["name"], record["digest"], target / "image.tar")


def import_list(images: list[Image], cache: Path) -> str:
    """One line per image for the node: digest, reference, archive as the node sees it."""
    lines = [
        f"{one.digest} {one.name} {layout.IMAGES}/{one.archive.relative_to(folder(cache))}\n"
        for one in images
    ]
    return "".join(lines)
