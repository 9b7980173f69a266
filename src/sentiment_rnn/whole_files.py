"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file as `replacement_of` has it."""
    with replacement_of(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replacement_of(path: Path) -> Iterator[Path]:
    """Path of a file that replaces `path` when the block ends. A kill or a power cut leaves the old file or the new
    one, never a part of either. An error leaves the old file."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
