"""The line about how far something is."""

import io

from drills.backupstore.by_hand.progress import ProgressLine

MIB = 1 << 20


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, *calls: tuple[float, int, int]) -> str:
    """What is printed when `show` is called at these seconds."""
    now = 0.0
    with ProgressLine("restoring pvc-data", stream, lambda: now) as line:
        for seconds, done, whole in calls:
            now = seconds
            line.show(done, whole)
    return stream.getvalue()


def test_in_place_on_a_terminal() -> None:
    text = shown(Terminal(), (0.0, 0, 100 * MIB), (0.1, MIB, 100 * MIB), (10, 50 * MIB, 100 * MIB))
    assert text == (
        "\r\x1b[Krestoring pvc-data: 50 %, 50 MiB of 100 MiB, 5 MiB/s, 10 s left\r\x1b[K"
    )


def test_now_and_then_elsewhere() -> None:
    calls = [(float(second), second * MIB, 7200 * MIB) for second in range(65)]
    lines = shown(io.StringIO(), *calls).splitlines()
    assert lines == [
        "restoring pvc-data: 0 %, 30 MiB of 7.0 GiB, 1 MiB/s, 1 h 59 min left",
        "restoring pvc-data: 0 %, 60 MiB of 7.0 GiB, 1 MiB/s, 1 h 59 min left",
    ]


def test_what_was_there_before_is_no_speed() -> None:
    text = shown(Terminal(), (0.0, 90 * MIB, 100 * MIB), (5.0, 95 * MIB, 100 * MIB))
    assert "95 %, 95 MiB of 100 MiB, 1 MiB/s, 5 s left" in text


def test_without_a_known_end() -> None:
    text = shown(Terminal(), (0.0, 0, 0), (1.0, MIB, 0), (4.0, 4 * MIB, 0))
    assert "restoring pvc-data: 1 MiB\r" in text
    assert "restoring pvc-data: 4 MiB, 1 MiB/s\r" in text
