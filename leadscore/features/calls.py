"""Functions written the plain pandas way, called: in which groups, over which rows, in how many processes.

Three ways of calling, with the same result:

- **true times**: one call for each distinct `as_of`, over the events of the leads observed then.
- **shifted**: when each lead has an `as_of` of its own, its events are moved in time by `now - as_of`, so that one
  call at one `now` serves all leads. Distances to `now` survive that, months and weekdays do not.
- **weekly**: the same by whole weeks, one call for each time of the week at which leads are observed. Weekdays and
  times of day in UTC survive that too.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError
from leadscore.eventlog import EventLog, LogPart, group_rows
from leadscore.features.contract import checked_values, same_values
from leadscore.features.ids import are_only_keys
from leadscore.features.observed import Observed
from leadscore.features.plan import Planned
from leadscore.features.registry import Feature, is_shipped
from leadscore.features.rows import Call, Chunk, as_text

__all__ = ["call_functions", "compute_call", "make_calls", "need_text"]

Array = np.ndarray[Any, Any]
WEEK = 7 * 86_400_000_000  # microseconds
CHUNK_ROWS = 2_000_000  # events whose columns fit in the processor's caches together with what functions make of them
ASKED_LEADS = 64  # of which each function is asked whether it needs ids as texts
LEAST_ROWS = 20_000  # events a call must be handed on average before calls are cut for the sake of locality


def make_calls(observed: Observed, way: str) -> list[Call]:
    """Group the observations into calls.

    Parameters
    ----------
    observed : Observed
    way : {'true', 'shifted', 'weekly'}
    """
    by_lead = observed.order
    if way == "true":
        keys: tuple[Array, ...] = (observed.as_of[by_lead],)
    elif way == "shifted":
        keys = (observed.turn[by_lead],)
    else:
        keys = (observed.as_of[by_lead] % WEEK, observed.turn[by_lead])
    key, group = np.unique(keys[0], return_inverse=True)
    for more in keys[1:]:
        key, group = np.unique(group * (more.max() + 1) + more, return_inverse=True)
    rows, offsets = group_rows(group, len(key))
    return [Call(observed, some, int(observed.as_of[some].max())) for some in np.split(by_lead[rows], offsets[1:-1])]


def call_functions(
    steps: Sequence[Planned],
    calls: Sequence[Call],
    columns: Mapping[str, Array],
    *,
    text: Collection[str] = (),
    whole: bool = False,
    workers: int = 1,
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

    Returns
    -------
    dict of str to float
        Seconds spent in each function.

    Raises
    ------
    FeatureError
        When a function raises or breaks its contract.
    """
    units = list(_units(steps, calls, columns, whole=whole, workers=workers, text=text))
    if workers > 1 and len(units) > 1:
        from joblib import Parallel, delayed

        done = Parallel(n_jobs=min(workers, len(units)), backend="loky")(delayed(_compute)(unit) for unit in units)
    else:
        done = map(_compute, units)
    seconds = dict.fromkeys((step.feature.name for step in steps), 0.0)
    for pieces, spent in done:
        for name, positions, values in pieces:
            columns[name][positions] = values
        for name in spent:
            seconds[name] += spent[name]
    return seconds


def need_text(steps: Sequence[Planned], call: Call, columns: Mapping[str, Array]) -> set[str]:
    """Return the features that are to be handed ids and texts as plain text: they look at an id, or can tell.

    Grouping by numbers and categories is what makes functions fast, and most cannot tell. Their source says whether
    they look at ids; and each is asked on a few leads whether it gives the same for categories as for texts. Those
    that come with leadscore are held to both by a test.
    """
    own = [step for step in steps if step.feature.source == "events" and not is_shipped(step.feature)]
    need = {step.feature.name for step in own if not are_only_keys(step.feature.function)}
    log = call.observed.tables.log
    if log is None or len(need) == len(own):
        return need
    with_events = np.flatnonzero(call.lead >= 0)
    few = call.some(with_events[np.linspace(0, len(with_events) - 1, min(ASKED_LEADS, len(with_events)), dtype=int)])
    chunk = Chunk.of_all(log)
    for step in own:
        name = step.feature.name
        inputs = {each.name: columns[each.name][few.positions] for each in step.inputs.values() if each.name in columns}
        try:
            coded, plain = (compute_call([step], few, chunk, inputs, text=text)[name] for text in ((), {name}))
        except (FeatureError, KeyError):  # told when all leads are computed; or an input is still to be
            continue
        if not same_values(coded, plain).all():
            need.add(name)
    return need


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
        calls = tuple(Call(observed, np.searchsorted(rows, call.positions), call.now) for call in self.calls)
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
    n_events = np.concatenate([np.diff(part.offsets) for part in log.parts])
    seen = sum(int(n_events[call.lead[call.lead >= 0]].sum()) for call in calls)
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


def _compute(unit: Unit) -> tuple[list[Piece], dict[str, float]]:
    pieces: list[Piece] = []
    seconds: dict[str, float] = {}
    for call in unit.calls:
        inputs = {name: values[call.positions] for name, values in unit.inputs.items()}
        values = compute_call(unit.steps, call, unit.chunk, inputs, text=unit.text, seconds=seconds)
        positions = call.positions if unit.rows is None else unit.rows[call.positions]
        pieces += [(step.feature.name, positions, values[step.feature.name]) for step in unit.steps]
    return pieces, seconds


