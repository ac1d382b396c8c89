"""What the drill puts into a sandbox for the user's checks: its checker, an opening, Jobs."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.sandbox import fence
from drills.sandbox.marks import Run
from drills.usable.settings import JobCheck

CHECKER = "backstop-drill-checker"
ALLOW = "backstop-drill-checks"
JOB = "backstop-drill-job"
GRACE_SECONDS = 60
_NOBODY = 65532
_DNS_PORT = 53
_RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}}


@dataclass(frozen=True)
class CheckerImage:
    """An image with sh and python3 of 3.9 or later; `pull_secrets`: Secrets of the sandbox."""

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: Sequence[str] = ()


def checker(run: Run, sandbox: str, image: CheckerImage) -> dict[str, Any]:
    """A pod that does nothing until something is run in it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CHECKER, "namespace": sandbox, "labels": run.labels()},
        "spec": {
            **_base(image.pull_secrets),
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "checker",
                    "image": image.image,
                    "imagePullPolicy": image.pull_policy,
                    "command": ["sleep", "infinity"],
                    "resources": _RESOURCES,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _NOBODY,
                        "runAsGroup": _NOBODY,
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                }
            ],
        },
    }


def _base(pull_secrets: Sequence[str]) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "imagePullSecrets": [{"name": one} for one in pull_secrets],
    }


def job(run: Run, sandbox: str, number: int, check: JobCheck) -> dict[str, Any]:
    """The Job of a check; one attempt. It ends by itself if the drill is killed."""
    container = {
        "name": "check",
        "image": check.image,
        "command": list(check.command),
        "resources": _RESOURCES,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{JOB}-{number}", "namespace": sandbox, "labels": run.labels()},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": check.seconds + GRACE_SECONDS,
            "template": {
                "metadata": {"labels": run.labels()},
                "spec": {**_base(check.pull_secrets), "containers": [container]},
            },
        },
    }


def allow(run: Run, sandbox: str, dns_networks: Sequence[str] = ()) -> dict[str, Any]:
    """Opens a sandbox to itself and to name servers, and to nothing else.

    Not to the run's other sandboxes: the copy of another namespace has another name than its
    source, by which no workload would call it. `dns_networks`: CIDRs of name servers that are no
    pods of kube-system, such as a node's own.
    """
    servers: list[Mapping[str, Any]] = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        *({"ipBlock": {"cidr": str(ipaddress.ip_network(one))}} for one in dns_networks),
    ]
    ports = [{"protocol": one, "port": _DNS_PORT} for one in ("UDP", "TCP")]
    inside: list[Mapping[str, Any]] = [{"podSelector": {}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": ALLOW, "namespace": sandbox, "labels": run.labels()},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": inside}],
            "egress": [{"to": inside}, {"to": servers, "ports": ports}],
        },
    }


def room(run: Run, sandbox: str, pods: int) -> dict[str, Any]:
    """The merge patch of the sandbox's quota that lets so many pods run."""
    return {"spec": {"hard": fence.quota(run, sandbox, pods=pods)["spec"]["hard"]}}
