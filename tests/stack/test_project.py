"""Where a project's state, locks and trust file are."""

import json
from pathlib import Path

import pytest

from stack import trust
from stack.errors import StackError
from stack.project import Project, backend_directory, load


def write(directory: Path, text: str) -> Path:
    (directory / "Pulumi.yaml").write_text(text)
    return directory


def test_the_environment_names_the_backend_before_the_project(tmp_path: Path) -> None:
    write(tmp_path, "name: backstop\nruntime: python\nbackend:\n  url: file://~/state\n")
    assert load(tmp_path, {}, tmp_path).backend == "file://~/state"
    chosen = load(tmp_path, {"PULUMI_BACKEND_URL": "file:///srv/state"}, tmp_path)
    assert chosen.backend == "file:///srv/state"


def test_the_backend_of_the_login_is_the_last_resort(tmp_path: Path) -> None:
    write(tmp_path, "name: backstop\n")
    home = tmp_path / "home"
    (home / ".pulumi").mkdir(parents=True)
    content = {"current": "file:///srv/state"}
    (home / ".pulumi" / "credentials.json").write_text(json.dumps(content))
    assert load(tmp_path, {}, home).backend == "file:///srv/state"


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no Pulumi.yaml"), ("runtime: python\n", "no `name`"), ("a: [", "no valid YAML")],
)
def test_a_folder_without_a_project_is_one_sentence(
    tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        write(tmp_path, text)
    with pytest.raises(StackError, match=words) as caught:
        load(tmp_path, {}, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///srv/state", "/srv/state"),
        ("file:///srv/my%20state?no_tmp_dir=true", "/srv/my state"),
        ("file://./state", "/project/state"),
        ("s3://bucket", None),
        ("", None),
    ],
)
def test_only_file_backends_have_a_folder(url: str, expected: str | None) -> None:
    found = backend_directory(url, Path("/project"))
    assert found == (Path(expected) if expected else None)


def test_locks_are_under_project_and_stack() -> None:
    project = Project("backstop", Path("/project"), "file:///srv")
    expected = Path("/srv/.pulumi/locks/organization/backstop/dev")
    assert project.lock_directory("dev") == expected
    assert project.lock_directory("organization/backstop/dev") == expected
    assert Project("backstop", Path("/project"), "s3://state").lock_directory("dev") is None


def test_the_site_is_configured_or_named_as_the_stack(tmp_path: Path) -> None:
    project = Project("backstop", tmp_path, "")
    assert project.site("dev") == "dev"
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  backstop:site: berlin\n")
    assert project.site("organization/backstop/dev") == "berlin"


def test_the_trust_file_is_written_once_and_replaced_whole(tmp_path: Path) -> None:
    file = trust.ca_file(tmp_path, "organization/backstop/dev")
    assert file == tmp_path / ".backstop" / "trust" / "dev-store-ca.pem"
    assert trust.write(file, "one") is True
    assert trust.write(file, "one") is False
    assert trust.write(file, "two") is True
    assert [p.name for p in file.parent.iterdir()] == ["dev-store-ca.pem"]
    assert file.read_text() == "two"
