"""Kubernetes' quantities (`1000m`, `0.5Gi`) in the one form that the API server gives back."""

import re
from fractions import Fraction

from standins.pulumi.kubernetes.values import Value

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))((?:[KMGTPE]i)|[numkMGTPE]|[eE][+-]?\d+)?")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "": 0, "m": -3, "u": -6, "n": -9}
_KILO = 1024

# Maps whose values are quantities, and fields that are one, wherever a typed object has them.
_MAPS = frozenset(
    {
        "allocatable",
        "capacity",
        "default",
        "defaultRequest",
        "hard",
        "limits",
        "max",
        "maxLimitRequestRatio",
        "min",
        "overhead",
        "requests",
    }
)
_FIELDS = frozenset({"averageValue", "divisor", "sizeLimit"})
# Maps of the user's own words, where those names mean nothing.
_FREE = frozenset({"annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector"})


def canonical(value: Value) -> Value:
    """The canonical text of a quantity; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    found = _QUANTITY.fullmatch(str(value).strip())
    if found is None:
        return value
    number, suffix = Fraction(found.group(1)), found.group(2) or ""
    if suffix in _BINARY[1:]:
        return _binary(number * _KILO ** _BINARY.index(suffix))
    if suffix[:1] in ("e", "E") and suffix not in _DECIMAL:
        return value  # scientific notation is kept as it is written
    return _decimal(number * Fraction(10) ** _DECIMAL[suffix])


def normalized(value: Value) -> Value:
    """A copy of a part of a typed object with its quantities in canonical form."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _field(name, item) for name, item in value.items()}


def _field(name: str, value: Value) -> Value:
    if name in _FREE:
        return value
    if name in _MAPS and isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    return canonical(value) if name in _FIELDS else normalized(value)


def _binary(number: Fraction) -> str:
    if abs(number) < _KILO or number.denominator != 1:
        return _decimal(number)
    whole, power = number.numerator, 0
    while whole % _KILO == 0 and power < len(_BINARY) - 1:
        whole, power = whole // _KILO, power + 1
    return f"{whole}{_BINARY[power]}"


def _decimal(number: Fraction) -> str:
    if number == 0:
        return "0"
    for suffix, power in _DECIMAL.items():
        scaled = number / Fraction(10) ** power
        if scaled.denominator == 1:
            return f"{scaled.numerator}{suffix}"
    nano = number * 10**9
    return f"{-(-nano.numerator // nano.denominator)}n"  # the server rounds up too
