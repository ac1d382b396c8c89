"""What the program may say of a release, and what is kept of it."""

from pathlib import Path

import pytest

from standins.pulumi.kubernetes import helm_inputs
from standins.pulumi.values import WireAsset


def everything_known(name: str) -> bool:  # noqa: ARG001  (the form that is asked for)
    return True


WRONG = [
    ({}, "chart", "is missing"),
    ({"chart": ""}, "chart", "is missing"),
    ({"chart": "c", "timeout": "300"}, "timeout", "whole number"),
    ({"chart": "c", "timeout": -1}, "timeout", "not negative"),
    ({"chart": "c", "timeout": 1.5}, "timeout", "whole number"),
    ({"chart": "c", "maxHistory": True}, "maxHistory", "whole number"),
    ({"chart": "c", "atomic": "yes"}, "atomic", "true or false"),
    ({"chart": "c", "version": 12}, "version", "a text"),
    ({"chart": "c", "values": ["a"]}, "values", "a map"),
    ({"chart": "c", "postrender": "./x"}, "postrender", "stand-in for helm"),
    ({"chart": "c", "verify": True}, "verify", "stand-in for helm"),
    ({"chart": "c", "repositoryOpts": "https://x"}, "repositoryOpts", "a map"),
    ({"chart": "c", "repositoryOpts": {"url": "https://x"}}, "repositoryOpts.url", "no setting"),
    (
        {"chart": "c", "repositoryOpts": {"repo": "https://x", "password": "p"}},
        "repositoryOpts",
        "process list",
    ),
    ({"chart": "c", "valueYamlFiles": "v.yaml"}, "valueYamlFiles", "a list"),
    ({"chart": "c", "valueYamlFiles": [WireAsset(uri="https://x")]}, "valueYamlFiles[0]", "file"),
    ({"chart": "c", "valueYamlFiles": [WireAsset(text="- a")]}, "valueYamlFiles[0]", "a map"),
    (
        {"chart": "c", "valueYamlFiles": [WireAsset(text="a: [hidden")]},
        "valueYamlFiles[0]",
        "not YAML (line 1)",
    ),
    (
        {"chart": "c", "valueYamlFiles": [WireAsset(path="/nowhere/v.yaml")]},
        "valueYamlFiles[0]",
        "cannot be read",
    ),
]


@pytest.mark.parametrize(("inputs", "name", "part"), WRONG)
def test_a_wrong_input_is_named(inputs: dict[str, object], name: str, part: str) -> None:
    found = helm_inputs.failures(inputs, everything_known)
    assert [each[0] for each in found] == [name]
    assert part in found[0][1]
    assert "hidden" not in found[0][1]


def test_what_is_not_known_yet_is_not_judged() -> None:
    inputs: dict[str, object] = {"chart": None, "timeout": None}
    assert helm_inputs.failures(inputs, lambda _: False) == []


def test_sound_inputs_have_no_faults() -> None:
    inputs: dict[str, object] = {
        "chart": "velero",
        "version": "12.1.0",
        "repositoryOpts": {"repo": "https://charts.example", "caFile": "ca.pem"},
        "values": {"a": 1},
        "timeout": 600,
        "maxHistory": 10,
        "skipAwait": False,
    }
    assert helm_inputs.failures(inputs, everything_known) == []


def test_a_release_without_a_name_gets_one_and_keeps_it() -> None:
    first = helm_inputs.completed({"chart": "c"}, {}, "velero", "")
    assert str(first["name"]).startswith("velero-")
    assert len(str(first["name"])) == len("velero-") + 8
    assert helm_inputs.completed({"chart": "c"}, first, "velero", "")["name"] == first["name"]
    assert helm_inputs.completed({"name": "own"}, first, "velero", "")["name"] == "own"
    # A name that is not known yet stays open.
    assert helm_inputs.completed({"name": None}, {}, "velero", "")["name"] is None


def test_namespace_and_timeout_have_defaults() -> None:
    assert helm_inputs.with_defaults({}, "") == {"namespace": "default", "timeout": 300}
    assert helm_inputs.with_defaults({}, "apps")["namespace"] == "apps"
    assert helm_inputs.with_defaults({"timeout": 5}, "")["timeout"] == 5
    assert "timeout" not in helm_inputs.with_defaults({"skipAwait": True}, "")


def test_values_win_over_files_and_a_later_file_over_an_earlier_one(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("a: {x: 1, y: 1}\nb: 1\n")
    inputs: dict[str, object] = {
        "valueYamlFiles": [WireAsset(path=str(file)), WireAsset(text="a: {y: 2}\nc: [1]\n")],
        "values": {"a": {"x": 3}, "c": [2]},
    }
    merged = helm_inputs.with_files(inputs)["values"]
    assert merged == {"a": {"x": 3, "y": 2}, "b": 1, "c": [2]}


def test_only_what_says_something_is_kept() -> None:
    inputs: dict[str, object] = {
        "chart": "c",
        "name": "n",
        "atomic": False,
        "skipAwait": True,
        "timeout": 0,
        "maxHistory": 0,
        "values": {},
        "repositoryOpts": {"repo": "https://x", "caFile": ""},
        "description": "",
        "compat": "true",
        "valueYamlFiles": [],
        "resourceNames": {"a": ["b"]},
    }
    assert helm_inputs.kept(inputs, everything_known) == {
        "chart": "c",
        "name": "n",
        "skipAwait": True,
        "maxHistory": 0,
        "repositoryOpts": {"repo": "https://x"},
    }
