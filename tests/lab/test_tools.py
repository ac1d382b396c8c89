"""Tools appear whole or not at all, are built once, and one on PATH in the right version wins."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import tools
from lab.errors import LabError
from tests.lab import fake_checkout
from tests.lab.fake_checkout import FakeCheckout

SECONDS = 30.0


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCheckout:
    made = fake_checkout.make(tmp_path)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not within {SECONDS:.0f} s: {what}"
        time.sleep(0.02)


def put_on_path(checkout: FakeCheckout, says: str) -> Path:
    program = checkout.root.parent / "bin" / "thing"
    program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_nothing_is_found_before_the_build_and_find_never_builds(checkout: FakeCheckout) -> None:
    assert tools.find("thing", checkout.root) is None
    assert checkout.builds == []


def test_a_build_is_stored_found_and_not_repeated(checkout: FakeCheckout) -> None:
    built = tools.ensure(["thing"], checkout.root)["thing"]
    assert subprocess.check_output([built], text=True) == "thing v1.2.3\n"
    assert tools.find("thing", checkout.root) == built
    assert tools.ensure(["thing"], checkout.root) == {"thing": built}
    assert len(checkout.builds) == 1


def test_the_build_uses_its_own_cache_and_gives_it_back(checkout: FakeCheckout) -> None:
    tools.ensure(["thing"], checkout.root)
    settings = [build.split(" ", 1)[1] for build in checkout.builds]
    assert settings == [f"{checkout.cache}/go-build 0 local"]
    assert not (checkout.cache / "go-build").exists()


def test_a_tool_on_path_in_the_right_version_wins(checkout: FakeCheckout) -> None:
    program = put_on_path(checkout, "thing v1.2.3")
    assert tools.find("thing", checkout.root) == program
    assert tools.ensure(["thing"], checkout.root) == {"thing": program}
    assert checkout.builds == []


@pytest.mark.parametrize("says", ["thing v1.2.30", "thing v1.2.3.1", "thing xv1.2.3", ""])
def test_a_tool_on_path_in_another_version_does_not(checkout: FakeCheckout, says: str) -> None:
    program = put_on_path(checkout, says)
    assert tools.find("thing", checkout.root) is None
    assert tools.ensure(["thing"], checkout.root)["thing"] != program


def test_a_changed_pin_is_another_tool(checkout: FakeCheckout) -> None:
    first = tools.ensure(["thing"], checkout.root)["thing"]
    go_sum = checkout.root / "lab" / "wrappers" / "thing" / "go.sum"
    go_sum.write_text("example.org/other v1.0.0 h1:x\n", encoding="utf-8")
    second = tools.ensure(["thing"], checkout.root)["thing"]
    assert first != second
    assert first.exists()


def test_two_runs_that_meet_build_once_and_the_second_says_that_it_waits(
    checkout: FakeCheckout, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    first = checkout.start(FAKE_GO_WAIT=str(gate))
    wait_until(lambda: len(checkout.builds) == 1, "the first build has begun")
    second = checkout.start()
    # The second one is at the lock once it has said so.
    assert second.stderr is not None
    heard = [second.stderr.readline(), second.stderr.readline()]
    gate.unlink()
    outputs = [first.communicate(timeout=SECONDS), second.communicate(timeout=SECONDS)]
    assert "thing: another run is building it; waiting" in "".join(heard)
    assert [first.returncode, second.returncode] == [0, 0]
    assert outputs[0][0] == outputs[1][0] == f"{checkout.stored[0]}\n"
    assert len(checkout.builds) == 1


def test_a_killed_run_leaves_no_half_tool_and_the_next_one_waits_for_its_orphan(
    checkout: FakeCheckout, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    first = checkout.start(FAKE_GO_WAIT=str(gate))
    wait_until(lambda: len(checkout.builds) == 1, "the first build has begun")
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=SECONDS)
    assert checkout.stored == []
    assert tools.find("thing", checkout.root) is None
    second = checkout.start()
    assert second.stderr is not None
    second.stderr.readline()
    assert "waiting" in second.stderr.readline()
    assert len(checkout.builds) == 1
    gate.unlink()
    second.communicate(timeout=SECONDS)
    assert second.returncode == 0
    assert len(checkout.builds) == 2
    assert subprocess.check_output([checkout.stored[0]], text=True) == "thing v1.2.3\n"
    assert list(checkout.cache.glob("tools/.partial-*")) == []


def test_a_stop_request_ends_the_build_too(checkout: FakeCheckout, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    run = checkout.start(FAKE_GO_WAIT=str(gate))
    wait_until(lambda: len(checkout.builds) == 1, "the build has begun")
    compiler = Path("/proc", checkout.builds[0].split()[0])
    assert compiler.exists()
    run.terminate()
    run.communicate(timeout=SECONDS)
    wait_until(lambda: not compiler.exists(), "the build has ended")
    assert checkout.stored == []


def test_a_stop_request_meets_a_build_that_is_just_being_started(
    checkout: FakeCheckout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    monkeypatch.setenv("FAKE_GO_WAIT", str(gate))
    begun: list[tools._Builds] = []
    all_of, popen = tools._Builds.all, subprocess.Popen

    def remembered(builds: tools._Builds, *arguments: Any) -> None:
        begun.append(builds)
        all_of(builds, *arguments)

    def stopped_while_it_starts(command: list[str], **kwargs: Any) -> Any:
        process = popen(command, **kwargs)
        if threading.current_thread() is not threading.main_thread():
            wait_until(lambda: len(checkout.builds) == 1, "the build has begun")
            begun[0]._stop()
        return process

    monkeypatch.setattr(tools._Builds, "all", remembered)
    monkeypatch.setattr(tools.subprocess, "Popen", stopped_while_it_starts)
    with pytest.raises(LabError, match="thing did not build"):
        tools.ensure(["thing"], checkout.root)
    compiler = Path("/proc", checkout.builds[0].split()[0])
    wait_until(lambda: not compiler.exists(), "the build has ended")
    assert checkout.stored == []


def test_a_failed_build_is_one_sentence_with_the_reason_and_the_log(
    checkout: FakeCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "thing.go:3: undefined: frobnicate")
    with pytest.raises(LabError) as caught:
        tools.ensure(["thing"], checkout.root)
    assert "thing did not build (thing.go:3: undefined: frobnicate)" in str(caught.value)
    log = checkout.cache / "tools" / "thing.log"
    assert str(log) in str(caught.value)
    assert log.exists()
    assert checkout.stored == []


def test_a_build_that_does_not_say_its_version_is_not_stored(checkout: FakeCheckout) -> None:
    versions = checkout.root / "versions.toml"
    text = versions.read_text(encoding="utf-8")
    versions.write_text(text.replace('output = "v1.2.3"', 'output = "v1.2.4"'), encoding="utf-8")
    with pytest.raises(LabError, match=r"does not say 'v1\.2\.4'.*\[tools\.thing\]"):
        tools.ensure(["thing"], checkout.root)
    assert checkout.stored == []


def test_too_little_space_is_one_sentence_before_anything_starts(
    checkout: FakeCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabError) as caught:
        tools.check_space({"thing": "one", "other": "two"}, checkout.cache, 1024**3)
    assert str(caught.value) == (
        f"building thing, other needs about 6 GiB free and {checkout.cache} has 1.0: "
        "free some space, or set BACKSTOP_CACHE to a larger disk"
    )
    monkeypatch.setattr(tools, "BUILD_BYTES", 2**70)
    with pytest.raises(LabError, match="free some space"):
        tools.ensure(["thing"], checkout.root)
    assert checkout.builds == []


@pytest.mark.parametrize(("cpus", "jobs"), [(1, 1), (2, 1), (4, 2), (64, 2)])
def test_two_builds_at_once_only_where_cores_would_idle(cpus: int, jobs: int) -> None:
    assert tools.jobs(cpus) == jobs
