"""Pinned tools: found on PATH or in the cache, built from their wrapper modules where missing."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lab import durable, pins
from lab.errors import LabError
from lab.locks import held, only_user, shared
from lab.paths import ROOT, cache_dir
from lab.pins import Tool
from lab.progress import Progress
from lab.toolchain import go_command, last_line

GIB = 1024**3
# Measured: build cache plus module cache that one cold build of a module leaves, rounded up.
BUILD_BYTES = 3 * GIB
VERSION_SECONDS = 20


def find(name: str, root: Path = ROOT) -> Path | None:
    """The tool in its pinned version, from PATH or from the cache; None where it is not built.

    Never builds. Raises LabError for a name that versions.toml does not have.
    """
    pinned = pins.tool(name, root)
    stored = _stored(pinned, root)
    on_path = shutil.which(pinned.binary) if pinned.version_command else None
    if on_path is not None and Path(on_path) != stored and has_version(Path(on_path), pinned):
        return Path(on_path)
    return stored if stored.exists() else None


def has_version(binary: Path, pinned: Tool) -> bool:
    """Whether `binary` says that it is the pinned version."""
    try:
        answer = subprocess.run(
            [str(binary), *pinned.version_command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    wanted = rf"(?<![\w.]){re.escape(pinned.version_output)}(?![\w.])"
    return re.search(wanted, answer.stdout + answer.stderr) is not None


def ensure(
    names: Sequence[str], root: Path = ROOT, *, stream: TextIO | None = None
) -> dict[str, Path]:
    """Every named tool's path; builds what is missing, with progress on `stream` (stderr).

    Safe against kills (a tool appears whole or not at all) and against a second run (which waits
    for the first one's build). Raises LabError when there is too little space, no Go, or a build
    fails.
    """
    wanted = list(dict.fromkeys(names))
    found = {name: find(name, root) for name in wanted}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        check_space(
            {name: pins.tool(name, root).wrapper for name in missing},
            cache_dir(),
            shutil.disk_usage(_existing(cache_dir())).free,
        )
        build = _Builds(root, go_command(pins.load(root)[1], cache_dir()), cache_dir())
        build.all(missing, stream)
        _drop_build_cache(cache_dir())
        found.update({name: _stored(pins.tool(name, root), root) for name in missing})
    return {name: path for name, path in found.items() if path is not None}


def check_space(missing: Mapping[str, str], cache: Path, free: int) -> None:
    """Raises LabError when `free` bytes are too few to build the `missing` tools.

    `missing` maps a tool to its wrapper module: the tools of one module share what they compile.
    """
    needed = BUILD_BYTES * len(set(missing.values()))
    if free < needed:
        raise LabError(
            f"building {', '.join(missing)} needs about {needed / GIB:.0f} GiB free and {cache} "
            f"has {free / GIB:.1f}: free some space, or set BACKSTOP_CACHE to a larger disk"
        )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _stored(pinned: Tool, root: Path) -> Path:
    return cache_dir() / "tools" / pins.stored_name(pinned, root) / pinned.binary


def _drop_build_cache(cache: Path) -> None:
    """Gives back the gigabytes of Go's build cache, unless another run is building with it."""
    with only_user(cache / "locks" / "go-build.lock") as alone:
        if alone:
            shutil.rmtree(cache / "go-build", ignore_errors=True)


def jobs(cpus: int) -> int:
    """Builds at a time. `go build` keeps every core busy until it links, so two at once pay off
    only where cores would idle during a link, and each holds 1 to 2 GiB of memory."""
    return 2 if cpus >= 4 else 1  # noqa: PLR2004  (the reason stands above)


@dataclass
class _Builds:
    root: Path
    go: Path
    cache: Path
    _running: "set[subprocess.Popen[bytes]]" = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def all(self, names: Sequence[str], stream: TextIO | None) -> None:
        with (
            Progress(len(names), stream=stream) as progress,
            shared(self.cache / "locks" / "go-build.lock") as in_use,
            ThreadPoolExecutor(jobs(os.cpu_count() or 1)) as pool,
        ):
            pending: list[Future[None]] = []
            try:
                pending += [pool.submit(self._one, name, in_use, progress) for name in names]
                for build in wait(pending, return_when=FIRST_EXCEPTION).done:
                    build.result()
            except BaseException:
                for build in pending:
                    build.cancel()
                self._stop()
                raise

    def _stop(self) -> None:
        self._stopping.set()
        with self._guard:
            for process in self._running:
                process.send_signal(signal.SIGTERM)

    def _one(self, name: str, in_use: int, progress: Progress) -> None:
        pinned = pins.tool(name, self.root)
        target = _stored(pinned, self.root).parent
        lock = self.cache / "locks" / f"tool-{name}.lock"
        progress.begin(name, f"building {pinned.version}")
        busy = f"{name}: another run is building it"
        with held(lock, busy, stop=self._stopping) as descriptor:
            if target.exists():
                progress.end(name, "was built by another run")
                return
            partial = target.with_name(f".partial-{name}")
            # Under the lock nobody else builds this tool, so what lies there is a dead run's.
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._go_build(pinned, partial / pinned.binary, (descriptor, in_use))
            if pinned.version_command and not has_version(partial / pinned.binary, pinned):
                raise LabError(
                    f"{name}: what was built does not say {pinned.version_output!r}: "
                    f"correct version_output or stamps of [tools.{name}] in versions.toml"
                )
            durable.publish(partial, target)
            progress.end(name, "built")

    def _go_build(self, pinned: Tool, output: Path, descriptors: tuple[int, ...]) -> None:
        log = self.cache / "tools" / f"{pinned.name}.log"
        # The build inherits the locks: if this run is killed, a second one does not start beside
        # the orphaned build but waits for it, and then finds its work in the build cache.
        with log.open("wb") as stream:
            process = subprocess.Popen(
                build_command(self.go, pinned, output),
                cwd=pins.wrapper(pinned, self.root),
                env=build_environment(os.environ, self.cache),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=descriptors,
            )
            with self._guard:
                self._running.add(process)
                # A stop request that came while the process was being made has not met it.
                if self._stopping.is_set():
                    process.send_signal(signal.SIGTERM)
            code = process.wait()
            with self._guard:
                self._running.discard(process)
        if code != 0 or not output.exists():
            reason = last_line(log.read_text(encoding="utf-8", errors="replace"))
            raise LabError(f"{pinned.name} did not build ({reason}): the whole output is in {log}")
        log.unlink()


def build_command(go: Path, pinned: Tool, output: Path) -> list[str]:
    """The `go build` command line, run in the wrapper module's folder."""
    stamps = [f"-X {name}={text}" for name, text in pinned.stamps.items()]
    tags = ["-tags", pinned.tags] if pinned.tags else []
    link = " ".join([*pins.LINK_FLAGS, *stamps])
    return [
        str(go),
        "build",
        *pins.BUILD_FLAGS,
        *tags,
        "-ldflags",
        link,
        "-o",
        str(output),
        pinned.package,
    ]


def build_environment(environ: "os._Environ[str]", cache: Path) -> dict[str, str]:
    """The machine's own Go settings (proxy, certificates), without what would change the result."""
    settings = {key: value for key, value in environ.items() if key not in {"GOOS", "GOARCH"}}
    settings |= {
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "go-build"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return settings
