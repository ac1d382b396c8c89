"""What the lab puts into the cluster in Longhorn's place: said to be a stand-in, and no more rights
than its code uses."""

import ast
import json
import platform
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import image
from lab.cluster import layout, longhorn, node_files
from lab.images import archive, recipes
from lab.paths import ROOT, cache_dir
from standins.longhorn import kinds

OBJECTS = longhorn.everything()
PACKAGE = ROOT / longhorn.PACKAGE
# What Kubernetes takes as a whole object; a ConfigMap is stored twice in its managed fields.
MOST_BYTES = 1 << 20


def of_kind(kind: str) -> Any:
    (found,) = [one for one in OBJECTS if one["kind"] == kind]
    return found


def sources() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in PACKAGE.glob("*.py")}


def mount(folder: Path) -> int:
    """The code as the kubelet puts it into the container; how many files that is."""
    data = of_kind("ConfigMap")["data"]
    volumes = of_kind("Deployment")["spec"]["template"]["spec"]["volumes"]
    (items,) = [one["configMap"]["items"] for one in volumes if one["name"] == "code"]
    for item in items:
        path = folder / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data[item["key"]])
    return len(items)


def test_it_says_what_it_is() -> None:
    deployment = of_kind("Deployment")
    template = deployment["spec"]["template"]
    for one in (deployment, template):
        assert "stand-in" in one["metadata"]["annotations"]["lab.backstop.dev/what"]
    assert "stand-in" in template["spec"]["containers"][0]["image"]


