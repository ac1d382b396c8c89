"""The lab's definitions of Longhorn's kinds take what Longhorn's own take, and what we declare."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.components.longhorn.sites import FULL, longhorn_settings, record, upstream
from tests.standins.test_crds import differences

ROOT = Path(__file__).resolve().parents[2]
STANDINS = ROOT / "standins" / "crds" / "longhorn"
KINDS = {
    "backups", "backuptargets", "backupvolumes", "nodes", "recurringjobs", "settings", "snapshots",
    "systembackups", "volumes",
}  # fmt: skip
LONGHORN = "kubernetes:longhorn.io/v1beta2:"


def ours(plural: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((STANDINS / f"{plural}.yaml").read_text())
    return found


def theirs(plural: str) -> dict[str, Any]:
    for document in yaml.safe_load_all((upstream() / "crds.yaml").read_text()):
        if document and document["metadata"]["name"] == f"{plural}.longhorn.io":
            found: dict[str, Any] = document
            return found
    raise AssertionError(f"Longhorn has no kind {plural}")


def version(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = document["spec"]["versions"]
    assert found["name"] == "v1beta2"
    held: dict[str, Any] = found
    return held


def schema(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = version(document)["schema"]["openAPIV3Schema"]
    return found


def test_there_is_one_file_a_kind() -> None:
    assert {file.stem for file in STANDINS.iterdir()} == KINDS


@pytest.mark.parametrize("plural", sorted(KINDS))
def test_a_stand_in_says_that_it_is_one(plural: str) -> None:
    assert (STANDINS / f"{plural}.yaml").read_text().startswith("# Stand-in: ")
    assert "not Longhorn's own" in ours(plural)["metadata"]["annotations"]["backstop-stand-in"]


@pytest.mark.parametrize("plural", sorted(KINDS))
def test_a_stand_in_refuses_nothing_that_longhorns_own_takes(plural: str) -> None:
    mine, official = ours(plural), theirs(plural)
    for key in ("group", "scope", "names"):
        assert mine["spec"][key] == official["spec"][key]
    assert version(mine)["subresources"] == version(official)["subresources"]
    assert list(differences(schema(mine), schema(official), plural)) == []


def laxer(value: Any, mine: Any, official: Any, where: str) -> list[str]:
    """Where our schema says less of a value than theirs does."""
    found = [
        f"{where}: {key}"
        for key in ("type", "enum", "format")
        if key in official and mine.get(key) != official[key]
    ]
    if isinstance(value, dict):
        for name, inner in value.items():
            each = [one.get("properties", {}).get(name) for one in (mine, official)]
            shared = [one.get("additionalProperties") for one in (mine, official)]
            if each[1] is not None:
                found += laxer(inner, each[0] or {}, each[1], f"{where}.{name}")
            elif shared[1] is not None:
                found += laxer(inner, shared[0] or {}, shared[1], f"{where}.{name}")
            else:
                found.append(f"{where}.{name}: unknown to Longhorn")
    if isinstance(value, list):
        for inner in value:
            found += laxer(inner, mine.get("items") or {}, official["items"], f"{where}[]")
    return found


def test_what_we_declare_is_held_to_as_much_as_by_longhorns_own() -> None:
    declared = [
        one.inputs for one in record(longhorn_settings(**FULL)) if one.type.startswith(LONGHORN)
    ]
    assert {one["kind"] for one in declared} == {"BackupTarget", "RecurringJob", "Setting"}
    for one in declared:
        plural = f"{one['kind'].lower()}s"
        content = {key: value for key, value in one.items() if key in ("spec", "value")}
        assert laxer(content, schema(ours(plural)), schema(theirs(plural)), plural) == []


def test_a_schema_that_says_less_is_noticed() -> None:
    official = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}}
    mine = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert laxer({"a": "x"}, mine, official, "k") == ["k.a: enum"]
    assert laxer({"a": "x"}, {"type": "object"}, official, "k") == ["k.a: type", "k.a: enum"]
    assert laxer({"b": "x"}, official, official, "k") == ["k.b: unknown to Longhorn"]
