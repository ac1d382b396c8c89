"""Run a command on this machine: `command:local:Command` and the function `command:local:run`."""

import asyncio
import errno
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from standins.pulumi.command import globs
from standins.pulumi.command.output import Output, Stream
from standins.pulumi.plugin import PluginError
from standins.pulumi.process_groups import Child, ProcessGroups
from standins.pulumi.values import WireArchive, WireAsset

_DEFAULT_INTERPRETER = ("/bin/sh", "-c")
_CHUNK = 65536


@dataclass(frozen=True)
class LocalRun:
    """One run, with plain values. `name` says which command it is (`create`), for errors.

    `previous` are the stdout and stderr of the last run, passed on in the environment.
    """

    name: str
    command: str
    interpreter: tuple[str, ...] = _DEFAULT_INTERPRETER
    directory: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    previous: Mapping[str, str] = field(default_factory=dict)
    asset_paths: tuple[str, ...] | None = None
    archive_paths: tuple[str, ...] | None = None


def from_inputs(
    name: str, command: str, inputs: Mapping[str, object], last_state: Mapping[str, object]
) -> LocalRun:
    """A run from checked inputs; `last_state` holds the outputs of the run before, if any."""
    texts = {
        key: tuple(cast("list[str]", inputs[key]))
        for key in ("interpreter", "assetPaths", "archivePaths")
        if inputs.get(key) is not None
    }
    directory = inputs.get("dir")
    return LocalRun(
        name=name,
        command=command,
        interpreter=texts.get("interpreter") or _DEFAULT_INTERPRETER,
        directory=None if directory is None else str(directory),
        environment=cast("Mapping[str, str]", inputs.get("environment") or {}),
        stdin=str(inputs.get("stdin") or ""),
        previous=previous_outputs(inputs, last_state),
        asset_paths=texts.get("assetPaths"),
        archive_paths=texts.get("archivePaths"),
    )


def previous_outputs(
    inputs: Mapping[str, object], last_state: Mapping[str, object]
) -> dict[str, str]:
    """The variables that hand the last run's output to the next one (on unless switched off)."""
    if inputs.get("addPreviousOutputInEnv") is False:
        return {}
    names = {"PULUMI_COMMAND_STDOUT": "stdout", "PULUMI_COMMAND_STDERR": "stderr"}
    return {
        variable: str(last_state[output])
        for variable, output in names.items()
        if last_state.get(output)
    }


async def run(run_: LocalRun, output: Output, groups: ProcessGroups) -> None:
    """Run to the end, filling `output`. Raises PluginError when it cannot start or fails."""
    process = await _start(run_, groups)
    try:
        await asyncio.gather(
            process.feed(run_.stdin.encode()),
            _drain(process.stdout, Stream.STDOUT, output),
            _drain(process.stderr, Stream.STDERR, output),
        )
        status = await process.wait()
    except asyncio.CancelledError:
        await groups.end(process)
        raise
    groups.done(process)
    output.finish()
    if groups.ending:
        raise PluginError(f"the {run_.name} command was ended because the update was cancelled")
    if status != 0:
        raise PluginError(failure(run_.name, status, output))


def failure(name: str, status: int, output: Output, where: str = "") -> str:
    """The error of a command that failed. Its text is not in it: commands may hold secrets."""
    ending = f"exit status {status}" if status >= 0 else f"signal {-status}"
    tail = output.tail()
    said = f"the end of its output:\n{tail}\n" if tail else "it printed nothing"
    return f"{ending}: the {name} command{where} failed; {said}"


async def _start(run_: LocalRun, groups: ProcessGroups) -> Child:
    if groups.ending:
        raise PluginError(f"the {run_.name} command was not started: the update was cancelled")
    environment = {**os.environ, **run_.environment, **run_.previous}
    argv = [*run_.interpreter, run_.command]
    try:
        return await groups.start(argv, cwd=run_.directory, env=environment, stdin=bool(run_.stdin))
    except (OSError, ValueError) as error:
        raise PluginError(_cannot_start(run_, error)) from error


def _cannot_start(run_: LocalRun, error: OSError | ValueError) -> str:
    begin = f"the {run_.name} command cannot start: "
    if isinstance(error, ValueError):
        return begin + "its text or environment holds a NUL character or an invalid name"
    if run_.directory is not None and not Path(run_.directory).is_dir():
        return begin + f"its `dir` {run_.directory} is not a directory here"
    if error.errno == errno.E2BIG:
        return begin + "command and environment are too long; pass the data through `stdin`"
    if isinstance(error, FileNotFoundError):
        return begin + f"the interpreter {run_.interpreter[0]} was not found"
    return begin + f"{run_.interpreter[0]}: {os.strerror(error.errno or 0)}"


async def _drain(reader: asyncio.StreamReader, stream: Stream, output: Output) -> None:
    while data := await reader.read(_CHUNK):
        output.write(stream, data)


def collect_assets(run_: LocalRun) -> dict[str, WireAsset | WireArchive | dict[str, WireAsset]]:
    """The outputs `assets` and `archive` of a run that asked for them. Raises PluginError."""
    outputs: dict[str, WireAsset | WireArchive | dict[str, WireAsset]] = {}
    directory = Path(run_.directory or Path.cwd())
    try:
        if run_.asset_paths is not None:
            outputs["assets"] = _assets(directory, run_.asset_paths)
        if run_.archive_paths is not None:
            files = _assets(directory, run_.archive_paths)
            outputs["archive"] = WireArchive(hash=_archive_hash(files), assets=dict(files))
    except (OSError, ValueError) as error:
        raise PluginError(
            f"the files the {run_.name} command made cannot be read: {error}"
        ) from error
    return outputs


def _assets(directory: Path, patterns: tuple[str, ...]) -> dict[str, WireAsset]:
    found = {}
    for name in globs.find(directory, patterns):
        path = directory / name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[name] = WireAsset(hash=digest, path=str(path))
    return found


def _archive_hash(files: Mapping[str, WireAsset]) -> str:
    listing = "".join(f"{name}\0{asset.hash}\n" for name, asset in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()
