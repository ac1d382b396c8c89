"""`lab up` and `lab down`: from any state that a crash, a reboot or an earlier run left."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lab import (
    cgroups,
    durable,
    image,
    instance,
    limits,
    machine,
    network,
    packages,
    pins,
    rootfs,
    ssh,
    tools,
)
from lab.cluster import bring_up, layout, node
from lab.cluster.node import NodeStart
from lab.errors import LabError
from lab.hosts import HOSTS, HostSpec, spec
from lab.instance import Instance
from lab.locks import held
from lab.paths import ROOT, cache_dir, instance_name, lab_home

INVENTORY_SCHEMA = 1
# A throw-away lab's state holds nothing to protect; a stack outside the lab has its own.
PASSPHRASE = "backstop-lab"  # noqa: S105  (public on purpose, see above)
# What the store and the stack on it need; the cluster needs every pinned tool.
STORE_TOOLS = ("pulumi", "minio")
PLAIN = NodeStart([], changed=False)
NSPAWN_RUNTIME = Path("/run/systemd/nspawn/propagate")


def up(names: Sequence[str], *, with_tools: bool = True, with_cluster: bool = True) -> Instance:
    """Brings the named hosts up; leaves running ones alone and keeps the ones made before.

    With tools, and cp1 among the names, the cluster too. A cluster that was made before comes up
    again with its host whatever is named, unless `with_cluster` is false.
    Raises LabError, with what is there so far left for the next run to finish.
    """
    wanted = [spec(name) for name in names]
    packages.require_root(os.geteuid(), "up")
    packages.prepare()
    name = instance_name()
    cluster = with_cluster and with_tools and layout.NODE in wanted
    wanted_tools = list(pins.load()[0]) if cluster else list(STORE_TOOLS)
    with held(instance.lock(name), f"another run works on the lab {name}") as lock:
        with _beside(["venv"], ["tools", *wanted_tools]) if with_tools else nullcontext():
            lab = instance.load_or_create(lab_home(), name, ROOT, network.machine_routes())
            again = with_cluster and node.made(lab)
            binaries = node.found_tools() if cluster or again else None
            hosts = _bring_up(lab, wanted, lock, binaries)
        if cluster and binaries is None:
            # They have been built meanwhile.
            binaries = node.found_tools()
            hosts = _bring_up(lab, wanted, lock, binaries)
        if binaries is not None:
            bring_up.settle(lab)
        _write_inventory(lab, hosts)
    return lab


@contextmanager
def _beside(*commands: list[str]) -> Iterator[None]:
    """Runs other commands of the lab meanwhile: a build takes minutes of processor time, a boot
    almost none. They are processes of their own, so that a failure here can end them at once.
    """
    line = [sys.executable, "-m", "lab"]
    running = [
        subprocess.Popen([*line, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield
        codes = [process.wait() for process in running]
    except BaseException:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        raise
    if any(codes):
        raise LabError("the hosts are up, but not what is named above: correct that and run again")


def _bring_up(
    lab: Instance,
    wanted: Sequence[HostSpec],
    lock: int,
    binaries: dict[str, Path] | None,
) -> list[HostSpec]:
    """All hosts of the lab: the wanted ones and those made before, every one of them running.

    With `binaries` the cluster's host is started as its node.
    """
    hosts = [host for host in HOSTS.values() if host in wanted or rootfs.exists(lab, host)]
    network.check_free(lab)
    ssh.make_key(lab.folder / "ssh", ssh.CLIENT_KEY, f"lab {lab.name}")
    _make(lab, hosts, lock)
    network.ensure(lab, hosts)
    for host in hosts:
        as_node = binaries is not None and host == layout.NODE
        start = node.make(lab, binaries) if as_node and binaries is not None else PLAIN
        _start(lab, host, start)
    with ThreadPoolExecutor(len(hosts)) as pool:
        for host, failed in zip(
            hosts, pool.map(lambda each: ssh.wait_ready(lab, each), hosts), strict=True
        ):
            if failed:
                _say(f"{host.name}: it runs, but these units failed: {', '.join(failed)}")
    return hosts


def _start(lab: Instance, host: HostSpec, start: NodeStart) -> None:
    state = machine.state(lab, host)
    if state == "broken":
        _say(f"{host.name}: ending what a crash left of it")
        cgroups.end(machine.group(lab, host))
    if state == "running":
        if not start.changed and machine.runs_with(lab, host, start.options):
            return
        _say(f"{host.name}: stopping it, to start it as the cluster's node")
        machine.shut_down(lab, host)
    if start.options and (warning := limits.node_warning()):
        _say(f"{host.name}: {warning}")
    _say(f"{host.name}: starting at {lab.address(host)}")
    machine.start(lab, host, start.options)


def _make(lab: Instance, hosts: Sequence[HostSpec], lock: int) -> None:
    absent = [host for host in hosts if not rootfs.exists(lab, host)]
    bases = _base_images({host.kind for host in absent})
    for host in absent:
        _say(f"{host.name}: making it")
        rootfs.ensure(lab, host, bases[host.kind], lock)
    rootfs.write_names(lab, hosts)
    keys = {str(lab.address(host)): rootfs.host_key(lab, host) for host in hosts}
    ssh.write_known_hosts(lab, keys)


def _base_images(kinds: Collection[str]) -> dict[str, Path]:
    """The base images of these kinds; what is not there yet is made, all at the same time."""
    missing = [kind for kind in kinds if not image.location(cache_dir(), kind).exists()]
    if missing:
        _say("making the hosts' base image with debootstrap (one to three minutes, once)")
    with ThreadPoolExecutor(max(1, len(kinds))) as pool:
        paths = pool.map(lambda kind: image.ensure(cache_dir(), kind), kinds)
        return dict(zip(kinds, paths, strict=True))


def _write_inventory(lab: Instance, hosts: Sequence[HostSpec]) -> None:
    document = {
        "schema": INVENTORY_SCHEMA,
        "instance": lab.name,
        "network": {"cidr": str(lab.network), "gateway": str(lab.gateway)},
        "hosts": {
            host.name: {
                "address": str(lab.address(host)),
                "user": "root",
                "port": 22,
                "hostKey": rootfs.host_key(lab, host),
            }
            for host in hosts
        },
        "sshPrivateKeyFile": str(lab.private_key),
        "artefacts": _artefacts(),
    }
    if node.made(lab):
        document["kubernetes"] = {"kubeconfigFile": str(layout.kubeconfig(lab))}
    for folder in ("pulumi", "pulumi-home", "receipts"):
        (lab.folder / folder).mkdir(mode=0o700, exist_ok=True)
    durable.write(lab.folder / "passphrase", PASSPHRASE, 0o600)
    text = json.dumps(document, indent=2) + "\n"
    if not lab.inventory.exists() or lab.inventory.read_text(encoding="utf-8") != text:
        durable.write(lab.inventory, text, 0o600)


def _artefacts() -> dict[str, dict[str, str]]:
    """What the program puts on hosts: the object store's server, once it is built."""
    server = tools.find("minio")
    if server is None:
        return {}
    with server.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"minio": {"path": str(server), "sha256": digest}}


