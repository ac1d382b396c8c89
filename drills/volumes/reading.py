"""Runs the tree reader in a pod, and keeps what it prints.

The reader's script goes along as an argument, packed: a stream for it would need an end, which API
servers before Kubernetes 1.30 cannot send, and a mount is nothing that held pods have.

The output is checked as it comes and written to a file, so memory does not grow with the volume,
and every later pass over the tree finds it whole.
"""

import base64
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from drills.verdict import Reason, reason_of_error
from drills.volumes import tree_reader
from drills.volumes.sources import Source
from drills.volumes.tree import Fault, Trailer, Tree, TreeError, lines_of
from kube.client import Clock
from kube.errors import RETRIED, ClusterError, one_line
from kube.pods.channels import Dial
from kube.pods.container import Container
from kube.pods.execution import Ended, ExecCause, ExecError, Execution, execute, sealed

MOST_BYTES = 16 << 30
"""More than a tree of ten million entries with long names; an output beyond it fills a disk."""

_UNPACKED = (
    "import base64,sys,zlib;"
    "exec(compile(zlib.decompress(base64.urlsafe_b64decode(sys.argv.pop(1))),'tree_reader','exec'))"
)
_BAD_ARGUMENT = 2
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_IMAGE_CODES = frozenset({_NOT_EXECUTABLE, _NOT_FOUND})
_AGAIN = frozenset({ExecCause.BROKEN, ExecCause.NOT_STARTED})


class ReadError(Exception):
    """A volume that was not read; the text is one sentence. `again`: a second try may do better."""

    def __init__(self, reason: Reason, sentence: str, *, again: bool = False) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.again = again


@dataclass(frozen=True)
class Reading:
    """A volume as it was read, whole and checked once.

    `seconds` from the order to the reader's end. `printed`: bytes of the tree; those of the volume
    are in `trailer`. `spool`: the file that holds the tree.
    """

    source: Source
    trailer: Trailer
    seconds: float
    printed: int
    spool: Path

    def tree(self) -> Tree:
        """The tree anew, as often as it is asked for. Raises TreeError, OSError."""
        return Tree(_lines(self.spool))


def command(source: Source, *, xattrs: bool = False, times: bool = False) -> list[str]:
    """What is run in the pod; it needs python3 of 3.9 or later."""
    packed = zlib.compress(Path(tree_reader.__file__).read_bytes(), 9)
    script = base64.urlsafe_b64encode(packed).decode()
    options = [*(["--xattrs"] if xattrs else []), *(["--times"] if times else [])]
    return ["python3", "-I", "-c", _UNPACKED, script, *options, f"{source.name}={source.root}"]


def read(
    dial: Dial,
    source: Source,
    spool: Path,
    *,
    seconds: float,
    xattrs: bool,
    clock: Clock,
    times: bool = False,
) -> Reading:
    """Reads one volume into the file `spool`, which is written anew. Raises ReadError."""
    whole, mark = sealed(command(source, xattrs=xattrs, times=times))
    where = Container(source.namespace, source.pod, source.container)
    try:
        with (
            execute(dial, where, whole, seconds=seconds, mark=mark, clock=clock) as running,
            spool.open("wb") as file,
        ):
            trailer, ended = _taken(running, source, file)
    except ExecError as error:
        raise _not_ended(source, error, seconds) from error
    except ClusterError as error:
        again = error.cause in RETRIED
        sentence = f"volume {source} cannot be read: {error}"
        raise ReadError(reason_of_error(error), sentence, again=again) from error
    except OSError as error:
        raise ReadError(
            Reason.DRILL_FAILED,
            f"the digest tree of volume {source} cannot be written to {spool.parent} "
            f"({error.strerror}); make room there, or set TMPDIR to a folder that has some",
        ) from error
    return Reading(source, trailer, ended.seconds, ended.received, spool)


def _taken(running: Execution, source: Source, file: BinaryIO) -> tuple[Trailer, Ended]:
    with closing(_spooled(running, source, file)) as pieces:
        try:
            trailer = _checked(lines_of(pieces), source)
        except TreeError as error:
            raise _untrusted(running, source, error) from error
    ended = running.ended()
    if ended.exit_code:
        raise _failed(source, ended)
    return trailer, ended


def _spooled(
    chunks: Iterable[bytes], source: Source, file: BinaryIO
) -> Generator[bytes, None, None]:
    left = MOST_BYTES
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise ReadError(
                Reason.DRILL_FAILED,
                f"the digest tree of volume {source} is longer than {MOST_BYTES >> 30} GiB; leave "
                "the volume out of the drill, or split it",
            )
        file.write(chunk)
        yield chunk


def _checked(lines: Iterator[bytes], source: Source) -> Trailer:
    """The trailer of the one tree in `lines`. Raises TreeError."""
    tree = Tree(lines)
    if tree.header.volume != source.name:
        raise TreeError(Fault.MALFORMED, f"the digest tree is of another volume than {source}")
    for _ in tree:
        pass
    if next(lines, None) is not None:
        raise TreeError(
            Fault.MALFORMED, f"something follows the trailer of the digest tree of {source}"
        )
    return tree.trailer


def _untrusted(running: Execution, source: Source, error: TreeError) -> ReadError:
    """An output that is no tree: how the reader ended says more, if it did."""
    try:
        ended = running.ended()
    except ExecError:
        ended = None
    if ended is not None and ended.exit_code:
        return _failed(source, ended)
    sentence = f"volume {source} was not read: {error}"
    return ReadError(Reason.DRILL_FAILED, sentence, again=error.fault is not Fault.SCHEMA)


def _failed(source: Source, ended: Ended) -> ReadError:
    code = ended.exit_code
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    told = one_line(lines[-1], 300) if lines else "it said nothing"
    cure = "look at its pod and node, and run the drill again"
    if code in _IMAGE_CODES:
        cure = "give the drill a reader image with sh and with python3 of 3.9 or later"
    return ReadError(
        Reason.DRILL_FAILED,
        f"volume {source} was not read: the reader in pod {source.namespace}/{source.pod} ended "
        f"with exit code {code} ({told}); {cure}",
        again=code != _BAD_ARGUMENT and code not in _IMAGE_CODES,
    )


def _not_ended(source: Source, error: ExecError, seconds: float) -> ReadError:
    sentence = f"volume {source} was not read: {error}"
    if error.cause is ExecCause.TIMEOUT:
        sentence = (
            f"volume {source} was not read within {seconds:.0f} s; give the drill more time to "
            "read, or look why its node is slow"
        )
    return ReadError(Reason.DRILL_FAILED, sentence, again=error.cause in _AGAIN)


def _lines(spool: Path) -> Iterator[bytes]:
    """Lines of a file that was checked for endless ones when it was written."""
    with spool.open("rb") as file:
        yield from file
