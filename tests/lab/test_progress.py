"""Progress reads well in a log and stays in place on a terminal."""

import io

from lab.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_in_a_log_each_event_is_a_line_with_done_of_all_and_elapsed() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(2, stream=stream, clock=clock, terminal=False)
    progress.begin("minio", "building")
    clock.now += 15
    progress.report()
    clock.now += 5
    assert progress.end("minio", "built") == 20
    progress.begin("pulumi", "building")
    clock.now += 1
    progress.report()
    assert stream.getvalue().splitlines() == [
        "[0/2] minio: building",
        "[0/2] minio: building, 15 s",
        "[1/2] minio: built after 20 s",
        "[1/2] pulumi: building",
        "[1/2] pulumi: building, 1 s",
    ]


def test_a_log_gets_no_control_characters() -> None:
    stream = io.StringIO()
    with Progress(1, stream=stream, terminal=False) as progress:
        progress.begin("a", "building")
        progress.end("a", "built")
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_redraws_one_line_per_job_in_place() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(2, stream=stream, clock=clock, terminal=True)
    progress.begin("a", "building")
    progress.begin("b", "building")
    stream.truncate(0)
    stream.seek(0)
    clock.now += 3
    progress.report()
    assert stream.getvalue() == "\x1b[2A\x1b[J[0/2] a: building, 3 s\n[0/2] b: building, 3 s\n"
    stream.truncate(0)
    stream.seek(0)
    progress.end("a", "built")
    assert stream.getvalue() == ("\x1b[2A\x1b[J[1/2] a: built after 3 s\n[1/2] b: building, 3 s\n")
