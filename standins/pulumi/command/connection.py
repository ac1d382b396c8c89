"""Where and how to connect over SSH: the input `connection`, read once."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from standins.pulumi.plugin import PluginError


@dataclass(frozen=True)
class HostKey:
    """A server's public key: its type (`ssh-ed25519`) and its bytes in SSH's wire form."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"{self.type} SHA256:{digest}"


@dataclass(frozen=True)
class Endpoint:
    """One SSH server. Timeouts in seconds (None: no limit); `dial_error_limit` -1: no limit."""

    host: str
    port: int = 22
    user: str = "root"
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    agent_socket: str | None = None
    host_key: HostKey | None = None
    dial_error_limit: int = 10
    dial_timeout: float | None = 15.0

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Connection:
    """An endpoint, reached directly or through one `proxy` (bastion)."""

    target: Endpoint
    proxy: Endpoint | None = None


def from_inputs(connection: Mapping[str, object]) -> Connection:
    """From the checked input, with plain values. Raises PluginError for an unreadable host key."""
    proxy = connection.get("proxy")
    return Connection(
        _endpoint(connection),
        None if proxy is None else _endpoint(cast("Mapping[str, object]", proxy)),
    )


def _endpoint(values: Mapping[str, object]) -> Endpoint:
    def text(name: str) -> str | None:
        value = values.get(name)
        return None if value is None else str(value)

    def number(name: str, default: float) -> float:
        value = values.get(name)
        return default if value is None else float(cast("float", value))

    host = str(values["host"])
    host_key = text("hostKey")
    return Endpoint(
        host=host,
        port=int(number("port", 22)),
        user=text("user") or "root",
        password=text("password"),
        private_key=text("privateKey"),
        passphrase=text("privateKeyPassword"),
        agent_socket=text("agentSocketPath"),
        host_key=None if host_key is None else _host_key(host, host_key),
        dial_error_limit=int(number("dialErrorLimit", 10)),
        dial_timeout=number("perDialTimeout", 15) or None,
    )


def _host_key(host: str, line: str) -> HostKey:
    words = line.split()
    for index, word in enumerate(words[:-1]):
        if not word.startswith(("ssh-", "ecdsa-")):
            continue  # options may come before the type, as in authorized_keys
        try:
            return HostKey(word, base64.b64decode(words[index + 1], validate=True))
        except binascii.Error:
            break
    raise PluginError(
        f"connection.hostKey of {host} cannot be read: give one line such as "
        "`ssh-ed25519 AAAA...`, as ssh-keyscan prints it without the host name"
    )
