"""Why an image cannot be read."""

from enum import StrEnum


class Fault(StrEnum):
    """What is the matter with an image.

    `damaged`: what is written there contradicts itself. `unsupported`: it may be sound, and this
    reader cannot tell what it says. `missing` and `not-a-file` are about a path that was asked for.
    """

    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    MISSING = "missing"
    NOT_A_FILE = "not-a-file"


class ImageError(Exception):
    """An image, or a part of one, that cannot be read: `fault` for decisions, one sentence."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


def damaged(where: str, what: str) -> ImageError:
    """`where` is damaged: `what`."""
    return ImageError(Fault.DAMAGED, f"{where} is damaged: {what}")


def unsupported(where: str, what: str) -> ImageError:
    """`where` cannot be read by this reader: `what`."""
    return ImageError(Fault.UNSUPPORTED, f"{where} cannot be read: {what}")
