"""Tables and observations in, the model table out: correct at each `as_of` by construction.

A function never sees a row from `as_of` on, or one that arrived after it, because it is never handed one.

Two ways of calling, with the same result:

- **true times**: one call for each distinct `as_of`, over the events of the leads observed then. For
  snapshots (few instants, many leads each) and for features that read the calendar.
- **shifted**: when each lead has an `as_of` of its own, its events are moved in time by
  `instant - as_of`, so that one call at one `instant` serves all leads. Only distances to `now` survive
  that, so a few leads are computed both ways on every build; a difference is an error.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, did_you_mean, examples, raise_all
from leadscore.features.contract import checked_values
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature
from leadscore.tables import Tables

__all__ = ["FeatureTable", "build", "check_sources"]

# Above this many calls a feature, one call over shifted events is worth its check.
MAX_TRUE_CALLS = 60
CHECKED_LEADS = 6


@dataclass(frozen=True)
class FeatureTable:
    """The model table's columns and what it took to make them.

    Attributes
    ----------
    X : DataFrame (n_observations, n_features)
        In the observations' order, indexed by (`user_id`, `as_of`); float64 for numbers, str for categories.
    seconds : mapping of str to float
        Time spent in each feature's function.
    notes : tuple of str
        Columns that are constant or wholly missing.
    """

    X: pd.DataFrame
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def build(tables: Tables, observations: pd.DataFrame, plan: Plan) -> FeatureTable:
    """Compute every column of `plan` for every observation.

    Parameters
    ----------
    tables : Tables
    observations : DataFrame (n_observations, ...)
        With `user_id` (str), `as_of` (datetime64[us, UTC]) and `lead_row`, the position of the lead's row
        in `tables.leads`. A pair (`user_id`, `as_of`) stands once.
    plan : Plan

    Returns
    -------
    FeatureTable

    Raises
    ------
    FeatureError
        When a feature needs a table, column or event type that the data do not have, or breaks its contract.
    """
    check_sources(plan, tables)
    events = _Events(tables, observations)
    leads = _lead_rows(tables, observations)
    shifted = observations["as_of"].nunique() > MAX_TRUE_CALLS
    true_only = _calendar_readers(plan) if shifted else set()
    clock = _Stopwatch()
    columns: dict[str, np.ndarray[Any, Any]] = {
        step.feature.name: _empty(step.feature, len(observations)) for step in plan.steps
    }
    for batch in _batches(observations, shifted=shifted):
        _compute(_without(plan, true_only), batch, events, leads, columns, clock)
    if true_only:
        for batch in _batches(observations, shifted=False):
            _compute(_with_inputs(plan, true_only), batch, events, leads, columns, clock)
    if shifted:
        _check_shift(_without(plan, true_only), observations, events, leads, columns)
    index = pd.MultiIndex.from_frame(observations[["user_id", "as_of"]])
    data = {each.name: pd.Series(columns[each.name], index=index, dtype=_DTYPES[each.dtype]) for each in plan.columns}
    X = pd.DataFrame(data, index=index)
    return FeatureTable(X, dict(clock.seconds), tuple(_odd_columns(X)))


_DTYPES = {"number": "float64", "category": "str"}


def _empty(each: Feature, n: int) -> np.ndarray[Any, Any]:
    return np.full(n, np.nan) if each.dtype == "number" else np.full(n, np.nan, dtype=object)


@dataclass(frozen=True)
class _Batch:
    """Observations that one call serves: each lead at most once, and one `now` for all."""

    positions: np.ndarray[Any, Any]  # into the observations
    user_ids: pd.Index
    as_of: pd.Series  # each lead's own instant
    now: pd.Timestamp


def _batches(observations: pd.DataFrame, *, shifted: bool) -> Iterator[_Batch]:
    groups: Any
    if shifted:
        instant = observations["as_of"].max()
        groups = ((instant, rows) for _, rows in observations.groupby(observations.groupby("user_id").cumcount()))
    else:
        groups = observations.groupby("as_of")
    positions = pd.Series(np.arange(len(observations)), index=observations.index)
    for now, rows in groups:
        yield _Batch(positions[rows.index].to_numpy(), pd.Index(rows["user_id"]), rows["as_of"], now)


class _Events:
    """The event log with its leads coded once, so that each batch finds its rows by position."""

    def __init__(self, tables: Tables, observations: pd.DataFrame) -> None:
        if tables.events is None:
            self.log = pd.DataFrame(
                {"user_id": pd.Series(dtype="str"), "timestamp": pd.Series(dtype=observations["as_of"].dtype)}
            )
        else:
            self.log = tables.events
        self.users = pd.Index(observations["user_id"].unique())
        codes = self.users.get_indexer(self.log["user_id"])
        self.n_events = np.bincount(codes[codes >= 0], minlength=len(self.users))
        self.rows_by_user = np.argsort(codes, kind="stable")[(codes < 0).sum() :]  # leads never observed come first
        self.first = np.cumsum(self.n_events) - self.n_events

    def before(self, batch: _Batch) -> pd.DataFrame:
        """Return the batch's events known strictly before each lead's `as_of`, moved so that `now` is one instant."""
        users = self.users.get_indexer(batch.user_ids)
        n = self.n_events[users]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        taken = self.rows_by_user[np.repeat(self.first[users], n) + within]
        order = np.argsort(taken, kind="stable")  # the log's own order
        rows = self.log.iloc[taken[order]]
        as_of = pd.Series(batch.as_of.dt.tz_convert(None).to_numpy().repeat(n)[order], index=rows.index).dt.tz_localize(
            "UTC"
        )
        known = rows["timestamp"] < as_of
        if "ingested_at" in rows:
            known &= rows["ingested_at"] <= as_of
        rows = rows[known]
        if (batch.as_of == batch.now).all():
            return rows
        move = batch.now - as_of[known]
        return rows.assign(**{column: rows[column] + move for column in ("timestamp", "ingested_at") if column in rows})


def _lead_rows(tables: Tables, observations: pd.DataFrame) -> pd.DataFrame:
    columns = ["user_id", "created_at", *tables.attributes]
    return tables.leads[columns].iloc[observations["lead_row"].to_numpy()].reset_index(drop=True)


def _compute(
    steps: list[Planned],
    batch: _Batch,
    events: _Events,
    leads: pd.DataFrame,
    columns: Mapping[str, np.ndarray[Any, Any]],
    clock: "_Stopwatch",
) -> None:
    """Call each step's function once for the batch and write its values at the batch's positions."""
    rows = _Slices(events.before(batch), batch.now) if any(s.feature.source == "events" for s in steps) else None
    values: dict[str, pd.Series] = {}
    for step in steps:
        each = step.feature
        handed = _lead_slice(leads, batch, each) if rows is None or each.source == "leads" else rows.of(each)
        inputs = {argument: values[needed.name] for argument, needed in step.inputs.items()}
        with clock.timing(each.name):
            result = _call(step, handed, batch.now, inputs)
        values[each.name] = checked_values(each, result, batch.user_ids, batch.now)
        columns[each.name][batch.positions] = values[each.name].to_numpy()


def _lead_slice(leads: pd.DataFrame, batch: _Batch, each: Feature) -> pd.DataFrame:
    rows = leads.iloc[batch.positions][["user_id", "created_at", *each.columns]]
    if each.takes_now and not (batch.as_of == batch.now).all():
        move = batch.now - batch.as_of
        return rows.assign(created_at=rows["created_at"] + move.set_axis(rows.index))
    return rows


class _Slices:
    """A batch's events by event types, lookback and columns; features that ask for the same rows share them."""

    def __init__(self, rows: pd.DataFrame, now: pd.Timestamp) -> None:
        self.rows, self.now = rows, now
        self.kept: dict[Any, pd.DataFrame] = {}

    def of(self, each: Feature) -> pd.DataFrame:
        key = (each.event_types, each.lookback)
        if key not in self.kept:
            rows = self.rows
            if each.lookback is not None:
                rows = rows[rows["timestamp"] >= self.now - each.lookback]
            if each.event_types:
                rows = rows[rows["event_type"].isin(each.event_types)]
            self.kept[key] = rows
        return self.kept[key][["user_id", "timestamp", "event_type", *each.columns]]


