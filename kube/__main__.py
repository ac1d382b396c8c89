"""The commands that look at a cluster, for Command resources and by hand.

    python -m kube identity   {"schema": 1, "kubeconfig", "context", "uid"} on stdin; the cluster's
                              UID on stdout if it is that one
    python -m kube facts      {"schema": 1, "kubeconfig", "context"} on stdin; what the preflight
                              sees, as JSON

Exit codes: 0 done, 1 another cluster or one that is not reached, 2 bad input.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence

from kube.client import PATIENCE_SECONDS, Client, connect
from kube.errors import Cause, ClusterError
from kube.facts import cluster_uid, gather
from kube.identity import mismatch
from kube.kubeconfig import parse
from kube.payload import PayloadError, Request, read

USAGE = "usage: python -m kube identity | facts < request.json"


def main(arguments: Sequence[str], stdin: str | None = None) -> int:
    """Runs one command; `stdin` None reads the process's own."""
    if list(arguments) not in (["identity"], ["facts"]):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        request = read(Request, sys.stdin.read() if stdin is None else stdin)
        client = _client(request)
        return _identity(client, request) if arguments[0] == "identity" else _facts(client)
    except PayloadError as error:
        print(f"kube {arguments[0]}: {error}", file=sys.stderr)
        return 2
    except ClusterError as error:
        print(f"kube {arguments[0]}: {error}", file=sys.stderr)
        return 2 if error.cause is Cause.KUBECONFIG else 1


def _client(request: Request) -> Client:
    found = parse(request.kubeconfig.get_secret_value(), request.context)
    return connect(found, patience=PATIENCE_SECONDS)


def _identity(client: Client, request: Request) -> int:
    seen = cluster_uid(client)
    fault = mismatch(request.uid, seen, client.server) if request.uid else None
    if fault:
        print(f"kube identity: {fault}", file=sys.stderr)
        return 1
    print(seen)
    return 0


def _facts(client: Client) -> int:
    print(json.dumps(dataclasses.asdict(gather(client)), default=_plain, sort_keys=True))
    return 0


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
