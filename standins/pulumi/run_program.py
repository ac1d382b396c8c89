"""Run one Pulumi program: the child process that the language host starts for each `Run`.

It is run by its path with the project's interpreter, so it may import nothing but the Pulumi SDK.
Its settings come as one JSON object on stdin, never as arguments or environment: configuration
holds secrets, and a process's environment is passed on to whatever the program starts.
"""

import asyncio
import json
import logging
import os
import runpy
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

EXIT_SHOWN = 32  # failed, and the operator has been told why
_CLEAN_UP_SECONDS = 1.0

_NO_SDK = (
    "this Python cannot import the Pulumi SDK ({error}): install requirements.txt for {python}, "
    "or name another interpreter by BACKSTOP_PYTHON or the runtime option `virtualenv`\n"
)


def _read_settings() -> dict[str, Any]:
    settings: dict[str, Any] = json.load(sys.stdin)
    # The program's own stdin is empty, as under the official host.
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return settings


def _configure(settings: dict[str, Any]) -> None:
    import pulumi.runtime  # noqa: PLC0415  (after the check that it is there)

    pulumi.runtime.set_all_config(settings["config"], settings["secretKeys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=settings["monitor"],
            engine=settings["engine"],
            project=settings["project"],
            stack=settings["stack"],
            parallel=settings["parallel"],
            dry_run=settings["dryRun"],
            organization=settings["organization"],
            root_directory=settings["rootDirectory"],
        )
    )


def _entry_file(entry_point: str) -> Path:
    """The file a program starts with, or a RunError that says what is missing."""
    import pulumi  # noqa: PLC0415  (after the check that it is there)

    entry = Path(entry_point)
    if entry.is_dir():
        entry = entry / "__main__.py"
    if not entry.is_file():
        raise pulumi.RunError(f"the project has no program: {entry.absolute()} does not exist")
    return entry


def _own_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's own file on, without the frames of this host."""
    trace = traceback.TracebackException.from_exception(error)
    first = str(program.resolve())
    for index, frame in enumerate(trace.stack):
        if str(Path(frame.filename).resolve()) == first:
            trace.stack = traceback.StackSummary.from_list(trace.stack[index:])
            break
    return "".join(trace.format())


def _run(settings: dict[str, Any]) -> None:
    import pulumi.runtime  # noqa: PLC0415  (after the check that it is there)

    entry = _entry_file(settings["entryPoint"])
    target = settings["entryPoint"] if Path(settings["entryPoint"]).is_dir() else str(entry)

    def program() -> None:
        runpy.run_path(target, run_name="__main__")

    # A failed program leaves unread futures behind; their warnings would bury its message.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Blocking calls of the SDK (registrations) use the loop's threads: 4 for each operation that
    # may run at a time, as the official host has it.
    workers = ThreadPoolExecutor(max(settings["parallel"], 1) * 4)
    loop.set_default_executor(workers)
    loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    workers.shutdown()
    loop.close()


def _leave() -> NoReturn:
    # Cancelled; the engine says so itself. Threads may wait for it forever: do not join them.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_SHOWN)


def _interrupted(number: int, frame: object) -> None:  # noqa: ARG001  (a signal handler's form)
    # The program's own clean-up gets a moment. Without the timer the SDK would wait for answers
    # that a cancelled engine no longer gives.
    timer = threading.Timer(_CLEAN_UP_SECONDS, _leave)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _main() -> int:
    # Set in any case: an engine started in the background hands on that SIGINT is ignored.
    signal.signal(signal.SIGINT, _interrupted)
    # This file's folder, which Python puts first, holds a package `minio` of our own: a program
    # that imports the library of that name would get it.
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    settings = _read_settings()
    try:
        import pulumi  # noqa: PLC0415  (its absence gets a sentence, not a traceback)
    except ImportError as error:
        sys.stderr.write(_NO_SDK.format(error=error, python=sys.executable))
        return EXIT_SHOWN
    _configure(settings)
    os.chdir(settings["workingDirectory"])
    sys.argv = [settings["entryPoint"], *settings["arguments"]]
    try:
        _run(settings)
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return EXIT_SHOWN
    except KeyboardInterrupt:
        _leave()
    except Exception as error:  # noqa: BLE001  (whatever the program raised is reported)
        program = Path(settings["entryPoint"]) / "__main__.py"
        if not program.is_file():
            program = Path(settings["entryPoint"])
        shown = _own_traceback(error, program)
        pulumi.log.error(f"Program failed with an unhandled exception:\n{shown}")
        return EXIT_SHOWN
    return 0


if __name__ == "__main__":
    sys.exit(_main())
