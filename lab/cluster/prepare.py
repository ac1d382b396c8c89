"""Writes the node's files into its file system, from outside and before it boots."""

import shutil
from pathlib import Path

from lab import durable, pins
from lab.cluster import layout, longhorn, node_files, objects, units
from lab.cluster.layout import KUBERNETES
from lab.images import store
from lab.images.store import Image
from lab.instance import Instance
from lab.paths import cache_dir
from lab.run import run

KUBEADM_SECONDS = 300
# Users that kubeadm makes no kubeconfig for: name -> file below the lab's own folder.
OTHER_USERS = {"system:kube-proxy": "kube-proxy.conf", objects.CSI_USER: "csi.conf"}


def binds(found: dict[str, Path]) -> list[str]:
    """nspawn's options that show the node its binaries and images, read-only."""
    pairs = {found[name]: f"{layout.BINARIES}/{name}" for name in layout.NODE_TOOLS}
    pairs[store.folder(cache_dir())] = layout.IMAGES
    return [f"--bind-ro={source}:{target}" for source, target in pairs.items()]


def write(lab: Instance, found: dict[str, Path], images: list[Image]) -> bool:
    """Makes everything the node needs to be one; whether anything of it was changed."""
    kubeadm = str(found["kubeadm"])
    _identity(lab, kubeadm)
    changed = False
    for path, text in _texts(lab, images).items():
        changed |= _put(layout.outside(lab, path), text)
    # Applied by the finish alone, so the node runs on with others.
    _put(layout.outside(lab, layout.LONGHORN), longhorn.text())
    _put(layout.outside(lab, layout.LONGHORN_KINDS), longhorn.definitions())
    for unit in units.all_units(str(lab.address(layout.NODE))):
        changed |= _enable(layout.outside(lab, "/etc/systemd/system"), unit)
    for path in objects.local_volume_folders():
        folder = layout.outside(lab, path)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
    _administrator(lab)
    return changed


def _texts(lab: Instance, images: list[Image]) -> dict[str, str]:
    address = str(lab.address(layout.NODE))
    texts = node_files.files(address, pins.tool("kubeadm").version, pins.tool("coredns").version)
    texts[layout.OBJECTS] = objects.text()
    texts[layout.IMAGE_LIST] = store.import_list(images, cache_dir())
    return texts


def _identity(lab: Instance, kubeadm: str) -> None:
    """Certificates, keys and kubeconfigs by kubeadm; they appear all at once or not at all."""
    target = layout.outside(lab, KUBERNETES)
    if target.exists():
        return
    partial = target.with_name("kubernetes.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "lab").mkdir(mode=0o700, parents=True)
    config = partial / "kubeadm.yaml"
    version, dns = pins.tool("kubeadm").version, pins.tool("coredns").version
    address = str(lab.address(layout.NODE))
    text = node_files.kubeadm(address, version, dns, str(partial / "pki"))
    config.write_text(text, encoding="utf-8")
    phase = [kubeadm, "init", "phase"]
    where = ["--config", str(config)]
    run([*phase, "certs", "all", *where], seconds=KUBEADM_SECONDS)
    folder = ["--kubeconfig-dir", str(partial)]
    run([*phase, "kubeconfig", "all", *where, *folder], seconds=KUBEADM_SECONDS)
    for user, name in OTHER_USERS.items():
        line = [kubeadm, "kubeconfig", "user", "--client-name", user, *where]
        durable.write(partial / "lab" / name, run(line, seconds=KUBEADM_SECONDS), 0o600)
    config.unlink()
    durable.publish(partial, target)


def _administrator(lab: Instance) -> None:
    text = layout.outside(lab, f"{KUBERNETES}/admin.conf").read_text(encoding="utf-8")
    target = layout.kubeconfig(lab)
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        durable.write(target, text, 0o600)


def _put(path: Path, text: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, text)
    return True


def _enable(folder: Path, unit: str) -> bool:
    link = folder / "multi-user.target.wants" / unit
    if link.is_symlink():
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(f"/etc/systemd/system/{unit}")
    return True
