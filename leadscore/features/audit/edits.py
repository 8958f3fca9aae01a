"""How a world is altered: one function for each alteration, over the rows of a log or of whatever code captured.

Each takes a `View`, the instant `now` and a random generator, and returns the altered rows, or None where it has
nothing to alter.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog
from leadscore.features.audit.frames import View, Views, instants
from leadscore.tables import Tables

__all__ = [
    "Edit",
    "altered",
    "drop_future",
    "drop_late",
    "drop_old",
    "duplicate_future",
    "keep_leads",
    "permute_values",
    "perturb_future",
    "shuffle_rows",
]

Edit = Callable[[View, pd.Timestamp, np.random.Generator], pd.DataFrame | None]
NEW_WORD = "!altered"  # sorts before the words that people use


def drop_future(seen: View, now: pd.Timestamp, _rng: np.random.Generator) -> pd.DataFrame | None:
    """Drop rows at or after `now`; in older rows, times that lie there are not known yet."""
    if not seen.times or _is_known_ahead(seen):
        return None
    frame = seen.frame[~(seen.born >= now)]
    for name in seen.times:
        if name != seen.ingested and (later := instants(frame[name]) >= now).any():
            frame = frame.assign(**{name: frame[name].mask(later)})
    return frame


def perturb_future(seen: View, now: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame | None:
    """Give rows at or after `now` other values, words and leads, and some of them the instant `now` itself."""
    if not seen.times:
        return None
    born = seen.born
    future = (born >= now).to_numpy()
    frame = seen.frame.copy()
    for name in seen.facts:
        frame[name] = _other_values(frame[name], future, rng)
    for name in seen.ids:
        other = frame[name].array.take(rng.integers(0, len(frame), len(frame)))
        frame[name] = frame[name].mask(pd.Series(future), other)
    to_the_edge = future & (born < born.max()).to_numpy() & (rng.random(len(frame)) < 0.5) & seen.is_log
    for name in seen.times:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            later = (instants(frame[name]) >= now).to_numpy()
            if name == seen.ingested:
                continue
            moved = frame[name] + pd.to_timedelta(np.where(later & ~future, rng.integers(1, 30, len(frame)), 0), "D")
            edge = now if frame[name].dt.tz is not None else now.tz_localize(None)
            moved = moved.mask(pd.Series(to_the_edge & later), edge)
            frame[name] = moved.astype(frame[name].dtype)
    return frame


def duplicate_future(seen: View, now: pd.Timestamp, _rng: np.random.Generator) -> pd.DataFrame | None:
    """Double rows at or after `now`."""
    if not seen.times or not seen.is_log:
        return None
    return pd.concat([seen.frame, seen.frame[seen.born >= now]], ignore_index=True)


def drop_late(seen: View, now: pd.Timestamp, _rng: np.random.Generator) -> pd.DataFrame | None:
    """Drop rows from before `now` that arrived after it."""
    if seen.ingested is None:
        return None
    return seen.frame[~((seen.born < now) & (instants(seen.frame[seen.ingested]) > now))]


def drop_old(lookback: timedelta) -> Edit:
    """Return the edit that drops rows older than a lookback."""

    def edit(seen: View, now: pd.Timestamp, _rng: np.random.Generator) -> pd.DataFrame | None:
        return seen.frame[~(seen.born < now - lookback)] if seen.times and seen.ids else None

    return edit


def permute_values(seen: View, _now: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame | None:
    """Permute every column that is neither an id nor a time among the rows of leads."""
    if not seen.ids:
        return None
    return seen.frame.assign(
        **{name: seen.frame[name].array.take(rng.permutation(len(seen.frame))) for name in seen.facts}
    )


def shuffle_rows(seen: View, _now: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame | None:
    """Put rows of leads or of moments in another order."""
    return seen.frame.iloc[rng.permutation(len(seen.frame))] if seen.is_log else None


def keep_leads(kept: frozenset[str]) -> Edit:
    """Return the edit that leaves out rows of other leads."""

    def edit(seen: View, _now: pd.Timestamp, _rng: np.random.Generator) -> pd.DataFrame | None:
        return seen.frame[seen.frame[seen.ids[0]].astype("str").isin(kept)] if seen.ids else None

    return edit


def altered(thing: Any, edit: Edit, now: pd.Timestamp, rng: np.random.Generator, views: Views) -> Any:
    """Return what an edit makes of a captured object: a frame, tables, a log, a mapping or a set of ids.

    The object itself is returned where the edit has nothing to alter.
    """
    if isinstance(thing, Tables):
        leads = altered(thing.leads, edit, now, rng, views)
        return replace(thing, leads=leads, log=altered(thing.log, edit, now, rng, views))
    if isinstance(thing, EventLog):
        seen = Views(views.ids, views.sampled).of(thing.to_frame())
        rows = None if seen is None else edit(seen, now, rng)
        return thing if seen is None or rows is None or rows.empty else EventLog.from_frame(seen.back(rows))
    if edit is permute_values and (other := _other_holder(thing, rng, views)) is not None:
        return other
    seen = views.of(thing)
    rows = None if seen is None else edit(seen, now, rng)
    return thing if seen is None or rows is None else seen.back(rows)


def _is_known_ahead(seen: View) -> bool:
    """Whether it is a list of days and nothing else, such as holidays: they are known years before."""
    return not seen.is_log and not seen.facts


def _other_holder(thing: Any, rng: np.random.Generator, views: Views) -> Any:
    """Return a mapping from ids with its values permuted, or a collection of ids with other ids."""
    if isinstance(thing, Mapping) and views.are_ids(thing):
        values = list(thing.values())
        return dict(zip(thing, [values[place] for place in rng.permutation(len(values))], strict=True))
    is_bare = isinstance(thing, np.ndarray) and thing.ndim == 1 and thing.dtype.kind in "OUT"
    if (is_bare or isinstance(thing, set | frozenset | list | pd.Index)) and views.are_ids(thing):
        known = sorted(views.ids)
        others = [known[place] for place in rng.integers(0, len(known), len(thing))]
        return pd.Index(others, name=thing.name) if isinstance(thing, pd.Index) else _like(thing, others)
    return None


def _like(thing: Any, items: list[str]) -> Any:
    return np.array(items, dtype=thing.dtype) if isinstance(thing, np.ndarray) else type(thing)(items)


def _other_values(values: pd.Series, future: Any, rng: np.random.Generator) -> pd.Series:
    future = pd.Series(future)
    if pd.api.types.is_bool_dtype(values):
        return values.where(~future, ~values.astype(bool))
    if pd.api.types.is_numeric_dtype(values):
        largest = values.abs().max() if len(values) else 0
        other = 2 * (0 if pd.isna(largest) else largest) + rng.integers(1, 50, len(values))
        return values.where(~future, pd.Series(other)).astype(values.dtype if values.dtype.kind == "f" else "float64")
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("object").where(~future, NEW_WORD).astype("category")
    if pd.api.types.is_string_dtype(values) or pd.api.types.is_object_dtype(values):
        return values.where(~future, NEW_WORD)
    return values
