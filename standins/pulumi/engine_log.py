"""Messages to the engine: what a plugin has to say appears in the operator's terminal."""

import asyncio
import sys

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class EngineLog:
    """Sends messages in the order they were given, from any thread, without blocking the caller.

    Without an engine (a plugin started by hand or by a test) they go to stderr.
    Construct it inside the running event loop.
    """

    def __init__(self, engine_address: str | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[engine_pb2.LogRequest] = asyncio.Queue()
        self._stub: engine_pb2_grpc.EngineStub | None = None
        if engine_address:
            self._stub = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(engine_address))
        self._sender = asyncio.create_task(self._send_all())

    def status(self, urn: str, text: str) -> None:
        """A line of progress: shown while the resource is worked on."""
        self._post(engine_pb2.INFO, urn, text, ephemeral=True)

    def info(self, urn: str, text: str) -> None:
        self._post(engine_pb2.INFO, urn, text)

    def warning(self, urn: str, text: str) -> None:
        self._post(engine_pb2.WARNING, urn, text)

    async def flush(self) -> None:
        """Wait until the engine has everything said so far."""
        await asyncio.sleep(0)  # lets what other threads handed over enter the queue
        await self._queue.join()

    def _post(self, severity: int, urn: str, text: str, *, ephemeral: bool = False) -> None:
        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.ValueType(severity),
            message=text,
            urn=urn,
            ephemeral=ephemeral,
        )
        self._loop.call_soon_threadsafe(self._queue.put_nowait, request)

    async def _send_all(self) -> None:
        while True:
            request = await self._queue.get()
            try:
                if self._stub is None:
                    sys.stderr.write(request.message + "\n")
                else:
                    await self._stub.Log(request)
            except grpc.RpcError:
                # The engine is gone: nobody is left to read this or any later message.
                self._stub = None
            finally:
                self._queue.task_done()
