"""Asks each part of the cluster how it is; runs inside the node's network namespace.

`python -m lab.cluster.probe` reads a request (JSON) from stdin and writes part -> answer, where
"ok" is well and everything else says what is not. Nothing here changes anything.
"""

import json
import socket
import ssl
import struct
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

SECONDS = 8.0
OK = "ok"
NO_CRDS = "waiting for the snapshot CRDs"


@dataclass(frozen=True)
class Request:
    """Where things are. `certificate`, `key` and `authority` are files for the API server."""

    api: str
    certificate: str
    key: str
    authority: str
    node: str
    dns: str
    domain: str
    longhorn_namespace: str
    longhorn: str
    plain: dict[str, int]


def main() -> None:
    request = Request(**json.load(sys.stdin))
    json.dump(answers(request), sys.stdout)


def answers(request: Request) -> dict[str, str]:
    """Every part's answer, asked for all at the same time."""
    parts = _parts(request)
    with ThreadPoolExecutor(len(parts)) as pool:
        return dict(zip(parts, pool.map(_guarded, parts.values()), strict=True))


def _parts(request: Request) -> dict[str, Callable[[], str]]:
    def plain(url: str) -> Callable[[], str]:
        return lambda: _page(url)

    here = {name: f"http://127.0.0.1:{port}" for name, port in request.plain.items()}
    return {
        "etcd": plain(f"{here['etcd']}/readyz"),
        "apiserver": lambda: _api(request, "/readyz"),
        "controller-manager": plain("https://127.0.0.1:10257/healthz"),
        "scheduler": plain("https://127.0.0.1:10259/readyz"),
        "kubelet": plain("http://127.0.0.1:10248/healthz"),
        "node": lambda: _node(request),
        "proxy": plain(f"{here['proxy']}/healthz"),
        "dns": lambda: _dns(request),
        "csi-driver": plain(f"{here['csi-driver']}/healthz"),
        "provisioner": plain(f"{here['provisioner']}/metrics"),
        "snapshotter": lambda: _snapshotter(request, f"{here['snapshotter']}/metrics"),
        "longhorn": lambda: _longhorn(request),
    }


def _guarded(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except urllib.error.HTTPError as error:
        said = error.read(200).decode("utf-8", "replace").strip().partition("\n")[0]
        return f"answers {error.code} {said}".strip()
    except urllib.error.URLError as error:
        return f"no answer ({error.reason})"
    except (OSError, ValueError) as error:
        return f"no answer ({error})"


def _page(url: str) -> str:
    # Loopback of the node itself: these ports have certificates of their own making.
    context = ssl._create_unverified_context()  # noqa: S323
    with urllib.request.urlopen(url, timeout=SECONDS, context=context):  # noqa: S310
        return OK


def _context(request: Request) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=request.authority)
    context.load_cert_chain(request.certificate, request.key)
    return context


def _api(request: Request, path: str) -> str:
    with urllib.request.urlopen(  # noqa: S310  (https only, from the lab's own record)
        request.api + path, timeout=SECONDS, context=_context(request)
    ):
        return OK


def _object(request: Request, path: str) -> Mapping[str, Any]:
    with urllib.request.urlopen(  # noqa: S310
        request.api + path, timeout=SECONDS, context=_context(request)
    ) as answer:
        found: Mapping[str, Any] = json.load(answer)
        return found


def _node(request: Request) -> str:
    conditions = _object(request, f"/api/v1/nodes/{request.node}")["status"]["conditions"]
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None:
        return "says nothing yet"
    return OK if ready["status"] == "True" else f"not Ready ({ready['message']})"


def _snapshotter(request: Request, url: str) -> str:
    try:
        _object(request, "/apis/snapshot.storage.k8s.io/v1")
    except urllib.error.HTTPError as error:
        if error.code == 404:  # noqa: PLR2004
            return NO_CRDS
        raise
    return _page(url)


def _longhorn(request: Request) -> str:
    """The stand-in, or the real one in its place, which is a DaemonSet."""
    for kind, ready in (("deployments", "readyReplicas"), ("daemonsets", "numberReady")):
        within = f"/apis/apps/v1/namespaces/{request.longhorn_namespace}/{kind}"
        try:
            found = _object(request, f"{within}/{request.longhorn}")
        except urllib.error.HTTPError as error:
            if error.code == 404:  # noqa: PLR2004
                continue
            raise
        return OK if found.get("status", {}).get(ready) else "its manager is not ready"
    return "not there"


def _dns(request: Request) -> str:
    """The API server's own name, asked through the Service address."""
    name = f"kubernetes.default.svc.{request.domain}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(SECONDS / 2)
        link.connect((request.dns, 53))
        link.send(query(name))
        return verdict(link.recv(512))


def query(name: str) -> bytes:
    """A DNS question for the IPv4 address of `name`."""
    header = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return header + labels + b"\0" + struct.pack("!2H", 1, 1)


def verdict(answer: bytes) -> str:
    """What a DNS answer says: well when it has no error and an address."""
    if len(answer) < 12:  # noqa: PLR2004  (the header's length)
        return "answers with less than a header"
    _, flags, _, count = struct.unpack("!4H", answer[:8])
    if flags & 0xF or count == 0:
        return f"answers with error {flags & 0xF} and {count} addresses"
    return OK


def encode(request: Request) -> str:
    """The request as `main` reads it."""
    return json.dumps(asdict(request))


if __name__ == "__main__":
    main()
