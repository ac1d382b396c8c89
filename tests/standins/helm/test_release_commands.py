"""helm's command lines: every option of a release has its own, and no value is among them."""

from pathlib import Path
from typing import Any

import pytest

from standins.pulumi.kubernetes import helm_arguments as arguments

RELEASE: dict[str, Any] = {"name": "v", "namespace": "n", "chart": "velero", "timeout": 60}

INSTALL = [
    ({"atomic": True}, "--atomic"),
    ({"createNamespace": True}, "--create-namespace"),
    ({"dependencyUpdate": True}, "--dependency-update"),
    ({"disableOpenapiValidation": True}, "--disable-openapi-validation"),
    ({"disableWebhooks": True}, "--no-hooks"),
    ({"renderSubchartNotes": True}, "--render-subchart-notes"),
    ({"replace": True}, "--replace"),
    ({"skipCrds": True}, "--skip-crds"),
    ({"waitForJobs": True}, "--wait-for-jobs"),
    ({"description": "why"}, "why"),
]
UPGRADE = [
    ({"atomic": True}, "--atomic"),
    ({"cleanupOnFail": True}, "--cleanup-on-fail"),
    ({"dependencyUpdate": True}, "--dependency-update"),
    ({"disableCRDHooks": True}, "--no-hooks"),
    ({"forceUpdate": True}, "--force"),
    ({"resetValues": True}, "--reset-values"),
    ({"reuseValues": True}, "--reuse-values"),
    ({"waitForJobs": True}, "--wait-for-jobs"),
]
# Each acts on one of the two only, as officially.
NOT_ON_INSTALL = [{"cleanupOnFail": True}, {"disableCRDHooks": True}, {"maxHistory": 3}]
NOT_ON_UPGRADE = [{"disableWebhooks": True}, {"skipCrds": True}, {"createNamespace": True}]


def install(more: dict[str, Any]) -> list[str]:
    return arguments.install({**RELEASE, **more}, "/chart")


def upgrade(more: dict[str, Any]) -> list[str]:
    return arguments.upgrade({**RELEASE, **more}, "n", "/chart")


@pytest.mark.parametrize(("more", "option"), INSTALL)
def test_an_option_of_install(more: dict[str, Any], option: str) -> None:
    assert option in install(more)
    assert option not in install({})


@pytest.mark.parametrize(("more", "option"), UPGRADE)
def test_an_option_of_upgrade(more: dict[str, Any], option: str) -> None:
    assert option in upgrade(more)
    assert option not in upgrade({})


@pytest.mark.parametrize("more", NOT_ON_INSTALL)
def test_install_leaves_alone_what_is_for_upgrades(more: dict[str, Any]) -> None:
    assert install(more) == install({})


@pytest.mark.parametrize("more", NOT_ON_UPGRADE)
def test_upgrade_leaves_alone_what_is_for_installs(more: dict[str, Any]) -> None:
    assert upgrade(more) == upgrade({})


def test_waiting_and_its_end() -> None:
    assert [part for part in install({}) if part in ("--wait", "--timeout", "60s")] == [
        "--wait",
        "--timeout",
        "60s",
    ]
    assert "300s" in arguments.install({**RELEASE, "timeout": 0}, "/chart")
    skipping = install({"skipAwait": True, "waitForJobs": True})
    assert "--wait" not in skipping
    assert "--wait-for-jobs" not in skipping


def test_history_is_without_limit_unless_one_is_set() -> None:
    def limit(more: dict[str, Any]) -> str:
        argv = upgrade(more)
        return argv[argv.index("--history-max") + 1]

    assert limit({}) == "0"
    assert limit({"maxHistory": 7}) == "7"


def test_an_uninstall_waits_unless_told_not_to() -> None:
    assert "--wait" in arguments.uninstall(RELEASE)
    assert "--wait" not in arguments.uninstall({**RELEASE, "skipAwait": True})
    assert "--wait" in arguments.uninstall({**RELEASE, "skipAwait": True, "atomic": True})


def test_values_are_on_no_command_line() -> None:
    release = {**RELEASE, "values": {"password": "very secret"}}
    for argv in (
        arguments.install(release, "/chart"),
        arguments.upgrade(release, "n", "/chart"),
        arguments.template(release, "/chart"),
        arguments.uninstall(release),
    ):
        assert "very secret" not in " ".join(argv)


CHARTS = [
    ({"chart": "velero"}, ("velero", [])),
    ({"chart": " velero ", "version": "12.1.0"}, ("velero", ["--version", "12.1.0"])),
    ({"chart": "velero", "devel": True}, ("velero", ["--devel"])),
    (
        {"chart": "velero", "repositoryOpts": {"repo": "https://r.example", "caFile": "ca"}},
        ("velero", ["--repo", "https://r.example", "--ca-file", "ca"]),
    ),
    ({"chart": "velero", "repositoryOpts": {"repo": "stable"}}, ("stable/velero", [])),
    (
        {"chart": "oci://r.example/velero", "repositoryOpts": {"repo": "https://r.example"}},
        ("oci://r.example/velero", []),
    ),
]


@pytest.mark.parametrize(("release", "found"), CHARTS)
def test_where_a_chart_is_from(release: dict[str, Any], found: tuple[str, list[str]]) -> None:
    assert arguments.chart_of(release) == found


def test_a_folder_is_a_chart_only_with_a_chart_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "velero").mkdir()
    assert not arguments.is_local({"chart": "velero"})
    (tmp_path / "velero/Chart.yaml").write_text("name: velero\n")
    assert arguments.is_local({"chart": "velero"})
    assert not arguments.is_local({"chart": "velero", "repositoryOpts": {"repo": "https://r"}})
    assert arguments.is_local({"chart": "./missing"})
    assert not arguments.is_local({"chart": "missing"})
