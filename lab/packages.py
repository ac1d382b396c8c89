"""What the lab needs from the system's packages: installed on Debian-like systems, else named."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

# Command -> the Debian package that has it.
COMMANDS: Mapping[str, str] = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "mkfs.ext4": "e2fsprogs",
}
# Nice to have: without it the drives are ext4, which upstream MinIO does not test.
OPTIONAL: Mapping[str, str] = {"mkfs.xfs": "xfsprogs"}
# debootstrap checks the archive's signature against this file.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYRING_PACKAGE = "debian-archive-keyring"
OS_RELEASE = Path("/etc/os-release")


def require_root(euid: int, command: str) -> None:
    """Raises LabError for anybody but root."""
    if euid != 0:
        raise LabError(
            "the lab makes systemd hosts, network namespaces and mounts, which needs root: "
            f"run `sudo -E python3 -m lab {command}`"
        )


def with_system_folders(path: str) -> str:
    """PATH with the folders of administration commands, which a user's PATH often lacks."""
    folders = path.split(os.pathsep)
    extra = [
        folder for folder in ("/usr/local/sbin", "/usr/sbin", "/sbin") if folder not in folders
    ]
    return os.pathsep.join([*folders, *extra])


def missing(
    which: Callable[[str], str | None] = shutil.which, keyring: Path = KEYRING
) -> dict[str, str]:
    """What is not there: command (or file) -> Debian package."""
    absent = {name: package for name, package in COMMANDS.items() if which(name) is None}
    if not keyring.exists():
        absent[str(keyring)] = KEYRING_PACKAGE
    return absent


def is_debian_like(os_release: str, which: Callable[[str], str | None] = shutil.which) -> bool:
    """Whether this is Debian or a relative of it with apt-get (`os_release`: that file's text)."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = (fields.get("ID", "") + " " + fields.get("ID_LIKE", "")).replace('"', "").split()
    return "debian" in names and which("apt-get") is not None


def refusal(absent: Mapping[str, str]) -> str:
    """The sentence for systems whose packages the lab does not install."""
    return (
        f"the lab needs {', '.join(absent)} (in Debian: {', '.join(_unique(absent.values()))}): "
        "install that with this system's package manager and run the command again"
    )


def prepare(which: Callable[[str], str | None] = shutil.which) -> None:
    """Makes sure that everything the hosts need is installed, before anything is started."""
    absent = missing(which)
    optional = {name: package for name, package in OPTIONAL.items() if which(name) is None}
    if _here_is_debian_like():
        wanted = _unique([*absent.values(), *optional.values()])
        if wanted:
            install(wanted, ", ".join([*absent, *optional]))
    elif absent:
        raise LabError(refusal(absent))
    elif optional:
        print("mkfs.xfs is not installed: the hosts' drives will be ext4", file=sys.stderr)


def install(names: Sequence[str], what: str) -> None:
    """Installs Debian packages, saying so; raises LabError where that is not possible."""
    if not _here_is_debian_like():
        raise LabError(
            f"{what} is missing (in Debian: {', '.join(names)}): install it with this system's "
            "package manager and run the command again"
        )
    if os.geteuid() != 0:
        raise LabError(
            f"{what} is missing: run `sudo apt-get install {' '.join(names)}`, then this again"
        )
    print(f"installing from the system's packages: {', '.join(names)}", file=sys.stderr, flush=True)
    _apt_get("update")
    _apt_get("install", "--yes", "--no-install-recommends", *names)


def _apt_get(*arguments: str) -> None:
    # A host may hold dpkg's lock for its own upgrades; waiting beats failing.
    command = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=300", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        lines = [line for line in answer.stderr.splitlines() if line.startswith("E:")]
        reason = lines[0].removeprefix("E:").strip() if lines else f"status {answer.returncode}"
        raise LabError(f"apt-get {arguments[0]} failed ({reason}): correct that and try again")


def _here_is_debian_like() -> bool:
    return is_debian_like(OS_RELEASE.read_text(encoding="utf-8") if OS_RELEASE.exists() else "")


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
