"""The commands that keep a claim on its volume, for Command resources and by hand.

    python -m kube.claim find     the volume that the claim had, ready to be claimed again; an empty
                                  line if it never had one
    python -m kube.claim settle   waits until the claim has its volume and sees that it is kept

JSON on stdin: {"schema": 1, "kubeconfig", "context", "uid", "site", "namespace", "claim", "volume",
"seconds"}; the volume's name on stdout. Exit codes: 0 done, 1 not done, 2 bad input.
"""

import sys
from collections.abc import Sequence

from kube.claim.binding import ClaimError, find, settle
from kube.claim.request import ClaimRequest
from kube.claim.volumes import ClusterVolumes
from kube.client import connect
from kube.errors import Cause, ClusterError, cluster_error
from kube.facts import cluster_uid
from kube.identity import mismatch
from kube.kubeconfig import parse
from kube.payload import PayloadError, read

USAGE = "usage: python -m kube.claim find | settle < request.json"


def main(arguments: Sequence[str], stdin: str | None = None) -> int:
    """Runs one command; `stdin` None reads the process's own."""
    if list(arguments) not in (["find"], ["settle"]):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        request = read(ClaimRequest, sys.stdin.read() if stdin is None else stdin)
        print(_run(arguments[0], request))
    except PayloadError as error:
        print(f"kube.claim {arguments[0]}: {error}", file=sys.stderr)
        return 2
    except (ClaimError, ClusterError) as error:
        print(f"kube.claim {arguments[0]}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ClusterError) and error.cause is Cause.KUBECONFIG else 1
    return 0


def _run(command: str, request: ClaimRequest) -> str:
    kubeconfig = parse(request.kubeconfig.get_secret_value(), request.context)
    if request.uid:
        client = connect(kubeconfig)
        fault = mismatch(request.uid, cluster_uid(client), client.server)
        if fault:
            raise cluster_error(Cause.OTHER, client.server, fault)
    cluster = ClusterVolumes(kubeconfig)
    if command == "find":
        return find(cluster, request.wanted())
    return settle(cluster, request.wanted(), request.seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
