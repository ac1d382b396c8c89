"""Files and folders that appear whole or not at all."""

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces `path` by `text` in one step; after a power cut it is the old text or the new."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Brings one file's or one folder's own data to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(folder: Path, target: Path) -> None:
    """Moves a finished folder to its final name on the same file system, everything on disk."""
    for path in folder.iterdir():
        if path.is_file():
            sync(path)
    sync(folder)
    folder.rename(target)
    sync(target.parent)