def down(name: str, *, keep: bool = False) -> None:
    """Takes the instance away with everything in it; with `keep` only stops its hosts.

    Idempotent; raises LabError when something of it cannot be removed.
    """
    packages.require_root(os.geteuid(), "down")
    os.environ["PATH"] = packages.with_system_folders(os.environ["PATH"])
    home = lab_home()
    with held(instance.lock(name), f"another run works on the lab {name}", remove=not keep):
        # Everything is found by the instance's name, so a damaged record does not matter here.
        lab = Instance(name, home / name, instance.SPACE)
        hosts = list(HOSTS.values())
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(lambda host: _stop(lab, host, orderly=keep), hosts))
        network.remove(lab, hosts)
        if not keep:
            instance.forget(home, name, [point for point, _ in cgroups.machine_mounts()])


def _stop(lab: Instance, host: HostSpec, *, orderly: bool) -> None:
    if orderly:
        machine.shut_down(lab, host)
    else:
        # Its file system is about to be removed, so there is nothing to shut down in order.
        cgroups.end(machine.group(lab, host))
    _remove_runtime(machine.machine_name(lab, host))


def _remove_runtime(name: str) -> None:
    """nspawn's own folder for the machine, which stays when nspawn is killed."""
    folder = NSPAWN_RUNTIME / name
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
