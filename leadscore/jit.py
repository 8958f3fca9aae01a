"""Compiled loops: machine code made once for a machine, and kept."""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function as machine code, compiled at its first call and kept on disk (NUMBA_CACHE_DIR says where)."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to keep the machine code in: it is compiled again by each process
        return numba.njit(nogil=True)(function)
