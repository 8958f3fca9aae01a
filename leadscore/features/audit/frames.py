"""Any pandas object as a flat frame whose columns have roles: a time, a lead's id, or a value."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["View", "Views", "instants"]

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
LOOKED_AT = 200  # values from which a column's role is read


@dataclass(frozen=True)
class View:
    """An object's rows, what its columns are, and the way back.

    Attributes
    ----------
    frame : DataFrame (n_rows, ...)
        RangeIndex; the object's index levels are columns `i0`, ..., its own columns `c0`, ...
    times, ids, facts : tuple of str
        Which of them hold instants, ids of leads, and anything else; index levels of no role are in none.
    ingested : str or None
        The one called `ingested_at`.
    is_log : bool
        Whether the rows are about leads, or at least about moments; what only has whole days is a calendar, such as
        a list of holidays or of daily rates, which is in order, and has each day once.
    back : callable
        `back(frame)` makes an object of the original kind from such rows.
    """

    frame: pd.DataFrame
    times: tuple[str, ...]
    ids: tuple[str, ...]
    facts: tuple[str, ...]
    ingested: str | None
    is_log: bool
    back: Callable[[pd.DataFrame], Any]

    @cached_property
    def born(self) -> pd.Series:
        """Each row's earliest instant, NaT where it has none; a lead's is its creation."""
        times = pd.concat([instants(self.frame[name]) for name in self.times], axis=1)
        return times.min(axis=1)


class Views:
    """Objects seen as rows, each looked at once; `ids` are those of all leads, `sampled` of those that are audited."""

    def __init__(self, ids: frozenset[str], sampled: frozenset[str]) -> None:
        self.ids, self.sampled = ids, sampled
        self._kept: dict[int, tuple[Any, View | None]] = {}  # the object is kept, so that its id stays its own

    def of(self, thing: Any) -> View | None:
        """Return a DataFrame, Series, Index or array of one dimension as a View; None for anything else."""
        if id(thing) not in self._kept:
            self._kept[id(thing)] = thing, self._view(thing)
        return self._kept[id(thing)][1]

    def are_ids(self, values: Iterable[Any]) -> bool:
        """Whether more than half of some values are ids of leads; numbers must be those of most sampled leads.

        Small numbers are hours, weekdays and places in a table; as ids they would be so many that few are missing.
        """
        whole = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype="object")
        looked_at = whole[:LOOKED_AT].dropna()
        if not len(looked_at) or pd.api.types.is_float_dtype(whole) or pd.api.types.is_bool_dtype(whole):
            return False
        texts = [str(value) for value in looked_at]
        if not sum(text in self.ids for text in texts) > len(texts) / 2:
            return False
        if not all(text.isdecimal() for text in texts):
            return True
        return len(self.sampled & set(whole.astype("str"))) > len(self.sampled) / 2

    def _view(self, thing: Any) -> View | None:
        if isinstance(thing, np.ndarray) and thing.ndim == 1:
            levels, columns = [], [pd.Series(thing)]
        elif isinstance(thing, pd.DataFrame):
            levels = _levels(thing.index)
            columns = [thing.iloc[:, place] for place in range(thing.shape[1])]
        elif isinstance(thing, pd.Series):
            levels, columns = _levels(thing.index), [thing]
        elif isinstance(thing, pd.Index):
            levels, columns = _levels(thing), []
        else:
            return None
        data = {f"i{place}": level.array for place, level in enumerate(levels)}
        data |= {f"c{place}": column.array for place, column in enumerate(columns)}
        frame = pd.DataFrame(data, index=pd.RangeIndex(len(thing)))
        times = tuple(name for name in frame if _is_time(frame[name]))
        ids = tuple(name for name in frame if name not in times and self.are_ids(frame[name]))
        facts = tuple(name for name in frame if name[0] == "c" and name not in times + ids)
        called = [None] * len(levels) + [column.name for column in columns]
        arrived = [name for name, label in zip(frame, called, strict=True) if label == "ingested_at" and name in times]
        is_log = bool(ids) or any(not _is_of_days(frame[name]) for name in times)
        return View(frame, times, ids, facts, arrived[0] if arrived else None, is_log, _way_back(thing))


def instants(values: pd.Series) -> pd.Series:
    """Return times as they were written, as instants in UTC; without a zone they are taken for UTC."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize("UTC") if values.dt.tz is None else values.dt.tz_convert("UTC")
    return pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")


def _levels(index: pd.Index) -> list[pd.Index]:
    return [index.get_level_values(level) for level in range(index.nlevels)]


def _is_time(values: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return False
    texts = values.dropna()[:5]
    return bool(len(texts)) and all(isinstance(text, str) and _ISO_DATE.match(text) for text in texts)


def _is_of_days(values: pd.Series) -> bool:
    times = instants(values).dropna()
    return bool((times == times.dt.normalize()).all())


def _way_back(thing: Any) -> Callable[[pd.DataFrame], Any]:
    def index(frame: pd.DataFrame) -> pd.Index:
        levels = [name for name in frame if name[0] == "i"]
        if isinstance(thing, pd.MultiIndex) or isinstance(getattr(thing, "index", None), pd.MultiIndex):
            names = thing.names if isinstance(thing, pd.MultiIndex) else thing.index.names
            return pd.MultiIndex.from_arrays([frame[name].array for name in levels], names=names)
        return pd.Index(frame[levels[0]].array, name=getattr(thing, "index", thing).name)

    def back(frame: pd.DataFrame) -> Any:
        if isinstance(thing, np.ndarray):
            return frame["c0"].to_numpy().astype(thing.dtype, copy=True)
        if isinstance(thing, pd.Index):
            return index(frame)
        if isinstance(thing, pd.Series):
            return pd.Series(frame["c0"].array, index=index(frame), name=thing.name, copy=True)
        rows = frame[[name for name in frame if name[0] == "c"]]
        return rows.set_axis(index(frame), axis=0).set_axis(thing.columns, axis=1)

    return back
