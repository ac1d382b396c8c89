# ruff: noqa: ARG002, N802  (names and parameters of the methods are the gRPC protocol's)
"""Stand-in for `pulumi-language-python`, the process through which the engine runs a program.

Programs and policy packs run in child processes of this one, in the same process group, so that
the engine's own way of ending a plugin (a signal to its group) reaches them too.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from standins.pulumi.engine_log import EngineLog
from standins.pulumi.serving import GRPC_OPTIONS, introduction, until_told_to_end

NAME = "pulumi-language-python"
VERSION = "3.259.0"  # the engine's: the SDK in requirements.txt has the same

_RUN_PROGRAM = Path(__file__).with_name("run_program.py")
_EXIT_SHOWN = 32  # run_program.EXIT_SHOWN, repeated: that file is a program, not a module
# Time for a program or a pack to end after SIGINT.
_GRACE_SECONDS = 5.0
_LIST_PACKAGES = (
    "import importlib.metadata as m, json;"
    "print(json.dumps(sorted({d.name: d.version for d in m.distributions()}.items())))"
)

# gRPC's messages and contexts have no types of their own.
Message: TypeAlias = Any


def interpreter(info: Message) -> str:
    """The Python a project asks for: its `virtualenv` where that folder exists, else this one.

    `info` is the engine's ProgramInfo; a relative `virtualenv` is below the project's root.
    """
    option = info.options.fields["virtualenv"].string_value if info.HasField("options") else ""
    if option:
        python = Path(info.root_directory, option, "bin", "python")
        if python.is_file():
            return str(python)
    return sys.executable


def program_settings(request: Message, engine: str) -> dict[str, Any]:
    """What `run_program` needs to know, from the engine's RunRequest."""
    return {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "stack": request.stack,
        "organization": request.organization,
        "parallel": request.parallel,
        "dryRun": request.dryRun,
        "config": dict(request.config),
        "secretKeys": list(request.configSecretKeys),
        "rootDirectory": request.info.root_directory,
        "workingDirectory": request.pwd or request.info.program_directory,
        "entryPoint": request.info.entry_point or ".",
        "arguments": list(request.args),
    }


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine. Any number of programs may run at a time, each in its own process."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._log: EngineLog | None = None
        self._children: set[asyncio.subprocess.Process] = set()
        self._cancelled = False

    async def Handshake(self, request: Message, context: Message) -> Message:
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    async def GetPluginInfo(self, request: Message, context: Message) -> Message:
        return plugin_pb2.PluginInfo(version=VERSION)

    async def About(self, request: Message, context: Message) -> Message:
        python = interpreter(request.info)
        version = ".".join(map(str, sys.version_info[:3]))
        if python != sys.executable:
            version = await self._ask(python, "import platform; print(platform.python_version())")
        return language_pb2.AboutResponse(
            executable=python, version=version, metadata={"host": introduction(NAME, VERSION)}
        )

    async def GetRequiredPackages(self, request: Message, context: Message) -> Message:
        # None on purpose: the engine would look for each in its own plugin folder only, not on
        # PATH where stand-ins are. It finds a plugin when the first resource asks for it.
        return language_pb2.GetRequiredPackagesResponse()

    async def GetRequiredPlugins(self, request: Message, context: Message) -> Message:
        return language_pb2.GetRequiredPluginsResponse()

    async def RuntimeOptionsPrompts(self, request: Message, context: Message) -> Message:
        return language_pb2.RuntimeOptionsResponse()

    async def Template(self, request: Message, context: Message) -> Message:
        return language_pb2.TemplateResponse()

    async def GetProgramDependencies(self, request: Message, context: Message) -> Message:
        try:
            listed = json.loads(await self._ask(interpreter(request.info), _LIST_PACKAGES))
        except (OSError, ValueError) as error:
            return await context.abort(grpc.StatusCode.UNKNOWN, f"no list of packages: {error}")
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version) for name, version in listed
            ]
        )

    async def InstallDependencies(
        self,
        request: Message,
        context: Message,
    ) -> AsyncIterator[Message]:
        text = (
            f"{introduction(NAME, VERSION)} installs nothing: install requirements.txt for "
            f"{interpreter(request.info)} yourself\n"
        )
        yield language_pb2.InstallDependenciesResponse(stdout=text.encode())

    async def Run(self, request: Message, context: Message) -> Message:
        await self._introduce()
        settings = json.dumps(program_settings(request, self._engine)).encode()
        child = await self._start(
            [interpreter(request.info), "-u", str(_RUN_PROGRAM)],
            cwd=request.info.program_directory,
            stdin=asyncio.subprocess.PIPE,
        )
        try:
            await child.communicate(settings)
        finally:
            await self._ended(child)
        status = child.returncode
        if status in (0, _EXIT_SHOWN) or self._cancelled:
            return language_pb2.RunResponse(bail=status != 0)
        return language_pb2.RunResponse(error=f"the program {_ending(status)}")

    async def RunPlugin(self, request: Message, context: Message) -> AsyncIterator[Message]:
        folder = request.info.program_directory
        argv = [interpreter(request.info), "-u"]
        if request.kind == "analyzer":
            argv += ["-m", "pulumi.policy", *request.args, folder]
        else:
            argv += [folder, *request.args]
        child = await self._start(
            argv,
            # A policy pack finds its own modules next to it, a plugin works where the program is.
            cwd=folder if request.kind == "analyzer" else request.pwd or folder,
            env=dict(entry.split("=", 1) for entry in request.env),
            pipes=True,
        )
        chunks: asyncio.Queue[Message | None] = asyncio.Queue()
        reading = asyncio.create_task(_read_output(child, chunks))
        try:
            while (chunk := await chunks.get()) is not None:
                yield chunk
            yield language_pb2.RunPluginResponse(exitcode=await child.wait())
        finally:
            # A plugin has no work of its own to finish: it may go at once.
            await self._ended(child, signal.SIGTERM)
            await reading

    async def Cancel(self, request: Message, context: Message) -> Message:
        await self.end_all()
        return empty_pb2.Empty()

    async def end_all(self) -> None:
        """Interrupt every child, then kill what is left."""
        self._cancelled = True
        await asyncio.gather(*(self._ended(child) for child in list(self._children)))

    async def _start(
        self,
        argv: list[str],
        *,
        cwd: str,
        env: Mapping[str, str] | None = None,
        stdin: int = asyncio.subprocess.DEVNULL,
        pipes: bool = False,
    ) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE if pipes else None
        child = await asyncio.create_subprocess_exec(
            *argv, cwd=cwd, env={**os.environ, **(env or {})}, stdin=stdin, stdout=pipe, stderr=pipe
        )
        self._children.add(child)
        return child

    async def _ended(
        self, child: asyncio.subprocess.Process, number: signal.Signals = signal.SIGINT
    ) -> None:
        """Make sure the child is gone: asks by a signal first, when it still runs."""
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
            try:
                await asyncio.wait_for(child.wait(), _GRACE_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        self._children.discard(child)

    async def _introduce(self) -> None:
        if self._log is None:
            self._log = EngineLog(self._engine)
            self._log.info("", introduction(NAME, VERSION))
            await self._log.flush()

    async def _ask(self, python: str, code: str) -> str:
        child = await asyncio.create_subprocess_exec(
            python, "-c", code, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
        )
        printed, _ = await child.communicate()
        return printed.decode().strip()


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was ended by signal {-status}"
    return f"exited with code {status}"


def _stdout_chunk(data: bytes) -> Message:
    return language_pb2.RunPluginResponse(stdout=data)


def _stderr_chunk(data: bytes) -> Message:
    return language_pb2.RunPluginResponse(stderr=data)


async def _read_output(
    child: asyncio.subprocess.Process, chunks: "asyncio.Queue[Message | None]"
) -> None:
    async def pump(reader: asyncio.StreamReader | None, wrap: Callable[[bytes], Message]) -> None:
        while reader is not None and (data := await reader.read(65536)):
            chunks.put_nowait(wrap(data))

    await asyncio.gather(pump(child.stdout, _stdout_chunk), pump(child.stderr, _stderr_chunk))
    chunks.put_nowait(None)


async def _serve(engine: str) -> int:
    server = grpc.aio.server(options=GRPC_OPTIONS)
    host = LanguageHost(engine)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await until_told_to_end(port)
    await host.end_all()
    await server.stop(_GRACE_SECONDS)
    return 0


def main(argv: Sequence[str]) -> int:
    if "--version" in argv:
        sys.stdout.write(introduction(NAME, VERSION) + "\n")
        return 0
    addresses = [argument for argument in argv if not argument.startswith("-")]
    return asyncio.run(_serve(addresses[-1] if addresses else ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
