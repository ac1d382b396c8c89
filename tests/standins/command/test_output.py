"""Captured output: trimming, lines for the log, redaction, the tail of an error."""

from hypothesis import given
from hypothesis import strategies as st

from standins.pulumi.command.output import (
    TAIL_CHARACTERS,
    Output,
    Redactor,
    Stream,
    logged_streams,
)

_BOTH = frozenset(Stream)


def _output(secrets: tuple[str, ...] = ()) -> tuple[Output, list[str]]:
    lines: list[str] = []
    return Output(Redactor(secrets), _BOTH, lines.append), lines


@given(st.text(alphabet="ab\n"), st.integers(1, 4))
def test_lines_are_the_same_however_the_data_is_cut(text: str, size: int) -> None:
    output, lines = _output()
    for start in range(0, len(text), size):
        output.write(Stream.STDOUT, text[start : start + size].encode())
    output.finish()
    assert "\n".join(lines) == text.removesuffix("\n")
    assert output.text(Stream.STDOUT) == text.removesuffix("\n")


def test_the_streams_do_not_mix_within_a_line() -> None:
    output, lines = _output()
    output.write(Stream.STDOUT, b"out-")
    output.write(Stream.STDERR, b"err\n")
    output.write(Stream.STDOUT, b"put\n")
    assert lines == ["err", "out-put"]


@given(st.text(min_size=1), st.text())
def test_a_secret_is_in_no_message(secret: str, rest: str) -> None:
    message = Redactor([secret])(f"{rest}{secret}{rest}")
    if secret.strip() and secret.strip() not in "[secret]":
        assert secret.strip() not in message.replace("[secret]", "")


def test_the_lines_of_a_secret_are_secret_but_short_ones_are_not() -> None:
    redact = Redactor(["-----BEGIN-----\nAAAABBBB\nshort\n"])
    assert redact("x AAAABBBB y short") == "x [secret] y short"


def test_an_error_repeats_the_end_of_long_output() -> None:
    output, _ = _output(("hunter2",))
    output.write(Stream.STDOUT, b"first " + b"x" * 2 * TAIL_CHARACTERS + b" hunter2 last\n")
    tail = output.tail()
    assert tail.startswith("[...] x")
    assert tail.endswith(" [secret] last")
    assert len(tail) < TAIL_CHARACTERS + 20


def test_an_unheard_of_logging_shows_nothing() -> None:
    assert logged_streams("nonsense") == frozenset()
    assert logged_streams(None) == _BOTH
