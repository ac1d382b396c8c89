"""Writes backups as Velero lays them out, with the standard library's tar headers."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drills.objects.keys import ObjectKey

VERSION = ("metadata/version", b"1.1.0\n")
END = bytes(1024)

File = tuple[str, bytes]


def path_of(key: ObjectKey, version: str = "") -> str:
    scope = f"namespaces/{key.namespace}" if key.namespace else "cluster"
    folder = f"{key.resource}/{version}" if version else key.resource
    return f"resources/{folder}/{scope}/{key.name}.json"


def files(objects: Iterable[tuple[ObjectKey, Mapping[str, Any]]]) -> Iterator[File]:
    """Each object twice, as a backup holds it, after the version file."""
    yield VERSION
    for key, content in objects:
        text = json.dumps(content).encode()
        version = str(content.get("apiVersion", "v1")).rpartition("/")[2]
        yield path_of(key), text
        yield path_of(key, f"{version}-preferredversion"), text


def tar(members: Iterable[File]) -> Iterator[bytes]:
    """The plain archive in pieces; long names as Go writes them, in pax headers."""
    for path, content in members:
        info = tarfile.TarInfo(path)
        info.size, info.mode, info.mtime = len(content), 0o755, 1_700_000_000
        yield info.tobuf(tarfile.PAX_FORMAT)
        yield content + bytes(-len(content) % 512)
    yield END


def packed(pieces: Iterable[bytes], level: int = 6) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", level, out, mtime=0) as stream:
        for piece in pieces:
            stream.write(piece)
    return out.getvalue()


def backup(objects: Iterable[tuple[ObjectKey, Mapping[str, Any]]], level: int = 6) -> bytes:
    """A whole backup tarball."""
    return packed(tar(files(objects)), level)
