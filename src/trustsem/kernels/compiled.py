"""How kernels are compiled and where their machine code is kept.

numba's on-disk cache does not notice that a function called from another file has changed, so the cache folder is keyed by a
hash of every source file of this package: any edit starts a fresh folder.
"""

from __future__ import annotations

import gc
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit

__all__ = ["cache_folder", "kernel"]

F = TypeVar("F", bound=Callable[..., Any])


def _source_hash() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path:
    """Return the folder for compiled kernels: the first writable of ``NUMBA_CACHE_DIR``, the package's own, the user's and a temporary one."""
    key = f"trustsem-{_source_hash()}"
    roots = [
        Path(user) if (user := getattr(config, "CACHE_DIR", "")) else None,
        Path(__file__).parent / "__pycache__",
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")),
    ]
    for root in roots:
        if root is not None and _writable(root / key):
            return root / key
    return Path(tempfile.gettempdir()) / key


_FOLDER = str(cache_folder())


def _with_collector_paused(compile_signature: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return `compile_signature` with cyclic garbage collection paused: scanning the compiler's millions of objects took a sixth of its time."""

    def compile_quickly(signature: Any) -> Any:
        enabled = gc.isenabled()
        gc.disable()
        try:
            return compile_signature(signature)
        finally:
            if enabled:
                gc.enable()

    return compile_quickly


def kernel(function: F) -> F:
    """Compile `function` with numba on first call, releasing the interpreter lock, its machine code cached on disk.

    Division by zero gives infinity or NaN, as in NumPy. No ``fastmath``: the kernels rely on infinities and NaN, and on results that do not
    depend on the compiler's mood.
    """
    previous = getattr(config, "CACHE_DIR", "")
    setattr(config, "CACHE_DIR", _FOLDER)  # noqa: B010 - numba fills its configuration at run time, so the name is not declared
    try:
        dispatcher = njit(cache=True, nogil=True, error_model="numpy")(function)
        setattr(dispatcher, "compile", _with_collector_paused(dispatcher.compile))  # noqa: B010 - a method of this one object
        return cast(F, dispatcher)
    finally:
        setattr(config, "CACHE_DIR", previous)  # noqa: B010
