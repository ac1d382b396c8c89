"""What the stand-in for Longhorn runs in: Python, and what makes a file system without mounting it.

Its own code is not in the image: it comes as a ConfigMap (lab/cluster/longhorn.py).
"""

import re
from pathlib import Path

from lab.images import debian, python
from lab.images.archive import Entry

NAME = "docker.io/lab/longhorn-stand-in:1"
PACKAGES = ("e2fsprogs", "coreutils")
# Debian's cp keeps extended attributes and holes, which busybox's does not.
_PROGRAMS = frozenset({"/sbin/mke2fs", "/sbin/debugfs", "/bin/cp"})
_NEEDED = re.compile(r"lib")


def entries(base: Path) -> list[Entry]:
    """Every file. Raises LabError when the base image lacks one of the packages."""
    tools = debian.files(base, PACKAGES, _wanted, _NEEDED)
    return list({entry.path: entry for entry in (*python.entries(base), *tools)}.values())


def _wanted(path: str) -> bool:
    return path in _PROGRAMS or debian.is_library(path)
