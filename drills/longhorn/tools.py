"""Runs the tools that check file systems, as they are installed on this machine."""

import os
import subprocess
from collections.abc import Sequence

from drills.images.check import Ran

SECONDS = 3600
MOST_OUTPUT = 65536
# Not on the PATH of everybody who is not root.
_SYSTEM = "/usr/sbin:/sbin:/usr/local/sbin"


def run_tool(command: Sequence[str]) -> Ran:
    """One command, whose output is kept as far as anybody reads it.

    Raises FileNotFoundError, TimeoutError, OSError.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}"
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={"PATH": path, "LC_ALL": "C"}, timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command[0]} was not through after {SECONDS} s") from None
    return Ran(done.returncode, done.stdout[:MOST_OUTPUT].decode(errors="replace"))
