"""All declared aggregates of a run in one walk over the log, block by block of leads.

A block is small enough to stay in the processor's caches. In it, a filter's rows are picked once, a window's ends are
found once for each (filter, lookback), and every aggregate reads what it needs from them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, examples
from leadscore.eventlog import EventLog, LogPart
from leadscore.features.aggregates import Aggregate, Filter
from leadscore.features.local import local_mask
from leadscore.features.observed import Observed
from leadscore.times import parse_duration

__all__ = ["Block", "Window", "compute_aggregates"]

Array = np.ndarray[Any, Any]
BLOCK_ROWS = 1 << 17  # events and observations of a block together
MOST_COPIED = 1 << 22  # events copied at once for observations before which some had not arrived
WORTH_KEEPING = 0.8  # share of events before their lead's last observation, above which the others are left in
MICROSECOND = parse_duration("0.000001s")
Leads = tuple[LogPart, int, int]  # of a part, from the first up to the last, by their places
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
        key = (wanted, _microseconds(lookback))
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


def compute_aggregates(
    specs: Mapping[str, Aggregate],
    evaluate: Callable[[Block, Aggregate], Array],
    observed: Observed,
    columns: Mapping[str, Array],
    without: Mapping[str, Any],
    *,
    workers: int = 1,
) -> dict[str, float]:
    """Write every aggregate's value for every observation into `columns`.

    Parameters
    ----------
    specs : mapping of str to Aggregate
    evaluate : callable
        `evaluate(block, spec)` returns one value for each of the block's observations.
    observed : Observed
    columns : mapping of str to array (n_observations,)
        What is written to.
    without : mapping of str to value
        The value of a lead without events.
    workers : int
        Threads; the values do not depend on it.

    Returns
    -------
    dict of str to float
        Seconds spent on each, summed over threads; what several share counts for the first that asks.
    """
    needed = sorted({name for spec in specs.values() for name in spec.columns} | {"timestamp", "event_type"})

    def compute(some: Leads) -> dict[str, float]:
        seconds = dict.fromkeys(specs, 0.0)
        for block in walk.blocks(some):
            for name, spec in specs.items():
                started = time.perf_counter()
                columns[name][block.observations] = evaluate(block, spec)
                seconds[name] += time.perf_counter() - started
            block.forget()
        return seconds

    walk = _Walk(observed, needed, _longest(specs.values()))
    steps = [some for part in observed.log.parts for some in walk.steps(part)]
    total = dict.fromkeys(specs, 0.0)
    eventless = np.flatnonzero(observed.lead < 0)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(lambda name: columns[name].__setitem__(eventless, without[name]), specs))
        for seconds in pool.map(compute, steps) if workers > 1 else map(compute, steps):
            for name, spent in seconds.items():
                total[name] += spent
    return total


def _without_future(
    columns: dict[str, Array], offsets: Array, as_of: Array, asked: Array
) -> tuple[dict[str, Array], Array]:
    """Drop the events from their lead's last observation on, where these are many: nothing will look at them."""
    from leadscore.features.kernel import trim

    rows, kept = np.empty(offsets[-1], dtype="int64"), np.empty(len(offsets), dtype="int64")
    n = trim(columns["timestamp"], offsets, as_of, asked, rows, kept)
    if n > WORTH_KEEPING * len(rows):
        return columns, offsets
    return {name: values[rows[:n]] for name, values in columns.items()}, kept


def _longest(specs: Iterable[Aggregate]) -> int:
    """Return the longest lookback in microseconds, -1 where one aggregate sees everything."""
    lookbacks = [_microseconds(part.lookback) for spec in specs for part in spec.parts]
    return -1 if -1 in lookbacks else max(lookbacks)


@cache
def _microseconds(lookback: str | None) -> int:
    return -1 if lookback is None else parse_duration(lookback) // MICROSECOND


