"""What is in each image: the pinned tools, laid out as the official images have them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from lab import pins
from lab.images import longhorn, python
from lab.images.archive import Content, Entry

# The user of the official Velero image, and the one of its plugin's.
VELERO_USER, VELERO_GROUP = 1002, 1000
PLUGIN_USER = 65532
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TEMPORARY = {"tmp": (0o1777, 0, 0)}
# What the images' own scripts and a person with `kubectl exec` use; busybox has them all.
APPLETS = (
    *("awk", "base64", "cat", "chmod", "chown", "cmp", "cp", "cut", "date", "dd", "df", "du"),
    *("echo", "env", "false", "find", "grep", "head", "hostname", "httpd", "id", "kill", "ln"),
    *("ls", "md5sum", "mkdir", "mktemp", "mount", "mv", "nc", "nslookup", "ping", "printf", "ps"),
    *("pwd", "rm", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat", "sync", "tail"),
    *("tar", "tee", "test", "timeout", "touch", "tr", "true", "umount", "vi", "wc", "wget"),
)
MINIO_ENTRY = """\
#!/bin/sh
# `minio` comes first, whether or not it was named.
[ "$1" = minio ] || set -- minio "$@"
exec "$@"
"""
DEMO = "mkdir -p /data && exec httpd -f -p 8080 -h /data"

Tools = Mapping[str, Path]


def tools() -> list[str]:
    """The pinned tools that the images are made of."""
    plugin = "velero-plugin-for-aws"
    velero = ["velero", "velero-helper", "velero-restore-helper", plugin]
    return ["lab-pause", "coredns", *velero, "minio", "snapshot-controller"]


def contents(found: Tools, base: Path) -> list[Content]:
    """Every image, those first that a cluster starts with.

    `found` maps each of `tools()` to its path; `base` is the node's base image, which has busybox
    and the certificate authorities.
    """
    makers: list[Callable[[Tools, Path], Content]] = [
        _pause,
        _coredns,
        _snapshot_controller,
        _longhorn,
        _demo,
        _velero,
        _velero_plugin,
        _minio,
        _python,
    ]
    return [make(found, base) for make in makers]


def names() -> dict[str, str]:
    """The full reference of each image, by a short name."""
    at = {name: pins.tool(name).version for name in tools()}
    return {
        "pause": "docker.io/lab/pause:1",
        "coredns": f"registry.k8s.io/coredns/coredns:v{at['coredns']}",
        "snapshot-controller": (
            f"registry.k8s.io/sig-storage/snapshot-controller:v{at['snapshot-controller']}"
        ),
        "demo": "docker.io/lab/demo:1",
        "longhorn": longhorn.NAME,
        "velero": f"docker.io/velero/velero:v{at['velero']}",
        "velero-plugin-for-aws": (
            f"docker.io/velero/velero-plugin-for-aws:v{at['velero-plugin-for-aws']}"
        ),
        "minio": f"docker.io/minio/minio:{at['minio']}",
        "python": pins.image("python"),
    }


def _pause(found: Tools, _base: Path) -> Content:
    entries = [Entry("pause", found["lab-pause"])]
    return Content(names()["pause"], entries, {"Entrypoint": ["/pause"], "Env": [PATH]})


def _coredns(found: Tools, _base: Path) -> Content:
    config = {"Entrypoint": ["/coredns"], "WorkingDir": "/", "Env": [PATH]}
    return Content(names()["coredns"], [Entry("coredns", found["coredns"])], config)


def _snapshot_controller(found: Tools, _base: Path) -> Content:
    entries = [Entry("snapshot-controller", found["snapshot-controller"])]
    config = {"Entrypoint": ["/snapshot-controller"], "Env": [PATH]}
    return Content(names()["snapshot-controller"], entries, config)


def _demo(_found: Tools, base: Path) -> Content:
    config = {"Cmd": ["/bin/sh", "-c", DEMO], "Env": [PATH], "ExposedPorts": {"8080/tcp": {}}}
    entries = [*_busybox(base), *_accounts()]
    folders = {**TEMPORARY, "data": (0o777, 0, 0)}
    return Content(names()["demo"], entries, config, folders)


def _velero(found: Tools, base: Path) -> Content:
    binaries = ("velero", "velero-helper", "velero-restore-helper")
    entries = [
        *(Entry(name, found[name]) for name in binaries),
        *_busybox(base),
        *_authorities(base),
        *_accounts(("cnb", VELERO_USER, VELERO_GROUP, "/home/cnb")),
    ]
    config = {"Env": [PATH, "HOME=/home/cnb"], "User": f"{VELERO_USER}:{VELERO_GROUP}"}
    folders = {**TEMPORARY, "home/cnb": (0o755, VELERO_USER, VELERO_GROUP)}
    return Content(names()["velero"], entries, config, folders)


def _velero_plugin(found: Tools, base: Path) -> Content:
    name = "velero-plugin-for-aws"
    entries = [Entry(f"plugins/{name}", found[name]), *_busybox(base)]
    config = {
        "Entrypoint": ["/bin/cp", f"/plugins/{name}", f"/target/{name}"],
        "Env": [PATH],
        "User": f"{PLUGIN_USER}:{PLUGIN_USER}",
    }
    return Content(names()[name], entries, config, TEMPORARY)


def _minio(found: Tools, base: Path) -> Content:
    entries = [
        Entry("usr/bin/minio", found["minio"]),
        Entry("usr/bin/docker-entrypoint.sh", text=MINIO_ENTRY),
        *_busybox(base),
        *_authorities(base),
        *_accounts(),
    ]
    config = {
        "Entrypoint": ["/usr/bin/docker-entrypoint.sh"],
        "Cmd": ["minio"],
        "Env": [PATH],
        "ExposedPorts": {"9000/tcp": {}},
    }
    return Content(names()["minio"], entries, config, {**TEMPORARY, "data": (0o755, 0, 0)})


def _python(_found: Tools, base: Path) -> Content:
    entries = [*python.entries(base), *_busybox(base), *_authorities(base), *_accounts()]
    # The official image's command, and its language: without one names are ASCII to Python.
    config = {"Cmd": ["python3"], "Env": [PATH, "LANG=C.UTF-8"]}
    return Content(names()["python"], entries, config, TEMPORARY)


def _longhorn(_found: Tools, base: Path) -> Content:
    own = longhorn.entries(base)
    # Where there is the real program of a name, busybox's is not it.
    others = [one for one in _busybox(base) if one.path not in {entry.path for entry in own}]
    entries = [*own, *others, *_authorities(base), *_accounts()]
    config = {"Cmd": ["python3"], "Env": [PATH, "LANG=C.UTF-8"]}
    return Content(names()["longhorn"], entries, config, TEMPORARY)


def _busybox(base: Path) -> list[Entry]:
    links = [Entry(f"bin/{name}", link="busybox") for name in APPLETS]
    return [Entry("bin/busybox", base / "bin" / "busybox"), *links]


def _authorities(base: Path) -> list[Entry]:
    path = "etc/ssl/certs/ca-certificates.crt"
    return [Entry(path, base / path, mode=0o644)]


def _accounts(*more: tuple[str, int, int, str]) -> list[Entry]:
    everyone = [("root", 0, 0, "/root"), *more, ("nobody", 65534, 65534, "/")]
    users = "".join(f"{n}:x:{u}:{g}:{n}:{home}:/bin/sh\n" for n, u, g, home in everyone)
    groups = "".join(f"{name}:x:{group}:\n" for name, _, group, _ in everyone)
    return [
        Entry("etc/passwd", text=users, mode=0o644),
        Entry("etc/group", text=groups, mode=0o644),
    ]