def _call(step: Planned, rows: pd.DataFrame, now: pd.Timestamp, inputs: Mapping[str, pd.Series]) -> Any:
    each = step.feature
    arguments = (rows, now) if each.takes_now else (rows,)
    try:
        return each.function(*arguments, **step.parameters, **inputs)
    except Exception as error:
        hint = ""
        if isinstance(error, KeyError) and error.args and error.args[0] not in rows.columns:
            hint = f"; it is handed {', '.join(rows.columns)}: declare others with columns=[...]"
        raise FeatureError(
            f"feature '{each.name}' raised {type(error).__name__}: {error}{hint} (now = {now})"
        ) from error


def _calendar_readers(plan: Plan) -> set[str]:
    """Return the features that need true times, and those that take such a feature's values."""
    readers: set[str] = set()
    for step in plan.steps:  # inputs stand before their users
        if step.feature.calendar or readers & {needed.name for needed in step.inputs.values()}:
            readers.add(step.feature.name)
    return readers


def _without(plan: Plan, names: set[str]) -> list[Planned]:
    return [step for step in plan.steps if step.feature.name not in names]


def _with_inputs(plan: Plan, names: set[str]) -> list[Planned]:
    wanted = set(names)
    for step in reversed(plan.steps):
        if step.feature.name in wanted:
            wanted |= {needed.name for needed in step.inputs.values()}
    return [step for step in plan.steps if step.feature.name in wanted]


