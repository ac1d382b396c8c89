"""Velero on the real cluster by the program: proven, quiet, healed, found again by a new state."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml

from lab import cgroups
from tests.on_lab.site import ROOT, Done, Lab, Site, run

pytestmark = pytest.mark.lab
NOTES = ROOT / "docs" / "how-to" / "examples" / "notes.yaml"
WAIT_SECONDS = 300
LAYERS = {"store", "kube-objects", "volumes", "longhorn"}


def tool(site: Site, *argv: str, stdin: str = "") -> Done:
    return run(list(argv), cwd=site.directory, env=site.environment, stdin=stdin)


def kubectl(site: Site, *argv: str, stdin: str = "") -> str:
    done = tool(site, "kubectl", *argv, stdin=stdin)
    assert done.code == 0, done.text
    return done.stdout


def patch(site: Site, where: str, name: str, content: dict[str, Any]) -> None:
    namespace = ["-n", "velero"] if where != "cluster" else []
    kubectl(site, *namespace, "patch", *name.split("/"), "--type=merge", "-p", json.dumps(content))


def proven(site: Site) -> set[str]:
    """The layers whose drill the last `up` saw proven."""
    verdicts = site.outputs()["drills"]
    return {layer for layer, receipt in verdicts.items() if receipt["verdict"] == "proven"}


def test_the_first_up_ends_with_a_completed_backup_that_is_proven(saved: Site) -> None:
    outputs = saved.outputs()
    assert json.loads(outputs["firstBackup"])["phase"] == "Completed"
    assert proven(saved) == LAYERS
    locations = tool(saved, "velero", "backup-location", "get").text
    assert "Available" in locations
    assert "Enabled" in tool(saved, "velero", "schedule", "get").text


def test_nothing_changes_in_a_second_run(saved: Site) -> None:
    saved.quiet()
    done = saved.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert done.code == 0, done.text[-4000:]
    done = saved.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert done.code == 0, done.text[-4000:]


def test_the_stack_meets_its_own_policies(saved: Site) -> None:
    done = saved.pulumi("preview", "--policy-pack", "policies", "--expect-no-changes")
    assert done.code == 0, done.text[-4000:]


def edits(site: Site) -> dict[str, Any]:
    """What somebody may do by hand, by the name of the resource that must show it."""
    secret = kubectl(
        site, "-n", "velero", "get", "secrets", "-l", "backstop-site=dev", "-o",
        "jsonpath={.items[*].metadata.name}",
    ).split()  # fmt: skip
    credential = next(name for name in secret if name.startswith("velero-store-1"))
    return {
        "velero-location-default": lambda: patch(
            site, "velero", "backupstoragelocation/default",
            {"spec": {"config": {"region": "elsewhere"}}},
        ),
        "velero-schedule-demo": lambda: patch(
            site, "velero", "schedules.velero.io/demo", {"spec": {"schedule": "59 23 * * *"}}
        ),
        "velero-namespace": lambda: patch(
            site, "cluster", "namespace/velero",
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
        ),
        "snapshot-class-longhorn-bak": lambda: patch(
            site, "cluster", "volumesnapshotclass/longhorn-bak",
            {"metadata": {"labels": {"velero.io/csi-volumesnapshot-class": None}}},
        ),
        "velero-store-1": lambda: patch(
            site, "velero", f"secret/{credential}", {"data": {"cloud": "d3Jvbmc="}}
        ),
        "velero-store-ca": lambda: kubectl(
            site, "-n", "velero", "delete", "secret", "velero-store-ca"
        ),
        "velero-repo-credentials": lambda: patch(
            site, "velero", "secret/velero-repo-credentials",
            {"data": {"repository-password": "b3RoZXI="}},
        ),
        "snapshot-controller": lambda: kubectl(
            site, "-n", "kube-system", "scale", "deployment/snapshot-controller", "--replicas=0"
        ),
        "snapshot-controller-runner-ClusterRole": lambda: patch(
            site, "cluster", "clusterrole/snapshot-controller-runner", {"rules": []}
        ),
        "volumesnapshots.snapshot.storage.k8s.io": lambda: patch(
            site, "cluster", "crd/volumesnapshots.snapshot.storage.k8s.io",
            {"metadata": {"labels": {"backstop-site": "other"}}},
        ),
        "velero": lambda: tool(
            site, "helm", "upgrade", "velero", "standins/charts/velero", "-n", "velero",
            "--reuse-values", "--set", "configuration.logLevel=debug",
        ),
    }  # fmt: skip


def test_what_is_done_by_hand_shows_in_a_refresh_and_is_healed(saved: Site) -> None:
    made = edits(saved)
    assert len(made) >= 10
    for edit in made.values():
        edit()
    done = saved.pulumi("refresh", "--yes", "--skip-preview", "--json")
    assert done.code == 0, done.text[-4000:]
    assert shown(done.stdout) >= set(made), sorted(set(made) - shown(done.stdout))
    saved.up()
    saved.quiet()
    assert "23" not in kubectl(
        saved,
        "-n",
        "velero",
        "get",
        "schedules.velero.io",
        "demo",
        "-o",
        "jsonpath={.spec.schedule}",
    )


def shown(events: str) -> set[str]:
    """The names of the resources for which a refresh told a change."""
    found = set()
    for line in events.splitlines():
        event = json.loads(line)
        step = (event.get("resOutputsEvent") or {}).get("metadata") or {}
        if step.get("op") == "refresh" and (step.get("diffs") or step.get("detailedDiff")):
            found.add(step["urn"].rsplit("::", 1)[-1])
        if step.get("op") in ("update", "delete"):
            found.add(step["urn"].rsplit("::", 1)[-1])
    return found


def interrupted_up(
    site: Site, disturb: Callable[[], object], pause: float, seconds: float = WAIT_SECONDS
) -> None:
    """An `up` with one more schedule; `disturb` acts while it runs, again and again for `seconds`.

    It may die in mid drill; what that leaves is the next run's to sweep, also a restore that stays
    InProgress because Velero could not write its end while the API server was away.
    """
    more = {"nightly": {"cron": "30 1 * * *", "ttl": "240h"}}
    content = yaml.safe_load(site.config_file.read_text())
    content["config"]["backstop:velero"]["schedules"] |= more
    site.config_file.write_text(yaml.safe_dump(content))
    running = subprocess.Popen(
        [site.environment["BACKSTOP_PYTHON"], "-m", "stack", "up", "-s", site.stack],
        cwd=site.directory, env=site.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    began = time.monotonic()
    try:
        while running.poll() is None and time.monotonic() < began + WAIT_SECONDS:
            if time.monotonic() < began + seconds:
                disturb()
            time.sleep(pause)
    finally:
        running.terminate()
        running.wait(timeout=120)


def assert_converges(lab: Lab, site: Site) -> None:
    answered = lab.lab("up", "--host", "cp1")
    assert answered.code == 0, answered.text
    site.up()
    site.quiet()
    assert "nightly" in tool(site, "velero", "schedule", "get").text
    site.reset()
    site.up()


def test_an_api_server_that_restarts_in_the_middle_is_no_end(cluster_lab: Lab, saved: Site) -> None:
    """Eight times in all: each also ends the snapshot controller, which loses its lease, and after
    some more the kubelet lets five minutes pass before it starts that again."""
    restart = "systemctl restart kube-apiserver || :"
    interrupted_up(saved, lambda: cluster_lab.on("cp1", restart), 12, seconds=90)
    assert_converges(cluster_lab, saved)


def test_a_node_without_power_in_the_middle_is_no_end(cluster_lab: Lab, saved: Site) -> None:
    """The node is cut off 8 s into the run, when the preflight is over, and stays off."""
    began = time.monotonic()

    def cut() -> None:
        if time.monotonic() - began < 8:
            return
        for process in cgroups.processes(f"{cluster_lab.instance}/cp1"):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    interrupted_up(saved, cut, 1)
    assert_converges(cluster_lab, saved)


@pytest.fixture
def notes(saved: Site) -> Iterator[str]:
    """A namespace whose volume wants to be copied: left behind, it would spoil other backups."""
    yield "notes"
    kubectl(saved, "delete", "namespace", "notes", "--ignore-not-found", "--timeout=300s")


def test_after_destroy_an_empty_state_finds_every_backup(saved: Site, notes: str) -> None:
    """Copied files can be read only with the same repository password."""
    manifest = NOTES.read_text().replace("DEMO_IMAGE", "docker.io/lab/demo:1")
    kubectl(saved, "apply", "-f", "-", stdin=manifest)
    ready(saved, notes)
    kubectl(saved, "-n", notes, "exec", "notes", "--", "sh", "-c", "echo kept > /pgdata/row")
    backup = ["velero", "backup", "create", "notes-1", "--include-namespaces", notes, "--wait"]
    assert "Completed" in tool(saved, *backup).text
    kubectl(saved, "delete", "namespace", notes, "--timeout=300s")

    done = saved.driver("destroy", "--yes")
    assert done.code == 0, done.text[-4000:]
    removed = saved.pulumi("stack", "rm", "--force", "--yes", "--preserve-config")
    assert removed.code == 0, removed.text
    saved.up()
    saved.quiet()
    deadline = time.monotonic() + WAIT_SECONDS
    while "notes-1" not in tool(saved, "velero", "backup", "get").text:
        assert time.monotonic() < deadline, "the backup was not found again"
        time.sleep(5)
    restore = ["velero", "restore", "create", "--from-backup", "notes-1", "--wait"]
    assert "status: Completed" in tool(saved, *restore).text
    ready(saved, notes)
    assert kubectl(saved, "-n", notes, "exec", "notes", "--", "cat", "/pgdata/row") == "kept\n"
    assert proven(saved) == LAYERS


def test_a_lost_state_takes_over_what_the_cluster_holds(saved: Site) -> None:
    """Longhorn's Secret and the canary are no imports: the driver finds them by their mark."""

    def kept() -> str:
        kinds = "persistentvolumeclaims,backuptargets.longhorn.io,recurringjobs.longhorn.io"
        columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid"
        return kubectl(saved, "get", kinds, "-A", "-o", columns)

    before = kept()
    assert "canary-snapshot" in before
    removed = saved.pulumi("stack", "rm", "--force", "--yes", "--preserve-config")
    assert removed.code == 0, removed.text
    done = saved.up()
    for name in ("longhorn-secret-default", "canary"):
        assert f"adopt: {name}: " in done.text, done.text[-4000:]
    assert kept() == before
    assert proven(saved) == LAYERS
    saved.quiet()


def ready(site: Site, namespace: str) -> None:
    """Waits for the pod that is called as its namespace."""
    kubectl(
        site, "-n", namespace, "wait", "--for=condition=Ready", f"pod/{namespace}",
        f"--timeout={WAIT_SECONDS}s",
    )  # fmt: skip
