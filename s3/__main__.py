"""`python -m s3 settings|retire|authority|certificate|health`: JSON on stdin, JSON on stdout.

settings: what the server holds of a bucket. retire: how many users of the site were left over.
authority, certificate: {"certificate", "key"}, both PEM; whoever calls keeps the output secret.
health: waits until the store serves.

Exit codes: 0 done, 1 the store does not hold what was asked for or refused, 2 bad input.
"""

import datetime
import json
import sys
from collections.abc import Callable, Mapping

from s3 import accounts, certificates, health, requests, settings
from s3.errors import StoreError
from s3.settings import BadRequestError, SettingsDifferError

USAGE = "usage: python -m s3 settings|retire|authority|certificate|health < request.json"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _health(text: str) -> dict[str, bool]:
    health.wait(health.parse_health(text))
    return {"healthy": True}


COMMANDS: Mapping[str, Callable[[str], object]] = {
    "settings": lambda text: settings.apply(settings.parse(text)),
    "retire": lambda text: accounts.retire(requests.parse(text, accounts.Request)),
    "authority": lambda text: certificates.authority(
        requests.parse(text, certificates.AuthorityRequest), _now()
    ),
    "certificate": lambda text: certificates.certificate(
        requests.parse(text, certificates.CertificateRequest), _now()
    ),
    "health": _health,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    command = arguments[0]
    try:
        answer = COMMANDS[command](sys.stdin.read())
    except BadRequestError as error:
        print(f"s3 {command}: {error}", file=sys.stderr)
        return 2
    except (SettingsDifferError, StoreError) as error:
        print(f"s3 {command}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
