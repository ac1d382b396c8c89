"""CPython with its standard library, out of the Debian packages of the node's base image."""

import re
from pathlib import Path

from lab.images import debian
from lab.images.archive import Entry

PACKAGES = ("python3-minimal", "libpython3-stdlib")
"""Debian's names for the interpreter and for what the official image calls the standard library."""

# Libraries and interpreter; beside them Python's packages need dpkg, for their scripts only.
_NEEDED = re.compile(r"(lib|python3|zlib)")
_INTERPRETER = re.compile(r"/usr/bin/python3[0-9.]*|(/usr/lib|/etc)/python3\.[0-9]+/.*")
_LEFT_OUT = re.compile(r"/(__pycache__|test|tests|lib2to3|pydoc_data|idlelib|turtledemo)/")


def entries(base: Path) -> list[Entry]:
    """Every file of the interpreter, its library and the shared libraries of both.

    Raises LabError when the base image has no Python.
    """
    return debian.files(base, PACKAGES, _wanted, _NEEDED)


def _wanted(path: str) -> bool:
    wanted = _INTERPRETER.fullmatch(path) or debian.is_library(path)
    return bool(wanted) and not _LEFT_OUT.search(path)
