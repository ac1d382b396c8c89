"""Runs the program's `build` without an engine and keeps every registration whole.

Pulumi's mocks show inputs only. This monitor keeps the requests, so that tests can also see
protection, dependencies, providers and which outputs are secret.
"""

import asyncio
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2

from components.cluster import SeenCluster
from components.host_facts import HostFacts
from components.settings import SECRET_KEYS, Settings, load
from components.site import Observed, build
from components.snapshots import SnapshotPlan

SENTINEL_KEY = "SENTINEL-ssh-private-key"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Jw0Jw0Jw0Jw0Jw0Jw0Jw0Jw0Jw0Jw0Jw0Jw0J"
CA_PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
BORN = '{"accessKey": "SENTINELACCESS", "secretKey": "SENTINELSECRET"}'
# The name that the API server gives to an object without one.
MADE_UP = "made-up-name"
FIRST_BACKUP = '{"backup": "demo-20261121120000", "phase": "Completed"}'

RAW: dict[str, Any] = {
    "site": "dev",
    "hosts": {"store1": {"address": "10.77.0.10", "hostKey": HOST_KEY}},
    "sshPrivateKey": SENTINEL_KEY,
    "escrowPassphrase": "SENTINEL-escrow",
    "objectStore": {
        "kind": "hosts",
        "hosts": ["store1"],
        "drives": ["/storage/minio"],
        "binary": {
            "url": "https://artefacts.example/minio",
            "sha256": "a" * 64,
            "version": "RELEASE.2026-02-12T20-18-48Z",
        },
    },
    "clients": {"host-files": {"nodes": ["cp1"]}},
}


def receipt(layer: str) -> str:
    """What the drill of a layer prints when it is proven."""
    return json.dumps({"layer": layer, "verdict": "proven", "reason": "", "runId": "r1"})


def settings_with(**changes: Any) -> Settings:
    """Settings of the sample site with top-level keys replaced."""
    return load({**RAW, **changes}, secret_keys=SECRET_KEYS)


@dataclass
class Registered:
    """One registration: its type token, name, inputs (secrets unwrapped) and the raw request."""

    type: str
    name: str
    inputs: dict[str, Any]
    secret_inputs: frozenset[str]
    request: resource_pb2.RegisterResourceRequest


@dataclass
class _Monitor(mocks.MockMonitor):
    found: list[Registered] = field(default_factory=list)

    def __init__(self, answers: mocks.Mocks) -> None:
        super().__init__(answers)
        self.found = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  (the gRPC method's name)
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
            secret = frozenset(key for key, value in inputs.items() if rpc.is_rpc_secret(value))
            plain = {key: rpc.unwrap_rpc_secret(value) for key, value in inputs.items()}
            self.found.append(Registered(request.type, request.name, plain, secret, request))
        return response


class _Answers(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        metadata = outputs.get("metadata")
        if isinstance(metadata, dict) and "name" not in metadata:
            outputs["metadata"] = {**metadata, "name": MADE_UP}
        if args.typ in ("command:local:Command", "command:remote:Command"):
            outputs["stdout"] = self._stdout(args.name)
            outputs["stderr"] = ""
        return f"{args.name}-id", outputs

    def _stdout(self, name: str) -> str:
        if name.endswith("-credential"):
            return BORN
        if name.startswith("drill-"):
            return receipt(name.removeprefix("drill-"))
        return FIRST_BACKUP if name == "velero-first-backup" else CA_PEM

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program must not invoke {args.token}")


def named(found: list[Registered], name: str) -> Registered:
    """The one registration of this name."""
    return next(one for one in found if one.name == name)


def record(
    site: Settings,
    facts: Mapping[str, HostFacts] | None = None,
    *,
    today: datetime.date = datetime.date(2026, 11, 21),
    nonce: str = "n0",
    preview: bool = False,
    buckets: frozenset[str] = frozenset(),
    cluster: SeenCluster | None = None,
    snapshots: SnapshotPlan | None = None,
) -> list[Registered]:
    """Every registration of the program for `site`, in order of arrival."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monitor = _Monitor(_Answers())
    settings.reset_options()
    mocks.set_mocks(_Answers(), "backstop", "dev", preview=preview, monitor=monitor)
    seen = facts if facts is not None else dict.fromkeys(site.hosts, HostFacts())

    @pulumi.runtime.test
    def run() -> None:
        build(site, Observed(seen, today, nonce, buckets, cluster, snapshots))

    try:
        run()
    finally:
        loop.close()
        settings.reset_options()
    return monitor.found
