"""Versions of Longhorn: what may be installed, what may run, what goes with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.longhorn import releases


@pytest.mark.parametrize("version", ["1.12.1", "v1.12.2", "1.11.3", "1.13.0", "2.0.0"])
def test_releases_that_may_be_installed(version: str) -> None:
    assert releases.install_fault(version) is None


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.12.0", "known faults"), ("1.11.2", "known faults"), ("1.10.2", "known faults"),
        ("1.8.2", "known faults"), ("1.12.1-rc1", "pre-release"), ("1.13.0-dev", "pre-release"),
        ("~1.12", "no version"), ("latest", "no version"), ("", "no version"),
    ],
)  # fmt: skip
def test_releases_that_may_not(version: str, said: str) -> None:
    fault = releases.install_fault(version)
    assert fault is not None
    assert said in fault


@pytest.mark.parametrize(
    ("version", "fault", "warning"),
    [
        ("v1.12.1", "", ""),
        ("v1.13.0", "", ""),
        ("v1.12.0", "", "known faults"),
        ("v1.10.2", "", "known faults"),
        ("v1.9.2", "other objects", "known faults"),
        ("v1.12.1-rc2", "pre-release", ""),
        ("master-head", "cannot be read", ""),
    ],
)
def test_the_longhorn_that_runs(version: str, fault: str, warning: str) -> None:
    found = releases.seen_fault(version)
    assert fault in (found or "")
    assert bool(found) == bool(fault)
    warned = releases.seen_warning(version)
    assert warning in (warned or "")
    assert bool(warned) == bool(warning)


@pytest.mark.parametrize(
    ("running", "wanted", "said"),
    [
        ("v1.11.3", "1.12.1", ""), ("v1.12.0", "1.12.1", ""), ("v1.12.1", "1.12.1", ""),
        ("", "1.12.1", ""), ("v1.12.1", "1.11.3", "no way back"),
        ("v1.10.2", "1.12.1", "1.11 first"),
    ],
)  # fmt: skip
def test_one_minor_version_at_a_time_and_no_way_back(running: str, wanted: str, said: str) -> None:
    fault = releases.upgrade_fault(running, wanted)
    assert said in (fault or "")
    assert bool(fault) == bool(said)


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("registry.k8s.io/sig-storage/snapshot-controller:v8.7.0", False),
        ("registry.k8s.io/sig-storage/snapshot-controller:v8.6.0", False),
        ("registry.example:5000/x/snapshot-controller:v8.2.0@sha256:00", True),
        ("registry.k8s.io/sig-storage/snapshot-controller@sha256:00", False),
    ],
)
def test_a_controller_older_than_longhorns_snapshotter_is_a_warning(
    image: str, warned: bool
) -> None:
    assert bool(releases.snapshotter_warning("v1.12.1", iter([image]))) is warned
    assert releases.snapshotter_warning("", iter([image])) is None


@given(st.text(max_size=20))
def test_any_text_is_a_version_or_none(text: str) -> None:
    found = releases.parse(text)
    assert found is None or releases.parse(str(found)) == found
