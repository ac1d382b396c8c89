"""`python -m escrow keep`: a JSON request on stdin, the secret on stdout.

    keep   the secret of that name, out of the evidence bucket; born and written there if it is new
    show   the same, but never writes

Exit codes: 0 the secret is on stdout, 1 it cannot be had, 2 bad input.
"""

import datetime
import sys
from collections.abc import Sequence

from escrow.envelope import EnvelopeError
from escrow.keeping import EscrowError, find, keep
from escrow.request import RequestError, parse
from s3.client import Session
from s3.errors import StoreError

USAGE = "usage: python -m escrow keep | show < request.json"


def main(arguments: Sequence[str]) -> int:
    if list(arguments) not in (["keep"], ["show"]):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        request = parse(sys.stdin.read())
        session = Session.open(request.store(), request.credential())
        if arguments[0] == "show":
            secret = find(request, session)
        else:
            secret = keep(request, session, datetime.datetime.now(datetime.UTC))
    except RequestError as error:
        print(f"escrow: {error}", file=sys.stderr)
        return 2
    except (EscrowError, EnvelopeError, StoreError) as error:
        print(f"escrow: {error}", file=sys.stderr)
        return 1
    print(secret)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
