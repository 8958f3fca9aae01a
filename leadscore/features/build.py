"""Tables and observations in, the model table out: correct at each `as_of` by construction.

A function never sees a row from `as_of` on, or one that arrived after it, because it is never handed one; a declared
aggregate's window ends there. Columns known from an earlier build are taken as they are, attributes are looked up,
aggregates are computed in one walk over the log, and functions are called in the way their declarations allow.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from leadscore.features.calls import call_functions, make_calls
from leadscore.features.compiled import compute_aggregates
from leadscore.features.kinds import evaluate
from leadscore.features.observed import Observed
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature
from leadscore.features.shares import share_aggregates
from leadscore.features.shift import check_moved
from leadscore.features.sources import check_sources
from leadscore.features.trial import need_text
from leadscore.pools import Pool
from leadscore.tables import TIME_DTYPE, Tables

__all__ = ["ColumnCache", "FeatureTable", "build"]

Array = np.ndarray[Any, Any]
ENDS = 20  # values at either end by which columns are told apart before they are compared whole
MAX_TRUE_CALLS = 60  # above this many calls a feature, moving its events in time is worth the check of it


class ColumnCache(Protocol):
    """Columns of earlier builds, each under all that decides its values."""

    def get(self, name: str) -> Array | None:
        """Return a column's values in the observations' order (float64, or object with text and NaN), if known."""

    def put(self, name: str, values: Array) -> None:
        """Keep a column's values."""

    def making(self, names: Iterable[str]) -> AbstractContextManager[None]:
        """Be the only process that makes these columns: another one waits, and then finds them."""


@dataclass(frozen=True)
class FeatureTable:
    """The model table's columns and what it took to make them.

    Attributes
    ----------
    X : DataFrame (n_observations, n_features)
        In the observations' order, indexed by (`user_id`, `as_of`); float64 for numbers, str for categories.
    seconds : mapping of str to float
        Time spent on each feature that was computed.
    notes : tuple of str
        Columns that are constant, wholly missing, or repeat another.
    recalled : tuple of str
        Features whose values an earlier build has left.
    """

    X: pd.DataFrame
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()


def build(
    tables: Tables,
    observations: pd.DataFrame,
    plan: Plan,
    *,
    way: str = "best",
    workers: int = 1,
    cache: ColumnCache | None = None,
    checked: bool = False,
    pool: Pool | None = None,
) -> FeatureTable:
    """Compute every column of `plan` for every observation.

    Parameters
    ----------
    tables : Tables
    observations : DataFrame (n_observations, ...)
        With `user_id` (str), `as_of` (datetime64[us, UTC]) and `lead_row`, the position of the lead's row
        in `tables.leads`. A pair (`user_id`, `as_of`) stands once.
    plan : Plan
    way : {'best', 'true', 'shifted', 'text'}
        How functions are called: as the declarations allow and the number of instants suggests; always with true
        times; over shifted events wherever a declaration allows it; or like the first, with plain text instead of
        categories. The values are the same.
    workers : int
        Processes for functions, threads for aggregates. The values do not depend on it.
    cache : ColumnCache, optional
    checked : bool
        Whether the caller has asked `lacking_sources`.
    pool : Pool, optional
        Computes what is computed lead by lead. Attributes, which are only looked up, and features that compare leads
        stay in this process.

    Returns
    -------
    FeatureTable

    Raises
    ------
    FeatureError
        When a feature needs a table, column or event type that the data do not have, or breaks its contract.
    ComputeError
        When a pool fails, or gives an observation no value, or two.
    """
    if not checked:
        check_sources(plan, tables)
    observed = Observed.of(tables, observations)
    columns, todo, recalled = _recall(plan, cache)
    seconds: dict[str, float] = {}
    lacking = [step.feature.name for step in todo if not _is_attribute(step)]
    with nullcontext() if cache is None or not lacking else cache.making(lacking):
        if lacking and cache is not None:  # another process may have made them while this one waited
            columns, todo, recalled = _recall(plan, cache)
        for ways, steps in _stages(todo, observed, way) if len(observed) else ():
            seconds |= _compute(ways, steps, observed, columns, workers=workers, pool=pool, text=way == "text")
            if cache is not None and ways != "attribute":
                for step in steps:
                    cache.put(step.feature.name, columns[step.feature.name])
    index = _index(tables, observations, observed)
    X = pd.DataFrame({each.name: _finished(columns[each.name], each) for each in plan.columns}, index=index, copy=False)
    return FeatureTable(X, seconds, tuple(_odd_columns(X)), recalled)


def _finished(values: Any, each: Feature) -> Any:
    return values if each.dtype == "number" else pd.array(values, dtype="str")


def _recall(plan: Plan, cache: ColumnCache | None) -> tuple[dict[str, Array], list[Planned], tuple[str, ...]]:
    """Return the columns that are known, the steps to compute for the others, and the names of the known ones."""
    known: dict[str, Array] = {}
    wanted = {step.feature.name for step in plan.steps if step.is_column}
    todo = []
    for step in reversed(plan.steps):  # users stand after their inputs
        name = step.feature.name
        if name not in wanted:
            continue
        values = None if cache is None or _is_attribute(step) else cache.get(name)
        if values is not None:
            known[name] = values
        else:
            todo.append(step)
            wanted |= {needed.name for needed in step.inputs.values()}
    return known, todo[::-1], tuple(sorted(known))


