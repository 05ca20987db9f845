"""Writing files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from trustsem.errors import OptionError

__all__ = ["write_bytes", "write_text"]


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path` in one step: a reader sees the old file or the new one, never half of it.

    Raises
    ------
    OptionError
        If the file cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OptionError(
            f"path={str(path)!r} cannot be written: {error.strerror or error}. Give a file in a folder that exists and that you may write to."
        ) from error
    return target


def write_text(path: str | Path, content: str) -> Path:
    """Write `content` as UTF-8 with newlines as they are; see :func:`write_bytes`."""
    return write_bytes(path, content.encode())
