"""Whether multipathd leaves the devices of Longhorn's volumes alone, by its own configuration.

A volume is an iSCSI disk of the node's own target (vendor IET, product VIRTUAL-DISK), which shows
up as the next free /dev/sdX. multipathd that takes it keeps it busy, and no pod can mount it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

WANTED = 'blacklist { devnode "^sd[a-z0-9]+" }'
VENDOR, PRODUCT = "IET", "VIRTUAL-DISK"
# As udev writes it for such a disk.
WWID = "360000000000000000e00000000010001"
# The node may have any number of disks before the volume's.
DEVICES = ("sda", "sdz", "sdab")

_SECTION = re.compile(r"^\s*(blacklist|blacklist_exceptions)\s*(\{.*)?$")
_ENTRY = re.compile(r'^\s*(devnode|wwid|vendor|product)\s+"?([^"]*?)"?\s*$')
_NEXT = re.compile(r'(?<=")\s+(?=devnode|wwid|vendor|product)')
# POSIX classes, which Python's expressions do not have.
_CLASSES = {"digit": "0-9", "alpha": "a-zA-Z", "alnum": "a-zA-Z0-9", "lower": "a-z"}


@dataclass
class _Section:
    """`devices`: of each block `device`, what it says of vendor and product."""

    devnodes: list[str] = field(default_factory=list)
    wwids: list[str] = field(default_factory=list)
    devices: list[dict[str, str]] = field(default_factory=list)


def leaves_alone(lines: Iterable[str]) -> bool:
    """Whether by these lines (of the blacklist sections) every device of Longhorn is left alone.

    What cannot be read counts as not there.
    """
    listed, excepted = _sections(lines)
    by_vendor = any(_is_longhorn(one) for one in listed.devices)
    if by_vendor and not any(_is_longhorn(one) for one in excepted.devices):
        return True
    if _any_matches(listed.wwids, WWID) and not _any_matches(excepted.wwids, WWID):
        return True
    return all(
        _any_matches(listed.devnodes, device) and not _any_matches(excepted.devnodes, device)
        for device in DEVICES
    )


def _sections(lines: Iterable[str]) -> tuple[_Section, _Section]:
    found = {"blacklist": _Section(), "blacklist_exceptions": _Section()}
    current = found["blacklist"]
    for piece in _pieces(lines):
        section, entry = _SECTION.match(piece), _ENTRY.match(piece)
        if section:
            current = found[section[1]]
        elif piece.strip() == "device":
            current.devices.append({})
        elif entry and entry[1] == "devnode":
            current.devnodes.append(entry[2])
        elif entry and entry[1] == "wwid":
            current.wwids.append(entry[2])
        elif entry and current.devices:
            current.devices[-1][entry[1]] = entry[2]
    return found["blacklist"], found["blacklist_exceptions"]


def _pieces(lines: Iterable[str]) -> Iterable[str]:
    """One statement each: braces and several entries may stand on one line."""
    for line in lines:
        # Braces inside an expression stand between quotes, which do not span lines.
        parts = re.split(r'("[^"]*")', line)
        plain = "".join(
            part if position % 2 else part.replace("{", "\n").replace("}", "\n")
            for position, part in enumerate(parts)
        )
        for statement in plain.split("\n"):
            yield from re.sub(r'(?<=")\s+(?=devnode|wwid|vendor|product)', "\n", statement).split(
                "\n"
            )


def _is_longhorn(device: Mapping[str, str]) -> bool:
    vendor, product = device.get("vendor"), device.get("product")
    if vendor is None or not _matches(vendor, VENDOR):
        return False
    return product is None or _matches(product, PRODUCT)


def _any_matches(expressions: Sequence[str], device: str) -> bool:
    return any(_matches(one, device) for one in expressions)


def _matches(expression: str, text: str) -> bool:
    """As multipathd does: found anywhere in the text; a leading ! turns it round."""
    wanted = not expression.startswith("!")
    pattern = expression.removeprefix("!")
    for name, characters in _CLASSES.items():
        pattern = pattern.replace(f"[:{name}:]", characters)
    try:
        return (re.search(pattern, text) is not None) is wanted
    except re.error:
        return False
