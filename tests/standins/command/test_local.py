"""command:local:Command and command:local:run: what runs when, and what comes of it."""

import hashlib
import re
import threading
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.standins.command.engine import UNKNOWN, Plugin, RefusedError, secret, urn, wait_until

LOCAL = "command:local:Command"
RUN = "command:local:run"


def test_create_gives_both_streams_without_the_last_newline(plugin: Plugin) -> None:
    name, state = plugin.create(LOCAL, {"create": "echo one; echo; echo two; echo bad >&2"})
    assert re.fullmatch(r"it[0-9a-f]{8}", name)
    assert (state["stdout"], state["stderr"]) == ("one\n\ntwo", "bad")


def test_only_one_newline_is_taken_off(plugin: Plugin) -> None:
    assert plugin.create(LOCAL, {"create": r"printf 'a\n\n'"})[1]["stdout"] == "a\n"


def test_a_resource_without_create_has_empty_outputs(plugin: Plugin) -> None:
    _, state = plugin.create(LOCAL, {"delete": "exit 1"})
    assert state == {"delete": "exit 1", "stdout": "", "stderr": ""}


@pytest.mark.parametrize("call", ["create", "update"])
def test_nothing_runs_in_a_preview_and_outputs_are_unknown(
    plugin: Plugin, tmp_path: Path, call: str
) -> None:
    inputs = {"create": f"touch {tmp_path}/ran", "update": f"touch {tmp_path}/ran"}
    if call == "create":
        state = plugin.create(LOCAL, inputs, preview=True)[1]
    else:
        old = {"create": "true", "stdout": "old", "stderr": ""}
        state = plugin.update(LOCAL, old, inputs, preview=True)
    assert state == {**inputs, "stdout": UNKNOWN, "stderr": UNKNOWN}
    assert not (tmp_path / "ran").exists()


def test_update_prefers_its_own_command(plugin: Plugin) -> None:
    inputs = {"create": "echo created", "update": "echo updated"}
    assert plugin.update(LOCAL, {**inputs, "stdout": "x"}, inputs)["stdout"] == "updated"
    del inputs["update"]
    assert plugin.update(LOCAL, {**inputs, "stdout": "x"}, inputs)["stdout"] == "created"


def test_update_without_any_command_keeps_the_output(plugin: Plugin) -> None:
    state = plugin.update(LOCAL, {"stdout": "kept", "stderr": ""}, {"delete": "true"})
    assert state == {"delete": "true", "stdout": "kept", "stderr": ""}


def test_the_last_output_is_in_the_environment_unless_switched_off(plugin: Plugin) -> None:
    show = "echo out=$PULUMI_COMMAND_STDOUT err=$PULUMI_COMMAND_STDERR"
    old = {"create": "true", "stdout": "a", "stderr": "b"}
    assert plugin.update(LOCAL, old, {"create": show})["stdout"] == "out=a err=b"
    switched_off = {"create": show, "addPreviousOutputInEnv": False}
    assert plugin.update(LOCAL, old, switched_off)["stdout"] == "out= err="


def test_delete_runs_from_the_state_and_only_if_given(plugin: Plugin, tmp_path: Path) -> None:
    command = f"echo $PULUMI_COMMAND_STDOUT-$V > {tmp_path}/gone"
    state = {"delete": command, "environment": {"V": "1"}, "stdout": "was", "stderr": ""}
    plugin.delete(LOCAL, state)
    assert (tmp_path / "gone").read_text() == "was-1\n"
    plugin.delete(LOCAL, {"create": "exit 1", "stdout": "", "stderr": ""})


def test_read_gives_the_state_back(plugin: Plugin) -> None:
    request = provider_pb2.ReadRequest(id="it1", urn=urn(LOCAL))
    request.properties.update({"create": "exit 1", "stdout": secret("s")})
    request.inputs.update({"create": "exit 1"})
    answer = plugin.stub.Read(request)
    assert answer.id == "it1"
    assert answer.properties == request.properties
    assert answer.inputs == request.inputs


