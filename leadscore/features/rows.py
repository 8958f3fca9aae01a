"""The rows a function is handed: its leads' events before each `as_of`, and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import TIMES, EventLog, LogPart
from leadscore.features.observed import Observed
from leadscore.features.registry import Feature

__all__ = ["FIRST_ID", "Call", "Chunk", "as_text"]

Array = np.ndarray[Any, Any]
MICROSECOND = timedelta(microseconds=1)
FIRST_ID = 1 << 40  # the number of a call's first lead; no position or count is as large and could pass for one
GATHER_BELOW = 0.3  # share of a chunk's events that a call sees, below which they are fetched lead by lead


@dataclass(frozen=True)
class Call:
    """One call of each function: observations of different leads that share one `now`.

    Attributes
    ----------
    observed : Observed
    positions : array of int64 (n,)
        The observations, by the code of their lead.
    now : int
        Microseconds since 1970.
    moved : bool
        Whether events of an observation with another `as_of` are moved by `now - as_of`; else they keep their times,
        for functions that do not look at `now`.
    """

    observed: Observed
    positions: Array
    now: int
    moved: bool = True

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def instant(self) -> pd.Timestamp:
        """`now` as functions are handed it."""
        return pd.Timestamp(self.now, unit="us", tz="UTC").as_unit("us")

    @cached_property
    def lead(self) -> Array:
        """The code of each observation's lead, -1 for one without events."""
        return self.observed.lead[self.positions]

    @cached_property
    def as_of(self) -> Array:
        """Each observation's own instant."""
        return self.observed.as_of[self.positions]

    @cached_property
    def moves(self) -> Array | None:
        """By how much each observation's events are moved in time; None where all are in place."""
        return None if self.is_at_once or not self.moved else self.now - self.as_of

    @cached_property
    def is_at_once(self) -> bool:
        """Whether all observations are at `now`."""
        return bool((self.as_of == self.now).all())

    @cached_property
    def user_ids(self) -> pd.Index:
        """The leads' ids, in the order of `positions`."""
        rows = self.observed.lead_row[self.positions]
        return pd.Index(self.observed.tables.leads["user_id"].array.take(rows))

    @cached_property
    def numbers(self) -> pd.Index:
        """The numbers that stand for the leads' ids in the rows handed over."""
        return pd.RangeIndex(FIRST_ID, FIRST_ID + len(self))

    def find(self, index: pd.Index) -> Array:
        """Return where each label, a lead's id or its number, stands among the leads; -1 for none of them."""
        if pd.api.types.is_integer_dtype(index.dtype):
            place = index.to_numpy() - FIRST_ID
            return np.where((place >= 0) & (place < len(self)), place, -1)
        return np.asarray(self.user_ids.get_indexer(index))

    def named(self, index: pd.Index) -> list[Any]:
        """Return labels as people know them: the ids of leads."""
        return [self.user_ids[at] if at >= 0 else label for at, label in zip(self.find(index), index, strict=True)]

    def within(self, first: int, last: int) -> "Call":
        """Return the part of the call that is about leads with codes in `[first, last)`."""
        begin, end = np.searchsorted(self.lead, [first, last])
        return replace(self, positions=self.positions[begin:end])

    def some(self, which: Array) -> "Call":
        """Return the part of the call that is about some of its observations."""
        return replace(self, positions=self.positions[which])

    def lead_rows(self, each: Feature) -> pd.DataFrame:
        """Return the observations' rows of the lead table: id, creation and the declared columns."""
        rows = self.observed.tables.leads.iloc[self.observed.lead_row[self.positions]]
        handed = rows[["user_id", "created_at", *each.columns]].reset_index(drop=True)
        if each.takes_now and self.moves is not None:
            return handed.assign(created_at=handed["created_at"] + pd.to_timedelta(self.moves, unit="us").as_unit("us"))
        return handed


