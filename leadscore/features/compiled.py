"""All declared aggregates of a run in one walk over the log, block by block of leads."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, examples
from leadscore.eventlog import EventLog, LogPart
from leadscore.features.aggregates import Aggregate
from leadscore.features.blocks import Block, microseconds
from leadscore.features.observed import Observed

__all__ = ["compute_aggregates", "zone_of_lead"]

Array = np.ndarray[Any, Any]
BLOCK_ROWS = 1 << 16  # events and observations of a block together
MOST_COPIED = 1 << 22  # events copied at once for observations before which some had not arrived
WORTH_KEEPING = 0.8  # share of events before their lead's last observation, above which the others are left in
Leads = tuple[LogPart, int, int]  # of a part, from the first up to the last, by their places


def compute_aggregates(
    specs: Mapping[str, Aggregate],
    evaluate: Callable[[Block, Aggregate], Array],
    observed: Observed,
    columns: Mapping[str, Array],
    without: Mapping[str, Any],
    *,
    workers: int = 1,
    zones: Callable[[str], Array] | None = None,
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
    zones : callable, optional
        `zones(column)`: the time zone of each lead, by its code; default: looked up in the lead table.

    Returns
    -------
    dict of str to float
        Seconds spent on each, summed over threads; what several share counts for the first that asks.
    """
    needed = sorted({name for spec in specs.values() for name in spec.columns} | {"timestamp", "event_type"})

    def compute(some: Leads) -> dict[str, float]:
        seconds = dict.fromkeys(specs, 0.0)
        for block in walk.blocks(some):
            for together in counted:
                started = time.perf_counter()
                for name, values in zip(together.names, together.count(block), strict=True):
                    columns[name][block.observations] = values
                for name in together.names:
                    seconds[name] += (time.perf_counter() - started) / len(together.names)
            for name, spec in others.items():
                started = time.perf_counter()
                columns[name][block.observations] = evaluate(block, spec)
                seconds[name] += time.perf_counter() - started
            block.forget()
        return seconds

    counted = _counted_together(specs, observed.log)
    others = {name: spec for name, spec in specs.items() if not _is_plain_count(spec)}

    walk = _Walk(observed, needed, _longest(specs.values()), zones or partial(zone_of_lead, observed))
    steps = [some for part in observed.log.parts for some in walk.steps(part)]
    total = dict.fromkeys(specs, 0.0)
    eventless = np.flatnonzero(observed.lead < 0)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(lambda name: columns[name].__setitem__(eventless, without[name]), specs))
        for seconds in pool.map(compute, steps) if workers > 1 else map(compute, steps):
            for name, spent in seconds.items():
                total[name] += spent
    return total


@dataclass(frozen=True)
class _Counts:
    """Counts of events by type over one lookback: all of them in one walk.

    Attributes
    ----------
    names : tuple of str
    lookback : int
        Microseconds; -1 is everything before `as_of`.
    starts, filters : array of int64
        Which counts an event of each type is part of, see `kernel.counts`.
    """

    names: tuple[str, ...]
    lookback: int
    starts: Array
    filters: Array

    def count(self, block: Block) -> Array:
        """Return each count for each of the block's observations (n_counts, n_observations)."""
        from leadscore.features.kernel import counts

        out = np.empty((len(self.names), len(block.as_of)))
        codes, times = block.columns["event_type"], block.columns["timestamp"]
        counts(times, codes, self.starts, self.filters, block.offsets, block.as_of, block.asked, self.lookback, out)
        return out


def _is_plain_count(spec: Aggregate) -> bool:
    return spec.aggregate == "count" and not spec.where and spec.when is None


def _counted_together(specs: Mapping[str, Aggregate], log: EventLog) -> list[_Counts]:
    by_lookback: dict[int, list[str]] = {}
    for name, spec in specs.items():
        if _is_plain_count(spec):
            by_lookback.setdefault(microseconds(spec.lookback), []).append(name)
    together = []
    for lookback, names in by_lookback.items():
        types = [set(specs[name].event_type) for name in names]
        mine = [[n for n, some in enumerate(types) if not some or word in some] for word in log.words["event_type"]]
        starts = np.cumsum([0, *map(len, mine)])
        filters = np.array(list(chain.from_iterable(mine)), dtype="int64")
        together.append(_Counts(tuple(names), lookback, starts, filters))
    return together


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
    lookbacks = [microseconds(part.lookback) for spec in specs for part in spec.parts]
    return -1 if -1 in lookbacks else max(lookbacks)


class _Walk:
    """Cuts the log into blocks, each made when its turn comes."""

    def __init__(self, observed: Observed, needed: Sequence[str], longest: int, zones: Callable[[str], Array]) -> None:
        self.observed, self.needed = observed, needed
        self.lookups: dict[Any, Array] = {}
        self.zones = cache(zones)
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
            named: Sequence[Any] = self.zones(column)[lead].tolist()
            return named

        return Block(self.observed.log, columns, offsets, asked, as_of, observations, zones, self.lookups)


def zone_of_lead(observed: Observed, column: str) -> Array:
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
