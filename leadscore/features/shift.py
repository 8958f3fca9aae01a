"""Does a feature survive that its events are moved in time? A wrong `calendar`, or a look at other leads, shows here.

leadscore's own features are held to this by its tests. On everybody else's, two things are tried at every build that
moves events:

- a few leads, spread over the observations' instants, are computed alone, with true times;
- a sample of leads is computed again with all its times moved to other instants over a year of months, weekdays and
  hours, by whole weeks where the feature may read those: what depends only on what it declares cannot tell.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from leadscore.errors import FeatureError, raise_all
from leadscore.features.contract import same_values
from leadscore.features.invoke import compute_call
from leadscore.features.observed import Observed
from leadscore.features.plan import Planned
from leadscore.features.registry import is_shipped
from leadscore.features.rows import Call, Chunk

__all__ = ["check_moved"]

Array = np.ndarray[Any, Any]
ALONE = 6
MOVED = 100
HOUR = 3_600_000_000  # microseconds
WEEK = 7 * 24 * HOUR
MOVES: dict[str, list[int]] = {
    "own": [],
    "shifted": [(30 * 24 + 11) * step * HOUR + 7 * step * 60_000_000 for step in range(1, 13)],
    "weekly": [step * WEEK for step in (4, 9, 13, 17, 22, 26, 30, 35, 39, 43, 48, 52)],
}
ADVICE = {
    "own": "it depends on other leads. Declare across_leads=True, or group by user_id throughout",
    "shifted": "it reads the calendar (months, weekdays, clock times), or other leads. Declare calendar=True for "
    "weekdays and times of day in UTC, calendar='date' for the rest of the calendar, across_leads=True for other leads",
    "weekly": "it reads months, dates, or the clock of a zone, or other leads. Declare calendar='date' for the "
    "calendar, across_leads=True for other leads",
}


def check_moved(
    steps: list[Planned], observed: Observed, columns: Mapping[str, Array], way: str, text: Collection[str] = ()
) -> None:
    """Raise a FeatureError that names each feature whose values a move in time changes, a lead and both values.

    Parameters
    ----------
    steps : list of Planned
        What was computed over moved events.
    observed : Observed
    columns : mapping of str to array (n_observations,)
        The values to hold to.
    way : {'shifted', 'weekly'}
    text : collection of str
        Features that are handed plain text.
    """
    steps = [step for step in steps if not is_shipped(step.feature)]
    if not steps:
        return
    log = observed.tables.log
    # One part is enough: leads are spread over the parts by a hash, and no second copy of a long log is made.
    chunk = None if log is None else Chunk(log, log.parts[0], 0, log.parts[0].n_leads)
    busiest = _busiest_first(observed)
    if chunk is not None:
        busiest = busiest[observed.lead[busiest] < chunk.last]
    busy = busiest[: max(1, len(busiest) // 2)]
    problems: dict[str, str] = {}
    over_time = busy[np.argsort(observed.as_of[busy], kind="stable")]
    for position in np.unique(over_time[np.linspace(0, len(over_time) - 1, ALONE, dtype=int)]):
        call = Call(observed, np.array([position]), int(observed.as_of[position]))
        again = _again(steps, call, chunk, columns, text)
        _compare(steps, call, columns, again, ("alone, with its true times", ADVICE[way]), problems)
    once = busiest[observed.turn[busiest] == 0]  # a call has each lead once
    sample = once[np.linspace(0, len(once) - 1, min(MOVED, len(once)), dtype=int)]
    sample = sample[np.argsort(observed.lead[sample], kind="stable")]
    if way == "weekly":  # leads observed at one time of the week can share a call
        sample = sample[observed.as_of[sample] % WEEK == observed.as_of[sample[0]] % WEEK]
    for move in MOVES[way]:
        call = Call(observed, sample, int(observed.as_of[sample].max()) - move)
        words = f"with all times moved by {move // (24 * HOUR)} days"
        again = _again(steps, call, chunk, columns, text)
        _compare(steps, call, columns, again, (words, ADVICE[way]), problems)
    raise_all(FeatureError, list(problems.values()))


def _busiest_first(observed: Observed) -> Array:
    n_events = np.zeros(len(observed), dtype="int64")
    if observed.tables.log is not None:
        counts = np.concatenate([np.diff(part.offsets) for part in observed.tables.log.parts])
        has_events = observed.lead >= 0
        n_events[has_events] = counts[observed.lead[has_events]]
    return np.argsort(-n_events, kind="stable")


def _again(
    steps: list[Planned], call: Call, chunk: Chunk | None, columns: Mapping[str, Array], text: Collection[str]
) -> dict[str, Array]:
    own = {step.feature.name for step in steps}
    needed = {each.name for step in steps for each in step.inputs.values()} - own
    inputs = {name: columns[name][call.positions] for name in needed}
    return compute_call(steps, call, chunk, inputs, text=text)


def _compare(
    steps: list[Planned],
    call: Call,
    columns: Mapping[str, Array],
    again: Mapping[str, Array],
    said: tuple[str, str],
    problems: dict[str, str],
) -> None:
    """Keep the first difference of each feature, in words."""
    how, advice = said
    for step in steps:
        name = step.feature.name
        first, second = columns[name][call.positions], again[name]
        same = same_values(first, second)
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            problems.setdefault(
                name,
                f"feature '{name}' gives lead {call.user_ids[at]!r} {first[at]} in one call over shifted events and "
                f"{second[at]} {how}: {advice}",
            )
