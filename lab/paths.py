"""Where the lab keeps things, and the name of this checkout's instance.

Two places, both outside the work tree: the cache (tools, Go's build cache, the Python
environment, base images: shared by all checkouts, safe to delete) and the lab's home (one folder
per instance: the hosts' file systems, keys and state, gone after `lab down`).
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_HOME = Path("/var/lib/backstop-lab")
# Names become parts of host, namespace and cgroup names, so they stay short and plain.
INSTANCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache: $BACKSTOP_CACHE, $XDG_CACHE_HOME/backstop or ~/.cache/backstop."""
    own = environ.get("BACKSTOP_CACHE")
    if own:
        return Path(own).absolute()
    shared = environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "backstop"


def lab_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with one folder per instance: $BACKSTOP_LAB_HOME or /var/lib/backstop-lab."""
    return Path(environ.get("BACKSTOP_LAB_HOME") or DEFAULT_HOME).absolute()


def instance_name(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> str:
    """$BACKSTOP_LAB, or a name derived from the checkout's path: two checkouts never meet.

    Raises LabError for a name that could not be part of a host's or a link's name.
    """
    chosen = environ.get("BACKSTOP_LAB")
    if chosen is None or chosen == "":
        return "lab-" + hashlib.sha256(str(root).encode()).hexdigest()[:6]
    if not INSTANCE_NAME.fullmatch(chosen):
        raise LabError(
            f"BACKSTOP_LAB is {chosen!r}: an instance's name is 1 to 24 lower-case letters, "
            "digits and hyphens and starts with a letter"
        )
    return chosen
