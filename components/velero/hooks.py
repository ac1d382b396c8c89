"""Commands that make a workload's data consistent before Velero takes its volume.

Two ways to use them: as hooks of every schedule (config `velero.hooks`), or as annotations of the
workload's own pods. A dump stands in the workload's volume and is saved with it, so it is right
even where the files are copied one after the other. Passwords are taken from the container's own
environment by the client itself and never stand in an argument.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["postgres", "mysql", "mariadb", "mongodb", "redis", "fsfreeze"]

_ANNOTATION = "hook.backup.velero.io"


@dataclass(frozen=True)
class Recipe:
    """Shell text before and after; `{path}` is the folder (dump) or the mount point (freeze)."""

    before: str
    after: str | None
    needs_path: bool


def _dump(command: str) -> str:
    """Writes the dump beside the last one and then takes its place: a torn dump is never kept."""
    return (
        "set -eu; umask 077; mkdir -p {path}; "
        + command
        + " >{path}/backstop.dump.new; mv {path}/backstop.dump.new {path}/backstop.dump"
    )


RECIPES: dict[Kind, Recipe] = {
    "postgres": Recipe(
        _dump('PGPASSWORD="${POSTGRES_PASSWORD:-}" pg_dumpall -w -U "${POSTGRES_USER:-postgres}"'),
        None,
        needs_path=True,
    ),
    "mysql": Recipe(
        _dump(
            'MYSQL_PWD="${MYSQL_ROOT_PASSWORD:-}" mysqldump -u root --all-databases '
            "--single-transaction --routines --events --triggers"
        ),
        None,
        needs_path=True,
    ),
    "mariadb": Recipe(
        _dump(
            'MYSQL_PWD="${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-}}" mariadb-dump -u root '
            "--all-databases --single-transaction --routines --events --triggers"
        ),
        None,
        needs_path=True,
    ),
    # The lock flushes and holds writes; the journal makes the rest consistent.
    "mongodb": Recipe(
        "mongosh --quiet --eval 'if (db.fsyncLock().ok !== 1) quit(1)'",
        "mongosh --quiet --eval 'if (db.fsyncUnlock().ok !== 1) quit(1)'",
        needs_path=False,
    ),
    "redis": Recipe(
        'REDISCLI_AUTH="${REDIS_PASSWORD:-}" redis-cli SAVE | grep -q OK', None, needs_path=False
    ),
    # Needs a privileged container with the volume mounted; the workload waits while it is frozen.
    "fsfreeze": Recipe(
        "/sbin/fsfreeze --freeze {path}", "/sbin/fsfreeze --unfreeze {path}", needs_path=True
    ),
}


def check(kind: Kind, path: str | None) -> None:
    """Raises ValueError, one sentence, if the kind lacks its path or has one too many."""
    recipe = RECIPES[kind]
    if recipe.needs_path and path is None:
        raise ValueError(
            f"path: {kind} needs one, "
            + (
                "the mount point to freeze"
                if kind == "fsfreeze"
                else "a folder in the volume for its dump"
            )
        )
    if not recipe.needs_path and path is not None:
        raise ValueError(f"path: {kind} takes none; leave it out")


def _shell(text: str, path: str | None) -> list[str]:
    return ["/bin/sh", "-c", text.replace("{path}", path or "")]


def annotations(
    kind: Kind, container: str, path: str | None = None, timeout: str = "10m"
) -> dict[str, str]:
    """Annotations for the pods of a workload, which do the same as the schedule's hooks.

    Raises:
        ValueError: as `check`.
    """
    check(kind, path)
    recipe = RECIPES[kind]
    found = _phase("pre", container, _shell(recipe.before, path), timeout, "Fail")
    if recipe.after is not None:
        # The workload must not stay frozen, whatever came before.
        found |= _phase("post", container, _shell(recipe.after, path), timeout, "Continue")
    return found


def _phase(
    phase: str, container: str, command: Sequence[str], timeout: str, on_error: str
) -> dict[str, str]:
    return {
        f"{phase}.{_ANNOTATION}/container": container,
        f"{phase}.{_ANNOTATION}/command": json.dumps(list(command)),
        f"{phase}.{_ANNOTATION}/timeout": timeout,
        f"{phase}.{_ANNOTATION}/on-error": on_error,
    }


def specification(
    name: str,
    kind: Kind,
    *,
    namespaces: Sequence[str],
    selector: Mapping[str, str],
    container: str,
    path: str | None,
    timeout: str,
) -> dict[str, Any]:
    """One entry of `hooks.resources` of a backup's specification."""
    check(kind, path)
    recipe = RECIPES[kind]

    def run(text: str, on_error: str) -> list[dict[str, Any]]:
        execution = {
            "container": container,
            "command": _shell(text, path),
            "onError": on_error,
            "timeout": timeout,
        }
        return [{"exec": execution}]

    entry: dict[str, Any] = {
        "name": name,
        "includedNamespaces": list(namespaces),
        "includedResources": ["pods"],
        "labelSelector": {"matchLabels": dict(selector)},
        "pre": run(recipe.before, "Fail"),
    }
    if recipe.after is not None:
        entry["post"] = run(recipe.after, "Continue")
    return entry
