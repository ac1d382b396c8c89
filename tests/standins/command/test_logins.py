"""Ways to log in: types of keys, passphrases, the agent, passwords."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from tests.standins.command.engine import Plugin, RefusedError, secret
from tests.standins.command.ssh_server import SshServer

REMOTE = "command:remote:Command"


def _make_key(server: SshServer, path: Path, *options: str, passphrase: str = "") -> str:
    """A new key that the server accepts; its private text."""
    subprocess.run(
        ["ssh-keygen", "-q", "-N", passphrase, "-f", path, *options],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    with (server.home.parent / "authorized_keys").open("a") as file:
        file.write(Path(f"{path}.pub").read_text())
    return path.read_text()


def _log_in(plugin: Plugin, connection: dict[str, object]) -> str:
    inputs = {"create": "echo in", "connection": secret(connection)}
    return str(plugin.create(REMOTE, inputs)[1]["stdout"])


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa", "-b", "256"),
        ("-t", "rsa", "-b", "2048"),
        ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    ],
    ids=" ".join,
)
def test_every_common_type_of_key_works(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    text = _make_key(ssh_server, tmp_path / "key", *options)
    assert _log_in(plugin, ssh_server.connection(privateKey=text)) == "in"


def test_an_encrypted_key_needs_its_passphrase(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path
) -> None:
    text = _make_key(ssh_server, tmp_path / "key", "-t", "ed25519", passphrase="let me in")
    connection = ssh_server.connection(privateKey=text, privateKeyPassword="let me in")
    assert _log_in(plugin, connection) == "in"


@pytest.mark.stand_in
def test_a_missing_or_wrong_passphrase_names_the_input(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path
) -> None:
    text = _make_key(ssh_server, tmp_path / "key", "-t", "ed25519", passphrase="let me in")
    with pytest.raises(RefusedError, match=r"is encrypted: give .*connection\.privateKeyPassword"):
        _log_in(plugin, ssh_server.connection(privateKey=text))
    wrong = ssh_server.connection(privateKey=text, privateKeyPassword="let me out")
    with pytest.raises(RefusedError, match=r"connection\.privateKeyPassword is wrong") as caught:
        _log_in(plugin, wrong)
    assert "let me out" not in caught.value.message


@pytest.fixture
def agent(ssh_server: SshServer, tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent that holds a key the server accepts."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent: install openssh-client for this test")
    _make_key(ssh_server, tmp_path / "key", "-t", "ed25519")
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not Path(path).exists():
            assert process.poll() is None
        environment = {**os.environ, "SSH_AUTH_SOCK": path}
        subprocess.run(["ssh-add", "-q", tmp_path / "key"], env=environment, check=True)
        yield path
    finally:
        process.terminate()
        process.wait()


def test_an_agent_logs_in(plugin: Plugin, ssh_server: SshServer, agent: str) -> None:
    connection = ssh_server.connection(privateKey=None, agentSocketPath=agent)
    assert _log_in(plugin, connection) == "in"


@pytest.mark.stand_in
def test_an_agent_that_is_not_there_is_named(plugin: Plugin, ssh_server: SshServer) -> None:
    connection = ssh_server.connection(privateKey=None, agentSocketPath="/nowhere/agent")
    with pytest.raises(
        RefusedError, match=r"no SSH agent answers at connection\.agentSocketPath /no"
    ):
        _log_in(plugin, connection)


@pytest.mark.stand_in
def test_without_any_login_the_error_says_so(
    plugin: Plugin, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(RefusedError, match="needs a login, but none was given"):
        _log_in(plugin, ssh_server.connection(privateKey=None))


class _PasswordServer(paramiko.ServerInterface):
    """An SSH server of the library itself: OpenSSH would need a system account with a password."""

    def __init__(self, *, keyboard: bool) -> None:
        self._keyboard = keyboard

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "keyboard-interactive" if self._keyboard else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == ("me", "right") and not self._keyboard
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_interactive(
        self,
        username: str,  # noqa: ARG002
        submethods: bytes | str,  # noqa: ARG002
    ) -> paramiko.server.InteractiveQuery:
        return paramiko.server.InteractiveQuery("", "", ("Password:", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.AUTH_SUCCESSFUL if responses == ["right"] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def answer() -> None:
            channel.sendall(command)
            channel.send_exit_status(0)
            channel.close()

        threading.Timer(0.05, answer).start()
        return True


@pytest.fixture(params=[False, True], ids=["password", "keyboard-interactive"])
def password_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return  # the test is over
                transport = paramiko.Transport(client)
                transport.add_server_key(paramiko.ECDSAKey.generate())
                transport.start_server(
                    event=threading.Event(), server=_PasswordServer(keyboard=request.param)
                )

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_password_logs_in_and_a_wrong_one_is_refused_without_being_shown(
    plugin: Plugin, password_port: int
) -> None:
    connection = {"host": "127.0.0.1", "port": password_port, "user": "me", "dialErrorLimit": 0}
    assert _log_in(plugin, {**connection, "password": "right"}) == "echo in"
    with pytest.raises(RefusedError) as caught:
        _log_in(plugin, {**connection, "password": "hunter2"})
    assert "hunter2" not in caught.value.message
