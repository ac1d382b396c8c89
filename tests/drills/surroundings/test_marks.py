"""What a planted fault notes beside itself: read back whole, and enough to undo it."""

import copy
import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.surroundings.marks import LABEL, NOTE, Note, NoteError, inverse, planting, read
from kube.marks import SITE_LABEL
from tests.drills.sandbox.runs import NOW
from tests.drills.volumes.drill_site import merged

NOTED = Note("dev", "velero-gone", NOW, {"spec": {"replicas": 1}})

leaves = st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
keys = st.sampled_from("abc")
contents = st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=3))
objects = st.dictionaries(keys, contents, max_size=3)


def without_empty(found: Any) -> Any:
    """As the API server keeps maps: an empty one is none."""
    if not isinstance(found, dict):
        return found
    held = {key: without_empty(value) for key, value in found.items()}
    return {key: value for key, value in held.items() if value != {}}


@given(objects, objects)
def test_the_inverse_puts_back_what_a_patch_changed(
    found: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy.deepcopy(found)
    undone = merged(merged(found, patch), inverse(patch, found))
    assert without_empty(undone) == without_empty(before)


@pytest.mark.parametrize("undo", [None, {}, {"spec": {"nodeSelector": None}}])
def test_a_note_is_read_back(undo: dict[str, Any] | None) -> None:
    note = Note("dev", "fault", NOW + datetime.timedelta(minutes=1), undo)
    found = {"metadata": note.metadata()}
    assert read(found) == note
    assert found["metadata"]["labels"][LABEL] == "fault"
    assert found["metadata"]["labels"][SITE_LABEL] == "dev"


def test_without_a_note_there_is_none() -> None:
    assert read({"metadata": {"annotations": {"other": "1"}}}) is None
    assert read({}) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", NOTED.text().replace("2026", "never"),
     NOTED.text().replace("+00:00", ""), NOTED.text().replace('{"spec": {"replicas": 1}}', "[1]")],
)  # fmt: skip
def test_a_note_that_cannot_be_read_is_nobodys_to_follow(text: str) -> None:
    found = {"kind": "Deployment", "metadata": {"name": "velero", "annotations": {NOTE: text}}}
    with pytest.raises(NoteError, match="Deployment velero bears the annotation"):
        read(found)


def test_a_change_comes_with_its_undoing_in_one_patch() -> None:
    found = {"metadata": {"uid": "u", "name": "velero"}, "spec": {"replicas": 1, "other": 2}}
    patch = planting({"spec": {"replicas": 0}}, found, Note("dev", "velero-gone", NOW))
    changed = merged(found, patch)
    assert changed["spec"] == {"replicas": 0, "other": 2}
    note = read(changed)
    assert note is not None
    assert note.undo is not None
    undone = merged(changed, note.undo)
    assert without_empty(undone) == found


def test_the_patch_is_for_that_very_object() -> None:
    patch = planting({}, {"metadata": {"uid": "u"}}, NOTED)
    assert patch["metadata"]["uid"] == "u"
