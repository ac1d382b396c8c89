"""What the sandbox's rules change, as the comparison expects it."""

from collections.abc import Iterable

from drills.objects.changes import Action, ExpectedChange
from drills.objects.paths import under
from drills.sandbox.patches import Change, Value

_HELD = "held back by the drill"


def expected(changes: Iterable[Change]) -> tuple[ExpectedChange, ...]:
    """One expected change for each object name that a rule is limited to, else one for the rule."""
    return tuple(_one(change, name) for change in changes for name in (change.names or ("*",)))


def _one(change: Change, name: str) -> ExpectedChange:
    path = _path(change.path)
    gone = change.value is Value.GONE
    return ExpectedChange(
        name=f"{_HELD}: {change.kind} {path}",
        resource=change.kind,
        path=path,
        action=Action.REMOVE if gone else Action.SET,
        value=None if gone else change.value,
        namespaces=frozenset(change.namespaces),
        object_name=name,
        only_if={} if change.was is Value.ANY else {path: (change.was,)},
    )


def _path(pointer: str) -> str:
    """A JSON pointer (RFC 6901) of keys as a path of the comparison."""
    path = ""
    for key in pointer.split("/")[1:]:
        path = under(path, key.replace("~1", "/").replace("~0", "~"))
    return path
