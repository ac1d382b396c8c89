"""A container image of one layer as an OCI archive, the same bytes for the same content."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Every image says where it is from: none of them is its upstream's own build.
LABELS = {"org.opencontainers.image.description": "built locally by the lab"}
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Entry:
    """One file: from a file of this machine (`source`), of a `text`, or a link to `link`."""

    path: str
    source: Path | None = None
    text: str | None = None
    link: str | None = None
    mode: int = 0o755


@dataclass(frozen=True)
class Content:
    """What is in an image. `config` is its runtime part: Entrypoint, Cmd, Env, User, …"""

    name: str
    entries: Sequence[Entry]
    config: Mapping[str, object]
    # Folders with another mode or owner than 0755 and root: path -> (mode, user, group).
    folders: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def write(content: Content, target: Path, machine: str) -> str:
    """Writes the archive to `target`; returns the digest that containerd will show."""
    layer = target.with_name(f"{target.name}.layer")
    _write_layer(content, layer)
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    config = _json(_config(content, digest, machine))
    manifest = _json(_manifest(digest, layer.stat().st_size, config))
    index = _json(_index(content.name, manifest))
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", index)
        _add(archive, f"blobs/sha256/{_sha(manifest)}", manifest)
        _add(archive, f"blobs/sha256/{_sha(config)}", config)
        about = tarfile.TarInfo(f"blobs/sha256/{digest}")
        about.size = layer.stat().st_size
        with layer.open("rb") as stream:
            archive.addfile(about, stream)
    layer.unlink()
    return f"sha256:{_sha(manifest)}"


def _write_layer(content: Content, target: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        for folder in sorted({*_parents(content), *content.folders}):
            about = tarfile.TarInfo(folder)
            about.type = tarfile.DIRTYPE
            about.mode, about.uid, about.gid = content.folders.get(folder, (0o755, 0, 0))
            layer.addfile(about)
        for entry in sorted(content.entries, key=lambda each: each.path):
            _add_entry(layer, entry)


def _parents(content: Content) -> set[str]:
    paths = [*(entry.path for entry in content.entries), *content.folders]
    return {str(above) for path in paths for above in PurePosixPath(path).parents} - {"."}


def _add_entry(layer: tarfile.TarFile, entry: Entry) -> None:
    about = tarfile.TarInfo(entry.path)
    about.mode = entry.mode
    if entry.link is not None:
        about.type, about.linkname, about.mode = tarfile.SYMTYPE, entry.link, 0o777
        layer.addfile(about)
    elif entry.source is not None:
        about.size = entry.source.stat().st_size
        with entry.source.open("rb") as stream:
            layer.addfile(about, stream)
    else:
        data = (entry.text or "").encode()
        about.size = len(data)
        layer.addfile(about, io.BytesIO(data))


def _config(content: Content, layer: str, machine: str) -> dict[str, object]:
    return {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {**content.config, "Labels": LABELS},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "the lab"}],
    }


def _manifest(layer: str, size: int, config: bytes) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": f"sha256:{_sha(config)}", "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": f"sha256:{layer}", "size": size}],
    }


def _index(name: str, manifest: bytes) -> dict[str, object]:
    described = {
        "mediaType": MANIFEST,
        "digest": f"sha256:{_sha(manifest)}",
        "size": len(manifest),
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(data)
    archive.addfile(about, io.BytesIO(data))


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
