"""The room between those that deploy the canary and those that judge it: it needs neither."""

import ast
from pathlib import Path

import canary

ROOM = Path(canary.__file__).parent


def imported(path: Path) -> set[str]:
    """The first part of every module that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_it_imports_no_other_room_but_the_clusters_words() -> None:
    rooms = {path.parent.name for path in ROOM.parent.glob("*/__init__.py")}
    assert {"components", "drills", "kube"} <= rooms
    used = set().union(*map(imported, ROOM.glob("*.py")))
    assert used & rooms == {"canary", "kube"}


def test_neither_side_reaches_into_the_other() -> None:
    for side, other in (("components", "drills"), ("drills", "components")):
        files = list((ROOM.parent / side).rglob("*.py"))
        assert files
        assert [path.name for path in files if other in imported(path)] == []