def test_environment_is_added_to_the_plugins_own(plugin: Plugin) -> None:
    inputs = {"create": 'echo "$V" ${PATH:+path}', "environment": {"V": "a b"}}
    assert plugin.create(LOCAL, inputs)[1]["stdout"] == "a b path"


def test_stdin_reaches_the_command(plugin: Plugin) -> None:
    inputs = {"create": "cat; echo; wc -c", "stdin": "héllo"}
    assert plugin.create(LOCAL, inputs)[1]["stdout"] == "héllo\n0"


def test_a_command_may_leave_its_stdin_unread(plugin: Plugin) -> None:
    inputs = {"create": "echo done", "stdin": "x" * 2_000_000}
    assert plugin.create(LOCAL, inputs)[1]["stdout"] == "done"


def test_without_stdin_there_is_none(plugin: Plugin) -> None:
    assert plugin.create(LOCAL, {"create": "cat; echo end"})[1]["stdout"] == "end"


def test_dir_and_interpreter(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.create(LOCAL, {"create": "pwd", "dir": str(tmp_path)})[1]["stdout"] == str(
        tmp_path
    )
    inputs = {"create": "print(6 * 7)", "interpreter": ["python3", "-c"]}
    assert plugin.create(LOCAL, inputs)[1]["stdout"] == "42"


def test_without_dir_a_command_runs_where_the_program_is(plugin: Plugin) -> None:
    expected = Path(f"/proc/{plugin.process.pid}/cwd").resolve()
    assert plugin.create(LOCAL, {"create": "pwd"})[1]["stdout"] == str(expected)


@pytest.mark.parametrize(
    ("logging", "shown"),
    [
        (None, {"to-out", "to-err"}),
        ("stdoutAndStderr", {"to-out", "to-err"}),
        ("stdout", {"to-out"}),
        ("stderr", {"to-err"}),
        ("none", set()),
    ],
)
def test_logging_chooses_the_streams_shown(
    plugin: Plugin, logging: str | None, shown: set[str]
) -> None:
    before = len(plugin.engine.logged)
    inputs = {"create": "echo to-out; echo to-err >&2"}
    state = plugin.create(LOCAL, inputs if logging is None else {**inputs, "logging": logging})[1]
    assert (state["stdout"], state["stderr"]) == ("to-out", "to-err")
    logged = plugin.engine.logged[before:]
    assert {message for _, message, _ in logged} == shown
    assert all(ephemeral for _, _, ephemeral in logged)


def test_lines_are_shown_while_the_command_runs(plugin: Plugin, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"echo first-line; until [ -e {go} ]; do sleep 0.05; done; echo last-line"
    running = plugin.in_background(plugin.create, LOCAL, {"create": command})
    wait_until(lambda: "first-line" in plugin.engine.messages)
    assert not running.done()
    go.touch()
    assert running.result()[1]["stdout"] == "first-line\nlast-line"


def test_bytes_that_are_no_text_do_not_fail_a_command(plugin: Plugin) -> None:
    assert plugin.create(LOCAL, {"create": r"printf 'a\377b'"})[1]["stdout"] == "a\ufffdb"


def test_secret_inputs_are_secret_in_the_state_and_outputs_are_not(plugin: Plugin) -> None:
    inputs = {"create": secret("cat | wc -c"), "stdin": secret("s3cret"), "logging": "none"}
    _, state = plugin.create(LOCAL, inputs)
    assert state == {**inputs, "stdout": "6", "stderr": ""}


@pytest.mark.stand_in
def test_a_failing_command_gives_status_and_output_but_not_its_text(plugin: Plugin) -> None:
    with pytest.raises(RefusedError) as caught:
        plugin.create(LOCAL, {"create": "echo out; echo bad >&2; : hidden; exit 3"})
    assert caught.value.message == (
        "exit status 3: the create command failed; the end of its output:\nout\nbad\n"
    )
    with pytest.raises(
        RefusedError, match=r"^signal 9: the delete command failed; it printed nothing$"
    ):
        plugin.delete(LOCAL, {"delete": "kill -9 $$", "stdout": "", "stderr": ""})


@pytest.mark.stand_in
def test_secrets_of_the_inputs_are_not_in_error_or_log(plugin: Plugin) -> None:
    inputs = {
        "create": "cat; echo; echo token=$TOKEN >&2; exit 1",
        "stdin": secret("first-secret-line\nsecond-secret-line"),
        "environment": {"TOKEN": secret("t0ken")},
    }
    before = len(plugin.engine.messages)
    with pytest.raises(RefusedError) as caught:
        plugin.create(LOCAL, inputs)
    for text in [caught.value.message, *plugin.engine.messages[before:]]:
        assert "secret-line" not in text
        assert "t0ken" not in text
    assert "token=[secret]" in plugin.engine.messages[before:]


@pytest.mark.stand_in
@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"dir": "/nowhere/at/all"}, r"its `dir` /nowhere/at/all is not a directory here"),
        ({"interpreter": ["no-such-shell", "-c"]}, r"the interpreter no-such-shell was not found"),
        ({"environment": {"LONG": "x" * 200_000}}, r"too long; pass the data through `stdin`"),
        ({"environment": {"A=B": "x"}}, r"an invalid name"),
        ({"create": "echo a\0b"}, r"a NUL character"),
    ],
)
def test_what_cannot_start_says_why(
    plugin: Plugin, inputs: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RefusedError, match=f"^the create command cannot start: .*{sentence}"):
        plugin.create(LOCAL, {"create": "true", **inputs})


