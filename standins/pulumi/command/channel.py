"""Run one command on an open SSH connection, as OpenSSH's client does without a terminal."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from standins.pulumi.command.output import Output, Stream
from standins.pulumi.plugin import PluginError

_WINDOW_BYTES = 1 << 24
_CHUNK = 1 << 16

Notify = Callable[[str], None]


def run(
    transport: paramiko.Transport,
    command: str,
    *,
    environment: Mapping[str, str],
    previous: Mapping[str, str],
    stdin: str,
    output: Output,
    warn: Notify,
) -> int:
    """Run a command and give its exit status, -1 if the server told none.

    `environment` must be accepted by the server (PluginError if not); of `previous`, the outputs
    of the last run, what it refuses is left out with a warning. `output` gets what was printed.
    """
    channel = _open_channel(transport, environment, dict(previous), warn)
    with contextlib.closing(channel):
        channel.exec_command(command)
        feeder = threading.Thread(target=_feed, args=(channel, stdin.encode()), daemon=True)
        errors = threading.Thread(
            target=_drain, args=(channel.recv_stderr, Stream.STDERR, output), daemon=True
        )
        feeder.start()
        errors.start()
        _drain(channel.recv, Stream.STDOUT, output)
        errors.join()
        return channel.recv_exit_status()


def _open_channel(
    transport: paramiko.Transport,
    environment: Mapping[str, str],
    previous: dict[str, str],
    warn: Notify,
) -> paramiko.Channel:
    while True:
        channel = transport.open_session(window_size=_WINDOW_BYTES)
        needed = _first_refused(transport, channel, environment)
        if needed is not None:
            raise PluginError(_refused(needed))
        refused = _first_refused(transport, channel, previous)
        if refused is None:
            return channel
        # A refusal closes the channel in this library: start over without that variable.
        warn(_refused(refused))
        del previous[refused]


def _first_refused(
    transport: paramiko.Transport, channel: paramiko.Channel, variables: Mapping[str, str]
) -> str | None:
    for name, value in variables.items():
        if not _set_variable(transport, channel, name, value):
            return name
    return None


def _refused(name: str) -> str:
    return (
        f"the SSH server does not accept the environment variable {name}: allow it by AcceptEnv "
        "in its sshd_config, or hand the value to the command through `stdin`"
    )


def _set_variable(
    transport: paramiko.Transport, channel: paramiko.Channel, name: str, value: str
) -> bool:
    # The library's own call does not ask the server for an answer, so a refusal would be silent.
    # These are the steps of its other requests, which wait; its type stubs do not know them.
    inner: Any = channel
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(inner.remote_chanid)
    message.add_string("env")
    message.add_boolean(True)
    message.add_string(name)
    message.add_string(value)
    inner._event_pending()
    inner.transport._send_user_message(message)
    try:
        inner._wait_for_event()
    except paramiko.SSHException:
        if not transport.is_active():
            raise
        return False
    return True


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    # A command that ends early closes the channel: it did not want to read the rest.
    with contextlib.suppress(OSError, EOFError):
        if data:
            channel.sendall(data)
        channel.shutdown_write()


def _drain(receive: Callable[[int], bytes], stream: Stream, output: Output) -> None:
    while data := receive(_CHUNK):
        output.write(stream, data)
