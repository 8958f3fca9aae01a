"""Features that need no code: what each common windowed aggregate computes, and what it means.

`Aggregate` is the one spec object; `entries` builds it from a feature set's YAML or a line of Python.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from leadscore.errors import FeatureError
from leadscore.features.registry import Feature
from leadscore.times import format_duration, parse_duration

__all__ = ["AGGREGATES", "Aggregate", "aggregate_feature", "attribute_feature", "matching"]

_NUMBER = re.compile(r"[+-]?\d+([.]\d+)?")


@dataclass(frozen=True)
class Aggregate:
    """One declared aggregate over a lead's events before `as_of`.

    Attributes
    ----------
    aggregate : str
        A name in `AGGREGATES`.
    event_type : tuple of str
        Only events of these types; empty means all.
    column : str or None
        What is summed, averaged, counted distinct ...; not for `count`, `active_days` and the recency ones.
    where : tuple of (column, values)
        Only events whose column has one of the values.
    lookback : str or None
        A duration; None means everything before `as_of`.
    """

    aggregate: str
    event_type: tuple[str, ...] = ()
    column: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lookback: str | None = None

    def canonical(self) -> dict[str, Any]:
        """Return the spec as JSON values in one spelling, what is not set left out.

        Examples
        --------
        >>> Aggregate("count", event_type=("login",), lookback="168h").canonical()
        {'aggregate': 'count', 'event_type': ['login'], 'lookback': '7d'}
        """
        lookback = format_duration(parse_duration(self.lookback)) if self.lookback else None
        where = {column: list(values) for column, values in self.where}
        spec = {"aggregate": self.aggregate, "event_type": list(self.event_type), "column": self.column}
        return {key: value for key, value in {**spec, "where": where, "lookback": lookback}.items() if value}


@dataclass(frozen=True)
class _Kind:
    """How one aggregate is computed from a lead's rows, and what it means.

    `compute(rows, column, now)` returns a Series indexed by `user_id`.
    """

    compute: Callable[[Any, str | None, Any], Any]
    words: str
    unit: str
    no_events: float | None = None  # None: missing, and `_feature` says what that means
    needs_column: bool = False
    dtype: str = "number"


def _of_column(method: str) -> Callable[[Any, str | None, Any], Any]:
    return lambda rows, column, now: getattr(rows.groupby("user_id", sort=False)[column], method)()


def _last(rows: Any, column: str | None, now: Any) -> Any:
    # The last event's own value, also when it has none: groupby.last would skip back to an older one.
    return rows.drop_duplicates("user_id", keep="last").set_index("user_id")[column]


def _count(rows: Any, column: str | None, now: Any) -> Any:
    return rows.groupby("user_id", sort=False).size()


def _days_since(method: str) -> Callable[[Any, str | None, Any], Any]:
    def days(rows: Any, column: str | None, now: Any) -> Any:
        times = rows.groupby("user_id", sort=False)["timestamp"]
        return (now - getattr(times, method)()).dt.total_seconds() / 86_400

    return days


def _active_days(rows: Any, column: str | None, now: Any) -> Any:
    # A day is 24 hours counted back from the score, so no zone is needed: 25 hours ago is day 1.
    days_ago = (now - rows["timestamp"]) // timedelta(days=1)
    return days_ago.groupby(rows["user_id"], sort=False).nunique()


AGGREGATES: dict[str, _Kind] = {
    "count": _Kind(_count, "number of {what}", "events", no_events=0.0),
    "sum": _Kind(_of_column("sum"), "sum of {column} over {what}", "sum", no_events=0.0, needs_column=True),
    "mean": _Kind(_of_column("mean"), "mean {column} of {what}", "mean", needs_column=True),
    "min": _Kind(_of_column("min"), "smallest {column} of {what}", "value", needs_column=True),
    "max": _Kind(_of_column("max"), "largest {column} of {what}", "value", needs_column=True),
    "distinct": _Kind(_of_column("nunique"), "distinct {column} of {what}", "values", no_events=0.0, needs_column=True),
    "last": _Kind(_last, "latest {column} of {what}", "", needs_column=True, dtype="category"),
    "days_since_last": _Kind(_days_since("max"), "days since the last of {what}", "days"),
    "days_since_first": _Kind(_days_since("min"), "days since the first of {what}", "days"),
    "active_days": _Kind(_active_days, "days (24 h back from the score) with {what}", "days", no_events=0.0),
}


def aggregate_feature(name: str, spec: Aggregate, where: str) -> Feature:
    """Return the feature that a spec declares; `where` names its entry in messages.

    Raises
    ------
    FeatureError
        When a column is missing or not wanted, or the lookback is no duration or empty.
    """
    kind = AGGREGATES[spec.aggregate]
    if kind.needs_column != (spec.column is not None):
        raise FeatureError(
            f"{where}: the aggregate {spec.aggregate} {'needs a' if kind.needs_column else 'takes no'} column"
        )
    try:
        lookback = parse_duration(spec.lookback) if spec.lookback is not None else None
    except ValueError as error:
        raise FeatureError(f"{where}.lookback: {error}") from None
    if lookback is not None and not lookback:
        raise FeatureError(f"{where}.lookback: {spec.lookback} is an empty window")
    columns = {column for column, _ in spec.where} | ({spec.column} if spec.column else set())
    return Feature(
        name=name,
        function=partial(_compute, spec=spec),
        source="events",
        event_types=spec.event_type,
        columns=tuple(sorted(columns - {"user_id", "timestamp", "event_type"})),
        lookback=lookback,
        no_events=kind.no_events,
        missing="no such event before the score" if kind.no_events is None else None,
        unit=kind.unit,
        dtype=kind.dtype,
        meaning=_meaning(spec, kind, format_duration(lookback) if lookback else None),
        aggregate=spec,
    )


def _compute(rows: Any, now: Any, *, spec: Aggregate) -> Any:
    for column, values in spec.where:
        rows = rows[matching(rows[column], values)]
    return AGGREGATES[spec.aggregate].compute(rows, spec.column, now)


def matching(column: Any, values: Sequence[str]) -> Any:
    """Return which rows of a column have one of the values; in a column of numbers, `5` is 5.0."""
    if column.dtype == "float64":
        return column.isin([float(value) for value in values if _NUMBER.fullmatch(value)])
    return column.isin(values)


def _meaning(spec: Aggregate, kind: _Kind, lookback: str | None) -> str:
    what = " or ".join(spec.event_type) + " events" if spec.event_type else "events"
    for column, values in spec.where:
        what += f" with {column} {' or '.join(values)}"
    when = f"in the {lookback} before the score" if lookback else "before the score"
    return f"{kind.words.format(what=what, column=spec.column)} {when}"


def attribute_feature(name: str, column: str, kind: str) -> Feature:
    """Return the feature that hands on a lead's attribute as it is; `kind` is `number` or `category`."""
    return Feature(
        name=name,
        function=partial(_read_attribute, column=column),
        source="leads",
        columns=(column,),
        missing="not given",
        dtype=kind,
        meaning=f"the lead's {column}, as known at its creation",
        aggregate=Aggregate("attribute", column=column),
    )


def _read_attribute(leads: Any, _now: Any, *, column: str) -> Any:
    return leads.set_index("user_id")[column]
