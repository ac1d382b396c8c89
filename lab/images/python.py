"""CPython with its standard library, out of the Debian packages of the node's base image.

Everything comes from one place, the base image that debootstrap made and checked: neither from the
interpreter that runs the lab, whose shared libraries may be anywhere, nor from a registry.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lab.errors import LabError
from lab.images.archive import Entry

PACKAGES = ("python3-minimal", "libpython3-stdlib")
"""Debian's names for the interpreter and for what the official image calls the standard library."""

STATUS = "var/lib/dpkg/status"
LISTS = "var/lib/dpkg/info"
# Libraries and interpreter; beside them Python's packages need dpkg, for their scripts only.
_NEEDED = re.compile(r"(lib|python3|zlib)")
_INTERPRETER = re.compile(r"/usr/bin/python3[0-9.]*|(/usr/lib|/etc)/python3\.[0-9]+/.*")
# Also what the kernel starts a program with; not what only turns one text encoding into another.
_LIBRARY = re.compile(r"(/usr)?/lib(32|64)?/(?!.*/gconv/).*\.so(\.[0-9.]+)?")
_LEFT_OUT = re.compile(r"/(__pycache__|test|tests|lib2to3|pydoc_data|idlelib|turtledemo)/")

Fields = Mapping[str, str]


def entries(base: Path) -> list[Entry]:
    """Every file of the interpreter, its library and the shared libraries of both.

    Raises LabError when the base image has no Python.
    """
    installed = _installed((base / STATUS).read_text(encoding="utf-8"))
    missing = [name for name in PACKAGES if name not in installed]
    if missing:
        raise LabError(
            f"the base image {base} has no package {missing[0]}: remove that folder and run the "
            "command again, which builds it anew"
        )
    paths = {
        path
        for name in _closure(installed)
        for path in _listed(base / LISTS, installed[name])
        if _wanted(path)
    }
    found = (_entry(base, path) for path in sorted(paths))
    return [one for one in found if one is not None]


def _installed(status: str) -> dict[str, Fields]:
    """dpkg's fields by package, of those that are installed."""
    found: dict[str, Fields] = {}
    for paragraph in status.split("\n\n"):
        lines = [line.partition(": ") for line in paragraph.splitlines() if line[:1].strip()]
        fields = {name: value for name, _, value in lines}
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def _closure(installed: Mapping[str, Fields]) -> set[str]:
    found: set[str] = set()
    left = list(PACKAGES)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _depends(installed[name], installed)
    return found


def _depends(fields: Fields, installed: Iterable[str]) -> Iterator[str]:
    relations = f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}"
    for relation in re.split(r"[,|]", relations):
        name = relation.partition("(")[0].partition(":")[0].strip()
        if name in installed and _NEEDED.match(name):
            yield name


def _listed(folder: Path, fields: Fields) -> list[str]:
    """The package's paths, from the root. A library's list bears the architecture too."""
    name = fields["Package"]
    places = (folder / f"{name}:{fields.get('Architecture', '')}.list", folder / f"{name}.list")
    return next(place for place in places if place.exists()).read_text().splitlines()


def _wanted(path: str) -> bool:
    wanted = _INTERPRETER.fullmatch(path) or _LIBRARY.fullmatch(path)
    return bool(wanted) and not _LEFT_OUT.search(path)


def _entry(base: Path, path: str) -> Entry | None:
    """The file or link as an image has it; None for a folder."""
    inside = path.lstrip("/")
    source = base / inside
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(inside, link=str(source.readlink()))
    return Entry(inside, source, mode=stat.S_IMODE(mode)) if stat.S_ISREG(mode) else None