@dataclass(frozen=True)
class Chunk:
    """The events of neighbouring leads, from which each call's rows are cut.

    Attributes
    ----------
    log : EventLog
    part : LogPart
    first, last : int
        The leads, by their places in the part: `[first, last)`.
    """

    log: EventLog
    part: LogPart
    first: int
    last: int
    _picked: dict[tuple[str, ...], tuple[Array | None, Array]] = field(default_factory=dict)

    @classmethod
    def of_all(cls, log: EventLog) -> "Chunk":
        """Return all leads' events as one chunk, for functions that compare leads."""
        part = log.parts[0] if len(log.parts) == 1 else log.joined()
        return cls(log, part, 0, part.n_leads)

    def alone(self) -> "Chunk":
        """Return the chunk with a log that holds nothing else."""
        log = self.log.piece(self.part, self.first, self.last)
        return Chunk(log, log.parts[0], 0, self.last - self.first)

    def __reduce__(self) -> Any:
        """Travel without what was picked; from a mapped log, as its place alone."""
        if self.log.some is None:
            return Chunk, (self.log, self.part, self.first, self.last)
        return Chunk.whole, (self.log,)

    @classmethod
    def whole(cls, log: EventLog) -> "Chunk":
        """Return the leads of a log of one part."""
        return cls(log, log.parts[0], 0, log.parts[0].n_leads)

    def forget(self) -> None:
        """Let go of what was picked for the calls that are done."""
        self._picked.clear()

    @property
    def begin(self) -> int:
        """The row of the part at which the chunk begins."""
        return int(self.part.offsets[self.first])

    @cached_property
    def offsets(self) -> Array:
        """Where each lead's events begin in the chunk."""
        return self.part.offsets[self.first : self.last + 1] - self.begin

    @cached_property
    def counts(self) -> Array:
        """How many events each lead has."""
        return np.diff(self.offsets)

    def column(self, name: str) -> Array:
        """Return a column's values for the chunk's events, a view."""
        return self.part.columns[name][self.begin : int(self.part.offsets[self.last])]

    def rows_of(self, call: Call, types: tuple[str, ...], lookback: timedelta | None) -> tuple[Array, Array]:
        """Return the rows that a call may see, by lead and time, and which of its observations each is for."""
        lead = call.lead - self.part.first_lead - self.first
        has_events = np.flatnonzero(call.lead >= 0)
        counts = self.counts
        sees = counts[lead[has_events]]
        if sees.sum() > GATHER_BELOW * self.offsets[-1]:
            number_of = np.full(len(counts), -1)
            number_of[lead[has_events]] = has_events
            rows, owner = self._pick(types)
            if call.is_at_once:  # one border for all: whoever is outside is dropped before its lead is looked up
                inside = np.flatnonzero(self._known(rows, call.now, lookback))
                rows, owner = inside if rows is None else rows[inside], owner[inside]
            elif rows is None:
                rows = np.arange(len(owner))
            number = number_of[owner]
            if len(has_events) < len(counts):
                asked = np.flatnonzero(number >= 0)
                rows, number = rows[asked], number[asked]
            if call.is_at_once:
                return rows, number
        else:
            starts = self.offsets[lead[has_events]]
            rows = np.arange(sees.sum()) + np.repeat(starts - (np.cumsum(sees) - sees), sees)
            number = np.repeat(has_events, sees)
            if types:
                typed = self._is_of(types)[self.column("event_type")[rows]]
                rows, number = rows[typed], number[typed]
        known = self._known(rows, call.now if call.is_at_once else call.as_of[number], lookback)
        return rows[known], number[known]

    def _known(self, rows: Array | None, as_of: Any, lookback: timedelta | None) -> Array:
        """Return which rows (None: all) lie in `[as_of - lookback, as_of)` and had arrived by `as_of`."""
        some = slice(None) if rows is None else rows
        time = self.column("timestamp")[some]
        known: Array = time < as_of
        if lookback is not None:
            known &= time >= as_of - lookback // MICROSECOND
        if "ingested_at" in self.part.columns:
            known &= self.column("ingested_at")[some] <= as_of
        return known

    def _pick(self, types: tuple[str, ...]) -> tuple[Array | None, Array]:
        """Return the rows of some types (None: all) and the lead of each."""
        if types not in self._picked:
            owner = np.repeat(np.arange(self.last - self.first, dtype="int32"), self.counts)
            rows = np.flatnonzero(self._is_of(types)[self.column("event_type")]) if types else None
            self._picked[types] = rows, owner if rows is None else owner[rows]
        return self._picked[types]

    def _is_of(self, types: Sequence[str]) -> Array:
        codes = self.log.words["event_type"].get_indexer(list(types))
        allowed = np.zeros(len(self.log.words["event_type"]), dtype=bool)
        allowed[codes[codes >= 0]] = True
        return allowed

    def frame(self, call: Call, rows: Array, number: Array, columns: Iterable[str]) -> pd.DataFrame:
        """Return rows as a function is handed them: `user_id` as a number, texts as categories that occur, times moved.

        Grouping by a number takes half the time of grouping by a text; `as_text` gives the rows with their texts.
        """
        data: dict[str, Any] = {"user_id": FIRST_ID + number}
        for name in columns:
            values = self.column(name)[rows]
            if name in TIMES:
                moved = values if call.moves is None else values + call.moves[number]
                data[name] = pd.DatetimeIndex(moved.view("datetime64[us]")).tz_localize("UTC")
            elif name in self.log.words:
                data[name] = _occurring(values, self.log.words[name])
            else:
                data[name] = values
        return pd.DataFrame(data, copy=False)


def as_text(rows: pd.DataFrame, call: Call) -> pd.DataFrame:
    """Return rows with their ids and categories as plain text."""
    texts = {name: "str" for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)}
    ids = call.user_ids.array.take(rows["user_id"].to_numpy() - FIRST_ID)
    return rows.astype(texts).assign(user_id=ids)


def _occurring(codes: Array, words: pd.Index) -> pd.Categorical:
    """Return texts as categories, those that do not occur left out: then counting categories counts texts."""
    used = np.bincount(codes[codes >= 0] if (codes < 0).any() else codes, minlength=len(words)) > 0
    if not used.all():
        place = np.append(np.cumsum(used) - 1, -1).astype(codes.dtype)
        codes, words = place[codes], words[used]
    return pd.Categorical.from_codes(codes, categories=words, validate=False)
