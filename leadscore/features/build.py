"""Tables and observations in, the model table out: correct at each `as_of` by construction.

A function never sees a row from `as_of` on, or one that arrived after it, because it is never handed one.

Two ways of calling, with the same result:

- **true times**: one call for each distinct `as_of`, over the events of the leads observed then. For
  snapshots (few instants, many leads each) and for features that read the calendar.
- **shifted**: when each lead has an `as_of` of its own, its events are moved in time by
  `instant - as_of`, so that one call at one `instant` serves all leads. Only distances to `now` survive
  that, which is tried on a sample at every build (see `shift`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leadscore.features.engine import Batch, EventLog, Stopwatch, compute_batch, lead_rows
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature
from leadscore.features.shift import check_shift
from leadscore.features.sources import check_sources
from leadscore.tables import Tables

__all__ = ["FeatureTable", "build"]

# Above this many calls a feature, one call over shifted events is worth its check.
MAX_TRUE_CALLS = 60


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


def build(tables: Tables, observations: pd.DataFrame, plan: Plan, *, way: str = "best") -> FeatureTable:
    """Compute every column of `plan` for every observation.

    Parameters
    ----------
    tables : Tables
    observations : DataFrame (n_observations, ...)
        With `user_id` (str), `as_of` (datetime64[us, UTC]) and `lead_row`, the position of the lead's row
        in `tables.leads`. A pair (`user_id`, `as_of`) stands once.
    plan : Plan
    way : {'best', 'true', 'shifted'}
        How functions are called: as the declarations allow and the number of instants suggests; always with true
        times; or over shifted events wherever a declaration allows it. The values are the same.

    Returns
    -------
    FeatureTable

    Raises
    ------
    FeatureError
        When a feature needs a table, column or event type that the data do not have, or breaks its contract.
    """
    check_sources(plan, tables)
    events = EventLog(tables, observations)
    leads = lead_rows(tables, observations)
    shifted = way == "shifted" or (way == "best" and observations["as_of"].nunique() > MAX_TRUE_CALLS)
    true_only = _calendar_readers(plan) if shifted else set()
    clock = Stopwatch()
    columns: dict[str, np.ndarray[Any, Any]] = {
        step.feature.name: _empty(step.feature, len(observations)) for step in plan.steps
    }
    for batch in _batches(observations, shifted=shifted):
        compute_batch(_without(plan, true_only), batch, events, leads, columns, clock)
    if true_only:
        for batch in _batches(observations, shifted=False):
            compute_batch(_with_inputs(plan, true_only), batch, events, leads, columns, clock)
    if shifted:
        check_shift(_without(plan, true_only), observations, events, leads, columns)
    index = pd.MultiIndex.from_frame(observations[["user_id", "as_of"]])
    data = {each.name: pd.Series(columns[each.name], index=index, dtype=_DTYPES[each.dtype]) for each in plan.columns}
    X = pd.DataFrame(data, index=index)
    return FeatureTable(X, dict(clock.seconds), tuple(_odd_columns(X)))


_DTYPES = {"number": "float64", "category": "str"}


def _empty(each: Feature, n: int) -> np.ndarray[Any, Any]:
    return np.full(n, np.nan) if each.dtype == "number" else np.full(n, np.nan, dtype=object)


def _batches(observations: pd.DataFrame, *, shifted: bool) -> Iterator[Batch]:
    groups: Any
    if shifted:
        instant = observations["as_of"].max()
        groups = ((instant, rows) for _, rows in observations.groupby(observations.groupby("user_id").cumcount()))
    else:
        groups = observations.groupby("as_of")
    positions = pd.Series(np.arange(len(observations)), index=observations.index)
    for now, rows in groups:
        yield Batch(positions[rows.index].to_numpy(), pd.Index(rows["user_id"]), rows["as_of"], now)


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


def _odd_columns(X: pd.DataFrame) -> Iterator[str]:
    for name in X.columns:
        kinds = X[name].nunique(dropna=False)
        if X[name].isna().all():
            yield f"feature '{name}' is missing for every observation"
        elif kinds == 1:
            yield f"feature '{name}' has one value for every observation: {X[name].iloc[0]}"
