"""Files out of the Debian packages of a base image, with the libraries that they need.

Everything comes from one place, the base image that debootstrap made and checked: neither from what
runs the lab, whose shared libraries may be anywhere, nor from a registry.
"""

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.images.archive import Entry

STATUS = "var/lib/dpkg/status"
LISTS = "var/lib/dpkg/info"
# What the kernel starts a program with too; not what only turns one text encoding into another.
_LIBRARY = re.compile(r"(/usr)?/lib(32|64)?/(?!.*/gconv/).*\.so(\.[0-9.]+)?")

Fields = Mapping[str, str]


def files(
    base: Path,
    packages: Sequence[str],
    wanted: Callable[[str], bool],
    follow: re.Pattern[str],
) -> list[Entry]:
    """The wanted files of these packages, and every shared library of those that they need.

    `follow`: names of packages whose needs count; others are needed by scripts of packages only.
    Raises LabError when the base image lacks one of the packages.
    """
    installed = _installed((base / STATUS).read_text(encoding="utf-8"))
    missing = [name for name in packages if name not in installed]
    if missing:
        raise LabError(
            f"the base image {base} has no package {missing[0]}: remove that folder and run the "
            "command again, which builds it anew"
        )
    paths = {
        path
        for name in _closure(packages, installed, follow)
        for path in _listed(base / LISTS, installed[name])
        if wanted(path)
    }
    found = (_entry(base, path) for path in sorted(paths))
    return [one for one in found if one is not None]


def is_library(path: str) -> bool:
    """Whether this is a shared library, or what starts programs that have some."""
    return _LIBRARY.fullmatch(path) is not None


def _installed(status: str) -> dict[str, Fields]:
    """dpkg's fields by package, of those that are installed."""
    found: dict[str, Fields] = {}
    for paragraph in status.split("\n\n"):
        lines = [line.partition(": ") for line in paragraph.splitlines() if line[:1].strip()]
        fields = {name: value for name, _, value in lines}
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def _closure(
    packages: Sequence[str], installed: Mapping[str, Fields], follow: re.Pattern[str]
) -> set[str]:
    found: set[str] = set()
    left = list(packages)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [one for one in _depends(installed[name], installed) if follow.match(one)]
    return found


def _depends(fields: Fields, installed: Iterable[str]) -> Iterator[str]:
    relations = f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}"
    for relation in re.split(r"[,|]", relations):
        name = relation.partition("(")[0].partition(":")[0].strip()
        if name in installed:
            yield name


def _listed(folder: Path, fields: Fields) -> list[str]:
    """The package's paths, from the root. A library's list bears the architecture too."""
    name = fields["Package"]
    places = (folder / f"{name}:{fields.get('Architecture', '')}.list", folder / f"{name}.list")
    return next(place for place in places if place.exists()).read_text().splitlines()


def _entry(base: Path, path: str) -> Entry | None:
    """The file or link as an image has it; None for a folder."""
    inside = path.lstrip("/")
    source = base / inside
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(inside, link=str(source.readlink()))
    return Entry(inside, source, mode=stat.S_IMODE(mode)) if stat.S_ISREG(mode) else None
