"""Files of a packaged model, which may be a stranger's: plain files of a sane size are read, and nothing else."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sentiment_rnn.errors import UserError

DESCRIBED, VOCABULARY, TEXTS, WEIGHTS = 2**18, 2**27, 2**30, 2**33
"""Bytes, at most, of a description, a vocabulary, fingerprints of training texts, and weights."""


def content_of(path: Path, most: int) -> str:
    """The text of a file of at most `most` bytes; raises as `opened`."""
    with opened(path, most) as file:
        return file.read(most).decode()


def digest_of(path: Path, most: int) -> str:
    """The SHA-256 digest of a file of at most `most` bytes; raises as `opened`."""
    digest = hashlib.sha256()
    with opened(path, most) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def opened(path: Path, most: int) -> Iterator[BinaryIO]:
    """Open a plain file, or a link to one.

    Raises:
        UserError: it has more than `most` bytes, or is something else. A device can give bytes without end, and a pipe
            none.
        OSError: it is missing, or cannot be read.
    """
    # Looked at once it is open, since a name can get another file; a pipe is not waited for.
    with os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    ) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path}: no plain file, as a model's files are; not read")
        if found.st_size > most:
            raise UserError(f"{path}: {found.st_size:,} bytes, and such a file has at most {most:,}; not read")
        yield file
