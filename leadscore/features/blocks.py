"""A block of leads: the rows that a filter picks and the windows that observations see, each found once.

A block is small enough to stay in the processor's caches; every aggregate reads what it needs from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from leadscore.eventlog import EventLog
from leadscore.features.aggregates import Filter
from leadscore.features.local import local_mask
from leadscore.times import parse_duration

__all__ = ["Block", "Window", "as_numbers", "microseconds"]

Array = np.ndarray[Any, Any]
MICROSECOND = parse_duration("0.000001s")
Rows = tuple[Array | None, Array]  # the rows that a filter picks (None: all), and where each lead's begin among them


@dataclass(frozen=True)
class Block:
    """Some leads' events and observations, sorted by lead and time.

    Attributes
    ----------
    log : EventLog
        For its words.
    columns : mapping of str to array (n_events,)
    offsets, asked : array of int64 (n_leads + 1,)
        Where each lead's events, and its observations, begin.
    as_of : array of int64 (n_observations,)
    observations : array of int64 (n_observations,)
        Their positions in the model table.
    zones : callable
        `zones(column) -> words`: each of the block's leads' time zone, from the lead table.
    """

    log: EventLog
    columns: Mapping[str, Array]
    offsets: Array
    asked: Array
    as_of: Array
    observations: Array
    zones: Callable[[str], Sequence[Any]]
    lookups: dict[Any, Array]  # which codes of a text column a filter allows; shared by all blocks
    _rows: dict[Filter, Rows] = field(default_factory=dict)
    _windows: dict[tuple[Filter, int], "Window"] = field(default_factory=dict)

    def window(self, wanted: Filter, lookback: str | None) -> "Window":
        """Return what each observation sees of the events that a filter picks; built once, whoever asks."""
        key = (wanted, microseconds(lookback))
        if key not in self._windows:
            if wanted not in self._rows:
                self._rows[wanted] = self._pick(wanted)
            self._windows[key] = Window(self, *self._rows[wanted], key[1])
        return self._windows[key]

    def _pick(self, wanted: Filter) -> Rows:
        from leadscore.features.kernel import pick

        texts = [("event_type", wanted.event_type)] if wanted.event_type else []
        texts += [pair for pair in wanted.where if pair[0] in self.log.words]
        masks = [self._allowed(*pair)[self.columns[pair[0]]] for pair in texts[1:]]
        numbers = [pair for pair in wanted.where if pair[0] not in self.log.words]
        masks += [np.isin(self.columns[column], as_numbers(values)) for column, values in numbers]
        if wanted.when is not None:
            masks.append(local_mask(self, wanted.when, wanted.zone))
        if not texts and not masks:
            return None, self.offsets
        if masks:
            masks += [self._allowed(*pair)[self.columns[pair[0]]] for pair in texts[:1]]
            codes, allowed = np.logical_and.reduce(masks).view("int8"), np.array([False, True])
        else:
            codes, allowed = self.columns[texts[0][0]], self._allowed(*texts[0])
        rows, kept = np.empty(len(codes) + 1, dtype="int64"), np.empty(len(self.offsets), dtype="int64")
        n = pick(codes, allowed, self.offsets, rows, kept)
        return rows[:n], kept

    def _allowed(self, column: str, values: tuple[str, ...]) -> Array:
        """Return whether each word of a text column is one of the values; the last place is that of a missing text."""
        if (column, values) not in self.lookups:
            self.lookups[column, values] = np.append(self.log.words[column].isin(values), False)
        return self.lookups[column, values]

    def forget(self) -> None:
        """Let go of the windows, which refer back: memory is free at once, not when circles are looked for."""
        self._windows.clear()


def as_numbers(values: Sequence[str]) -> list[float]:
    """Return the values that are numbers: in a column of numbers, `5` is 5.0 and `team` is nothing."""
    numbers = []
    for value in values:
        try:
            numbers.append(float(value))
        except ValueError:
            continue
    return numbers


@dataclass(frozen=True)
class Window:
    """The events of one filter and lookback, as each observation of a block sees them.

    `low` and `high` are the half-open slice of `rows` in `[as_of - lookback, as_of)`.
    """

    block: Block
    rows: Array | None
    offsets: Array
    lookback: int  # microseconds; -1 is everything before as_of

    @cached_property
    def time(self) -> Array:
        """When each event happened, in microseconds since 1970 (n_rows,)."""
        return self.values("timestamp")

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        from leadscore.features.kernel import bounds

        n = len(self.block.as_of)
        low, high = np.empty(n, dtype="int64"), np.empty(n, dtype="int64")
        bounds(self.time, self.offsets, self.block.as_of, self.block.asked, self.lookback, low, high)
        return low, high

    @property
    def low(self) -> Array:
        """The first event of each observation's window (n_observations,)."""
        return self._ends[0]

    @property
    def high(self) -> Array:
        """One past the last event of each observation's window (n_observations,)."""
        return self._ends[1]

    @cached_property
    def n(self) -> Array:
        """How many events each window holds (n_observations,)."""
        return self.high - self.low

    def values(self, column: str) -> Array:
        """Return a column of the events (n_rows,)."""
        values = self.block.columns[column]
        return values if self.rows is None else values[self.rows]

    def codes(self, column: str) -> tuple[Array, int]:
        """Return a column's values as small integers, -1 where missing, and how many there are."""
        values = self.values(column)
        if column in self.block.log.words:
            return values.astype("int32"), len(self.block.log.words[column])
        different, codes = np.unique(values, return_inverse=True)
        return np.where(np.isnan(values), -1, codes).astype("int32"), len(different)

    def sums(self, column: str) -> tuple[Array, Array]:
        """Return each window's sum of a number, missing ones left out, and how many there are."""
        from leadscore.features.kernel import sums

        total, n = np.empty(len(self.block.as_of)), np.empty(len(self.block.as_of), dtype="int64")
        sums(self.values(column), self.offsets, self.block.asked, self.low, self.high, total, n)
        return total, n

    def variance(self, column: str) -> Array:
        """Return each window's sample variance of a number, NaN below two values."""
        from leadscore.features.kernel import moments

        out = np.empty(len(self.block.as_of))
        moments(self.values(column), self.offsets, self.block.asked, self.low, self.high, out)
        return out

    def extreme(self, column: str, sign: float) -> Array:
        """Return each window's largest value (`sign` 1) or smallest (-1), NaN where there is none."""
        from leadscore.features.kernel import extremes

        out = np.empty(len(self.block.as_of))
        extremes(self.values(column), self.offsets, self.block.asked, self.low, self.high, sign, out)
        return out

    def distinct(self, column: str) -> Array:
        """Return how many different values each window holds."""
        from leadscore.features.kernel import distinct

        codes, n_codes = self.codes(column)
        out, seen = np.empty(len(self.block.as_of), dtype="int64"), np.zeros(n_codes, dtype="int32")
        distinct(codes, self.offsets, self.block.asked, self.low, self.high, seen, out)
        return out

    def active_days(self) -> Array:
        """Return on how many days, of 24 hours counted back from `as_of`, each window has an event."""
        from leadscore.features.kernel import active_days

        out = np.empty(len(self.block.as_of), dtype="int64")
        active_days(self.time, self.offsets, self.block.as_of, self.block.asked, self.low, self.high, out)
        return out

    def first(self, values: Array, missing: Any) -> Array:
        """Return the value of each window's first event, `missing` where it holds none."""
        return self._at(values, self.low, missing)

    def last(self, values: Array, missing: Any) -> Array:
        """Return the value of each window's last event, `missing` where it holds none."""
        return self._at(values, self.high - 1, missing)

    def _at(self, values: Array, rows: Array, missing: Any) -> Array:
        if not len(values):
            return np.full(len(rows), missing)
        found: Array = np.where(self.n > 0, values[np.clip(rows, 0, len(values) - 1)], missing)
        return found


@cache
def microseconds(lookback: str | None) -> int:
    """Return a lookback in microseconds, -1 where everything is seen."""
    return -1 if lookback is None else parse_duration(lookback) // MICROSECOND
