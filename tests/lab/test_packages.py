"""What the system lacks is installed on Debian-like systems and one sentence elsewhere."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import packages
from lab.errors import LabError

FEDORA = "ID=fedora\nVERSION_ID=44\n"
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
UBUNTU = "ID=ubuntu\nID_LIKE=debian\n"
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'


def everything(name: str) -> str:
    return f"/usr/bin/{name}"


def nothing(_name: str) -> None:
    return None


def without(*absent: str) -> Callable[[str], str | None]:
    return lambda name: None if name in absent else f"/usr/bin/{name}"


def on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, os_release: str) -> None:
    (tmp_path / "os-release").write_text(os_release, encoding="utf-8")
    (tmp_path / "keyring").touch()
    monkeypatch.setattr(packages, "OS_RELEASE", tmp_path / "os-release")
    monkeypatch.setattr(packages, "KEYRING", tmp_path / "keyring")


def test_nothing_is_missing_where_everything_is(tmp_path: Path) -> None:
    (tmp_path / "keyring").touch()
    assert packages.missing(everything, tmp_path / "keyring") == {}


def test_each_missing_command_names_its_package(tmp_path: Path) -> None:
    absent = packages.missing(without("debootstrap", "systemd-nspawn"), tmp_path / "keyring")
    assert absent == {
        "debootstrap": "debootstrap",
        "systemd-nspawn": "systemd-container",
        str(tmp_path / "keyring"): "debian-archive-keyring",
    }


@pytest.mark.parametrize("text", [DEBIAN, UBUNTU, MINT])
def test_relatives_of_debian_are_known(text: str) -> None:
    assert packages.is_debian_like(text, everything)
    assert not packages.is_debian_like(text, nothing)


@pytest.mark.parametrize("text", [FEDORA, "", "ID=notdebian\n", "garbage"])
def test_others_are_not(text: str) -> None:
    assert not packages.is_debian_like(text, everything)


def test_elsewhere_what_is_missing_is_one_sentence_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(monkeypatch, tmp_path, FEDORA)
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: pytest.fail("a command was run"))
    with pytest.raises(LabError) as caught:
        packages.prepare(without("debootstrap", "unshare"))
    assert str(caught.value) == (
        "the lab needs debootstrap, unshare (in Debian: debootstrap, util-linux): install that "
        "with this system's package manager and run the command again"
    )


def test_elsewhere_xfs_is_only_nice_to_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(monkeypatch, tmp_path, FEDORA)
    monkeypatch.setattr(packages, "missing", lambda _which: {})
    packages.prepare(without("mkfs.xfs"))
    assert "drives will be ext4" in capsys.readouterr().err


def test_debian_gets_exactly_what_is_missing_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(monkeypatch, tmp_path, DEBIAN)
    commands: list[list[str]] = []

    def run(command: list[str], **_options: object) -> "subprocess.CompletedProcess[str]":
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages.subprocess, "run", run)
    monkeypatch.setattr(packages, "missing", lambda _which: {"ip": "iproute2"})
    monkeypatch.setattr(packages.shutil, "which", everything)
    monkeypatch.setattr(packages, "is_debian_like", lambda _text: True)
    packages.prepare(without("mkfs.xfs"))
    assert [command[-2:] for command in commands] == [
        ["DPkg::Lock::Timeout=300", "update"],
        ["iproute2", "xfsprogs"],
    ]
    told = capsys.readouterr().err
    assert told == "installing from the system's packages: iproute2, xfsprogs\n"


def test_a_failing_apt_get_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess(["apt-get"], 100, "", "W: old\nE: Unable to locate x\n")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "is_debian_like", lambda _text: True)
    monkeypatch.setattr(packages.subprocess, "run", lambda *_a, **_k: answer)
    with pytest.raises(LabError, match=r"apt-get update failed \(Unable to locate x\)"):
        packages.install(["x"], "x")


def test_without_root_the_sentence_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match=r"needs root: run `sudo -E python3 -m lab up`"):
        packages.require_root(1000, "up")
    packages.require_root(0, "up")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages, "is_debian_like", lambda _text: True)
    with pytest.raises(LabError, match="run `sudo apt-get install python3-venv`"):
        packages.install(["python3-venv"], "python3's venv module")


def test_administration_folders_are_added_once_and_last() -> None:
    assert packages.with_system_folders("/bin:/sbin") == "/bin:/sbin:/usr/local/sbin:/usr/sbin"
