"""Marks come back as they were set, and names are valid, telling and never shared."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.sandbox import marks
from drills.sandbox.marks import MarkError, Run
from kube.marks import SITE_LABEL
from tests.drills.sandbox.runs import HOUR, NOW, RUN_ID, run

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NAMESPACES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


def marked(**changed: str | None) -> dict[str, Any]:
    held = {**run().labels(), **changed}
    return {
        "kind": "Namespace",
        "metadata": {
            "name": "backstop-drill-0123456789ab-app",
            "labels": {key: value for key, value in held.items() if value is not None},
        },
    }


def test_a_mark_is_read_as_it_was_set() -> None:
    assert marks.read(marked()) == run()


def test_labels_are_what_kubernetes_takes_and_tell_the_site() -> None:
    held = run().labels()
    assert all(LABEL_VALUE.fullmatch(value) for value in held.values())
    assert held[SITE_LABEL] == "dev"
    assert held[marks.RUN_LABEL] == RUN_ID


@pytest.mark.parametrize("found", [{}, {"metadata": {"labels": {SITE_LABEL: "dev"}}}])
def test_what_bears_no_drill_label_is_no_drills(found: dict[str, Any]) -> None:
    assert marks.read(found) is None


@pytest.mark.parametrize(
    "changed",
    [
        {SITE_LABEL: None},
        {marks.RUN_LABEL: None},
        {marks.RUN_LABEL: "Not-A-Run"},
        {marks.MADE_LABEL: None},
        {marks.MADE_LABEL: "yesterday"},
        {marks.UNTIL_LABEL: None},
        {marks.UNTIL_LABEL: "20200101T000000Z"},
    ],
)
def test_half_a_mark_is_an_error_that_names_the_object(changed: dict[str, str | None]) -> None:
    with pytest.raises(
        MarkError, match="Namespace backstop-drill-0123456789ab-app bears the label"
    ):
        marks.read(marked(**changed))


@pytest.mark.parametrize("run_id", ["", "UPPER", "with-hyphen", "a" * 17, "ä"])
def test_a_run_id_that_could_not_be_read_back_is_refused(run_id: str) -> None:
    with pytest.raises(ValueError, match="no run id"):
        run(run_id)


def test_a_run_without_a_life_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        Run("dev", "volumes", RUN_ID, NOW, NOW - HOUR)


def test_a_name_that_fits_is_kept() -> None:
    assert run().name() == "backstop-drill-0123456789ab"
    assert run().name("shop") == "backstop-drill-0123456789ab-shop"


@given(NAMESPACES, st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True))
def test_names_are_valid_and_tell_their_run(source: str, run_id: str) -> None:
    name = run(run_id).name(source)
    assert DNS_LABEL.fullmatch(name)
    assert marks.run_id_of(name) == run_id
    assert run(run_id).name(source) == name


LONG = st.builds(lambda head, tail: f"{'n' * 40}{head}{tail}"[:63].strip("-") or "n", NAMESPACES,
                 NAMESPACES)  # fmt: skip


@given(st.sets(st.one_of(NAMESPACES, LONG), max_size=30))
def test_no_two_namespaces_share_a_sandbox(sources: set[str]) -> None:
    # The names of a first mapping are sources too: what looks shortened must not be taken for it.
    prefix = f"{marks.PREFIX}{RUN_ID}-"
    sources |= {name.removeprefix(prefix) for name in run().namespaces(sources).values()}
    mapping = run().namespaces(sources)
    assert set(mapping) == sources
    assert len(set(mapping.values())) == len(sources)


def test_a_collision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "shortened", lambda _text, _limit: "same")
    with pytest.raises(ValueError, match="the same one"):
        run().namespaces(["a", "b"])


@pytest.mark.parametrize(
    "named", ["", "shop", "backstop-drill", "backstop-drill-", "backstop-drill-Not-app"]
)
def test_other_names_are_of_no_run(named: str) -> None:
    assert marks.run_id_of(named) is None
