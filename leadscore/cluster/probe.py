"""Does a scheduler answer? Asked in bounded time, over a connection of its own."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from leadscore.errors import ComputeError

__all__ = ["answers", "probed", "silent"]


def probed(address: str, seconds: float) -> Mapping[str, Any]:
    """Return the versions of who answers; a client would wait for ever for one that accepts and says nothing.

    Raises
    ------
    ComputeError
        When nobody answers as a scheduler within so many seconds.
    """

    async def ask() -> Any:
        from distributed.core import rpc

        async with rpc(address, timeout=seconds) as scheduler:
            return await scheduler.versions()

    def within() -> Any:  # in a thread: the caller, a notebook, may have a running loop
        return asyncio.run(asyncio.wait_for(ask(), seconds))

    try:
        with ThreadPoolExecutor(1) as pool:
            found: Mapping[str, Any] = pool.submit(within).result()["packages"]
            return found
    except Exception as error:  # whatever a port that is no scheduler's makes of the question
        raise silent(address, seconds, error) from None


def answers(address: str, seconds: float) -> bool:
    """Return whether a scheduler answers within so many seconds."""
    try:
        probed(address, seconds)
    except ComputeError:
        return False
    return True


def silent(address: str, seconds: float, error: BaseException) -> ComputeError:
    """Return the error of an address that does not answer."""
    why = "" if isinstance(error, TimeoutError) else f" ({type(error).__name__}: {str(error).splitlines()[0]})"
    return ComputeError(
        f"compute.scheduler {address} did not answer as a Dask scheduler within {seconds:g} s{why}; compute.timeout "
        f"says how long it is waited for, compute=local does without"
    )