def compute_call(
    steps: Sequence[Planned],
    call: Call,
    chunk: Chunk | None,
    inputs: Mapping[str, Array],
    *,
    text: Collection[str] = (),
    seconds: dict[str, float] | None = None,
) -> dict[str, Array]:
    """Call each step's function once and return the values, one for each of the call's observations, with the inputs.

    Raises
    ------
    FeatureError
        When a function raises, also over plain text, or breaks its contract.
    """
    handed = _Handed(call, chunk, steps)
    values = dict(inputs)
    for step in steps:
        each = step.feature
        rows = call.lead_rows(each) if each.source == "leads" else handed.rows(each, text=each.name in text)
        as_is = each.source == "leads" or each.name in text
        taken = _inputs(step, values, call.user_ids if as_is else call.numbers)
        started = time.perf_counter()
        try:
            result = _call(step, rows, call.instant, taken)
        except (Exception, SystemExit) as error:  # a feature that exits must not end a sweep
            rows = rows if as_is else as_text(rows, call)
            result = _again_as_text(step, rows, call, _inputs(step, values, call.user_ids), error)
        if seconds is not None:
            seconds[each.name] = seconds.get(each.name, 0.0) + time.perf_counter() - started
        values[each.name] = checked_values(each, result, call)
    return values


def _inputs(step: Planned, values: Mapping[str, Array], index: pd.Index) -> dict[str, pd.Series]:
    taken = step.inputs.items()
    return {argument: pd.Series(values[needed.name].copy(), index=index) for argument, needed in taken}


class _Handed:
    """A call's rows by event types and lookback: features that ask for the same rows share them."""

    def __init__(self, call: Call, chunk: Chunk | None, steps: Sequence[Planned]) -> None:
        self.call, self.chunk = call, chunk
        self.columns: dict[Any, list[str]] = {}
        self.n_users: Counter[Any] = Counter()
        for each in (step.feature for step in steps if step.feature.source == "events"):
            wanted = self.columns.setdefault((each.event_types, each.lookback), ["timestamp", "event_type"])
            wanted += [name for name in each.columns if name not in wanted]
            self.n_users[each.event_types, each.lookback] += 1
        self.frames: dict[Any, pd.DataFrame] = {}

    def rows(self, each: Feature, *, text: bool) -> pd.DataFrame:
        key = (each.event_types, each.lookback)
        if key not in self.frames:
            assert self.chunk is not None
            found = self.chunk.rows_of(self.call, *key)
            self.frames[key] = self.chunk.frame(self.call, *found, self.columns[key])
        # A Series taken into a frame is copied once it is written to: a function cannot spoil the next one's rows.
        names = ["user_id", "timestamp", "event_type", *each.columns]
        mine = self.frames[key]
        if self.n_users[key] > 1:
            mine = pd.DataFrame({name: mine[name] for name in names}, copy=False)
        return as_text(mine, self.call) if text else mine


def _call(step: Planned, rows: pd.DataFrame, now: pd.Timestamp, inputs: Mapping[str, pd.Series]) -> Any:
    arguments = (rows, now) if step.feature.takes_now else (rows,)
    return step.feature.function(*arguments, **step.parameters, **inputs)


def _again_as_text(
    step: Planned, rows: pd.DataFrame, call: Call, inputs: Mapping[str, pd.Series], error: BaseException
) -> Any:
    """Call again with ids and texts as plain text, which `.str` and `max` need; else say what went wrong."""
    try:
        return _call(step, rows, call.instant, inputs)
    except (Exception, SystemExit) as second:
        error = second
    hint = ""
    if isinstance(error, KeyError) and error.args and error.args[0] not in rows.columns:
        hint = f"; it is handed {', '.join(rows.columns)}: declare others with columns=[...]"
    culprit = _culprit(step, rows, call, inputs)
    alone = f" for lead {culprit!r} alone" if culprit is not None else ""
    raise FeatureError(
        f"feature '{step.feature.name}' raised {type(error).__name__}: {error}{hint}{alone} (now = {call.instant})"
    ) from error


def _culprit(step: Planned, rows: pd.DataFrame, call: Call, inputs: Mapping[str, pd.Series]) -> Any:
    """Return a lead for which the function raises alone, by halving; None when it takes several to make it raise."""
    ids = call.user_ids
    while len(ids) > 1:
        halves = (ids[: len(ids) // 2], ids[len(ids) // 2 :])
        ids = next((half for half in halves if _raises(step, rows, call, inputs, half)), pd.Index([]))
    return ids[0] if len(ids) and _raises(step, rows, call, inputs, ids) else None


def _raises(step: Planned, rows: pd.DataFrame, call: Call, inputs: Mapping[str, pd.Series], ids: pd.Index) -> bool:
    some = rows[rows["user_id"].isin(ids)].reset_index(drop=True)
    try:
        _call(step, some, call.instant, {name: values.loc[ids] for name, values in inputs.items()})
    except (Exception, SystemExit):
        return True
    return False
