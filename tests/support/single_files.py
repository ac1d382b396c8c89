"""Programs of one file that run in pods, under whatever Python an image has."""

import ast
from pathlib import Path


def imported(file: Path, feature_version: tuple[int, int]) -> set[str]:
    """Top-level modules that a file imports; SyntaxError if that Python could not read it."""
    tree = ast.parse(file.read_text(), feature_version=feature_version)
    return {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
