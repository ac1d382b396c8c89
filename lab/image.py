"""The hosts' base images: a Debian made once by debootstrap and copied for each host."""

import hashlib
import inspect
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import apt
from lab.errors import LabError
from lab.locks import held
from lab.toolchain import last_line

SUITE = "bookworm"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "openssl",
    "curl",
    "ca-certificates",
    "nftables",
    "iproute2",
    "iputils-ping",
    "procps",
    "util-linux",
    "kmod",
    "xfsprogs",
    "e2fsprogs",
    "sudo",
    "cron",
    "logrotate",
)
# What a Kubernetes node needs beside the binaries that the lab builds.
NODE_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "busybox-static",
    # What the image with Python is made of (lab/images/python.py).
    "python3-minimal",
    "libpython3-stdlib",
)
KINDS = {"plain": PACKAGES, "node": (*PACKAGES, *NODE_PACKAGES)}
BUILD_SECONDS = 1200
SPACE_BYTES = 2 * 1024**3


def image_name(kind: str = "plain") -> str:
    """<suite>-<kind>-<hash of everything that decides the image>."""
    settings = [SUITE, KINDS[kind], platform.machine(), inspect.getsource(_strip)]
    return f"{SUITE}-{kind}-{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]}"


def location(cache: Path, kind: str) -> Path:
    """Where the image of this kind is or will be."""
    return cache / "rootfs" / image_name(kind)


def ensure(cache: Path, kind: str = "plain") -> Path:
    """The image's folder; builds it if it is not there (one to three minutes).

    Raises LabError when there is no space or debootstrap fails.
    """
    target = location(cache, kind)
    busy = "another run builds the base image"
    with held(cache / "locks" / f"rootfs-{kind}.lock", busy) as lock:
        if not target.exists():
            _build(target, KINDS[kind], lock)
    return target


def _build(target: Path, packages: Sequence[str], lock: int) -> None:
    partial = target.with_name(f".partial-{target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under the lock nobody else builds this kind, so any half image of it is a dead run's.
    kind = target.name.rpartition("-")[0]
    for leftover in target.parent.glob(f".partial-{kind}-*"):
        shutil.rmtree(leftover)
    partial.mkdir()
    free = shutil.disk_usage(partial).free
    if free < SPACE_BYTES:
        raise LabError(
            f"the base image needs 2 GiB free and {target.parent} has {free / 1024**3:.1f}: "
            "free some space, or set BACKSTOP_CACHE to a larger disk"
        )
    _debootstrap(partial, packages, target.with_suffix(".log"), lock)
    _strip(partial)
    # The image is complete when it has its name: everything is on disk before it gets it.
    os.sync()
    partial.rename(target)


def _debootstrap(folder: Path, packages: Sequence[str], log: Path, lock: int) -> None:
    command = [
        # debootstrap mounts inside its target and starts many children: in namespaces of its own,
        # all of it ends with this process, however that ends.
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--propagation", "private"),
        *("--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
        *("debootstrap", "--variant=minbase", f"--include={','.join(packages)}"),
        *(SUITE, str(folder)),
    ]
    mirror = apt.mirror(apt.sources(), SUITE, _own_codename())
    if mirror is not None:
        command.append(mirror)
    settings = apt.machine_download_settings(os.environ)
    certificate = settings.pop("ca_certificate", None)
    environment = {**os.environ, **settings}
    if certificate is not None:
        wgetrc = folder.with_name(f".wgetrc-{folder.name}")
        wgetrc.write_text(f"ca_certificate = {certificate}\n")
        environment["WGETRC"] = str(wgetrc)
    with log.open("wb") as stream:
        try:
            code = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                timeout=BUILD_SECONDS,
                pass_fds=(lock,),
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"debootstrap did not end in {BUILD_SECONDS} s: its output is in {log}"
            ) from error
    if code != 0:
        reason = last_line(log.read_text(encoding="utf-8", errors="replace"))
        raise LabError(f"debootstrap failed ({reason}): its whole output is in {log}")
    log.unlink()


def _own_codename() -> str:
    release = Path("/etc/os-release")
    lines = release.read_text(encoding="utf-8").splitlines() if release.exists() else []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"') if fields.get("ID") == "debian" else ""


def _strip(root: Path) -> None:
    """Takes out what must not be shared by hosts (keys, identity) and what they never need."""
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        for path in (root / folder).iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for locale in (root / "usr/share/locale").glob("*/LC_MESSAGES"):
        shutil.rmtree(locale)
    # On a plain host nothing of a node runs; the cluster brings a unit of its own.
    (root / "etc/systemd/system/multi-user.target.wants/containerd.service").unlink(missing_ok=True)
    (root / "var/log/bootstrap.log").unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")
    (root / "etc/apt/sources.list").write_text("# a host of the lab has no way to any mirror\n")
