"""A raw image with an ext4 file system that holds what a folder holds."""

import os
import subprocess
import uuid
from pathlib import Path

SECONDS = 3600.0
# Every volume has an identity of its own that stays, as a file system on a real volume does: only
# blocks with something new in them then differ from one image to the next.
SPACE = uuid.UUID("6f1f5b0a-2a8c-5a53-9f0e-5d1f7a6f4c11")
MADE = "1600000000"


class ImageError(Exception):
    """The file system could not be made; one sentence."""


def make_image(source: Path, target: Path, size: int, volume: str) -> None:
    """Writes a sparse file of `size` bytes at `target`, as CSI formats a Longhorn volume.

    Kept: contents, holes, links, owners, modes, times in whole seconds, extended attributes.
    Raises ImageError, for instance when the content does not fit.
    """
    target.unlink(missing_ok=True)
    with target.open("wb") as file:
        file.truncate(size)
    root = source.stat()
    identity = str(uuid.uuid5(SPACE, volume))
    extended = f"hash_seed={identity},lazy_journal_init=1,root_owner={root.st_uid}:{root.st_gid}"
    line = ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-U", identity, "-E", extended]
    _run([*line, "-d", str(source), str(target)], f"volume {volume} does not go into an image")
    for field, value in (
        ("mode", f"0{root.st_mode:o}"),
        ("mtime", f"@{int(root.st_mtime)}"),
    ):
        # mke2fs takes everything over but this of the root.
        _run(
            ["debugfs", "-w", "-R", f"set_inode_field <2> {field} {value}", str(target)],
            f"the root of the image of volume {volume} keeps another {field}",
        )


def _run(command: list[str], what: str) -> None:
    environment = {
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
        "E2FSPROGS_FAKE_TIME": MADE,
        "MKE2FS_SKIP_CHECK_MSG": "1",
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    # debugfs names its version on stderr, and ends with 0 whatever happened.
    said = [line for line in done.stderr.splitlines() if not line.startswith("debugfs 1.")]
    if done.returncode != 0 or (command[0] == "debugfs" and said):
        raise ImageError(f"{what}: {' '.join(said)[-300:] or f'exit code {done.returncode}'}")
