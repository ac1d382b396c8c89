"""The pages of the documentation as data: which commands they show, and what these must print.

Three comments, invisible on the page, say what a test may take from it:

    <!-- run: NAME -->      the block of shell commands below belongs to the flow NAME
    <!-- shows: TEXT -->    what the block above prints holds TEXT
    <!-- config: NAME -->   the YAML block below is what the flow adds to a stack's config

A flow's blocks are run in the order of the page, each by a shell of its own.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

_COMMENT = re.compile(r"<!-- (run|shows|config): (.+?) -->")
_FENCE = "```"
STEP_SECONDS = 1800


class PageError(ValueError):
    """A page whose marks cannot be read: the line, and what is wrong there."""


@dataclass(frozen=True)
class Step:
    """One block of a flow. `line`: of its first command; `shows`: texts its output must hold."""

    line: int
    script: str
    shows: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Mark:
    line: int
    kind: str
    text: str


def flows(page: str) -> set[str]:
    """The names of the flows that a page has commands of."""
    return {mark.text for mark in _marks(page) if mark.kind == "run"}


def steps(page: str, flow: str) -> list[Step]:
    """The flow's blocks in the order of the page.

    Raises:
        PageError: a mark without its block, `shows` without a block above it, or no such flow.
    """
    found: list[Step] = []
    current: str | None = None
    for mark in _marks(page):
        if mark.kind == "run":
            current = mark.text
            script = _block(page, mark, "sh")
            if current == flow:
                found.append(Step(mark.line + 2, script))
        elif mark.kind == "shows":
            if current is None:
                raise PageError(f"line {mark.line}: nothing above prints this")
            if current == flow:
                last = found[-1]
                found[-1] = Step(last.line, last.script, (*last.shows, mark.text))
    if not found:
        raise PageError(f"the page has no commands of {flow}; it has {sorted(flows(page))}")
    return found


def config(page: str, flow: str, values: Mapping[str, str]) -> dict[str, Any]:
    """What the flow adds to a stack's config, its `${NAMES}` replaced by `values`.

    Raises:
        PageError: the page has none for this flow, or a name in it has no value.
    """
    for mark in _marks(page):
        if mark.kind == "config" and mark.text == flow:
            try:
                text = Template(_block(page, mark, "yaml")).substitute(values)
            except KeyError as missing:
                raise PageError(f"line {mark.line}: {missing} has no value") from None
            content: dict[str, Any] = yaml.safe_load(text)["config"]
            return content
    raise PageError(f"the page has no config for {flow}")


def _marks(page: str) -> Iterator[_Mark]:
    for number, line in enumerate(page.splitlines(), start=1):
        found = _COMMENT.fullmatch(line.strip())
        if found:
            yield _Mark(number, found[1], found[2])
        elif line.lstrip().startswith("<!--"):
            raise PageError(f"line {number}: this comment is no run, shows or config mark")


def _block(page: str, mark: _Mark, language: str) -> str:
    """The text of the fenced block right below a mark."""
    below = page.splitlines()[mark.line :]
    if not below or below[0] != _FENCE + language:
        raise PageError(f"line {mark.line}: no block of {language} is right below")
    if _FENCE not in below:
        raise PageError(f"line {mark.line}: the block below does not end")
    return "\n".join(below[1 : below.index(_FENCE)]) + "\n"


def run(steps_: Sequence[Step], *, directory: Path, environment: Mapping[str, str]) -> None:
    """Runs a flow as a person would; AssertionError with the page's line if a step goes wrong."""
    for step in steps_:
        done = subprocess.run(
            ["sh", "-eu", "-c", step.script],
            cwd=directory,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"line {step.line}: exit {done.returncode}\n{done.stdout}"
        for text in step.shows:
            assert text in done.stdout, f"line {step.line} does not show {text!r}:\n{done.stdout}"
