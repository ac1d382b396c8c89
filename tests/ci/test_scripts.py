"""The scripts behind the workflows: bad calls end in one sentence, comments replace each other."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "ci"
SCRIPTS = sorted(CI.glob("*.sh"))
PATH_WITHOUT_TOOLS = "/usr/bin:/bin"

# Stands in for GitHub's command line: notes each call, answers the search for earlier comments.
FAKE_GH = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
for argument; do
  case $argument in body=@*) cp "${argument#body=@}" "$CALLS.body" ;; esac
done
case $* in *--jq*) [ -z "$EARLIER" ] || echo "$EARLIER" ;; esac
"""


def _run(name: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(CI / name), *arguments],
        env={"PATH": PATH_WITHOUT_TOOLS, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_plain_sh_that_stops_at_the_first_error(script: Path) -> None:
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "set -eu" in lines
    assert subprocess.run(["/bin/sh", "-n", str(script)], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ([], {}, "name one stack, as in: sh ci/preview.sh dev"),
        (["dev", "edge"], {}, "name one stack, as in: sh ci/preview.sh dev"),
        (
            ["nowhere"],
            {},
            "there is no Pulumi.nowhere.yaml: name a stack that has a file of its own",
        ),
        (["a/b"], {}, "there is no Pulumi.a/b.yaml: name a stack that has a file of its own"),
        (
            ["dev"],
            {"BACKSTOP_INVENTORY": "/dev/null"},
            'pulumi is not on PATH: install it, or run: eval "$(python3 -m lab env)"',
        ),
    ],
)
def test_a_bad_call_of_preview_is_one_sentence(
    arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    done = _run("preview.sh", *arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ci/preview.sh: {sentence}\n"


def _executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_preview_asks_for_the_passphrase_before_anything_runs(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    _executable(tmp_path / "pulumi", f"#!/bin/sh\ntouch {ran}\n")
    done = _run(
        "preview.sh",
        "dev",
        PATH=f"{tmp_path}:{PATH_WITHOUT_TOOLS}",
        BACKSTOP_INVENTORY="/dev/null",
    )
    assert done.returncode == 2
    assert "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE" in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize("code", [0, 4, 5])
def test_preview_of_a_held_stack_keeps_the_engines_exit_code(tmp_path: Path, code: int) -> None:
    calls = tmp_path / "calls"
    _executable(
        tmp_path / "pulumi",
        f'#!/bin/sh\necho "$*" >>{calls}\ncase $* in *preview*) exit {code} ;; esac\n',
    )
    done = _run(
        "preview.sh",
        "dev",
        PATH=f"{tmp_path}:{PATH_WITHOUT_TOOLS}",
        BACKSTOP_INVENTORY="/dev/null",
        PULUMI_BACKEND_URL="file:///held",
        PULUMI_CONFIG_PASSPHRASE="",
    )
    assert done.returncode == code
    preview = calls.read_text().splitlines()[-1]
    assert "preview --stack dev --config-file Pulumi.dev.yaml --policy-pack policies" in preview
    assert "stack init" not in calls.read_text()


def _comment(tmp_path: Path, preview: str, earlier: str = "") -> tuple[list[str], str]:
    _executable(tmp_path / "gh", FAKE_GH)
    (tmp_path / "preview.txt").write_text(preview)
    calls = tmp_path / "calls"
    done = _run(
        "comment.sh",
        "dev",
        "7",
        str(tmp_path / "preview.txt"),
        PATH=f"{tmp_path}:{PATH_WITHOUT_TOOLS}",
        GITHUB_REPOSITORY="owner/name",
        CALLS=str(calls),
        EARLIER=earlier,
    )
    assert done.returncode == 0, done.stderr
    return calls.read_text().splitlines(), (tmp_path / "calls.body").read_text()


def test_the_first_comment_is_posted_and_a_later_one_replaces_it(tmp_path: Path) -> None:
    first, body = _comment(tmp_path, "+ 3 to create\n")
    assert first[-1].startswith("api --method POST repos/owner/name/issues/7/comments ")
    assert body.splitlines()[0] == "<!-- backstop preview of dev -->"
    assert "    + 3 to create" in body.splitlines()
    later, _ = _comment(tmp_path, "no changes\n", earlier="4711")
    assert later[-1].startswith("api --method PATCH repos/owner/name/issues/comments/4711 ")


def test_a_comment_fits_and_cannot_be_broken_out_of(tmp_path: Path) -> None:
    text = "```\n<script>\n" * 20_000 + "the verdict\n"
    _, body = _comment(tmp_path, text)
    assert len(body) < 65_536
    assert "Only the end is shown." in body
    assert body.endswith("    the verdict\n")
    shown = body.split("shown.\n\n", 1)[1].splitlines()
    assert all(line.startswith("    ") for line in shown)


def test_the_search_for_earlier_comments_is_by_the_stacks_own_mark(tmp_path: Path) -> None:
    calls, _ = _comment(tmp_path, "x\n")
    assert json.dumps("<!-- backstop preview of dev -->") in calls[0]


def test_a_bad_call_of_comment_is_one_sentence() -> None:
    done = _run("comment.sh", "dev", "7", os.devnull + "/none")
    assert done.returncode == 2
    assert done.stderr.startswith("ci/comment.sh: name a stack, a pull request's number")
