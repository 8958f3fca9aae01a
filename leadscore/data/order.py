"""The order of events: by lead, by time, then by content; never by the place in a file."""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["in_order"]


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Return events by (user_id, timestamp, event_type, the other columns in the order of their names), RangeIndex.

    The same events come in the same order from any file, split or format: a feature that takes the last event
    sees the same one. Texts stand by code point, a missing value before every other; rows that are equal
    throughout are interchangeable.

    Parameters
    ----------
    events : DataFrame (n_events, ...)
        `user_id`, `timestamp` and `event_type`, none of them missing, and any other column.

    Examples
    --------
    >>> midnight = pd.to_datetime(["2024-03-05"] * 3, utc=True)
    >>> log = pd.DataFrame({"user_id": ["b", "a", "a"], "timestamp": midnight, "event_type": ["x", "z", "y"]})
    >>> in_order(log)[["user_id", "event_type"]].values.tolist()
    [['a', 'y'], ['a', 'z'], ['b', 'x']]
    """
    lead, time = _ranks(events["user_id"]), events["timestamp"].astype("int64").to_numpy()
    order = np.lexsort((time, lead))
    lead, time = lead[order], time[order]
    starts = np.ones(len(order) + 1, dtype=bool)  # of an instant of a lead; the end counts as one
    starts[1:-1] = (lead[1:] != lead[:-1]) | (time[1:] != time[:-1])
    tied = np.flatnonzero(~(starts[:-1] & starts[1:]))
    if len(tied):  # few rows share an instant: only they are compared by content
        rows = events.iloc[order[tied]]
        others = ["event_type", *sorted(set(events) - {"user_id", "timestamp", "event_type"})]
        instant = np.cumsum(starts[:-1])[tied]
        within = np.lexsort((*(_ranks(rows[name]) for name in reversed(others)), instant))
        order[tied] = order[tied][within]
    return events.iloc[order].reset_index(drop=True)


def _ranks(values: pd.Series) -> Any:
    """Return each value's place among the different ones, -1 where missing."""
    return pd.factorize(values, sort=True)[0]
