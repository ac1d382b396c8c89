"""command:remote:CopyToRemote and CopyFile over a real sshd: path rules, updates, errors, size."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.standins.command.engine import (
    Plugin,
    RefusedError,
    archive,
    file_asset,
    secret,
    text_asset,
)
from tests.standins.command.ssh_server import SshServer

COPY = "command:remote:CopyToRemote"
COPY_FILE = "command:remote:CopyFile"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A source tree: one.txt and sub/two.txt."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "one.txt").write_text("one")
    (source / "sub" / "two.txt").write_text("two")
    return source


def _inputs(server: SshServer, source: object, remote: Path | str) -> dict[str, object]:
    return {
        "connection": secret(server.connection()),
        "source": source,
        "remotePath": str(remote),
    }


def test_a_file_goes_to_a_new_path_with_its_parents(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a" / "b" / "file"
    name, state = plugin.create(
        COPY, _inputs(ssh_server, file_asset(local / "one.txt", "h"), target)
    )
    assert target.read_text() == "one"
    assert re.fullmatch(r"[0-9a-f]{8}", name)
    assert state["source"] == file_asset(local / "one.txt", "h")


def test_a_file_goes_into_a_directory_and_over_a_file(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    target = tmp_path / "dir"
    target.mkdir()
    (target / "one.txt").write_text("something longer")
    for remote in (target, target / "one.txt"):
        plugin.create(COPY, _inputs(ssh_server, file_asset(local / "one.txt", "h"), remote))
        assert (target / "one.txt").read_text() == "one"


def test_a_text_goes_to_a_file_but_not_to_a_directory(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path
) -> None:
    plugin.create(COPY, _inputs(ssh_server, text_asset("grüße\n", "h"), tmp_path / "x" / "t"))
    assert (tmp_path / "x" / "t").read_text() == "grüße\n"
    with pytest.raises(RefusedError, match="is a directory"):
        plugin.create(COPY, _inputs(ssh_server, text_asset("text", "h"), tmp_path / "x"))


def test_an_empty_text_makes_an_empty_file(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path
) -> None:
    source = text_asset("", "e3b0c442")
    del source["text"]  # this is how the engine sends it
    plugin.create(COPY, _inputs(ssh_server, source, tmp_path / "empty"))
    assert (tmp_path / "empty").read_text() == ""


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(("ending", "below"), [("", "source/"), ("/", "")])
def test_a_directory_follows_the_trailing_slash(
    request: pytest.FixtureRequest, exists: bool, ending: str, below: str
) -> None:
    plugin: Plugin = request.getfixturevalue("plugin")
    server: SshServer = request.getfixturevalue("ssh_server")
    local: Path = request.getfixturevalue("local")
    target = local.parent / "target"
    if exists:
        target.mkdir()
    plugin.create(COPY, _inputs(server, archive(f"{local}{ending}", "h"), target))
    found = {p.relative_to(target).as_posix(): p.read_text() for p in target.rglob("*.txt")}
    assert found == {f"{below}one.txt": "one", f"{below}sub/two.txt": "two"}


def test_a_directory_does_not_replace_a_file(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RefusedError):
        plugin.create(COPY, _inputs(ssh_server, archive(str(local), "h"), tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "kept"


def test_update_copies_only_new_content_or_a_new_path(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    inputs = _inputs(ssh_server, file_asset(local / "one.txt", "hash-1"), target)
    _, state = plugin.create(COPY, inputs)
    target.write_text("edited by hand")
    other = {**inputs, "connection": secret(ssh_server.connection(perDialTimeout=9))}
    assert plugin.update(COPY, state, other)["connection"] == other["connection"]
    assert target.read_text() == "edited by hand"
    (local / "one.txt").write_text("new")
    plugin.update(COPY, state, {**inputs, "source": file_asset(local / "one.txt", "hash-2")})
    assert target.read_text() == "new"
    plugin.update(COPY, state, {**inputs, "remotePath": str(tmp_path / "copy-2")})
    assert (tmp_path / "copy-2").read_text() == "new"


def test_nothing_is_copied_in_a_preview_and_nothing_is_deleted(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    inputs = _inputs(ssh_server, file_asset(local / "one.txt", "h"), tmp_path / "copy")
    assert plugin.create(COPY, inputs, preview=True)[0] == ""
    assert not (tmp_path / "copy").exists()
    _, state = plugin.create(COPY, inputs)
    plugin.delete(COPY, state)
    assert (tmp_path / "copy").exists()


@pytest.mark.stand_in
def test_errors_name_the_path_and_the_cure(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match=r"the source /nowhere/x does not exist here"):
        plugin.create(COPY, _inputs(ssh_server, file_asset("/nowhere/x", "h"), tmp_path / "c"))
    source = file_asset(local / "one.txt", "h")
    with pytest.raises(
        RefusedError, match=r"/dev/full cannot be written on the host: .*free space"
    ):
        plugin.create(COPY, _inputs(ssh_server, source, "/dev/full"))
    with pytest.raises(RefusedError, match="is a file, but must be a directory"):
        plugin.create(COPY, _inputs(ssh_server, source, local / "one.txt" / "below" / "it"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            {
                "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17",
                "uri": "https://x",
            },
            "asset",
        ),
        (
            {"4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7", "assets": {}},
            "archive",
        ),
    ],
)
def test_check_refuses_sources_that_cannot_be_copied(
    plugin: Plugin, ssh_server: SshServer, source: object, reason: str
) -> None:
    _, failures = plugin.check(COPY, _inputs(ssh_server, source, "/x"))
    assert len(failures) == 1
    assert reason in next(iter(failures.values()))


def test_copy_file_writes_exactly_that_path(
    plugin: Plugin, ssh_server: SshServer, local: Path, tmp_path: Path
) -> None:
    inputs = {
        "connection": secret(ssh_server.connection()),
        "localPath": str(local / "one.txt"),
        "remotePath": str(tmp_path / "exactly"),
    }
    _, state = plugin.create(COPY_FILE, inputs)
    assert (tmp_path / "exactly").read_text() == "one"
    assert state["localPath"] == str(local / "one.txt")


def test_copy_file_cannot_update(plugin: Plugin, ssh_server: SshServer) -> None:
    old = {"connection": secret(ssh_server.connection()), "localPath": "/a", "remotePath": "/b"}
    answer = plugin.diff(COPY_FILE, old, {**old, "remotePath": "/c"})
    assert list(answer.replaces) == ["remotePath"]
    assert plugin.detailed(COPY_FILE, old, {**old, "remotePath": "/c"}) == {
        "remotePath": "UPDATE_REPLACE"
    }


def test_a_hundred_megabytes_arrive_whole(
    plugin: Plugin, ssh_server: SshServer, tmp_path: Path
) -> None:
    block = hashlib.sha256(b"seed").digest() * 32768
    source = tmp_path / "large"
    with source.open("wb") as file:
        for _ in range(100):
            file.write(block)
    plugin.create(COPY, _inputs(ssh_server, file_asset(source, "h"), tmp_path / "arrived"))
    with source.open("rb") as sent, (tmp_path / "arrived").open("rb") as arrived:
        digests = [hashlib.file_digest(file, "sha256").hexdigest() for file in (sent, arrived)]
    assert digests[0] == digests[1]
