"""command:remote:Command over a real sshd: output, environment, stdin, refusals, retries."""

import re

import pytest

from tests.standins.command.engine import Plugin, RefusedError, secret, wait_until
from tests.standins.command.ssh_server import SshServer, running_ssh_server
from tests.support.ports import free_port

REMOTE = "command:remote:Command"


def _inputs(server: SshServer, create: str, **more: object) -> dict[str, object]:
    connection = more.pop("connection", None) or server.connection()
    return {"create": create, "connection": secret(connection), **more}


def test_create_gives_both_streams_without_the_last_newline(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    name, state = plugin.create(
        REMOTE, _inputs(ssh_server, "echo one; echo; echo two; echo bad >&2")
    )
    assert re.fullmatch(r"it[0-9a-f]{8}", name)
    assert (state["stdout"], state["stderr"]) == ("one\n\ntwo", "bad")
    assert state["connection"] == secret(ssh_server.connection())


def test_stdin_arrives_whole_and_is_not_part_of_the_output(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    text = "x" * 3_000_000
    _, state = plugin.create(REMOTE, _inputs(ssh_server, "wc -c", stdin=text))
    assert state["stdout"].strip() == "3000000"


def test_a_command_without_stdin_sees_its_end_at_once(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    _, state = plugin.create(REMOTE, _inputs(ssh_server, "cat; echo end"))
    assert state["stdout"] == "end"


def test_megabytes_on_both_streams_do_not_block_each_other(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    script = "head -c 4000000 /dev/zero | tr '\\0' e >&2; head -c 4000000 /dev/zero | tr '\\0' o"
    _, state = plugin.create(REMOTE, _inputs(ssh_server, script, logging="none"))
    assert len(state["stdout"]) == len(state["stderr"]) == 4_000_000


def test_update_runs_update_and_sees_the_last_output_if_the_server_takes_it(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    inputs = _inputs(ssh_server, "echo first", update="echo second $PULUMI_COMMAND_STDOUT.")
    _, state = plugin.create(REMOTE, inputs)
    updated = plugin.update(REMOTE, state, inputs)
    # This sshd does not accept the variable: a warning, and the command runs without it.
    assert updated["stdout"] == "second ."
    wait_until(lambda: any("PULUMI_COMMAND_STDOUT" in m for m in plugin.engine.messages))


def test_update_without_its_own_command_runs_create_again(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    inputs = _inputs(ssh_server, "echo again", addPreviousOutputInEnv=False)
    before = len(plugin.engine.messages)
    assert plugin.update(REMOTE, {**inputs, "stdout": "old"}, inputs)["stdout"] == "again"
    assert not [m for m in plugin.engine.messages[before:] if "PULUMI_COMMAND" in m]


def test_delete_runs_from_the_state(plugin: Plugin, ssh_server: SshServer) -> None:
    mark = ssh_server.home / "deleted"
    inputs = _inputs(ssh_server, "true", delete=f"touch {mark}")
    plugin.delete(REMOTE, {**inputs, "stdout": "", "stderr": ""})
    assert mark.exists()


def test_environment_that_the_server_accepts_arrives(plugin: Plugin, ssh_server: SshServer) -> None:
    inputs = _inputs(ssh_server, "echo $ALLOWED_ONE", environment={"ALLOWED_ONE": "a b"})
    assert plugin.create(REMOTE, inputs)[1]["stdout"] == "a b"


def test_environment_that_the_server_refuses_is_an_error_naming_the_variable(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    inputs = _inputs(ssh_server, "touch never", environment={"FORBIDDEN": "1"})
    with pytest.raises(RefusedError, match="FORBIDDEN"):
        plugin.create(REMOTE, inputs)


@pytest.mark.stand_in
def test_a_failing_command_gives_status_and_output_but_not_its_text(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    with pytest.raises(RefusedError) as caught:
        plugin.create(REMOTE, _inputs(ssh_server, "echo out; echo why >&2; : in-the-text; exit 3"))
    message = caught.value.message
    assert message.startswith("exit status 3: the create command on 127.0.0.1:")
    assert "out" in message
    assert "why" in message
    assert "in-the-text" not in message


def test_a_killed_remote_command_is_an_error(plugin: Plugin, ssh_server: SshServer) -> None:
    with pytest.raises(RefusedError, match=r"without an exit status|signal"):
        plugin.create(REMOTE, _inputs(ssh_server, "kill -9 $$"))


def test_nothing_connects_in_a_preview(plugin: Plugin, ssh_server: SshServer) -> None:
    inputs = _inputs(ssh_server, "true", connection=ssh_server.connection(port=free_port()))
    _, state = plugin.create(REMOTE, inputs, preview=True)
    assert state["stdout"] == state["stderr"] == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.mark.stand_in
def test_a_wrong_host_key_is_refused_at_once_with_both_fingerprints(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    connection = ssh_server.connection(hostKey=ssh_server.other_key, dialErrorLimit=-1)
    with pytest.raises(RefusedError) as caught:
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))
    message = caught.value.message
    assert message.startswith(f"the host key of 127.0.0.1:{ssh_server.port} is not the pinned one")
    assert message.count("SHA256:") == 2


@pytest.mark.stand_in
def test_a_host_key_of_another_type_is_refused_at_once(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQC7"
    connection = ssh_server.connection(hostKey=rsa, dialErrorLimit=-1)
    with pytest.raises(RefusedError, match="is not the pinned one"):
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))


@pytest.mark.stand_in
@pytest.mark.parametrize("line", ["", "nonsense", "ssh-ed25519 %%%"])
def test_an_unreadable_host_key_names_the_input(
    plugin: Plugin, ssh_server: SshServer, line: str
) -> None:
    connection = ssh_server.connection(hostKey=line)
    with pytest.raises(RefusedError, match=r"connection\.hostKey of 127\.0\.0\.1 cannot be read"):
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))


@pytest.mark.stand_in
def test_an_unpinned_host_key_works_with_one_warning(plugin: Plugin, ssh_server: SshServer) -> None:
    connection = ssh_server.connection(hostKey=None)
    for _ in range(2):
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))
    warnings = [m for m in plugin.engine.messages if "is not verified" in m]
    assert len(warnings) == 1
    assert "connection.hostKey" in warnings[0]


@pytest.mark.stand_in
def test_a_refused_key_is_one_sentence_without_a_retry(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    other = (ssh_server.home.parent / "other").read_text()
    connection = ssh_server.connection(privateKey=other, dialErrorLimit=-1)
    with pytest.raises(RefusedError) as caught:
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))
    message = caught.value.message
    assert message.startswith(f"127.0.0.1:{ssh_server.port} refused the private key of the user")
    assert "connection.privateKey" in message
    assert "PRIVATE KEY" not in message


@pytest.mark.stand_in
@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_an_unreadable_private_key_names_the_input(
    plugin: Plugin, ssh_server: SshServer, text: str
) -> None:
    connection = ssh_server.connection(privateKey=text)
    with pytest.raises(
        RefusedError, match=r"connection\.privateKey for 127\.0\.0\.1 cannot be read"
    ):
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))


