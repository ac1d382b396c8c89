"""The commands that ask something of a running Longhorn, for Command resources and by hand.

    python -m kube.longhorn target         every backup target is the declared one, and Longhorn has
                                           read it as it is now
    python -m kube.longhorn first-backup   every volume that a job backs up has a backup

Each reads one JSON request on stdin (kube/longhorn/request.py) and prints what it found as JSON.
Exit codes: 0 done, 1 not so, or the cluster is not reached, 2 bad input.
"""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from kube.client import Clock, connect
from kube.errors import Cause, ClusterError, cluster_error
from kube.facts import cluster_uid
from kube.identity import mismatch
from kube.longhorn.api import Longhorn, LonghornError
from kube.longhorn.available import today, wait_available
from kube.longhorn.first_backup import first_backups
from kube.longhorn.request import FirstBackupRequest, LonghornRequest, TargetRequest
from kube.payload import PayloadError, read
from kube.writer import open_writer

USAGE = "usage: python -m kube.longhorn target | first-backup < request.json"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _open(request: LonghornRequest) -> Longhorn:
    cluster = request.cluster()
    # The waits have a deadline of their own, so that one request need not insist.
    client = connect(cluster, patience=0)
    if request.uid:
        fault = mismatch(request.uid, cluster_uid(connect(cluster)), client.server)
        if fault:
            raise cluster_error(Cause.OTHER, client.server, fault)
    return Longhorn(client, open_writer(cluster), request.namespace, Clock())


def _target(text: str) -> dict[str, Any]:
    request = read(TargetRequest, text)
    wanted = [one.wanted() for one in request.targets]
    found = wait_available(_open(request), wanted, request.seconds)
    return {
        "targets": [
            {
                "name": one.name,
                "url": one.url,
                "lastSyncedAt": one.last_synced.isoformat() if one.last_synced else None,
            }
            for one in found
        ]
    }


def _first_backup(text: str) -> dict[str, Any]:
    request = read(FirstBackupRequest, text)
    return first_backups(
        _open(request),
        seconds=request.seconds,
        say=_say,
        now=today,
        wanted=request.jobs,
        at_once=request.at_once,
    )


COMMANDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "target": _target,
    "first-backup": _first_backup,
}


def main(arguments: Sequence[str], stdin: str | None = None) -> int:
    """Runs one command; `stdin` None reads the process's own."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        _say(USAGE)
        return 2
    try:
        answer = COMMANDS[arguments[0]](sys.stdin.read() if stdin is None else stdin)
    except PayloadError as error:
        _say(f"longhorn: {error}")
        return 2
    except LonghornError as error:
        for line in str(error).splitlines():
            _say(f"longhorn: {line}")
        return 1
    except ClusterError as error:
        _say(f"longhorn: {error}")
        return 2 if error.cause is Cause.KUBECONFIG else 1
    print(json.dumps(answer, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
