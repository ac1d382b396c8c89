"""Whether a cron expression means a minute, as Kubernetes' CronJobs read one (robfig/cron)."""

from datetime import datetime

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)


def means(text: str, minute: datetime) -> bool:
    """Whether this minute is meant. Raises ValueError for what is no expression."""
    parts = DESCRIPTORS.get(text, text).split()
    if len(parts) != len(_BOUNDS):
        raise ValueError(f"{text!r} has {len(parts)} fields and not five")
    # Python counts days of the week from Monday, cron from Sunday.
    now = (minute.minute, minute.hour, minute.day, minute.month, (minute.weekday() + 1) % 7)
    fields = [_field(part, place, text) for place, part in enumerate(parts)]
    fits = [value in values for value, (values, _) in zip(now, fields, strict=True)]
    day, week = fits[2], fits[4]
    # Both day fields count if one of them leaves the choice to the other, else either does.
    both = fields[2][1] or fields[4][1]
    return fits[0] and fits[1] and fits[3] and ((day and week) if both else (day or week))


def _field(text: str, place: int, whole: str) -> tuple[set[int], bool]:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        found, starred = _range(part, place, whole)
        values |= found
        star = star or starred
    return values, star


def _range(text: str, place: int, whole: str) -> tuple[set[int], bool]:
    least, most = _BOUNDS[place]
    spread, slash, step_text = text.partition("/")
    step = _number(step_text, {}, whole) if slash else 1
    if spread in ("*", "?"):
        low, high = least, most
    else:
        low_text, dash, high_text = spread.partition("-")
        low = _number(low_text, _NAMES[place], whole)
        high = _number(high_text, _NAMES[place], whole) if dash else (most if slash else low)
    if step < 1 or low < least or high > most or low > high:
        raise ValueError(f"{whole!r}: {text!r} is not within {least} to {most}")
    return set(range(low, high + 1, step)), spread in ("*", "?") and step == 1


def _number(text: str, names: dict[str, int], whole: str) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{whole!r}: {text!r} is no number")
    return int(text)