def test_its_code_runs_from_the_folder_that_is_mounted(tmp_path: Path) -> None:
    data = of_kind("ConfigMap")["data"]
    assert sum(len(text) for text in data.values()) < MOST_BYTES / 2
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", key) for key in data)
    assert mount(tmp_path) == len(data) == len(list(PACKAGE.glob("*.py"))) + 1
    done = subprocess.run(
        [sys.executable, "-I", "-c",
         f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import standins.longhorn.__main__"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_it_needs_nothing_but_the_standard_library() -> None:
    found = set()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    others = {one for one in found if not one.startswith("standins.longhorn")}
    assert {one.partition(".")[0] for one in others} <= sys.stdlib_module_names


def rules(kind: str) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in of_kind(kind)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_its_rights_are_for_what_it_watches_and_writes() -> None:
    own, around = rules("Role"), rules("ClusterRole")
    for kind in kinds.WATCHED:
        group = kind.version.partition("/")[0] if "/" in kind.version else ""
        assert {"get", "list", "watch"} <= (own if kind.own else around)[group, kind.plural]
    assert {verb for verbs in around.values() for verb in verbs} == {"get", "list", "watch"}
    assert ("", "secrets") not in around
    assert own["", "secrets"] == {"get", "list", "watch"}
    everything = [*own, *around]
    assert not [one for one in everything if "*" in one]
    assert not [verbs for verbs in (*own.values(), *around.values()) if "*" in verbs]
    for resource in ("backuptargets", "recurringjobs", "settings", "nodes"):
        assert "delete" not in own["longhorn.io", resource]
    for role in ("RoleBinding", "ClusterRoleBinding"):
        (subject,) = of_kind(role)["subjects"]
        assert subject["name"] == longhorn.NAME


def test_its_container_writes_to_its_own_folders_and_to_no_volume() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"]["drop"] == ["ALL"]
    assert "SYS_ADMIN" not in security["capabilities"]["add"]
    assert "privileged" not in security
    written = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert written == ["/var/lib/longhorn/restored", "/var/lib/longhorn/snapshots"]
    paths = {one["name"]: one["hostPath"]["path"] for one in pod["volumes"] if "hostPath" in one}
    mounts = {one["mountPath"]: paths.get(one["name"]) for one in container["volumeMounts"]}
    assert mounts["/var/lib/longhorn/restored"] == "/var/lib/lab-csi/restored"
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["RESTORED"] == "/var/lib/longhorn/restored"


def test_another_code_makes_another_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        template = next(one for one in longhorn.everything() if one["kind"] == "Deployment")
        found: str = template["spec"]["template"]["metadata"]["annotations"][
            "lab.backstop.dev/code"
        ]
        return found

    before = digest()
    assert before == digest()
    monkeypatch.setattr(longhorn, "_code", lambda: {"standins.longhorn.x.py": "other"})
    assert digest() != before


def test_the_definitions_are_those_of_the_kinds_it_writes() -> None:
    found = {one["metadata"]["name"] for one in yaml.safe_load_all(longhorn.definitions())}
    ours = {
        f"{kind.plural}.longhorn.io" for kind in kinds.WATCHED if kind.version == kinds.LONGHORN
    }
    assert found == ours
    assert json.loads(longhorn.text())["kind"] == "List"


def test_the_real_one_is_left_alone(tmp_path: Path) -> None:
    """The finish of a node, with a kubectl that knows a DaemonSet of Longhorn's or does not."""
    script = node_files.FINISH.partition("put --filename /etc/kubernetes/lab/objects.json\n")[2]
    script = "put() { echo put $*; }\n" + script.partition("tries=0")[0]
    for code, expected in ((1, f"put --filename {layout.LONGHORN_KINDS} "), (0, "")):
        (tmp_path / "kubectl").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "kubectl").chmod(0o755)
        done = subprocess.run(
            ["sh", "-eu", "-c", script], capture_output=True, text=True, check=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )  # fmt: skip
        assert done.stdout.startswith(expected)
        assert bool(done.stdout) is bool(expected)


@pytest.mark.lab
def test_its_image_makes_and_reads_file_systems_by_itself(tmp_path: Path) -> None:
    base = image.ensure(cache_dir(), "node")
    found = dict.fromkeys(recipes.tools(), base)
    content = next(
        one for one in recipes.contents(found, base) if one.name == recipes.names()["longhorn"]
    )
    archive.write(content, tmp_path / "image.tar", platform.machine())
    root = tmp_path / "root"
    root.mkdir()
    with tarfile.open(tmp_path / "image.tar") as opened:
        layer = max(opened.getmembers(), key=lambda member: member.size)
    outer = ["tar", "-xOf", str(tmp_path / "image.tar"), layer.name]
    unpacked = subprocess.run(outer, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xC", str(root)], input=unpacked, check=True)
    for item in of_kind("ConfigMap")["data"]:
        path = (
            root
            / "opt"
            / "stand-in"
            / Path(*item.removesuffix(".py").split(".")).with_suffix(".py")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(of_kind("ConfigMap")["data"][item])
    (root / "tmp" / "volumes" / "pvc-a" / "data").mkdir(parents=True)
    (root / "tmp" / "volumes" / "pvc-a" / "data" / "file").write_text("content")
    program = (
        "import time; from pathlib import Path; from standins.longhorn.moments import now;"
        "from standins.longhorn.snapshot_folder import SnapshotFolder;"
        "folder = SnapshotFolder(Path('/tmp/kept'), Path('/tmp/volumes'), now, time.sleep);"
        "folder.prepare(); folder.make('snap-1', 'pvc-a', 64 << 20); print(folder.size('snap-1'));"
        "from standins.longhorn.storage import Storage;"
        "storage = Storage(Path('/tmp/volumes'), Path('/tmp/restored')); storage.prepare();"
        "content = folder.image('snap-1').read_bytes();"
        "storage.fill('pvc-b', lambda image: image.write_bytes(content));"
        "print(Path('/tmp/restored/b-1/file').read_text())"
    )
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / "null").touch()  # which every container has
    (root / "tmp" / "volumes" / "pvc-b").mkdir()
    (root / "tmp" / "volumes" / "pvc-b" / "about.json").write_text('{"awaits": "b-1"}')
    done = subprocess.run(
        ["chroot", str(root), "/usr/bin/python3", "-c", program],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": "/opt/stand-in"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    size, text = done.stdout.split()
    assert int(size) > 0
    assert text == "content"
