"""Any damage to metadata: an error that says what, or entries; nothing else, and not for ever."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.images import content
from drills.images.errors import ImageError
from drills.images.file_system import open_image
from drills.images.recognise import contents
from drills.images.source import Source
from tests.drills.images.images import Memory, fill, made_ext, made_xfs, metadata_places, recorded

pytestmark = pytest.mark.timeout(300)
EXAMPLES = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Without checksums, which would hide what lies behind them from nearly every change.
MAKERS: dict[str, Callable[[Path, Path], Path]] = {
    "ext2": lambda image, root: made_ext(image, "ext2", "-b", "1024", root=root, mebibytes=24),
    "ext4": lambda image, root: made_ext(
        image, "ext4", "-b", "1024", "-O", "^metadata_csum", root=root, mebibytes=24
    ),
    "ext4 with data in inodes": lambda image, root: made_ext(
        image, "ext4", "-b", "1024", "-O", "^metadata_csum,inline_data", "-I", "256", root=root,
        mebibytes=24,
    ),
    "xfs": lambda image, root: made_xfs(image, "-m", "crc=0", root=root, mebibytes=96),
}  # fmt: skip


def read_all(source: Source) -> int:
    """How many entries there are. Raises ImageError alone."""
    contents(source)
    system = open_image(source)
    return sum(bool(entry.error) + 1 for entry in system.entries(xattrs=True))


def changes(places: list[int]) -> st.SearchStrategy[dict[int, bytes]]:
    """A few changes where a reader looks: bits, extremes, and pieces of other metadata."""
    value = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\0" * 16]),
    )
    place = st.builds(lambda at, more: at + more, st.sampled_from(places), st.integers(0, 31))
    return st.dictionaries(place, value, min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def short_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_HOLES", 64 << 20)
    monkeypatch.setattr(content, "_HOLES_OF_IMAGE", 0)


@pytest.mark.parametrize("kind", MAKERS)
def test_damage_is_told_or_harmless(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    image = MAKERS[kind](tmp_path / "image", fill(tmp_path / "root"))
    check_any_damage(Memory(image.read_bytes()), monkeypatch, examples=60)


@pytest.mark.parametrize("name", ["ext3-live", "ext4-live", "xfs-live-1k", "xfs-forms"])
def test_damage_to_recorded_images_is_told_or_harmless(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_any_damage(recorded(name), monkeypatch, examples=10)


def check_any_damage(image: Memory, monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    places = metadata_places(image, read_all, monkeypatch)
    assert len(places) > 100
    sound = read_all(image)

    @settings(EXAMPLES, max_examples=examples)
    @given(changes(places))
    def told_or_harmless(damage: dict[int, bytes]) -> None:
        damaged = image.changed(damage)
        try:
            found = read_all(damaged)
        except ImageError:
            return
        # Nobody makes many entries out of a few changes.
        assert found < 3 * sound + 1000

    told_or_harmless()


@settings(EXAMPLES, max_examples=60)
@given(st.binary(max_size=70_000), st.sampled_from([b"XFSB", b"\x53\xef", b"EFI PART"]))
def test_anything_behind_a_magic_number_is_an_error(rest: bytes, magic: bytes) -> None:
    at = {b"XFSB": 0, b"\x53\xef": 1080, b"EFI PART": 512}[magic]
    image = Memory(rest.ljust(70_000, b"\0"), {at: magic})
    contents(image)
    with pytest.raises(ImageError):
        open_image(image)
