"""A real OpenSSH server on loopback with throw-away keys, for the remote half of the contract."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.standins.command.engine import wait_until
from tests.support.ports import free_port

_SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class SshServer:
    """Log in as `user` with the text `private_key`; `host_key` is one authorized_keys line."""

    port: int
    user: str
    private_key: str
    host_key: str
    other_key: str
    home: Path
    log: Path

    def connection(self, **changes: object) -> dict[str, object]:
        """The input `connection` for this server; a change to None leaves that field out."""
        fields: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "privateKey": self.private_key,
            "hostKey": self.host_key,
            "dialErrorLimit": 1,
            "perDialTimeout": 10,
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}


def _key(path: Path) -> str:
    if not path.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, "-C", "test"],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return Path(f"{path}.pub").read_text().strip()


@contextlib.contextmanager
def running_ssh_server(
    folder: Path, *settings: str, port: int | None = None
) -> Iterator[SshServer]:
    """Start sshd for the current user, or skip the test saying why not.

    The same folder again means the same keys.
    """
    if not _SSHD.exists() or shutil.which("ssh-keygen") is None:
        pytest.skip("no /usr/sbin/sshd or ssh-keygen: install openssh-server for this test")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder.mkdir(exist_ok=True)
    host_key = _key(folder / "host")
    (folder / "authorized_keys").write_text(_key(folder / "user") + "\n")
    other_key = _key(folder / "other")
    port, log = port or free_port(), folder / "sshd.log"
    config = folder / "sshd_config"
    lines = [
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        f"PidFile {folder / 'sshd.pid'}",
        "StrictModes no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "PermitRootLogin yes",
        "AcceptEnv ALLOWED_*",
        "Subsystem sftp internal-sftp",
        *settings,
    ]
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([_SSHD, "-D", "-e", "-f", config], stderr=log.open("wb"))
    try:
        wait_until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, log.read_text()
        home = folder / "home"
        home.mkdir(exist_ok=True)
        user = pwd.getpwuid(os.geteuid()).pw_name
        private_key = (folder / "user").read_text()
        yield SshServer(port, user, private_key, host_key, other_key, home, log)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
