"""How late events arrive: what `validation.embargo=auto` stands for."""

from datetime import timedelta
from typing import Any

import numpy as np

from leadscore.errors import WindowError

__all__ = ["embargo_of"]

SHARE = 99  # percent of the events have arrived within it
AUTO = "auto"


def embargo_of(log: Any, share: int = SHARE) -> timedelta:
    """Return how long after they happened `share` percent of the events were known, rounded up to a second.

    Parameters
    ----------
    log : EventLog or None
        With `ingested_at`. Without a log, no event can be late.
    share : int
        Percent: the smallest delay that at least so many events do not exceed.

    Raises
    ------
    WindowError
        When the log does not say when its events were known.

    Examples
    --------
    >>> embargo_of(None)
    datetime.timedelta(0)
    """
    if log is None:
        return timedelta(0)
    if "ingested_at" not in log.names:
        raise WindowError(
            "validation.embargo auto is how late events arrive, and the event log does not say when they did: map "
            "ingested_at in data.events.columns, or state a length (validation.embargo=2d)"
        )
    n = sum(len(part.columns["timestamp"]) for part in log.parts)
    if not n:
        return timedelta(0)
    rank = -(-share * n // 100)  # the rank-th smallest delay
    above = n - rank + 1  # which is the above-th largest: each part can only hold it among its own largest
    largest = [_largest(part.columns["ingested_at"] - part.columns["timestamp"], above) for part in log.parts]
    delays = np.concatenate(largest)
    delay = int(np.partition(delays, len(delays) - above)[len(delays) - above])
    return timedelta(seconds=max(0, -(-delay // 1_000_000)))


def _largest(values: Any, n: int) -> Any:
    return values if len(values) <= n else np.partition(values, len(values) - n)[len(values) - n :]
