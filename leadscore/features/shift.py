"""Does a feature survive the shift? A wrong `calendar` declaration, or a look at other leads, shows here.

leadscore's own features and aggregates are held to this by its tests. On everybody else's, two things are tried at
every build with shifted events:

- a few leads are computed alone, with true times;
- a sample of leads is computed again with all its times moved to twelve other instants, over a year of months,
  weekdays and hours: what depends only on distances to `now` cannot tell.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, raise_all
from leadscore.features.engine import Batch, EventLog, Stopwatch, compute_batch
from leadscore.features.plan import Planned
from leadscore.features.registry import Feature

__all__ = ["check_shift"]

ALONE = 4
MOVED = 100
MOVES = [pd.Timedelta(days=30 * step, hours=11 * step, minutes=7 * step) for step in range(1, 13)]

Columns = Mapping[str, "np.ndarray[Any, Any]"]


def check_shift(
    steps: list[Planned], observations: pd.DataFrame, events: EventLog, leads: pd.DataFrame, columns: Columns
) -> None:
    """Raise a FeatureError that names each feature whose values a shift in time changes, a lead and both values.

    Parameters
    ----------
    steps : list of Planned
        What was computed over shifted events.
    observations, events, leads
        As the engine has them.
    columns : mapping of str to array (n_observations,)
        The values to hold to.
    """
    steps = _with_inputs(steps, {step.feature.name for step in steps if not is_shipped(step.feature)})
    if not steps:
        return
    order = _busiest_first(observations, events)
    problems: dict[str, str] = {}
    for position in np.unique(order[np.linspace(0, len(order) // 2, ALONE, dtype=int)]):
        as_of = observations["as_of"].iloc[position]
        batch = _batch(np.array([position]), observations, as_of)
        _compare(steps, batch, (events, leads, columns), "alone, with its true times,", problems)
    once = order[~observations["user_id"].iloc[order].duplicated().to_numpy()]  # a batch has each lead once
    sample = np.sort(once[np.linspace(0, len(once) - 1, min(MOVED, len(once)), dtype=int)])
    for move in MOVES:
        batch = _batch(sample, observations, observations["as_of"].max() - move)
        _compare(steps, batch, (events, leads, columns), f"with all times moved by {move.days} days", problems)
    raise_all(FeatureError, list(problems.values()))


def is_shipped(each: Feature) -> bool:
    """Whether a feature's function comes with leadscore."""
    function = getattr(each.function, "func", each.function)  # an aggregate is a partial
    return str(function.__module__).startswith("leadscore.")


def _with_inputs(steps: list[Planned], names: set[str]) -> list[Planned]:
    for step in reversed(steps):  # inputs stand before their users
        if step.feature.name in names:
            names |= {needed.name for needed in step.inputs.values()}
    return [step for step in steps if step.feature.name in names]


def _busiest_first(observations: pd.DataFrame, events: EventLog) -> Any:
    n_events = events.n_events[events.users.get_indexer(observations["user_id"])]
    return np.argsort(-n_events, kind="stable")


def _batch(positions: Any, observations: pd.DataFrame, now: pd.Timestamp) -> Batch:
    rows = observations.iloc[positions]
    return Batch(positions, pd.Index(rows["user_id"]), rows["as_of"], now)


def _compare(
    steps: list[Planned],
    batch: Batch,
    computing: tuple[EventLog, pd.DataFrame, Columns],
    how: str,
    problems: dict[str, str],
) -> None:
    """Compute the batch again and keep the first difference of each feature, in words."""
    events, leads, columns = computing
    again = {step.feature.name: columns[step.feature.name].copy() for step in steps}
    compute_batch(steps, batch, events, leads, again, Stopwatch())
    for step in steps:
        name = step.feature.name
        first, second = columns[name][batch.positions], again[name][batch.positions]
        if step.feature.dtype == "number":
            same = np.isclose(first, second, rtol=1e-9, atol=1e-9, equal_nan=True)
        else:
            same = (first == second) | (pd.isna(first) & pd.isna(second))
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            problems.setdefault(
                name,
                f"feature '{name}' gives lead {batch.user_ids[at]!r} {first[at]} in one call over shifted events and "
                f"{second[at]} {how}: it reads the calendar (months, weekdays, clock times), or other leads. Declare "
                f"calendar=True for the first; a feature may not do the second",
            )
