"""Pods of Velero's server as the API server tells of them."""

from typing import Any


def server_pod(reason: str, code: int, at: str = "2026-11-21T12:00:00Z") -> dict[str, Any]:
    """One whose container ended, and runs again."""
    ended = {"reason": reason, "exitCode": code, "finishedAt": at}
    again = {"state": {"running": {}}, "lastState": {"terminated": ended}}
    return {"metadata": {"name": "velero-1"}, "status": {"containerStatuses": [again]}}
