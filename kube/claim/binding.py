"""Keeps a claim on its volume over the death of the claim.

A volume that is retained remembers the uid of the claim it had. A new claim of the same name has
another uid, so the volume stays Released and the claim Pending, for ever. Here the stale uid is
taken away, once it is certain that it is stale, and the volume of a class is kept and marked, so
that a later claim finds it instead of getting an empty one.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kube import marks

# Says of which claim a volume is, on volumes that a class made: "<namespace>.<claim>".
CLAIM_LABEL = "backstop-claim"
PAUSE_SECONDS = 1.0

Object = Mapping[str, Any]


class ClaimError(Exception):
    """A claim cannot have its volume; one sentence with the cure."""


class Volumes(Protocol):
    """What is needed of a cluster; objects as the API server gives them."""

    def volume(self, name: str) -> Object | None: ...

    def volumes(self, labels: Mapping[str, str]) -> list[Object]: ...

    def claim(self, namespace: str, name: str) -> Object | None: ...

    def patch_volume(self, name: str, patch: Mapping[str, Any]) -> None:
        """A JSON merge patch."""


@dataclass(frozen=True)
class Wanted:
    """The claim `namespace`/`name` of `site`. `volume`: its volume by name, "" for a class's."""

    site: str
    namespace: str
    name: str
    volume: str = ""

    def __str__(self) -> str:
        return f"claim {self.namespace}/{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        return {**marks.labels(self.site), CLAIM_LABEL: f"{self.namespace}.{self.name}"}


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _reference(volume: Object) -> Mapping[str, Any]:
    return volume["spec"].get("claimRef") or {}


def _refuse_foreign(volume: Object, wanted: Wanted) -> None:
    """Raises ClaimError unless the volume is free or the wanted claim's."""
    reference = _reference(volume)
    holder = (reference.get("namespace"), reference.get("name"))
    if reference and holder != (wanted.namespace, wanted.name):
        raise ClaimError(
            f"volume {_name(volume)} belongs to claim {holder[0]}/{holder[1]}, not to {wanted}: "
            "choose another volume, or another objectStore.namespace and name"
        )


def _free(cluster: Volumes, volume: Object, living_uid: str | None) -> None:
    """Takes a dead claim's uid from the volume; the volume's data is not touched."""
    uid = _reference(volume).get("uid")
    if uid and uid != living_uid and (volume.get("status") or {}).get("phase") == "Released":
        stale = {"uid": None, "resourceVersion": None}
        cluster.patch_volume(_name(volume), {"spec": {"claimRef": stale}})


def find(cluster: Volumes, wanted: Wanted) -> str:
    """The volume that the claim had, ready to be claimed again; "" if it never had one.

    For a claim of a class, before the claim is made: the class would make a new, empty volume.
    Raises ClaimError when several volumes say that they are the claim's.
    """
    claim = cluster.claim(wanted.namespace, wanted.name)
    if claim is not None:
        return str(claim["spec"].get("volumeName") or "")
    found = cluster.volumes(wanted.labels)
    if len(found) > 1:
        names = ", ".join(sorted(_name(volume) for volume in found))
        raise ClaimError(
            f"{names} all say that they are the volume of {wanted}: look which holds the data, and "
            f"take the label {CLAIM_LABEL} from the others"
        )
    for volume in found:
        _refuse_foreign(volume, wanted)
        _free(cluster, volume, None)
        return _name(volume)
    return ""


def settle(
    cluster: Volumes,
    wanted: Wanted,
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Waits until the claim has its volume, sees that the volume is kept, returns its name.

    Raises ClaimError when the claim or its volume is another's, is missing, or does not bind.
    """
    end = now() + seconds
    while True:
        fault = _binding_fault(cluster, wanted)
        if fault is None:
            break
        if now() >= end:
            raise ClaimError(f"{fault}; waited {seconds:.0f} s")
        sleep(PAUSE_SECONDS)
    name = str((cluster.claim(wanted.namespace, wanted.name) or {})["spec"]["volumeName"])
    if not wanted.volume:
        _keep(cluster, wanted, name)
    return name


def _binding_fault(cluster: Volumes, wanted: Wanted) -> str | None:
    """Why the claim is not bound yet, or None; frees its volume of a dead claim."""
    claim = cluster.claim(wanted.namespace, wanted.name)
    if claim is None:
        return f"{wanted} does not exist: was it deleted while this ran? Run `up` again"
    name = wanted.volume or str(claim["spec"].get("volumeName") or "")
    if not name:
        return f"{wanted} has no volume yet: does its storage class work, and is a node ready?"
    volume = cluster.volume(name)
    if volume is None:
        return f"volume {name} of {wanted} does not exist: run `up` with --refresh"
    _refuse_foreign(volume, wanted)
    uid = str(claim["metadata"]["uid"])
    _free(cluster, volume, uid)
    phases = tuple((found.get("status") or {}).get("phase") for found in (claim, volume))
    if phases == ("Bound", "Bound") and _reference(volume).get("uid") == uid:
        return None
    message = (volume.get("status") or {}).get("message")
    because = f" ({message})" if message else ""
    return f"{wanted} is {phases[0]} and its volume {name} is {phases[1]}{because}"


def _keep(cluster: Volumes, wanted: Wanted, name: str) -> None:
    """Marks the volume that a class made, and has it outlive its claim."""
    others = {_name(volume) for volume in cluster.volumes(wanted.labels)} - {name}
    if others:
        listed = ", ".join(sorted(others))
        raise ClaimError(
            f"{wanted} got the new volume {name}, while {listed} holds what it had before: delete "
            f"the claim and its pod and run `up` again, or take the label {CLAIM_LABEL} from "
            f"{listed} if its data is of no use"
        )
    cluster.patch_volume(
        name,
        {
            "metadata": {"labels": dict(wanted.labels)},
            "spec": {"persistentVolumeReclaimPolicy": "Retain"},
        },
    )
