"""Functions written the plain pandas way, called: in which groups, over which rows, in how many processes.

Four ways of calling, with the same result:

- **true times**: one call for each distinct `as_of`, over the events of the leads observed then.
- **own**: a function that does not look at `now` depends on its rows alone: one call serves all leads, each with the
  events before its own `as_of`, at their true times.
- **shifted**: when each lead has an `as_of` of its own, its events are moved in time by `now - as_of`, so that one
  call at one `now` serves all leads. Distances to `now` survive that, months and weekdays do not.
- **weekly**: the same by whole weeks, one call for each time of the week at which leads are observed. Weekdays and
  times of day in UTC survive that too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leadscore.eventlog import EventLog, LogPart, group_rows
from leadscore.features.invoke import compute_call
from leadscore.features.observed import Observed
from leadscore.features.plan import Planned
from leadscore.features.rows import Call, Chunk
from leadscore.features.tally import once_each
from leadscore.pools import Pool

__all__ = ["call_functions", "make_calls"]

Array = np.ndarray[Any, Any]
WEEK = 7 * 86_400_000_000  # microseconds
CHUNK_ROWS = 2_000_000  # events whose columns fit in the processor's caches together with what functions make of them
PARALLEL_ROWS = 20_000_000  # events handed over in all calls of a function, below which one process is faster
LEAST_ROWS = 20_000  # events a call must be handed on average before calls are cut for the sake of locality


def make_calls(observed: Observed, way: str) -> list[Call]:
    """Group the observations into calls.

    Parameters
    ----------
    observed : Observed
    way : {'true', 'own', 'shifted', 'weekly'}
    """
    by_lead = observed.order
    if way == "true":
        keys: tuple[Array, ...] = (observed.as_of[by_lead],)
    elif way in ("shifted", "own"):
        keys = (observed.turn[by_lead],)
    else:
        keys = (observed.as_of[by_lead] % WEEK, observed.turn[by_lead])
    key, group = np.unique(keys[0], return_inverse=True)
    for more in keys[1:]:
        key, group = np.unique(group * (more.max() + 1) + more, return_inverse=True)
    rows, offsets = group_rows(group, len(key))
    groups = np.split(by_lead[rows], offsets[1:-1])
    return [Call(observed, some, int(observed.as_of[some].max()), moved=way != "own") for some in groups]


def call_functions(
    steps: Sequence[Planned],
    calls: Sequence[Call],
    columns: Mapping[str, Array],
    *,
    text: Collection[str] = (),
    whole: bool = False,
    workers: int = 1,
    pool: Pool | None = None,
) -> dict[str, float]:
    """Call each step's function and write its values into `columns`.

    Parameters
    ----------
    steps : sequence of Planned
        Inputs before their users; inputs that are none of the steps stand in `columns` already.
    calls : sequence of Call
    columns : mapping of str to array (n_observations,)
    text : collection of str
        Features that are handed ids and texts as plain text.
    whole : bool
        Hand over all leads of a call together, for features that compare leads.
    workers : int
        Processes; the values do not depend on it.
    pool : Pool, optional
        Calls the functions, those that compare leads aside, in place of this machine's processes.

    Returns
    -------
    dict of str to float
        Seconds spent in each function.

    Raises
    ------
    FeatureError
        When a function raises or breaks its contract.
    ComputeError
        When a pool gives an observation no value, or two.
    """
    elsewhere = None if whole else pool
    workers = workers if elsewhere is None else elsewhere.n_workers
    units = _units(steps, calls, columns, whole=whole, workers=workers, text=text)
    if elsewhere is not None:
        asked = np.concatenate([call.positions for call in calls])
        done = once_each(elsewhere.map(_compute, units), _positions, calls[0].observed, asked)
    elif workers > 1 and not whole and _worth_processes(calls):
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=workers, backend="loky")(delayed(_compute)(unit) for unit in units)
    else:
        done = map(_compute, units)
    seconds = dict.fromkeys((step.feature.name for step in steps), 0.0)
    for pieces, spent in done:
        for name, positions, values in pieces:
            columns[name][positions] = values
        for name in spent:
            seconds[name] += spent[name]
    return seconds


def _worth_processes(calls: Sequence[Call]) -> bool:
    """Whether there is so much to do that starting processes, a second or two each, pays off."""
    log = calls[0].observed.tables.log
    return log is not None and _n_seen(log, calls) >= PARALLEL_ROWS


def _n_seen(log: EventLog, calls: Sequence[Call]) -> int:
    """Return how many events the leads of all calls have, counted in each call."""
    n_events = np.concatenate([np.diff(part.offsets) for part in log.parts])
    return sum(int(n_events[call.lead[call.lead >= 0]].sum()) for call in calls)


@dataclass(frozen=True)
class Unit:
    """What one process does at a time: some leads' events, and the calls that are about these leads.

    Attributes
    ----------
    steps : tuple of Planned
    chunk : Chunk or None
        None where no step reads events.
    calls : tuple of Call
    inputs : mapping of str to array
        Columns that the steps take, of all observations of the calls' `Observed`.
    text : set of str
        Features that are handed plain text.
    rows : array or None
        The observations' positions in the model table, when the unit has been cut out of it.
    """

    steps: tuple[Planned, ...]
    chunk: Chunk | None
    calls: tuple[Call, ...]
    inputs: Mapping[str, Array]
    text: Collection[str]
    rows: Array | None = None

    def __reduce__(self) -> Any:
        """Travel light: to another process go these leads' events, and the observations and inputs of these calls."""
        rows = np.unique(np.concatenate([call.positions for call in self.calls]))
        whole = self.calls[0].observed
        lead_rows, lead_row = np.unique(whole.lead_row[rows], return_inverse=True)
        lead, chunk, log = whole.lead[rows], None, None
        if self.chunk is not None:
            chunk = self.chunk.alone()
            log = chunk.log
            lead = np.where(lead < 0, -1, lead - self.chunk.part.first_lead - self.chunk.first)
        leads = whole.tables.leads.iloc[lead_rows].reset_index(drop=True)
        tables = replace(whole.tables, leads=leads, log=log, truth=None)
        observed = Observed(tables, whole.as_of[rows], lead_row, lead)
        calls = tuple(
            replace(call, observed=observed, positions=np.searchsorted(rows, call.positions)) for call in self.calls
        )
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return Unit, (self.steps, chunk, calls, inputs, self.text, rows)


