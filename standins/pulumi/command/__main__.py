"""`pulumi-resource-command`: the executable's entry."""

import sys
from collections.abc import Sequence

from standins.pulumi.command.provider import VERSION, CommandProvider
from standins.pulumi.plugin import serve


def main(argv: Sequence[str]) -> int:
    return serve(CommandProvider, name="pulumi-resource-command", version=VERSION, argv=argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
