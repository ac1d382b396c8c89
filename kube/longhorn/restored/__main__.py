"""Objects that bring volumes back by Longhorn, out of the backups that it sees in its target.

    kubectl -n longhorn-system get backups.longhorn.io,backupvolumes.longhorn.io -o json \\
      | python -m kube.longhorn.restored volumes [VOLUME...] > volumes.json
    … | python -m kube.longhorn.restored claims [VOLUME...] > claims.json

`volumes`: a Volume for each, under its old name, so that its backups go on where they ended; no job
works on it before its label says so. `claims`: namespaces, PersistentVolumes and claims as they
were. Only stdin is read; nothing is asked of a cluster.

Exit codes: 0 everything is in the output, 1 something is left out (stderr says what and why), 2 bad
input.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Sequence

from kube.longhorn.api import NAMESPACE, moment
from kube.longhorn.restored.chosen import InputError, Options, read, restorable
from kube.longhorn.restored.objects import claims, volumes
from kube.longhorn.volumes import DEFAULT_TARGET

COMMANDS = {"volumes": volumes, "claims": claims}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kube.longhorn.restored", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("volume", nargs="*", help="only these; without any, all")
    parser.add_argument("--target", default=DEFAULT_TARGET)
    parser.add_argument("--namespace", default=NAMESPACE)
    parser.add_argument(
        "--before", type=_time, help="data not younger than this, as 2026-11-03T02:00:00Z"
    )
    parser.add_argument("--replicas", type=int, default=3, choices=range(1, 21), metavar="N")
    parser.add_argument("--fs-type", default="ext4", choices=("ext4", "xfs"))
    parser.add_argument("--encryption-secret", type=_secret, metavar="NAMESPACE/NAME")
    return parser


def _time(given: str) -> datetime.datetime:
    found = moment(given)
    if found is None:
        raise argparse.ArgumentTypeError(f"{given} is no time with a zone, as 2026-11-03T02:00:00Z")
    return found


def _secret(given: str) -> tuple[str, str]:
    namespace, _, called = given.partition("/")
    if not namespace or not called or "/" in called:
        raise argparse.ArgumentTypeError(f"{given} is not NAMESPACE/NAME")
    return namespace, called


def main(arguments: Sequence[str], stdin: str | None = None) -> int:
    """Prints the objects as one list; `stdin` None reads the process's own."""
    given = _parser().parse_args(arguments)
    options = Options(
        tuple(given.volume),
        given.target,
        given.namespace,
        given.before,
        given.replicas,
        given.fs_type,
        given.encryption_secret,
    )
    try:
        items = read(sys.stdin.read() if stdin is None else stdin)
    except InputError as error:
        print(f"restored: {error}", file=sys.stderr)
        return 2
    found, missing = restorable(items, options)
    objects, faults = COMMANDS[given.command](found, options)
    for line in (*missing, *faults):
        print(f"restored: {line}", file=sys.stderr)
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    return 1 if missing or faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
