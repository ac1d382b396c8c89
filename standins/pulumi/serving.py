"""What every stand-in does as a process: say what it is, give its port, end with its engine."""

import asyncio
import os
import signal
import sys

# What the engine itself allows (the SDK's client and server options).
_MESSAGE_BYTES = 400 * 1024 * 1024
GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.server_max_unrequested_time_in_server", 30 * 60),
]
_PARENT_CHECK_SECONDS = 1.0
# Read when this is loaded, before anything slow: an engine may die while its plugins still start.
_PARENT = os.getppid()


def introduction(name: str, version: str) -> str:
    """The line by which a stand-in says what it is."""
    return f"{name} {version} (stand-in from this repository, not the official plugin)"


async def until_told_to_end(port: int) -> None:
    """Tell the engine the port, then wait for a signal or for the engine's death."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    watch = asyncio.create_task(_watch_parent(ended))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await ended.wait()
    watch.cancel()


async def _watch_parent(ended: asyncio.Event) -> None:
    # An engine that is killed cannot say goodbye; the operating system then gives us a new parent.
    while os.getppid() == _PARENT:
        await asyncio.sleep(_PARENT_CHECK_SECONDS)
    ended.set()
