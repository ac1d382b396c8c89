"""`python -m s3 settings`: one JSON request on stdin, what the server holds as JSON on stdout.

Exit codes: 0 the server holds what was asked for, 1 it does not or refused, 2 bad input.
"""

import json
import sys

from s3.errors import StoreError
from s3.settings import BadRequestError, SettingsDifferError, apply, parse

USAGE = "usage: python -m s3 settings < request.json"


def main(arguments: list[str]) -> int:
    if arguments != ["settings"]:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        held = apply(parse(sys.stdin.read()))
    except BadRequestError as error:
        print(f"s3 settings: {error}", file=sys.stderr)
        return 2
    except (SettingsDifferError, StoreError) as error:
        print(f"s3 settings: {error}", file=sys.stderr)
        return 1
    print(json.dumps(held, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
