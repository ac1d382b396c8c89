"""How sizes, times and tables are printed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

_UNIT = 1024
_GAP = "  "


def sized(count: int) -> str:
    """Bytes for people: whole below 10 KiB, three digits above."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < _UNIT:
            return _number(size, unit)
        size /= _UNIT
    return _number(size, "TiB")


def _number(size: float, unit: str) -> str:
    digits = 0 if size == int(size) or size >= 100 else 1  # noqa: PLR2004 (three digits)
    return f"{size:.{digits}f} {unit}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def moment(time: datetime | None) -> str:
    """UTC, to the second; "never" for no time."""
    return "never" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def stamp(time: datetime | None) -> str | None:
    """For machines."""
    return None if time is None else time.astimezone(UTC).isoformat()


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Lines with columns one below the other; those numbered in `right` end in line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield _GAP.join(cells).rstrip()
