"""Compressed files, unpacked as they are read and no further than texts can go: a bomb is refused, not unpacked."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sentiment_rnn.errors import UserError

RATIO = 100
"""Times its own size that a file may have when it is unpacked. Texts have three to ten; gzip can give a thousand."""
ALLOWED = 2**28
"""Bytes unpacked that a file may have whatever its size."""
LONGEST_TEXT = 2**24
"""Bytes of a text, or characters of a line, that are read at once; the longest review of IMDb has 14 thousand."""
OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open, b"\x5d\0\0": lzma.open,
}  # fmt: skip
"""Functions that open a compressed file, by its first bytes."""


class Decompressed(io.RawIOBase):
    """Decompressed bytes of a file; a plain file as it is. Reading raises `UserError` for a decompression bomb."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(6)
        opener = next((found for magic, found in OPENERS.items() if start.startswith(magic)), open)
        self.path = path
        self.size = path.stat().st_size
        self.unpacked = 0
        self.file = opener(path, "rb")

    def readable(self) -> bool:
        """True: the file is read only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        count: int = self.file.readinto(buffer)
        self.unpacked += count
        if self.unpacked > max(ALLOWED, RATIO * self.size):
            raise UserError(
                f"{self.path}: unpacks to more than {RATIO} times its {self.size:,} bytes, which texts do not; refused"
            )
        return count

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()
