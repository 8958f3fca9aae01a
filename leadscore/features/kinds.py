"""What each declared aggregate computes from the windows of a block, and what it means in words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leadscore.times import parse_duration

if TYPE_CHECKING:
    from leadscore.features.aggregates import Aggregate
    from leadscore.features.blocks import Block, Window

__all__ = ["KINDS", "Kind", "evaluate"]

DAY = 86_400_000_000.0  # microseconds
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Kind:
    """One aggregate.

    Attributes
    ----------
    compute : callable
        `compute(block, spec)` returns one value for each of the block's observations.
    words : str
        Its meaning, with `{what}` for the events and `{column}` for the column.
    unit : str
    no_events : float or None
        The value of a window without events; None: missing.
    column : {'no', 'yes', 'may'}
        Whether it takes a column.
    any_column : bool
        False: the column must be a number.
    takes : tuple of str
        Keys of its own, each of them needed.
    missing : str
        What a missing value means.
    """

    compute: "Callable[[Block, Aggregate], Array]"
    words: str
    unit: str
    no_events: float | None = None
    column: str = "no"
    any_column: bool = False
    takes: tuple[str, ...] = ()
    missing: str = "no such event before the score"


def evaluate(block: "Block", spec: "Aggregate") -> Array:
    """Return an aggregate's value for each observation of a block: float64, or codes of its column's words."""
    return KINDS[spec.aggregate].compute(block, spec)


def _window(block: "Block", spec: "Aggregate") -> "Window":
    return block.window(spec.filter, spec.lookback)


def _count(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).n


def _sum(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).sums(str(spec.column))[0]


def _mean(block: "Block", spec: "Aggregate") -> Array:
    total, n = _window(block, spec).sums(str(spec.column))
    return _divided(total, n)


def _divided(numerator: Array, denominator: Array) -> Array:
    """Return a quotient, NaN where it is undefined."""
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator != 0))
    return quotient


def _std(block: "Block", spec: "Aggregate") -> Array:
    variance: Array = np.sqrt(_window(block, spec).variance(str(spec.column)))
    return variance


def _min(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).extreme(str(spec.column), -1.0)


def _max(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).extreme(str(spec.column), 1.0)


def _distinct(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).distinct(str(spec.column))


def _first(block: "Block", spec: "Aggregate") -> Array:
    window = _window(block, spec)
    values = window.values(str(spec.column))
    return window.first(values, np.nan if values.dtype.kind == "f" else -1)


def _last(block: "Block", spec: "Aggregate") -> Array:
    # The last event's own value, also when it has none: an older one would not be the last.
    window = _window(block, spec)
    values = window.values(str(spec.column))
    return window.last(values, np.nan if values.dtype.kind == "f" else -1)


def _days_since_first(block: "Block", spec: "Aggregate") -> Array:
    window = _window(block, spec)
    return (block.as_of - window.first(window.time, np.nan)) / DAY


def _days_since_last(block: "Block", spec: "Aggregate") -> Array:
    window = _window(block, spec)
    return (block.as_of - window.last(window.time, np.nan)) / DAY


def _active_days(block: "Block", spec: "Aggregate") -> Array:
    return _window(block, spec).active_days()


def _mean_gap(block: "Block", spec: "Aggregate") -> Array:
    # The gaps between neighbours add up to the time from the first to the last.
    window = _window(block, spec)
    span = window.last(window.time, 0) - window.first(window.time, 0)
    return _divided(span / DAY, np.maximum(window.n - 1, 0))


def _share(block: "Block", spec: "Aggregate") -> Array:
    assert spec.of is not None
    part = block.window(spec.filter.narrowed(spec.of), spec.lookback)
    return _divided(part.n, _window(block, spec).n)


def _trend(block: "Block", spec: "Aggregate") -> Array:
    recent, whole = block.window(spec.filter, spec.recent), _window(block, spec)
    if spec.column is None:
        late, both = recent.n, whole.n
    else:
        late, both = recent.sums(spec.column)[0], whole.sums(spec.column)[0]
    days = [parse_duration(str(each)).total_seconds() / 86_400 for each in (spec.recent, spec.lookback)]
    return np.asarray(late / days[0] - (both - late) / (days[1] - days[0]))


def _ratio(block: "Block", spec: "Aggregate") -> Array:
    assert spec.numerator is not None
    assert spec.denominator is not None
    return _divided(
        evaluate(block, spec.numerator).astype("float64"), evaluate(block, spec.denominator).astype("float64")
    )


KINDS: dict[str, Kind] = {
    "count": Kind(_count, "number of {what}", "events", no_events=0.0),
    "sum": Kind(_sum, "sum of {column} over {what}", "sum", no_events=0.0, column="yes"),
    "mean": Kind(_mean, "mean {column} of {what}", "mean", column="yes"),
    "std": Kind(
        _std,
        "standard deviation of {column} of {what}",
        "standard deviation",
        column="yes",
        missing="fewer than two such values before the score",
    ),
    "min": Kind(_min, "smallest {column} of {what}", "value", column="yes"),
    "max": Kind(_max, "largest {column} of {what}", "value", column="yes"),
    "distinct": Kind(_distinct, "distinct {column} of {what}", "values", no_events=0.0, column="yes", any_column=True),
    "first": Kind(_first, "earliest {column} of {what}", "", column="yes", any_column=True),
    "last": Kind(_last, "latest {column} of {what}", "", column="yes", any_column=True),
    "days_since_first": Kind(_days_since_first, "days since the first of {what}", "days"),
    "days_since_last": Kind(_days_since_last, "days since the last of {what}", "days"),
    "active_days": Kind(_active_days, "days (24 h back from the score) with {what}", "days", no_events=0.0),
    "mean_gap": Kind(
        _mean_gap,
        "mean days between neighbours of {what}",
        "days",
        missing="fewer than two such events before the score",
    ),
    "share": Kind(_share, "share of {of} among {what}", "share", takes=("of",)),
    "trend": Kind(
        _trend,
        "{column} a day over {what} in the last {recent}, minus the same in the time before that,",
        "a day",
        no_events=0.0,
        column="may",
        takes=("recent", "lookback"),
    ),
    "ratio": Kind(
        _ratio,
        "{numerator}, divided by {denominator}",
        "ratio",
        takes=("numerator", "denominator"),
        missing="nothing to divide by",
    ),
}
