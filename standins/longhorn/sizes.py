"""Sizes as Kubernetes writes them, and as Longhorn rounds them."""

from decimal import Decimal, InvalidOperation

MIB = 1 << 20
# longhorn-manager util: a volume's size is a multiple of 2 MiB, and 10 MiB at least.
_STEP = 2 * MIB
_LEAST = 10 * MIB
_UNITS = {
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    "": 1,
}


def quantity(text: str) -> int:
    """Bytes of a quantity such as "1Gi", "500M" or "1e9". Raises ValueError."""
    unit = text.lstrip("0123456789.eE+-") if text[-1:].isalpha() else ""
    number = text.removesuffix(unit)
    if unit not in _UNITS:
        raise ValueError(f"{text!r} is no size")
    try:
        return int(Decimal(number) * _UNITS[unit])
    except InvalidOperation:
        raise ValueError(f"{text!r} is no size") from None


def volume_size(text: str) -> int:
    """Bytes of the Longhorn volume behind a claim of this size. Raises ValueError."""
    return max(-(-quantity(text) // _STEP) * _STEP, _LEAST)