def _units(
    steps: Sequence[Planned],
    calls: Sequence[Call],
    columns: Mapping[str, Array],
    *,
    whole: bool,
    workers: int,
    text: Collection[str],
) -> Iterator[Unit]:
    own = {step.feature.name for step in steps}
    inputs = {each.name: columns[each.name] for step in steps for each in step.inputs.values() if each.name not in own}
    log = calls[0].observed.tables.log
    if log is None or all(step.feature.source == "leads" for step in steps):
        yield Unit(tuple(steps), None, tuple(calls), inputs, text)
        return
    chunks = [Chunk.of_all(log)] if whole else _chunks(log, calls, workers)
    for number, chunk in enumerate(chunks):
        first = chunk.part.first_lead + chunk.first
        # Leads without events come first in a call, and go with the first leads that have some.
        mine = [call.within(first if number else -1, first + chunk.last - chunk.first) for call in calls]
        if any(len(call) for call in mine):
            yield Unit(tuple(steps), chunk, tuple(call for call in mine if len(call)), inputs, text)


def _chunks(log: EventLog, calls: Sequence[Call], workers: int) -> list[Chunk]:
    """Cut the log for the caches and the processes, but not so finely that calls become small."""
    seen = _n_seen(log, calls)
    wanted = max(-(-len(log) // CHUNK_ROWS), 4 * workers if workers > 1 else 1)
    n_chunks = max(1, min(wanted, seen // len(calls) // LEAST_ROWS))
    chunks = [chunk for part in log.parts for chunk in _cut(log, part, -(-len(log) // n_chunks))]
    return chunks or [Chunk.of_all(log)]  # an empty log, too, has leads that are asked about


def _cut(log: EventLog, part: LogPart, rows: int) -> Iterator[Chunk]:
    first = 0
    while first < part.n_leads:
        end = np.searchsorted(part.offsets, part.offsets[first] + rows, side="right") - 1
        last = max(first + 1, int(end))
        yield Chunk(log, part, first, last)
        first = last


Piece = tuple[str, Array, Array]  # a column's name, positions in the model table, values


def _positions(done: tuple[list[Piece], dict[str, float]]) -> Array:
    pieces, _ = done
    first = pieces[0][0]
    return np.concatenate([positions for name, positions, _ in pieces if name == first])


def _compute(unit: Unit) -> tuple[list[Piece], dict[str, float]]:
    pieces: list[Piece] = []
    seconds: dict[str, float] = {}
    for call in unit.calls:
        inputs = {name: values[call.positions] for name, values in unit.inputs.items()}
        values = compute_call(unit.steps, call, unit.chunk, inputs, text=unit.text, seconds=seconds)
        positions = call.positions if unit.rows is None else unit.rows[call.positions]
        pieces += [(step.feature.name, positions, values[step.feature.name]) for step in unit.steps]
    if unit.chunk is not None:
        unit.chunk.forget()
    return pieces, seconds
