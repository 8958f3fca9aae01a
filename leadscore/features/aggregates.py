"""Features that need no code: common windowed aggregates, declared.

One spec object, `Aggregate`, is what a line of Python (`register_aggregate`) and an entry of a feature set

    logins: {aggregate: count, event_type: login, lookback: [7d, 30d]}

both build. Several lookbacks give several features, `logins_7d` and `logins_30d`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from typing import Any

from leadscore.errors import FeatureError, did_you_mean
from leadscore.features.registry import FEATURES, Feature, register
from leadscore.times import format_duration, parse_duration

__all__ = ["AGGREGATES", "Aggregate", "attribute_features", "build_aggregates", "register_aggregate"]


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
    "last": _Kind(_of_column("last"), "latest {column} of {what}", "", needs_column=True, dtype="category"),
    "days_since_last": _Kind(_days_since("max"), "days since the last of {what}", "days"),
    "days_since_first": _Kind(_days_since("min"), "days since the first of {what}", "days"),
    "active_days": _Kind(_active_days, "days (24 h back from the score) with {what}", "days", no_events=0.0),
}


def register_aggregate(name: str, aggregate: str, **spec: Any) -> list[Feature]:
    """Declare aggregates in Python; the keys are those of a feature set's entry.

    Examples
    --------
    >>> declared = register_aggregate("visits_example", "count", event_type="session", lookback=["7d", "30d"])
    >>> [FEATURES.pop(each.name).meaning for each in declared]
    ['number of session events in the 7d before the score', 'number of session events in the 30d before the score']
    """
    built = build_aggregates(name, {"aggregate": aggregate, **spec})
    for each in built:
        register(FEATURES, each)
    return built


def build_aggregates(name: str, entry: Mapping[str, Any]) -> list[Feature]:
    """Build the features of one entry: one, or one for each lookback of a list.

    Raises
    ------
    FeatureError
        When a key or the aggregate is unknown, a column is missing or not wanted, or a lookback is no duration.
    """
    where = f"features.{name}"
    known = [field.name for field in fields(Aggregate)]
    for key in entry:
        if key not in known:
            raise FeatureError(f"{where}: unknown key '{key}'. {did_you_mean(str(key), known, 'Keys of an aggregate')}")
    if entry["aggregate"] not in AGGREGATES:
        kinds = [*AGGREGATES, "attribute", "attributes"]
        raise FeatureError(f"{where}: unknown aggregate. {did_you_mean(str(entry['aggregate']), kinds, 'Aggregates')}")
    lookback = entry.get("lookback")
    if not isinstance(lookback, list | tuple):
        return [_feature(name, _spec(entry, lookback), where)]
    return [_feature(f"{name}_{each}", _spec(entry, each), where) for each in lookback]


def _spec(entry: Mapping[str, Any], lookback: Any) -> Aggregate:
    filters = {column: _words(values) for column, values in (entry.get("where") or {}).items()}
    return Aggregate(
        aggregate=entry["aggregate"],
        event_type=_words(entry.get("event_type") or ()),
        column=entry.get("column"),
        where=tuple(sorted(filters.items())),
        lookback=None if lookback is None else str(lookback),
    )


def _words(value: Any) -> tuple[str, ...]:
    listed: Iterable[Any] = [value] if isinstance(value, str | int | float) else value
    return tuple(str(each) for each in listed)


def _feature(name: str, spec: Aggregate, where: str) -> Feature:
    kind = AGGREGATES[spec.aggregate]
    if kind.needs_column != (spec.column is not None):
        raise FeatureError(
            f"{where}: the aggregate {spec.aggregate} {'needs a' if kind.needs_column else 'takes no'} column"
        )
    try:
        lookback = parse_duration(spec.lookback) if spec.lookback is not None else None
    except ValueError as error:
        raise FeatureError(f"{where}.lookback: {error}") from None
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
        rows = rows[rows[column].isin(values)]
    return AGGREGATES[spec.aggregate].compute(rows, spec.column, now)


def _meaning(spec: Aggregate, kind: _Kind, lookback: str | None) -> str:
    what = " or ".join(spec.event_type) + " events" if spec.event_type else "events"
    for column, values in spec.where:
        what += f" with {column} {' or '.join(values)}"
    when = f"in the {lookback} before the score" if lookback else "before the score"
    return f"{kind.words.format(what=what, column=spec.column)} {when}"


def attribute_features(name: str, entry: Mapping[str, Any], attributes: Mapping[str, str]) -> list[Feature]:
    """Build `{aggregate: attributes}` (every declared attribute) or `{aggregate: attribute, column: country}`.

    Parameters
    ----------
    attributes : mapping of str to str
        `data.known_at_creation`: the lead columns that features may read, with their kind.
    """
    where = f"features.{name}"
    wanted = set(entry) - {"aggregate"}
    if entry["aggregate"] == "attributes":
        if wanted:
            raise FeatureError(f"{where}: the aggregate attributes takes no {', '.join(sorted(wanted))}")
        return [_attribute(column, column, kind) for column, kind in attributes.items()]
    if wanted != {"column"}:
        raise FeatureError(f"{where}: the aggregate attribute takes column, and only that")
    column = entry["column"]
    if column not in attributes:
        raise FeatureError(
            f"{where}: '{column}' is not in data.known_at_creation. {did_you_mean(column, attributes, 'Listed')}"
        )
    return [_attribute(name, column, attributes[column])]


def _attribute(name: str, column: str, kind: str) -> Feature:
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