class _Walk:
    """Cuts the log into blocks, each made when its turn comes."""

    def __init__(self, observed: Observed, needed: Sequence[str], longest: int) -> None:
        self.observed, self.needed = observed, needed
        self.lookups: dict[Any, Array] = {}
        self.zones: dict[str, Array] = {}
        self.longest = longest

    def steps(self, part: LogPart) -> Iterator[Leads]:
        """Yield neighbouring leads whose events and observations make a block."""
        asked = self.observed.asked(part)
        weight = part.offsets + (asked - asked[0])
        first = 0
        while first < part.n_leads:
            last = max(first + 1, int(np.searchsorted(weight, weight[first] + BLOCK_ROWS, side="right")) - 1)
            if asked[last] > asked[first]:
                yield part, first, last
            first = last

    def blocks(self, leads: Leads) -> Iterator[Block]:
        """Yield a block, and another one for observations before which some events had not arrived."""
        from leadscore.features.kernel import arrived

        part, first, last = leads
        asked = self.observed.asked(part)[first : last + 1]
        begin, end = int(part.offsets[first]), int(part.offsets[last])
        offsets = part.offsets[first : last + 1] - begin
        observations = self.observed.order[asked[0] : asked[-1]]
        asked = asked - asked[0]
        as_of = self.observed.as_of[observations]
        columns = {name: np.array(part.columns[name][begin:end]) for name in self.needed}  # the log may be read-only
        lead = np.arange(part.first_lead + first, part.first_lead + last)
        late_log = "ingested_at" in part.columns
        if late_log:
            columns["ingested_at"] = np.array(part.columns["ingested_at"][begin:end])
        columns, offsets = _without_future(columns, offsets, as_of, asked)
        if not late_log:
            yield self._block(columns, offsets, asked, as_of, observations, lead)
            return
        ingested = columns.pop("ingested_at")
        whole = np.empty(len(as_of), dtype=bool)
        arrived(columns["timestamp"], ingested, offsets, as_of, asked, whole)
        if whole.any():
            n_before = np.concatenate([[0], np.cumsum(whole)])
            yield self._block(columns, offsets, n_before[asked], as_of[whole], observations[whole], lead)
        late = np.flatnonzero(~whole)
        mine = np.repeat(np.arange(len(lead)), np.diff(asked))[late]
        copied = np.cumsum(offsets[mine + 1] - offsets[mine])
        for some in np.split(np.arange(len(late)), np.flatnonzero(np.diff(copied // MOST_COPIED)) + 1):
            if len(some):
                sees, which = (offsets[mine[some]], offsets[mine[some] + 1]), late[some]
                yield self._late(columns, ingested, sees, as_of[which], observations[which], lead[mine[some]])

    def _late(
        self,
        columns: Mapping[str, Array],
        ingested: Array,
        sees: tuple[Array, Array],
        as_of: Array,
        observations: Array,
        lead: Array,
    ) -> Block:
        """Give each observation a copy of the events it knew, as if it were a lead of its own."""
        from leadscore.features.kernel import known_rows

        first, last = sees
        rows, offsets = np.empty(int((last - first).sum()), dtype="int64"), np.empty(len(as_of) + 1, dtype="int64")
        n = known_rows(columns["timestamp"], ingested, first, last, as_of, self.longest, rows, offsets)
        known = {name: values[rows[:n]] for name, values in columns.items()}
        return self._block(known, offsets, np.arange(len(as_of) + 1), as_of, observations, lead)

    def _block(
        self,
        columns: Mapping[str, Array],
        offsets: Array,
        asked: Array,
        as_of: Array,
        observations: Array,
        lead: Array,
    ) -> Block:
        def zones(column: str) -> Sequence[Any]:
            if column not in self.zones:
                self.zones[column] = _zone_of_lead(self.observed, column)
            named: Sequence[Any] = self.zones[column][lead].tolist()
            return named

        return Block(self.observed.log, columns, offsets, asked, as_of, observations, zones, self.lookups)


def _zone_of_lead(observed: Observed, column: str) -> Array:
    """Return the zone that stands in the lead table, by the lead's code; rows of one lead must agree."""
    tables = observed.tables
    zones = pd.DataFrame({"code": tables.lead_codes, "zone": tables.leads[column]}).query("code >= 0").drop_duplicates()
    twice = zones["code"].duplicated()
    if twice.any():
        named = observed.log.user_ids[zones["code"][twice].unique()]
        raise FeatureError(
            f"zone: lead.{column}: {len(named)} leads have rows with different zones ({examples(named)}); one is needed"
        )
    found = np.full(len(observed.log.user_ids), None, dtype=object)
    found[zones["code"]] = zones["zone"]
    return found
