"""Numba, with its compiled code kept on disk where a directory can be written, and in memory where none can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call. `NUMBA_CACHE_DIR` says where the result is kept; else beside the module."""
    try:
        quick = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no directory that it may write
        quick = numba.njit(nogil=True)(function)
    return quick  # type: ignore[no-any-return]
