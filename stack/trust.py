"""The store's CA certificate as a file, where the minio provider reads it.

The provider takes a path, not a text, and the path must be the same from every checkout, so it is
relative to the project. The program writes the file in every run; refresh and destroy run no
program, so the driver writes it first.
"""

from pathlib import Path

from stack.project import short_name


def ca_file(directory: Path, stack: str) -> Path:
    """The file of a stack: `.backstop/trust/<stack>-store-ca.pem` in the project's folder."""
    return directory / ".backstop" / "trust" / f"{short_name(stack)}-store-ca.pem"


def write(file: Path, pem: str) -> bool:
    """Makes the file hold this certificate, whole or not at all; says whether anything changed."""
    if file.is_file() and file.read_text() == pem:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_text(pem)
    draft.replace(file)
    return True