@pytest.mark.stand_in
def test_an_unreachable_host_is_tried_as_often_as_asked(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    port = free_port()
    connection = ssh_server.connection(port=port, dialErrorLimit=2)
    with pytest.raises(RefusedError) as caught:
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))
    assert caught.value.message.startswith(
        f"127.0.0.1:{port} cannot be reached over SSH (3 tries, the last one:"
    )
    retries = [m for m in plugin.engine.messages if f"127.0.0.1:{port}" in m]
    assert len(retries) == 2


def test_a_bastion_is_passed(plugin: Plugin, ssh_server: SshServer) -> None:
    connection = ssh_server.connection(proxy=ssh_server.connection())
    _, state = plugin.create(REMOTE, _inputs(ssh_server, "echo $SSH_CLIENT", connection=connection))
    assert state["stdout"].startswith("127.0.0.1 ")


@pytest.mark.stand_in
def test_an_unreachable_bastion_is_named(plugin: Plugin, ssh_server: SshServer) -> None:
    port = free_port()
    proxy = ssh_server.connection(port=port, dialErrorLimit=0)
    connection = ssh_server.connection(proxy=proxy)
    with pytest.raises(RefusedError, match=f"127.0.0.1:{port} cannot be reached"):
        plugin.create(REMOTE, _inputs(ssh_server, "true", connection=connection))


def test_many_commands_at_a_time_on_one_host_all_succeed(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    # More dials than an sshd takes before it starts to drop unauthenticated ones.
    calls = [
        plugin.in_background(plugin.create, REMOTE, _inputs(ssh_server, f"sleep 0.2; echo {n}"))
        for n in range(24)
    ]
    assert [call.result()[1]["stdout"] for call in calls] == [str(n) for n in range(24)]


def test_a_server_that_comes_up_late_is_reached(
    plugin: Plugin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("late")
    with running_ssh_server(folder / "first") as server:
        port, connection = server.port, server.connection(dialErrorLimit=20)
        inputs = {"create": "echo up", "connection": secret(connection)}
    call = plugin.in_background(plugin.create, REMOTE, inputs)
    wait_until(lambda: any(f"127.0.0.1:{port} failed" in m for m in plugin.engine.messages))
    # The same keys on the same port: what a rebooting host looks like.
    with running_ssh_server(folder / "first", port=port):
        assert call.result()[1]["stdout"] == "up"


@pytest.mark.stand_in
def test_secrets_of_the_inputs_are_not_in_error_or_log(
    plugin: Plugin, ssh_server: SshServer
) -> None:
    inputs = _inputs(ssh_server, "cat; cat >&2; exit 1", stdin=secret("hunter2-hunter2"))
    with pytest.raises(RefusedError) as caught:
        plugin.create(REMOTE, inputs)
    assert "hunter2" not in caught.value.message
    assert "[secret]" in caught.value.message
    assert not [m for m in plugin.engine.messages if "hunter2" in m]