def test_many_commands_run_at_the_same_time(plugin: Plugin) -> None:
    # Each waits for all of them: in turn they would never end.
    count = 40
    folder = plugin.create(LOCAL, {"create": "mktemp -d"})[1]["stdout"]
    all_there = f"[ $(ls {folder} | wc -l) -ge {count} ]"
    command = f"mktemp {folder}/XXXX >/dev/null; until {all_there}; do sleep 0.1; done; echo met"
    calls = [plugin.in_background(plugin.create, LOCAL, {"create": command}) for _ in range(count)]
    assert [call.result()[1]["stdout"] for call in calls] == ["met"] * count


def test_a_process_left_in_the_background_lives_on(plugin: Plugin, tmp_path: Path) -> None:
    mark = tmp_path / "later"
    plugin.create(LOCAL, {"create": f"(sleep 0.3; touch {mark}) >/dev/null 2>&1 &"})
    threading.Event().wait(0.05)
    wait_until(mark.exists)


def test_asset_and_archive_paths_are_outputs(plugin: Plugin, tmp_path: Path) -> None:
    inputs = {
        "create": "mkdir -p src; echo js > src/a.js; echo no > src/secret.js; echo t > top.txt",
        "dir": str(tmp_path),
        "assetPaths": ["src/**.js", "!**secret.*"],
        "archivePaths": ["*.txt"],
    }
    _, state = plugin.create(LOCAL, inputs)
    assert list(state["assets"]) == ["src/a.js"]
    asset = state["assets"]["src/a.js"]
    assert asset["path"] == f"{tmp_path}/src/a.js"
    assert asset["hash"] == hashlib.sha256(b"js\n").hexdigest()
    assert list(state["archive"]["assets"]) == ["top.txt"]


def test_the_function_run_always_runs(plugin: Plugin) -> None:
    answer = plugin.invoke(RUN, {"command": "cat", "stdin": "in", "logging": "none"})
    assert answer == {
        "command": "cat",
        "stdin": "in",
        "logging": "none",
        "stdout": "in",
        "stderr": "",
    }


def test_the_function_run_fails_with_its_command(plugin: Plugin) -> None:
    with pytest.raises(RefusedError, match="exit status 4"):
        plugin.invoke(RUN, {"command": "exit 4"})
