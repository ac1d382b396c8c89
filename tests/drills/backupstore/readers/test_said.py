"""What is said to a reader process and by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.backupstore.blocks import limit
from drills.backupstore.one_block import Wanted
from drills.backupstore.readers import greeting
from drills.backupstore.readers.frames import (
    MOST_BYTES,
    READY,
    Answer,
    FrameError,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from drills.backupstore.readers.greeting import Greeting
from drills.backupstore.readers.process import environment
from drills.backupstore.records import Compression
from drills.backupstore.s3_objects import Recipe
from tests.drills.backupstore.readers.watched import SECRET, somewhere
from tests.support.longhorn_store import BLOCK

REQUEST = Request(7, Wanted("ab" * 32, Compression.GZIP, BLOCK), True)

requests = st.builds(
    Request,
    st.integers(1, 2**32 - 1),
    st.builds(
        Wanted,
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.sampled_from(Compression),
        st.integers(1, 2**40),
    ),
    st.booleans(),
)


@given(request=requests)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    packet = encode_request(request)
    assert len(packet) < MOST_BYTES
    assert decode_request(packet) == request
    answer = Answer(request.number, request.wanted.block_size)
    assert decode_answer(encode_answer(answer), request) == request.wanted.block_size


@given(packet=st.binary(max_size=MOST_BYTES))
def test_any_bytes_are_a_packet_or_refused(packet: bytes) -> None:
    for decode in (decode_request, lambda found: decode_answer(found, REQUEST)):
        try:
            decode(packet)
        except FrameError:
            continue


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        encode_answer(READY),
        encode_answer(Answer(6, BLOCK)),
        encode_answer(Answer(7, limit(BLOCK) + 1)),
        encode_answer(Answer(7, 1))[:-1],
        encode_answer(Answer(7, 1)) + b"\0",
    ],
    ids=["end", "ready", "another number", "more than a block", "short", "long"],
)
def test_an_answer_that_cannot_be_is_refused(packet: bytes) -> None:
    with pytest.raises(FrameError):
        decode_answer(packet, REQUEST)


def test_no_compression_beyond_those_there_are() -> None:
    packet = bytearray(encode_request(REQUEST))
    packet[4] = 9
    with pytest.raises(FrameError):
        decode_request(bytes(packet))


def test_a_greeting_comes_back_as_it_was_and_shows_no_secret(recipe: Recipe) -> None:
    told = Greeting(recipe, "pvc-data", ((3, 4), (5, 6)))
    line = greeting.encode(told)
    assert greeting.decode(line) == told
    assert line.count(b"\n") == 1
    assert SECRET not in repr(told)
    assert recipe.credential.access_key not in repr(told)
    assert recipe.endpoint.ca_pem not in repr(told)
    assert recipe == somewhere(recipe.endpoint.ca_pem)


def test_of_the_environment_only_what_python_needs_is_handed_on() -> None:
    kept = {"PATH": "/bin", "PYTHONPATH": "/x", "LD_LIBRARY_PATH": "/y"}
    assert environment(kept | {"AWS_SECRET_ACCESS_KEY": "s", "PULUMI_CONFIG": "p"}) == kept
