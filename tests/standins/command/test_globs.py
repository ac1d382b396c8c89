"""Path patterns: stars and slashes, sets, choices, exclusion in order."""

from pathlib import Path

import pytest

from standins.pulumi.command.globs import find, translate


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a.txt", True),
        ("*", "d/a.txt", False),
        ("**", "d/e/a.txt", True),
        ("src/**.js", "src/d/a.js", True),
        ("src/*.js", "src/d/a.js", False),
        ("?.txt", "a.txt", True),
        ("?.txt", "/.txt", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("{one,two}.txt", "two.txt", True),
        ("{one,two}.txt", "three.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("a.b", "aXb", False),
        ("a,b", "a,b", True),
    ],
)
def test_a_pattern_matches_or_not(pattern: str, path: str, matches: bool) -> None:
    assert bool(translate(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize("pattern", ["[ab", "{a,b", "a}"])
def test_an_open_bracket_is_an_error_that_names_the_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="unmatched bracket or brace"):
        translate(pattern)


def test_rules_apply_in_their_order_and_directories_are_left_out(tmp_path: Path) -> None:
    for name in ("a.js", "secret.js", "d/b.js", "d/secret.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find(tmp_path, ["**.js", "!**secret.*"]) == ["a.js", "d/b.js"]
    assert find(tmp_path, ["!**secret.*", "**.js"]) == ["a.js", "d/b.js", "secret.js"]
    assert find(tmp_path, ["d"]) == []