def _check_shift(
    steps: list[Planned],
    observations: pd.DataFrame,
    events: _Events,
    leads: pd.DataFrame,
    columns: Mapping[str, np.ndarray[Any, Any]],
) -> None:
    """Compute a few leads with true times, alone, and compare: a wrong `calendar` declaration shows here."""
    sample = _busiest(observations, events)
    single = {name: column.copy() for name, column in columns.items()}
    for position in sample:
        row = observations.iloc[[position]]
        batch = _Batch(np.array([position]), pd.Index(row["user_id"]), row["as_of"], row["as_of"].iloc[0])
        _compute(steps, batch, events, leads, single, _Stopwatch())
    problems = []
    for step in steps:
        name = step.feature.name
        shifted, true = pd.Series(columns[name][sample]), pd.Series(single[name][sample])
        if step.feature.dtype == "number":
            same = np.isclose(shifted, true, rtol=1e-9, atol=1e-9, equal_nan=True)
        else:
            same = ((shifted == true) | (shifted.isna() & true.isna())).to_numpy()
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            problems.append(
                f"feature '{name}' gives lead {observations['user_id'].iloc[sample[at]]!r} {true[at]!r} alone at its "
                f"true times and {shifted[at]!r} in one call over shifted events: it reads the calendar (clock times, "
                f"weekdays), or other leads. Declare calendar=True for the first; a feature may not do the second"
            )
    raise_all(FeatureError, problems)


def _busiest(observations: pd.DataFrame, events: _Events) -> np.ndarray[Any, Any]:
    n = events.n_events[events.users.get_indexer(observations["user_id"])]
    order = np.argsort(-n, kind="stable")
    # The busiest lead and others spread down to the median: quiet leads show little.
    return np.unique(order[np.linspace(0, len(order) // 2, CHECKED_LEADS, dtype=int)])


def check_sources(plan: Plan, tables: Tables) -> None:
    """Refuse features whose table, columns or event types the data do not have, all at once."""
    if tables.events is None:
        if plan.needs_events:
            raise FeatureError(
                f"{len(plan.needs_events)} features read events ({examples(plan.needs_events)}), and the data have "
                f"none (data.events is not set): choose features that read the lead table, as in features=attributes"
            )
        return
    types, columns = set(tables.events["event_type"].unique()), set(tables.events.columns)
    problems = []
    for step in plan.steps:
        each = step.feature
        if each.source != "events":
            continue
        absent = [name for name in each.columns if name not in columns]
        if absent:
            problems.append(
                f"feature '{each.name}' reads the event column {examples(absent)}; the log has "
                f"{', '.join(sorted(columns))} (data.events.columns maps them)"
            )
        unseen = [name for name in each.event_types if name not in types]
        if unseen:
            problems.append(
                f"feature '{each.name}' reads events of type {examples(unseen)}; no event has it. "
                f"{did_you_mean(unseen[0], types, 'Types in the log')} Map names with data.event_types"
            )
    raise_all(FeatureError, problems)


def _odd_columns(X: pd.DataFrame) -> Iterator[str]:
    for name in X.columns:
        kinds = X[name].nunique(dropna=False)
        if X[name].isna().all():
            yield f"feature '{name}' is missing for every observation"
        elif kinds == 1:
            yield f"feature '{name}' has one value for every observation: {X[name].iloc[0]}"


class _Stopwatch:
    """Adds up the time spent under each name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timing(self, name: str) -> "_Timing":
        return _Timing(self, name)


class _Timing:
    def __init__(self, watch: _Stopwatch, name: str) -> None:
        self.watch, self.name = watch, name

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.started
        self.watch.seconds[self.name] = self.watch.seconds.get(self.name, 0.0) + spent
