"""The commands that ask something of a running Velero, for Command resources and by hand.

    python -m kube.velero available   every location was checked and found available, and the
                                      server has its plugins
    python -m kube.velero enabled     every schedule is accepted
    python -m kube.velero leave       what must go before Velero goes

Each reads one JSON request on stdin (kube/velero/request.py). Exit codes: 0 done, 1 not so, or the
cluster is not reached, 2 bad input.
"""

import json
import sys
from collections.abc import Callable, Sequence

from kube.client import Clock, connect
from kube.errors import Cause, ClusterError
from kube.payload import PayloadError, read
from kube.velero.api import Velero, VeleroError
from kube.velero.leaving import leave
from kube.velero.locations import remove_former_secrets, wait_available
from kube.velero.request import Available, Enabled, Leave, Request
from kube.velero.schedules import wait_enabled
from kube.velero.server import check_plugins
from kube.writer import open_writer

USAGE = "usage: python -m kube.velero available | enabled | leave < request.json"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _open(request: Request) -> Velero:
    cluster = request.cluster()
    # The waits have a deadline of their own, so that one request need not insist.
    return Velero(connect(cluster, patience=0), open_writer(cluster), request.namespace, Clock())


def _available(text: str) -> dict[str, object]:
    request = read(Available, text)
    velero = _open(request)
    version = check_plugins(velero, request.plugins, request.seconds)
    wait_available(velero, request.locations, request.secrets, request.seconds)
    if request.credential_label:
        remove_former_secrets(velero, request.credential_label, request.secrets)
    return {"locations": list(request.locations), "server": version}


def _enabled(text: str) -> dict[str, object]:
    request = read(Enabled, text)
    wait_enabled(_open(request), request.schedules, request.seconds)
    return {"schedules": list(request.schedules)}


def _leave(text: str) -> dict[str, object]:
    request = read(Leave, text)
    leave(
        _open(request),
        request.locations,
        restores=request.restores,
        seconds=request.seconds,
        say=_say,
    )
    return {"left": list(request.locations)}


COMMANDS: dict[str, Callable[[str], dict[str, object]]] = {
    "available": _available,
    "enabled": _enabled,
    "leave": _leave,
}


def main(arguments: Sequence[str], stdin: str | None = None) -> int:
    """Runs one command; `stdin` None reads the process's own."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        _say(USAGE)
        return 2
    try:
        answer = COMMANDS[arguments[0]](sys.stdin.read() if stdin is None else stdin)
    except PayloadError as error:
        _say(f"velero: {error}")
        return 2
    except VeleroError as error:
        _say(f"velero: {error}")
        return 1
    except ClusterError as error:
        _say(f"velero: {error}")
        return 2 if error.cause is Cause.KUBECONFIG else 1
    print(json.dumps(answer, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
