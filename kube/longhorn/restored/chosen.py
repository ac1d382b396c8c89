"""Which backup each volume comes back from, as the objects of a target's backups tell it."""

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube.longhorn.api import NAMESPACE, Object, moment, number, part, spec, status, text
from kube.longhorn.backups import CLAIM_LABEL, COMPLETED
from kube.longhorn.jobs import ENABLED
from kube.longhorn.volumes import DEFAULT_TARGET

_ACCESS_LABEL = "longhorn.io/volume-access-mode"
_ENCRYPTED_LABEL = "volume-encrypted"


class InputError(Exception):
    """The input is not what it has to be; one sentence."""


@dataclass(frozen=True)
class Options:
    """What the command line says besides. `before`: data younger than this is not wanted.

    `secret`: (namespace, name) of the key of encrypted volumes.
    """

    only: tuple[str, ...] = ()
    target: str = DEFAULT_TARGET
    namespace: str = NAMESPACE
    before: datetime.datetime | None = None
    replicas: int = 3
    fs_type: str = "ext4"
    secret: tuple[str, str] | None = None


@dataclass(frozen=True)
class Restorable:
    """A volume and the backup that it is restored from. `size`: bytes.

    `namespace`, `claim`: "" where the backup does not say whose it was.
    """

    volume: str
    url: str
    size: int
    data_at: datetime.datetime
    access: str
    encrypted: bool
    backing_image: str
    storage_class: str
    namespace: str
    claim: str
    persistent_volume: str


def restorable(found: Iterable[Object], options: Options) -> tuple[list[Restorable], list[str]]:
    """The newest wanted backup of each volume, by name; and a sentence for each that has none."""
    of_kind: dict[str, list[Object]] = {"Backup": [], "BackupVolume": []}
    for one in found:
        of_kind.get(str(one.get("kind")), []).append(one)
    volumes = {
        text(spec(one), "volumeName"): status(one)
        for one in of_kind["BackupVolume"]
        if text(spec(one), "backupTargetName") in ("", options.target)
    }
    chosen: dict[str, Restorable] = {}
    for one in of_kind["Backup"]:
        made = _restorable(one, volumes, options)
        if made and (made.volume not in chosen or chosen[made.volume].data_at < made.data_at):
            chosen[made.volume] = made
    wanted = options.only or tuple(sorted({*volumes, *chosen}))
    if not wanted:
        return [], [
            f"there is no backup in target {options.target}; see that Longhorn has read it, and "
            "that bucket and prefix are the old ones"
        ]
    when = f" from before {options.before.isoformat()}" if options.before else ""
    return [chosen[one] for one in wanted if one in chosen], [
        f"volume {one} has no complete backup{when} in target {options.target}; it is left out"
        for one in wanted
        if one not in chosen
    ]


def _restorable(
    found: Object, volumes: Mapping[str, Object], options: Options
) -> Restorable | None:
    held = status(found)
    target, volume = text(held, "backupTargetName"), text(held, "volumeName")
    at = moment(held.get("snapshotCreatedAt")) or moment(held.get("backupCreatedAt"))
    if held.get("state") != COMPLETED or target not in ("", options.target) or not volume:
        return None
    if at is None or not text(held, "url") or (options.before and at > options.before):
        return None
    summary = volumes.get(volume, {})
    # A volume that grew since comes back as large as it is now, whatever one asks of Longhorn.
    size = number(summary, "size") or number(held, "volumeSize")
    if not size:
        return None
    noted = part(held, "labels")
    claim = _claim(noted) or _claim(part(summary, "labels"))
    return Restorable(
        volume=volume,
        url=text(held, "url"),
        size=size,
        data_at=at,
        access=text(noted, _ACCESS_LABEL) or "rwo",
        encrypted=noted.get(_ENCRYPTED_LABEL) == ENABLED,
        backing_image=text(held, "volumeBackingImageName"),
        storage_class=text(summary, "storageClassName"),
        namespace=text(claim, "namespace"),
        claim=text(claim, "pvcName"),
        persistent_volume=text(claim, "pvName"),
    )


def _claim(noted: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = json.loads(noted.get(CLAIM_LABEL) or "{}")
    except (ValueError, TypeError):
        return {}
    known = isinstance(found, dict) and found.get("pvcName") and found.get("namespace")
    return found if known else {}


def read(content: str) -> list[Object]:
    """The objects of a list as `kubectl get -o json` prints it. Raises InputError."""
    try:
        found = json.loads(content)
        items = found["items"]
    except (ValueError, KeyError, TypeError):
        raise InputError("stdin is no list of objects; pipe `kubectl get … -o json` into it") from (
            None
        )
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise InputError("stdin holds something else than objects; pipe `kubectl get … -o json`")
    return items
