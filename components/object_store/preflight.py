"""What must hold before the store's hosts are touched: one sentence for each fault."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from components.host_facts import MAXIMUM_CLOCK_SKEW_SECONDS, HostFacts
from components.object_store import authority_file
from components.settings import Binary, HostsStore

# Twice the largest server seen (110 MiB): the copy that arrives and the one that is installed.
BINARY_SPACE_KIB = 300 * 1024
SPACE_KIB = {"/var/tmp": BINARY_SPACE_KIB, "/opt": BINARY_SPACE_KIB, "/var/lib": 10 * 1024}  # noqa: S108


def installed_binary(store: HostsStore) -> str:
    """Where a host keeps the wanted server."""
    return f"/opt/backstop/minio/{store.binary.sha256}/minio"


def mount_points(store: HostsStore) -> list[str]:
    """The directories that must be mount points: each drive is a folder below one."""
    if not store.require_mount_point:
        return []
    return [str(PurePosixPath(drive).parent) for drive in store.drives]


def _host_findings(name: str, facts: HostFacts, store: HostsStore, now: float) -> list[str]:
    findings = []
    if facts.uid != 0:
        findings.append(f"host {name}: the SSH user is not root and has no passwordless sudo")
    if facts.missing:
        names = ", ".join(sorted(facts.missing))
        findings.append(f"host {name} lacks {names}: install the packages that hold them")
    findings += [
        f"host {name}: {path} is not a mount point: mount the drive there, or set config "
        "backstop:objectStore.requireMountPoint to false"
        for path in mount_points(store)
        if path not in facts.mounts
    ]
    for key, port in (("apiPort", store.api_port), ("consolePort", store.console_port)):
        if port in facts.listeners:
            findings.append(
                f"host {name}: port {port} is taken by {facts.listeners[port]}: end it, or choose "
                f"another config backstop:objectStore.{key}"
            )
    if facts.binary != installed_binary(store):
        findings += [
            f"host {name}: {path} has {facts.free_kib[path] // 1024} MiB free and the server needs "
            f"{need // 1024} MiB: make room there"
            for path, need in SPACE_KIB.items()
            if facts.free_kib.get(path, need) < need
        ]
    if facts.clock is not None and abs(facts.clock - now) > MAXIMUM_CLOCK_SKEW_SECONDS:
        findings.append(
            f"host {name}: its clock is {facts.clock - now:+.0f} s from this machine's: "
            "synchronise both, for signatures and retention depend on it"
        )
    return findings


def binary_finding(binary: Binary) -> str | None:
    """The fault of a local server file, or None. Reads the whole file."""
    if binary.path is None:
        return None
    path = Path(binary.path)
    key = "config backstop:objectStore.binary"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{key}.path: {path} cannot be read ({error.strerror}); name the server's file"
    if found != binary.sha256:
        return (
            f"{key}.sha256: {path} has the checksum {found}, the config says {binary.sha256}; "
            "take the right file, or correct the checksum if the file is trusted"
        )
    return None


def findings(store: HostsStore, facts: Mapping[str, HostFacts], now: float) -> list[str]:
    """Every reason not to begin, each naming host or key and the cure. `now`: Unix seconds."""
    found = [
        finding
        for name in store.hosts
        if name in facts
        for finding in _host_findings(name, facts[name], store, now)
    ]
    found += authority_file.findings(store.certificate, now)
    installed = installed_binary(store)
    # The file is read only when a host still needs it; its hash is seconds on a slow disk.
    if any(facts[name].binary != installed for name in store.hosts if name in facts):
        fault = binary_finding(store.binary)
        if fault:
            found.append(fault)
    return found
