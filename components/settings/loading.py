"""Raw config values -> `Settings`, or every fault in a sentence that names its key and the cure.

`load` is pure but for the files it reads through `read`. Values that only pass through (secrets)
stay out of the settings' text forms.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.settings.base import SettingsError, sentence
from components.settings.site import Settings

SECRET_KEYS = frozenset(
    {
        "sshPrivateKey",
        "storeRootUser",
        "storeRootPassword",
        "escrowPassphrase",
        "kubeconfig",
        "longhornCredentials",
    }
)


def _explain(error: ValidationError) -> list[str]:
    """One sentence per fault; pydantic's own text never shows the value (it may be a secret)."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        # The discriminator's tag (hosts, existing, inCluster) stands in the location; it is no key.
        path = [str(part) for part in fault["loc"]]
        if path[:1] == ["objectStore"] and path[1:2] in (["hosts"], ["existing"], ["inCluster"]):
            del path[1]
        where = ".".join(path)
        if fault["type"] == "extra_forbidden":
            faults.append(sentence(where, "is no key of this program; correct its spelling"))
        elif fault["type"] == "missing":
            faults.append(sentence(where, "is missing; set it in the stack's config file"))
        else:
            text = fault["msg"].removeprefix("Value error, ")
            if not where and ": " in text:
                where, text = text.split(": ", 1)
            faults.append(sentence(where, text))
    return faults


def _read(path: str, key: str, read: Callable[[Path], str]) -> str:
    try:
        return read(Path(path).expanduser())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError([sentence(key, f"{path} cannot be read ({reason})")]) from error


def _inventory(path: str, read: Callable[[Path], str]) -> dict[str, Any]:
    """The inventory file as config values; the lab's file and a hand-written one look alike."""
    expanded = os.path.expandvars(path)
    if "$" in expanded:
        fault = f"{path} names an environment variable that is not set; for the lab: "
        raise SettingsError([sentence("hostInventory", fault + 'eval "$(python3 -m lab env)"')])
    text = _read(expanded, "hostInventory", read)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError(
            [sentence("hostInventory", f"{expanded} is no JSON: {error}")]
        ) from None
    if not isinstance(content, dict) or content.get("schema") != 1:
        fault = f"{expanded} is no inventory of schema 1; write it anew (lab: python3 -m lab up)"
        raise SettingsError([sentence("hostInventory", fault)])
    return content


def _merge_inventory(values: dict[str, Any], read: Callable[[Path], str]) -> str:
    """Adds the inventory's hosts, key and server; returns the path of its kubeconfig, or ""."""
    path = values.pop("hostInventory", "")
    if not path:
        return ""
    inventory = _inventory(path, read)
    values["hosts"] = {**inventory.get("hosts", {}), **values.get("hosts", {})}
    if not values.get("sshPrivateKey") and not values.get("sshPrivateKeyFile"):
        values["sshPrivateKeyFile"] = inventory.get("sshPrivateKeyFile", "")
    store = values.get("objectStore")
    artefact = inventory.get("artefacts", {}).get("minio")
    if isinstance(store, dict) and store.get("kind", "hosts") == "hosts" and artefact:
        binary = store.get("binary", {})
        if "sha256" not in binary and isinstance(binary, dict):
            binary = {**binary, "path": artefact["path"], "sha256": artefact["sha256"]}
            values["objectStore"] = {**store, "binary": binary}
    return str(inventory.get("kubernetes", {}).get("kubeconfigFile", ""))


def _merge_kubeconfig(values: dict[str, Any], read: Callable[[Path], str], listed: str) -> None:
    """The kubeconfig's text: the config's own, else the cluster's file, else the inventory's."""
    cluster = values.get("cluster")
    if not isinstance(cluster, dict):
        return
    cluster = dict(cluster)
    file = cluster.pop("kubeconfigFile", "")
    values["cluster"] = cluster
    if values.get("kubeconfig"):
        return
    if file and isinstance(file, str):
        values["kubeconfig"] = _read(file, "cluster.kubeconfigFile", read)
    elif listed:
        values["kubeconfig"] = _read(listed, "hostInventory", read)


def load(
    raw: Mapping[str, Any],
    *,
    secret_keys: frozenset[str] = SECRET_KEYS,
    read: Callable[[Path], str] = Path.read_text,
) -> Settings:
    """Settings of one site.

    Args:
        raw: config values by key without namespace; objects are already decoded.
        secret_keys: the keys that the stack stores encrypted.
        read: reads a text file; the edge that tests replace.

    Raises:
        SettingsError: with every fault found, one sentence each.
    """
    values = dict(raw)
    clear = [key for key in sorted(SECRET_KEYS) if values.get(key) and key not in secret_keys]
    if clear:
        raise SettingsError(
            [
                sentence(
                    key, f"stands in clear text; set it with `pulumi config set --secret {key}`"
                )
                for key in clear
            ]
        )
    listed = _merge_inventory(values, read)
    _merge_kubeconfig(values, read, listed)
    key_file = values.pop("sshPrivateKeyFile", "")
    if key_file and not values.get("sshPrivateKey"):
        values["sshPrivateKey"] = _read(key_file, "sshPrivateKeyFile", read)
    store = values.get("objectStore")
    if isinstance(store, dict):
        values["objectStore"] = {"kind": "hosts", **store}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
