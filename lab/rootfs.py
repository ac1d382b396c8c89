"""A host's own file system: a copy of the base image with its name, keys and settings."""

import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from lab import durable
from lab.hosts import Drive, HostSpec
from lab.instance import Instance
from lab.run import run
from lab.ssh import HOST_KEY, make_key

SSHD = """\
# Written by the lab: keys only, and the one host key that the inventory pins.
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
# The lab gives each host its network from outside, and a container has no hardware.
MASKED = (
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "console-getty.service",
    "e2scrub_reap.service",
)
COPY_SECONDS = 600


def ensure(lab: Instance, host: HostSpec, image: Path, lock: int) -> None:
    """Makes the host's file system, key and drives, each whole or not at all.

    `lock` is the descriptor of the instance's lock, which the longer commands keep.
    """
    folder = lab.host_folder(host)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_key(folder / "key", HOST_KEY, f"{host.name}.{lab.name}")
    for drive in host.drives:
        _drive(folder, drive, lock)
    root = folder / "root"
    if root.exists():
        return
    partial = folder / "root.partial"
    if partial.exists():
        shutil.rmtree(partial)
    copy = ["cp", "--archive", "--reflink=auto", str(image), str(partial)]
    run(copy, seconds=COPY_SECONDS, lock=lock)
    _personalise(partial, lab, host)
    os.sync()
    partial.rename(root)


def exists(lab: Instance, host: HostSpec) -> bool:
    """Whether the host was made."""
    return (lab.host_folder(host) / "root").exists()


def host_key(lab: Instance, host: HostSpec) -> str:
    """The host's public key as the inventory has it: type and key."""
    text = (lab.host_folder(host) / "key" / f"{HOST_KEY}.pub").read_text(encoding="utf-8")
    return " ".join(text.split()[:2])


def write_names(lab: Instance, hosts: Iterable[HostSpec]) -> None:
    """Lets the hosts know each other by name; running ones see it at once."""
    everyone = list(hosts)
    names = "".join(f"{lab.address(host)} {host.name}\n" for host in everyone)
    for host in everyone:
        target = lab.host_folder(host) / "root" / "etc" / "hosts"
        text = f"127.0.0.1 localhost\n::1 localhost\n{names}{lab.gateway} gateway\n"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            durable.write(target, text)


def _personalise(root: Path, lab: Instance, host: HostSpec) -> None:
    _put(root / "etc/hostname", f"{host.name}\n")
    _put(root / "etc/machine-id", f"{uuid.uuid4().hex}\n")
    _put(root / "etc/resolv.conf", "# a host of the lab has no name service\n")
    _put(root / "etc/default/locale", "LANG=C.UTF-8\n")
    _put(root / "etc/ssh/sshd_config.d/backstop-lab.conf", SSHD)
    key = lab.host_folder(host) / "key"
    _put(root / f"etc/ssh/{HOST_KEY}", (key / HOST_KEY).read_text(encoding="utf-8"), 0o600)
    _put(root / f"etc/ssh/{HOST_KEY}.pub", (key / f"{HOST_KEY}.pub").read_text(encoding="utf-8"))
    public = lab.private_key.with_suffix(".pub").read_text(encoding="utf-8")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    _put(root / "root/.ssh/authorized_keys", public, 0o600)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for drive in host.drives:
        (root / drive.mount.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _put(path: Path, text: str, mode: int = 0o644) -> None:
    # Some of these are links out of the image (resolv.conf): replace the link, follow none.
    path.unlink(missing_ok=True)
    durable.write(path, text, mode)


def drive_image(folder: Path, drive: Drive) -> Path:
    """The file that a drive of the host in `folder` is made of."""
    return folder / "drives" / f"{drive.name}.img"


def _drive(folder: Path, drive: Drive, lock: int) -> None:
    target = drive_image(folder, drive)
    (target.parent / drive.name).mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    partial = target.with_suffix(".partial")
    with partial.open("wb") as stream:
        stream.truncate(drive.mib * 1024**2)
    run(file_system_command(drive.name, partial, xfs=_has_xfs()), lock=lock)
    durable.sync(partial)
    partial.rename(target)


def file_system_command(label: str, image: Path, *, xfs: bool) -> list[str]:
    """Makes the drive's file system; XFS is what the object store's makers test."""
    if xfs:
        return ["mkfs.xfs", "-q", "-f", "-L", label, str(image)]
    return ["mkfs.ext4", "-q", "-F", "-L", label, str(image)]


def _has_xfs() -> bool:
    kernel = Path("/proc/filesystems").read_text(encoding="utf-8")
    module = any(Path("/lib/modules", os.uname().release).rglob("xfs.ko*"))
    return shutil.which("mkfs.xfs") is not None and ("xfs" in kernel.split() or module)
