"""What a sales desk gets out of a score: so many calls a week, the highest scores first.

A desk that can call 200 leads a week calls the 200 with the highest scores among those scored in that week. How many
of them convert, against calling at random and against calling the most recently active first, is what a model is for.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.evaluate.metrics import check_input

__all__ = ["CapacityResult", "caught_by_week", "measure_capacity", "weeks_of"]

Array = np.ndarray[Any, Any]
WEEK = pd.Timedelta(days=7)


@dataclass(frozen=True)
class CapacityResult:
    """What calling the highest scores first catches.

    Attributes
    ----------
    capacity : int
        Calls a week.
    weeks, calls : int
        Weeks with observations, and calls made in them: fewer than capacity where fewer leads were scored.
    caught : float
        Called leads that convert; where equal scores lie on both sides of the cut, the mean over all orders.
    caught_range : tuple of float
        The least and the most that the order of equal scores could make of it.
    hit_rate : float or None
        caught / calls.
    at_random : float
        What as many calls catch, on average, when leads are drawn at random within each week.
    recency : float or None
        What calling the most recently active first catches; None where recency is not known.
    value : float or None
        `value * caught - cost * calls`, in `currency`; None where no value is stated.
    currency : str or None
    """

    capacity: int
    weeks: int
    calls: int
    caught: float
    caught_range: tuple[float, float]
    hit_rate: float | None
    at_random: float
    recency: float | None = None
    value: float | None = None
    currency: str | None = None

    @property
    def gain(self) -> float | None:
        """Times as many conversions as at random; None where random calls catch none."""
        return self.caught / self.at_random if self.at_random else None

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the gain as JSON values."""
        return {**asdict(self), "caught_range": list(self.caught_range), "gain_over_random": self.gain}


def weeks_of(as_of: pd.DatetimeIndex, start: pd.Timestamp) -> Array:
    """Return in which week since `start` each observation is scored: 0 for `[start, start + 7d)`.

    Examples
    --------
    >>> start = pd.Timestamp("2024-03-04", tz="UTC")
    >>> weeks_of(pd.DatetimeIndex(["2024-03-04", "2024-03-10 23:59", "2024-03-11"], tz="UTC"), start).tolist()
    [0, 0, 1]
    """
    return np.asarray((as_of - start) // WEEK)


def measure_capacity(
    y: pd.Series,
    score: pd.Series,
    week: Array,
    capacity: int,
    *,
    recency: pd.Series | None = None,
    value: float | None = None,
    cost: float = 0.0,
    currency: str | None = None,
) -> CapacityResult:
    """Measure what `capacity` calls a week catch.

    Parameters
    ----------
    y : Series of int (n,)
    score : Series of float (n,)
        Higher is called earlier; only the order counts.
    week : array of int (n,)
        From `weeks_of`.
    capacity : int
        At least 1.
    recency : Series of float (n,), optional
        The score of calling the most recently active first.
    value, cost : float
        Of a conversion and of a call, in `currency`.

    Examples
    --------
    >>> y, score = pd.Series([1, 0, 0, 1]), pd.Series([0.9, 0.2, 0.5, 0.5])
    >>> one = measure_capacity(y, score, np.array([0, 0, 1, 1]), 1, value=100.0, cost=5.0, currency="EUR")
    >>> one.caught, one.caught_range, one.at_random, one.value
    (1.5, (1.0, 2.0), 1.0, 140.0)
    """
    labels, scores = check_input(y, score, "score")
    ones = np.ones((1, len(labels)))
    caught, calls = (float(each[0]) for each in caught_by_week(labels, scores, week, capacity, ones))
    low, high = (
        float(caught_by_week(labels, _ordered(scores, sign * labels), week, capacity, ones)[0][0]) for sign in (-1, 1)
    )
    by_recency = None
    if recency is not None:
        by_recency = float(caught_by_week(labels, recency.to_numpy("float64"), week, capacity, ones)[0][0])
    return CapacityResult(
        capacity=capacity,
        weeks=len(np.unique(week)),
        calls=int(calls),
        caught=caught,
        caught_range=(low, high),
        hit_rate=caught / calls if calls else None,
        at_random=float(caught_by_week(labels, np.zeros(len(labels)), week, capacity, ones)[0][0]),
        recency=by_recency,
        value=None if value is None else value * caught - cost * calls,
        currency=currency,
    )


def _ordered(scores: Array, labels: Array) -> Array:
    """Return ranks by score, and among equal scores by label."""
    order = np.lexsort((labels, scores))
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(len(scores))
    return ranks


def caught_by_week(labels: Array, scores: Array, week: Array, capacity: int, weights: Array) -> tuple[Array, Array]:
    """Return the conversions caught and the calls made, for each row of weights.

    A row of weights says how often each observation counts: ones for the rows as they are, the counts of a resample
    for a bootstrap. Equal scores share the calls that are left for them.

    Parameters
    ----------
    weights : array of float (n_resamples, n)

    Returns
    -------
    array of float (n_resamples,), twice
    """
    order = np.lexsort((-scores, week))
    week, scores, labels = week[order], scores[order], labels[order]
    starts = np.flatnonzero(np.r_[True, (week[1:] != week[:-1]) | (scores[1:] != scores[:-1])])
    weights = weights[:, order]
    rows = np.add.reduceat(weights, starts, axis=1)  # of each group of equal scores
    won = np.add.reduceat(weights * labels, starts, axis=1)
    first_of_week = np.flatnonzero(np.r_[True, week[starts][1:] != week[starts][:-1]])
    before = np.cumsum(rows, axis=1) - rows
    of_week = np.repeat(np.arange(len(first_of_week)), np.diff(np.r_[first_of_week, len(starts)]))
    before -= before[:, first_of_week][:, of_week]
    called = np.clip(capacity - before, 0, rows)
    share = np.divide(called, rows, out=np.zeros_like(called), where=rows > 0)
    return (share * won).sum(axis=1), called.sum(axis=1)
