"""Two worlds side by side: which features' values differ, and what their code captured that made the difference."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.features.audit import edits
from leadscore.features.audit.bench import Bench, Values, moved
from leadscore.features.audit.captured import Slot
from leadscore.tables import Tables

__all__ = ["Captured", "Difference", "conditions", "differences", "edited_log", "with_edit"]


@dataclass(frozen=True)
class Difference:
    """What a check saw of one feature.

    Attributes
    ----------
    feature : str
    before, after : object
        The example's values; None where values are not the point.
    lead, as_of
        The example, or None.
    n, of : int
        How many observations moved, of how many.
    said : str
        What happened, where it is not that a value moved.
    slot : Slot or None
        The captured object that made the difference.
    line : str or None
        The exact line, where it is known.
    severity : {'error', 'review'}
    """

    feature: str
    before: Any = None
    after: Any = None
    lead: str | None = None
    as_of: Any = None
    n: int = 0
    of: int = 0
    said: str = ""
    slot: Slot | None = None
    line: str | None = None
    severity: str = "error"


def differences(
    bench: Bench, before: Values, after: Values, observations: pd.DataFrame, again: "Captured | None" = None
) -> Iterator[Difference]:
    """Yield the features whose values differ, those left out that only hand on what an input of theirs does."""
    found: set[str] = set()
    for name in bench.names:
        if found & bench.with_inputs(name):
            continue
        if name in after.errors and name not in before.errors:
            found.add(name)
            lead, as_of = observations[["user_id", "as_of"]].iloc[0]
            slot = _guilty(bench, name, before, again)
            yield Difference(name, lead=None, as_of=as_of, said=after.errors[name], slot=slot)
        if name not in before.columns or name not in after.columns:
            continue
        differs = moved(before.columns[name], after.columns[name])
        if differs.any():
            found.add(name)
            at = int(np.flatnonzero(differs)[0])
            lead, as_of = observations[["user_id", "as_of"]].iloc[at]
            values = before.columns[name][at], after.columns[name][at]
            slot = _guilty(bench, name, before, again)
            yield Difference(name, *values, lead, as_of, int(differs.sum()), len(differs), slot=slot)


def _guilty(bench: Bench, name: str, before: Values, again: "Captured | None") -> Slot | None:
    """Return the captured object that alone makes the difference; asked once for all edits of one kind."""
    if again is None:
        return None
    key = (name, again.kind)
    if key not in bench.guilty:
        slots = [slot for each in bench.with_inputs(name) for slot in bench.reached[each].slots]
        bench.guilty[key] = next((slot for slot in slots if again.moves(name, slot, before)), None)
    return bench.guilty[key]


@dataclass(frozen=True)
class Captured:
    """How one feature is computed with a change of one captured object alone."""

    bench: Bench
    observations: pd.DataFrame
    edit: edits.Edit
    now: pd.Timestamp

    @property
    def kind(self) -> str:
        """Edits of one kind have one culprit."""
        return self.edit.__name__ if self.edit in (edits.permute_values, edits.shuffle_rows) else "times"

    def moves(self, name: str, slot: Slot, before: Values) -> bool:
        """Whether changing the object in `slot` alone moves the feature."""
        change = self.bench.changer(self.edit, self.now)
        tables = self.bench.sample.tables
        values = self.bench.compute(self.observations, tables, names=[name], change=change, only=slot)
        return name in values.errors or bool(moved(before.columns[name], values.columns[name]).any())


def with_edit(
    bench: Bench, edit: edits.Edit, tables: Callable[[pd.Timestamp], Tables], names: list[str] | None = None
) -> Iterator[Difference]:
    """Compare with the world in which an edit is made to all that code captures, and `tables` are handed over."""
    chosen = [name for name in bench.editable if names is None or name in names]
    for now in bench.sample.instants if chosen else ():
        observations, before = bench.sample.at(now), bench.base[now]
        change = bench.changer(edit, now)
        after = bench.compute(observations, tables(now), names=chosen, change=change)
        yield from differences(bench, before, after, observations, Captured(bench, observations, edit, now))


def edited_log(bench: Bench, edit: edits.Edit) -> Callable[[pd.Timestamp], Tables]:
    """Return the sample's tables with an edit made to the sampled leads' events."""

    def tables(now: pd.Timestamp) -> Tables:
        events, known = bench.sample.events, bench.known_events
        if events is None or known is None:
            return bench.sample.tables
        edited = edits.altered(known, edit, now, bench.rng, bench.views)
        rest = events.iloc[len(known) :]
        return bench.sample.with_events(pd.concat([edited, rest], ignore_index=True).astype(events.dtypes))

    return tables


@contextmanager
def conditions(bench: Bench, **wanted: Any) -> Iterator[None]:
    """Set some of the bench's conditions for the length of the block."""
    before = {name: getattr(bench.conditions, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(bench.conditions, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(bench.conditions, name, value)
