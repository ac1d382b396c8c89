"""SSH: dial with retries, verify the host, authenticate. Blocking: use in threads.

Only loaded when something remote is really done: a preview must not pay for the SSH library.
"""

import contextlib
import io
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import paramiko
from paramiko.agent import AgentSSH
from paramiko.ssh_exception import IncompatiblePeer

from standins.pulumi.command.connection import Connection, Endpoint, HostKey
from standins.pulumi.plugin import PluginError

# The library reports lost connections on its own logger; they arrive as errors here anyway.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

# How the official plugin waits between dials (its retry library's defaults), in seconds.
_FIRST_DELAY, _DELAY_FACTOR, _LONGEST_DELAY = 0.1, 1.5, 5.0
# sshd drops unauthenticated connections at random from the 10th on (MaxStartups 10:30:100).
_DIALS_AT_A_TIME = 6
_KEEPALIVE_SECONDS = 30
# AES-GCM needs no separate MAC: several times the throughput of the library's first choice.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
_PACKET_BYTES = 1 << 15
_WINDOW_BYTES = 1 << 24
_HOST_KEY_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_KEY_CLASSES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

Notify = Callable[[str], None]


class Sessions:
    """Every open connection of this process, so that a cancelled update can close them all."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._open: set[paramiko.Transport] = set()
        self._lock = threading.Lock()
        self._dials: dict[str, threading.Semaphore] = {}
        self._unverified: set[str] = set()

    def first_unverified(self, endpoint: Endpoint) -> bool:
        """True once for each endpoint whose host key is not pinned."""
        with self._lock:
            if endpoint.host_key is not None or endpoint.address in self._unverified:
                return False
            self._unverified.add(endpoint.address)
            return True

    def dialling(self, address: str) -> threading.Semaphore:
        with self._lock:
            return self._dials.setdefault(address, threading.Semaphore(_DIALS_AT_A_TIME))

    def add(self, transport: paramiko.Transport) -> None:
        with self._lock:
            self._open.add(transport)

    def close(self, transport: paramiko.Transport) -> None:
        with self._lock:
            self._open.discard(transport)
        transport.close()

    def cancel(self) -> None:
        self.cancelled.set()
        with self._lock:
            transports = list(self._open)
        for transport in transports:
            self.close(transport)


@contextlib.contextmanager
def connected(
    connection: Connection, sessions: Sessions, notify: Notify
) -> Iterator[paramiko.Transport]:
    """An authenticated connection, closed at the end. Raises PluginError, one sentence a cause.

    `notify` gets a line for each dial that failed and is tried again.
    """
    with contextlib.ExitStack() as stack:
        if connection.proxy is None:
            transport = _dial(connection.target, _tcp, sessions, notify)
        else:
            proxy = _dial(connection.proxy, _tcp, sessions, notify)
            stack.callback(sessions.close, proxy)
            transport = _dial(connection.target, _through(proxy), sessions, notify)
        stack.callback(sessions.close, transport)
        try:
            yield transport
        except (EOFError, OSError, paramiko.SSHException) as error:
            if sessions.cancelled.is_set():
                raise _cancelled(connection.target) from error
            raise PluginError(
                f"the SSH connection to {connection.target.address} was lost: {_reason(error)}; "
                "check that the host is up, then run the update again"
            ) from error


Open = Callable[[Endpoint], "socket.socket | paramiko.Channel"]


def _tcp(endpoint: Endpoint) -> socket.socket:
    opened = socket.create_connection((endpoint.host, endpoint.port), endpoint.dial_timeout)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _through(proxy: paramiko.Transport) -> Open:
    def open_channel(endpoint: Endpoint) -> paramiko.Channel:
        return proxy.open_channel(
            "direct-tcpip",
            (endpoint.host, endpoint.port),
            ("127.0.0.1", 0),
            timeout=endpoint.dial_timeout,
        )

    return open_channel


def _dial(
    endpoint: Endpoint, open_socket: Open, sessions: Sessions, notify: Notify
) -> paramiko.Transport:
    """Connect and log in. What another try cannot cure (host key, login) is not tried again."""
    failed, delay = 0, _FIRST_DELAY
    while True:
        if sessions.cancelled.is_set():
            raise _cancelled(endpoint)
        try:
            with sessions.dialling(endpoint.address):
                return _log_in(endpoint, open_socket, sessions)
        except (EOFError, OSError, paramiko.SSHException) as error:
            failed += 1
            reason = _reason(error)
        limit = endpoint.dial_error_limit
        if -1 < limit < failed:
            raise PluginError(
                f"{endpoint.address} cannot be reached over SSH ({failed} tries, the last one: "
                f"{reason}); check that the host is up and connection.host and connection.port"
            )
        shown_limit = "inf" if limit < 0 else limit
        notify(f"Dial {failed}/{shown_limit} to {endpoint.address} failed ({reason}): retrying")
        sessions.cancelled.wait(delay)
        delay = min(delay * _DELAY_FACTOR, _LONGEST_DELAY)


def _log_in(endpoint: Endpoint, open_socket: Open, sessions: Sessions) -> paramiko.Transport:
    transport = paramiko.Transport(
        open_socket(endpoint),
        default_window_size=_WINDOW_BYTES,
        default_max_packet_size=_PACKET_BYTES,
    )
    sessions.add(transport)
    try:
        if endpoint.dial_timeout is not None:
            transport.banner_timeout = endpoint.dial_timeout
            transport.auth_timeout = endpoint.dial_timeout
        _shake_hands(transport, endpoint)
        _authenticate(transport, endpoint)
    except BaseException:
        sessions.close(transport)
        raise
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    return transport


def _shake_hands(transport: paramiko.Transport, endpoint: Endpoint) -> None:
    options = transport.get_security_options()
    options.ciphers = _CIPHERS
    pinned = endpoint.host_key
    if pinned is not None:
        try:
            options.key_types = _HOST_KEY_ALGORITHMS.get(pinned.type, (pinned.type,))
        except ValueError as error:
            raise PluginError(
                f"connection.hostKey of {endpoint.host} has the type {pinned.type}, which this "
                "stand-in does not know: pin the host's ssh-ed25519 key"
            ) from error
    try:
        transport.start_client(timeout=endpoint.dial_timeout)
    except IncompatiblePeer as error:
        if pinned is None or "host key" not in str(error):
            raise
        raise PluginError(_wrong_host_key(endpoint, pinned, "no key of that type")) from error
    if pinned is not None:
        shown = transport.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
        if key.blob != pinned.blob:
            raise PluginError(_wrong_host_key(endpoint, pinned, key.fingerprint))


def _wrong_host_key(endpoint: Endpoint, pinned: HostKey, shown: str) -> str:
    return (
        f"the host key of {endpoint.address} is not the pinned one (connection.hostKey "
        f"{pinned.fingerprint}, the host showed {shown}): if the host was reinstalled on purpose, "
        "pin its new key; if not, somebody else answers at its address"
    )


def _authenticate(transport: paramiko.Transport, endpoint: Endpoint) -> None:
    tried = []
    for name, attempt in _ways_in(transport, endpoint):
        tried.append(name)
        try:
            attempt()
        except paramiko.AuthenticationException:
            continue
        if transport.is_authenticated():
            return
    given = " and ".join(tried)
    said = f"refused the {given}" if tried else "needs a login, but none was given"
    raise PluginError(
        f"{endpoint.address} {said} of the user {endpoint.user}: check connection.user and "
        "connection.privateKey, and that its public key is in the user's authorized_keys"
    )


def _ways_in(
    transport: paramiko.Transport, endpoint: Endpoint
) -> Iterator[tuple[str, Callable[[], object]]]:
    user = endpoint.user
    if endpoint.private_key is not None:
        key = _private_key(endpoint, endpoint.private_key)
        yield "private key", lambda: transport.auth_publickey(user, key)
    if endpoint.password is not None:
        password = endpoint.password
        yield "password", lambda: transport.auth_password(user, password)
    for agent_key in _agent_keys(endpoint):
        yield "agent's key", partial(transport.auth_publickey, user, agent_key)


def _private_key(endpoint: Endpoint, text: str) -> paramiko.PKey:
    for key_class in _KEY_CLASSES:
        try:
            return key_class.from_private_key(io.StringIO(text), endpoint.passphrase)
        except paramiko.PasswordRequiredException as error:
            raise PluginError(
                f"connection.privateKey for {endpoint.host} is encrypted: give its passphrase as "
                "connection.privateKeyPassword"
            ) from error
        except (paramiko.SSHException, ValueError):
            continue  # another type of key, or none; the next class knows
    wrong = "" if endpoint.passphrase is None else ", or connection.privateKeyPassword is wrong"
    raise PluginError(
        f"connection.privateKey for {endpoint.host} cannot be read: it must be the text of an "
        f"OpenSSH or PEM private key of type Ed25519, ECDSA or RSA{wrong}"
    )


def _agent_keys(endpoint: Endpoint) -> Iterator[paramiko.PKey]:
    path = endpoint.agent_socket or os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return
    agent: Any = AgentSSH()  # its public form takes no path, so its own connect is called
    opened = socket.socket(socket.AF_UNIX)
    try:
        opened.connect(path)
        agent._connect(opened)
        yield from agent.get_keys()
    except (OSError, paramiko.SSHException) as error:
        if endpoint.agent_socket is None:
            return  # a stale SSH_AUTH_SOCK of the operator is no mistake of the stack
        raise PluginError(
            f"no SSH agent answers at connection.agentSocketPath {path}: {_reason(error)}"
        ) from error
    finally:
        opened.close()


def _cancelled(endpoint: Endpoint) -> PluginError:
    return PluginError(f"the work on {endpoint.address} was ended: the update was cancelled")


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
