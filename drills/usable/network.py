"""Whether the fence around a sandbox holds: tried out, before anything restored runs behind it.

Where nothing enforces NetworkPolicies, a started copy would talk to everything that the live one
talks to. So the checker calls a name server twice: while all is closed, which must fail, and when
name servers are allowed, which must succeed; a call that fails twice would say nothing.
"""

import contextlib
import ipaddress
from dataclasses import dataclass
from enum import StrEnum

from drills.sandbox import fence
from drills.usable.edges import Edges, asked
from kube.waiting import TimeoutPassedError, until

# A network plugin hears of a new pod, and of a new policy, a moment after the API server.
SETTLING_SECONDS = 20.0
_CALL_SECONDS = 3
_DAEMON_SETS = "/apis/apps/v1/daemonsets"
_NODES = "/api/v1/nodes"


class Closure(StrEnum):
    """CLOSED: seen. BELIEVED: something in the cluster is known to enforce. OPEN, UNKNOWN: not."""

    CLOSED = "closed"
    BELIEVED = "believed"
    OPEN = "open"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Trial:
    """`why`: a clause."""

    closure: Closure
    why: str

    @property
    def holds(self) -> bool:
        return self.closure in (Closure.CLOSED, Closure.BELIEVED)


def while_closed(edges: Edges, sandbox: str) -> Trial:
    """With every way closed. Raises CheckerError, ClusterError."""
    server = _called(edges, sandbox, wanted=False)
    if server is None:
        return Trial(Closure.CLOSED, "a name server was not reached")
    if server and not _beside_the_pod(server):
        return Trial(Closure.OPEN, f"{server} was reached although all is closed")
    # A node's own name server is often reached whatever the policies say.
    name = fence.enforcer(edges.client.list(_DAEMON_SETS), _versions(edges))
    if name is None:
        return Trial(Closure.UNKNOWN, "nothing is known here that enforces NetworkPolicies")
    return Trial(Closure.BELIEVED, f"{name} is known to enforce NetworkPolicies")


def while_open(edges: Edges, sandbox: str, before: Trial) -> Trial:
    """With name servers allowed; only now the first call says something. Raises as above."""
    if before.closure is not Closure.CLOSED or _called(edges, sandbox, wanted=True) is not None:
        return before
    return Trial(Closure.UNKNOWN, "a name server was not reached either when it was allowed")


def _called(edges: Edges, sandbox: str, *, wanted: bool) -> str | None:
    """Calls until it goes as `wanted`, or for SETTLING_SECONDS.

    The server that was reached at last, "" if the pod knows none; None if it was not reached.
    """
    last: list[str | None] = []

    def call() -> bool | None:
        found = asked(edges, sandbox, {"ask": "name-server", "seconds": _CALL_SECONDS})
        reached = found.get("reached") is True
        server = str(found.get("server") or "")
        last[:] = [server if reached or not server else None]
        return True if reached is wanted or not server else None

    with contextlib.suppress(TimeoutPassedError):
        until(call, edges.waits, SETTLING_SECONDS, passing=frozenset())
    return last[0]


def _beside_the_pod(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return address.is_link_local or address.is_loopback


def _versions(edges: Edges) -> list[str]:
    return [
        str(((one.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion"))
        for one in edges.client.list(_NODES)
    ]
