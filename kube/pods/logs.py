"""What a container wrote: streamed, and never more than was asked for."""

from collections.abc import Iterator

from kube.client import Client, Clock, SilenceError
from kube.errors import ClusterError
from kube.pods.container import Container

SILENCE_SECONDS = 30.0
_LAST_BYTES = 4096


def logs(
    client: Client,
    container: Container,
    *,
    limit: int,
    seconds: float,
    follow: bool = False,
    previous: bool = False,
    tail: int | None = None,
    clock: Clock | None = None,
) -> Iterator[bytes]:
    """The log in chunks, `limit` bytes at most.

    `follow`: also what is written from now on, until the container ends or `seconds` have passed.
    `previous`: the log of the container before its last restart. `tail`: only that many last lines.

    Raises:
        ClusterError: no such container, no log of it yet, or cut off.
    """
    now = (clock or Clock()).now
    deadline = now() + seconds
    query = {"limitBytes": str(limit)}
    query |= {"container": container.name} if container.name else {}
    query |= {"follow": "true"} if follow else {}
    query |= {"previous": "true"} if previous else {}
    query |= {"tailLines": str(tail)} if tail is not None else {}
    left = limit
    silence = seconds if follow else min(seconds, SILENCE_SECONDS)
    try:
        for chunk in client.stream(f"{container.path}/log", query, silence=silence):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0 or (follow and now() >= deadline):
                return
    except SilenceError:
        if not follow:
            raise


def last_lines(client: Client, container: Container, count: int) -> list[str]:
    """The last lines of a container that ended, or of its forerunner; none if there is no log."""
    for previous in (False, True):
        try:
            parts = list(
                logs(
                    client,
                    container,
                    limit=_LAST_BYTES * 4,
                    seconds=SILENCE_SECONDS,
                    previous=previous,
                    tail=count,
                )
            )
        except ClusterError:
            continue
        text = b"".join(parts)[-_LAST_BYTES:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-count:]
    return []
