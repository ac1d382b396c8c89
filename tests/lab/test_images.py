"""The lab's own container images: the same bytes for the same content, and an OCI layout."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.images import archive, recipes, store
from lab.images.archive import Content, Entry
from tests.lab.python_base import make_base


def content(source: Path, name: str = "docker.io/lab/demo:1") -> Content:
    entries = [
        Entry("bin/tool", source),
        Entry("bin/sh", link="tool"),
        Entry("etc/passwd", text="root:x:0:0::/:/bin/sh\n", mode=0o644),
    ]
    return Content(name, entries, {"Cmd": ["/bin/tool"]}, {"tmp": (0o1777, 0, 0)})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "tool"
    path.write_bytes(b"\x7fELF" * 1000)
    return path


def blobs(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        members = [one for one in opened.getmembers() if one.isfile()]
        return {one.name: opened.extractfile(one).read() for one in members}  # type: ignore[union-attr]


def unpacked(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, tarfile.TarInfo]]:
    """Manifest, config and the layer's members."""
    found = blobs(path)
    index = json.loads(found["index.json"])
    manifest = json.loads(found[blob(index["manifests"][0]["digest"])])
    config = json.loads(found[blob(manifest["config"]["digest"])])
    layer = found[blob(manifest["layers"][0]["digest"])]
    with tarfile.open(fileobj=io.BytesIO(layer)) as opened:
        return manifest, config, {member.name: member for member in opened.getmembers()}


def blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def test_the_same_content_is_the_same_archive(source: Path, tmp_path: Path) -> None:
    first = archive.write(content(source), tmp_path / "1.tar", "x86_64")
    source.touch()
    second = archive.write(content(source), tmp_path / "2.tar", "x86_64")
    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    source.write_bytes(b"other")
    assert archive.write(content(source), tmp_path / "3.tar", "x86_64") != first


def test_every_blob_is_named_by_its_digest_and_the_answer_is_the_manifests(
    source: Path, tmp_path: Path
) -> None:
    digest = archive.write(content(source), tmp_path / "1.tar", "x86_64")
    found = blobs(tmp_path / "1.tar")
    hashed = {name: data for name, data in found.items() if name.startswith("blobs/")}
    assert len(hashed) == 3
    for name, data in hashed.items():
        assert name.rpartition("/")[2] == hashlib.sha256(data).hexdigest()
    described = json.loads(found["index.json"])["manifests"][0]
    assert described["digest"] == digest
    assert described["annotations"]["io.containerd.image.name"] == "docker.io/lab/demo:1"
    assert not list(tmp_path.glob("*.layer"))


def test_modes_owners_and_links_are_what_was_asked_for(source: Path, tmp_path: Path) -> None:
    archive.write(content(source), tmp_path / "1.tar", "aarch64")
    manifest, config, layer = unpacked(tmp_path / "1.tar")
    assert manifest["layers"][0]["mediaType"] == archive.LAYER
    assert config["architecture"] == "arm64"
    assert config["config"]["Cmd"] == ["/bin/tool"]
    assert config["config"]["Labels"] == {
        "org.opencontainers.image.description": "built locally by the lab"
    }
    assert (layer["tmp"].mode, layer["bin"].mode, layer["bin/tool"].mode) == (0o1777, 0o755, 0o755)
    assert layer["etc/passwd"].mode == 0o644
    assert (layer["bin/sh"].issym(), layer["bin/sh"].linkname) == (True, "tool")
    assert {(member.uid, member.gid, member.mtime) for member in layer.values()} == {(0, 0, 0)}


def test_a_key_changes_with_each_thing_that_decides_the_bytes(source: Path) -> None:
    digests = {source: "a"}
    first = store.key(content(source), digests)
    assert first == store.key(content(source), digests)
    assert first != store.key(content(source), {source: "b"})
    assert first != store.key(content(source, "docker.io/lab/demo:2"), digests)
    other = Content("docker.io/lab/demo:1", content(source).entries, {"Cmd": ["/bin/sh"]})
    assert first != store.key(other, digests)


def test_every_image_has_its_full_reference_and_its_tools_in_place(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    found = {name: tmp_path / name for name in recipes.tools()}
    made = {one.name: one for one in recipes.contents(found, base)}
    assert sorted(made) == sorted(recipes.names().values())
    for name, one in made.items():
        assert name.count("/") >= 2, "a short name would be looked for in a registry"
        assert ":" in name
        paths = [entry.path for entry in one.entries]
        assert len(paths) == len(set(paths))
    velero = made[recipes.names()["velero"]]
    assert {"velero", "velero-helper", "velero-restore-helper", "bin/sh"} <= {
        entry.path for entry in velero.entries
    }
    assert "Entrypoint" not in velero.config, "the chart names the command itself"
    assert velero.folders["home/cnb"] == (0o755, 1002, 1000)
    python = {entry.path for entry in made[recipes.names()["python"]].entries}
    assert {"usr/bin/python3", "usr/lib/python3.11/json.py", "bin/sh"} <= python
    longhorn = made[recipes.names()["longhorn"]]
    assert "stand-in" in longhorn.name
    (copy,) = [entry for entry in longhorn.entries if entry.path == "bin/cp"]
    assert copy.source == base / "bin/cp", "not busybox's"
    assert {"sbin/mke2fs", "sbin/debugfs", "lib/x86/libext2fs.so.2", "usr/bin/python3"} <= {
        entry.path for entry in longhorn.entries
    }
    assert "sbin/logsave" not in {entry.path for entry in longhorn.entries}


def test_a_stored_image_is_not_made_again_and_a_killed_run_leaves_no_half_one(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(recipes, "contents", lambda _found, _base: [content(source)])
    first = store.ensure(tmp_path, {}, tmp_path)
    assert "making the image docker.io/lab/demo:1" in capsys.readouterr().err
    assert store.ensure(tmp_path, {}, tmp_path) == first
    assert capsys.readouterr().err == ""
    folder = first[0].archive.parent
    leftover = folder.with_name(f".partial-{folder.name}")
    folder.rename(leftover)
    assert store.ensure(tmp_path, {}, tmp_path) == first
    assert not leftover.exists()
    line = store.import_list(first, tmp_path).split()
    assert line == [first[0].digest, first[0].name, f"/opt/lab-images/{folder.name}/image.tar"]
