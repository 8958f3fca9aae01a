"""Loaded by the workers that are started here: Ctrl-C is for the run, which ends them."""

import signal
from typing import Any


def dask_setup(_: Any) -> None:
    """Ignore Ctrl-C, which a terminal sends to the whole group of processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
