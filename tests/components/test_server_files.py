"""Rendered files of a store host."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.object_store import advisories, server_files, trust
from components.settings import HostsStore, Settings
from tests.support.recorder import HOST_KEY, RAW, settings_with


def site(**store: Any) -> tuple[Settings, HostsStore]:
    hosts = {f"store{n}": {"address": f"10.77.0.{n}", "hostKey": HOST_KEY} for n in range(1, 5)}
    settings = settings_with(hosts=hosts, objectStore={**RAW["objectStore"], **store})
    assert isinstance(settings.object_store, HostsStore)
    return settings, settings.object_store


def test_the_environment_has_the_seeds_values_and_no_credential() -> None:
    settings, store = site()
    text = server_files.environment(store, dict(settings.hosts))
    assert 'MINIO_VOLUMES="/storage/minio"' in text
    assert "--address :9091 --console-address :9092 --certs-dir /etc/minio/ssl" in text
    assert 'MINIO_SITE_REGION="eu-west-1"' in text
    assert 'MINIO_API_STALE_UPLOADS_EXPIRY="24h"' in text
    assert "ROOT" not in text


def test_hosts_times_drives_become_one_pool() -> None:
    settings, store = site(
        hosts=["store1", "store2"], drives=["/mnt/disk1/minio", "/mnt/disk2/minio"]
    )
    assert server_files.volumes(store, dict(settings.hosts)) == [
        "https://10.77.0.1:9091/mnt/disk1/minio",
        "https://10.77.0.1:9091/mnt/disk2/minio",
        "https://10.77.0.2:9091/mnt/disk1/minio",
        "https://10.77.0.2:9091/mnt/disk2/minio",
    ]


def test_one_drive_that_is_not_mounted_keeps_the_server_down() -> None:
    assert "AssertPathIsMountPoint=/storage\n" in server_files.service_unit(site()[1])
    assert "MountPoint" not in server_files.service_unit(site(requireMountPoint=False)[1])


def test_one_of_several_drives_that_is_gone_does_not_stop_the_rest() -> None:
    drives = [f"/mnt/disk{n}/minio" for n in range(1, 5)]
    store = site(drives=drives)[1]
    assert "Mount" not in server_files.service_unit(store)
    # Without the "-" systemd refuses to start the unit when one path is missing.
    assert (
        f"ReadWritePaths={' '.join('-' + drive for drive in drives)}\n"
        in server_files.hardening(store)
    )
    assert "ReadWritePaths=/storage/minio\n" in server_files.hardening(site()[1])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_the_hardened_unit_is_rated_safe(tmp_path: Path) -> None:
    store = site()[1]
    unit = tmp_path / "minio.service"
    text = server_files.service_unit(store).replace("[Service]\n", "", 1)
    head, _, install = text.partition("[Install]")
    unit.write_text(
        head.replace("Type=notify", server_files.hardening(store) + "Type=notify")
        + "[Install]"
        + install
    )
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-600:] + rated.stderr


def test_the_firewall_lets_in_the_named_networks_and_the_hosts_themselves() -> None:
    settings, store = site(firewall={"enabled": True, "allowFrom": ["192.168.7.0/24", "fd00::/64"]})
    rules = server_files.firewall_rules(store, dict(settings.hosts))
    assert "ip saddr { 10.77.0.1/32, 192.168.7.0/24 } accept" in rules
    assert "ip6 saddr { fd00::/64 } accept" in rules
    assert "tcp dport { 9091, 9092 } jump allowed" in rules
    assert server_files.firewall_rules(site()[1], dict(settings.hosts)) == ""


def test_networks_that_overlap_become_one_for_nft_refuses_them() -> None:
    settings, store = site(firewall={"enabled": True, "allowFrom": ["10.77.0.0/24", "10.77.0.9"]})
    rules = server_files.firewall_rules(store, dict(settings.hosts))
    assert "ip saddr { 10.77.0.0/24 } accept" in rules


def test_the_certificate_names_everything_clients_use_and_nothing_else() -> None:
    settings, store = site(certificate={"names": ["s3.lan", "store1"]})
    names = trust.certified_names(store, "store1", settings.hosts["store1"])
    assert names == ["store1", "10.77.0.1", "s3.lan", "localhost", "127.0.0.1"]
    assert trust.alternative_names(names).startswith("DNS:store1,IP:10.77.0.1,DNS:s3.lan")
    assert "permitted;IP:10.77.0.1/255.255.255.255" in trust.name_constraints(names)


def test_the_authoritys_output_is_certificate_and_encrypted_key() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
    assert trust.split_authority(pem) == (pem + "\n", "")
    assert trust.split_authority(pem + "\n-----BEGIN ENC\nk\n") == (pem + "\n", "-----BEGIN ENC\nk")


@pytest.mark.parametrize(
    ("version", "open_ones", "closed"),
    [
        ("RELEASE.2025-09-07T16-13-09Z", "CVE-2025-62506", "CVE-2025-31489"),
        ("RELEASE.2026-02-12T20-18-48Z", "CVE-2026-40344", "CVE-2025-62506"),
        ("DEVELOPMENT.GOGET", "CVE-2026-41145", "CVE-2024-55949"),
    ],
)
def test_advisories_are_named_by_version(version: str, open_ones: str, closed: str) -> None:
    text = advisories.warning(version)
    assert text is not None
    assert open_ones in text
    assert closed not in text
    assert "no longer maintained" in text


def test_a_fork_newer_than_the_community_server_has_no_warning_of_ours() -> None:
    assert advisories.warning("RELEASE.2026-08-04T00-00-00Z") is None
