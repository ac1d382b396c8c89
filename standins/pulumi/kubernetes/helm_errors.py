"""One sentence from what helm says when it fails."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from standins.pulumi.kubernetes.helm_state import Live, resource_id

IN_USE = "cannot re-use a name that is still in use"
NOT_FOUND = "release: not found"
_IN_PROGRESS = "another operation (install/upgrade/rollback) is in progress"
_SCHEMA = "values don't meet the specifications of the schema"
_PREFIXES = re.compile(
    r"^(Error: |INSTALLATION FAILED: |UPGRADE FAILED: |uninstallation completed)+"
)
# klog's lines and helm's own warnings come before the error.
_NOISE = re.compile(
    r"^([IWEF]\d{4} |WARNING: |level=|time=|coalesce\.go|warning: |\d{4}/\d\d/\d\d )"
)
_LONGEST = 1500
_UNREADY_SHOWN = 5
_HALF_REMOVED = "has no deployed releases"
_UNREACHABLE = "Kubernetes cluster unreachable"
_TIMED_OUT = ("context deadline exceeded", "timed out waiting", "client rate limiter Wait returned")


def said(stderr: str) -> str:
    """helm's error on one line, without what is before it."""
    lines = [line.strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    starts = [index for index, line in enumerate(lines) if line.startswith("Error: ")]
    text = "; ".join(lines[starts[-1] :] if starts else lines[-3:])
    text = text.replace(":;", ":").replace(";;", ";")
    text = _PREFIXES.sub("", re.sub(r"\s+", " ", text)).strip(" ;")
    return text[:_LONGEST] or "helm failed and said nothing"


def schema_complaint(stderr: str) -> str | None:
    """What the chart's schema has against the values, if that is why helm failed."""
    text = said(stderr)
    return text if _SCHEMA in text else None


def unreachable(text: str) -> bool:
    return _UNREACHABLE in text


def failed(what: str, release_id: str, text: str, not_ready: str, timeout: object) -> str:
    """`what` (install, upgrade, uninstall) of a release failed; `text` is what helm said."""
    begin = f"Helm release {release_id}: {what} failed: "
    if text.startswith("failed p") and not_ready.startswith("hook "):  # pre- or post-something
        return begin + not_ready
    if any(mark in text for mark in _TIMED_OUT):
        waited = f"not everything was ready within its timeout of {timeout} s"
        return begin + (f"{waited}: {not_ready}" if not_ready else f"{waited} ({text})")
    if _HALF_REMOVED in text:
        cure = "finish with `helm uninstall`, run `pulumi refresh`, then the update makes it again"
        return f"{begin}{text}: its removal was interrupted; {cure}"
    return begin + text + (f" (not ready: {not_ready})" if not_ready else "")


def in_use(release_id: str, live: Live | None) -> str:
    if live is not None and live.pending:
        return in_progress(live)
    record = "" if live is None else f" with status {live.status}, revision {live.revision}"
    return (
        f"Helm release {release_id}: {IN_USE}: it is in the cluster{record}, but not in this "
        f"stack's state; import it by its id {release_id}, or remove it with `helm uninstall`"
    )


def in_progress(live: Live) -> str:
    """A record that says "pending": of a helm at work, or of one that was killed at work."""
    since = f" since {live.deployed_at[:19]}" if live.deployed_at else ""
    secret = f"sh.helm.release.v1.{live.name}.v{live.revision}"
    return (
        f"Helm release {resource_id(live.namespace, live.name)}: {_IN_PROGRESS}: revision "
        f"{live.revision} is {live.status}{since}; wait for that helm, or if it was killed, remove "
        f"the record it left with `kubectl delete secret -n {live.namespace} {secret}` and run the "
        "update again"
    )


def gone(release_id: str) -> str:
    return (
        f"Helm release {release_id}: it is not in the cluster any more; run `pulumi refresh`, "
        "then the update makes it again"
    )


def not_ready(status_json: str) -> str:
    """What of a release did not end or is not ready, and why, from `helm status --show-resources`.

    After a hook that failed there is nothing else to tell: the rest was not made.
    """
    try:
        report = json.loads(status_json)
        found = list(_hook_complaints(report)) or list(
            dict.fromkeys(_complaints(report["info"].get("resources") or {}))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    more = len(found) - _UNREADY_SHOWN
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*found[:_UNREADY_SHOWN], *rest])


def _hook_complaints(report: Mapping[str, Any]) -> Iterator[str]:
    for hook in report.get("hooks") or ():
        phase = (hook.get("last_run") or {}).get("phase")
        if phase not in ("Failed", "Running"):
            continue
        kind, name, namespace = hook.get("kind"), hook.get("name"), report.get("namespace")
        yield f"hook {kind} {name} failed or did not end" + (
            f", see `kubectl describe pods -n {namespace} -l job-name={name}`"
            if kind == "Job"
            else ""
        )


def _complaints(resources: Mapping[str, list[Any]]) -> Iterator[str]:
    for objects in resources.values():
        for item in objects:
            members = item.get("items") if isinstance(item, dict) and "items" in item else [item]
            for each in members or ():
                yield from _complaint(each)


def _complaint(item: Mapping[str, Any]) -> Iterator[str]:
    kind, name = item.get("kind"), (item.get("metadata") or {}).get("name")
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if kind in ("Deployment", "StatefulSet"):
        wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
        if ready < wanted:
            yield f"{kind} {name} has {ready} of {wanted} pods ready"
    elif kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        if ready < wanted:
            yield f"{kind} {name} has {ready} of {wanted} pods ready"
    elif kind == "Pod":
        yield from _pod_complaint(str(name), status)


def _pod_complaint(name: str, status: Mapping[str, Any]) -> Iterator[str]:
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(part) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            reason = waiting.get("reason")
            if reason and reason not in ("PodInitializing", "ContainerCreating"):
                message = str(waiting.get("message") or "").strip()
                detail = f" ({message[:200]})" if message else ""
                yield f"Pod {name}: {container.get('name')} {reason}{detail}"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"Pod {name}: {condition.get('reason')} ({condition.get('message')})"
