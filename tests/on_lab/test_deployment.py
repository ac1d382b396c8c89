"""A bare host becomes a proven store; the next run is quiet, from any checkout."""

import json
from pathlib import Path

import pytest

from tests.on_lab.site import Lab, Site, copy_of_checkout

pytestmark = pytest.mark.lab


def test_the_store_is_proven_and_the_receipt_is_on_disk(deployed: Site) -> None:
    verdict = deployed.outputs()["drills"]["store"]
    assert verdict["verdict"] == "proven"
    receipts = sorted(Path(deployed.environment["BACKSTOP_RECEIPTS"]).glob("*.json"))
    assert json.loads(receipts[-1].read_text())["layer"] == "store"


def test_nothing_changes_in_a_second_run(deployed: Site) -> None:
    deployed.quiet()
    done = deployed.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert done.code == 0, done.text
    deployed.quiet()


def test_another_checkout_previews_without_a_difference(
    lab: Lab, deployed: Site, tmp_path: Path
) -> None:
    other = Site(lab, copy_of_checkout(tmp_path / "elsewhere"))
    assert deployed.directory != other.directory
    other.quiet()


def test_the_stack_meets_its_own_policies(deployed: Site) -> None:
    done = deployed.pulumi("preview", "--policy-pack", "policies", "--expect-no-changes")
    assert done.code == 0, done.text


def test_a_refresh_finds_nothing(deployed: Site) -> None:
    done = deployed.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert done.code == 0, done.text


def test_the_host_looks_as_documented(lab: Lab, deployed: Site) -> None:
    store = deployed.outputs()["storeEndpoint"]
    seen = lab.on(
        "store1",
        "stat -c '%a %U' /etc/minio/minio.conf /etc/minio/ssl/private.key; getent passwd minio;"
        "systemctl is-active minio backstop-certificate.timer;"
        "systemd-analyze security --no-pager minio.service | tail -n 1;"
        "cat /proc/$(systemctl show -p MainPID --value minio)/status | grep -E '^(Uid|CapEff)'",
    )
    assert "600 root" in seen
    assert "640 root" in seen
    assert "/usr/sbin/nologin" in seen
    assert seen.count("active\n") == 2
    assert "CapEff:\t0000000000000000" in seen
    assert "Uid:\t0" not in seen
    assert store.endswith(":9091")


def test_the_private_keys_never_leave_the_host(deployed: Site) -> None:
    state = deployed.pulumi("stack", "export", "--show-secrets").stdout
    assert "BEGIN EC PRIVATE KEY" not in state
    assert "BEGIN PRIVATE KEY" not in state
    assert "BEGIN ENCRYPTED PRIVATE KEY" in state  # the escrow
