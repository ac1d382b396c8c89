"""Path patterns of `assetPaths` and `archivePaths`: `*` stays in a directory, `**` does not.

The syntax is that of the Go library the official plugin uses: `?`, `[abc]`, `[!abc]`, `{one,two}`
and a backslash for a literal character. A leading `!` takes files away again; the order counts.
"""

import re
from collections.abc import Sequence
from pathlib import Path


def find(directory: Path, patterns: Sequence[str]) -> list[str]:
    """The files below `directory` that the patterns leave, as sorted relative paths with `/`.

    Raises ValueError for a pattern that cannot be read. Directories are never returned, and links
    to directories are not followed.
    """
    rules = [(translate(pattern.removeprefix("!")), pattern[:1] != "!") for pattern in patterns]
    return sorted(path for path in _files(directory) if _selected(path, rules))


def _selected(path: str, rules: Sequence[tuple[re.Pattern[str], bool]]) -> bool:
    selected = False
    for rule, includes in rules:
        if rule.fullmatch(path):
            selected = includes
    return selected


def _files(directory: Path, prefix: str = "") -> list[str]:
    found: list[str] = []
    for entry in sorted(directory.iterdir()):
        name = prefix + entry.name
        if entry.is_dir() and not entry.is_symlink():
            found += _files(entry, name + "/")
        else:
            found.append(name)
    return found


_PARTS = re.compile(
    r"(?P<deep>\*\*+)|(?P<shallow>\*)|(?P<one>\?)|(?P<set>\[!?[^\]]+\])|(?P<literal>\\.)"
    r"|(?P<open>\{)|(?P<close>\})|(?P<comma>,)|(?P<plain>.)",
    re.DOTALL,
)
_FIXED = {"deep": ".*", "shallow": "[^/]*", "one": "[^/]", "open": "(?:", "close": ")"}


def translate(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression. Raises ValueError when a bracket or brace stays open."""
    expression, depth = "", 0
    for match in _PARTS.finditer(pattern):
        kind, text = str(match.lastgroup), match.group()
        depth += {"open": 1, "close": -1}.get(kind, 0)
        if depth < 0 or text == "[":
            raise ValueError(f"the pattern {pattern!r} has an unmatched bracket or brace")
        if kind == "comma":
            expression += "|" if depth else ","
        elif kind == "set":
            expression += text.replace("[!", "[^", 1)
        else:
            expression += _FIXED.get(kind) or re.escape(text.removeprefix("\\"))
    if depth:
        raise ValueError(f"the pattern {pattern!r} has an unmatched bracket or brace")
    return re.compile(expression, re.DOTALL)
