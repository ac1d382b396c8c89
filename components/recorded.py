"""What this stack's own state holds, read before anything is registered.

A program does not see its state. The engine gives any stack's resources to a program that asks, and
also its own: as the last update left them, however it ended.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

_PARTS_OF_A_URN = 5  # urn, stack, project, types, name
ATTEMPTS = 6
PAUSE_SECONDS = 0.3
IDENTITY = ("command:local:Command", "cluster-identity")


@dataclass(frozen=True)
class Recorded:
    """`resources`: (type, name) of all. `cluster_uid`: of the cluster the site was built on."""

    resources: frozenset[tuple[str, str]] = frozenset()
    cluster_uid: str | None = None


def parse(outputs: Mapping[str, Any]) -> Recorded:
    """The record in `outputs`: by URN, each resource's `type` and `outputs`.

    The identity stands in the output of the Command that proved it and not in a stack output, which
    an update that was cut short never wrote.
    """
    by_name: dict[tuple[str, str], Mapping[str, Any]] = {}
    for urn, found in outputs.items():
        parts = urn.split("::", _PARTS_OF_A_URN - 1)
        if urn.startswith("urn:pulumi:") and isinstance(found, Mapping):
            by_name[str(found.get("type", "")), parts[-1]] = found.get("outputs") or {}
    seen = by_name.get(IDENTITY, {}).get("stdout")
    uid = seen.strip() if isinstance(seen, str) else None
    return Recorded(frozenset(by_name), uid or None)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def own_state() -> Recorded:
    """The record of the stack that runs; empty before its first update.

    Raises:
        pulumi.RunError: the engine does not give it.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    found = retried(lambda: _outputs_of(name), name, time.sleep)
    outputs = found.get("outputs") if isinstance(found, Mapping) else None
    return parse(outputs if isinstance(outputs, Mapping) else {})


def _outputs_of(name: str) -> object:
    token = "pulumi:pulumi:readStackResourceOutputs"  # noqa: S105  (a function's name)
    return pulumi.runtime.invoke(token, {"stackName": name}).value


def retried(read: Callable[[], object], name: str, pause: Callable[[float], None]) -> object:
    """What `read` gives. The engine writes the state while it is read: a torn one is read again.

    Raises:
        pulumi.RunError: it failed every time.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            return read()
        except Exception as error:  # the SDK raises nothing narrower
            if not left:
                raise pulumi.RunError(
                    f"the state of stack {name} cannot be read, so that what it has is not known "
                    f"({_first_line(error)}): run `pulumi stack` to see why"
                ) from error
            pause(PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")