def _empty(each: Feature, n: int) -> Array:
    if each.dtype == "category":
        return np.full(n, np.nan, dtype=object)
    return np.full(n, np.nan if each.no_events is None else each.no_events, dtype="float64")


def _is_attribute(step: Planned) -> bool:
    spec = step.feature.aggregate
    return spec is not None and spec.aggregate == "attribute"


def _stages(todo: Sequence[Planned], observed: Observed, way: str) -> Iterator[tuple[str, list[Planned]]]:
    """Yield steps that are computed together, with how: inputs in an earlier stage, or before their users in the same.

    A value belongs to an observation, however it was computed: a feature called over shifted events may take one
    that was called with true times.
    """
    ways = {step.feature.name: _way(step, observed, way) for step in todo}
    left = list(todo)
    while left:
        chosen = ways[left[0].feature.name]
        waiting: set[str] = set()
        stage = []
        for step in left:
            taken = {needed.name for needed in step.inputs.values()}
            if ways[step.feature.name] == chosen and not taken & waiting:
                stage.append(step)
            else:
                waiting.add(step.feature.name)
        yield chosen, stage
        left = [step for step in left if step.feature.name in waiting]


def _way(step: Planned, observed: Observed, way: str) -> str:
    each = step.feature
    if each.aggregate is not None:
        return "attribute" if _is_attribute(step) else "compiled"
    if each.across_leads:
        return "whole"
    if way == "true" or (way != "shifted" and observed.n_instants <= MAX_TRUE_CALLS):
        return "true"
    if not each.reads_now:
        return "own"
    # Moved by whole weeks, a feature is called once for each time of the week, which pays off where these are few.
    weekly = "weekly" if way == "shifted" or observed.n_times_of_week <= MAX_TRUE_CALLS else "true"
    return {False: "shifted", True: weekly, "date": "true"}[each.calendar]


def _compute(
    way: str,
    steps: list[Planned],
    observed: Observed,
    columns: dict[str, Array],
    *,
    workers: int,
    pool: Pool | None,
    text: bool,
) -> dict[str, float]:
    if way == "attribute":
        for step in steps:
            (name,) = step.feature.columns
            values = observed.tables.leads[name].array.take(observed.lead_row)
            columns[step.feature.name] = values if step.feature.dtype == "category" else np.asarray(values, "float64")
        return {}
    if way == "compiled":
        return _compute_aggregates(steps, observed, columns, workers, pool)
    for step in steps:
        columns[step.feature.name] = _empty(step.feature, len(observed))
    calls = make_calls(observed, "true" if way == "whole" else way)
    as_text = {step.feature.name for step in steps} if text else need_text(steps, calls, columns)
    seconds = call_functions(steps, calls, columns, text=as_text, whole=way == "whole", workers=workers, pool=pool)
    if way in ("own", "shifted", "weekly"):
        check_moved(steps, observed, columns, way, as_text)
    return seconds


def _compute_aggregates(
    steps: list[Planned], observed: Observed, columns: dict[str, Array], workers: int, pool: Pool | None
) -> dict[str, float]:
    """Walk over the log; a category comes as codes of its column's words, and becomes these words."""
    without: dict[str, Any] = {}
    for each in (step.feature for step in steps):
        without[each.name] = np.nan if each.no_events is None else each.no_events
        columns[each.name] = np.empty(len(observed))  # touched first by the threads that fill it
    texts = [step.feature for step in steps if step.feature.dtype == "category"]
    for each in texts:
        without[each.name], columns[each.name] = -1, np.empty(len(observed), dtype="int64")
    specs = {step.feature.name: step.feature.aggregate for step in steps if step.feature.aggregate}
    if pool is None:
        seconds = compute_aggregates(specs, evaluate, observed, columns, without, workers=workers)
    else:
        seconds = share_aggregates(specs, observed, columns, without, pool)
    for each in texts:
        assert each.aggregate is not None
        words = observed.log.words[str(each.aggregate.column)]
        columns[each.name] = words.array.take(columns[each.name], allow_fill=True)
    return seconds


def _index(tables: Tables, observations: pd.DataFrame, observed: Observed) -> pd.MultiIndex:
    """Return (user_id, as_of) without hashing a text for every observation."""
    codes, instants = pd.factorize(observed.as_of, sort=True)
    times = pd.DatetimeIndex(np.asarray(instants).view("datetime64[us]")).tz_localize("UTC").astype(TIME_DTYPE)
    ids, rows = tables.lead_ids, observed.lead_row
    if tables.repeats_leads:
        place, ids = pd.factorize(ids)
        rows = place[rows]
    names = ["user_id", "as_of"]
    return pd.MultiIndex(levels=[ids, times], codes=[rows, codes], names=names, verify_integrity=False)


def _odd_columns(X: pd.DataFrame) -> Iterator[str]:
    seen: dict[Any, list[str]] = {}  # columns that begin and end alike: only these are compared whole
    for name in X.columns:
        values = X[name]
        first = values.iloc[0] if len(values) else np.nan
        if (values.isna() if pd.isna(first) else values == first).all():
            is_missing = pd.isna(first)
            said = "is missing for every observation" if is_missing else f"has one value for every observation: {first}"
            yield f"feature '{name}' {said}"
            continue
        ends = pd.concat([values.head(ENDS), values.tail(ENDS)]).astype("str").fillna("-")
        alike = seen.setdefault((str(values.dtype), *ends), [])
        twin = next((each for each in alike if X[each].equals(values)), None)
        if twin is not None:
            yield f"feature '{name}' has the values of '{twin}' for every observation"
        alike.append(name)
